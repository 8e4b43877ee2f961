package io.bursar.store;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.SecureRandom;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.approval.ApproverKey;
import io.bursar.json.Json;
import io.bursar.spend.Id;

/**
 * The keys by which programs and people call the API. A key is 256 random bits; only its SHA-256 is kept, which is as good
 * as a slow hash for a secret that cannot be guessed, and does not slow down every request.
 */
public final class ApiKeys {
  public enum Role {
    ADMIN,
    AGENT,
    APPROVER,
    AUDITOR;

    public String text() {
      return name().toLowerCase(Locale.ROOT);
    }

    public static Role parse(String text) {
      for (var role : values()) {
        if (role.text().equals(text)) {
          return role;
        }
      }
      throw new IllegalArgumentException("must be one of `admin`, `agent`, `approver` and `auditor`");
    }
  }

  /**
   * A key without its secret.
   *
   * @param agentId the agent that the key acts for; only and always for {@link Role#AGENT}
   * @param approverId the approver that the key acts for, always for {@link Role#APPROVER}; for {@link Role#ADMIN} the approver
   *     who holds it, where that was said
   * @param publicKey whose private half must have signed each request that changes something, besides the secret; null for a
   *     key that is a secret and nothing more
   */
  public record ApiKey(UUID id, UUID tenantId, Role role, String name, @Nullable UUID agentId,
      @Nullable UUID approverId, @Nullable ApproverKey publicKey,
      Instant createdAt, @Nullable Instant revokedAt) {}

  /** What is asked for: see {@link ApiKey}. */
  public record NewKey(Role role, String name, @Nullable UUID agentId, @Nullable UUID approverId,
      @Nullable ApproverKey publicKey) {}

  /** A new key with the only sight of its secret. */
  public record Issued(ApiKey key, Database.Secret secret) {}

  private static final SecureRandom RANDOM = new SecureRandom();
  private static final String PREFIX = "bur_";

  private final Database database;
  private final AuditEntries audit;

  public ApiKeys(Database database, AuditEntries audit) {
    this.database = database;
    this.audit = audit;
  }

  /** Issues a key that is a secret and nothing more. */
  public Issued issue(UUID tenantId, Role role, String name, @Nullable UUID agentId, @Nullable UUID approverId,
      String actor) {
    return issue(tenantId, new NewKey(role, name, agentId, approverId, null), actor);
  }

  /** Issues a key. Who holds the key that issues one for an agent is a principal of the agent from then on. */
  public Issued issue(UUID tenantId, NewKey wanted, String actor) {
    var random = new byte[32];
    RANDOM.nextBytes(random);
    var secret = PREFIX + Base64.getUrlEncoder().withoutPadding().encodeToString(random);
    return database.inTransaction(() -> {
      var slot = audit.next(tenantId);
      var agentId = wanted.agentId();
      var approverId = wanted.approverId();
      var publicKey = wanted.publicKey();
      var key = new ApiKey(Ids.next(slot.at()), tenantId, wanted.role(), wanted.name(), agentId, approverId, publicKey,
          slot.at(), null);
      database.sql().sql("""
          INSERT INTO api_key (tenant_id, key_id, role, name, agent_id, approver_id, public_key, hash, created_at)
          VALUES (:tenant, :id, :role, :name, :agent, :approver, :publicKey, :hash, :at)
          """).param("tenant", tenantId).param("id", key.id()).param("role", key.role().text())
          .param("name", key.name())
          .param("agent", agentId, java.sql.Types.OTHER).param("approver", approverId, java.sql.Types.OTHER)
          .param("publicKey", publicKey == null ? null : publicKey.jwk(), java.sql.Types.VARCHAR)
          .param("hash", hash(secret)).param("at", Directory.utc(slot.at())).update();
      if (agentId != null) {
        Principals.add(database, tenantId, agentId, List.of(), actor);
      }
      audit.write(slot, "api_key.issued", key.id(), actor, Json.object().put("key", Id.API_KEY.text(key.id()))
          .put("role", key.role().text()).put("name", key.name())
          .put("agent", agentId == null ? null : Id.AGENT.text(agentId))
          .put("approver", approverId == null ? null : Id.APPROVER.text(approverId))
          .put("publicKey", publicKey == null ? null : publicKey.toJson()).build());
      return new Issued(key, new Database.Secret(secret));
    });
  }

  /** The key with this secret, also if it is revoked. */
  public Optional<ApiKey> known(String secret) {
    return database.sql().sql(SELECT + " WHERE hash = :hash").param("hash", hash(secret)).query((row, n) -> key(row))
        .optional();
  }

  public Page<ApiKey> list(UUID tenantId, Page.Request page) {
    return Page
        .of(database.sql().sql(SELECT + " WHERE tenant_id = :tenant AND key_id > :after ORDER BY key_id LIMIT :limit")
            .param("tenant", tenantId).param("after", Directory.after(page)).param("limit", page.limit() + 1)
            .query((row, n) -> key(row)).list(), page.limit(), ApiKey::id);
  }

  /** Revokes a key for ever; whether there was such a key. Revoking again changes nothing. */
  public boolean revoke(UUID tenantId, UUID keyId, String actor) {
    return database.inTransaction(() -> {
      var found = database.sql().sql(SELECT + " WHERE tenant_id = :tenant AND key_id = :id").param("tenant", tenantId)
          .param("id", keyId).query((row, n) -> key(row)).optional();
      if (found.isEmpty() || found.get().revokedAt() != null) {
        return found.isPresent();
      }
      var slot = audit.next(tenantId);
      database.sql()
          .sql("UPDATE api_key SET revoked_at = :at WHERE tenant_id = :tenant AND key_id = :id AND revoked_at IS NULL")
          .param("at", Directory.utc(slot.at())).param("tenant", tenantId).param("id", keyId).update();
      audit.write(slot, "api_key.revoked", keyId, actor, Json.object().put("key", Id.API_KEY.text(keyId)).build());
      return true;
    });
  }

  private static final String SELECT = """
      SELECT key_id, tenant_id, role, name, agent_id, approver_id, public_key, created_at, revoked_at FROM api_key""";

  private static ApiKey key(ResultSet row) throws SQLException {
    return new ApiKey(Directory.uuid(row, "key_id"), Directory.uuid(row, "tenant_id"),
        Role.parse(row.getString("role")),
        row.getString("name"), row.getObject("agent_id", UUID.class), row.getObject("approver_id", UUID.class),
        publicKey(row.getString("public_key")), Directory.instant(row, "created_at"),
        row.getObject("revoked_at") == null ? null : Directory.instant(row, "revoked_at"));
  }

  private static @Nullable ApproverKey publicKey(@Nullable String jwk) {
    return jwk == null ? null : ApproverKey.parse(jwk);
  }

  /** What is kept of a secret. */
  public static byte[] hash(String secret) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(secret.getBytes(StandardCharsets.UTF_8));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
