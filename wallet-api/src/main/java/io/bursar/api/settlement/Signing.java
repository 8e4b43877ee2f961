package io.bursar.api.settlement;

import java.util.Objects;

import io.bursar.money.Asset;
import io.bursar.permit.CancelIntent;
import io.bursar.permit.Digest32;
import io.bursar.permit.TransactionIntent;
import io.bursar.permit.TransferIntent;
import io.bursar.permit.TransferIntent.Gas;
import io.bursar.permit.TransferIntent.NonceSlot;
import io.bursar.store.Payment;

/**
 * What of a payment is to be signed, and what it stands on.
 *
 * @param entry leaf hash of the entry in the record that allows the transfer, or asks for its cancellation
 */
record Signing(TransactionIntent intent, Digest32 entry) {
  static Signing transfer(Payment payment, long nonce, Gas gas) {
    var order = payment.order();
    return new Signing(new TransferIntent(payment.tenantId(), payment.spendId(), slot(payment, nonce),
        payment.wallet().address(), order.transfer(), gas),
        order.authorizationHash());
  }

  static Signing cancellation(Payment payment, long nonce, Gas gas) {
    return new Signing(
        new CancelIntent(payment.tenantId(), payment.spendId(), slot(payment, nonce), payment.wallet().address(), gas),
        Objects.requireNonNull(payment.cancellation()));
  }

  private static NonceSlot slot(Payment payment, long nonce) {
    return new NonceSlot(Asset.chainId(payment.wallet().chain()), payment.wallet().walletId(), nonce);
  }
}
