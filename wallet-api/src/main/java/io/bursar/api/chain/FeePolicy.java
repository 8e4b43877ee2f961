package io.bursar.api.chain;

import java.math.BigInteger;

import io.bursar.permit.TransferIntent.Gas;

/**
 * What a transaction may cost (EIP-1559), all in wei for a unit of gas unless said otherwise.
 *
 * @param maxFeeCap never offered more than this in all
 * @param priorityFeeCap never offered more than this to the block's producer
 * @param priorityFeeFloor never offered less than this to the block's producer
 * @param gasLimitCap units of gas; a transfer that seems to need more is not sent
 * @see <a href="https://eips.ethereum.org/EIPS/eip-1559">EIP-1559</a>
 */
public record FeePolicy(BigInteger maxFeeCap, BigInteger priorityFeeCap, BigInteger priorityFeeFloor,
    long gasLimitCap) {
  private static final BigInteger GWEI = BigInteger.TEN.pow(9);
  /** The signer signs nothing in place of a transaction that may cost more than so many times as much. */
  private static final BigInteger MOST_FEE_FACTOR = BigInteger.TEN;

  /** At most 500 gwei, of which at most 50 and at least 0.001 for the producer; at most 200,000 gas. */
  public static final FeePolicy DEFAULT = new FeePolicy(GWEI.multiply(BigInteger.valueOf(500)),
      GWEI.multiply(BigInteger.valueOf(50)), BigInteger.TEN.pow(6), 200_000);

  public FeePolicy {
    if (priorityFeeFloor.signum() < 0 || priorityFeeFloor.compareTo(priorityFeeCap) > 0
        || priorityFeeCap.compareTo(maxFeeCap) > 0) {
      throw new IllegalArgumentException("fees must be 0 <= priority floor <= priority cap <= cap, not `"
          + priorityFeeFloor + "`, `" + priorityFeeCap + "`, `" + maxFeeCap + "`");
    }
  }

  /**
   * What to offer: room for the base fee to double, which takes at least six full blocks.
   *
   * @param baseFee of the next block
   * @param usualPriorityFee what others have paid of late
   * @return fees whose maximum is below the base fee if the cap is: such a transaction would only wait in the pool
   */
  public Fees offer(BigInteger baseFee, BigInteger usualPriorityFee) {
    var priority = usualPriorityFee.max(priorityFeeFloor).min(priorityFeeCap);
    var max = baseFee.shiftLeft(1).add(priority).min(maxFeeCap);
    return new Fees(max, priority.min(max));
  }

  /**
   * What to offer in place of a transaction that is not mined: at least an eighth more on both fees, rounded up, as the strictest
   * nodes ask (geth 10 %, others 12.5 %), or what is usual now if that is more.
   *
   * @return fees above the cap if that is what a replacement takes; see {@link #allows}
   */
  public Fees raise(Gas last, Fees usual) {
    var max = eighthMore(last.maxFeePerGas()).max(usual.maxFeePerGas());
    var priority = eighthMore(last.maxPriorityFeePerGas()).max(usual.maxPriorityFeePerGas());
    return new Fees(max.max(priority), priority);
  }

  /**
   * What to offer next for a transaction, and whether the caps and the signer let it be offered.
   *
   * @param first what was first signed for its nonce
   * @param last what was signed for it last
   * @param usual what a new transaction would offer
   */
  public Replacement replace(Gas first, Gas last, Fees usual) {
    var most = first.maxFeePerGas().multiply(MOST_FEE_FACTOR);
    var raised = raise(last, usual.atMost(most));
    return new Replacement(raised, allows(raised) && raised.maxFeePerGas.compareTo(most) <= 0);
  }

  /** What a replacement takes, and whether it may be offered; if not, it is waited until gas costs less. */
  public record Replacement(Fees fees, boolean isAllowed) {}

  /** Whether these fees may be offered. */
  public boolean allows(Fees fees) {
    return fees.maxFeePerGas().compareTo(maxFeeCap) <= 0 && fees.maxPriorityFeePerGas().compareTo(priorityFeeCap) <= 0;
  }

  private static BigInteger eighthMore(BigInteger fee) {
    return fee.multiply(BigInteger.valueOf(9)).add(BigInteger.valueOf(7)).shiftRight(3).max(fee.add(BigInteger.ONE));
  }

  /** The two prices of an EIP-1559 transaction, in wei for a unit of gas. */
  public record Fees(BigInteger maxFeePerGas, BigInteger maxPriorityFeePerGas) {
    /** The same, but no more than this in all. */
    public Fees atMost(BigInteger most) {
      return new Fees(maxFeePerGas.min(most), maxPriorityFeePerGas.min(most));
    }

    public Gas gas(long limit) {
      return new Gas(limit, maxFeePerGas, maxPriorityFeePerGas);
    }
  }
}
