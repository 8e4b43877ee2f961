package io.bursar.store;

import java.sql.Types;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

import org.jspecify.annotations.Nullable;
import org.springframework.jdbc.core.simple.JdbcClient;

import io.bursar.json.Json;
import io.bursar.permit.Bytes;
import io.bursar.spend.Id;
import io.bursar.store.PaymentMove.Cancel;
import io.bursar.store.PaymentState.Attempt;

/**
 * Payments on their way to the chain. Work is taken by a short lease, and a move is recorded whole or not at all: the payment's row
 * changes only from the state, number of attempts and lease under which it was read, its entry stands in the record, and nothing
 * is left half done. Locks are taken in the order lane, wallet, payment.
 *
 * <p>Nonces come from the wallet's row and never from a node, so no answer of a node, late, stale or false, can give one nonce to
 * two payments.
 */
public final class PaymentStore {
  /**
   * Bounds.
   *
   * @param unconfirmedMax how many payments of one wallet may be between prepared and final, 1 to 10,000
   * @param lease how long a payment stays with the one that took it if it is not renewed; less than a minute
   */
  public record Settings(int unconfirmedMax, Duration lease) {
    public static final Settings DEFAULT = new Settings(16, Duration.ofSeconds(4));
  }

  /** Something that happened to a payment, or is to happen to it. */
  public record Change(Payment payment, PaymentEvent event) {}

  /** What is not final yet: how many, and since when the oldest of them waits. */
  public record Backlog(long unsettled, Duration oldest) {}

  private static final String UNSETTLED = "('authorized', 'prepared', 'signed', 'broadcast')";
  /** Those that go by a transaction of the wallet itself; {@link RelayStore} has the others. */
  private static final String ACTIVE = UNSETTLED + " AND mode = 'direct'";
  static final String IN_FLIGHT = "('prepared', 'signed', 'broadcast') AND mode = 'direct'";
  static final String WAITING = "state = 'authorized' AND mode = 'direct'";
  /**
   * That nobody holds it: no lease, or one that has run out, or one that ends later than any lease can, given by a clock that has
   * since been set back.
   */
  static final String FREE = "NOT lease_until BETWEEN now() AND now() + interval '1 minute'";
  /** How many due payments are looked at to find wallets with work: as a rule the first few say it. */
  private static final int DUE_LOOKED_AT = 50;
  /** How many are, where nothing of those could be taken: they may all be of a wallet that another process works on. */
  private static final int DUE_LOOKED_AT_MOST = 1000;

  private final Database database;
  private final AuditEntries audit;
  private final Reservations reservations;
  private final Settings settings;
  private final PaymentRows rows;
  private final PaymentMoves moves;

  public PaymentStore(Database database, AuditEntries audit, Reservations reservations, Settings settings) {
    this.database = database;
    this.audit = audit;
    this.reservations = reservations;
    this.settings = settings;
    this.rows = new PaymentRows(database);
    this.moves = new PaymentMoves(database, audit, reservations, settings);
  }

  /** What the wallets can still pay. */
  public Funds funds() {
    return new Funds(database, audit, reservations);
  }

  /** The payment of a spend, if it has one. */
  public Optional<Payment> find(Payment.Key key) {
    return rows.read(List.of(key), null).stream().findFirst();
  }

  /**
   * Takes due payments under a lease, and with them their wallets: while one holds a lease on a payment of a wallet, nobody else
   * gets another one of it.
   *
   * @param wallets how many wallets at most
   * @param perWallet how many payments of each at most
   * @param busy wallets that the caller holds already
   * @return for each wallet its payments in the order in which to work on them: by nonce, then as decided
   */
  public List<List<Payment>> claim(int wallets, int perWallet, Collection<UUID> busy) {
    return database.inTransaction(() -> {
      var lease = UUID.randomUUID();
      var keys = lease(lockWalletsWithWork(wallets, busy, DUE_LOOKED_AT), perWallet, lease);
      if (keys.isEmpty()) {
        keys = lease(lockWalletsWithWork(wallets, busy, DUE_LOOKED_AT_MOST), perWallet, lease);
      }
      var byWallet = new LinkedHashMap<UUID, List<Payment>>();
      for (var payment : keys.isEmpty() ? List.<Payment>of() : rows.read(keys, lease)) {
        byWallet.computeIfAbsent(payment.wallet().walletId(), wallet -> new ArrayList<>()).add(payment);
      }
      return List.copyOf(byWallet.values());
    });
  }

  private record WalletKey(UUID tenantId, UUID walletId) {}

  /** Without those that are seen at a glance to be another one's; whether the rest are free, {@link #lease} finds out. */
  private List<WalletKey> lockWalletsWithWork(int most, Collection<UUID> busy, int looked) {
    return sql(
        """
        SELECT due.tenant_id, due.wallet_id FROM (
          SELECT tenant_id, wallet_id, min(due_at) AS due_at FROM (
            SELECT tenant_id, wallet_id, due_at FROM payment
            WHERE state IN %4$s AND due_at <= now() AND %3$s AND wallet_id <> ALL (:busy)
            ORDER BY due_at LIMIT :looked) AS first GROUP BY tenant_id, wallet_id ORDER BY min(due_at) OFFSET 0) AS due
        CROSS JOIN LATERAL (SELECT FROM wallet WHERE tenant_id = due.tenant_id AND wallet_id = due.wallet_id
          AND NOT EXISTS (SELECT FROM payment WHERE tenant_id = due.tenant_id AND wallet_id = due.wallet_id AND state IN %1$s
            AND NOT (%3$s) OFFSET 0)
          AND NOT EXISTS (SELECT FROM (SELECT lease_until FROM payment WHERE tenant_id = due.tenant_id AND wallet_id = due.wallet_id
            AND %2$s ORDER BY spend_id LIMIT 1) AS next WHERE NOT (%3$s))
          FOR UPDATE SKIP LOCKED) AS w LIMIT :most
        """.formatted(IN_FLIGHT, WAITING, FREE, ACTIVE)).param("looked", looked).param("most", most)
        .param("busy", busy.toArray(UUID[]::new))
        .query((row, n) -> new WalletKey(Directory.uuid(row, "tenant_id"), Directory.uuid(row, "wallet_id")))
        .list();
  }

  /**
   * A statement of its own, so that it sees the leases of whoever held the wallets until now. A row changed meanwhile is left for next time.
   * It must not be planned to find a wallet's payments, or those that it has found, by the index of all that is due: hence the
   * parameter and what no index can serve.
   */
  private List<Payment.Key> lease(List<WalletKey> wallets, int perWallet, UUID lease) {
    return wallets.isEmpty()
        ? List.of()
        : sql(
            """
        UPDATE payment SET lease_until = now() + :length * interval '1 millisecond', lease = :lease
        FROM (SELECT set_config('synchronous_commit', 'off', true)) AS relaxed
        WHERE ctid = ANY (ARRAY(
          SELECT d.ctid FROM unnest(:tenants::uuid[], :wallets::uuid[]) AS w (tenant_id, wallet_id) CROSS JOIN LATERAL (
            (SELECT ctid, due_at FROM payment WHERE tenant_id = w.tenant_id AND wallet_id = w.wallet_id AND state IN %1$s
              ORDER BY nonce LIMIT :most)
            UNION ALL
            (SELECT ctid, due_at FROM payment WHERE tenant_id = w.tenant_id AND wallet_id = w.wallet_id AND %2$s
              AND (due_at <= now()) IS TRUE ORDER BY spend_id LIMIT :most)) AS d
          WHERE d.due_at <= now()
            AND NOT EXISTS (SELECT FROM payment WHERE tenant_id = w.tenant_id AND wallet_id = w.wallet_id AND state IN %1$s AND NOT (%3$s) OFFSET 0)
            AND NOT EXISTS (SELECT FROM payment WHERE tenant_id = w.tenant_id AND wallet_id = w.wallet_id AND %2$s AND NOT (%3$s) OFFSET 0)))
          AND state = ANY (string_to_array(:unsettled, ' ')) AND mode = 'direct' AND %3$s
        RETURNING tenant_id, spend_id
        """.formatted(IN_FLIGHT, WAITING, FREE)).param("length", settings.lease.toMillis())
            .param("unsettled", RelayStore.UNSETTLED)
            .param("lease", lease).param("tenants", wallets.stream().map(WalletKey::tenantId).toArray(UUID[]::new))
            .param("wallets", wallets.stream().map(WalletKey::walletId).toArray(UUID[]::new))
            .param("most", perWallet)
            .query((row, n) -> new Payment.Key(Directory.uuid(row, "tenant_id"), Directory.uuid(row, "spend_id")))
            .list();
  }

  /**
   * Records that something happened to a payment, and its entry in the record with it. The lease is renewed. One that is to be
   * prepared when its request is over by the record's time expires instead.
   *
   * @throws IllegalStateException if the event cannot happen in the payment's state
   */
  public PaymentMove move(Payment payment, PaymentEvent event) {
    return move(List.of(new Change(payment, event))).getFirst();
  }

  /**
   * As the other one, of several payments of one wallet, by one transaction. Those that are to be prepared take the wallet's next nonces in
   * their order, and where one is held, so are those after it.
   */
  public List<PaymentMove> move(List<Change> changes) {
    return moves.move(changes);
  }

  /**
   * Gives the lease back; the payment is due again after the delay. As with every lease, nothing waits until that is on the disk:
   * if it is lost, the lease runs out.
   *
   * @param failure what it waits for, shown to its owner; null if all is well
   */
  public void later(Payment payment, Duration delay, @Nullable String failure) {
    later(List.of(payment), delay, failure);
  }

  /** As {@link #later}, payments of one wallet that were taken together and are in the same state. */
  public void later(List<Payment> payments, Duration delay, @Nullable String failure) {
    var payment = payments.getFirst();
    sql("""
        UPDATE payment SET due_at = now() + :delay * interval '1 millisecond', lease_until = '-infinity', failure = :failure
        FROM (SELECT set_config('synchronous_commit', 'off', true)) AS relaxed
        WHERE tenant_id = :tenant AND spend_id = ANY (:spends::uuid[]) AND state = :state AND lease = :lease
        """)
        .param("delay", delay.toMillis()).param("failure", failure, Types.VARCHAR).param("tenant", payment.tenantId())
        .param("spends", payments.stream().map(Payment::spendId).toArray(UUID[]::new))
        .param("state", payment.state().text()).param("lease", payment.reading().lease(), Types.OTHER).update();
  }

  /** As {@link #later}, and everything of the wallet that would come after it waits as long: it could only wait as well. */
  public void laterWithFollowers(Payment payment, Duration delay, @Nullable String failure) {
    database.inTransaction(() -> {
      later(payment, delay, failure);
      sql("""
          UPDATE payment SET due_at = now() + :delay * interval '1 millisecond', lease_until = '-infinity'
          WHERE tenant_id = :tenant AND spend_id = ANY (ARRAY(
            SELECT spend_id FROM payment WHERE tenant_id = :tenant AND wallet_id = :wallet AND state IN %1$s
              AND lease = :lease AND lease_until > '-infinity'
            UNION ALL
            SELECT spend_id FROM payment WHERE tenant_id = :tenant AND wallet_id = :wallet AND %2$s
              AND (lease = :lease AND lease_until > '-infinity' OR spend_id > :spend AND due_at <= now() AND %3$s)))
            AND state = ANY (string_to_array(:unsettled, ' ')) AND mode = 'direct'
          """.formatted(IN_FLIGHT, WAITING, FREE)).param("delay", delay.toMillis())
          .param("unsettled", RelayStore.UNSETTLED)
          .param("tenant", payment.tenantId())
          .param("wallet", payment.wallet().walletId()).param("spend", payment.spendId())
          .param("lease", payment.reading().lease(), Types.OTHER).update();
    });
  }

  /**
   * Keeps what was taken for another lease's length; what was given back or lost in the meantime is left alone, and so is what
   * is just being moved, which renews it as well.
   */
  public void renew(Collection<Payment> taken) {
    sql("""
        UPDATE payment SET lease_until = now() + :length * interval '1 millisecond'
        WHERE ctid = ANY (ARRAY(
          SELECT p.ctid FROM unnest(:tenants::uuid[], :spends::uuid[], :leases::uuid[]) AS k (tenant_id, spend_id, lease)
          CROSS JOIN LATERAL (SELECT ctid FROM payment WHERE tenant_id = k.tenant_id AND spend_id = k.spend_id
            AND lease = k.lease AND state = ANY (string_to_array(:unsettled, ' ')) AND mode = 'direct' AND lease_until > '-infinity'
            FOR UPDATE SKIP LOCKED) AS p))
        """).param("unsettled", RelayStore.UNSETTLED).param("length", settings.lease.toMillis())
        .param("tenants", taken.stream().map(Payment::tenantId).toArray(UUID[]::new))
        .param("spends", taken.stream().map(Payment::spendId).toArray(UUID[]::new))
        .param("leases", taken.stream().map(payment -> payment.reading().lease()).toArray(UUID[]::new)).update();
  }

  /**
   * Makes due what lies further ahead than anything is ever put off, but for the delay after an approval: a clock that has since
   * been set back has put it there.
   */
  public void distrustFuture() {
    sql("""
        UPDATE payment SET due_at = now()
        WHERE state IN %s AND due_at > now() + interval '1 minute' AND (not_before IS NULL OR not_before <= now())
        """.formatted(UNSETTLED)).update();
  }

  /** Why no signature may be asked for just now, if so. */
  public Optional<String> hold(Payment payment) {
    return sql("""
               SELECT CASE WHEN w.status = 'frozen' THEN 'the wallet is frozen' ELSE 'the agent is suspended' END
               FROM wallet w JOIN agent a USING (tenant_id, agent_id)
               WHERE w.tenant_id = :tenant AND w.wallet_id = :wallet AND (w.status = 'frozen' OR a.status = 'suspended')
               """).param("tenant", payment.tenantId()).param("wallet", payment.wallet().walletId())
        .query(String.class).optional();
  }

  /** Whether every lower nonce of the wallet has been sent, so that this one would not wait in a node for want of it. */
  public boolean isNextToSend(Payment payment, long nonce) {
    return none(payment, nonce, "('prepared', 'signed')");
  }

  /** Whether every lower nonce of the wallet is final, so that only this one can hold the others up. */
  public boolean isLowest(Payment payment, long nonce) {
    return none(payment, nonce, IN_FLIGHT);
  }

  private boolean none(Payment payment, long nonce, String states) {
    return sql("""
               SELECT NOT EXISTS (SELECT FROM payment WHERE tenant_id = :tenant AND wallet_id = :wallet
                 AND nonce < :nonce AND state IN %s)
               """.formatted(states)).param("tenant", payment.tenantId())
        .param("wallet", payment.wallet().walletId()).param("nonce", nonce).query(Boolean.class).single();
  }

  /** Notes that a transaction was sent once more. */
  public void sentAgain(Payment payment, Attempt attempt) {
    sql("""
        UPDATE payment_attempt SET first_sent_at = coalesce(first_sent_at, now()), last_sent_at = now()
        WHERE tenant_id = :tenant AND transaction_hash = :hash
        """).param("tenant", payment.tenantId()).param("hash", attempt.hash().bytes()).update();
  }

  /** The transactions of the wallet's earlier payments, settled or not, from a nonce on, by nonce, as they were mined or last signed. */
  public List<Bytes> earlier(Payment payment, long fromNonce, long beforeNonce, int most) {
    return sql(
        """
        SELECT t.raw_transaction FROM payment p JOIN payment_attempt t USING (tenant_id, spend_id, transaction_hash)
        WHERE p.tenant_id = :tenant AND p.wallet_id = :wallet AND p.nonce >= :from AND p.nonce < :before
        ORDER BY p.nonce LIMIT :most
        """).param("tenant", payment.tenantId()).param("wallet", payment.wallet().walletId())
        .param("from", fromNonce).param("before", beforeNonce).param("most", most)
        .query((row, n) -> Bytes.of(row.getBytes("raw_transaction"))).list();
  }

  /** Somebody else has used the payment's nonce: its wallet is frozen, and that is put on the record. */
  public void freezeForForeign(Payment payment, long nonce) {
    var _ = new Reconciliation(database, audit).freezeForForeign(payment.tenantId(), payment.wallet().walletId(), nonce,
        nonce + 1);
  }

  /** Puts on the record that the signer refused a payment; once, for as long as it refuses for the same reason. */
  public void signerRefused(Payment payment, String reason, String why) {
    // Asked without holding the lane: whoever holds the payment's lease is the only one who writes its failure.
    boolean known = sql("""
        SELECT failure IS NOT DISTINCT FROM :why FROM payment WHERE tenant_id = :tenant AND spend_id = :spend
        """).param("why", why).param("tenant", payment.tenantId()).param("spend", payment.spendId())
        .query(Boolean.class).single();
    if (!known) {
      database.inTransaction(() -> {
        audit.write(audit.next(payment.tenantId()), "signer.refused", payment.spendId(), "signer",
            Json.object().put("spend", Id.SPEND.text(payment.spendId())).put("reason", reason).put("why", why).build());
      });
    }
  }

  /** Erases the free text of a spend for good; the record keeps its commitment, and every proof stays valid. */
  public void eraseText(UUID tenantId, UUID spendId, String actor) {
    database.inTransaction(() -> {
      var slot = audit.next(tenantId);
      int erased = sql("DELETE FROM spend_text WHERE tenant_id = :tenant AND spend_id = :spend")
          .param("tenant", tenantId).param("spend", spendId).update();
      audit.write(slot, "spend.text_erased", spendId, actor,
          Json.object().put("spend", Id.SPEND.text(spendId)).put("erased", erased == 1).build());
    });
  }

  /**
   * Takes a spend back that was not prepared yet, and gives back all that it holds.
   *
   * @param actor who wants it, as in {@link AuditEntries#write}
   */
  public Cancel cancel(UUID tenantId, UUID spendId, String actor) {
    if (stateOf(tenantId, spendId).isEmpty()) {
      return new Cancel.NotFound();
    }
    return database.inTransaction(() -> {
      audit.lock(tenantId);
      int changed = sql("""
          UPDATE payment SET state = 'canceled', failure = NULL, lease_until = '-infinity', updated_at = clock_timestamp()
          WHERE tenant_id = :tenant AND spend_id = :spend AND state IN ('awaiting_approval', 'authorized')
          """).param("tenant", tenantId).param("spend", spendId).update();
      if (changed != 1) {
        return new Cancel.TooLate(stateOf(tenantId, spendId).orElseThrow());
      }
      var slot = audit.nextChanging(tenantId, true, false);
      reservations.giveBack(slot, spendId, Reservations.GiveBack.ALL);
      audit.write(slot, "payment.canceled", spendId, actor,
          Json.object().put("spend", Id.SPEND.text(spendId)).build());
      return new Cancel.Canceled();
    });
  }

  /**
   * Asks on the record for a payment to be canceled that may be signed already: its nonce is then to be taken by a transaction that
   * moves nothing, or its authorization canceled at the token. Whichever the chain takes counts; all stays reserved until then. Asked
   * again, it is the same request.
   *
   * @param actor who wants it, as in {@link AuditEntries#write}
   */
  public Cancel requestCancel(UUID tenantId, UUID spendId, String actor) {
    return database.inTransaction(() -> {
      audit.lock(tenantId);
      record Asked(Json.Builder entry, boolean before) {}
      var asked = sql("""
          SELECT p.wallet_id, w.chain, p.nonce, z.nonce AS authorization_nonce, p.cancel_seq IS NOT NULL AS before FROM payment p
          JOIN wallet w ON w.tenant_id = p.tenant_id AND w.wallet_id = p.wallet_id
          LEFT JOIN payment_authorization z ON z.tenant_id = p.tenant_id AND z.spend_id = p.spend_id
          WHERE p.tenant_id = :tenant AND p.spend_id = :spend AND p.state IN ('prepared', 'signed', 'broadcast') FOR UPDATE OF p
          """).param("tenant", tenantId).param("spend", spendId).query((row, n) -> {
        var entry = Json.object().put("spend", Id.SPEND.text(spendId))
            .put("wallet", Id.WALLET.text(Directory.uuid(row, "wallet_id"))).put("chain", row.getString("chain"));
        var authorization = PaymentRows.digest(row.getBytes("authorization_nonce"));
        return new Asked(authorization == null
            ? entry.put("nonce", row.getLong("nonce"))
            : entry.put("authorizationNonce", "0x" + authorization), row.getBoolean("before"));
      }).optional();
      if (asked.isEmpty()) {
        return stateOf(tenantId, spendId).<Cancel>map(Cancel.TooLate::new).orElse(new Cancel.NotFound());
      }
      if (!asked.get().before) {
        var slot = audit.next(tenantId);
        sql("""
            UPDATE payment SET cancel_seq = :seq, cancel_requested_at = :at, due_at = now()
            WHERE tenant_id = :tenant AND spend_id = :spend
            """).param("seq", slot.seq()).param("at", Directory.utc(slot.at()))
            .param("tenant", tenantId).param("spend", spendId).update();
        audit.write(slot, "payment.cancel_requested", spendId, actor, asked.get().entry.build());
      }
      return new Cancel.Requested();
    });
  }

  private Optional<String> stateOf(UUID tenantId, UUID spendId) {
    return sql("SELECT state FROM payment WHERE tenant_id = :tenant AND spend_id = :spend")
        .param("tenant", tenantId).param("spend", spendId).query(String.class).optional();
  }

  /** How long from now until something is due, at most {@code most}; zero if something is; the wallets that are busy do not count. */
  public Duration untilDue(Duration most, Collection<UUID> busy) {
    return sql("""
               SELECT ceil(extract(epoch FROM (due_at - now())) * 1000)::bigint FROM payment
               WHERE state IN %s AND %s AND wallet_id <> ALL (:busy) ORDER BY due_at LIMIT 1
               """.formatted(ACTIVE, FREE)).param("busy", busy.toArray(UUID[]::new)).query(Long.class).optional()
        .map(millis -> Duration.ofMillis(Math.clamp(millis, 0, most.toMillis()))).orElse(most);
  }

  public Backlog backlog() {
    return sql("""
        SELECT count(*) AS unsettled, coalesce(extract(epoch FROM (now() - min(charged_at))) * 1000, 0)::bigint AS oldest
        FROM payment WHERE state IN %s
        """.formatted(UNSETTLED))
        .query((row, n) -> new Backlog(row.getLong("unsettled"),
            Duration.ofMillis(Math.max(0, row.getLong("oldest")))))
        .single();
  }

  private JdbcClient.StatementSpec sql(String text) {
    return database.sql().sql(text);
  }
}
