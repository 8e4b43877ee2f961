package io.bursar.store;

import java.time.Duration;
import java.time.Instant;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.money.Asset;
import io.bursar.permit.Authorization;
import io.bursar.permit.AuthorizationIntent;
import io.bursar.permit.Bytes;
import io.bursar.permit.Digest32;
import io.bursar.permit.RelayIntent;
import io.bursar.permit.TransferIntent.Transfer;

/**
 * A payment that goes by authorization, as it was read. Its states are {@code authorized → prepared → signed → broadcast → confirmed |
 * expired | canceled}: it goes back to {@code signed} when a transaction that held it did not bring it about, and it is over without
 * having been paid only when the chain has proved that the authorization can no longer be used.
 *
 * @param state the state's name
 * @param terms what the authorization says beside the order; null before it is prepared
 * @param hold why nothing may be signed for it just now; null if nothing is in the way
 * @param age how long it had been in its state when it was read
 */
public record RelayedPayment(Payment.Key key, Payment.Wallet wallet, Payment.Order order, Token token, String state,
    @Nullable Terms terms, @Nullable String hold, Duration age) {

  /** The name and version by which the token's signatures are told from others (EIP-712). */
  public record Token(String name, String version) {}

  /**
   * What was fixed for the authorization.
   *
   * @param nonce random, never used before
   * @param validBefore seconds since 1970
   * @param fromBlock no block before this one can hold the transfer
   * @param signature 65 bytes; null until signed
   */
  public record Terms(Digest32 nonce, long validBefore, long fromBlock, @Nullable Bytes signature) {}

  public UUID tenantId() {
    return key.tenantId();
  }

  public UUID spendId() {
    return key.spendId();
  }

  /** What it is paid from. */
  public Funds.Account account() {
    return Funds.Account.of(key, wallet, order);
  }

  /** Whether the request's own time is over. */
  public boolean isExpired(Instant now) {
    var expiresAt = order.expiresAt();
    return expiresAt != null && !now.isBefore(expiresAt);
  }

  /** What is or will be signed. Only after it is prepared. */
  public Authorization authorization() {
    var fixed = java.util.Objects.requireNonNull(terms);
    return new Authorization(new Authorization.Domain(Asset.chainId(wallet.chain()), token.name, token.version),
        wallet.address(), new Transfer(order.token(), order.payee(), order.amount()), fixed.validBefore, fixed.nonce);
  }

  /** The request to sign it. Only after it is prepared. */
  public AuthorizationIntent intent() {
    return new AuthorizationIntent(tenantId(), spendId(), wallet.walletId(), authorization());
  }

  /** Its place in a batch. Only after it is signed. */
  public RelayIntent.Item item() {
    var signature = java.util.Objects.requireNonNull(java.util.Objects.requireNonNull(terms).signature);
    return new RelayIntent.Item(wallet.walletId(), new Authorization.Signed(authorization(), signature));
  }

  RelayedPayment with(String next, Terms fixed) {
    return new RelayedPayment(key, wallet, order, token, next, fixed, hold, Duration.ZERO);
  }
}
