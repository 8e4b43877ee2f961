package io.bursar.permit;

import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

import io.bursar.money.Address;
import io.bursar.permit.TransferIntent.Gas;
import io.bursar.permit.TransferIntent.NonceSlot;

/**
 * A relayer's transaction that takes a batch of signed authorizations of one token, and signed cancellations of such, to the chain,
 * each on its own: what becomes of one does not touch the others. It is a call of {@link #MULTICALL}, carries no native coin, and
 * cannot call anything but {@code transferWithAuthorization} and {@code cancelAuthorization} of the token, so it moves no money that
 * its owner has not signed for.
 *
 * <p>
 * Layout, big-endian: version 1 (1), kind 3 or 6 (1), batch (16), key (16), nonce (8), from (20), gas limit (8), max fee per gas (12),
 * max priority fee per gas (12), chain id (8), the token's name (2 + n) and version (2 + n), token (20), count (1), and for each
 * item in kind 6 alone: 1 for a payment, 2 for a cancellation (1); key (16), payer (20), of a payment payee (20), amount (32) and
 * valid before (8); nonce (32), signature (65). Kind 6 is a batch with at least one cancellation.
 *
 * @param batchId the batch; the permit names it where it would name a spend
 * @param slot where the transaction goes: chain, key and nonce of the relayer
 * @param from the relayer's address
 * @param items 1 to {@link #ITEMS_MAX}, all of one token on the slot's chain
 * @param gas what the transaction may cost
 */
public record RelayIntent(UUID batchId, NonceSlot slot, Address from, List<Item> items, Gas gas)
    implements
      RelayerIntent {
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
  static final int MIXED_KIND = 6;
  private static final int PAYMENT = 1;
  private static final int CANCELLATION = 2;

  /** One call of the batch. */
  public sealed interface Item {
    /** The payer's key, which the signer must hold: a relayer pays gas for nobody else. */
    UUID keyId();

    /** The payer. */
    Address from();

    /** How the token tells its signatures from others. */
    Authorization.Domain domain();

    /** The contract that is called. */
    Address token();

    /** Of the authorization. */
    Digest32 nonce();
  }

  /** An authorization that is to be used. */
  public record Payment(UUID keyId, Authorization.Signed signed) implements Item {
    /** The authorization without its signature. */
    public Authorization authorization() {
      return signed.authorization();
    }

    @Override
    public Address from() {
      return authorization().from();
    }

    @Override
    public Authorization.Domain domain() {
      return authorization().domain();
    }

    @Override
    public Address token() {
      return authorization().transfer().token();
    }

    @Override
    public Digest32 nonce() {
      return authorization().nonce();
    }
  }

  /** An authorization that is to be canceled. */
  public record Cancellation(UUID keyId, AuthorizationCancellation.Signed signed) implements Item {
    @Override
    public Address from() {
      return signed.cancellation().from();
    }

    @Override
    public Authorization.Domain domain() {
      return signed.cancellation().domain();
    }

    @Override
    public Address token() {
      return signed.cancellation().token();
    }

    @Override
    public Digest32 nonce() {
      return signed.cancellation().nonce();
    }
  }

  public RelayIntent {
    items = List.copyOf(items);
    if (items.isEmpty() || items.size() > ITEMS_MAX) {
      throw new IllegalArgumentException("a batch has 1 to 100 authorizations, not " + items.size());
    }
    var first = items.getFirst();
    for (var item : items) {
      if (!item.domain().equals(first.domain()) || !item.token().equals(first.token())) {
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
  public UUID subjectId() {
    return batchId;
  }

  /** Whether another batch differs from this one in its price alone. */
  public boolean isSameBatch(RelayIntent other) {
    return batchId.equals(other.batchId) && slot.equals(other.slot) && from.equals(other.from)
        && items.equals(other.items);
  }

  private boolean cancels() {
    return items.stream().anyMatch(Cancellation.class::isInstance);
  }

  @Override
  public byte[] encode() {
    boolean mixed = cancels();
    var out = new WireWriter().u8(VERSION).u8(mixed ? MIXED_KIND : KIND).uuid(batchId).uuid(slot.keyId())
        .i64(slot.nonce()).address(from);
    TransferIntent.writeGas(out, gas);
    Authorization.writeToken(out, items.getFirst().domain(), items.getFirst().token());
    out.u8(items.size());
    for (var item : items) {
      if (mixed) {
        out.u8(item instanceof Payment ? PAYMENT : CANCELLATION);
      }
      out.uuid(item.keyId());
      switch (item) {
        case Payment(var _, var signed) -> {
          signed.authorization().writeOwn(out);
          out.bytes(signed.signature().toByteArray());
        }
        case Cancellation(var _, var signed) -> out.address(item.from()).digest(item.nonce())
            .bytes(signed.signature().toByteArray());
      }
    }
    return out.toByteArray();
  }

  static RelayIntent read(WireReader in, int kind) {
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
      items.add(readItem(in, kind == KIND ? PAYMENT : in.u8(), domain, token));
    }
    var batch = new RelayIntent(batchId, new NonceSlot(domain.chainId(), keyId, nonce), from, items, gas);
    if (kind == MIXED_KIND && !batch.cancels()) {
      throw new IllegalArgumentException("a batch without cancellations is of kind 3, not 6");
    }
    return batch;
  }

  private static Item readItem(WireReader in, int what, Authorization.Domain domain, Address token) {
    return switch (what) {
      case PAYMENT -> new Payment(in.uuid(),
          new Authorization.Signed(Authorization.readOwn(in, domain, token), readSignature(in)));
      case CANCELLATION -> new Cancellation(in.uuid(), new AuthorizationCancellation.Signed(
          new AuthorizationCancellation(domain, token, in.address(), in.digest()), readSignature(in)));
      default -> throw new IllegalArgumentException(
          "an item of a batch is 1 (a payment) or 2 (a cancellation), not " + what);
    };
  }

  private static Bytes readSignature(WireReader in) {
    return Bytes.of(in.bytes(Authorization.Signed.SIGNATURE_BYTES));
  }
}
