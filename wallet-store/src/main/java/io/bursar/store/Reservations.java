package io.bursar.store;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;

import org.springframework.jdbc.core.RowCallbackHandler;
import org.springframework.jdbc.datasource.DataSourceUtils;

import io.bursar.policy.PolicyEngine;
import io.bursar.spend.SpendFacts;

/**
 * What allowed and pending spends hold against the limits that count them. A reservation is given back only before a
 * signature exists, or after the chain has proved that the signature can no longer take effect.
 */
public final class Reservations {
  /** How much of a reservation goes back. */
  public enum GiveBack {
    /** Nothing was or will be paid: amount and count. */
    ALL,
    /** It was tried on the chain and failed there: the amount, but not the count. */
    AMOUNT
  }

  private final Database database;
  private final SpendStore spends;
  private final PoliciesInForce policiesInForce = new PoliciesInForce();

  public Reservations(Database database) {
    this.database = database;
    this.spends = new SpendStore(database);
  }

  /**
   * Takes a spend out of every counter that counts it, at the time it was charged. Call it in a transaction that holds the
   * lane by {@link AuditEntries#nextChanging} with {@code money}, and once for a spend.
   */
  public void giveBack(AuditEntries.Slot slot, UUID spendId, GiveBack what) {
    var spend = spends.find(slot.tenantId(), spendId).orElseThrow();
    var facts = spend.request().facts(slot.tenantId(), false, false);
    var chargedAt = database.sql().sql("SELECT charged_at FROM payment WHERE tenant_id = :tenant AND spend_id = :id")
        .param("tenant", slot.tenantId()).param("id", spendId).query((row, n) -> Directory.instant(row, "charged_at"))
        .single();
    for (var charge : PolicyEngine.charges(standing(slot.tenantId(), spend.request().walletId()).policies(), facts)) {
      takeOut(slot.tenantId(), charge, facts, chargedAt, what);
    }
  }

  /** By asset, the base units of a wallet that spends on their way to the chain, or waiting for approval, will take. */
  public Map<UUID, BigInteger> unsettled(UUID tenantId, UUID walletId) {
    var unsettled = new HashMap<UUID, BigInteger>();
    database.sql().sql("""
        SELECT s.asset_id, sum(s.amount) AS amount
        FROM payment p JOIN spend s ON s.tenant_id = p.tenant_id AND s.spend_id = p.spend_id
        WHERE p.tenant_id = :tenant AND p.wallet_id = :wallet
          AND p.state IN ('awaiting_approval', 'authorized', 'prepared', 'signed', 'broadcast')
        GROUP BY s.asset_id
        """).param("tenant", tenantId).param("wallet", walletId)
        .query((RowCallbackHandler) row -> unsettled.put(Directory.uuid(row, "asset_id"),
            SpendStore.units(row, "amount")));
    return unsettled;
  }

  /**
   * What wallets had promised at one moment.
   *
   * @param recordedSeq the last number of the tenant's record at that moment: the entries up to it lead to the same
   * @param promised by wallet, as {@link #unsettled} has it
   */
  public record Books(long recordedSeq, Map<UUID, Map<UUID, BigInteger>> promised) {}

  /** The books of these wallets, all as of one moment. */
  public Books books(UUID tenantId, List<UUID> walletIds) {
    return database.inSnapshot(() -> {
      long seq = database.sql().sql("SELECT audit_seq FROM lane WHERE tenant_id = :tenant").param("tenant", tenantId)
          .query(Long.class).single();
      var promised = new HashMap<UUID, Map<UUID, BigInteger>>();
      walletIds.forEach(wallet -> promised.put(wallet, unsettled(tenantId, wallet)));
      return new Books(seq, promised);
    });
  }

  /** What is in force for a wallet now. */
  PoliciesInForce.Standing standing(UUID tenantId, UUID walletId) {
    var connection = connection();
    try {
      return java.util.Objects
          .requireNonNull(policiesInForce.read(connection, tenantId, List.of(walletId)).get(walletId));
    } catch (SQLException e) {
      throw new IllegalStateException("the policies in force cannot be read", e);
    } finally {
      DataSourceUtils.releaseConnection(connection, database.source());
    }
  }

  /** The connection of the transaction that this thread is in. */
  Connection connection() {
    return DataSourceUtils.getConnection(database.source());
  }

  private void takeOut(UUID tenantId, io.bursar.policy.Decision.Charge charge, SpendFacts facts, Instant chargedAt,
      GiveBack what) {
    record Kept(int counterNo, Short[] slotSeconds) {}
    var kept = database.sql()
        .sql("SELECT counter_no, slot_seconds FROM counter WHERE tenant_id = :tenant AND definition = :definition")
        .param("tenant", tenantId).param("definition", charge.counter().id())
        .query((row, n) -> new Kept(row.getInt("counter_no"), (Short[]) row.getArray("slot_seconds").getArray()))
        .single();
    for (var slotSeconds : kept.slotSeconds()) {
      // A slot that no window can hold any more may have been swept away.
      database.sql().sql("""
          UPDATE limit_bucket SET amount = amount - :amount, count = count - :count
          WHERE tenant_id = :tenant AND counter_no = :no AND key = :key AND slot_seconds = :size AND slot = :slot
          """).param("amount", new BigDecimal(charge.counter().weight(facts)))
          .param("count", what == GiveBack.ALL ? 1 : 0)
          .param("tenant", tenantId).param("no", kept.counterNo()).param("key", charge.key()).param("size", slotSeconds)
          .param("slot", LaneCounters.slot(charge.counter(), slotSeconds, chargedAt)).update();
    }
  }
}
