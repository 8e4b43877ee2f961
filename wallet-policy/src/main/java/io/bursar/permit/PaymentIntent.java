package io.bursar.permit;

import java.util.UUID;

/**
 * An intent that moves a wallet's money: by a transaction of the wallet's own, or by an authorization that somebody else takes to
 * the chain. Either way it needs an authorization on the record, and counts against everything that bounds the key.
 */
public sealed interface PaymentIntent extends Intent permits TransferIntent, AuthorizationIntent {
  /** The spend that it settles. */
  UUID spendId();

  /** What moves. */
  TransferIntent.Transfer transfer();

  @Override
  default UUID subjectId() {
    return spendId();
  }
}
