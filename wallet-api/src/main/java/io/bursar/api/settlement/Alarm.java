package io.bursar.api.settlement;

import java.util.Locale;

/** What a person must look at. Each is counted, logged as an error and shown on its spend; the payment stays and is tried again. */
public enum Alarm {
  /** The payment's chain is not configured. */
  UNKNOWN_CHAIN,
  /** A node that was configured for the payment's chain serves another one; nothing is done on the chain until that is mended. */
  WRONG_CHAIN,
  /** The signer refuses for a reason that does not pass by itself. */
  SIGNER_REFUSED,
  /** The tenant's log was rewritten or put back, and is stopped: nothing can be shown to be on the record. */
  LOG_STOPPED,
  /** The node refuses the signed transaction for a reason that does not pass by itself. */
  NODE_REJECTED,
  /** The market asks for more than the cap allows. */
  FEE_CAP,
  /** A receipt says that the transaction succeeded, but the token's event does not say that the money moved. */
  NO_TRANSFER_EVENT,
  /** The chain holds another transaction at our nonce: somebody else has the wallet's key. */
  FOREIGN_TRANSACTION,
  /** The chain was reorganised deeper than its blocks counted as settled, and has lost a payment or the failure of one. */
  DEEP_REORGANISATION,
  /** A nonce that no payment has stands in the way of those that do: the wallet's next payment takes it. */
  NONCE_GAP;

  /** The alarm's name as metrics and logs show it, such as {@code fee_cap}. */
  public String text() {
    return name().toLowerCase(Locale.ROOT);
  }
}
