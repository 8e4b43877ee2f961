package io.bursar.api.settlement;

import java.util.List;
import java.util.Optional;

import io.bursar.api.chain.Chain;
import io.bursar.api.chain.ChainUnavailable;
import io.bursar.api.chain.Receipt;
import io.bursar.store.Payment;
import io.bursar.store.PaymentEvent;
import io.bursar.store.PaymentState.Attempt;
import io.bursar.store.PaymentState.Mined;

/** What receipts say of payments that were sent. */
final class Receipts {
  private Receipts() {}

  /** The receipt of whichever of these transactions is in a block. */
  static Optional<Receipt> find(Chain chain, List<Attempt> attempts) throws ChainUnavailable {
    for (var attempt : attempts.reversed()) {
      var receipt = chain.receipt(attempt.hash());
      if (receipt.isPresent()) {
        return receipt;
      }
    }
    return Optional.empty();
  }

  /** Whether the receipt's block is deep enough, and still the chain's: it may just have changed under the receipt. */
  static boolean isSettled(Chain chain, Receipt receipt) throws ChainUnavailable {
    if (receipt.blockNumber() > chain.settled()) {
      return false;
    }
    var block = chain.block(receipt.blockNumber());
    return block.isPresent() && block.get().hash().equals(receipt.blockHash());
  }

  /** How the payment ends by a receipt of a settled block; empty if the token does not say what a success would. */
  static Optional<PaymentEvent> end(Payment payment, List<Attempt> attempts, Receipt receipt) {
    var mined = new Mined(receipt.transactionHash(), receipt.blockNumber(), receipt.blockHash());
    if (attempts.stream().anyMatch(made -> made.cancels() && made.hash().equals(mined.transactionHash()))) {
      return Optional.of(new PaymentEvent.Annul(mined));
    }
    if (!receipt.succeeded()) {
      return Optional.of(new PaymentEvent.Revert(mined));
    }
    var order = payment.order();
    return receipt.hasTransfer(order.token(), payment.wallet().address(), order.payee(), order.amount())
        ? Optional.of(new PaymentEvent.Confirm(mined))
        : Optional.empty();
  }
}
