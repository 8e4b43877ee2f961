package io.bursar.signer;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Locale;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicLong;

import io.bursar.permit.Permit;

/**
 * What compaction gains: makes a journal in a directory that must not exist, records transfers from eight threads, compacts it, and says
 * how long the two are and take to open. Arguments: directory, number of transfers.
 */
final class JournalCompactionLoad {
  private static final int THREADS = 8;

  private JournalCompactionLoad() {}

  public static void main(String[] arguments) throws Exception {
    var directory = Files.createDirectory(Path.of(arguments[0]));
    long count = Long.parseLong(arguments[1]);
    fill(directory, count);
    // Their permits have expired by then, as nearly all of a long journal's have.
    var later = Instant.now().plus(Permit.MAX_LIFE);
    System.out.printf(Locale.ROOT, "whole: %,d bytes, opened in %,d ms%n", bytes(directory), open(directory));
    long began = System.nanoTime();
    try (var anchor = JournalAnchor.open(directory.resolve("anchor"))) {
      var result = JournalCompaction.compact(directory.resolve("journal"), anchor, later);
      System.out.printf(Locale.ROOT, "compacted %,d records in %,d ms: %,d bytes a record before, %,d after%n",
          result.records(), millisSince(began), result.bytesBefore() / count, result.bytesAfter() / count);
    }
    System.out.printf(Locale.ROOT, "compacted: %,d bytes, opened in %,d ms%n", bytes(directory), open(directory));
  }

  private static void fill(Path directory, long count) throws Exception {
    var next = new AtomicLong();
    try (var journal = journal(directory)) {
      var threads = new ArrayList<Thread>();
      for (int thread = 0; thread < THREADS; thread++) {
        threads.add(Thread.ofPlatform().start(() -> {
          for (long nonce = next.getAndIncrement(); nonce < count; nonce = next.getAndIncrement()) {
            record(journal, nonce);
          }
        }));
      }
      for (var thread : threads) {
        thread.join();
      }
    }
  }

  private static void record(Journal journal, long nonce) {
    var intent = Fixtures.intent(new UUID(1, nonce % 1_000), Fixtures.PAYEE, nonce, BigInteger.ONE);
    var now = Instant.now().truncatedTo(ChronoUnit.MILLIS);
    var permit = Fixtures.permit(intent, now);
    var outcome = journal.record(now, permit.sign(Fixtures.PERMIT_KEYS.getPrivate()), permit, intent,
        SpendApprovals.Result.Counted.NONE);
    if (!(outcome instanceof JournalOutcome.Recorded)) {
      throw new IllegalStateException("not recorded: " + outcome);
    }
  }

  private static Journal journal(Path directory) throws IOException {
    return Journal.open(directory.resolve("journal"), Optional.of(JournalAnchor.open(directory.resolve("anchor"))),
        Ceilings.NONE, Instant.now());
  }

  private static long bytes(Path directory) throws IOException {
    return Files.size(directory.resolve("journal"));
  }

  /** Milliseconds, the quickest of three. */
  private static long open(Path directory) throws IOException {
    long quickest = Long.MAX_VALUE;
    for (int turn = 0; turn < 3; turn++) {
      long began = System.nanoTime();
      journal(directory).close();
      quickest = Math.min(quickest, millisSince(began));
    }
    return quickest;
  }

  private static long millisSince(long began) {
    return (System.nanoTime() - began) / 1_000_000;
  }
}
