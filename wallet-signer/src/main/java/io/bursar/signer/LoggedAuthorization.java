package io.bursar.signer;

import java.util.Objects;
import java.util.Optional;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.log.LogProof;
import io.bursar.log.Merkle;
import io.bursar.log.NoteKey;
import io.bursar.permit.Permit;
import io.bursar.permit.SignerRefusal;
import io.bursar.permit.SignerRequest.Evidence;
import io.bursar.permit.TransferIntent;
import io.bursar.spend.Id;

/**
 * Checks that a payment was authorized on the record: the entry is in the tenant's log, as a head shows that this signer has
 * signed, and what it allows is what the permit and the intent say, field by field.
 */
final class LoggedAuthorization {
  /** Why not. */
  record Fault(SignerRefusal reason, String message) {}

  private LoggedAuthorization() {}

  /**
   * What is wrong with the evidence, or nothing.
   *
   * @param key of the log of the intent's tenant, so that no other tenant's log can speak for it
   */
  static Optional<Fault> check(Evidence evidence, NoteKey key, Permit permit, TransferIntent intent) {
    var entry = evidence.entry().toByteArray();
    var leafHash = Merkle.leafHash(entry);
    try {
      LogProof.parse(evidence.proof().toByteArray()).verify(leafHash, key);
    } catch (IllegalArgumentException notShown) {
      return Optional.of(new Fault(SignerRefusal.NOT_LOGGED, "the authorization is not shown to be in the log: "
          + notShown.getMessage()));
    }
    if (!leafHash.equals(permit.authorizationHash())) {
      return mismatch("it is not the authorization that the permit names");
    }
    try {
      return JsonText.parse(entry) instanceof Json.Obj object
          ? difference(object, intent)
          : mismatch("it is no object");
    } catch (JsonText.Malformed malformed) {
      return mismatch("it is not strict JSON");
    }
  }

  private static Optional<Fault> difference(Json.Obj entry, TransferIntent intent) {
    if (!(entry.get("facts") instanceof Json.Obj facts) || !(entry.get("decision") instanceof Json.Obj decision)) {
      return mismatch("it has no facts or no decision");
    }
    if (!Objects.equals(entry.get("schema"), new Json.Num(1)) || !is(entry.get("kind"), "authorization")) {
      return mismatch("it is no authorization");
    }
    if (!is(entry.get("tenant"), Id.TENANT.text(intent.tenantId()))) {
      return mismatch("it is another tenant's");
    }
    if (!is(entry.get("spend"), Id.SPEND.text(intent.spendId()))) {
      return mismatch("it authorizes another spend");
    }
    if (!is(facts.get("wallet"), Id.WALLET.text(intent.slot().keyId()))) {
      return mismatch("it names another wallet");
    }
    if (!is(facts.get("chain"), "eip155:" + intent.slot().chainId())) {
      return mismatch("it names another chain");
    }
    var transfer = intent.transfer();
    if (!is(facts.get("contract"), transfer.token().toString())) {
      return mismatch("it names another token");
    }
    if (!is(facts.get("payee"), transfer.payee().toString())) {
      return mismatch("it names another payee");
    }
    if (!is(facts.get("amount"), transfer.amount().toString())) {
      return mismatch("it names another amount");
    }
    return allows(entry, decision) ? Optional.empty() : mismatch("it does not allow the spend");
  }

  /** Allowed outright, or every group that was asked stands among those that approved. */
  private static boolean allows(Json.Obj entry, Json.Obj decision) {
    if (is(decision.get("effect"), "allow")) {
      return true;
    }
    return is(decision.get("effect"), "require_approval") && entry.get("approvedBy") instanceof Json.Arr approved
        && decision.get("approval") instanceof Json.Obj approval && approval.get("groups") instanceof Json.Arr asked
        && !asked.items().isEmpty() && asked.items().stream().allMatch(
            group -> group instanceof Json.Obj named && approved.items().contains(named.get("group")));
  }

  private static boolean is(@Nullable Json value, String text) {
    return value instanceof Json.Str(var held) && held.equals(text);
  }

  private static Optional<Fault> mismatch(String how) {
    return Optional.of(new Fault(SignerRefusal.AUTHORIZATION_MISMATCH, "the entry of the authorization: " + how));
  }
}
