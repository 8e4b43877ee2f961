package io.bursar.signer;

import java.util.Objects;
import java.util.Optional;

import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.log.NoteKey;
import io.bursar.permit.CancelAuthorizationIntent;
import io.bursar.permit.CancelIntent;
import io.bursar.permit.Intent;
import io.bursar.permit.Permit;
import io.bursar.permit.SignerRefusal;
import io.bursar.permit.SignerRequest.Evidence;
import io.bursar.signer.LoggedAuthorization.Finding.Fault;
import io.bursar.spend.Id;

/**
 * Checks that somebody asked on the record for a payment to be canceled: the entry is in the tenant's log, and it says the spend,
 * wallet, chain and nonce, of the account or of the authorization, that the permit and the intent say.
 */
final class LoggedCancellation {
  private LoggedCancellation() {}

  /** What is wrong with the evidence; empty if it shows the cancellation. */
  static Optional<Fault> fault(Evidence evidence, NoteKey key, VerifiedHeads heads, Permit permit,
      CancelIntent intent) {
    return fault(evidence, key, heads, permit, intent, "nonce", new Json.Num(intent.slot().nonce()));
  }

  /** As above, of an authorization. */
  static Optional<Fault> fault(Evidence evidence, NoteKey key, VerifiedHeads heads, Permit permit,
      CancelAuthorizationIntent intent) {
    return fault(evidence, key, heads, permit, intent, "authorizationNonce",
        new Json.Str("0x" + intent.cancellation().nonce()));
  }

  private static Optional<Fault> fault(Evidence evidence, NoteKey key, VerifiedHeads heads, Permit permit,
      Intent intent, String nonceMember, Json nonce) {
    return LoggedAuthorization.unproven(evidence, key, heads, permit)
        .or(() -> difference(evidence.entry().toByteArray(), intent, nonceMember, nonce).map(how -> new Fault(
            SignerRefusal.AUTHORIZATION_MISMATCH, "the entry of the cancellation: " + how)));
  }

  private static Optional<String> difference(byte[] bytes, Intent intent, String nonceMember, Json nonce) {
    Json.Obj entry;
    try {
      if (!(JsonText.parse(bytes) instanceof Json.Obj object)) {
        return Optional.of("it is no object");
      }
      entry = object;
    } catch (JsonText.Malformed malformed) {
      return Optional.of("it is not strict JSON");
    }
    if (!Objects.equals(entry.get("schema"), new Json.Num(1))
        || !LoggedAuthorization.is(entry.get("kind"), "payment.cancel_requested")) {
      return Optional.of("it is no request to cancel a payment");
    }
    if (!LoggedAuthorization.is(entry.get("tenant"), Id.TENANT.text(intent.tenantId()))) {
      return Optional.of("it is another tenant's");
    }
    if (!LoggedAuthorization.is(entry.get("spend"), Id.SPEND.text(intent.subjectId()))) {
      return Optional.of("it cancels another spend");
    }
    if (!LoggedAuthorization.is(entry.get("wallet"), Id.WALLET.text(intent.keyId()))) {
      return Optional.of("it names another wallet");
    }
    if (!LoggedAuthorization.is(entry.get("chain"), "eip155:" + intent.chainId())) {
      return Optional.of("it names another chain");
    }
    return Objects.equals(entry.get(nonceMember), nonce)
        ? Optional.empty()
        : Optional.of("it names another nonce");
  }
}
