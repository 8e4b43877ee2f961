package io.bursar.store;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.json.JsonDiff;
import io.bursar.spend.Id;

/** What a change finds and what it leaves, how that differs, and how it is done. */
final class ChangeStates {
  private final Database database;
  private final PolicyStore policies;
  private final Approvers approvers;
  private final Directory directory;

  ChangeStates(Database database, PolicyStore policies, Approvers approvers, Directory directory) {
    this.database = database;
    this.policies = policies;
    this.approvers = approvers;
    this.directory = directory;
  }

  /**
   * The state that a change finds now and the one that it would leave, as JSON that people can compare.
   *
   * @throws Directory.NothingThere if it changes what is not there
   */
  Json.Obj content(UUID tenantId, Change change) {
    var states = switch (change) {
      case Change.Publish(var policyId, var version) -> new States(
          Json.object().put("published", policies.find(tenantId, policyId, version)
              .orElseThrow(Directory.NothingThere::new).publishedAt() != null).build(),
          Json.object().put("published", true).build());
      case Change.Attach(var target, var targetId, var policyId, var version) ->
        new States(attached(policies.attachment(tenantId, target, targetId)), policy(tenantId, policyId, version));
      case Change.Detach(var target, var targetId) -> new States(
          attached(Optional.of(policies.attachment(tenantId, target, targetId)
              .orElseThrow(Directory.NothingThere::new))),
          Json.object().build());
      case Change.Members(var groupId, var members) -> {
        var group = approvers.group(tenantId, groupId).orElseThrow(Directory.NothingThere::new);
        yield new States(people(tenantId, "members", group.members()), people(tenantId, "members", members));
      }
      case Change.Principals(var agentId, var named) -> {
        var agent = directory.agent(tenantId, agentId).orElseThrow(Directory.NothingThere::new);
        yield new States(people(tenantId, "principals", agent.principals()), people(tenantId, "principals", named));
      }
      case Change.Key(var approverId, var key) -> {
        var before = approvers.find(tenantId, approverId).orElseThrow(Directory.NothingThere::new).key();
        yield new States(Json.object().put("key", before == null ? null : before.thumbprint()).build(),
            Json.object().put("key", key.key().thumbprint()).build());
      }
      case Change.Control(var scope, var groupId, var threshold) -> {
        if (groupId != null) {
          var _ = approvers.group(tenantId, groupId).orElseThrow(Directory.NothingThere::new);
        }
        yield new States(control(control(tenantId, scope).orElse(null)),
            control(groupId == null ? null : new ChangeControl.Control(scope, groupId, threshold)));
      }
    };
    return Json.object().put("change", change.toJson()).put("before", states.before).put("after", states.after).build();
  }

  private record States(Json.Obj before, Json.Obj after) {}

  /** A policy by its version, which is the hash of its document: who signs the one has signed the other. */
  private Json.Obj policy(UUID tenantId, UUID policyId, String version) {
    var _ = policies.find(tenantId, policyId, version).orElseThrow(Directory.NothingThere::new);
    return Json.object().put("policy", Id.POLICY.text(policyId)).put("version", version).build();
  }

  private static Json.Obj attached(Optional<PolicyStore.Attachment> attachment) {
    return attachment.map(there -> Json.object().put("policy", Id.POLICY.text(there.policyId()))
        .put("version", there.version()).build()).orElseGet(() -> Json.object().build());
  }

  /** What a change does, as lines for people: of a policy, the differences between the documents as well. */
  List<String> diff(UUID tenantId, Json.Obj content) {
    var before = (Json.Obj) Objects.requireNonNull(content.get("before"));
    var after = (Json.Obj) Objects.requireNonNull(content.get("after"));
    var lines = new ArrayList<>(JsonDiff.lines(before, after));
    lines.addAll(JsonDiff.lines(document(tenantId, before), document(tenantId, after)));
    return lines;
  }

  private Json document(UUID tenantId, Json.Obj state) {
    return state.get("policy") instanceof Json.Str(var policy) && state.get("version") instanceof Json.Str(var version)
        ? Json.object().put("document", policies.find(tenantId, Id.POLICY.parse(policy).orElseThrow(), version)
            .orElseThrow(Directory.NothingThere::new).document()).build()
        : Json.object().build();
  }

  private Json.Obj people(UUID tenantId, String name, List<UUID> ids) {
    return Json.object().put(name, Json.strings(ids.stream().sorted()
        .map(id -> Id.APPROVER.text(id) + " "
            + approvers.find(tenantId, id).orElseThrow(Directory.NothingThere::new).name())
        .toList())).build();
  }

  private static Json.Obj control(ChangeControl.@Nullable Control control) {
    return control == null
        ? Json.object().build()
        : Json.object().put("group", Id.APPROVER_GROUP.text(control.groupId())).put("threshold", control.threshold())
            .build();
  }

  /** What is under control in a scope. */
  Optional<ChangeControl.Control> control(UUID tenantId, Change.Scope scope) {
    return database.sql().sql("""
        SELECT group_id, threshold FROM change_control WHERE tenant_id = :tenant AND scope = :scope
        """).param("tenant", tenantId).param("scope", scope.text())
        .query((row, n) -> new ChangeControl.Control(scope, Directory.uuid(row, "group_id"), row.getInt("threshold")))
        .optional();
  }

  /** Does a change, inside a transaction; whether it could be done. */
  boolean apply(AuditEntries audit, UUID tenantId, Change change, String actor) {
    return switch (change) {
      case Change.Publish(var policyId, var version) ->
        policies.publish(tenantId, policyId, version, actor).isPresent();
      case Change.Attach(var target, var targetId, var policyId, var version) -> policies.attach(tenantId, target,
          targetId, policyId, version, actor) instanceof PolicyStore.AttachResult.Attached;
      case Change.Detach(var target, var targetId) -> policies.detach(tenantId, target, targetId, actor).isPresent();
      case Change.Members(var groupId, var members) ->
        approvers.changeMembers(tenantId, groupId, members, actor).isPresent();
      case Change.Principals(var agentId, var named) ->
        directory.setPrincipals(tenantId, agentId, named, actor).isPresent();
      case Change.Key(var approverId, var key) -> approvers.setKey(tenantId, approverId, key, actor).isPresent();
      case Change.Control control -> {
        setControl(audit, tenantId, control, actor);
        yield true;
      }
    };
  }

  private void setControl(AuditEntries audit, UUID tenantId, Change.Control control, String actor) {
    var slot = audit.next(tenantId);
    if (control.groupId() == null) {
      database.sql().sql("DELETE FROM change_control WHERE tenant_id = :tenant AND scope = :scope")
          .param("tenant", tenantId).param("scope", control.scope().text()).update();
    } else {
      database.sql().sql("""
          INSERT INTO change_control (tenant_id, scope, group_id, threshold, set_at)
          VALUES (:tenant, :scope, :group, :threshold, :at)
          ON CONFLICT (tenant_id, scope) DO UPDATE
          SET group_id = excluded.group_id, threshold = excluded.threshold, set_at = excluded.set_at
          """).param("tenant", tenantId).param("scope", control.scope().text()).param("group", control.groupId())
          .param("threshold", control.threshold()).param("at", Directory.utc(slot.at())).update();
    }
    audit.write(slot, "change_control.set", null, actor, control.toJson());
  }
}
