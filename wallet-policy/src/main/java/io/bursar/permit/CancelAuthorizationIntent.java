package io.bursar.permit;

import java.util.UUID;

import io.bursar.money.Address;

/**
 * The cancellation of one authorization that a wallet's key has signed, to be signed by the same key. It names no payee and no
 * amount, so it can move nothing; a relayer takes it to the chain.
 *
 * <p>
 * Layout, big-endian: version 1 (1), kind 5 (1), tenant (16), spend (16), key (16), chain id (8), the token's name (2 + n) and
 * version (2 + n), token (20), from (20), nonce (32).
 *
 * @param tenantId the tenant whose key it is
 * @param spendId the spend whose authorization is to be canceled
 * @param keyId the key, which is also the wallet's id
 * @param cancellation what is signed; its payer is the address of the key
 */
public record CancelAuthorizationIntent(UUID tenantId, UUID spendId, UUID keyId,
    AuthorizationCancellation cancellation) implements Intent {
  static final int KIND = 5;

  public CancelAuthorizationIntent {
    RelayIntent.refuseAsPayer(tenantId);
  }

  @Override
  public UUID subjectId() {
    return spendId;
  }

  @Override
  public long chainId() {
    return cancellation.domain().chainId();
  }

  @Override
  public Address from() {
    return cancellation.from();
  }

  @Override
  public byte[] encode() {
    var out = new WireWriter().u8(VERSION).u8(KIND).uuid(tenantId).uuid(spendId).uuid(keyId);
    Authorization.writeToken(out, cancellation.domain(), cancellation.token());
    return out.address(cancellation.from()).digest(cancellation.nonce()).toByteArray();
  }

  static CancelAuthorizationIntent read(WireReader in) {
    var tenantId = in.uuid();
    var spendId = in.uuid();
    var keyId = in.uuid();
    var domain = Authorization.readDomain(in);
    return new CancelAuthorizationIntent(tenantId, spendId, keyId,
        new AuthorizationCancellation(domain, in.address(), in.address(), in.digest()));
  }
}
