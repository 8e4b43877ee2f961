package io.bursar.store;

import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.function.Function;
import java.util.stream.Collectors;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.spend.Id;

/**
 * Wallets that somebody froze, and whose keys the signer therefore shall freeze. What is asked of the signer is recorded first, with the
 * freeze of the wallet, so that a kill in between loses nothing.
 */
public final class KeyFreezes {
  /**
   * One key.
   *
   * @param askedAt when it was frozen last
   * @param askedBy as the record names whoever did
   * @param heldAt when the signer had said that the key is frozen; null until then
   */
  public record KeyFreeze(UUID tenantId, UUID walletId, Instant askedAt, String askedBy, @Nullable Instant heldAt) {}

  private static final String SELECT = "SELECT tenant_id, wallet_id, asked_at, asked_by, held_at FROM key_freeze ";

  private final Database database;
  private final AuditEntries audit;
  private final Directory directory;

  public KeyFreezes(Database database, AuditEntries audit, Directory directory) {
    this.database = database;
    this.audit = audit;
    this.directory = directory;
  }

  public Optional<KeyFreeze> find(UUID tenantId, UUID walletId) {
    return Optional.ofNullable(of(tenantId, List.of(walletId)).get(walletId));
  }

  /** By wallet, those of these wallets that there are. */
  public Map<UUID, KeyFreeze> of(UUID tenantId, List<UUID> walletIds) {
    if (walletIds.isEmpty()) {
      return Map.of();
    }
    return database.sql().sql(SELECT + "WHERE tenant_id = :tenant AND wallet_id IN (:wallets)")
        .param("tenant", tenantId)
        .param("wallets", walletIds).query((row, n) -> read(row)).list().stream()
        .collect(Collectors.toMap(KeyFreeze::walletId, Function.identity()));
  }

  /** Of all tenants, those that the signer has not confirmed yet, longest waiting first. */
  public List<KeyFreeze> waiting(int most) {
    return database.sql().sql(SELECT + "WHERE held_at IS NULL ORDER BY asked_at LIMIT :most").param("most", most)
        .query((row, n) -> read(row)).list();
  }

  /**
   * Freezes a wallet, and notes that the signer shall freeze its key, even if it has done so before.
   *
   * @throws Directory.NothingThere if there is no such wallet
   */
  public KeyFreeze freeze(UUID tenantId, UUID walletId, String actor) {
    return database.inTransaction(() -> {
      var _ = directory.freeze(tenantId, walletId, true, actor);
      return database.sql().sql("""
          INSERT INTO key_freeze (tenant_id, wallet_id, asked_at, asked_by)
          VALUES (:tenant, :wallet, clock_timestamp(), :actor)
          ON CONFLICT (tenant_id, wallet_id) DO UPDATE
          SET asked_at = greatest(excluded.asked_at, key_freeze.asked_at + interval '1 microsecond'),
            asked_by = excluded.asked_by, held_at = NULL
          RETURNING tenant_id, wallet_id, asked_at, asked_by, held_at
          """).param("tenant", tenantId).param("wallet", walletId).param("actor", actor).query((row, n) -> read(row))
          .single();
    });
  }

  /** The signer has frozen the key. Nothing changes if that is known, or if it was asked for again since. */
  public void held(KeyFreeze asked, String actor) {
    database.inTransaction(() -> {
      audit.lock(asked.tenantId()); // so that of two who heard it one records it
      int changed = database.sql().sql("""
          UPDATE key_freeze SET held_at = clock_timestamp()
          WHERE tenant_id = :tenant AND wallet_id = :wallet AND asked_at = :asked AND held_at IS NULL
          """).param("tenant", asked.tenantId()).param("wallet", asked.walletId())
          .param("asked", Directory.utc(asked.askedAt())).update();
      if (changed > 0) {
        audit.write(audit.next(asked.tenantId()), "wallet.key_frozen", asked.walletId(), actor,
            Json.object().put("wallet", Id.WALLET.text(asked.walletId())).build());
      }
    });
  }

  /**
   * Lets a wallet spend again whose key is not frozen any more.
   *
   * @param seen what was known of its key when the signer was asked
   * @return whether it was done: not if the wallet was frozen again since
   */
  public boolean unfreeze(UUID tenantId, UUID walletId, Optional<KeyFreeze> seen, String actor) {
    return database.inTransaction(() -> {
      audit.lock(tenantId);
      if (!find(tenantId, walletId).equals(seen)) {
        return false;
      }
      database.sql().sql("DELETE FROM key_freeze WHERE tenant_id = :tenant AND wallet_id = :wallet")
          .param("tenant", tenantId).param("wallet", walletId).update();
      var _ = directory.freeze(tenantId, walletId, false, actor);
      return true;
    });
  }

  private static KeyFreeze read(ResultSet row) throws SQLException {
    return new KeyFreeze(Directory.uuid(row, "tenant_id"), Directory.uuid(row, "wallet_id"),
        Directory.instant(row, "asked_at"), row.getString("asked_by"), SpendStore.nullableInstant(row, "held_at"));
  }
}
