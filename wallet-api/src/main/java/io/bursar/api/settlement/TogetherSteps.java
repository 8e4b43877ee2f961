package io.bursar.api.settlement;

import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.api.chain.Chain;
import io.bursar.api.chain.Chain.GasEstimate;
import io.bursar.api.chain.ChainUnavailable;
import io.bursar.api.chain.Receipt;
import io.bursar.api.chain.SendResult;
import io.bursar.api.funding.FundsCheck;
import io.bursar.api.settlement.Effects.Effect;
import io.bursar.api.signer.PermitIssuer.Subject;
import io.bursar.api.signer.SignerUnreachable;
import io.bursar.api.signer.TransferSigner;
import io.bursar.permit.Digest32;
import io.bursar.permit.SignerReply;
import io.bursar.store.Payment;
import io.bursar.store.PaymentEvent;
import io.bursar.store.PaymentMove;
import io.bursar.store.PaymentState;
import io.bursar.store.PaymentStore;
import io.bursar.store.PaymentStore.Change;
import io.bursar.store.log.LogUnavailable;

/**
 * What is done at once with several payments of one wallet. Those that a settled block holds are ended by one record; those that come
 * next are asked about together, and prepared, signed and sent by one record each. Nothing here is done that {@link PaymentSteps} would not
 * do with each of them in the same order. Whatever is out of the ordinary is left to it as it stands: it says why.
 */
final class TogetherSteps {
  private final PaymentStore store;
  private final TransferSigner signer;
  private final FundsCheck funds;
  private final Delays delays;
  private final SettlementMetrics metrics;
  private final Effects effects;

  TogetherSteps(PaymentStore store, TransferSigner signer, FundsCheck funds, Delays delays, SettlementMetrics metrics,
      Effects effects) {
    this.store = store;
    this.signer = signer;
    this.funds = funds;
    this.delays = delays;
    this.metrics = metrics;
    this.effects = effects;
  }

  /**
   * Does what can be done for several at once.
   *
   * @param resendAfter how long a sent transaction may be without a receipt before something is done about it
   * @return what is left to be done one by one, in the same order
   */
  List<Payment> advance(Chain chain, List<Payment> payments, Duration resendAfter) {
    var run = new Run(chain);
    payments.forEach(payment -> run.left.put(payment.spendId(), payment));
    try {
      run.endMined(resendAfter);
      run.payNext();
      run.giveBackHeld();
    } catch (ChainUnavailable | LogUnavailable | SignerUnreachable e) {
      // each finds out for itself, and says so
    }
    return List.copyOf(run.left.values());
  }

  /** One wallet's turn. */
  private final class Run {
    private final Chain chain;
    /** What is still to be done something with, as it stands now, by spend. */
    private final Map<UUID, Payment> left = new LinkedHashMap<>();
    private @Nullable Payment held;
    private @Nullable String why;

    Run(Chain chain) {
      this.chain = chain;
    }

    /** Of those that were sent, ends what a settled block holds, and gives back those with which nothing can be done but to wait. */
    void endMined(Duration resendAfter) throws ChainUnavailable {
      var sent = left.values().stream().filter(payment -> payment.state() instanceof PaymentState.Broadcast).toList();
      if (sent.isEmpty()) {
        return;
      }
      var receipts = chain.receipts(sent.stream().flatMap(payment -> attempts(payment).stream())
          .map(PaymentState.Attempt::hash).toList());
      var waiting = new ArrayList<Payment>();
      var ended = new ArrayList<Change>();
      for (var payment : sent) {
        var receipt = found(payment, receipts);
        if (receipt.isPresent() && Receipts.isSettled(chain, receipt.get())) {
          Receipts.end(payment, attempts(payment), receipt.get())
              .ifPresent(event -> ended.add(new Change(payment, event)));
        } else if (receipt.isPresent() || onlyWaits(payment, resendAfter)) {
          waiting.add(payment);
        }
      }
      if (!waiting.isEmpty()) {
        store.later(waiting, delays.poll(waiting.getLast(), chain), null);
        waiting.forEach(payment -> left.remove(payment.spendId()));
      }
      record(ended);
    }

    /** Prepares, signs and sends those of which nothing is fixed, if they are all that is left. */
    void payNext() throws ChainUnavailable, LogUnavailable, SignerUnreachable {
      if (left.values().stream().allMatch(payment -> payment.state() instanceof PaymentState.Authorized)) {
        record(affordable());
        record(signed());
        record(sent());
      }
    }

    /** As many of one token, from the first on, as the wallet can pay and a block would take now. */
    private List<Change> affordable() throws ChainUnavailable {
      var next = left.values().stream().takeWhile(payment -> payment.order().token().equals(first().order().token()))
          .toList();
      if (next.isEmpty()) {
        return List.of();
      }
      var promised = funds.promised(first()); // before the chain is asked for the balance: see there
      var outlook = chain.outlook(first().wallet().address(),
          next.stream().map(payment -> payment.order().transfer()).toList());
      var quote = chain.quote();
      var tokens = outlook.tokens().subtract(promised);
      var coins = outlook.coins();
      var changes = new ArrayList<Change>();
      for (var payment : quote.isEnough() ? next : List.<Payment>of()) {
        if (!(outlook.gas().get(changes.size()) instanceof GasEstimate.Limit(var limit))) {
          break;
        }
        var gas = quote.offer().gas(limit);
        tokens = tokens.subtract(payment.order().amount());
        coins = coins.subtract(gas.maxCost());
        if (tokens.signum() < 0 || coins.signum() < 0) {
          break;
        }
        changes.add(new Change(payment, new PaymentEvent.Prepare(gas)));
      }
      return changes;
    }

    /** Of those that are prepared, those that the signer has signed, up to the first that it has not. */
    private List<Change> signed() throws LogUnavailable, SignerUnreachable {
      var signings = new LinkedHashMap<Payment, Signing>();
      for (var payment : left.values()) {
        if (payment.state() instanceof PaymentState.Prepared(var nonce, var gas)) {
          signings.put(payment, Signing.transfer(payment, nonce, gas));
        }
      }
      if (signings.isEmpty() || store.hold(first()).isPresent()) {
        return List.of();
      }
      var evidence = signer.evidence(first().tenantId(), signings.keySet().stream().map(Payment::spendId).toList());
      var permits = signer.permits(
          signings.values().stream().map(what -> new Subject(what.intent(), what.entry())).toList()).iterator();
      var changes = new ArrayList<Change>();
      for (var signing : signings.entrySet()) {
        var payment = signing.getKey();
        var permit = permits.next();
        var shown = Objects.requireNonNull(evidence.get(payment.spendId()));
        var reply = effects.run(Effect.SIGN, payment, () -> signer.sign(permit, signing.getValue().intent(), shown));
        if (!(reply instanceof SignerReply.Signed signed) || !signed.isConsistent()) {
          break;
        }
        changes.add(new Change(payment, new PaymentEvent.Sign(signed.rawTransaction(), signed.transactionHash())));
      }
      return changes;
    }

    /** Of those that are signed, those that the node has accepted, up to the first that it has not. */
    private List<Change> sent() {
      var signed = left.values().stream().filter(payment -> payment.state() instanceof PaymentState.Signed).toList();
      if (signed.isEmpty() || !(signed.getFirst().state() instanceof PaymentState.Signed(var nonce, var _))
          || !store.isNextToSend(signed.getFirst(), nonce)) {
        return List.of();
      }
      var results = effects.run(Effect.SEND, signed.getFirst(),
          () -> chain.send(signed.stream().map(payment -> attempts(payment).getLast().raw()).toList()));
      var changes = new ArrayList<Change>();
      for (var payment : signed) {
        if (!(results.get(changes.size()) instanceof SendResult.Accepted)) {
          break;
        }
        changes.add(new Change(payment, new PaymentEvent.Send("accepted")));
      }
      return changes;
    }

    /** What may not be prepared now waits, and all that comes after it: it could only wait as well. */
    void giveBackHeld() {
      if (held != null && !left.isEmpty() && first().equals(held)) {
        store.laterWithFollowers(held, Delays.patience(held), why);
        left.clear();
      }
    }

    private Payment first() {
      return left.values().iterator().next();
    }

    private void record(List<Change> changes) {
      if (changes.isEmpty()) {
        return;
      }
      var moves = effects.run(Effect.RECORD, changes.getFirst().payment(), () -> store.move(changes));
      for (int i = 0; i < moves.size(); i++) {
        var payment = changes.get(i).payment();
        switch (moves.get(i)) {
          case PaymentMove.Moved(var next) -> {
            metrics.moved(next);
            if (next.state() instanceof PaymentState.Final || next.state() instanceof PaymentState.Broadcast) {
              left.remove(next.spendId());
            } else {
              left.put(next.spendId(), next);
            }
          }
          case PaymentMove.Held(var reason) -> {
            if (held == null) {
              held = payment;
              why = reason;
            }
          }
          case PaymentMove.Lost() -> left.remove(payment.spendId());
        }
      }
    }
  }

  /** Whether nothing is to be done about a payment that is in no block yet. */
  private static boolean onlyWaits(Payment payment, Duration resendAfter) {
    return payment.cancellation() == null
        && attempts(payment).getLast().wasSentWithin(resendAfter, payment.reading().readAt());
  }

  private static List<PaymentState.Attempt> attempts(Payment payment) {
    return switch (payment.state()) {
      case PaymentState.Signed(var _, var attempts) -> attempts;
      case PaymentState.Broadcast(var _, var attempts) -> attempts;
      case PaymentState.Replacing(var _, var attempts, var _, var _) -> attempts;
      case PaymentState.AwaitingApproval _,PaymentState.Authorized _,PaymentState.Prepared _,PaymentState.Relayed _,PaymentState.Final _ ->
        List.of();
    };
  }

  private static Optional<Receipt> found(Payment payment, Map<Digest32, Receipt> receipts) {
    return attempts(payment).reversed().stream().map(attempt -> receipts.get(attempt.hash())).filter(Objects::nonNull)
        .findFirst();
  }
}
