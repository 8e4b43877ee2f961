package io.bursar.store;

import java.math.BigInteger;
import java.time.Duration;
import java.time.Instant;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.money.Address;
import io.bursar.permit.Digest32;
import io.bursar.permit.TransferIntent.Transfer;

/**
 * An authorized spend on its way to the chain, as it was read.
 *
 * @param key which one
 * @param wallet who pays
 * @param order what is to be paid
 * @param state where it stands
 * @param reading when and under which lease it was read
 * @param cancellation leaf hash of the audit entry that asks for it to be canceled on the chain; null if nobody has
 */
public record Payment(Key key, Wallet wallet, Order order, PaymentState state, Reading reading,
    @Nullable Digest32 cancellation) {
  /** Names a payment: there is exactly one for a spend. */
  public record Key(UUID tenantId, UUID spendId) {}

  /**
   * The account that pays.
   *
   * @param walletId also the id of its key in the signer
   * @param chain CAIP-2 name
   */
  public record Wallet(UUID walletId, String chain, Address address) {}

  /**
   * What the authorization says, to the letter.
   *
   * @param amount base units of the token, at least 1
   * @param authorizationHash leaf hash of the audit entry that it may be paid under
   * @param expiresAt not to be signed from then on; null if it never expires
   */
  public record Order(Address token, Address payee, BigInteger amount, Digest32 authorizationHash,
      @Nullable Instant expiresAt) {
    /** What moves if it is paid by a transaction of the wallet. */
    public Transfer transfer() {
      return new Transfer(token, payee, amount);
    }
  }

  /**
   * How it was read.
   *
   * @param readAt when, by the database's clock
   * @param updatedAt when the state was entered, by the same clock
   * @param lease under which; null if it was only looked at, and then it cannot be moved
   */
  public record Reading(Instant readAt, Instant updatedAt, @Nullable UUID lease) {
    /** How long the payment had been in its state. */
    public Duration age() {
      return Duration.between(updatedAt, readAt);
    }
  }

  public UUID tenantId() {
    return key.tenantId;
  }

  public UUID spendId() {
    return key.spendId;
  }
}
