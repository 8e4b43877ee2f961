package io.bursar.api.settlement;

import java.time.Duration;
import java.time.Instant;

/**
 * How often a chain makes blocks, as it is seen by whoever asks for its newest one: a payment that waits for a block is looked at again
 * when there may be one, and not before. Only an estimate, and bounded, so whatever the clock or the node says it delays nothing for long.
 */
final class BlockPace {
  private static final Duration INTERVAL_MAX = Duration.ofSeconds(15);

  private long newest = -1;
  private Instant since = Instant.EPOCH;
  private Duration interval = Duration.ZERO;

  /**
   * The newest block was asked for.
   *
   * @param number of the block
   * @param now by the clock of the database, as in {@link #untilNext}
   */
  synchronized void saw(long number, Instant now) {
    if (number == newest) {
      return;
    }
    var took = Duration.between(since, now);
    if (newest >= 0 && number > newest && !took.isNegative()) {
      var each = took.dividedBy(number - newest);
      if (each.compareTo(INTERVAL_MAX) <= 0) {
        interval = interval.isZero() ? each : interval.multipliedBy(3).plus(each).dividedBy(4);
      }
    }
    newest = number;
    since = now;
  }

  /** How long until the next block is to be expected; zero if that is not known, or it is overdue. */
  synchronized Duration untilNext(Instant now) {
    var rest = Duration.between(now, since.plus(interval));
    return rest.isNegative() || rest.compareTo(interval) > 0 ? Duration.ZERO : rest;
  }
}
