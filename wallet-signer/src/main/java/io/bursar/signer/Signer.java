package io.bursar.signer;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Optional;
import java.util.Set;

import io.bursar.money.Address;
import io.bursar.permit.AuthorizationIntent;
import io.bursar.permit.Bytes;
import io.bursar.permit.CancelAuthorizationIntent;
import io.bursar.permit.Digest32;
import io.bursar.permit.FreezeScope;
import io.bursar.permit.Intent;
import io.bursar.permit.Permit;
import io.bursar.permit.PermitKey;
import io.bursar.permit.RelayerIntent;
import io.bursar.permit.SignerFrame;
import io.bursar.permit.SignerRefusal;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerReply.AuthorizationSigned;
import io.bursar.permit.SignerReply.Healthy;
import io.bursar.permit.SignerReply.KeyCreated;
import io.bursar.permit.SignerReply.LogKeyIs;
import io.bursar.permit.SignerReply.Refused;
import io.bursar.permit.SignerReply.Signed;
import io.bursar.permit.SignerRequest;
import io.bursar.permit.SignerRequest.CreateKey;
import io.bursar.permit.SignerRequest.Freeze;
import io.bursar.permit.SignerRequest.Health;
import io.bursar.permit.SignerRequest.IsFrozen;
import io.bursar.permit.SignerRequest.Lift;
import io.bursar.permit.SignerRequest.LogKey;
import io.bursar.permit.SignerRequest.Mark;
import io.bursar.permit.SignerRequest.Obey;
import io.bursar.permit.SignerRequest.Sign;
import io.bursar.permit.SignerRequest.SignHead;
import io.bursar.permit.TransactionIntent;

/**
 * Answers requests. {@link #sign} is the one path on which a private key is used, and {@link #create} the one on which
 * one is made; neither takes bytes to sign from its caller. Safe for use by several threads.
 */
final class Signer {
  /** What says nothing about who asks. */
  private static final Set<SignerRefusal> NOT_THE_CALLERS = Set.of(SignerRefusal.KEY_FROZEN,
      SignerRefusal.PERMIT_EXPIRED, SignerRefusal.PERMIT_NOT_YET_VALID, SignerRefusal.JOURNAL_REWOUND,
      SignerRefusal.KEY_UNREADABLE, SignerRefusal.UNAVAILABLE, SignerRefusal.BUSY);
  private static final Logger LOG = System.getLogger("io.bursar.signer");

  private final VerifiedPermits permits;
  private final Keystore keystore;
  private final Fences fences;
  private final LogSigner log;
  private final InstantSource clock;
  private final Healthy healthy;
  private final RefusalLog refusals;
  private final Grounds grounds;

  /** @param permits the key that permits must be signed by, and the clock that they are held against */
  Signer(Permits permits, Keystore keystore, Fences fences, LogSigner log, Healthy healthy) {
    this.permits = new VerifiedPermits(permits.key());
    this.keystore = keystore;
    this.fences = fences;
    this.log = log;
    this.grounds = new Grounds(keystore, fences, log);
    this.clock = permits.clock();
    this.healthy = healthy;
    this.refusals = new RefusalLog(LOG, clock);
  }

  /** What permits are held against. */
  record Permits(PermitKey key, InstantSource clock) {}

  /** The reply to whatever arrived in one frame. Never throws, and never signs what {@link #sign} would not. */
  SignerReply answer(byte[] payload) {
    SignerRequest request;
    try {
      request = SignerFrame.decodeRequest(payload);
    } catch (IllegalArgumentException malformed) {
      return refuseFrame(malformed);
    }
    try {
      return switch (request) {
        case Health() -> health();
        case CreateKey create -> create(create);
        case Sign sign -> sign(sign);
        case SignHead head -> signHead(head);
        case LogKey(var tenantId) -> new LogKeyIs(log.key(tenantId).text());
        case Obey obey -> noted(fences.obey(obey, clock.instant()), "order");
        case Freeze freeze -> noted(freeze(freeze), "freeze");
        case Lift lift -> noted(fences.lift(lift, clock.instant()), "lift");
        case IsFrozen key -> fences.frozen(key);
        case Mark mark -> noted(fences.mark(mark, clock.instant()), "mark");
      };
    } catch (Keystore.UnreadableKeyException damaged) {
      LOG.log(Level.ERROR, damaged.getMessage());
      return refuse(SignerRefusal.KEY_UNREADABLE, "the key's file does not open; the signer's log says why", "key");
    } catch (IOException | RuntimeException failed) {
      LOG.log(Level.ERROR, "a request failed: " + failed);
      return refuse(SignerRefusal.UNAVAILABLE, "the signer failed; its log says why", "request");
    }
  }

  /** The reply to bytes that are no frame or no request. */
  Refused refuseFrame(IllegalArgumentException malformed) {
    return refuse(SignerRefusal.BAD_FRAME, message(malformed), "frame");
  }

  private SignerReply create(CreateKey request) throws IOException, Keystore.UnreadableKeyException {
    var subject = "key=" + request.keyId();
    return switch (keystore.create(request.tenantId(), request.keyId())) {
      case Keystore.Creation.Available(var entry) -> {
        LOG.log(Level.INFO, "key available key=" + entry.keyId() + " tenant=" + entry.tenantId() + " address="
            + entry.address());
        yield new KeyCreated(entry.keyId(), entry.address());
      }
      case Keystore.Creation.TakenByOtherTenant() -> refuse(SignerRefusal.KEY_EXISTS,
          "key `" + request.keyId() + "` belongs to another tenant", subject);
      case Keystore.Creation.LimitReached() -> refuse(SignerRefusal.KEY_LIMIT_REACHED,
          "the signer holds " + keystore.size() + " keys and takes no more", subject);
    };
  }

  private SignerReply health() {
    var facts = new ArrayList<>(healthy.hardening());
    facts.addAll(fences.facts());
    return new Healthy(healthy.version(), healthy.backend(), facts);
  }

  private SignerReply freeze(Freeze request) throws IOException, Keystore.UnreadableKeyException {
    var keyId = switch (request.scope()) {
      case FreezeScope.Key(var id) -> id;
      case FreezeScope.Hold(var id) -> id;
      case FreezeScope.Tenant _,FreezeScope.All _ -> null;
    };
    return keyId != null && keystore.find(keyId).isEmpty()
        ? new Refused(SignerRefusal.UNKNOWN_KEY, "there is no key `" + keyId + "`")
        : fences.freeze(request, clock.instant());
  }

  /** Notes a refusal in the log. */
  private SignerReply noted(SignerReply reply, String subject) {
    return reply instanceof Refused(var reason, var message) ? refuse(reason, message, subject) : reply;
  }

  private SignerReply signHead(SignHead request) throws IOException {
    var reply = log.sign(request);
    if (reply instanceof Refused(var reason, var message)) {
      if (reason == SignerRefusal.LOG_FORKED) {
        LOG.log(Level.ERROR, message + "; nothing of this tenant is signed for until a person has looked");
      }
      return refuse(reason, message, "log=" + request.tenantId());
    }
    return reply;
  }

  /** INVARIANT: nothing is signed unless every line above the last one let it through, in this order. */
  private SignerReply sign(Sign request) throws IOException, Keystore.UnreadableKeyException {
    if (!permits.isSigned(request.permit())) {
      return refuse(SignerRefusal.BAD_PERMIT_SIGNATURE, "the permit is not signed by the permit key", "permit");
    }
    Permit permit;
    try {
      permit = request.permit().permit();
    } catch (IllegalArgumentException malformed) {
      return refuse(SignerRefusal.BAD_PERMIT, message(malformed), "permit");
    }
    var now = clock.instant();
    if (!now.isBefore(permit.expiresAt())) {
      return refuse(SignerRefusal.PERMIT_EXPIRED, "the permit expired at " + permit.expiresAt(), permit);
    }
    if (now.isBefore(permit.issuedAt())) {
      return refuse(SignerRefusal.PERMIT_NOT_YET_VALID, "the permit is not valid before " + permit.issuedAt(), permit);
    }
    var intentBytes = request.intent().toByteArray();
    if (!Intent.hashOf(intentBytes).equals(permit.intentHash())) {
      return refuse(SignerRefusal.INTENT_MISMATCH, "the permit names another intent", permit);
    }
    Intent intent;
    try {
      intent = Intent.decode(intentBytes);
    } catch (IllegalArgumentException malformed) {
      return refuse(SignerRefusal.BAD_INTENT, message(malformed), permit);
    }
    if (!intent.subjectId().equals(permit.spendId())) {
      return refuse(SignerRefusal.INTENT_MISMATCH, "the intent belongs to another spend than the permit", permit);
    }
    var key = keystore.find(intent.keyId());
    var wrongKey = refuseKey(key, intent, permit);
    if (wrongKey.isPresent()) {
      return wrongKey.get();
    }
    var flood = fences.alarm().request(intent.keyId(), now);
    flood.ifPresent(why -> alarm(intent, why, now));
    var reply = sign(request, permit, intent, key.orElseThrow(), now);
    if (reply instanceof Refused refused && isSuspicious(refused.reason())) {
      fences.alarm().refusal(intent.keyId(), now).ifPresent(why -> alarm(intent, why, now));
    }
    return reply;
  }

  private void alarm(Intent intent, String why, Instant now) {
    var _ = fences.freeze(new FreezeScope.Key(intent.keyId()), why, now);
  }

  /** Whether an honest caller has no reason to be refused so, again and again. */
  private static boolean isSuspicious(SignerRefusal reason) {
    return !NOT_THE_CALLERS.contains(reason);
  }

  /** The second half of {@link #sign(Sign)}: the request holds together and is for a key that is here. */
  private SignerReply sign(Sign request, Permit permit, Intent intent, Keystore.Entry key, Instant now)
      throws IOException, Keystore.UnreadableKeyException {
    var approved = SpendApprovals.Result.Counted.NONE;
    switch (grounds.of(request, permit, intent, now)) {
      case SpendApprovals.Result.Invalid(var reason, var message) -> {
        return refuse(reason, message, permit);
      }
      case SpendApprovals.Result.Counted counted -> approved = counted;
    }
    return switch (fences.journal().record(now, request.permit(), permit, intent, approved)) {
      case JournalOutcome.PermitUsed() -> refuse(SignerRefusal.PERMIT_REUSED, "the permit was used before", permit);
      case JournalOutcome.PermitForgotten() -> refuse(SignerRefusal.PERMIT_EXPIRED,
          "the permit expired by a clock that has since gone back", permit);
      case JournalOutcome.OtherPayload() -> refuse(SignerRefusal.NONCE_CONFLICT,
          "another payload was signed for the same nonce", permit);
      case JournalOutcome.NothingToCancel() -> refuse(SignerRefusal.NONCE_CONFLICT,
          "nothing of the spend was signed for this nonce, so there is nothing to cancel", permit);
      case JournalOutcome.Canceled() -> refuse(SignerRefusal.NONCE_CONFLICT,
          "the cancellation of the spend was signed for the same nonce, so its transfer is not signed again", permit);
      case JournalOutcome.OtherPayment() -> refuse(SignerRefusal.SPEND_CONFLICT,
          "the spend was signed for another nonce, or in another way", permit);
      case JournalOutcome.FeeOutOfBounds(var first) -> refuse(SignerRefusal.FEE_OUT_OF_BOUNDS,
          "the transaction was first signed at a max fee of " + first.maxFeePerGas() + " wei, which allows 1 to "
              + Replacement.MOST_FEE_FACTOR + " times that",
          permit);
      case JournalOutcome.Frozen(var scope, var why) -> refuse(SignerRefusal.KEY_FROZEN,
          "frozen (" + scope + "): " + why, permit);
      case JournalOutcome.OverCeiling(var why) -> refuse(SignerRefusal.OVER_CEILING, why, permit);
      case JournalOutcome.Unapproved(var missing) -> refuse(SignerRefusal.APPROVALS_MISSING,
          "above this signer's own line, these groups have not signed in such numbers: " + missing, permit);
      case JournalOutcome.Rewound() -> refuse(SignerRefusal.JOURNAL_REWOUND,
          "the journal does not hold what it once held; a person must look", permit);
      case JournalOutcome.NotDurable(var cause) -> {
        LOG.log(Level.ERROR, "the journal cannot be written: " + cause);
        yield refuse(SignerRefusal.UNAVAILABLE, "the journal cannot be written", permit);
      }
      case JournalOutcome.Recorded() -> {
        var signed = signRecorded(key, intent);
        // A freeze may have come, and been answered, since this was agreed to: then it is not given out.
        yield fences.journal().isFrozen(intent.tenantId(), intent.keyId())
            ? refuse(SignerRefusal.KEY_FROZEN, "frozen while it was being signed", permit)
            : signed;
      }
    };
  }

  private Optional<SignerReply> refuseKey(Optional<Keystore.Entry> key, Intent intent, Permit permit) {
    var keyId = intent.keyId();
    if (key.isEmpty()) {
      return Optional.of(refuse(SignerRefusal.UNKNOWN_KEY, "there is no key `" + keyId + "`", permit));
    }
    if (!key.get().tenantId().equals(intent.tenantId())) {
      return Optional
          .of(refuse(SignerRefusal.WRONG_TENANT, "key `" + keyId + "` belongs to another tenant", permit));
    }
    if (!key.get().address().equals(intent.from())) {
      return Optional.of(refuse(SignerRefusal.WRONG_FROM_ADDRESS,
          "key `" + keyId + "` has the address `" + key.get().address() + "`, not `" + intent.from() + "`", permit));
    }
    return Optional.empty();
  }

  private SignerReply signRecorded(Keystore.Entry key, Intent intent)
      throws IOException, Keystore.UnreadableKeyException {
    return switch (intent) {
      case AuthorizationIntent payment ->
        signForToken(key, payment, Eip3009.digest(payment.authorization()), payment.authorization().nonce());
      case CancelAuthorizationIntent cancel ->
        signForToken(key, cancel, Eip3009.digest(cancel.cancellation()), cancel.cancellation().nonce());
      case TransactionIntent transaction -> signTransaction(key, transaction);
    };
  }

  private SignerReply signForToken(Keystore.Entry key, Intent intent, byte[] digest, Digest32 nonce)
      throws IOException, Keystore.UnreadableKeyException {
    var signature = Eip3009.signature(signDigest(key, digest));
    LOG.log(Level.INFO, "signed spend=" + intent.subjectId() + " key=" + key.keyId() + " chain=" + intent.chainId()
        + (intent instanceof CancelAuthorizationIntent ? " canceled authorization=0x" : " authorization=0x") + nonce);
    return new AuthorizationSigned(signature, Digest32.of(digest));
  }

  private SignerReply signTransaction(Keystore.Entry key, TransactionIntent intent)
      throws IOException, Keystore.UnreadableKeyException {
    var raw = Eip1559.signed(intent, signDigest(key, Eip1559.signingHash(intent)));
    var hash = Digest32.of(Address.keccak256(raw));
    LOG.log(Level.INFO,
        "signed " + (intent instanceof RelayerIntent ? "batch=" : "spend=") + intent.subjectId() + " key="
            + key.keyId() + " chain=" + intent.chainId() + " nonce=" + intent.slot().nonce() + " transaction=0x"
            + hash);
    return new Signed(Bytes.of(raw), hash);
  }

  private Secp256k1.Signature signDigest(Keystore.Entry key, byte[] digest)
      throws IOException, Keystore.UnreadableKeyException {
    Secp256k1.Signature signature;
    try (var secret = keystore.unseal(key)) {
      signature = keystore.curve().sign(digest, secret);
    }
    // A fault in memory or arithmetic while signing can give the key away to whoever sees the signature.
    if (!keystore.curve().recover(digest, signature).equals(Optional.of(key.address()))) {
      throw new IllegalStateException("a signature did not verify and was thrown away");
    }
    return signature;
  }

  private static String message(IllegalArgumentException malformed) {
    return String.valueOf(malformed.getMessage());
  }

  private Refused refuse(SignerRefusal reason, String message, Permit permit) {
    return refuse(reason, message, "spend=" + permit.spendId() + " permit=" + permit.permitId());
  }

  private Refused refuse(SignerRefusal reason, String message, String subject) {
    refusals.log(reason, message, subject);
    return new Refused(reason, message);
  }
}
