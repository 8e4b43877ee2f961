package io.bursar.signer;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

import org.jspecify.annotations.Nullable;

import io.bursar.approval.ApprovalText.PolicyLine;
import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.log.LogProof;
import io.bursar.log.Merkle;
import io.bursar.log.NoteKey;
import io.bursar.permit.PaymentIntent;
import io.bursar.permit.Permit;
import io.bursar.permit.SignerRefusal;
import io.bursar.permit.SignerRequest.Evidence;
import io.bursar.policy.DecisionJson;
import io.bursar.policy.Rule.GroupThreshold;
import io.bursar.spend.Id;

/**
 * Checks that a payment was authorized on the record: the entry is in the tenant's log, as a head shows that this signer has
 * signed, and what it allows is what the permit and the intent say, field by field.
 */
final class LoggedAuthorization {
  /** What the evidence comes to. */
  sealed interface Finding {
    /**
     * The payment was authorized on the record.
     *
     * @param asked the groups that had to approve, and how many of each; none where nobody had to
     * @param policies under which it was decided; read only where somebody had to
     */
    record Shown(List<GroupThreshold> asked, Set<PolicyLine> policies) implements Finding {
      /** By a decision that asked nobody, or by none at all. */
      static final Shown OUTRIGHT = new Shown(List.of(), Set.of());
    }

    /** It was not, or it is not shown. */
    record Fault(SignerRefusal reason, String message) implements Finding {}
  }

  private static final int MOST_THRESHOLD = 100;

  private LoggedAuthorization() {}

  /**
   * What the evidence shows.
   *
   * @param key of the log of the intent's tenant, so that no other tenant's log can speak for it
   * @param heads verified before
   */
  static Finding check(Evidence evidence, NoteKey key, VerifiedHeads heads, Permit permit, PaymentIntent intent) {
    var unproven = unproven(evidence, key, heads, permit);
    if (unproven.isPresent()) {
      return unproven.get();
    }
    try {
      return JsonText.parse(evidence.entry().toByteArray()) instanceof Json.Obj object
          ? difference(object, intent)
          : mismatch("it is no object");
    } catch (JsonText.Malformed malformed) {
      return mismatch("it is not strict JSON");
    }
  }

  /** Why the entry is not shown to be in the log, or not to be the one that the permit names; empty if it is both. */
  static Optional<Finding.Fault> unproven(Evidence evidence, NoteKey key, VerifiedHeads heads, Permit permit) {
    var leafHash = Merkle.leafHash(evidence.entry().toByteArray());
    try {
      var proof = LogProof.parse(evidence.proof().toByteArray());
      var head = heads.open(proof.checkpoint(), key);
      if (!Merkle.includes(proof.index(), head.size(), leafHash, proof.hashes(), head.root())) {
        throw new IllegalArgumentException("the log does not hold this entry at index " + proof.index());
      }
    } catch (IllegalArgumentException notShown) {
      return Optional.of(new Finding.Fault(SignerRefusal.NOT_LOGGED,
          "the authorization is not shown to be in the log: " + notShown.getMessage()));
    }
    return leafHash.equals(permit.authorizationHash())
        ? Optional.empty()
        : Optional.of(mismatch("it is not the authorization that the permit names"));
  }

  private static Finding difference(Json.Obj entry, PaymentIntent intent) {
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
    if (!is(facts.get("wallet"), Id.WALLET.text(intent.keyId()))) {
      return mismatch("it names another wallet");
    }
    if (!is(facts.get("chain"), "eip155:" + intent.chainId())) {
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
    return is(decision.get("effect"), "allow") ? Finding.Shown.OUTRIGHT : approved(entry, decision);
  }

  /** Every group that was asked stands among those that approved; that they did is then to be shown. */
  private static Finding approved(Json.Obj entry, Json.Obj decision) {
    if (!is(decision.get("effect"), "require_approval") || !(entry.get("approvedBy") instanceof Json.Arr approved)
        || !(decision.get("approval") instanceof Json.Obj approval)
        || !(approval.get("groups") instanceof Json.Arr groups) || groups.items().isEmpty()) {
      return mismatch("it does not allow the spend");
    }
    var asked = new ArrayList<GroupThreshold>();
    for (var group : groups.items()) {
      if (!(group instanceof Json.Obj named) || !(named.get("group") instanceof Json.Str(var name))
          || !(named.get("threshold") instanceof Json.Num(var threshold)) || threshold < 1 || threshold > MOST_THRESHOLD
          || !approved.items().contains(named.get("group"))) {
        return mismatch("it does not allow the spend");
      }
      asked.add(new GroupThreshold(name, (int) threshold));
    }
    try {
      return new Finding.Shown(asked, DecisionJson.policies(decision).stream()
          .map(policy -> new PolicyLine(policy.attachedTo(), policy.policyId(), policy.version()))
          .collect(Collectors.toUnmodifiableSet()));
    } catch (IllegalArgumentException malformed) {
      return mismatch("it names no policies");
    }
  }

  static boolean is(@Nullable Json value, String text) {
    return value instanceof Json.Str(var held) && held.equals(text);
  }

  private static Finding.Fault mismatch(String how) {
    return new Finding.Fault(SignerRefusal.AUTHORIZATION_MISMATCH, "the entry of the authorization: " + how);
  }
}
