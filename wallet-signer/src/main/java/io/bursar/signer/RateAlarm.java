package io.bursar.signer;

import java.time.Instant;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;

/** Notices when somebody asks for more than an honest caller does: too often, or too often in vain. */
final class RateAlarm {
  /**
   * What is still honest, for each key.
   *
   * @param requestsPerSecond within one second of the clock
   * @param refusalsPerMinute within one minute of the clock
   */
  record Bounds(int requestsPerSecond, int refusalsPerMinute) {
    /** More than one wallet's payments come to; a payment that is refused is tried again every ten seconds at the most often. */
    static final Bounds DEFAULT = new Bounds(1_000, 300);
  }

  private static final class Tally {
    private long second;
    private long minute;
    private int requests;
    private int refusals;
  }

  private final Bounds bounds;
  private final ConcurrentHashMap<UUID, Tally> tallies = new ConcurrentHashMap<>();

  RateAlarm(Bounds bounds) {
    this.bounds = bounds;
  }

  /** Counts a request for a key that exists; why the key must be frozen, if this one is too many. */
  Optional<String> request(UUID keyId, Instant now) {
    var tally = tallies.computeIfAbsent(keyId, _ -> new Tally());
    synchronized (tally) {
      long second = now.getEpochSecond();
      if (second != tally.second) {
        tally.second = second;
        tally.requests = 0;
      }
      return ++tally.requests == bounds.requestsPerSecond + 1
          ? Optional.of("rate alarm: more than " + bounds.requestsPerSecond + " requests within a second")
          : Optional.empty();
    }
  }

  /** Counts a refusal; why the key must be frozen, if this one is too many. */
  Optional<String> refusal(UUID keyId, Instant now) {
    var tally = tallies.computeIfAbsent(keyId, _ -> new Tally());
    synchronized (tally) {
      long minute = now.getEpochSecond() / 60;
      if (minute != tally.minute) {
        tally.minute = minute;
        tally.refusals = 0;
      }
      return ++tally.refusals == bounds.refusalsPerMinute + 1
          ? Optional.of("rate alarm: more than " + bounds.refusalsPerMinute + " refusals within a minute")
          : Optional.empty();
    }
  }
}
