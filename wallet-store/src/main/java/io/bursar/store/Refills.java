package io.bursar.store;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

import org.springframework.jdbc.core.simple.JdbcClient;

import io.bursar.json.Json;
import io.bursar.money.Address;
import io.bursar.permit.TransferIntent.Gas;
import io.bursar.store.RelayBatch.Refill;

/** Native coin that one relayer sends to others: each refill is one of its transactions, beside its batches in {@link RelayBatches}. */
public final class Refills {
  private final Database database;
  private final AuditEntries audit;
  private final Relayers relayers;
  private final RelayBatches batches;

  public Refills(Database database, AuditEntries audit, Relayers relayers, RelayBatches batches) {
    this.database = database;
    this.audit = audit;
    this.relayers = relayers;
    this.batches = batches;
  }

  /** The other relayers of its chain that somebody works on, and that no refill is on its way to. */
  public List<Relayer> refillable(Relayer by) {
    return sql("""
        SELECT r.key_id, r.address FROM relayer r
        WHERE r.chain = :chain AND r.key_id <> :key AND r.lease_until >= now() AND NOT EXISTS (
          SELECT FROM relay_batch b WHERE b.chain = r.chain AND b.key_id = :key AND b.refill_key = r.key_id AND b.state <> 'settled')
        ORDER BY r.key_id
        """).param("chain", by.chain()).param("key", by.keyId())
        .query((row, n) -> new Relayer(by.chain(), Directory.uuid(row, "key_id"), Address.of(row.getBytes("address"))))
        .list();
  }

  /** What is on its way from a relayer to others, in wei; it may or may not have left the account. */
  public BigInteger onTheirWay(Relayer by) {
    return sql("""
        SELECT coalesce(sum(refill_wei), 0) FROM relay_batch
        WHERE chain = :chain AND key_id = :key AND state <> 'settled' AND refill_wei IS NOT NULL
        """).param("chain", by.chain()).param("key", by.keyId()).query(BigDecimal.class).single().toBigIntegerExact();
  }

  /**
   * Fixes a relayer's next transaction as a refill and puts that on the record, as {@code relayer.refilled}.
   *
   * @param by the lease under which the caller holds the relayer that gives
   * @param recordOf the tenant on whose record it is
   * @return it, to be signed; empty if the relayer is not the caller's any more
   */
  public Optional<RelayBatch> fix(Relayer relayer, UUID by, Refill refill, Gas gas, UUID recordOf) {
    return database.inTransaction(() -> {
      audit.lock(recordOf); // before anything else
      var next = relayers.next(relayer, by);
      if (next.isEmpty()) {
        return Optional.empty();
      }
      var batch = batches.insert(relayer, next.get(), refill, gas);
      audit.write(audit.next(recordOf), "relayer.refilled", batch.batchId(), RelayStore.ACTOR,
          Json.object().put("chain", relayer.chain()).put("from", relayer.address().toString())
              .put("nonce", batch.nonce()).put("to", refill.to().address().toString())
              .put("wei", refill.wei().toString()).build());
      return Optional.of(batch);
    });
  }

  private JdbcClient.StatementSpec sql(String text) {
    return database.sql().sql(text);
  }
}
