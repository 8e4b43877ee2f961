package io.bursar.api.settlement;

import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

import io.bursar.api.chain.Chain;
import io.bursar.api.chain.ChainUnavailable;
import io.bursar.store.Payment;

/** How long a payment is left alone before it is looked at again. */
final class Delays {
  /** The shortest of them. */
  static final Duration MOMENT = Duration.ofMillis(250);

  private static final Duration PATIENCE_MAX = Duration.ofSeconds(10);
  private static final Duration POLL_MAX = Duration.ofSeconds(3);
  /** What a block takes to come to the node that is asked, and the age of an answer that is still taken for fresh. */
  private static final Duration BLOCK_SPREADS = Duration.ofMillis(100);

  private final Map<String, BlockPace> paces = new ConcurrentHashMap<>();

  /** As long again as it has waited already: soon at first, then ever more seldom. */
  static Duration patience(Payment payment) {
    return bounded(payment.reading().age().dividedBy(2), PATIENCE_MAX);
  }

  /** When the next block is to be expected; where that is not known, soon at first and then more seldom. */
  Duration poll(Payment payment, Chain chain) throws ChainUnavailable {
    var pace = paces.computeIfAbsent(payment.wallet().chain(), _ -> new BlockPace());
    var now = payment.reading().readAt();
    pace.saw(chain.head(), now);
    var next = pace.untilNext(now);
    return bounded(next.isZero() ? payment.reading().age().dividedBy(4) : next.plus(BLOCK_SPREADS), POLL_MAX);
  }

  private static Duration bounded(Duration wanted, Duration most) {
    if (wanted.compareTo(MOMENT) < 0) {
      return MOMENT;
    }
    return wanted.compareTo(most) > 0 ? most : wanted;
  }
}
