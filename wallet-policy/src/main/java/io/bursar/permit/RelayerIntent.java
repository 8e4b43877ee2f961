package io.bursar.permit;

import java.util.UUID;

/** An intent for a relayer's key, which is nobody's: it pays gas and no spend, and is on no tenant's record. */
public sealed interface RelayerIntent extends TransactionIntent permits RelayIntent, RefillIntent {
  @Override
  default UUID tenantId() {
    return RelayIntent.TENANT;
  }
}
