package io.bursar.api.endtoend;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;

import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import io.bursar.api.signer.SignerHeads;
import io.bursar.api.testing.SequencerProcess;
import io.bursar.api.testing.SignerProcess;
import io.bursar.log.SignedNote;
import io.bursar.log.TilePath;
import io.bursar.permit.Digest32;
import io.bursar.store.Fixture;
import io.bursar.store.log.Cosigners;
import io.bursar.store.log.Log;
import io.bursar.store.log.LogUnavailable;
import io.bursar.store.log.TileFiles;
import io.bursar.verify.LogSource;
import io.bursar.verify.LogVerifier;

/**
 * Kills two sequencers that work on one log, and the signer that signs its heads, at random moments. An outsider who looks again and
 * again sees a log that only grows, and in the end everything is in it. {@code -Dkill.rounds=200} plays longer,
 * {@code -Dkill.seed} again.
 */
class SequencingKillTest {
  private static final int ROUNDS = Integer.getInteger("kill.rounds", 20);
  private static final long SEED = Long.getLong("kill.seed", 20_261_125L);

  @TempDir
  Path tiles;

  @Test
  void whateverIsKilledTheLogHasNoGapAndNoForkAndLosesNothing() throws Exception {
    RandomGenerator random = RandomGeneratorFactory.of("L64X128MixRandom").create(SEED);
    try (var store = new Fixture(); var signer = SignerProcess.start()) {
      var stops = new ArrayList<String>();
      var log = new Log(store.database, store.audit, new TileFiles(tiles), new SignerHeads(signer.client()),
          Cosigners.NONE, (tenant, why) -> stops.add(why));
      var running = new SequencerProcess[]{start(store, signer), start(store, signer)};
      var acknowledged = new ArrayList<Long>();
      try {
        Awaitility.await("the log grows").atMost(Duration.ofSeconds(60))
            .until(() -> log.state(store.tenant).checkpointSize() > 100);
        Optional<SignedNote> seen = Optional.empty();
        for (int round = 0; round < ROUNDS; round++) {
          int which = oneAtWork(running);
          Thread.sleep(random.nextInt(20, 200));
          if (round % 4 == 3) {
            signer.restart();
          } else {
            running[which].close();
            acknowledged.addAll(running[which].acknowledged());
            // The lease of who was killed runs out by itself; that time is not waited for here.
            store.database.sql().sql("UPDATE log_state SET lease_until = '-infinity'").update();
            running[which] = start(store, signer);
          }
          seen = look(store, log, seen);
        }
      } finally {
        for (var process : running) {
          process.close();
          acknowledged.addAll(process.acknowledged());
        }
      }
      store.database.sql().sql("UPDATE log_state SET lease_until = '-infinity'").update();
      log.catchUp(store.tenant);
      assertThat(stops).as("seed %d", SEED).isEmpty();
      assertThat(acknowledged).as("seed %d", SEED).hasSizeGreaterThan(ROUNDS / 2);
      holds(store, log, acknowledged);
    }
  }

  /** One that has done something since it was started. */
  private static int oneAtWork(SequencerProcess[] running) {
    return Awaitility.await("a sequencer is at work").atMost(Duration.ofSeconds(60))
        .pollInterval(Duration.ofMillis(20)).until(() -> {
          for (int i = 0; i < running.length; i++) {
            if (!running[i].acknowledged().isEmpty()) {
              return i;
            }
          }
          return -1;
        }, which -> which >= 0);
  }

  private SequencerProcess start(Fixture store, SignerProcess signer) {
    return SequencerProcess.start(store.test.settings(), store.tenant, signer, tiles);
  }

  /** What an outsider sees now has grown out of what it saw before, and every entry and tile is in its place. */
  private static Optional<SignedNote> look(Fixture store, Log log, Optional<SignedNote> seen) throws Exception {
    var verifier = new LogVerifier(source(store, log), log.key(store.tenant), LogVerifier.Options.DEFAULT);
    return Optional.of((seen.isPresent() ? verifier.grown(seen.get(), done -> {}) : verifier.all(seen, done -> {}))
        .note());
  }

  /** The log as of one moment, by the paths that it is served under. */
  private static LogSource source(Fixture store, Log log) {
    var state = log.state(store.tenant);
    return (path, bytesMax) -> path.equals("checkpoint")
        ? state.checkpoint().map(SignedNote::encode)
        : log.tile(store.tenant, state, TilePath.parse(path));
  }

  private static void holds(Fixture store, Log log, List<Long> acknowledged) throws Exception {
    var report = new LogVerifier(source(store, log), log.key(store.tenant), LogVerifier.Options.DEFAULT)
        .all(Optional.empty(), done -> {});
    var leaves = store.database.sql().sql("SELECT leaf_hash FROM audit_entry WHERE tenant_id = :tenant ORDER BY seq")
        .param("tenant", store.tenant).query((row, n) -> Digest32.of(row.getBytes("leaf_hash"))).list();
    assertThat(report.entries()).as("seed %d", SEED).isEqualTo(leaves.size());
    assertThat(
        store.value("SELECT max(seq) = count(*) AND max(seq) = (SELECT max(audit_seq) FROM lane) FROM audit_entry"))
        .as("seed %d: gapless", SEED).isEqualTo(true);
    assertThat(log.differences(store.tenant)).as("seed %d", SEED).isEmpty();
    for (long seq : acknowledged) {
      assertThat(receipt(store, log, seq).verify(leaves.get((int) seq - 1), log.key(store.tenant)).size())
          .as("seed %d: the receipt of %d", SEED, seq).isEqualTo(leaves.size());
    }
  }

  private static io.bursar.log.LogProof receipt(Fixture store, Log log, long seq) throws LogUnavailable {
    return log.receipt(store.tenant, seq, Duration.ofSeconds(10));
  }
}
