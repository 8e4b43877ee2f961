package io.bursar.store;

/** What came of an attempt to move a payment. */
public sealed interface PaymentMove {
  /** Recorded; this is the payment now, under a fresh lease. */
  record Moved(Payment payment) implements PaymentMove {}

  /** Not now, for this reason; nothing was recorded. */
  record Held(String why) implements PaymentMove {}

  /** Somebody else has moved it, or works on it: leave it alone. Nothing was recorded. */
  record Lost() implements PaymentMove {}

  /** What came of a wish to cancel. */
  sealed interface Cancel {
    /** Nothing was or will be paid; the reservation is given back. */
    record Canceled() implements Cancel {}

    /** A signature may exist, so the chain decides: it was asked for on the record, now or before. */
    record Requested() implements Cancel {}

    /** A signature may exist, or it is over already; the state is that of {@link PaymentState#text}. */
    record TooLate(String state) implements Cancel {}

    /** The tenant has no such payment. */
    record NotFound() implements Cancel {}
  }
}
