package io.bursar.api.relay;

import java.math.BigInteger;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.function.BiFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

import org.jspecify.annotations.Nullable;

import io.bursar.api.chain.Chain;
import io.bursar.api.chain.ChainUnavailable;
import io.bursar.api.chain.Eip3009;
import io.bursar.api.chain.Receipt;
import io.bursar.api.funding.FundsCheck;
import io.bursar.api.relay.RelayAlarms.Alarm;
import io.bursar.api.signer.PermitIssuer.Subject;
import io.bursar.api.signer.SignerUnreachable;
import io.bursar.api.signer.TransferSigner;
import io.bursar.permit.Bytes;
import io.bursar.permit.Digest32;
import io.bursar.permit.SignedPermit;
import io.bursar.permit.SignerRefusal.Remedy;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerRequest.Evidence;
import io.bursar.store.Funds;
import io.bursar.store.PaymentState.Mined;
import io.bursar.store.PaymentStore;
import io.bursar.store.RelayCancellations;
import io.bursar.store.RelayStore;
import io.bursar.store.RelayStore.Balances;
import io.bursar.store.RelayedPayment;
import io.bursar.store.RelayedPayment.Terms;
import io.bursar.store.log.LogUnavailable;

/**
 * What is done with a payment by authorization before a relayer has it, when it is to be canceled, and after its time is over. Its terms
 * are recorded before it is signed and never change, so whoever does a step again signs the same bytes; and the token itself takes them once.
 */
public final class AuthorizationSteps {
  /** How many payments are taken at once. */
  static final int AT_ONCE = 200;

  private static final Duration MOMENT = Duration.ofMillis(250);
  private static final Duration PATIENCE_MAX = Duration.ofSeconds(10);
  private static final int NONCE_BYTES = 32;

  private final RelayStore store;
  private final RelayCancellations cancellations;
  private final PaymentStore payments;
  private final TransferSigner signer;
  private final RelayAlarms alarms;
  private final Clock clock;
  private final Duration validFor;
  private final FundsCheck funds;
  private final Refusals refusals = new Refusals(System::nanoTime);
  private final SecureRandom random = new SecureRandom();

  /**
   * Times.
   *
   * @param validFor how long an authorization is good, and with it how long its budget can be held by a relay that does not work
   * @param fundsWait how long a payment waits for money before it fails
   */
  public record Settings(Duration validFor, Duration fundsWait) {
    public Settings(Duration validFor) {
      this(validFor, FundsCheck.WAIT);
    }
  }

  public AuthorizationSteps(RelayStore store, PaymentStore payments, TransferSigner signer, RelayAlarms alarms,
      Clock clock, Settings settings) {
    this.store = store;
    this.cancellations = store.cancellations();
    this.payments = payments;
    this.signer = signer;
    this.alarms = alarms;
    this.clock = clock;
    this.validFor = settings.validFor;
    this.funds = new FundsCheck(payments.funds(), settings.fundsWait);
  }

  /**
   * Signs what is due.
   *
   * @param threads on which the signer is asked
   * @return how many payments were looked at
   */
  public int signDue(Chain chain, ExecutorService threads) {
    var claimed = store.claimUnsigned(chain.name(), AT_ONCE);
    if (claimed.isEmpty()) {
      return 0;
    }
    try {
      var ready = new ArrayList<RelayedPayment>();
      var fresh = new ArrayList<RelayedPayment>();
      for (var payment : claimed) {
        if (payment.hold() != null) {
          store.release(List.of(payment), patience(payment), payment.hold());
        } else if (payment.terms() != null) {
          ready.add(payment);
        } else if (payment.isExpired(clock.instant())) {
          store.end(payment, RelayStore.End.UNSIGNED);
        } else {
          fresh.add(payment);
        }
      }
      ready.addAll(prepare(chain, fresh));
      store.sign(signatures(requests(ready, signer::evidence, Request::authorization), threads));
    } catch (ChainUnavailable e) {
      store.release(claimed, MOMENT.multipliedBy(4), e.getMessage());
    }
    return claimed.size();
  }

  /**
   * Signs the cancellations that are wanted. What is held may be canceled all the same.
   *
   * @param threads on which the signer is asked
   * @return how many payments were looked at
   */
  public int signCancellations(Chain chain, ExecutorService threads) {
    var claimed = cancellations.claimUnsigned(chain.name(), AT_ONCE);
    if (!claimed.isEmpty()) {
      cancellations.sign(signatures(requests(claimed, signer::cancellation, Request::cancellation), threads));
    }
    return claimed.size();
  }

  private List<RelayedPayment> prepare(Chain chain, List<RelayedPayment> fresh) throws ChainUnavailable {
    if (fresh.isEmpty()) {
      return List.of();
    }
    long head = chain.head();
    long now = Math.max(clock.instant().getEpochSecond(), Eip3009.time(chain, head));
    var balances = balances(chain, fresh, Math.max(0, chain.settled()));
    var prepared = store.prepare(fresh, balances, payment -> {
      var expiresAt = payment.order().expiresAt();
      long until = now + validFor.toSeconds();
      return new Terms(nonce(), expiresAt == null ? until : Math.min(until, expiresAt.getEpochSecond()), head, null);
    });
    for (var payment : prepared.poor()) {
      switch (funds.relayed(chain, payment, balances.block())) {
        case FundsCheck.Verdict.Enough() -> store.release(List.of(payment), MOMENT, null);
        case FundsCheck.Verdict.Waits(var why) -> store.release(List.of(payment), patience(payment), why);
        case FundsCheck.Verdict.Failed() -> {
        }
      }
    }
    return prepared.prepared();
  }

  private Digest32 nonce() {
    var bytes = new byte[NONCE_BYTES];
    random.nextBytes(bytes);
    return Digest32.of(bytes);
  }

  /** What the payments' wallets hold by a final block. */
  private static Balances balances(Chain chain, List<RelayedPayment> fresh, long block) throws ChainUnavailable {
    var holdings = new LinkedHashMap<Funds.Account, Chain.Holding>();
    fresh.forEach(payment -> holdings.put(payment.account(),
        new Chain.Holding(payment.account().token(), payment.wallet().address())));
    var balances = chain.balancesOf(List.copyOf(holdings.values()), block).iterator();
    var amounts = new HashMap<Funds.Account, BigInteger>();
    holdings.keySet().forEach(account -> amounts.put(account, balances.next()));
    return new Balances(block, amounts);
  }

  /** Says what the signer wants to see of a tenant's spends. */
  private interface Showing {
    Map<UUID, Evidence> of(UUID tenantId, Collection<UUID> spendIds) throws LogUnavailable;
  }

  /**
   * What the signer is asked.
   *
   * @param subject with the entry in the record that allows it
   */
  private record Request(RelayedPayment payment, Subject subject, Evidence evidence) {
    static Request authorization(RelayedPayment payment, Evidence evidence) {
      return new Request(payment, new Subject(payment.intent(), payment.order().authorizationHash()), evidence);
    }

    static Request cancellation(RelayedPayment payment, Evidence evidence) {
      return new Request(payment,
          new Subject(payment.cancelIntent(), Objects.requireNonNull(payment.canceling()).entry()), evidence);
    }
  }

  /** For those that there is evidence for; the others wait. */
  private List<Request> requests(List<RelayedPayment> ready, Showing showing,
      BiFunction<RelayedPayment, Evidence, Request> request) {
    var requests = new ArrayList<Request>();
    ready.stream().collect(Collectors.groupingBy(RelayedPayment::tenantId)).forEach((tenantId, payments) -> {
      try {
        var evidence = showing.of(tenantId, payments.stream().map(RelayedPayment::spendId).toList());
        payments.forEach(payment -> requests
            .add(request.apply(payment, Objects.requireNonNull(evidence.get(payment.spendId())))));
      } catch (LogUnavailable e) {
        payments.forEach(payment -> store.release(List.of(payment), patience(payment), e.getMessage()));
      }
    });
    return requests;
  }

  /** Those that the signer gave; the others wait. What is signed and not recorded is signed again, and says the same. */
  private Map<RelayedPayment, Bytes> signatures(List<Request> requests, ExecutorService threads) {
    var signatures = new ConcurrentHashMap<RelayedPayment, Bytes>();
    var permits = signer.permits(requests.stream().map(Request::subject).toList());
    var asked = IntStream.range(0, requests.size()).mapToObj(at -> threads.submit(() -> {
      var request = requests.get(at);
      var signature = signature(request, permits.get(at));
      if (signature != null) {
        signatures.put(request.payment, signature);
      }
    })).toList();
    for (var answer : asked) {
      try {
        answer.get();
      } catch (java.util.concurrent.ExecutionException failed) {
        throw new IllegalStateException("an authorization could not be signed", failed);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return Map.of();
      }
    }
    return signatures;
  }

  private @Nullable Bytes signature(Request request, SignedPermit permit) {
    var payment = request.payment;
    var keyId = payment.wallet().walletId();
    if (refusals.areMany(keyId)) {
      store.release(List.of(payment), patience(payment),
          "the signer has just refused many payments of the wallet, and is asked about it again within seconds");
      return null;
    }
    try {
      return switch (signer.sign(permit, request.subject.intent(), request.evidence)) {
        case SignerReply.AuthorizationSigned(var signature, var _) -> signature;
        case SignerReply.Refused(var reason, var message) -> {
          refusals.count(keyId);
          boolean stop = reason.remedy() == Remedy.STOP;
          var why = stop ? "the signer refuses (" + reason + "): " + message : "the signer will try again: " + message;
          if (stop) {
            payments.find(payment.key()).ifPresent(found -> payments.signerRefused(found, reason.name(), why));
            alarms.raise(Alarm.SIGNER_REFUSED, payment, why);
          }
          store.release(List.of(payment), patience(payment), why);
          yield null;
        }
        case SignerReply other ->
          throw new IllegalStateException("the signer answered another question: " + other.getClass());
      };
    } catch (SignerUnreachable e) {
      store.release(List.of(payment), patience(payment), e.getMessage());
      return null;
    }
  }

  /** Ends what is over by the chain's final time: as paid if the token has seen it, and else with all given back. */
  public void endOutlived(Chain chain) throws ChainUnavailable {
    long last = chain.settled();
    if (last < 0) {
      return;
    }
    for (var payment : store.claimOutlived(chain.name(), Eip3009.time(chain, last), AT_ONCE)) {
      if (!Eip3009.isSeen(chain, payment.authorization(), last)) {
        store.end(payment, RelayStore.End.OUTLIVED);
      } else if (!endSeen(chain, payment, last)) {
        store.release(List.of(payment), PATIENCE_MAX,
            "the token has seen the authorization, and shows no transfer for it");
      }
    }
  }

  /**
   * Ends a payment whose authorization the token has seen by a final block, as its events say; whether they do. Anybody may have taken it
   * to the chain, not only a relayer of ours: what counts is that it is paid.
   */
  boolean endSeen(Chain chain, RelayedPayment payment, long last) throws ChainUnavailable {
    var authorization = payment.authorization();
    Optional<Eip3009.Outcome> outcome = Eip3009.outcome(chain, authorization,
        Objects.requireNonNull(payment.terms()).fromBlock(), last);
    if (outcome.isEmpty()) {
      return false;
    }
    switch (outcome.get()) {
      case Eip3009.Outcome.Canceled(var hash) -> {
        var receipt = chain.receipt(hash);
        if (receipt.isEmpty() || !Eip3009.isCanceled(receipt.get(), authorization)) {
          return false;
        }
        annul(payment, receipt.get());
      }
      case Eip3009.Outcome.Used(var hash) -> {
        var receipt = chain.receipt(hash);
        if (receipt.isEmpty() || !Eip3009.isPaid(receipt.get(), authorization)) {
          alarms.raise(Alarm.NO_TRANSFER_EVENT, payment, "the transaction `0x" + hash
              + "` used the authorization, but the token does not say that it moved the money");
          return false;
        }
        store.confirm(List.of(payment), mined(receipt.get()));
      }
    }
    return true;
  }

  /** Ends a payment whose authorization was canceled in a final block, as the receipt says. */
  void annul(RelayedPayment payment, Receipt receipt) {
    cancellations.annul(payment, mined(receipt));
  }

  static Mined mined(Receipt receipt) {
    return new Mined(receipt.transactionHash(), receipt.blockNumber(), receipt.blockHash());
  }

  /** As long again as it has waited already: soon at first, then ever more seldom. */
  private static Duration patience(RelayedPayment payment) {
    var wanted = payment.age().dividedBy(2);
    return wanted.compareTo(MOMENT) < 0 ? MOMENT : wanted.compareTo(PATIENCE_MAX) > 0 ? PATIENCE_MAX : wanted;
  }
}
