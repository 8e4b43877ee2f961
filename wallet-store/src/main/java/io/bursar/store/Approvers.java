package io.bursar.store;

import java.nio.charset.StandardCharsets;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.approval.ApproverKey;
import io.bursar.approval.Proof;
import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.permit.Bytes;
import io.bursar.spend.Id;

/** Who may approve: people, the keys that they sign with, and their groups. Every change is recorded with who made it. */
public final class Approvers {
  /**
   * A person who may approve.
   *
   * @param key what the person signs with; absent until one is registered
   */
  public record Approver(UUID id, String name, @Nullable Key key, Instant createdAt) {}

  /**
   * A key in use.
   *
   * @param thumbprint its name (RFC 7638)
   * @param jwk the public key as a canonical JSON Web Key
   * @param passkey what else is known, if an authenticator holds the private half
   */
  public record Key(String thumbprint, String jwk, Proof.@Nullable Passkey passkey, Instant registeredAt) {
    Proof.Registered registered() {
      return new Proof.Registered(ApproverKey.parse(jwk), passkey);
    }
  }

  /**
   * A key to register.
   *
   * @param credentialId of the passkey whose key it is; absent for a key that signs the text itself
   */
  public record NewKey(ApproverKey key, @Nullable Bytes credentialId) {
    public static NewKey of(ApproverKey key) {
      return new NewKey(key, null);
    }

    Json.@Nullable Obj passkey() {
      return credentialId == null
          ? null
          : Json.object().put("credentialId", ApproverKey.base64url(credentialId)).build();
    }
  }

  /**
   * A group of approvers.
   *
   * @param revision counts the changes of its members and of their keys, from 1
   */
  public record Group(UUID id, String name, int revision, List<UUID> members, Instant createdAt) {}

  private final Database database;
  private final AuditEntries audit;

  public Approvers(Database database, AuditEntries audit) {
    this.database = database;
    this.audit = audit;
  }

  /** Makes an approver; empty if the key is or was somebody's. */
  public Optional<Approver> create(UUID tenantId, String name, @Nullable NewKey wanted, String actor) {
    return Directory.unlessTaken(() -> database.inTransaction(() -> {
      var slot = audit.next(tenantId);
      var id = Ids.next(slot.at());
      database.sql()
          .sql("INSERT INTO approver (tenant_id, approver_id, name, created_at) VALUES (:tenant, :id, :name, :at)")
          .param("tenant", tenantId).param("id", id).param("name", name).param("at", Directory.utc(slot.at()))
          .update();
      var key = wanted == null ? null : wanted.key();
      if (wanted != null) {
        insertKey(slot, id, wanted);
      }
      audit.write(slot, "approver.created", id, actor, Json.object().put("approver", Id.APPROVER.text(id))
          .put("name", name).put("publicKey", key == null ? null : key.toJson())
          .put("key", key == null ? null : key.thumbprint()).put("passkey", wanted == null ? null : wanted.passkey())
          .build());
      return find(tenantId, id).orElseThrow();
    }));
  }

  /**
   * Gives an approver a key, in place of the one before. The groups that the approver is in have changed with it, so that what was
   * approved under the old key and still waits is dismissed. The key in use again changes nothing.
   *
   * @return empty if the key is or was somebody's
   * @throws Directory.NothingThere if there is no such approver
   */
  public Optional<Approver> setKey(UUID tenantId, UUID approverId, NewKey wanted, String actor) {
    var key = wanted.key();
    return database.inTransaction(() -> {
      audit.lock(tenantId);
      var before = find(tenantId, approverId).orElseThrow(Directory.NothingThere::new);
      if (before.key() != null && before.key().thumbprint().equals(key.thumbprint())) {
        return Optional.of(before);
      }
      // Asked first: a key that is taken must not break the transaction of who has more to do in it.
      if (isTaken(tenantId, wanted)) {
        return Optional.<Approver>empty();
      }
      var slot = audit.next(tenantId);
      database.sql().sql("""
          UPDATE approver_key SET retired_at = :at
          WHERE tenant_id = :tenant AND approver_id = :approver AND retired_at IS NULL
          """).param("at", Directory.utc(slot.at())).param("tenant", tenantId).param("approver", approverId).update();
      insertKey(slot, approverId, wanted);
      audit.write(slot, "approver.key_changed", approverId, actor,
          Json.object().put("approver", Id.APPROVER.text(approverId)).put("publicKey", key.toJson())
              .put("key", key.thumbprint()).put("passkey", wanted.passkey())
              .put("before", before.key() == null ? null : before.key().thumbprint())
              .build());
      for (var group : database.sql()
          .sql("SELECT group_id FROM approver_group_member WHERE tenant_id = :tenant AND approver_id = :approver")
          .param("tenant", tenantId).param("approver", approverId).query(UUID.class).list()) {
        revise(tenantId, Objects.requireNonNull(group), actor);
      }
      return find(tenantId, approverId);
    });
  }

  /** Whether a key or passkey is or was somebody's; for who holds the lane, as every writer of keys does. */
  private boolean isTaken(UUID tenantId, NewKey wanted) {
    var credentialId = wanted.credentialId() == null ? null : wanted.credentialId().toByteArray();
    return database.sql().sql("""
        SELECT EXISTS (SELECT FROM approver_key WHERE tenant_id = :tenant
                       AND (thumbprint = :thumbprint OR sha256(credential_id) = sha256(:credential)))
        """).param("tenant", tenantId).param("thumbprint", wanted.key().thumbprint())
        .param("credential", credentialId, java.sql.Types.BINARY).query(Boolean.class).single();
  }

  private void insertKey(AuditEntries.Slot slot, UUID approverId, NewKey wanted) {
    var credentialId = wanted.credentialId() == null ? null : wanted.credentialId().toByteArray();
    database.sql().sql("""
        INSERT INTO approver_key (tenant_id, approver_id, thumbprint, public_key, credential_id, registered_at)
        VALUES (:tenant, :approver, :thumbprint, :key, :credential, :at)
        """).param("tenant", slot.tenantId()).param("approver", approverId)
        .param("thumbprint", wanted.key().thumbprint()).param("key", wanted.key().jwk())
        .param("credential", credentialId, java.sql.Types.BINARY).param("at", Directory.utc(slot.at())).update();
  }

  /**
   * What is kept of a word beside its text, for an outsider to check it again. All of it is absent where an API key alone spoke:
   * the record holds no signature that was not checked.
   */
  record Evidence(@Nullable String thumbprint, @Nullable String signature, Json.@Nullable Obj assertion) {
    @Nullable
    String assertionText() {
      return assertion == null ? null : new String(JsonText.canonical(assertion), StandardCharsets.UTF_8);
    }
  }

  /** The evidence of a word that was proven under a key; notes how far the key's passkey has counted. Inside a transaction. */
  Evidence evidence(UUID tenantId, @Nullable Key key, @Nullable Proof given) {
    if (key == null) {
      return new Evidence(null, null, null);
    }
    var proof = Objects.requireNonNull(given, "a key's word is proven");
    if (proof.assertion() != null) {
      database.sql().sql("UPDATE approver_key SET sign_count = :count WHERE tenant_id = :tenant AND thumbprint = :key")
          .param("count", proof.signCount()).param("tenant", tenantId).param("key", key.thumbprint()).update();
    }
    return new Evidence(key.thumbprint(), ApproverKey.base64url(proof.signature()), proof.assertion());
  }

  public Optional<Approver> find(UUID tenantId, UUID approverId) {
    return database.sql().sql(SELECT + " AND a.approver_id = :id").param("tenant", tenantId).param("id", approverId)
        .query((row, n) -> approver(row)).optional();
  }

  public Page<Approver> list(UUID tenantId, Page.Request page) {
    return Page.of(database.sql().sql(SELECT + " AND a.approver_id > :after ORDER BY a.approver_id LIMIT :limit")
        .param("tenant", tenantId).param("after", Directory.after(page)).param("limit", page.limit() + 1)
        .query((row, n) -> approver(row)).list(), page.limit(), Approver::id);
  }

  private static final String SELECT = """
      SELECT a.approver_id, a.name, a.created_at, k.thumbprint, k.public_key, k.credential_id, k.sign_count,
             k.registered_at
      FROM approver a LEFT JOIN approver_key k
        ON k.tenant_id = a.tenant_id AND k.approver_id = a.approver_id AND k.retired_at IS NULL
      WHERE a.tenant_id = :tenant""";

  private static Approver approver(ResultSet row) throws SQLException {
    byte @Nullable [] credentialId = row.getBytes("credential_id");
    var passkey = credentialId == null
        ? null
        : new Proof.Passkey(Bytes.of(credentialId), row.getLong("sign_count"));
    var key = row.getString("thumbprint") == null
        ? null
        : new Key(row.getString("thumbprint"), row.getString("public_key"), passkey,
            Directory.instant(row, "registered_at"));
    return new Approver(Directory.uuid(row, "approver_id"), row.getString("name"), key,
        Directory.instant(row, "created_at"));
  }

  /** Whether all of these are approvers of the tenant. */
  public boolean exist(UUID tenantId, List<UUID> approvers) {
    return database.sql().sql("""
        SELECT count(*) FROM approver WHERE tenant_id = :tenant AND approver_id = ANY (:ids)
        """).param("tenant", tenantId).param("ids", approvers.toArray(UUID[]::new)).query(Long.class)
        .single() == new HashSet<>(approvers).size();
  }

  /** Makes a group of existing approvers; empty if the name is taken. */
  public Optional<Group> createGroup(UUID tenantId, String name, List<UUID> members, String actor) {
    return Directory.unlessTaken(() -> database.inTransaction(() -> {
      var slot = audit.nextChanging(tenantId, false, true);
      var id = Ids.next(slot.at());
      database.sql().sql("""
          INSERT INTO approver_group (tenant_id, group_id, name, created_at) VALUES (:tenant, :id, :name, :at)
          """).param("tenant", tenantId).param("id", id).param("name", name).param("at", Directory.utc(slot.at()))
          .update();
      insertMembers(tenantId, id, members);
      audit.write(slot, "approver_group.created", id, actor, described(id, name, members).build());
      return group(tenantId, id).orElseThrow();
    }));
  }

  private void insertMembers(UUID tenantId, UUID groupId, List<UUID> members) {
    database.sql().sql("""
        INSERT INTO approver_group_member (tenant_id, group_id, approver_id)
        SELECT :tenant, :group, unnest(:members::uuid[])
        """).param("tenant", tenantId).param("group", groupId).param("members", members.toArray(UUID[]::new)).update();
  }

  /**
   * Replaces the members of a group. What its members had approved and still waits is dismissed. The same members again change
   * nothing. Empty if there is no such group.
   */
  public Optional<Group> changeMembers(UUID tenantId, UUID groupId, List<UUID> members, String actor) {
    return database.inTransaction(() -> {
      audit.lock(tenantId);
      var before = group(tenantId, groupId);
      if (before.isEmpty() || new HashSet<>(before.get().members()).equals(new HashSet<>(members))) {
        return before;
      }
      database.sql().sql("DELETE FROM approver_group_member WHERE tenant_id = :tenant AND group_id = :group")
          .param("tenant", tenantId).param("group", groupId).update();
      insertMembers(tenantId, groupId, members);
      var slot = audit.next(tenantId);
      audit.write(slot, "approver_group.members_changed", groupId, actor,
          described(groupId, before.get().name(), members)
              .put("before", Json.strings(before.get().members().stream().map(Id.APPROVER::text).toList())).build());
      revise(tenantId, groupId, actor);
      return group(tenantId, groupId);
    });
  }

  private static Json.Builder described(UUID id, String name, List<UUID> members) {
    return Json.object().put("group", Id.APPROVER_GROUP.text(id)).put("name", name)
        .put("members", Json.strings(members.stream().sorted().map(Id.APPROVER::text).toList()));
  }

  /** Gives a group its next revision and dismisses what was approved under the one before and still waits. */
  private void revise(UUID tenantId, UUID groupId, String actor) {
    var name = database.sql().sql("""
        UPDATE approver_group SET revision = revision + 1 WHERE tenant_id = :tenant AND group_id = :group RETURNING name
        """).param("tenant", tenantId).param("group", groupId).query(String.class).single();
    new ApprovalRounds(database, audit).dismissByGroup(tenantId, java.util.Objects.requireNonNull(name), actor);
  }

  public Optional<Group> group(UUID tenantId, UUID groupId) {
    return database.sql().sql(SELECT_GROUP + " AND g.group_id = :id").param("tenant", tenantId).param("id", groupId)
        .query((row, n) -> group(row)).optional();
  }

  public Page<Group> groups(UUID tenantId, Page.Request page) {
    return Page.of(database.sql().sql(SELECT_GROUP + " AND g.group_id > :after ORDER BY g.group_id LIMIT :limit")
        .param("tenant", tenantId).param("after", Directory.after(page)).param("limit", page.limit() + 1)
        .query((row, n) -> group(row)).list(), page.limit(), Group::id);
  }

  private static final String SELECT_GROUP = """
      SELECT g.group_id, g.name, g.revision, g.created_at,
             ARRAY(SELECT m.approver_id FROM approver_group_member m
                   WHERE m.tenant_id = g.tenant_id AND m.group_id = g.group_id ORDER BY 1) AS members
      FROM approver_group g WHERE g.tenant_id = :tenant""";

  private static Group group(ResultSet row) throws SQLException {
    return new Group(Directory.uuid(row, "group_id"), row.getString("name"), row.getInt("revision"),
        List.of((UUID[]) row.getArray("members").getArray()), Directory.instant(row, "created_at"));
  }
}
