package io.bursar.api.endtoend;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import io.bursar.api.endtoend.Chaos.Fault;

/**
 * Kills the service, the signer and PostgreSQL at random moments and cuts the node off, while clients spend and try again with their
 * keys. {@code -Dkill.rounds=200} plays longer, {@code -Dkill.seed} again; {@code deploy/bench/chaos} also fills the disk and sets the
 * clock.
 */
class KillTest {
  /** Of each mode of settlement. */
  private static final int ROUNDS = Integer.getInteger("kill.rounds", 30) / 2;
  private static final long SEED = Long.getLong("kill.seed", 20_261_123L);

  @TempDir
  private Path home;

  @ParameterizedTest(name = "relayers: {0}")
  @ValueSource(ints = {0, 2})
  void whateverIsKilledOrCutOffNothingIsLostAndNothingIsPaidTwice(int relayers) throws Exception {
    var totals = Chaos.play(new Chaos.Settings(SEED, ROUNDS, ROUNDS, relayers, home, Optional.empty(),
        List.of(Fault.API_KILLED, Fault.SIGNER_KILLED, Fault.POSTGRES_KILLED, Fault.NODE_CUT_OFF),
        System.out::println));
    assertThat(totals.spends()).isGreaterThan(ROUNDS);
  }
}
