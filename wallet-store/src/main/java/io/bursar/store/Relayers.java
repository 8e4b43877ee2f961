package io.bursar.store;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

import org.springframework.jdbc.core.simple.JdbcClient;

import io.bursar.money.Address;

/**
 * The pool of relayers. Each is worked on by one process at a time, under a lease; its nonces come from its row and never from a node.
 */
public final class Relayers {
  private final Database database;
  private final Duration lease;

  /**
   * The pool.
   *
   * @param lease how long a relayer stays with the one that took it; a minute at the most
   */
  public Relayers(Database database, Duration lease) {
    this.database = database;
    this.lease = lease;
  }

  /**
   * Makes an account part of the pool; again, it changes nothing.
   *
   * @param used how many transactions of it the chain holds already, as after a new start with an old signer
   */
  public void enroll(Relayer relayer, long used) {
    sql("""
        INSERT INTO relayer (chain, key_id, address, next_nonce, created_at) VALUES (:chain, :key, :address, :used, now())
        ON CONFLICT DO NOTHING
        """).param("used", used).param("chain", relayer.chain()).param("key", relayer.keyId())
        .param("address", relayer.address().bytes()).update();
  }

  /**
   * A relayer and what is to be known of it.
   *
   * @param nextNonce its next nonce
   * @param open how many of its transactions are not settled
   */
  public record Standing(Relayer relayer, long nextNonce, int open) {}

  /** All of the pool, in a stable order. */
  public List<Standing> standings() {
    return sql("""
        SELECT r.*, (SELECT count(*) FROM relay_batch b WHERE b.chain = r.chain AND b.key_id = r.key_id AND b.state <> 'settled') AS open
        FROM relayer r ORDER BY r.chain, r.key_id
        """).query((row, n) -> new Standing(new Relayer(row.getString("chain"), Directory.uuid(row, "key_id"),
        Address.of(row.getBytes("address"))), row.getLong("next_nonce"), row.getInt("open"))).list();
  }

  /** Takes a relayer, or keeps it. Whether it is the caller's until the lease is over. */
  public boolean take(Relayer relayer, UUID by) {
    return sql("""
        UPDATE relayer SET lease = :by, lease_until = now() + :length * interval '1 millisecond'
        WHERE chain = :chain AND key_id = :key AND (lease = :by OR %s)
        """.formatted(PaymentStore.FREE)).param("by", by).param("length", lease.toMillis())
        .param("chain", relayer.chain())
        .param("key", relayer.keyId())
        .update() == 1;
  }

  /** Lets a relayer go. */
  public void release(Relayer relayer, UUID by) {
    sql("UPDATE relayer SET lease_until = '-infinity' WHERE chain = :chain AND key_id = :key AND lease = :by")
        .param("chain", relayer.chain()).param("key", relayer.keyId()).param("by", by).update();
  }

  /**
   * A relayer's next nonce, which nobody else takes until the end of the transaction.
   *
   * @param readAt when, by the database's clock
   */
  record Next(long nonce, Instant readAt) {}

  /** Empty if the relayer is not the caller's any more. */
  Optional<Next> next(Relayer relayer, UUID by) {
    return sql("""
        SELECT next_nonce, now() AS read_at FROM relayer
        WHERE chain = :chain AND key_id = :key AND lease = :by AND lease_until >= now() FOR UPDATE
        """).param("chain", relayer.chain()).param("key", relayer.keyId()).param("by", by)
        .query((row, n) -> new Next(row.getLong("next_nonce"), Directory.instant(row, "read_at"))).optional();
  }

  /** The nonce that {@link #next} said is taken. */
  void advance(Relayer relayer) {
    sql("UPDATE relayer SET next_nonce = next_nonce + 1 WHERE chain = :chain AND key_id = :key")
        .param("chain", relayer.chain()).param("key", relayer.keyId()).update();
  }

  private JdbcClient.StatementSpec sql(String text) {
    return database.sql().sql(text);
  }
}
