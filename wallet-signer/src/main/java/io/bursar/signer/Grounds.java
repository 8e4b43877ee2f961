package io.bursar.signer;

import java.io.IOException;
import java.time.Instant;
import java.util.Optional;

import io.bursar.permit.AuthorizationIntent;
import io.bursar.permit.CancelAuthorizationIntent;
import io.bursar.permit.CancelIntent;
import io.bursar.permit.Intent;
import io.bursar.permit.PaymentIntent;
import io.bursar.permit.Permit;
import io.bursar.permit.RefillIntent;
import io.bursar.permit.RelayIntent;
import io.bursar.permit.RelayerIntent;
import io.bursar.permit.SignerRefusal;
import io.bursar.permit.SignerRequest.Sign;

/** What a request stands on beside its permit: an entry of the log, the signatures of payers, or the signer's own keys. */
final class Grounds {
  private final Keystore keystore;
  private final Fences fences;
  private final LogSigner log;
  private final VerifiedHeads heads = new VerifiedHeads();

  Grounds(Keystore keystore, Fences fences, LogSigner log) {
    this.keystore = keystore;
    this.fences = fences;
    this.log = log;
  }

  /** Who has approved, of what a record or a payer stands behind, and that does not stay good for too long. */
  SpendApprovals.Result of(Sign request, Permit permit, Intent intent, Instant now)
      throws IOException, Keystore.UnreadableKeyException {
    if (intent instanceof AuthorizationIntent payment && payment.authorization().validBefore() > now
        .plus(AuthorizationIntent.MAX_LIFE).getEpochSecond()) {
      return new SpendApprovals.Result.Invalid(SignerRefusal.BAD_INTENT,
          "the authorization would be good for longer than " + AuthorizationIntent.MAX_LIFE.toHours() + " hours");
    }
    return switch (intent) {
      case PaymentIntent payment -> approvals(request, permit, payment);
      case RelayIntent batch -> signedByPayers(batch);
      case RefillIntent refill -> withinThePool(refill);
      case CancelIntent _,CancelAuthorizationIntent _ -> cancellation(request, permit, intent);
    };
  }

  /** Who has approved, of what is shown to be authorized on the record and approved by whom that record asked. */
  private SpendApprovals.Result approvals(Sign request, Permit permit, PaymentIntent intent) {
    if (request.evidence().isEmpty()) {
      return unshown("authorization");
    }
    var evidence = request.evidence().get();
    return switch (LoggedAuthorization.check(evidence, log.key(intent.tenantId()), heads, permit, intent)) {
      case LoggedAuthorization.Finding.Fault(var reason, var message) ->
        new SpendApprovals.Result.Invalid(reason, message);
      case LoggedAuthorization.Finding.Shown shown -> SpendApprovals.count(evidence, shown, intent,
          fences.known(intent));
    };
  }

  /** What comes without evidence: refused where the log is required. */
  private SpendApprovals.Result unshown(String what) {
    return log.isRequired()
        ? new SpendApprovals.Result.Invalid(SignerRefusal.NOT_LOGGED,
            "there is no evidence that the " + what + " is in the log")
        : SpendApprovals.Result.Counted.NONE;
  }

  /** Refuses to cancel what nobody asked on the record to be canceled. */
  private SpendApprovals.Result cancellation(Sign request, Permit permit, Intent intent) {
    if (request.evidence().isEmpty()) {
      return unshown("cancellation");
    }
    var evidence = request.evidence().get();
    var key = log.key(intent.tenantId());
    var fault = switch (intent) {
      case CancelIntent cancel -> LoggedCancellation.fault(evidence, key, heads, permit, cancel);
      case CancelAuthorizationIntent cancel -> LoggedCancellation.fault(evidence, key, heads, permit, cancel);
      case PaymentIntent _,RelayerIntent _ -> throw new IllegalArgumentException("it cancels nothing");
    };
    return fault.isPresent()
        ? new SpendApprovals.Result.Invalid(fault.get().reason(), fault.get().message())
        : SpendApprovals.Result.Counted.NONE;
  }

  /** Refuses a batch that would pay for what its payers have not signed, or for payers who are not this signer's. */
  private SpendApprovals.Result signedByPayers(RelayIntent batch)
      throws IOException, Keystore.UnreadableKeyException {
    for (var item : batch.items()) {
      var payer = keystore.find(item.keyId()).map(Keystore.Entry::address);
      if (!payer.equals(Optional.of(item.from())) || !Eip3009.isSigned(item, keystore.curve())) {
        return new SpendApprovals.Result.Invalid(SignerRefusal.BAD_INTENT,
            "what is to be relayed for the authorization of nonce 0x"
                + item.nonce() + " is not signed by the key `" + item.keyId() + "`");
      }
    }
    return SpendApprovals.Result.Counted.NONE;
  }

  /** Refuses native coin to anyone but a relayer of this signer. */
  private SpendApprovals.Result withinThePool(RefillIntent refill)
      throws IOException, Keystore.UnreadableKeyException {
    var to = refill.to();
    var receiver = keystore.find(to.keyId());
    return receiver.isPresent() && receiver.get().tenantId().equals(RelayIntent.TENANT)
        && receiver.get().address().equals(to.address())
            ? SpendApprovals.Result.Counted.NONE
            : new SpendApprovals.Result.Invalid(SignerRefusal.BAD_INTENT,
                "there is no relayer's key `" + to.keyId() + "` of the address `" + to.address() + "`");
  }
}
