package io.bursar.store;

import java.time.Duration;
import java.time.Instant;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.money.Asset;
import io.bursar.permit.Authorization;
import io.bursar.permit.AuthorizationCancellation;
import io.bursar.permit.AuthorizationIntent;
import io.bursar.permit.Bytes;
import io.bursar.permit.CancelAuthorizationIntent;
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
 * @param canceling that somebody has asked for it to be canceled; null if nobody has
 */
public record RelayedPayment(Payment.Key key, Payment.Wallet wallet, Payment.Order order, Token token, String state,
    @Nullable Terms terms, @Nullable String hold, Duration age, @Nullable Canceling canceling) {

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

  /**
   * A wish to cancel.
   *
   * @param entry leaf hash of the audit entry that asks for it
   * @param signature the wallet's to the cancellation of the authorization, 65 bytes; null until signed
   */
  public record Canceling(Digest32 entry, @Nullable Bytes signature) {}

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

  /** The request to sign that it is canceled. Only after it is prepared. */
  public CancelAuthorizationIntent cancelIntent() {
    return new CancelAuthorizationIntent(tenantId(), spendId(), wallet.walletId(),
        AuthorizationCancellation.of(authorization()));
  }

  /** Its place in a batch. Only after it is signed. */
  public RelayIntent.Item item() {
    var signature = java.util.Objects.requireNonNull(java.util.Objects.requireNonNull(terms).signature);
    return new RelayIntent.Payment(wallet.walletId(), new Authorization.Signed(authorization(), signature));
  }

  /** Its cancellation's place in a batch. Only after that is signed. */
  public RelayIntent.Item cancelItem() {
    var signature = java.util.Objects.requireNonNull(java.util.Objects.requireNonNull(canceling).signature);
    return new RelayIntent.Cancellation(wallet.walletId(),
        new AuthorizationCancellation.Signed(cancelIntent().cancellation(), signature));
  }

  RelayedPayment with(String next, Terms fixed) {
    return new RelayedPayment(key, wallet, order, token, next, fixed, hold, Duration.ZERO, canceling);
  }
}
