package io.bursar.api.settlement;

import java.time.Duration;

import org.jspecify.annotations.Nullable;

import io.bursar.store.Payment;

/** What came of one step of a payment. */
public sealed interface Step {
  /** It moved; the next step can follow at once. */
  record Moved(Payment payment) implements Step {}

  /**
   * Nothing more can be done now.
   *
   * @param delay until when
   * @param why shown to the spend's owner; null if all is well
   * @param who who waits
   */
  record Wait(Duration delay, @Nullable String why, Who who) implements Step {}

  /** Whom a wait concerns. */
  enum Who {
    /** The payment alone. */
    PAYMENT,
    /** Also what its wallet would pay after it: the reason is the wallet's, or the whole chain's. */
    WALLET
  }

  /** It is final, or somebody else works on it. */
  record Done() implements Step {}
}
