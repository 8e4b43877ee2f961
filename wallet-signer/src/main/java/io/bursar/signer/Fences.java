package io.bursar.signer;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

import io.bursar.permit.FreezeScope;
import io.bursar.permit.JournalMark;
import io.bursar.permit.PaymentIntent;
import io.bursar.permit.SignerRefusal;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerReply.Frozen;
import io.bursar.permit.SignerReply.MarkIs;
import io.bursar.permit.SignerReply.Refused;
import io.bursar.permit.SignerRequest.Freeze;
import io.bursar.permit.SignerRequest.IsFrozen;
import io.bursar.permit.SignerRequest.Lift;
import io.bursar.permit.SignerRequest.Mark;
import io.bursar.permit.SignerRequest.Obey;

/**
 * What stands between a valid permit and a signature, whatever the API process says: approvers that are known by order, ceilings, freezes,
 * the alarm, and the journal that remembers and counts.
 */
final class Fences implements AutoCloseable {
  private static final Logger LOG = System.getLogger("io.bursar.signer");

  private final Quorum quorum;
  private final Approvers approvers;
  private final Orders orders;
  private final Journal journal;
  private final RateAlarm alarm;
  private final byte[] operatorKey;

  /**
   * @param ceilings the file that an order replaces them in
   * @param operatorKey what lifts a freeze where there is no root set
   */
  Fences(Quorum quorum, Approvers approvers, Journal journal, Path ceilings, RateAlarm alarm, byte[] operatorKey) {
    this.quorum = quorum;
    this.approvers = approvers;
    this.orders = new Orders(quorum, approvers, journal, ceilings);
    this.journal = journal;
    this.alarm = alarm;
    this.operatorKey = operatorKey.clone();
  }

  /**
   * Reads all of it from a home.
   *
   * @param signer what the signer's logs are called
   * @param anchor of the journal
   * @throws IOException if anything there is damaged or lost, or if production needs more than there is
   */
  static Fences open(SignerHome home, String signer, Path anchor, RateAlarm.Bounds bounds, boolean production)
      throws IOException {
    var quorum = Quorum.open(home.approvers(), signer);
    var ceilings = ceilings(home.ceilings());
    if (production && (quorum.threshold() < 2 || !ceilings.areSet())) {
      throw new IOException(
          "production needs a root set with a threshold of 2 or more, so that no process and no single person can "
              + "say who approves, and ceilings; give them with `init --root-set FILE --ceilings FILE`");
    }
    var journal = Journal.open(home.journal(), Optional.of(JournalAnchor.open(anchor)), ceilings, Instant.now());
    try {
      return new Fences(quorum, Approvers.open(home.approvers(), quorum), journal, home.ceilings(),
          new RateAlarm(bounds), home.operatorKey());
    } catch (IOException | RuntimeException failed) {
      journal.close();
      throw failed;
    }
  }

  static Ceilings ceilings(Path file) throws IOException {
    if (!Files.exists(file)) {
      return Ceilings.NONE;
    }
    try {
      return Ceilings.parse(SafeFiles.read(file, Ceilings.MOST_BYTES));
    } catch (IllegalArgumentException malformed) {
      throw new IOException("`" + file + "`: " + malformed.getMessage());
    }
  }

  /** Adds kinds of orders, which use them up by the quorum; before anybody gives one. */
  void alsoObey(Function<Quorum, Map<String, Orders.Deed>> more) {
    orders.alsoObey(more.apply(quorum));
  }

  /** What is known of whoever may have approved an intent, and of its asset. */
  SpendApprovals.Known known(PaymentIntent intent) {
    return new SpendApprovals.Known(approvers, journal.asset(intent.chainId(), intent.transfer().token()));
  }

  Journal journal() {
    return journal;
  }

  RateAlarm alarm() {
    return alarm;
  }

  /** For health. */
  List<String> facts() {
    var facts = new ArrayList<String>();
    facts.add(approvers.believesApi()
        ? "approvers=as-the-api-says" // and by an API key alone, for who has no key
        : "approvers=by-" + quorum.threshold() + "-root-keys");
    facts.add("last-order=" + quorum.number());
    facts.add("ceilings=" + (journal.hasCeilings() ? "set" : "none"));
    var frozen = journal.frozen();
    facts.add("frozen=" + (frozen.containsKey(new FreezeScope.All()) ? "all" : frozen.size()));
    facts.add("journal=" + (journal.isRewound() ? "rewound" : "whole"));
    return facts;
  }

  SignerReply obey(Obey request, Instant now) throws IOException {
    return orders.obey(request, now);
  }

  /** Freezes, whoever asks. */
  SignerReply freeze(Freeze request, Instant now) {
    var why = request.why().replaceAll("\\p{Cntrl}", " ");
    if (why.length() > Freeze.WHY_MAX) {
      return new Refused(SignerRefusal.BAD_FRAME, "a reason has at most " + Freeze.WHY_MAX + " characters");
    }
    return freeze(request.scope(), why, now)
        .<SignerReply>map(failure -> new Refused(SignerRefusal.UNAVAILABLE,
            "it is frozen, but a restart of the signer would forget that, since its journal cannot be written"))
        .orElse(new Frozen(request.scope(), true));
  }

  /** Freezes; why it will not outlive this process, if it will not. */
  Optional<IOException> freeze(FreezeScope scope, String why, Instant now) {
    var failure = journal.freeze(scope, why, now);
    LOG.log(Level.WARNING, "frozen scope=" + scope + ": " + why
        + failure.map(cause -> " (and not durable: " + cause.getMessage() + ")").orElse(""));
    return failure;
  }

  /** Whether a freeze holds a key, and which. */
  SignerReply frozen(IsFrozen request) {
    return journal.freezeOf(request.tenantId(), request.keyId()).map(scope -> new Frozen(scope, true))
        .orElse(new Frozen(new FreezeScope.Key(request.keyId()), false));
  }

  /** Lifts a freeze for the operator, where there is no root set; a hold of the service also for the service. */
  SignerReply lift(Lift request, Instant now) {
    if (quorum.isThere()) {
      return new Refused(SignerRefusal.NOT_LIFTED, "it takes an order `unfreeze` of " + quorum.threshold()
          + " root keys to lift a freeze of this signer");
    }
    if (!(request.scope() instanceof FreezeScope.Hold)
        && !MessageDigest.isEqual(operatorKey, request.operatorKey().toByteArray())) {
      return new Refused(SignerRefusal.NOT_LIFTED, "this is not the key of the signer's operator");
    }
    if (journal.lift(request.scope(), now).isPresent()) {
      return new Refused(SignerRefusal.UNAVAILABLE, "the journal cannot be written");
    }
    LOG.log(Level.WARNING, "lifted scope=" + request.scope());
    return new Frozen(request.scope(), false);
  }

  /** Holds the journal against what the caller knows of it. */
  SignerReply mark(Mark request, Instant now) throws IOException {
    if (journal.isRewound() || (request.known().isPresent() && !journal.holds(request.known().get()))) {
      JournalMark known = request.known().orElse(journal.mark(now));
      LOG.log(Level.ERROR, "the journal does not hold what it held at " + known.at() + ", when it had come to "
          + known.length() + " bytes; nothing more is signed until a person has looked");
      return new Refused(SignerRefusal.JOURNAL_REWOUND,
          "the journal does not hold what it once held; a person must look before anything more is signed");
    }
    return new MarkIs(journal.mark(now));
  }

  @Override
  public void close() throws IOException {
    journal.close();
  }
}
