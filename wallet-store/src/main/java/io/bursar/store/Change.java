package io.bursar.store;

import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.approval.ApproverKey;
import io.bursar.json.Json;
import io.bursar.policy.Policy;
import io.bursar.spend.Id;

/** A change of the rules that may need a quorum: what is asked for, as it is recorded and read back. */
public sealed interface Change {
  /** What can be put under change control by itself. */
  enum Scope {
    /** Publishing versions of policies. */
    POLICIES,
    /** What policies are attached to, and that they are taken away. */
    ATTACHMENTS,
    /** The members of groups, and whose agents agents are. */
    GROUPS,
    /** What approvers sign with. */
    APPROVER_KEYS;

    public String text() {
      return name().toLowerCase(Locale.ROOT);
    }

    /**
     * The scope that a text names.
     *
     * @throws IllegalArgumentException with a message for the client if it names none
     */
    public static Scope parse(String text) {
      for (var scope : values()) {
        if (scope.text().equals(text)) {
          return scope;
        }
      }
      throw new IllegalArgumentException("must be `policies`, `attachments`, `groups` or `approver_keys`");
    }
  }

  record Publish(UUID policyId, String version) implements Change {}

  record Attach(Policy.Target target, UUID targetId, UUID policyId, String version) implements Change {}

  record Detach(Policy.Target target, UUID targetId) implements Change {}

  record Members(UUID groupId, List<UUID> members) implements Change {}

  record Principals(UUID agentId, List<UUID> approvers) implements Change {}

  record Key(UUID approverId, Approvers.NewKey key) implements Change {}

  /**
   * Change control itself.
   *
   * @param groupId whose quorum is needed from then on; absent to end the control
   */
  record Control(Scope scope, @Nullable UUID groupId, int threshold) implements Change {}

  /** Names the kind. */
  default String kind() {
    return switch (this) {
      case Publish _ -> "publish";
      case Attach _ -> "attach";
      case Detach _ -> "detach";
      case Members _ -> "members";
      case Principals _ -> "principals";
      case Key _ -> "key";
      case Control _ -> "control";
    };
  }

  /** The scope under which the change needs a quorum. */
  default Scope scope() {
    return switch (this) {
      case Publish _ -> Scope.POLICIES;
      case Attach _,Detach _ -> Scope.ATTACHMENTS;
      case Members _,Principals _ -> Scope.GROUPS;
      case Key _ -> Scope.APPROVER_KEYS;
      case Control control -> control.scope();
    };
  }

  /** As it is recorded. */
  default Json.Obj toJson() {
    var json = Json.object().put("kind", kind());
    return switch (this) {
      case Publish(var policyId, var version) ->
        json.put("policy", Id.POLICY.text(policyId)).put("version", version).build();
      case Attach(var target, var targetId, var policyId, var version) ->
        json.put("target", PoliciesInForce.text(target))
            .put("targetId", id(target).text(targetId)).put("policy", Id.POLICY.text(policyId)).put("version", version)
            .build();
      case Detach(var target, var targetId) ->
        json.put("target", PoliciesInForce.text(target)).put("targetId", id(target).text(targetId)).build();
      case Members(var groupId, var members) ->
        json.put("group", Id.APPROVER_GROUP.text(groupId)).put("members", texts(members)).build();
      case Principals(var agentId, var approvers) ->
        json.put("agent", Id.AGENT.text(agentId)).put("principals", texts(approvers)).build();
      case Key(var approverId, var key) -> json.put("approver", Id.APPROVER.text(approverId))
          .put("publicKey", key.key().toJson())
          .put("credentialId", key.credentialId() == null ? null : ApproverKey.base64url(key.credentialId())).build();
      case Control(var scope, var groupId, var threshold) -> json.put("scope", scope.text())
          .put("group", groupId == null ? null : Id.APPROVER_GROUP.text(groupId)).put("threshold", threshold).build();
    };
  }

  /** Reads back what {@link #toJson} wrote. */
  static Change parse(Json.Obj json) {
    return switch (text(json, "kind")) {
      case "publish" -> new Publish(id(json, "policy", Id.POLICY), text(json, "version"));
      case "attach" -> {
        var target = PoliciesInForce.target(text(json, "target"));
        yield new Attach(target, id(json, "targetId", id(target)), id(json, "policy", Id.POLICY),
            text(json, "version"));
      }
      case "detach" -> {
        var target = PoliciesInForce.target(text(json, "target"));
        yield new Detach(target, id(json, "targetId", id(target)));
      }
      case "members" -> new Members(id(json, "group", Id.APPROVER_GROUP), ids(json, "members"));
      case "principals" -> new Principals(id(json, "agent", Id.AGENT), ids(json, "principals"));
      case "key" -> new Key(id(json, "approver", Id.APPROVER),
          new Approvers.NewKey(ApproverKey.parse(new String(
              io.bursar.json.JsonText.canonical(Objects.requireNonNull(json.get("publicKey"))),
              java.nio.charset.StandardCharsets.UTF_8)),
              json.get("credentialId") == null ? null : ApproverKey.signature(text(json, "credentialId"))));
      case "control" -> new Control(Scope.parse(text(json, "scope")),
          json.get("group") == null ? null : id(json, "group", Id.APPROVER_GROUP),
          (int) ((Json.Num) Objects.requireNonNull(json.get("threshold"))).value());
      default -> throw new IllegalArgumentException("the change is of no known kind");
    };
  }

  private static Id id(Policy.Target target) {
    return switch (target) {
      case TENANT -> Id.TENANT;
      case AGENT -> Id.AGENT;
      case WALLET -> Id.WALLET;
    };
  }

  private static Json.Arr texts(List<UUID> approvers) {
    return Json.strings(approvers.stream().sorted().map(Id.APPROVER::text).toList());
  }

  private static List<UUID> ids(Json.Obj json, String name) {
    return ((Json.Arr) Objects.requireNonNull(json.get(name))).items().stream()
        .map(item -> Id.APPROVER.parse(((Json.Str) item).value()).orElseThrow()).toList();
  }

  private static UUID id(Json.Obj json, String name, Id kind) {
    return kind.parse(text(json, name)).orElseThrow();
  }

  private static String text(Json.Obj json, String name) {
    return ((Json.Str) Objects.requireNonNull(json.get(name))).value();
  }
}
