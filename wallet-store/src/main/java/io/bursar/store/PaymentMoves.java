package io.bursar.store;

import java.math.BigDecimal;
import java.sql.Types;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Queue;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.ReentrantLock;

import org.jspecify.annotations.Nullable;
import org.springframework.jdbc.core.simple.JdbcClient;

import io.bursar.permit.Digest32;
import io.bursar.permit.TransferIntent.Gas;
import io.bursar.store.PaymentMove.Held;
import io.bursar.store.PaymentMove.Lost;
import io.bursar.store.PaymentMove.Moved;
import io.bursar.store.PaymentState.Mined;

/**
 * Records moves of payments. All of a tenant's moves need its lane, and a lane is held until its transaction is durable; so the
 * moves that come while one transaction is under way are recorded together by the next one.
 */
final class PaymentMoves {
  private static final String ACTOR = "settlement";
  private static final int TOGETHER_MAX = 64;
  /** How far past a wallet's next nonce a free one is looked for; below it there are none but after a gap was found. */
  private static final int NONCES_LOOKED_AT = 10_000;

  private final Database database;
  private final AuditEntries audit;
  private final Reservations reservations;
  private final PaymentStore.Settings settings;
  private final Map<UUID, Turn> turns = new ConcurrentHashMap<>();

  PaymentMoves(Database database, AuditEntries audit, Reservations reservations, PaymentStore.Settings settings) {
    this.database = database;
    this.audit = audit;
    this.reservations = reservations;
    this.settings = settings;
  }

  /** Whose turn it is to write for a tenant, and what waits for the next one. */
  private static final class Turn {
    private final ReentrantLock writing = new ReentrantLock();
    private final Queue<Wish> waiting = new ConcurrentLinkedQueue<>();
  }

  /** A move that somebody waits for; the fields below are written and read by who holds the turn. */
  private static final class Wish {
    private final Payment payment;
    private final PaymentEvent event;
    private @Nullable PaymentMove result;
    private @Nullable RuntimeException failure;

    Wish(Payment payment, PaymentEvent event) {
      this.payment = payment;
      this.event = event;
    }

    boolean isAnswered() {
      return result != null || failure != null;
    }
  }

  /** Says what came of a move of which nothing has been written. */
  private static final class NotMoved extends RuntimeException {
    private static final long serialVersionUID = 1;
    private final transient PaymentMove result;

    NotMoved(PaymentMove result) {
      super(null, null, false, false);
      this.result = result;
    }
  }

  PaymentMove move(Payment payment, PaymentEvent event) {
    var _ = PaymentTransition.after(payment.state(), event, 0, payment.reading().readAt()); // or it throws
    var wish = new Wish(payment, event);
    var turn = turns.computeIfAbsent(payment.tenantId(), tenant -> new Turn());
    turn.waiting.add(wish);
    turn.writing.lock();
    try {
      while (!wish.isAnswered()) {
        recordWaiting(payment.tenantId(), turn);
      }
    } finally {
      turn.writing.unlock();
    }
    if (wish.result != null) {
      return wish.result;
    }
    throw Objects.requireNonNull(wish.failure);
  }

  private void recordWaiting(UUID tenantId, Turn turn) {
    var wishes = new ArrayList<Wish>();
    for (var wish = turn.waiting.poll(); wish != null; wish = turn.waiting.poll()) {
      wishes.add(wish);
      if (wishes.size() == TOGETHER_MAX) {
        break;
      }
    }
    try {
      var results = database.inTransaction(() -> recordAll(tenantId, wishes));
      for (int i = 0; i < wishes.size(); i++) {
        wishes.get(i).result = results.get(i);
      }
    } catch (RuntimeException e) {
      wishes.forEach(wish -> wish.failure = e);
    }
  }

  private List<PaymentMove> recordAll(UUID tenantId, List<Wish> wishes) {
    var entries = audit.together(tenantId);
    var results = new ArrayList<PaymentMove>();
    var awake = new HashSet<UUID>();
    for (var wish : wishes) {
      try {
        results.add(new Moved(record(wish.payment, wish.event, entries, awake)));
      } catch (NotMoved notMoved) {
        results.add(notMoved.result);
      }
    }
    wakeNext(tenantId, awake);
    entries.write();
    return results;
  }

  private Payment record(Payment payment, PaymentEvent wish, AuditEntries.Together entries, Set<UUID> awake) {
    var at = entries.at();
    // Where the clock was set back, the record's time is later than what it shows; it is the record's that counts, and never goes back.
    var event = wish instanceof PaymentEvent.Prepare && isOver(payment, at) ? new PaymentEvent.Expire() : wish;
    long nonce = event instanceof PaymentEvent.Prepare ? nextNonce(payment, at) : 0;
    var next = PaymentTransition.after(payment.state(), event, nonce, at);
    update(payment, next, PaymentTransition.fixesTransaction(event), at);
    // From here on nothing may be held or lost: what is written stays, with whatever else is recorded in the transaction.
    if (event instanceof PaymentEvent.Prepare) {
      sql("UPDATE wallet SET next_nonce = :next WHERE tenant_id = :tenant AND wallet_id = :wallet")
          .param("next", nonce + 1).param("tenant", payment.tenantId()).param("wallet", payment.wallet().walletId())
          .update();
    }
    recordAttempt(payment, event, at);
    switch (event) {
      case PaymentEvent.Expire _,PaymentEvent.Fail _,PaymentEvent.Annul _ ->
        giveBack(payment, entries, Reservations.GiveBack.ALL);
      case PaymentEvent.Revert(var _) -> giveBack(payment, entries, Reservations.GiveBack.AMOUNT);
      case PaymentEvent.Prepare _,PaymentEvent.Sign _,PaymentEvent.Send _,PaymentEvent.Replace _,PaymentEvent.Confirm _ ->
        {
        }
    }
    if (next instanceof PaymentState.Final || event instanceof PaymentEvent.Sign) {
      awake.add(payment.wallet().walletId());
    }
    entries.add(PaymentTransition.kind(event), payment.spendId(), ACTOR,
        PaymentTransition.entry(payment, next, event));
    return new Payment(payment.key(), payment.wallet(), payment.order(), next,
        new Payment.Reading(at, at, payment.reading().lease()), payment.cancellation());
  }

  private static boolean isOver(Payment payment, Instant at) {
    var expiresAt = payment.order().expiresAt();
    return expiresAt != null && !at.isBefore(expiresAt);
  }

  private void giveBack(Payment payment, AuditEntries.Together entries, Reservations.GiveBack what) {
    entries.changesMoney();
    reservations.giveBack(entries.next(), payment.spendId(), what);
  }

  /** The wallet's next nonce that no payment has, if the payment may have it: one at a time is prepared, so that a refusal leaves no gap behind. */
  private long nextNonce(Payment payment, Instant now) {
    record Account(boolean frozen, boolean suspended, boolean delayed, long nextNonce, int inFlight,
        boolean prepared) {}
    var account = sql(
        """
        SELECT w.status = 'frozen' AS frozen, a.status = 'suspended' AS suspended, f.in_flight, f.prepared,
          CASE WHEN NOT EXISTS (SELECT FROM payment t WHERE t.tenant_id = w.tenant_id AND t.wallet_id = w.wallet_id
            AND t.nonce = w.next_nonce) THEN w.next_nonce
          ELSE (SELECT n FROM generate_series(w.next_nonce, w.next_nonce + :looked) AS n WHERE NOT EXISTS (
            SELECT FROM payment t WHERE t.tenant_id = w.tenant_id AND t.wallet_id = w.wallet_id AND t.nonce = n)
            ORDER BY n LIMIT 1) END AS next_nonce,
          EXISTS (SELECT FROM payment d WHERE d.tenant_id = w.tenant_id AND d.spend_id = :spend AND d.not_before > :now) AS delayed
        FROM wallet w JOIN agent a USING (tenant_id, agent_id) CROSS JOIN LATERAL (
          SELECT count(*) AS in_flight, coalesce(bool_or(p.state = 'prepared'), false) AS prepared FROM payment p
          WHERE p.tenant_id = w.tenant_id AND p.wallet_id = w.wallet_id AND p.state IN %s) AS f
        WHERE w.tenant_id = :tenant AND w.wallet_id = :wallet FOR UPDATE OF w
        """.formatted(PaymentStore.IN_FLIGHT)).param("tenant", payment.tenantId())
        .param("wallet", payment.wallet().walletId()).param("spend", payment.spendId()).param("now", time(now))
        .param("looked", NONCES_LOOKED_AT)
        .query((row, n) -> new Account(row.getBoolean("frozen"), row.getBoolean("suspended"), row.getBoolean("delayed"),
            row.getLong("next_nonce"), row.getInt("in_flight"), row.getBoolean("prepared")))
        .single();
    if (account.frozen || account.suspended) {
      throw new NotMoved(new Held(account.frozen ? "the wallet is frozen" : "the agent is suspended"));
    }
    if (account.delayed) {
      throw new NotMoved(new Held("its delay after the approval is not over"));
    }
    if (account.prepared || account.inFlight >= settings.unconfirmedMax()) {
      throw new NotMoved(new Held(account.inFlight + " earlier payments of the wallet are not confirmed yet"));
    }
    return account.nextNonce;
  }

  private void update(Payment from, PaymentState next, boolean fixes, Instant at) {
    int before = PaymentTransition.attempts(from.state());
    var columns = PaymentTransition.columns(next);
    @Nullable
    Mined mined = columns.mined();
    int changed = sql(
        """
        UPDATE payment SET state = :state, nonce = coalesce(:nonce, nonce), gas_limit = coalesce(:gas, gas_limit),
          attempts = :attempts, transaction_hash = coalesce(:hash, transaction_hash), block_number = :block,
          block_hash = :blockHash, failure = :failure, due_at = :at, lease_until = :until, updated_at = :at
        WHERE tenant_id = :tenant AND spend_id = :spend AND state = :from AND attempts = :before
          AND lease = :lease
        """).param("state", next.text()).param("nonce", columns.nonce(), Types.BIGINT)
        .param("gas", columns.gasLimit(), Types.BIGINT).param("attempts", before + (fixes ? 1 : 0))
        .param("hash", bytes(columns.hash()), Types.BINARY)
        .param("block", mined == null ? null : mined.blockNumber(), Types.BIGINT)
        .param("blockHash", mined == null ? null : mined.blockHash().bytes(), Types.BINARY)
        .param("failure", next instanceof PaymentState.Failed(var why) ? why : null, Types.VARCHAR)
        .param("at", time(at)).param("until", time(at.plus(settings.lease()))).param("tenant", from.tenantId())
        .param("spend", from.spendId()).param("from", from.state().text()).param("before", before)
        .param("lease", from.reading().lease(), Types.OTHER).update();
    if (changed != 1) {
      throw new NotMoved(new Lost());
    }
  }

  private void recordAttempt(Payment payment, PaymentEvent event, Instant at) {
    int attempts = PaymentTransition.attempts(payment.state());
    switch (event) {
      case PaymentEvent.Prepare(var gas) -> insertAttempt(payment, attempts + 1, gas, false, at);
      case PaymentEvent.Replace(var gas, var cancels) -> insertAttempt(payment, attempts + 1, gas, cancels, at);
      case PaymentEvent.Sign(var raw, var hash) -> require(sql(
          """
          UPDATE payment_attempt SET raw_transaction = :raw, transaction_hash = :hash
          WHERE tenant_id = :tenant AND spend_id = :spend AND attempt = :attempt AND raw_transaction IS NULL
          """).param("raw", raw.toByteArray()).param("hash", hash.bytes()).param("tenant", payment.tenantId())
          .param("spend", payment.spendId()).param("attempt", attempts).update());
      case PaymentEvent.Send _ ->
        require(sql("""
                    UPDATE payment_attempt SET first_sent_at = coalesce(first_sent_at, :at), last_sent_at = :at
                    WHERE tenant_id = :tenant AND spend_id = :spend AND attempt = :attempt
                    """).param("at", time(at)).param("tenant", payment.tenantId())
            .param("spend", payment.spendId()).param("attempt", attempts).update());
      case PaymentEvent.Confirm _,PaymentEvent.Revert _,PaymentEvent.Annul _,PaymentEvent.Fail _,PaymentEvent.Expire _ ->
        {
        }
    }
  }

  private void insertAttempt(Payment payment, int number, Gas gas, boolean cancels, Instant at) {
    sql("""
        INSERT INTO payment_attempt (tenant_id, spend_id, attempt, cancels, max_fee, priority_fee, prepared_at)
        VALUES (:tenant, :spend, :attempt, :cancels, :max, :priority, :at)
        """).param("tenant", payment.tenantId()).param("spend", payment.spendId()).param("attempt", number)
        .param("cancels", cancels).param("max", new BigDecimal(gas.maxFeePerGas()))
        .param("priority", new BigDecimal(gas.maxPriorityFeePerGas()))
        .param("at", time(at)).update();
  }

  private static void require(int changed) {
    if (changed != 1) {
      throw new IllegalStateException("a payment and its attempts do not agree");
    }
  }

  /** What the wallets' next payments may have waited for has happened: they are due at once. */
  private void wakeNext(UUID tenantId, Set<UUID> wallets) {
    if (wallets.isEmpty()) {
      return;
    }
    sql("""
        UPDATE payment SET due_at = now() FROM unnest(:wallets::uuid[]) AS w (wallet_id) CROSS JOIN LATERAL (
          SELECT spend_id FROM payment q
          WHERE q.tenant_id = :tenant AND q.wallet_id = w.wallet_id AND q.state = 'authorized' AND q.mode = 'direct' AND q.due_at > now()
            AND (q.not_before IS NULL OR q.not_before <= now())
          ORDER BY q.spend_id LIMIT :most) AS next
        WHERE payment.tenant_id = :tenant AND payment.spend_id = next.spend_id
        """).param("tenant", tenantId).param("wallets", wallets.toArray(UUID[]::new))
        .param("most", settings.unconfirmedMax()).update();
  }

  private JdbcClient.StatementSpec sql(String text) {
    return database.sql().sql(text);
  }

  private static OffsetDateTime time(Instant instant) {
    return instant.atOffset(ZoneOffset.UTC);
  }

  private static byte @Nullable [] bytes(@Nullable Digest32 hash) {
    return hash == null ? null : hash.bytes();
  }
}
