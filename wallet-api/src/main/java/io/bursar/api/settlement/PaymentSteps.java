package io.bursar.api.settlement;

import java.math.BigInteger;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BooleanSupplier;

import org.jspecify.annotations.Nullable;

import io.bursar.api.chain.Chain;
import io.bursar.api.chain.Chain.GasEstimate;
import io.bursar.api.chain.ChainUnavailable;
import io.bursar.api.chain.SendResult;
import io.bursar.api.funding.FundsCheck;
import io.bursar.api.settlement.Effects.Effect;
import io.bursar.api.settlement.Step.Who;
import io.bursar.api.signer.SignerUnreachable;
import io.bursar.api.signer.TransferSigner;
import io.bursar.permit.Bytes;
import io.bursar.permit.CancelIntent;
import io.bursar.permit.SignerRefusal;
import io.bursar.permit.SignerReply;
import io.bursar.store.Payment;
import io.bursar.store.PaymentEvent;
import io.bursar.store.PaymentMove;
import io.bursar.store.PaymentState;
import io.bursar.store.PaymentState.Attempt;
import io.bursar.store.PaymentStore;
import io.bursar.store.log.LogUnavailable;

/**
 * What is done with a payment in each of its states. Every step first records what it is about to do; every step may be done
 * again, by anybody, however often; none holds a transaction open while it talks to the signer or to a node.
 *
 * <p>A nonce belongs to one transfer for ever. Whatever a node answers, the only bytes that are ever signed for it say the same
 * transfer, or, once somebody has asked for it to be canceled, move nothing; so at most one of them can be mined and none can pay
 * twice.
 */
public final class PaymentSteps {
  /**
   * Patience.
   *
   * @param resendAfter how long a sent transaction may be without a receipt before the same bytes are sent again
   * @param replaceAfter how long the wallet's oldest sent transaction may be without a receipt before it is offered more
   * @param nodesDisagree how far a node may be behind another one: before, a missing receipt proves nothing
   * @param fundsWait how long a payment waits for money before it fails
   */
  public record Settings(Duration resendAfter, Duration replaceAfter, Duration nodesDisagree, Duration fundsWait) {
    public static final Settings DEFAULT = new Settings(Duration.ofSeconds(15), Duration.ofSeconds(60));

    public Settings(Duration resendAfter, Duration replaceAfter) {
      this(resendAfter, replaceAfter, Duration.ofSeconds(30));
    }

    public Settings(Duration resendAfter, Duration replaceAfter, Duration nodesDisagree) {
      this(resendAfter, replaceAfter, nodesDisagree, FundsCheck.WAIT);
    }

    public Settings withFundsWait(Duration wait) {
      return new Settings(resendAfter, replaceAfter, nodesDisagree, wait);
    }
  }

  /** How many earlier transactions that the chain has lost are sent again at once. */
  private static final int REFILL_MAX = 64;

  private final PaymentStore store;
  private final Map<String, Chain> chains;
  private final TransferSigner signer;
  private final Settings settings;
  private final SettlementMetrics metrics;
  private final Effects effects;
  private final FundsCheck funds;
  private final Delays delays = new Delays();
  private final TogetherSteps together;

  /**
   * The steps.
   *
   * @param chains by CAIP-2 name
   * @param effects {@link SettlementMetrics#timed} in the service
   */
  public PaymentSteps(PaymentStore store, Map<String, Chain> chains, TransferSigner signer, Settings settings,
      SettlementMetrics metrics, Effects effects) {
    this.store = store;
    this.chains = Map.copyOf(chains);
    this.signer = signer;
    this.settings = settings;
    this.metrics = metrics;
    this.effects = effects;
    this.funds = new FundsCheck(store.funds(), settings.fundsWait);
    this.together = new TogetherSteps(store, signer, funds, delays, metrics, effects);
  }

  /**
   * Takes payments of one wallet, which were taken together, as far as they go now, and gives their leases back: first those that go
   * together, and what is left of them one by one.
   *
   * @param payments by nonce, then as decided
   * @param goesOn asked before each single one
   */
  public void advance(List<Payment> payments, BooleanSupplier goesOn) {
    var chain = chains.get(payments.getFirst().wallet().chain());
    var left = new ArrayDeque<>(chain == null || payments.size() < 2
        ? payments
        : together.advance(chain, payments, settings.resendAfter));
    boolean canGoOn = true;
    for (boolean first = true; canGoOn && !left.isEmpty() && goesOn.getAsBoolean(); first = false) {
      canGoOn = advance(left.removeFirst(), first);
    }
  }

  /**
   * Takes a payment as far as it goes now and gives its lease back. Whether what its wallet would pay next can be tried.
   *
   * @param first whether it did not have to wait for another one just now
   */
  private boolean advance(Payment payment, boolean first) {
    var current = payment;
    while (true) {
      switch (step(current)) {
        case Step.Moved(var next) -> {
          if (next.state() instanceof PaymentState.Broadcast) {
            return true; // given back by the move itself: no block can hold it yet
          }
          current = next;
        }
        case Step.Done() -> {
          return true;
        }
        case Step.Wait(var delay, var why, var who) -> {
          // How long it has been signed says nothing where its turn has only come now.
          var wait = first || !(current.state() instanceof PaymentState.Signed) ? delay : Delays.MOMENT;
          if (who == Who.WALLET) {
            store.laterWithFollowers(current, wait, why);
          } else {
            store.later(current, wait, why);
          }
          return who == Who.PAYMENT;
        }
      }
    }
  }

  /** Does the one thing that the payment's state asks for. */
  public Step step(Payment payment) {
    var chain = chains.get(payment.wallet().chain());
    if (chain == null) {
      return alarm(payment, Alarm.UNKNOWN_CHAIN, "the chain `" + payment.wallet().chain() + "` is not configured");
    }
    try {
      return switch (payment.state()) {
        case PaymentState.Authorized() -> prepare(payment, chain);
        case PaymentState.Prepared(var nonce, var gas) -> sign(payment, Signing.transfer(payment, nonce, gas));
        case PaymentState.Signed(var nonce, var attempts) -> {
          var canceling = cancel(payment, chain, attempts);
          yield canceling != null ? canceling : send(payment, chain, nonce, attempts);
        }
        case PaymentState.Broadcast(var nonce, var attempts) -> {
          var settled = settle(payment, chain, attempts);
          yield settled != null ? settled : pursue(payment, chain, nonce, attempts);
        }
        case PaymentState.Replacing(var nonce, var attempts, var gas, var cancels) -> {
          var settled = settle(payment, chain, attempts);
          yield settled != null
              ? settled
              : sign(payment, cancels
                  ? Signing.cancellation(payment, nonce, gas)
                  : Signing.transfer(payment, nonce, gas));
        }
        case PaymentState.AwaitingApproval _,PaymentState.Relayed _,PaymentState.Final _ -> new Step.Done();
      };
    } catch (ChainUnavailable e) {
      return e.isWrongChain()
          ? alarm(payment, Alarm.WRONG_CHAIN, String.valueOf(e.getMessage()))
          : new Step.Wait(Delays.patience(payment), e.getMessage(), Who.WALLET);
    }
  }

  /** Authorized: fix nonce, fees and transfer, unless it could not be mined as things stand or the wallet is held. */
  private Step prepare(Payment payment, Chain chain) throws ChainUnavailable {
    var order = payment.order();
    if (order.expiresAt() != null && !payment.reading().readAt().isBefore(order.expiresAt())) {
      return record(payment, new PaymentEvent.Expire());
    }
    var promised = funds.promised(payment); // before the chain is asked for the balance: see there
    var outlook = chain.outlook(payment.wallet().address(), List.of(payment.order().transfer()));
    var unfunded = unfunded(payment, chain, outlook.tokens().subtract(promised));
    if (unfunded != null) {
      return unfunded;
    }
    var quote = chain.quote();
    if (!quote.isEnough()) {
      return tooExpensive(payment, chain, quote.baseFee());
    }
    return switch (outlook.gas().getFirst()) {
      case GasEstimate.WouldFail(var message) ->
        new Step.Wait(Delays.patience(payment), "the transfer would fail on the chain: " + message, Who.PAYMENT);
      case GasEstimate.Limit(var limit) -> {
        var gas = quote.offer().gas(limit);
        yield outlook.coins().compareTo(gas.maxCost()) < 0
            ? needsGas(payment, outlook.coins(), gas.maxCost())
            : record(payment, new PaymentEvent.Prepare(gas));
      }
    };
  }

  /** What to do with a payment that its wallet cannot pay; null if it can. */
  private @Nullable Step unfunded(Payment payment, Chain chain, BigInteger left) throws ChainUnavailable {
    return switch (funds.direct(chain, payment, left)) {
      case FundsCheck.Verdict.Enough() -> null;
      case FundsCheck.Verdict.Waits(var why) -> new Step.Wait(Delays.patience(payment), why, Who.PAYMENT);
      case FundsCheck.Verdict.Failed() -> {
        store.find(payment.key()).ifPresent(metrics::moved);
        yield new Step.Done();
      }
    };
  }

  private static Step needsGas(Payment payment, BigInteger balance, BigInteger cost) {
    return new Step.Wait(Delays.patience(payment), "the wallet holds " + balance + " wei, fewer than the " + cost
        + " that gas may cost; send native coin to `" + payment.wallet().address() + "`", Who.WALLET);
  }

  private Step tooExpensive(Payment payment, Chain chain, BigInteger asked) {
    return alarm(payment, Alarm.FEE_CAP, "gas is at " + asked + " wei a unit, above the cap of "
        + chain.fees().maxFeeCap() + " or ten times what was first offered");
  }

  /** Prepared, or to be replaced: have exactly what was fixed signed. */
  private Step sign(Payment payment, Signing what) {
    boolean cancels = what.intent() instanceof CancelIntent;
    var hold = cancels ? Optional.<String>empty() : store.hold(payment); // what is held may be canceled all the same
    if (hold.isPresent()) {
      return new Step.Wait(Delays.patience(payment), hold.get(), Who.WALLET);
    }
    try {
      var evidence = cancels
          ? signer.cancellation(payment.tenantId(), payment.spendId())
          : signer.evidence(payment.tenantId(), payment.spendId());
      return switch (effects.run(Effect.SIGN, payment, () -> signer.sign(what.intent(), what.entry(), evidence))) {
        case SignerReply.Signed signed when signed.isConsistent() ->
          record(payment, new PaymentEvent.Sign(signed.rawTransaction(), signed.transactionHash()));
        case SignerReply.Refused(var reason, var message) -> switch (reason.remedy()) {
          case RETRY, NEW_PERMIT ->
            new Step.Wait(Delays.patience(payment), "the signer will try again: " + message, Who.WALLET);
          case STOP -> refused(payment, reason, "the signer refuses (" + reason + "): " + message);
        };
        case SignerReply.Signed _,SignerReply.Healthy _,SignerReply.KeyCreated _,SignerReply.AuthorizationSigned _,SignerReply.HeadSigned _,SignerReply.HeadIs _,SignerReply.LogKeyIs _,SignerReply.Obeyed _,SignerReply.Frozen _,SignerReply.MarkIs _ ->
          alarm(payment, Alarm.SIGNER_REFUSED, "the signer's answer is not what it should be");
      };
    } catch (LogUnavailable e) {
      return e.isStopped()
          ? alarm(payment, Alarm.LOG_STOPPED, String.valueOf(e.getMessage()))
          : new Step.Wait(Delays.patience(payment), e.getMessage(), Who.WALLET);
    } catch (SignerUnreachable e) {
      return new Step.Wait(Delays.patience(payment), e.getMessage(), Who.WALLET);
    }
  }

  /** Fixes the cancellation if somebody wants it and there is none yet; null if there is nothing to do, or it costs too much now. */
  private @Nullable Step cancel(Payment payment, Chain chain, List<Attempt> attempts) throws ChainUnavailable {
    if (payment.cancellation() == null || attempts.getLast().cancels()) {
      return null;
    }
    var fixed = replace(payment, chain, attempts);
    return fixed instanceof Step.Wait ? null : fixed;
  }

  /** Broadcast, and nothing mined: cancel it at once if that is wanted and can be paid for, and otherwise urge what was sent. */
  private Step pursue(Payment payment, Chain chain, long nonce, List<Attempt> attempts) throws ChainUnavailable {
    var canceling = cancel(payment, chain, attempts);
    return canceling != null ? canceling : urge(payment, chain, nonce, attempts);
  }

  /** Signed: give the newest bytes to the node, lower nonces first. */
  private Step send(Payment payment, Chain chain, long nonce, List<Attempt> attempts) throws ChainUnavailable {
    if (!store.isNextToSend(payment, nonce)) {
      return new Step.Wait(Delays.MOMENT, "an earlier payment of the wallet has to be sent first", Who.WALLET);
    }
    var newest = attempts.getLast();
    return switch (effects.run(Effect.SEND, payment, () -> chain.send(newest.raw()))) {
      case SendResult.Accepted() -> record(payment, new PaymentEvent.Send("accepted"));
      case SendResult.AlreadyKnown() -> record(payment, new PaymentEvent.Send("already known"));
      case SendResult.NonceTooLow() -> Receipts.find(chain, attempts).isPresent()
          ? record(payment, new PaymentEvent.Send("found on the chain"))
          : taken(payment, chain, nonce, attempts);
      case SendResult.Underpriced(var message) -> payment.reading().age().compareTo(Delays.MOMENT.multipliedBy(8)) < 0
          && attempts.size() > 1
              ? new Step.Wait(Delays.MOMENT, message, Who.WALLET) // the price doubles in six steps: not all at once
              : replace(payment, chain, attempts);
      case SendResult.InsufficientFunds(var message) -> new Step.Wait(Delays.patience(payment),
          "the node says: " + message + "; send native coin to `" + payment.wallet().address() + "`", Who.WALLET);
      case SendResult.Rejected(var message) -> alarm(payment, Alarm.NODE_REJECTED, "the node refuses: " + message);
      case SendResult.Unknown(var message) -> new Step.Wait(Delays.patience(payment), message, Who.WALLET);
    };
  }

  /** Broadcast: if one of the transactions is mined, wait until it is deep enough and believe what it says; null if none is. */
  private @Nullable Step settle(Payment payment, Chain chain, List<Attempt> attempts) throws ChainUnavailable {
    var found = Receipts.find(chain, attempts);
    if (found.isEmpty()) {
      return null;
    }
    if (!Receipts.isSettled(chain, found.get())) {
      return new Step.Wait(delays.poll(payment, chain), null, Who.PAYMENT);
    }
    var end = Receipts.end(payment, attempts, found.get());
    return end.isPresent()
        ? record(payment, end.get())
        : alarm(payment, Alarm.NO_TRANSFER_EVENT, "the transaction `0x" + found.get().transactionHash()
            + "` succeeded, but the token does not say that it moved the money");
  }

  /** Broadcast, and nothing mined: after a while send the same bytes again, after a longer while offer more. */
  private Step urge(Payment payment, Chain chain, long nonce, List<Attempt> attempts) throws ChainUnavailable {
    var newest = attempts.getLast();
    var now = payment.reading().readAt();
    if (!newest.isSent() || newest.wasSentWithin(settings.resendAfter, now)) {
      return new Step.Wait(delays.poll(payment, chain), null, Who.PAYMENT);
    }
    boolean lowest = store.isLowest(payment, nonce);
    if (lowest) {
      refill(payment, chain, nonce);
    }
    if (lowest && !newest.wasFirstSentWithin(settings.replaceAfter, now)) {
      var replaced = replace(payment, chain, attempts);
      if (!(replaced instanceof Step.Wait)) {
        return replaced;
      }
    }
    return switch (effects.run(Effect.SEND, payment, () -> chain.send(newest.raw()))) {
      case SendResult.Accepted(),SendResult.AlreadyKnown() -> {
        store.sentAgain(payment, newest);
        yield new Step.Wait(delays.poll(payment, chain), null, Who.PAYMENT);
      }
      case SendResult.NonceTooLow() -> Receipts.find(chain, attempts).isPresent()
          ? new Step.Wait(Delays.MOMENT, null, Who.PAYMENT)
          : taken(payment, chain, nonce, attempts);
      case SendResult.Underpriced _ -> replace(payment, chain, attempts);
      case SendResult.InsufficientFunds(var message) -> new Step.Wait(Delays.patience(payment),
          "the node says: " + message + "; send native coin to `" + payment.wallet().address() + "`", Who.WALLET);
      case SendResult.Rejected(var message) -> alarm(payment, Alarm.NODE_REJECTED, "the node refuses: " + message);
      case SendResult.Unknown(var message) -> new Step.Wait(Delays.patience(payment), message, Who.PAYMENT);
    };
  }

  /** If the chain has lost transactions below this one, as after a deep reorganisation, gives them to the node again. */
  private void refill(Payment payment, Chain chain, long nonce) throws ChainUnavailable {
    long count = chain.transactionCount(payment.wallet().address());
    if (count < nonce) {
      for (Bytes raw : store.earlier(payment, count, nonce, REFILL_MAX)) {
        var _ = effects.run(Effect.SEND, payment, () -> chain.send(raw));
      }
    }
  }

  /**
   * The same transfer, or from when that is wanted on its cancellation, at the same nonce for at least an eighth more, as long as the
   * caps and the signer allow it.
   */
  private Step replace(Payment payment, Chain chain, List<Attempt> attempts) throws ChainUnavailable {
    var last = attempts.getLast().gas();
    var next = chain.fees().replace(attempts.getFirst().gas(), last, chain.quote().offer());
    return next.isAllowed()
        ? record(payment, new PaymentEvent.Replace(next.fees().gas(last.limit()), payment.cancellation() != null))
        : tooExpensive(payment, chain, next.fees().maxFeePerGas());
  }

  /**
   * The node says that the nonce is used, and knows none of our transactions. Once all nodes say so the wallet is frozen; once no
   * reorganisation can undo it, the payment can never take effect any more.
   */
  private Step taken(Payment payment, Chain chain, long nonce, List<Attempt> attempts) throws ChainUnavailable {
    var use = payment.reading().age().compareTo(settings.nodesDisagree) > 0
        ? chain.nonceUse(payment.wallet().address(), nonce, attempts.stream().map(Attempt::hash).toList())
        : Chain.NonceUse.OPEN;
    if (use == Chain.NonceUse.OPEN) {
      return new Step.Wait(Delays.patience(payment), "the node says that the nonce is used, but does not show by what",
          Who.WALLET);
    }
    var why = "the chain holds a transaction of nonce " + nonce
        + " that is not one of ours; somebody else may have the wallet's key, and it was frozen";
    store.freezeForForeign(payment, nonce);
    return use == Chain.NonceUse.TAKEN || payment.reading().age().compareTo(settings.nodesDisagree.multipliedBy(2)) < 0
        ? alarm(payment, Alarm.FOREIGN_TRANSACTION, why)
        : failed(payment, why);
  }

  private Step failed(Payment payment, String why) {
    metrics.alarm(payment, Alarm.FOREIGN_TRANSACTION, why);
    return record(payment, new PaymentEvent.Fail(why));
  }

  private Step record(Payment payment, PaymentEvent event) {
    return switch (effects.run(Effect.RECORD, payment, () -> store.move(payment, event))) {
      case PaymentMove.Moved(var next) -> {
        metrics.moved(next);
        yield new Step.Moved(next);
      }
      case PaymentMove.Held(var why) -> new Step.Wait(Delays.patience(payment), why, Who.WALLET);
      case PaymentMove.Lost() -> new Step.Done();
    };
  }

  private Step refused(Payment payment, SignerRefusal reason, String why) {
    store.signerRefused(payment, reason.name(), why);
    return alarm(payment, Alarm.SIGNER_REFUSED, why);
  }

  private Step alarm(Payment payment, Alarm alarm, String why) {
    metrics.alarm(payment, alarm, why);
    return new Step.Wait(Delays.patience(payment), why, alarm == Alarm.NO_TRANSFER_EVENT ? Who.PAYMENT : Who.WALLET);
  }
}
