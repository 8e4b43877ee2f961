package io.bursar.permit;

import io.bursar.money.Address;

/**
 * An EIP-3009 {@code CancelAuthorization}: whoever takes it to the token before the authorization is used has the token refuse that
 * authorization for ever. It moves nothing.
 *
 * @param domain of the token
 * @param token the contract
 * @param from the payer, who takes the authorization back
 * @param nonce of the authorization
 * @see <a href="https://eips.ethereum.org/EIPS/eip-3009">EIP-3009</a>
 */
public record AuthorizationCancellation(Authorization.Domain domain, Address token, Address from, Digest32 nonce) {
  /** That of an authorization. */
  public static AuthorizationCancellation of(Authorization authorization) {
    return new AuthorizationCancellation(authorization.domain(), authorization.transfer().token(),
        authorization.from(), authorization.nonce());
  }

  /**
   * A cancellation and the payer's signature.
   *
   * @param signature 65 bytes: r (32), s (32), v (1), which is 27 or 28
   */
  public record Signed(AuthorizationCancellation cancellation, Bytes signature) {
    public Signed {
      Authorization.Signed.requireSize(signature);
    }
  }
}
