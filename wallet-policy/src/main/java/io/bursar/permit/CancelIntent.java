package io.bursar.permit;

import java.util.UUID;

import io.bursar.money.Address;
import io.bursar.permit.TransferIntent.Gas;
import io.bursar.permit.TransferIntent.NonceSlot;

/**
 * A transaction that moves nothing and takes the nonce of a transfer that was signed, so that the transfer can no longer be mined
 * if this one is: no native coin and no data, from the account to itself. It names no receiver, no value and no call, so none can
 * be asked for.
 *
 * <p>
 * Layout, 118 bytes, big-endian: version 1 (1), kind 4 (1), tenant (16), spend (16), key (16), chain id (8), nonce (8), from (20),
 * gas limit (8), max fee per gas (12), max priority fee per gas (12).
 *
 * @param tenantId the tenant whose key it is
 * @param spendId the spend whose transfer is to be replaced
 * @param slot where the transaction goes: chain, key and the nonce of the transfer
 * @param from the address of the key, which is also the receiver
 * @param gas what the transaction may cost
 */
public record CancelIntent(UUID tenantId, UUID spendId, NonceSlot slot, Address from, Gas gas)
    implements
      TransactionIntent {
  static final int KIND = 4;

  public CancelIntent {
    RelayIntent.refuseAsPayer(tenantId);
  }

  @Override
  public UUID subjectId() {
    return spendId;
  }

  @Override
  public byte[] encode() {
    var out = new WireWriter().u8(VERSION).u8(KIND).uuid(tenantId).uuid(spendId).uuid(slot.keyId())
        .i64(slot.chainId()).i64(slot.nonce()).address(from);
    TransferIntent.writeGas(out, gas);
    return out.toByteArray();
  }

  static CancelIntent read(WireReader in) {
    var tenantId = in.uuid();
    var spendId = in.uuid();
    var keyId = in.uuid();
    var slot = new NonceSlot(in.i64(), keyId, in.i64());
    return new CancelIntent(tenantId, spendId, slot, in.address(), TransferIntent.readGas(in));
  }
}
