package io.bursar.permit;

import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

import io.bursar.money.Address;
import io.bursar.permit.TransferIntent.Gas;
import io.bursar.permit.TransferIntent.NonceSlot;

/**
 * A relayer's transaction that takes a batch of signed authorizations of one token to the chain, each on its own: what becomes of
 * one does not touch the others. It is a call of {@link #MULTICALL}, carries no native coin, and cannot call anything but
 * {@code transferWithAuthorization} of the token, so it moves no money that its owner has not signed for.
 *
 * <p>
 * Layout, big-endian: version 1 (1), kind 3 (1), batch (16), key (16), nonce (8), from (20), gas limit (8), max fee per gas (12),
 * max priority fee per gas (12), chain id (8), the token's name (2 + n) and version (2 + n), token (20), count (1), and for each
 * authorization: key (16), payer (20), payee (20), amount (32), valid before (8), nonce (32), signature (65).
 *
 * @param batchId the batch; the permit names it where it would name a spend
 * @param slot where the transaction goes: chain, key and nonce of the relayer
 * @param from the relayer's address
 * @param items 1 to {@link #ITEMS_MAX}, all of one token on the slot's chain
 * @param gas what the transaction may cost
 */
public record RelayIntent(UUID batchId, NonceSlot slot, Address from, List<Item> items, Gas gas)
    implements
      TransactionIntent {
  /** The most authorizations of one batch. */
  public static final int ITEMS_MAX = 100;
  /** Whose the relayers' keys are: nobody's, so that they can pay gas and no spend, and a wallet's key can pay no batch's gas. */
  public static final UUID TENANT = new UUID(0, 0);
  /**
   * Multicall3, which stands at this address on nearly every EVM chain.
   *
   * @see <a href="https://www.multicall3.com">multicall3.com</a>
   */
  public static final Address MULTICALL = Address.parse("0xcA11bde05977b3631167028862bE2a173976CA11");

  static final int KIND = 3;

  /**
   * One authorization of the batch.
   *
   * @param keyId the payer's key, which this signer must hold: a relayer pays for nobody else
   */
  public record Item(UUID keyId, Authorization.Signed signed) {
    /** The authorization without its signature. */
    public Authorization authorization() {
      return signed.authorization();
    }
  }

  public RelayIntent {
    items = List.copyOf(items);
    if (items.isEmpty() || items.size() > ITEMS_MAX) {
      throw new IllegalArgumentException("a batch has 1 to 100 authorizations, not " + items.size());
    }
    var first = items.getFirst().authorization();
    for (var item : items) {
      var next = item.authorization();
      if (!next.domain().equals(first.domain()) || !next.transfer().token().equals(first.transfer().token())) {
        throw new IllegalArgumentException("the authorizations of a batch must be of one token");
      }
    }
    if (first.domain().chainId() != slot.chainId()) {
      throw new IllegalArgumentException("the authorizations of a batch must be of the chain that it goes to");
    }
  }

  /** Refuses a payment from a relayer's key. */
  static void refuseAsPayer(UUID tenantId) {
    if (tenantId.equals(TENANT)) {
      throw new IllegalArgumentException("a relayer's key pays no spend");
    }
  }

  @Override
  public UUID tenantId() {
    return TENANT;
  }

  @Override
  public UUID subjectId() {
    return batchId;
  }

  /** Whether another batch differs from this one in its price alone. */
  public boolean isSameBatch(RelayIntent other) {
    return batchId.equals(other.batchId) && slot.equals(other.slot) && from.equals(other.from)
        && items.equals(other.items);
  }

  @Override
  public byte[] encode() {
    var out = new WireWriter().u8(VERSION).u8(KIND).uuid(batchId).uuid(slot.keyId()).i64(slot.nonce()).address(from);
    TransferIntent.writeGas(out, gas);
    var first = items.getFirst().authorization();
    Authorization.writeToken(out, first.domain(), first.transfer().token());
    out.u8(items.size());
    for (var item : items) {
      item.authorization().writeOwn(out.uuid(item.keyId));
      out.bytes(item.signed.signature().toByteArray());
    }
    return out.toByteArray();
  }

  static RelayIntent read(WireReader in) {
    var batchId = in.uuid();
    var keyId = in.uuid();
    long nonce = in.i64();
    var from = in.address();
    var gas = TransferIntent.readGas(in);
    var domain = Authorization.readDomain(in);
    var token = in.address();
    int count = in.u8();
    var items = new ArrayList<Item>(Math.min(count, ITEMS_MAX));
    for (int i = 0; i < count; i++) {
      items.add(new Item(in.uuid(), new Authorization.Signed(Authorization.readOwn(in, domain, token),
          Bytes.of(in.bytes(Authorization.Signed.SIGNATURE_BYTES)))));
    }
    return new RelayIntent(batchId, new NonceSlot(domain.chainId(), keyId, nonce), from, items, gas);
  }
}
