package io.bursar.api.settlement;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.Instant;

import org.junit.jupiter.api.Test;

class BlockPaceTest {
  private static final Instant NOW = Instant.parse("2026-11-26T12:00:00Z");
  private final BlockPace pace = new BlockPace();

  private void aBlockEachTwoSeconds() {
    for (int i = 0; i <= 10; i++) {
      pace.saw(100 + i, NOW.plusSeconds(2L * i));
    }
  }

  @Test
  void saysNothingBeforeItHasSeenTwoBlocks() {
    assertThat(pace.untilNext(NOW)).isZero();
    pace.saw(7, NOW);
    assertThat(pace.untilNext(NOW)).isZero();
    pace.saw(7, NOW.plusSeconds(1));
    assertThat(pace.untilNext(NOW.plusSeconds(1))).isZero();
  }

  @Test
  void expectsTheNextBlockWhenTheLastOnesHaveComeAndNotWhenItIsOverdue() {
    aBlockEachTwoSeconds();
    var last = NOW.plusSeconds(20);
    assertThat(pace.untilNext(last)).isEqualTo(Duration.ofSeconds(2));
    assertThat(pace.untilNext(last.plusMillis(1500))).isEqualTo(Duration.ofMillis(500));
    assertThat(pace.untilNext(last.plusMillis(2001))).isZero();
    pace.saw(112, last.plusSeconds(4)); // two at once
    assertThat(pace.untilNext(last.plusSeconds(4))).isEqualTo(Duration.ofSeconds(2));
  }

  @Test
  void neverExpectsMoreThanOneIntervalWhateverTheClockAndTheNodeDo() {
    aBlockEachTwoSeconds();
    assertThat(pace.untilNext(NOW.minusSeconds(3600))).as("the clock was set back").isZero();
    pace.saw(90, NOW.minusSeconds(3600)); // and the chain went back
    assertThat(pace.untilNext(NOW.minusSeconds(3600))).isEqualTo(Duration.ofSeconds(2));
    pace.saw(91, NOW.plusSeconds(3600)); // the clock was set forward: no interval
    assertThat(pace.untilNext(NOW.plusSeconds(3600))).isEqualTo(Duration.ofSeconds(2));
  }
}
