package io.bursar.signer;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.UUID;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import io.bursar.permit.Digest32;
import io.bursar.permit.Permit;
import io.bursar.permit.TransferIntent;

/** Killed in the middle of its writes, again and again, on one journal that grows. {@code -Dbursar.kills=500} does it more often. */
class JournalKillTest {
  private static final int KILLS = Integer.getInteger("bursar.kills", 20);

  @TempDir
  Path directory = Path.of(".");

  /** What was answered for before a kill. */
  private record Answered(long nonce, BigInteger amount, UUID permitId) {
    static Answered of(String line) {
      var words = line.split(" ", -1);
      return new Answered(Long.parseLong(words[0]), new BigInteger(words[1]), UUID.fromString(words[2]));
    }
  }

  @Test
  void whatWasAnsweredBeforeAKillIsNeverSignedOtherwiseNorItsPermitUsedAgain() throws Exception {
    killAgainAndAgain(23, 0);
  }

  @Test
  void norWhereTheJournalWasBeingCompacted() throws Exception {
    killAgainAndAgain(29, 3);
  }

  private void killAgainAndAgain(long seed, int beforeCompaction) throws Exception {
    var random = new Random(seed);
    long next = 0;
    long answered = 0;
    for (int kill = 0; kill < KILLS; kill++) {
      var said = runAndKill(next, beforeCompaction, random);
      var where = "seed " + seed + ", kill " + kill;
      try (var journal = Journal.open(directory.resolve("journal"),
          Optional.of(JournalAnchor.open(directory.resolve("anchor"))), Ceilings.NONE, Instant.now())) {
        for (var each : said) {
          assertThat(record(journal, each, each.amount.add(BigInteger.ONE), UUID.randomUUID())).as(where)
              .isInstanceOf(JournalOutcome.OtherPayload.class);
          assertThat(record(journal, each, each.amount, each.permitId)).as(where)
              .isInstanceOf(JournalOutcome.PermitUsed.class);
        }
        assertThat(journal.records()).as(where).isGreaterThanOrEqualTo(answered + said.size());
        answered = journal.records();
      }
      next += 1_000_000;
    }
    assertThat(answered).isPositive();
  }

  private static JournalOutcome record(Journal journal, Answered answered, BigInteger amount, UUID permitId) {
    TransferIntent intent = Fixtures.intent(JournalWriter.KEY, Fixtures.PAYEE, answered.nonce, amount);
    var now = Instant.now().truncatedTo(ChronoUnit.MILLIS);
    var permit = new Permit(permitId, intent.spendId(), Digest32.sha256(), intent.hash(), now, now.plusSeconds(300));
    return journal.record(now, permit.sign(Fixtures.PERMIT_KEYS.getPrivate()), permit, intent,
        SpendApprovals.Result.Counted.NONE);
  }

  private List<Answered> runAndKill(long firstNonce, int beforeCompaction, Random random) throws Exception {
    var output = directory.resolve("output");
    var process = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-cp",
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
        JournalWriter.class.getName(), directory.resolve("journal").toString(), directory.resolve("anchor").toString(),
        Long.toString(firstNonce), Long.toString(random.nextLong()), Integer.toString(beforeCompaction))
        .redirectErrorStream(true)
        .redirectOutput(output.toFile()).start();
    try {
      long until = System.nanoTime() + 60_000_000_000L;
      // Until it has been answered once: a kill before that would be in the middle of nothing.
      while (lines(output).size() < 2 && process.isAlive() && System.nanoTime() < until) {
        Thread.sleep(2);
      }
      Thread.sleep(random.nextInt(60));
    } finally {
      process.destroyForcibly().onExit().join();
    }
    var lines = lines(output);
    assertThat(lines).as("what the process said").isNotEmpty().first().isEqualTo("ready");
    return lines.stream().skip(1).map(Answered::of).toList();
  }

  /** The lines that were written to their ends. */
  private static List<String> lines(Path output) throws Exception {
    var text = Files.readString(output, StandardCharsets.US_ASCII);
    return text.substring(0, text.lastIndexOf('\n') + 1).lines().toList();
  }
}
