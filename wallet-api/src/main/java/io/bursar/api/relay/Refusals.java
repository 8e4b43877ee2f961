package io.bursar.api.relay;

import java.time.Duration;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongSupplier;

/**
 * How often the signer has refused a key of late. A signer takes more than some hundred refusals of a key within a minute for a thief's
 * and freezes it until a person lifts that, and a wallet can have thousands of payments that it refuses for one reason.
 */
final class Refusals {
  static final int MOST = 20;
  static final Duration WITHIN = Duration.ofSeconds(10);

  private record Tally(long since, int count) {}

  private final Map<UUID, Tally> tallies = new ConcurrentHashMap<>();
  private final LongSupplier nanos;

  /** @param nanos such as {@link System#nanoTime} */
  Refusals(LongSupplier nanos) {
    this.nanos = nanos;
  }

  void count(UUID keyId) {
    long now = nanos.getAsLong();
    tallies.compute(keyId,
        (key, tally) -> tally == null || isOver(tally, now)
            ? new Tally(now, 1)
            : new Tally(tally.since, tally.count + 1));
  }

  /** Whether there were so many that the signer should be left alone about this key for now. */
  boolean areMany(UUID keyId) {
    var tally = tallies.get(keyId);
    return tally != null && tally.count >= MOST && !isOver(tally, nanos.getAsLong());
  }

  private static boolean isOver(Tally tally, long now) {
    return now - tally.since >= WITHIN.toNanos();
  }
}
