package io.bursar.api.relay;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.UUID;
import java.util.concurrent.atomic.AtomicLong;

import org.junit.jupiter.api.Test;

class RefusalsTest {
  private static final UUID KEY = new UUID(1, 1);

  private final AtomicLong now = new AtomicLong(Long.MAX_VALUE - 5);
  private final Refusals refusals = new Refusals(now::get);

  @Test
  void leavesTheSignerAloneAboutAKeyThatItHasJustRefusedManyTimesAndAboutNoOther() {
    for (int i = 0; i < Refusals.MOST; i++) {
      assertThat(refusals.areMany(KEY)).as("after %d", i).isFalse();
      refusals.count(KEY);
    }
    assertThat(refusals.areMany(KEY)).isTrue();
    assertThat(refusals.areMany(new UUID(1, 2))).isFalse();
    now.addAndGet(Refusals.WITHIN.toNanos() - 1);
    assertThat(refusals.areMany(KEY)).isTrue();
    now.addAndGet(1);
    assertThat(refusals.areMany(KEY)).isFalse();
    refusals.count(KEY);
    assertThat(refusals.areMany(KEY)).as("counted anew").isFalse();
  }
}
