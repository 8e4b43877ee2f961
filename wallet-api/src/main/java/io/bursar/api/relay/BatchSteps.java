package io.bursar.api.relay;

import java.math.BigInteger;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

import io.bursar.api.chain.Chain;
import io.bursar.api.chain.ChainUnavailable;
import io.bursar.api.chain.Eip3009;
import io.bursar.api.chain.Receipt;
import io.bursar.api.chain.SendResult;
import io.bursar.api.relay.RelayAlarms.Alarm;
import io.bursar.api.signer.SignerUnreachable;
import io.bursar.api.signer.TransferSigner;
import io.bursar.permit.SignerReply;
import io.bursar.permit.TransferIntent.Gas;
import io.bursar.store.PaymentState.Attempt;
import io.bursar.store.RelayBatch;
import io.bursar.store.RelayBatch.Member;
import io.bursar.store.RelayBatches;
import io.bursar.store.RelayedPayment;
import io.bursar.store.Relayer;

/**
 * What is done with a relayer's transactions. A nonce is fixed to one batch for ever and recorded before it is signed; what is signed is
 * recorded before it is sent. A batch that is lost, sent twice or mined late does no harm: the token takes each authorization once.
 */
public final class BatchSteps {
  /**
   * Pace.
   *
   * @param batch the most authorizations of a transaction, 1 to 100
   * @param delay how long an authorization waits for others to share its transaction with
   * @param openMax the most transactions of a relayer that are not settled
   * @param resendAfter how long a transaction may be without a receipt before the same bytes are sent again
   * @param replaceAfter how long the lowest one may be without a receipt before it is offered more
   * @param stuckAfter how long anything may wait before it is an alarm
   */
  public record Settings(int batch, Duration delay, int openMax, Duration resendAfter, Duration replaceAfter,
      Duration stuckAfter) {
    public static final Settings DEFAULT = new Settings(100, Duration.ofMillis(200), 16, Duration.ofSeconds(15),
        Duration.ofSeconds(60), Duration.ofMinutes(5));
  }

  /** How often a relayer is to be watched: more often than an alarm ends that is not raised again. */
  public static final Duration WATCH_EVERY = Duration.ofSeconds(30);

  /** Units of gas of a batch beside its authorizations, and the most that one of these can take with USDC, with room to spare. */
  private static final long GAS_BASE = 60_000;
  private static final long GAS_EACH = 130_000;
  /** An authorization that is over so soon is not worth its gas. */
  private static final long LAST_SECONDS = 15;
  private static final Duration AFTER_REFUSAL = Duration.ofSeconds(15);
  private static final Duration NODES_DISAGREE = Duration.ofSeconds(30);
  /** Who is told that much waits need not be told exactly how much. */
  private static final int WAITING_COUNTED = 10_000;
  /** A relayer that can pay for fewer full batches than this is low. */
  private static final int BATCHES_LOW = 20;

  private final RelayBatches batches;
  private final AuthorizationSteps authorizations;
  private final TransferSigner signer;
  private final RelayAlarms alarms;
  private final Settings settings;
  private final Members members;
  private final Refusals refusals = new Refusals(System::nanoTime);

  public BatchSteps(RelayBatches batches, AuthorizationSteps authorizations, TransferSigner signer, RelayAlarms alarms,
      Settings settings) {
    this.batches = batches;
    this.members = new Members(batches);
    this.authorizations = authorizations;
    this.signer = signer;
    this.alarms = alarms;
    this.settings = settings;
  }

  /**
   * Takes every transaction of a relayer as far as it goes now, and begins others for what waits.
   *
   * @param by the lease under which the caller holds the relayer
   * @return how many transactions were begun or settled
   */
  public int work(Chain chain, Relayer relayer, UUID by) throws ChainUnavailable {
    var open = batches.open(relayer);
    members.keepOnly(relayer, open);
    int done = 0;
    boolean lowest = true;
    for (var batch : open) {
      done += advance(chain, batch, lowest) ? 1 : 0;
      lowest = false;
    }
    for (int count = open.size(); count < settings.openMax; count++) {
      var begun = begin(chain, relayer, by);
      if (begun.isEmpty()) {
        break;
      }
      signAndSend(chain, begun.get());
      done++;
    }
    return done;
  }

  /**
   * Looks whether a person must see to a relayer: whether it can pay for what may come, also while nothing waits; whether its lowest
   * transaction comes through; and whether what waits for a transaction gets one. To be called every {@link #WATCH_EVERY}.
   */
  public void watch(Chain chain, Relayer relayer) throws ChainUnavailable {
    var balance = chain.balance(relayer.address());
    alarms.balance(relayer, balance);
    var full = cost(chain.quote(), settings.batch);
    if (balance.compareTo(full.multiply(BigInteger.valueOf(BATCHES_LOW))) < 0) {
      alarms.raise(Alarm.BALANCE_LOW, relayer,
          "the relayer holds " + balance + " wei, and a full batch may cost " + full
              + "; send native coin to `" + relayer.address() + "`");
    }
    var lowest = batches.open(relayer).stream().findFirst().filter(
        batch -> batch.since().compareTo(settings.stuckAfter) > 0);
    if (lowest.isPresent() && receipt(chain, lowest.get()).isEmpty()) {
      alarms.raise(Alarm.BATCH_STUCK, relayer,
          "the transaction of nonce " + lowest.get().nonce() + " has not come through for "
              + lowest.get().since().toSeconds() + " s");
    }
    var waiting = batches.waiting(relayer.chain(), WAITING_COUNTED);
    if (waiting.count() > 0 && waiting.oldest().compareTo(settings.stuckAfter) > 0) {
      alarms.raise(Alarm.POOL_BEHIND, relayer,
          waiting.count() + " authorizations and cancellations wait for a transaction, the oldest for "
              + waiting.oldest().toSeconds() + " s");
    }
  }

  private Optional<RelayBatch> begin(Chain chain, Relayer relayer, UUID by) throws ChainUnavailable {
    var waiting = batches.waiting(relayer.chain(), settings.batch);
    if (waiting.count() == 0
        || (waiting.count() < settings.batch && !waiting.isRipe(settings.delay))) {
      return Optional.empty();
    }
    var quote = chain.quote();
    if (!quote.isEnough()) {
      alarms.raise(Alarm.FEE_CAP, relayer,
          "gas is at " + quote.baseFee() + " wei a unit, above the cap of " + chain.fees().maxFeeCap());
      return Optional.empty();
    }
    var balance = chain.balance(relayer.address());
    if (balance.compareTo(cost(quote, settings.batch)) < 0) {
      return Optional.empty();
    }
    long now = Eip3009.time(chain, chain.head());
    return batches.fix(relayer, by, settings.batch, now + LAST_SECONDS, count -> quote.offer().gas(gasLimit(count)));
  }

  /** The most that a batch of so many may cost, in wei. */
  static BigInteger cost(Chain.Quote quote, int authorizations) {
    return quote.offer().gas(gasLimit(authorizations)).maxCost();
  }

  private static long gasLimit(int authorizations) {
    return GAS_BASE + GAS_EACH * authorizations;
  }

  /** Whether it is settled now. */
  private boolean advance(Chain chain, RelayBatch batch, boolean lowest) throws ChainUnavailable {
    if (batch.sent().isEmpty()) {
      signAndSend(chain, batch);
      return false;
    }
    var mined = receipt(chain, batch);
    if (mined.isPresent()) {
      return settle(chain, batch, mined.get());
    }
    if (batch.next() != null) {
      signAndSend(chain, batch);
    } else {
      urge(chain, batch, lowest);
    }
    return false;
  }

  private void signAndSend(Chain chain, RelayBatch batch) {
    var gas = batch.next();
    if (gas == null || refusals.areMany(batch.relayer().keyId())) {
      return;
    }
    try {
      var members = this.members.of(batch);
      switch (signer.sign(batch.intent(members, gas))) {
        case SignerReply.Signed(var raw, var hash) -> {
          batches.sign(batch, raw, hash);
          send(chain, batch, new Attempt(batch.sent().size() + 1, false, gas, raw, hash, null, null), members);
        }
        case SignerReply.Refused(var reason, var message) -> {
          refusals.count(batch.relayer().keyId());
          batches.stuck(batch, "the signer refuses (" + reason + "): " + message);
          if (reason.remedy() == io.bursar.permit.SignerRefusal.Remedy.STOP) {
            alarms.raise(Alarm.SIGNER_REFUSED, batch.relayer(),
                "the signer refuses (" + reason + "): " + message);
          }
        }
        case SignerReply other ->
          throw new IllegalStateException("the signer answered another question: " + other.getClass());
      }
    } catch (SignerUnreachable e) {
      batches.stuck(batch, String.valueOf(e.getMessage()));
    }
  }

  private void send(Chain chain, RelayBatch batch, Attempt attempt, List<Member> members) {
    switch (chain.send(attempt.raw())) {
      case SendResult.Accepted(),SendResult.AlreadyKnown() -> batches.sent(batch, attempt, members);
      // Whether it is one of ours that has the nonce, the next look for a receipt shows.
      case SendResult.NonceTooLow() -> batches.stuck(batch, "the node says that the nonce is used");
      case SendResult.Underpriced(var message) -> batches.stuck(batch, message);
      case SendResult.InsufficientFunds(var message) -> batches.stuck(batch, "the node says: " + message
          + "; send native coin to `" + batch.relayer().address() + "`");
      case SendResult.Rejected(var message) -> {
        batches.stuck(batch, message);
        alarms.raise(Alarm.NODE_REJECTED, batch.relayer(), "the node refuses: " + message);
      }
      case SendResult.Unknown(var message) -> batches.stuck(batch, message);
    }
  }

  private static Optional<Receipt> receipt(Chain chain, RelayBatch batch) throws ChainUnavailable {
    for (var attempt : batch.sent().reversed()) {
      var receipt = chain.receipt(attempt.hash());
      if (receipt.isPresent()) {
        return receipt;
      }
    }
    return Optional.empty();
  }

  private void urge(Chain chain, RelayBatch batch, boolean lowest) throws ChainUnavailable {
    var newest = batch.sent().getLast();
    if (!newest.isSent()) {
      send(chain, batch, newest, members.of(batch));
      return;
    }
    if (newest.wasSentWithin(settings.resendAfter, batch.readAt())) {
      return;
    }
    if (lowest && !newest.wasSentWithin(NODES_DISAGREE, batch.readAt())
        && chain.transactionCount(batch.relayer().address()) > batch.nonce()) {
      alarms.raise(Alarm.FOREIGN_TRANSACTION, batch.relayer(),
          "the chain holds a transaction of nonce "
              + batch.nonce() + " that is not one of ours; somebody else may have the relayer's key");
    }
    if (lowest && !newest.wasFirstSentWithin(settings.replaceAfter, batch.readAt())
        && replace(chain, batch, newest.gas())) {
      return;
    }
    send(chain, batch, newest, List.of());
  }

  /** The same batch at the same nonce for at least an eighth more, as long as the caps and the signer allow it; whether they do. */
  private boolean replace(Chain chain, RelayBatch batch, Gas last) throws ChainUnavailable {
    var next = chain.fees().replace(batch.sent().getFirst().gas(), last, chain.quote().offer());
    if (!next.isAllowed()) {
      alarms.raise(Alarm.FEE_CAP, batch.relayer(),
          "a replacement would take " + next.fees().maxFeePerGas() + " wei a unit, above the cap of "
              + chain.fees().maxFeeCap() + " or ten times what was first offered");
      return false;
    }
    batches.replace(batch, next.fees().gas(last.limit()));
    return true;
  }

  /** If the receipt is deep enough, believes what it says of each authorization, one by one. */
  private boolean settle(Chain chain, RelayBatch batch, Receipt receipt) throws ChainUnavailable {
    long last = chain.settled();
    if (receipt.blockNumber() > last) {
      return false;
    }
    var block = chain.block(receipt.blockNumber());
    if (block.isEmpty() || !block.get().hash().equals(receipt.blockHash())) {
      return false; // the chain has just changed under the receipt
    }
    var all = members.of(batch);
    var paid = all.stream().filter(member -> isPaid(member, receipt)).map(Member::payment).toList();
    var waiting = new LinkedHashMap<Member, String>();
    // What has become of the others since they were put into the batch is read anew.
    for (var member : paid.size() == all.size() ? List.<Member>of() : batches.members(batch)) {
      if (!isPaid(member, receipt) && isOpen(member.payment()) && !endAsSeen(chain, member, receipt, last)) {
        waiting.put(member, member.cancels()
            ? "the token did not take the cancellation; it is tried again until the authorization is over"
            : why(chain, member.payment()));
      }
    }
    batches.settle(batch, AuthorizationSteps.mined(receipt), receipt.gasUsed(), paid, waiting, AFTER_REFUSAL);
    if (batch.refill() == null) {
      alarms.settled(paid.size(), receipt.gasUsed());
    }
    return true;
  }

  private static boolean isPaid(Member member, Receipt receipt) {
    return !member.cancels() && receipt.succeeded() && Eip3009.isPaid(receipt, member.payment().authorization());
  }

  /** Ends what a final block says to be over: canceled in this transaction, or seen by the token in another. */
  private boolean endAsSeen(Chain chain, Member member, Receipt receipt, long last) throws ChainUnavailable {
    var payment = member.payment();
    if (member.cancels() && receipt.succeeded() && Eip3009.isCanceled(receipt, payment.authorization())) {
      authorizations.annul(payment, receipt);
      return true;
    }
    return Eip3009.isSeen(chain, payment.authorization(), last) && authorizations.endSeen(chain, payment, last);
  }

  private static boolean isOpen(RelayedPayment payment) {
    return List.of("signed", "broadcast").contains(payment.state());
  }

  private static String why(Chain chain, RelayedPayment payment) throws ChainUnavailable {
    var order = payment.order();
    var balance = chain.balanceOf(order.token(), payment.wallet().address());
    return balance.compareTo(order.amount()) < 0
        ? "the wallet holds " + balance + " base units of the asset, fewer than the " + order.amount()
            + " to be paid; fund it"
        : "the token refused the transfer; it is tried again until its authorization is over";
  }
}
