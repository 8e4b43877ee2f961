package io.bursar.api.simulation;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/**
 * The real lane, sequencer, settlement and signer in simulated worlds. {@code -Dsimulation.seeds=500} plays more of them,
 * {@code -Dsimulation.from=42 -Dsimulation.seeds=1} one again; {@code deploy/bench/simulate} does both by command.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class SimulationTest {
  private static final int SEEDS = Integer.getInteger("simulation.seeds", 0);
  private static final long FROM = Long.getLong("simulation.from", 1);
  /** Where no number is asked for: as many seeds as the suite has time for. */
  private static final Duration TIME = Duration.ofSeconds(35);
  private static final int LEAST = 10;

  private Stage stage;

  @BeforeAll
  void open() {
    stage = new Stage();
  }

  @AfterAll
  void close() {
    stage.close();
  }

  @Test
  void whateverGoesWrongNoPaymentIsLostOrMadeTwiceAndNothingIsOverBudget() {
    var totals = Simulate.play(stage, FROM, SEEDS == 0 ? Integer.MAX_VALUE : SEEDS,
        SEEDS == 0 ? TIME : Duration.ofHours(12));
    assertThat(totals.findings()).as("again with -Dsimulation.from=SEED -Dsimulation.seeds=1").isEmpty();
    assertThat(totals.seeds()).isGreaterThanOrEqualTo(SEEDS == 0 ? LEAST : SEEDS);
  }

  @Test
  void aSeedPlaysTheSameWayAgain() {
    for (long seed = FROM; seed < FROM + 3; seed++) {
      assertThat(Simulation.play(seed, stage)).as("seed %d", seed).isEqualTo(Simulation.play(seed, stage));
    }
  }
}
