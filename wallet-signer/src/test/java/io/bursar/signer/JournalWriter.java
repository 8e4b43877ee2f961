package io.bursar.signer;

import java.io.PrintStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Optional;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicLong;

import io.bursar.permit.Digest32;
import io.bursar.permit.Permit;

/** A process that records transfers from several threads until it is killed, and prints each one that was answered for. */
public final class JournalWriter {
  static final UUID KEY = new UUID(1, 1);

  private JournalWriter() {}

  /**
   * Writes until it is killed.
   *
   * @param args journal, anchor, first nonce, seed
   */
  public static void main(String[] args) throws Exception {
    var out = new PrintStream(System.out, false, StandardCharsets.US_ASCII);
    var journal = Journal.open(Path.of(args[0]), Optional.of(JournalAnchor.open(Path.of(args[1]))), Ceilings.NONE,
        Instant.now());
    var next = new AtomicLong(Long.parseLong(args[2]));
    out.println("ready");
    out.flush();
    for (int thread = 0; thread < 4; thread++) {
      var random = new Random(Long.parseLong(args[3]) + thread);
      Thread.ofPlatform().start(() -> {
        while (true) {
          write(journal, next.getAndIncrement(), random, out);
        }
      });
    }
  }

  private static void write(Journal journal, long nonce, Random random, PrintStream out) {
    var intent = Fixtures.intent(KEY, Fixtures.PAYEE, nonce, BigInteger.valueOf(1 + random.nextInt(1_000_000)));
    var now = Instant.now().truncatedTo(ChronoUnit.MILLIS);
    var permit = new Permit(UUID.randomUUID(), intent.spendId(), Digest32.sha256(), intent.hash(), now,
        now.plusSeconds(300));
    var outcome = journal.record(now, permit.sign(Fixtures.PERMIT_KEYS.getPrivate()), permit, intent,
        SpendApprovals.Result.Counted.NONE);
    if (outcome instanceof Journal.Outcome.Recorded) {
      synchronized (out) {
        out.println(nonce + " " + intent.transfer().amount() + " " + permit.permitId());
        out.flush();
      }
    }
  }
}
