package io.bursar.store;

import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

import org.springframework.jdbc.core.simple.JdbcClient;

import io.bursar.json.Json;
import io.bursar.money.Address;
import io.bursar.permit.Digest32;
import io.bursar.spend.Id;

/**
 * What the books say that a chain can contradict: blocks that settled payments, and the nonces of wallets. What is found to be
 * wrong is put right and on the record in one transaction.
 */
public final class Reconciliation {
  private static final String ACTOR = "settlement";

  /** A block that settled payments, as it was then. */
  public record SettledBlock(long number, Digest32 hash) {}

  /**
   * A wallet that has paid of late, or is about to.
   *
   * @param nextNonce the lowest that was never given to a payment
   */
  public record WalletInUse(UUID tenantId, UUID walletId, Address address, long nextNonce) {}

  private final Database database;
  private final AuditEntries audit;

  public Reconciliation(Database database, AuditEntries audit) {
    this.database = database;
    this.audit = audit;
  }

  /** The blocks of a chain in which payments were found to be settled within the time, newest first. */
  public List<SettledBlock> settledBlocks(String chain, Duration within, int most) {
    return sql("""
        SELECT DISTINCT p.block_number, p.block_hash FROM payment p
        JOIN wallet w ON w.tenant_id = p.tenant_id AND w.wallet_id = p.wallet_id
        WHERE (p.state IN ('confirmed', 'reverted') OR p.state = 'canceled' AND p.block_hash IS NOT NULL)
          AND p.updated_at > now() - :within * interval '1 millisecond'
          AND w.chain = :chain ORDER BY p.block_number DESC LIMIT :most
        """).param("within", within.toMillis()).param("chain", chain).param("most", most)
        .query((row, n) -> new SettledBlock(row.getLong("block_number"), Digest32.of(row.getBytes("block_hash"))))
        .list();
  }

  /** The payments that a block settled. */
  public List<Payment.Key> settledIn(String chain, SettledBlock block, Duration within) {
    return sql("""
        SELECT p.tenant_id, p.spend_id FROM payment p
        JOIN wallet w ON w.tenant_id = p.tenant_id AND w.wallet_id = p.wallet_id
        WHERE (p.state IN ('confirmed', 'reverted') OR p.state = 'canceled' AND p.block_hash IS NOT NULL)
          AND p.updated_at > now() - :within * interval '1 millisecond'
          AND w.chain = :chain AND p.block_hash = :hash ORDER BY p.spend_id
        """).param("within", within.toMillis()).param("chain", chain).param("hash", block.hash().bytes())
        .query((row, n) -> new Payment.Key(row.getObject("tenant_id", UUID.class),
            row.getObject("spend_id", UUID.class)))
        .list();
  }

  /**
   * The chain no longer has the block that confirmed a payment: it is on its way again, as it was when it was sent. What it reserves
   * stayed reserved.
   *
   * @return whether it was so; not if it was put right before
   */
  public boolean undoConfirmation(Payment.Key key, SettledBlock block) {
    return database.inTransaction(() -> {
      audit.lock(key.tenantId());
      int changed = sql("""
          UPDATE payment SET state = 'broadcast', block_number = NULL, block_hash = NULL, failure = :failure, due_at = now(),
            lease_until = '-infinity', updated_at = clock_timestamp()
          WHERE tenant_id = :tenant AND spend_id = :spend AND state = 'confirmed' AND block_hash = :hash
            AND EXISTS (SELECT FROM payment_attempt a WHERE a.tenant_id = payment.tenant_id AND a.spend_id = payment.spend_id OFFSET 0)
          """).param("failure", "the chain was reorganised deeper than its blocks counted as settled")
          .param("tenant", key.tenantId()).param("spend", key.spendId()).param("hash", block.hash().bytes()).update();
      if (changed == 1) {
        audit.write(audit.next(key.tenantId()), "payment.unconfirmed", key.spendId(), ACTOR,
            Json.object().put("spend", Id.SPEND.text(key.spendId())).put("block", block.number())
                .put("blockHash", "0x" + block.hash()).build());
      }
      return changed == 1;
    });
  }

  /** Wallets of a chain that have unsettled payments, or settled one within the time; by id, after the one that is given. */
  public List<WalletInUse> walletsInUse(String chain, Duration within, Optional<UUID> after, int most) {
    return sql("""
        SELECT w.tenant_id, w.wallet_id, w.address, w.next_nonce FROM wallet w
        WHERE w.chain = :chain AND w.wallet_id > :after AND (EXISTS (SELECT FROM payment p WHERE p.tenant_id = w.tenant_id
            AND p.wallet_id = w.wallet_id AND p.state IN ('prepared', 'signed', 'broadcast') OFFSET 0)
          OR w.wallet_id IN (SELECT s.wallet_id FROM payment s WHERE s.state IN ('confirmed', 'reverted')
            AND s.updated_at > now() - :within * interval '1 millisecond'))
        ORDER BY w.wallet_id LIMIT :most
        """).param("chain", chain).param("after", after.orElse(new UUID(0, 0))).param("within", within.toMillis())
        .param("most", most).query((row, n) -> new WalletInUse(row.getObject("tenant_id", UUID.class),
            row.getObject("wallet_id", UUID.class), Address.of(row.getBytes("address")), row.getLong("next_nonce")))
        .list();
  }

  /**
   * Somebody else has used a nonce of the wallet's: it is frozen, and stays so until a person thaws it.
   *
   * @param count how many transactions of the account the chain holds for good; no nonce below is given to a payment any more
   * @return whether it was not frozen for that before
   */
  public boolean freezeForForeign(UUID tenantId, UUID walletId, long nonce, long count) {
    return database.inTransaction(() -> {
      audit.lock(tenantId);
      boolean changes = sql("""
          SELECT status <> 'frozen' OR next_nonce < :count FROM wallet WHERE tenant_id = :tenant AND wallet_id = :wallet
          """).param("count", count).param("tenant", tenantId).param("wallet", walletId).query(Boolean.class).single();
      if (changes) {
        var slot = audit.nextChanging(tenantId, false, true);
        sql("""
            UPDATE wallet SET status = 'frozen', next_nonce = greatest(next_nonce, :count)
            WHERE tenant_id = :tenant AND wallet_id = :wallet
            """).param("count", count).param("tenant", tenantId).param("wallet", walletId).update();
        audit.write(slot, "wallet.frozen", walletId, ACTOR, Json.object().put("wallet", Id.WALLET.text(walletId))
            .put("why", "foreign_transaction").put("nonce", nonce).put("transactions", count).build());
      }
      return changes;
    });
  }

  /** Whether a nonce has never been given to a payment, so that no transaction of ours can have it. */
  public boolean isUnused(UUID tenantId, UUID walletId, long nonce) {
    return sql("SELECT next_nonce <= :nonce FROM wallet WHERE tenant_id = :tenant AND wallet_id = :wallet")
        .param("nonce", nonce).param("tenant", tenantId).param("wallet", walletId).query(Boolean.class).single();
  }

  /**
   * The lowest nonce below the wallet's next that no payment has and the chain still waits for; without it, nothing above can be mined.
   *
   * @param count how many transactions of the account the chain holds
   */
  public Optional<Long> gap(UUID tenantId, UUID walletId, long count, int most) {
    return sql("""
        SELECT n FROM wallet w CROSS JOIN LATERAL generate_series(:count, least(w.next_nonce - 1, :count + :most)) AS n
        WHERE w.tenant_id = :tenant AND w.wallet_id = :wallet AND NOT EXISTS (SELECT FROM payment p
          WHERE p.tenant_id = w.tenant_id AND p.wallet_id = w.wallet_id AND p.nonce = n OFFSET 0) ORDER BY n LIMIT 1
        """).param("count", count).param("most", most).param("tenant", tenantId).param("wallet", walletId)
        .query(Long.class).optional();
  }

  /** The next payment of the wallet takes the nonce of a gap. Harmless if there is none: a nonce that a payment has is passed over. */
  public void fillGap(UUID tenantId, UUID walletId, long nonce) {
    database.inTransaction(() -> {
      audit.lock(tenantId);
      int changed = sql("""
          UPDATE wallet SET next_nonce = :nonce WHERE tenant_id = :tenant AND wallet_id = :wallet AND next_nonce > :nonce
            AND NOT EXISTS (SELECT FROM payment p WHERE p.tenant_id = wallet.tenant_id AND p.wallet_id = wallet.wallet_id
              AND p.nonce = :nonce OFFSET 0)
          """).param("nonce", nonce).param("tenant", tenantId).param("wallet", walletId).update();
      if (changed == 1) {
        audit.write(audit.next(tenantId), "wallet.nonce_recovered", walletId, ACTOR,
            Json.object().put("wallet", Id.WALLET.text(walletId)).put("nonce", nonce).build());
      }
    });
  }

  private JdbcClient.StatementSpec sql(String text) {
    return database.sql().sql(text);
  }
}
