package io.bursar.permit;

import java.time.Duration;
import java.util.UUID;

import io.bursar.money.Address;
import io.bursar.permit.TransferIntent.Transfer;

/**
 * One exact EIP-3009 authorization to be signed by a wallet's key. The wallet needs no native coin: a relayer takes the signature
 * to the chain and pays the gas. For a spend at most one authorization is ever signed, and then no transfer.
 *
 * <p>
 * Layout, big-endian: version 1 (1), kind 2 (1), tenant (16), spend (16), key (16), chain id (8), the token's name (2 + n) and
 * version (2 + n), token (20), from (20), payee (20), amount (32), valid before (8), nonce (32).
 *
 * @param tenantId the tenant whose key and money it is
 * @param spendId the spend that this authorization settles
 * @param keyId the key, which is also the wallet's id
 * @param authorization what is signed; its payer is the address of the key
 */
public record AuthorizationIntent(UUID tenantId, UUID spendId, UUID keyId, Authorization authorization)
    implements
      PaymentIntent {
  /** The longest time from signing to the end of an authorization. */
  public static final Duration MAX_LIFE = Duration.ofHours(25);

  static final int KIND = 2;

  public AuthorizationIntent {
    RelayIntent.refuseAsPayer(tenantId);
  }

  @Override
  public long chainId() {
    return authorization.domain().chainId();
  }

  @Override
  public Address from() {
    return authorization.from();
  }

  @Override
  public Transfer transfer() {
    return authorization.transfer();
  }

  @Override
  public byte[] encode() {
    var out = new WireWriter().u8(VERSION).u8(KIND).uuid(tenantId).uuid(spendId).uuid(keyId);
    Authorization.writeToken(out, authorization.domain(), authorization.transfer().token());
    authorization.writeOwn(out);
    return out.toByteArray();
  }

  static AuthorizationIntent read(WireReader in) {
    var tenantId = in.uuid();
    var spendId = in.uuid();
    var keyId = in.uuid();
    var domain = Authorization.readDomain(in);
    return new AuthorizationIntent(tenantId, spendId, keyId, Authorization.readOwn(in, domain, in.address()));
  }
}
