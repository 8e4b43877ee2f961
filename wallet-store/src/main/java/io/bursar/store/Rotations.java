package io.bursar.store;

import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.util.Optional;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.money.Address;
import io.bursar.policy.Policy;
import io.bursar.spend.Id;
import io.bursar.store.Directory.Wallet;

/**
 * Wallets that are replaced by one with a new key. The successor belongs to the same agent on the same chain and has the same
 * policy and settlement of its own; the old wallet goes on until it is empty, and is then frozen. Money that arrives at it later opens it
 * again, to follow.
 */
public final class Rotations {
  /**
   * One rotation.
   *
   * @param archivedAt when the old wallet was put away; until then its money may still be on its way
   */
  public record Rotation(UUID walletId, Wallet successor, Instant rotatedAt, @Nullable Instant archivedAt) {}

  private final Database database;
  private final AuditEntries audit;
  private final Directory directory;
  private final PolicyStore policies;
  private final Reservations reservations;
  private final SettlementModes modes;

  public Rotations(Database database, AuditEntries audit, Directory directory, PolicyStore policies,
      Reservations reservations, SettlementModes modes) {
    this.database = database;
    this.audit = audit;
    this.directory = directory;
    this.policies = policies;
    this.reservations = reservations;
    this.modes = modes;
  }

  public Optional<Rotation> find(UUID tenantId, UUID walletId) {
    return database.sql().sql("""
        SELECT wallet_id, successor_id, rotated_at, archived_at FROM wallet_rotation
        WHERE tenant_id = :tenant AND wallet_id = :wallet
        """).param("tenant", tenantId).param("wallet", walletId).query((row, n) -> rotation(tenantId, row)).optional();
  }

  private Rotation rotation(UUID tenantId, ResultSet row) throws SQLException {
    return new Rotation(Directory.uuid(row, "wallet_id"),
        directory.wallet(tenantId, Directory.uuid(row, "successor_id")).orElseThrow(),
        Directory.instant(row, "rotated_at"), SpendStore.nullableInstant(row, "archived_at"));
  }

  /**
   * Notes a successor whose key the signer has made under {@code successorId}, or finds the one that was noted before. The
   * successor is never seen without the policy that its predecessor has of its own.
   */
  public Rotation begin(UUID tenantId, Wallet old, UUID successorId, Address address, String actor) {
    return database.inTransaction(() -> {
      audit.lock(tenantId); // so that one of two callers comes first
      var known = find(tenantId, old.id());
      if (known.isPresent()) {
        return known.get();
      }
      var slot = audit.nextChanging(tenantId, false, true);
      audit.write(slot, "wallet.rotated", old.id(), actor, Json.object().put("wallet", Id.WALLET.text(old.id()))
          .put("successor", Id.WALLET.text(successorId)).build());
      var successor = directory.createWallet(tenantId, successorId, old.agentId(), old.chain(), address, old.name(),
          actor);
      policies.attachment(tenantId, Policy.Target.WALLET, old.id()).ifPresent(attached -> policies.attach(tenantId,
          Policy.Target.WALLET, successorId, attached.policyId(), attached.version(), actor));
      database.sql().sql("""
          INSERT INTO wallet_rotation (tenant_id, wallet_id, successor_id, rotated_at)
          VALUES (:tenant, :wallet, :successor, :at)
          """).param("tenant", tenantId).param("wallet", old.id()).param("successor", successorId)
          .param("at", Directory.utc(slot.at())).update();
      modes.ofWallet(tenantId, old.id()).flatMap(SettlementModes.OfWallet::mode)
          .ifPresent(mode -> modes.setWallet(tenantId, successorId, Optional.of(mode), actor));
      return new Rotation(old.id(), successor, slot.at(), null);
    });
  }

  /** How many spends there were from one wallet to an address. */
  public long spends(UUID tenantId, UUID walletId, Address payee) {
    return database.sql()
        .sql("SELECT count(*) FROM spend WHERE tenant_id = :tenant AND wallet_id = :wallet AND payee = :payee")
        .param("tenant", tenantId).param("wallet", walletId).param("payee", payee.bytes()).query(Long.class).single();
  }

  /**
   * Freezes the old wallet, unless something of it is still under way. Archiving again changes nothing.
   *
   * @return empty if a payment of it is not settled
   */
  public Optional<Rotation> archive(UUID tenantId, UUID walletId, String actor) {
    return database.inTransaction(() -> {
      audit.lock(tenantId); // so that no spend is decided between looking and freezing
      var known = find(tenantId, walletId).orElseThrow(Directory.NothingThere::new);
      if (known.archivedAt() != null) {
        return Optional.of(known);
      }
      if (!reservations.unsettled(tenantId, walletId).isEmpty()) {
        return Optional.empty();
      }
      var slot = audit.next(tenantId);
      database.sql()
          .sql("UPDATE wallet_rotation SET archived_at = :at WHERE tenant_id = :tenant AND wallet_id = :wallet")
          .param("at", Directory.utc(slot.at())).param("tenant", tenantId).param("wallet", walletId).update();
      audit.write(slot, "wallet.archived", walletId, actor,
          Json.object().put("wallet", Id.WALLET.text(walletId)).build());
      directory.freeze(tenantId, walletId, true, actor);
      return find(tenantId, walletId);
    });
  }

  /** Opens an archived wallet again, since it has money to move. Nothing changes if it is open. */
  public void reopen(UUID tenantId, UUID walletId, String actor) {
    database.inTransaction(() -> {
      audit.lock(tenantId); // so that of two callers one records it
      if (find(tenantId, walletId).orElseThrow(Directory.NothingThere::new).archivedAt() == null) {
        return;
      }
      var slot = audit.next(tenantId);
      database.sql()
          .sql("UPDATE wallet_rotation SET archived_at = NULL WHERE tenant_id = :tenant AND wallet_id = :wallet")
          .param("tenant", tenantId).param("wallet", walletId).update();
      audit.write(slot, "wallet.reopened", walletId, actor,
          Json.object().put("wallet", Id.WALLET.text(walletId)).build());
      directory.freeze(tenantId, walletId, false, actor);
    });
  }
}
