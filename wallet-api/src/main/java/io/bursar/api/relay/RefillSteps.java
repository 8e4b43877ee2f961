package io.bursar.api.relay;

import java.math.BigInteger;
import java.util.UUID;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.bursar.api.chain.Chain;
import io.bursar.api.chain.ChainUnavailable;
import io.bursar.store.Refills;
import io.bursar.store.RelayBatch.Refill;
import io.bursar.store.Relayer;

/**
 * Has a chain's first relayer keep the others in native coin, so that whoever runs the service has one account to fill and not each. What it
 * sends is one of its own transactions; {@link BatchSteps} takes it to the chain with the rest.
 */
public final class RefillSteps implements RelayWorker.TopUp {
  /** Whoever can pay for fewer full batches than this is refilled, long before that is an alarm. */
  private static final int BELOW = 40;
  private static final int UP_TO = 100;
  /** What the giver keeps for itself, in full batches. */
  private static final int KEPT = 40;
  /** The smallest refill, in full batches: it takes a whole transaction as the largest does. */
  private static final int LEAST = 20;
  /** Units of gas; 21,000 on most chains, more where the data's place on another chain is paid for with gas as well. */
  private static final long GAS = 100_000;

  private static final Logger LOG = LoggerFactory.getLogger("io.bursar.relay");

  private final Chain chain;
  private final Refills refills;
  private final RelayAlarms alarms;
  private final int batch;

  /**
   * The refills of a chain.
   *
   * @param batch the most authorizations of a transaction, by which is told what a full one costs
   */
  public RefillSteps(Chain chain, Refills refills, RelayAlarms alarms, int batch) {
    this.chain = chain;
    this.refills = refills;
    this.alarms = alarms;
    this.batch = batch;
  }

  @Override
  public void see(Relayer relayer, UUID lease) throws ChainUnavailable {
    var record = alarms.operator();
    if (!relayer.refillsOthers() || record.isEmpty()) {
      return;
    }
    var others = refills.refillable(relayer);
    if (others.isEmpty()) {
      return;
    }
    var quote = chain.quote();
    if (!quote.isEnough()) {
      return; // the batches wait too, and an alarm says so
    }
    var full = BatchSteps.cost(quote, batch);
    var gas = quote.offer().gas(GAS);
    for (var other : others) {
      var held = chain.balance(other.address());
      if (held.compareTo(times(full, BELOW)) >= 0) {
        continue;
      }
      var spare = chain.balance(relayer.address()).subtract(refills.onTheirWay(relayer)).subtract(gas.maxCost())
          .subtract(times(full, KEPT));
      var wei = times(full, UP_TO).subtract(held).min(spare);
      if (wei.compareTo(times(full, LEAST)) >= 0) {
        refills.fix(relayer, lease, new Refill(other, wei), gas, record.get())
            .ifPresent(
                refill -> LOG.info("refill batch={} chain={} from={} to={} wei={}", refill.batchId(), chain.name(),
                    relayer.address(), other.address(), wei));
      }
    }
  }

  private static BigInteger times(BigInteger cost, int count) {
    return cost.multiply(BigInteger.valueOf(count));
  }
}
