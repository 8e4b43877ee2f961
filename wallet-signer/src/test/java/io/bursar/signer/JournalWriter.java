package io.bursar.signer;

import java.io.IOException;
import java.io.PrintStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Optional;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicLong;

import io.bursar.permit.Digest32;
import io.bursar.permit.Permit;

/**
 * A process that records transfers from several threads until it is killed, and prints each one that was answered for. Where it is told
 * to, it compacts the journal after each few of them.
 */
public final class JournalWriter {
  static final UUID KEY = new UUID(1, 1);

  private JournalWriter() {}

  /**
   * Writes until it is killed.
   *
   * @param args journal, anchor, first nonce, seed, how many transfers to record before each compaction or 0 for none
   */
  public static void main(String[] args) throws Exception {
    var out = new PrintStream(System.out, false, StandardCharsets.US_ASCII);
    var path = Path.of(args[0]);
    var anchor = Path.of(args[1]);
    var next = new AtomicLong(Long.parseLong(args[2]));
    long seed = Long.parseLong(args[3]);
    int beforeCompaction = Integer.parseInt(args[4]);
    out.println("ready");
    out.flush();
    while (beforeCompaction > 0) {
      var random = new Random(seed);
      try (var journal = open(path, anchor)) {
        for (int i = 0; i < beforeCompaction; i++) {
          write(journal, next.getAndIncrement(), random, out);
        }
      }
      try (var kept = JournalAnchor.open(anchor)) {
        Files.deleteIfExists(JournalCompaction.compact(path, kept, Instant.now()).before());
      }
    }
    var journal = open(path, anchor);
    for (int thread = 0; thread < 4; thread++) {
      var random = new Random(seed + thread);
      Thread.ofPlatform().start(() -> {
        while (true) {
          write(journal, next.getAndIncrement(), random, out);
        }
      });
    }
  }

  private static Journal open(Path path, Path anchor) throws IOException {
    return Journal.open(path, Optional.of(JournalAnchor.open(anchor)), Ceilings.NONE, Instant.now());
  }

  private static void write(Journal journal, long nonce, Random random, PrintStream out) {
    var intent = Fixtures.intent(KEY, Fixtures.PAYEE, nonce, BigInteger.valueOf(1 + random.nextInt(1_000_000)));
    var now = Instant.now().truncatedTo(ChronoUnit.MILLIS);
    var permit = new Permit(UUID.randomUUID(), intent.spendId(), Digest32.sha256(), intent.hash(), now,
        now.plusSeconds(300));
    var outcome = journal.record(now, permit.sign(Fixtures.PERMIT_KEYS.getPrivate()), permit, intent,
        SpendApprovals.Result.Counted.NONE);
    if (outcome instanceof JournalOutcome.Recorded) {
      synchronized (out) {
        out.println(nonce + " " + intent.transfer().amount() + " " + permit.permitId());
        out.flush();
      }
    }
  }
}
