package io.bursar.permit;

import java.math.BigInteger;
import java.util.UUID;

import io.bursar.money.Address;
import io.bursar.permit.TransferIntent.Gas;
import io.bursar.permit.TransferIntent.NonceSlot;

/**
 * A transaction by which one relayer sends native coin to another of the same signer, so that whoever runs the service has to fill one
 * account and not each. It calls nothing, and the signer has to hold the receiver's key as a relayer's, so the coin stays in the pool.
 *
 * <p>
 * Layout, 154 bytes, big-endian: version 1 (1), kind 7 (1), refill (16), key (16), chain id (8), nonce (8), from (20), gas limit (8),
 * max fee per gas (12), max priority fee per gas (12), the receiver's key (16) and address (20), wei (16).
 *
 * @param refillId the refill; the permit names it where it would name a spend
 * @param slot where the transaction goes: chain, key and nonce of the relayer that gives
 * @param from the address of the relayer that gives
 * @param to who receives, never the one that gives
 * @param wei how much, 1 to 2^128 − 1
 * @param gas what the transaction may cost beside
 */
public record RefillIntent(UUID refillId, NonceSlot slot, Address from, Receiver to, BigInteger wei, Gas gas)
    implements
      RelayerIntent {
  static final int KIND = 7;
  private static final int WEI_BYTES = 16;

  /**
   * A relayer that receives.
   *
   * @param keyId its key in the signer
   * @param address the address of the key, stated again so that a mix-up of keys is seen
   */
  public record Receiver(UUID keyId, Address address) {}

  public RefillIntent {
    if (wei.signum() <= 0 || wei.bitLength() > 8 * WEI_BYTES) {
      throw new IllegalArgumentException("a refill is of 1 to 2^128 - 1 wei, not `" + wei + "`");
    }
    if (to.keyId.equals(slot.keyId()) || to.address.equals(from)) {
      throw new IllegalArgumentException("a relayer refills another one, not itself");
    }
  }

  @Override
  public UUID subjectId() {
    return refillId;
  }

  /** Whether another refill differs from this one in its price alone. */
  public boolean isSameRefill(RefillIntent other) {
    return refillId.equals(other.refillId) && slot.equals(other.slot) && from.equals(other.from)
        && to.equals(other.to) && wei.equals(other.wei);
  }

  @Override
  public byte[] encode() {
    var out = new WireWriter().u8(VERSION).u8(KIND).uuid(refillId).uuid(slot.keyId()).i64(slot.chainId())
        .i64(slot.nonce()).address(from);
    TransferIntent.writeGas(out, gas);
    return out.uuid(to.keyId).address(to.address).unsigned(wei, WEI_BYTES).toByteArray();
  }

  static RefillIntent read(WireReader in) {
    var refillId = in.uuid();
    var keyId = in.uuid();
    var slot = new NonceSlot(in.i64(), keyId, in.i64());
    var from = in.address();
    var gas = TransferIntent.readGas(in);
    return new RefillIntent(refillId, slot, from, new Receiver(in.uuid(), in.address()), in.unsigned(WEI_BYTES), gas);
  }
}
