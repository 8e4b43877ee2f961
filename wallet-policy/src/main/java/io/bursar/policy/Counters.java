package io.bursar.policy;

import java.math.BigInteger;
import java.time.Instant;
import java.util.Optional;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

/**
 * What has been spent, as a decision sees it: allowed and pending spends of the past, each counted once. An answer never
 * understates what the exact window would hold.
 */
public interface Counters {
  /**
   * What a window holds at {@code now}.
   *
   * @param sum in the counter's unit
   * @param count number of spends
   */
  record Usage(BigInteger sum, long count) {
    public static final Usage NONE = new Usage(BigInteger.ZERO, 0);
  }

  /** A sum that no window reaches: the bound of a limit that counts spends only. */
  BigInteger ANY_SUM = BigInteger.ONE.shiftLeft(512);

  /** What the window that ends at {@code now} holds for one key of a counter. Never called for {@link Window.Spend}. */
  Usage usage(Counter counter, long key, Window window, Instant now);

  /**
   * The earliest time at or after {@code now} at which the window holds at most {@code sumMax} and {@code countMax}, if
   * nothing else is spent; empty where it never will. At every later time it must hold no more.
   *
   * @param sumMax at least zero; {@link #ANY_SUM} where only spends are counted
   * @param countMax at least zero; {@link Long#MAX_VALUE} where only amounts are
   */
  Optional<Instant> fitsAt(Counter counter, long key, Window window, Instant now, BigInteger sumMax, long countMax);

  /** What a condition read when the decision was made before; null for a decision that is being made for the first time. */
  default @Nullable Recorded recorded() {
    return null;
  }

  /** What the conditions of a decision read when it was made before. */
  @FunctionalInterface
  interface Recorded {
    /**
     * What the condition of a rule read.
     *
     * @throws RuntimeException if nothing is recorded of it
     */
    Decision.ConditionReading of(UUID policyId, Policy.Target attachedTo, String rule);
  }
}
