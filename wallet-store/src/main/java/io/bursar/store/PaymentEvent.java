package io.bursar.store;

import io.bursar.permit.Bytes;
import io.bursar.permit.Digest32;
import io.bursar.permit.TransferIntent.Gas;

/** What moves a payment from one state to the next. */
public sealed interface PaymentEvent {
  /** Fix the transaction: the next nonce of the wallet is taken for it. */
  record Prepare(Gas gas) implements PaymentEvent {}

  /** The signer has signed what was prepared. */
  record Sign(Bytes raw, Digest32 hash) implements PaymentEvent {}

  /**
   * A node has the newest transaction, or the chain has one of them.
   *
   * @param how {@code accepted}, {@code already known} or {@code found on the chain}
   */
  record Send(String how) implements PaymentEvent {}

  /**
   * Fix another transaction at the same nonce at a higher price.
   *
   * @param cancels whether it moves nothing, so that the transfer is not made if this one is mined; otherwise the same transfer
   */
  record Replace(Gas gas, boolean cancels) implements PaymentEvent {}

  /** Mined deep enough, and the token contract says that the transfer happened. */
  record Confirm(PaymentState.Mined mined) implements PaymentEvent {}

  /** Mined deep enough, and failed there: the amount is given back. */
  record Revert(PaymentState.Mined mined) implements PaymentEvent {}

  /** The transaction that moves nothing was mined deep enough, so the transfer never can be: all is given back. */
  record Annul(PaymentState.Mined mined) implements PaymentEvent {}

  /** The chain has shown that none of its signatures can take effect any more: all is given back. */
  record Fail(String why) implements PaymentEvent {}

  /** Its time is over and it was never signed: all is given back. */
  record Expire() implements PaymentEvent {}
}
