package io.bursar.store;

import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.policy.Policy;
import io.bursar.policy.PolicyEnvironment;
import io.bursar.policy.PolicyJson;
import io.bursar.spend.Id;

/** Policies, their immutable versions, and what they are attached to. */
public final class PolicyStore {
  /**
   * One version of a policy.
   *
   * @param number counts the versions of the policy from 1
   * @param document as it was given, in its canonical form
   * @param publishedAt when it was published; only then can it be attached
   */
  public record PolicyVersion(UUID policyId, String name, String version, int number, Json.Obj document,
      Instant createdAt,
      @Nullable Instant publishedAt) {}

  public record Attachment(Policy.Target target, UUID targetId, UUID policyId, String version, Instant attachedAt) {}

  /** What became of a request to attach. */
  public sealed interface AttachResult {
    record Attached(Attachment attachment) implements AttachResult {}

    record UnknownTarget() implements AttachResult {}

    record UnknownVersion() implements AttachResult {}

    record NotPublished() implements AttachResult {}
  }

  /** A longer document, in bytes, is not in the entry of its making, which has its hash in any case: the version. */
  private static final int IN_ENTRY_MAX = 60_000;

  private static final String SELECT = """
      SELECT v.policy_id, p.name, v.version, v.number, v.document, v.created_at, v.published_at
      FROM policy_version v JOIN policy p ON p.tenant_id = v.tenant_id AND p.policy_id = v.policy_id
      WHERE v.tenant_id = :tenant""";

  private final Database database;
  private final AuditEntries audit;
  private final CounterKeeping counters;

  public PolicyStore(Database database, AuditEntries audit, CounterKeeping counters) {
    this.database = database;
    this.audit = audit;
    this.counters = counters;
  }

  /** What the documents of a tenant may name and say. */
  public PolicyEnvironment environment(UUID tenantId) {
    return PolicyDocuments.environment(database, tenantId);
  }

  /** Makes a policy with its first version, as a draft. */
  public PolicyVersion create(UUID tenantId, String name, Json.Obj document, String actor) {
    return database.inTransaction(() -> {
      var slot = audit.next(tenantId);
      var policyId = Ids.next(slot.at());
      database.sql()
          .sql("INSERT INTO policy (tenant_id, policy_id, name, created_at) VALUES (:tenant, :id, :name, :at)")
          .param("tenant", tenantId).param("id", policyId).param("name", name).param("at", Directory.utc(slot.at()))
          .update();
      return insert(slot, policyId, 1, document, actor);
    });
  }

  /** Adds a version to a policy, as a draft; the same document again is the same version. Empty if there is no such policy. */
  public Optional<PolicyVersion> addVersion(UUID tenantId, UUID policyId, Json.Obj document, String actor) {
    return database.inTransaction(() -> {
      var slot = audit.next(tenantId);
      var versions = versions(tenantId, policyId);
      if (versions.isEmpty()) {
        throw new Directory.NothingThere();
      }
      var version = PolicyJson.version(document);
      var same = versions.stream().filter(known -> known.version().equals(version)).findFirst();
      if (same.isPresent()) {
        audit.write(slot, "policy.version_repeated", policyId, actor, described(policyId, version));
        return same;
      }
      int number = versions.stream().mapToInt(PolicyVersion::number).max().orElse(0) + 1;
      return Optional.of(insert(slot, policyId, number, document, actor));
    });
  }

  private PolicyVersion insert(AuditEntries.Slot slot, UUID policyId, int number, Json.Obj document, String actor) {
    var version = PolicyJson.version(document);
    var bytes = JsonText.canonical(document);
    database.sql().sql("""
        INSERT INTO policy_version (tenant_id, policy_id, version, number, document, created_at)
        VALUES (:tenant, :id, :version, :number, :document, :at)
        """).param("tenant", slot.tenantId()).param("id", policyId).param("version", version).param("number", number)
        .param("document", bytes).param("at", Directory.utc(slot.at())).update();
    audit.write(slot, "policy.version_created", policyId, actor,
        Json.object().put("policy", Id.POLICY.text(policyId)).put("version", version)
            .put("documentBytes", bytes.length > IN_ENTRY_MAX ? new Json.Num(bytes.length) : null)
            .put("document", bytes.length > IN_ENTRY_MAX ? null : document).build());
    return find(slot.tenantId(), policyId, version).orElseThrow();
  }

  /** Publishes a version: from then on it can be attached. Publishing again changes nothing. Empty if there is no such version. */
  public Optional<PolicyVersion> publish(UUID tenantId, UUID policyId, String version, String actor) {
    return database.inTransaction(() -> {
      var slot = audit.next(tenantId);
      int changed = database.sql().sql("""
          UPDATE policy_version SET published_at = coalesce(published_at, :at)
          WHERE tenant_id = :tenant AND policy_id = :id AND version = :version
          """).param("at", Directory.utc(slot.at())).param("tenant", tenantId).param("id", policyId)
          .param("version", version).update();
      if (changed == 0) {
        throw new Directory.NothingThere();
      }
      audit.write(slot, "policy.published", policyId, actor, described(policyId, version));
      return find(tenantId, policyId, version);
    });
  }

  public Optional<PolicyVersion> find(UUID tenantId, UUID policyId, String version) {
    return database.sql().sql(SELECT + " AND v.policy_id = :id AND v.version = :version").param("tenant", tenantId)
        .param("id", policyId).param("version", version).query((row, n) -> version(row)).optional();
  }

  /** The document of a version, by its hash alone, as canonical JSON (RFC 8785). */
  public Optional<byte[]> document(UUID tenantId, String version) {
    return database.reading()
        .sql("SELECT document FROM policy_version WHERE tenant_id = :tenant AND version = :version LIMIT 1")
        .param("tenant", tenantId).param("version", version).query((row, n) -> row.getBytes("document")).optional();
  }

  /** All versions of a policy, the newest first; none if there is no such policy. */
  public List<PolicyVersion> versions(UUID tenantId, UUID policyId) {
    return database.sql().sql(SELECT + " AND v.policy_id = :id ORDER BY v.number DESC").param("tenant", tenantId)
        .param("id", policyId)
        .query((row, n) -> version(row)).list();
  }

  /** Every policy in its newest version. */
  public Page<PolicyVersion> list(UUID tenantId, Page.Request page) {
    return Page.of(database.sql().sql(SELECT + """
         AND v.policy_id > :after AND v.number = (SELECT max(number) FROM policy_version n
                                                  WHERE n.tenant_id = v.tenant_id AND n.policy_id = v.policy_id)
        ORDER BY v.policy_id LIMIT :limit
        """).param("tenant", tenantId).param("after", Directory.after(page)).param("limit", page.limit() + 1)
        .query((row, n) -> version(row)).list(), page.limit(), PolicyVersion::policyId);
  }

  private static PolicyVersion version(ResultSet row) throws SQLException {
    return new PolicyVersion(Directory.uuid(row, "policy_id"), row.getString("name"), row.getString("version"),
        row.getInt("number"),
        SpendStore.entry(row.getBytes("document")), Directory.instant(row, "created_at"),
        SpendStore.nullableInstant(row, "published_at"));
  }

  /**
   * Attaches a published version, in place of whatever was attached there. What was spent before counts against its limits at
   * once, as if it had always been there.
   */
  public AttachResult attach(UUID tenantId, Policy.Target target, UUID targetId, UUID policyId, String version,
      String actor) {
    // Versions, publications and targets are never taken back, so they need no lock.
    var found = find(tenantId, policyId, version);
    if (found.isEmpty()) {
      return new AttachResult.UnknownVersion();
    }
    if (found.get().publishedAt() == null) {
      return new AttachResult.NotPublished();
    }
    if (!exists(tenantId, target, targetId)) {
      return new AttachResult.UnknownTarget();
    }
    return database.inTransaction(() -> {
      var slot = audit.nextChanging(tenantId, true, true);
      database.sql().sql("""
          INSERT INTO policy_attachment (tenant_id, target, target_id, policy_id, version, attached_at)
          VALUES (:tenant, :target, :targetId, :policy, :version, :at)
          ON CONFLICT (tenant_id, target, target_id)
          DO UPDATE SET policy_id = excluded.policy_id, version = excluded.version, attached_at = excluded.attached_at
          """).param("tenant", tenantId).param("target", PoliciesInForce.text(target)).param("targetId", targetId)
          .param("policy", policyId).param("version", version).param("at", Directory.utc(slot.at())).update();
      counters.keep(slot, target, targetId,
          Optional.of(PolicyDocuments.load(database, tenantId, found.get().document())));
      audit.write(slot, "policy.attached", policyId, actor, described(policyId, version, target, targetId));
      return new AttachResult.Attached(new Attachment(target, targetId, policyId, version, slot.at()));
    });
  }

  /** Takes away whatever is attached; empty if nothing is. */
  public Optional<Attachment> detach(UUID tenantId, Policy.Target target, UUID targetId, String actor) {
    return database.inTransaction(() -> {
      var slot = audit.nextChanging(tenantId, true, true);
      var attachment = attachment(tenantId, target, targetId).orElseThrow(Directory.NothingThere::new);
      database.sql()
          .sql("DELETE FROM policy_attachment WHERE tenant_id = :tenant AND target = :target AND target_id = :targetId")
          .param("tenant", tenantId).param("target", PoliciesInForce.text(target)).param("targetId", targetId).update();
      counters.keep(slot, target, targetId, Optional.empty());
      audit.write(slot, "policy.detached", attachment.policyId(), actor,
          described(attachment.policyId(), attachment.version(), target, targetId));
      return Optional.of(attachment);
    });
  }

  public Optional<Attachment> attachment(UUID tenantId, Policy.Target target, UUID targetId) {
    return database.sql().sql(SELECT_ATTACHMENT + " AND target = :target AND target_id = :targetId")
        .param("tenant", tenantId)
        .param("target", PoliciesInForce.text(target)).param("targetId", targetId).query((row, n) -> attachment(row))
        .optional();
  }

  public Page<Attachment> attachments(UUID tenantId, Page.Request page) {
    return Page.of(database.sql().sql(SELECT_ATTACHMENT + " AND target_id > :after ORDER BY target_id LIMIT :limit")
        .param("tenant", tenantId).param("after", Directory.after(page)).param("limit", page.limit() + 1)
        .query((row, n) -> attachment(row)).list(), page.limit(), Attachment::targetId);
  }

  private static final String SELECT_ATTACHMENT = """
      SELECT target, target_id, policy_id, version, attached_at FROM policy_attachment WHERE tenant_id = :tenant""";

  private static Attachment attachment(ResultSet row) throws SQLException {
    return new Attachment(PoliciesInForce.target(row.getString("target")), Directory.uuid(row, "target_id"),
        Directory.uuid(row, "policy_id"), row.getString("version"), Directory.instant(row, "attached_at"));
  }

  private boolean exists(UUID tenantId, Policy.Target target, UUID targetId) {
    var query = switch (target) {
      case TENANT -> "SELECT count(*) FROM tenant WHERE tenant_id = :tenant AND tenant_id = :id";
      case AGENT -> "SELECT count(*) FROM agent WHERE tenant_id = :tenant AND agent_id = :id";
      case WALLET -> "SELECT count(*) FROM wallet WHERE tenant_id = :tenant AND wallet_id = :id";
    };
    return database.sql().sql(query).param("tenant", tenantId).param("id", targetId).query(Long.class).single() == 1;
  }

  private static Json.Obj described(UUID policyId, String version) {
    return Json.object().put("policy", Id.POLICY.text(policyId)).put("version", version).build();
  }

  private static Json.Obj described(UUID policyId, String version, Policy.Target target, UUID targetId) {
    return Json.object().put("policy", Id.POLICY.text(policyId)).put("version", version)
        .put("target", PoliciesInForce.text(target)).put("targetId", switch (target) {
          case TENANT -> Id.TENANT.text(targetId);
          case AGENT -> Id.AGENT.text(targetId);
          case WALLET -> Id.WALLET.text(targetId);
        }).build();
  }
}
