package io.bursar.permit;

import java.util.UUID;

/** An intent whose signature makes a transaction of the key's own account, which pays the gas. */
public sealed interface TransactionIntent extends Intent permits TransferIntent, RelayerIntent, CancelIntent {
  /** Where the transaction goes: chain, key and nonce. */
  TransferIntent.NonceSlot slot();

  /** What the transaction may cost. */
  TransferIntent.Gas gas();

  @Override
  default UUID keyId() {
    return slot().keyId();
  }

  @Override
  default long chainId() {
    return slot().chainId();
  }
}
