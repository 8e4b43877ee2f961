package io.bursar.store;

import java.math.BigInteger;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.money.Asset;
import io.bursar.permit.RefillIntent;
import io.bursar.permit.RelayIntent;
import io.bursar.permit.RelayerIntent;
import io.bursar.permit.TransferIntent.Gas;
import io.bursar.permit.TransferIntent.NonceSlot;
import io.bursar.store.PaymentState.Attempt;

/**
 * A relayer's transaction that is not settled yet, as it was read.
 *
 * @param relayer whose it is
 * @param nonce of the relayer's account
 * @param refill what it sends to another relayer; null where it carries authorizations
 * @param sent every transaction that was signed for it, the oldest first
 * @param next what the transaction that is to be signed next may cost; null if none is
 * @param since how long it had been in its state when it was read
 * @param readAt when, by the database's clock
 */
public record RelayBatch(UUID batchId, Relayer relayer, long nonce, @Nullable Refill refill,
    List<Attempt> sent, @Nullable Gas next, Duration since, Instant readAt) {

  /**
   * Native coin for another relayer of the chain.
   *
   * @param wei how much, at least 1
   */
  public record Refill(Relayer to, BigInteger wei) {}

  public RelayBatch {
    sent = List.copyOf(sent);
  }

  /** With a transaction more that was signed. */
  RelayBatch with(Attempt attempt) {
    var all = new ArrayList<>(sent);
    all.add(attempt);
    return new RelayBatch(batchId, relayer, nonce, refill, all, next, since, readAt);
  }

  /** With what the next transaction may cost. */
  RelayBatch with(Gas price) {
    return new RelayBatch(batchId, relayer, nonce, refill, sent, price, since, readAt);
  }

  /** Whether a node has taken any of its transactions. */
  public boolean isSent() {
    return sent.stream().anyMatch(Attempt::isSent);
  }

  /**
   * What one of its calls is about.
   *
   * @param cancels whether it cancels the payment's authorization; otherwise it uses it
   */
  public record Member(RelayedPayment payment, boolean cancels) {
    private RelayIntent.Item item() {
      return cancels ? payment.cancelItem() : payment.item();
    }
  }

  /**
   * The request to sign it at a price.
   *
   * @param members what its calls are about, in its order; none of a refill
   */
  public RelayerIntent intent(List<Member> members, Gas gas) {
    var slot = new NonceSlot(Asset.chainId(relayer.chain()), relayer.keyId(), nonce);
    return refill == null
        ? new RelayIntent(batchId, slot, relayer.address(), members.stream().map(Member::item).toList(), gas)
        : new RefillIntent(batchId, slot, relayer.address(),
            new RefillIntent.Receiver(refill.to.keyId(), refill.to.address()), refill.wei, gas);
  }
}
