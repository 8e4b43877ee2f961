package io.bursar.store;

import java.math.BigDecimal;
import java.sql.Types;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;

import org.jspecify.annotations.Nullable;
import org.springframework.jdbc.core.RowCallbackHandler;
import org.springframework.jdbc.core.namedparam.MapSqlParameterSource;
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
  /** No block is looked for sooner after a transaction was sent. */
  private static final Duration FIRST_LOOK = Duration.ofMillis(500);
  private static final OffsetDateTime NO_LEASE = OffsetDateTime.MIN;
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

  /** Whether somebody is writing for a tenant, and what waits for the next turn. */
  private static final class Turn {
    private final AtomicBoolean taken = new AtomicBoolean();
    private final Queue<Wish> waiting = new ConcurrentLinkedQueue<>();
  }

  /** A move that a thread waits for; what came of it is written by who has the turn, before it is answered. */
  private static final class Wish {
    private final Payment payment;
    private final PaymentEvent event;
    private final Thread thread = Thread.currentThread();
    private @Nullable PaymentMove result;
    private @Nullable RuntimeException failure;
    private volatile boolean answered;

    Wish(Payment payment, PaymentEvent event) {
      this.payment = payment;
      this.event = event;
    }

    void answer(@Nullable PaymentMove move, @Nullable RuntimeException thrown) {
      result = move;
      failure = thrown;
      answered = true;
      LockSupport.unpark(thread);
    }
  }

  PaymentMove move(Payment payment, PaymentEvent event) {
    var _ = PaymentTransition.after(payment.state(), event, 0, payment.reading().readAt()); // or it throws
    var wish = new Wish(payment, event);
    var turn = turns.computeIfAbsent(payment.tenantId(), tenant -> new Turn());
    turn.waiting.add(wish);
    boolean interrupted = false;
    while (!wish.answered) {
      if (turn.taken.compareAndSet(false, true)) {
        takeTurn(payment.tenantId(), turn, wish);
      } else {
        LockSupport.park(turn);
        interrupted |= Thread.interrupted();
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    if (wish.result != null) {
      return wish.result;
    }
    throw Objects.requireNonNull(wish.failure);
  }

  /**
   * Those who are answered go on at once; of those who are not, one is woken for the next turn. With a lock, who was answered would have
   * to take it once more, one after the other, before the next could write.
   */
  private void takeTurn(UUID tenantId, Turn turn, Wish own) {
    try {
      if (!own.answered) {
        recordWaiting(tenantId, turn);
      }
    } finally {
      turn.taken.set(false);
      var next = turn.waiting.peek();
      if (next != null) {
        LockSupport.unpark(next.thread);
      }
    }
  }

  private void recordWaiting(UUID tenantId, Turn turn) {
    var wishes = together(turn.waiting);
    try {
      var results = database.inTransaction(() -> recordAll(tenantId, wishes));
      for (int i = 0; i < wishes.size(); i++) {
        wishes.get(i).answer(results.get(i), null);
      }
    } catch (RuntimeException e) {
      wishes.forEach(wish -> wish.answer(null, e));
    } catch (Error e) {
      wishes.forEach(wish -> wish.answer(null, new IllegalStateException("a move could not be recorded", e)));
      throw e;
    }
  }

  /** The next wishes, of no wallet two: what becomes of one depends on what became of the one before. */
  private static List<Wish> together(Queue<Wish> waiting) {
    var wishes = new ArrayList<Wish>();
    var wallets = new HashSet<UUID>();
    for (var wish = waiting.peek(); wish != null && wishes.size() < TOGETHER_MAX
        && wallets.add(wish.payment.wallet().walletId()); wish = waiting.peek()) {
      wishes.add(waiting.remove());
    }
    return wishes;
  }

  /** A payment, what happens to it, and what it is then. */
  private record Move(Payment payment, PaymentEvent event, PaymentState next) {
    /** How many transactions it has then. */
    int attempts() {
      return PaymentTransition.attempts(payment.state()) + (PaymentTransition.fixesTransaction(event) ? 1 : 0);
    }
  }

  private List<PaymentMove> recordAll(UUID tenantId, List<Wish> wishes) {
    var entries = audit.together(tenantId);
    var at = entries.at();
    var results = new HashMap<Wish, PaymentMove>();
    var moves = new LinkedHashMap<Wish, Move>();
    var accounts = accounts(tenantId, wishes.stream().filter(wish -> wish.event instanceof PaymentEvent.Prepare)
        .map(wish -> wish.payment).toList(), at);
    for (var wish : wishes) {
      // Where the clock was set back, the record's time is later than what it shows; it is the record's that counts, and never goes back.
      var event = wish.event instanceof PaymentEvent.Prepare && isOver(wish.payment, at)
          ? new PaymentEvent.Expire()
          : wish.event;
      long nonce = 0;
      if (event instanceof PaymentEvent.Prepare) {
        var account = Objects.requireNonNull(accounts.get(wish.payment.wallet().walletId()));
        var held = account.hold(settings.unconfirmedMax());
        if (held.isPresent()) {
          results.put(wish, held.get());
          continue;
        }
        nonce = account.nextNonce;
      }
      moves.put(wish, new Move(wish.payment, event,
          PaymentTransition.after(wish.payment.state(), event, nonce, at)));
    }
    // Whether somebody else has moved a payment shows here; from here on what is written stays.
    var changed = update(tenantId, List.copyOf(moves.values()), at);
    moves.forEach((wish, move) -> results.put(wish,
        changed.contains(move.payment.spendId()) ? new Moved(moved(move, at)) : new Lost()));
    var moved = moves.values().stream().filter(move -> changed.contains(move.payment.spendId())).toList();
    takeNonces(tenantId, moved);
    recordAttempts(tenantId, moved, at);
    moved.forEach(move -> {
      giveBack(move, entries);
      entries.add(PaymentTransition.kind(move.event), move.payment.spendId(), ACTOR,
          PaymentTransition.entry(move.payment, move.next, move.event));
    });
    wakeNext(tenantId, moved.stream()
        .filter(move -> move.next instanceof PaymentState.Final || move.event instanceof PaymentEvent.Sign)
        .map(move -> move.payment.wallet().walletId()).toList());
    entries.write();
    return wishes.stream().map(wish -> Objects.requireNonNull(results.get(wish))).toList();
  }

  private static Payment moved(Move move, Instant at) {
    return new Payment(move.payment.key(), move.payment.wallet(), move.payment.order(), move.next,
        new Payment.Reading(at, at, move.payment.reading().lease()), move.payment.cancellation());
  }

  private static boolean isOver(Payment payment, Instant at) {
    var expiresAt = payment.order().expiresAt();
    return expiresAt != null && !at.isBefore(expiresAt);
  }

  private void giveBack(Move move, AuditEntries.Together entries) {
    var what = switch (move.event) {
      case PaymentEvent.Expire _,PaymentEvent.Fail _,PaymentEvent.Annul _ -> Reservations.GiveBack.ALL;
      case PaymentEvent.Revert(var _) -> Reservations.GiveBack.AMOUNT;
      case PaymentEvent.Prepare _,PaymentEvent.Sign _,PaymentEvent.Send _,PaymentEvent.Replace _,PaymentEvent.Confirm _ ->
        null;
    };
    if (what != null) {
      entries.changesMoney();
      reservations.giveBack(entries.next(), move.payment.spendId(), what);
    }
  }

  /**
   * A wallet whose next payment is to be prepared.
   *
   * @param delayed whether that payment's delay after its approval is not over
   * @param nextNonce its next nonce that no payment has
   */
  private record Account(boolean frozen, boolean suspended, boolean delayed, long nextNonce, int inFlight,
      boolean prepared) {
    /** Why the payment may not have the nonce: one at a time is prepared, so that a refusal leaves no gap behind. */
    Optional<Held> hold(int unconfirmedMax) {
      if (frozen || suspended) {
        return Optional.of(new Held(frozen ? "the wallet is frozen" : "the agent is suspended"));
      }
      if (delayed) {
        return Optional.of(new Held("its delay after the approval is not over"));
      }
      return prepared || inFlight >= unconfirmedMax
          ? Optional.of(new Held(inFlight + " earlier payments of the wallet are not confirmed yet"))
          : Optional.empty();
    }
  }

  /** The wallets of these payments, of which no two have the same, locked. */
  private Map<UUID, Account> accounts(UUID tenantId, List<Payment> payments, Instant now) {
    var accounts = new HashMap<UUID, Account>();
    if (payments.isEmpty()) {
      return accounts;
    }
    sql("""
        SELECT w.wallet_id, w.status = 'frozen' AS frozen, a.status = 'suspended' AS suspended, f.in_flight, f.prepared,
          CASE WHEN NOT EXISTS (SELECT FROM payment t WHERE t.tenant_id = w.tenant_id AND t.wallet_id = w.wallet_id
            AND t.nonce = w.next_nonce OFFSET 0) THEN w.next_nonce
          ELSE (SELECT n FROM generate_series(w.next_nonce, w.next_nonce + :looked) AS n WHERE NOT EXISTS (
            SELECT FROM payment t WHERE t.tenant_id = w.tenant_id AND t.wallet_id = w.wallet_id AND t.nonce = n OFFSET 0)
            ORDER BY n LIMIT 1) END AS next_nonce,
          EXISTS (SELECT FROM payment d WHERE d.tenant_id = w.tenant_id AND d.spend_id = k.spend_id AND d.not_before > :now OFFSET 0) AS delayed
        FROM unnest(:wallets::uuid[], :spends::uuid[]) AS k (wallet_id, spend_id)
        CROSS JOIN LATERAL (SELECT * FROM wallet WHERE tenant_id = :tenant AND wallet_id = k.wallet_id FOR UPDATE) AS w
        CROSS JOIN LATERAL (SELECT status FROM agent WHERE tenant_id = :tenant AND agent_id = w.agent_id LIMIT 1) AS a
        CROSS JOIN LATERAL (
          SELECT count(*) AS in_flight, coalesce(bool_or(p.state = 'prepared'), false) AS prepared FROM payment p
          WHERE p.tenant_id = w.tenant_id AND p.wallet_id = w.wallet_id AND p.state IN %s) AS f
        """.formatted(PaymentStore.IN_FLIGHT)).param("tenant", tenantId).param("now", time(now))
        .param("looked", NONCES_LOOKED_AT)
        .param("wallets", payments.stream().map(payment -> payment.wallet().walletId()).toArray(UUID[]::new))
        .param("spends", payments.stream().map(Payment::spendId).toArray(UUID[]::new))
        .query((RowCallbackHandler) row -> accounts.put(Directory.uuid(row, "wallet_id"),
            new Account(row.getBoolean("frozen"), row.getBoolean("suspended"), row.getBoolean("delayed"),
                row.getLong("next_nonce"), row.getInt("in_flight"), row.getBoolean("prepared"))));
    return accounts;
  }

  /** Changes the rows that still are as they were read, and answers whose. */
  private Set<UUID> update(UUID tenantId, List<Move> moves, Instant at) {
    // Each row by a statement that names it, all sent at once: joined to a list, rows of a table that was small when that was planned
    // would be looked for among all of the tenant's.
    int[] changed = database.batch("""
        UPDATE payment SET state = :state, nonce = coalesce(:nonce, nonce), gas_limit = coalesce(:gas, gas_limit),
          attempts = :attempts, transaction_hash = coalesce(:hash, transaction_hash), block_number = :block,
          block_hash = :blockHash, failure = :failure, due_at = :due, lease_until = :until, updated_at = :at
        WHERE tenant_id = :tenant AND spend_id = :spend AND state = :from AND attempts = :before AND lease = :lease
        """, moves, move -> {
      var columns = PaymentTransition.columns(move.next);
      @Nullable
      Mined mined = columns.mined();
      return named(tenantId, move, at).addValue("state", move.next.text())
          .addValue("nonce", columns.nonce(), Types.BIGINT).addValue("gas", columns.gasLimit(), Types.BIGINT)
          .addValue("hash", bytes(columns.hash()), Types.BINARY)
          .addValue("block", mined == null ? null : mined.blockNumber(), Types.BIGINT)
          .addValue("blockHash", mined == null ? null : mined.blockHash().bytes(), Types.BINARY)
          .addValue("failure", move.next instanceof PaymentState.Failed(var why) ? why : null, Types.VARCHAR)
          .addValue("due", time(move.next instanceof PaymentState.Broadcast ? at.plus(FIRST_LOOK) : at))
          .addValue("until", move.next instanceof PaymentState.Broadcast ? NO_LEASE : time(at.plus(settings.lease())))
          .addValue("from", move.payment.state().text())
          .addValue("before", PaymentTransition.attempts(move.payment.state()))
          .addValue("lease", move.payment.reading().lease(), Types.OTHER);
    });
    var whose = new HashSet<UUID>();
    for (int i = 0; i < changed.length; i++) {
      if (changed[i] == 1) {
        whose.add(moves.get(i).payment.spendId());
      }
    }
    return whose;
  }

  private void takeNonces(UUID tenantId, List<Move> moved) {
    var _ = database.batch(
        "UPDATE wallet SET next_nonce = :nonce + 1 WHERE tenant_id = :tenant AND wallet_id = :wallet",
        moved.stream().filter(move -> move.event instanceof PaymentEvent.Prepare).toList(),
        move -> new MapSqlParameterSource("tenant", tenantId).addValue("wallet", move.payment.wallet().walletId())
            .addValue("nonce", PaymentTransition.columns(move.next).nonce(), Types.BIGINT));
  }

  /** Fixes, completes or dates the transactions that the moves are about. */
  private void recordAttempts(UUID tenantId, List<Move> moved, Instant at) {
    record Fixed(Move move, Gas gas, boolean cancels) {}
    record Signed(Move move, PaymentEvent.Sign by) {}
    var fixed = new ArrayList<Fixed>();
    var signed = new ArrayList<Signed>();
    var sent = new ArrayList<Move>();
    for (var move : moved) {
      switch (move.event) {
        case PaymentEvent.Prepare(var gas) -> fixed.add(new Fixed(move, gas, false));
        case PaymentEvent.Replace(var gas, var cancels) -> fixed.add(new Fixed(move, gas, cancels));
        case PaymentEvent.Sign by -> signed.add(new Signed(move, by));
        case PaymentEvent.Send _ -> sent.add(move);
        case PaymentEvent.Confirm _,PaymentEvent.Revert _,PaymentEvent.Annul _,PaymentEvent.Fail _,PaymentEvent.Expire _ ->
          {
          }
      }
    }
    each(database.batch("""
        INSERT INTO payment_attempt (tenant_id, spend_id, attempt, cancels, max_fee, priority_fee, prepared_at)
        VALUES (:tenant, :spend, :attempts, :cancels, :max, :priority, :at)
        """, fixed, of -> named(tenantId, of.move, at).addValue("cancels", of.cancels)
        .addValue("max", new BigDecimal(of.gas.maxFeePerGas()))
        .addValue("priority", new BigDecimal(of.gas.maxPriorityFeePerGas()))));
    each(database.batch("""
        UPDATE payment_attempt SET raw_transaction = :raw, transaction_hash = :hash
        WHERE tenant_id = :tenant AND spend_id = :spend AND attempt = :attempts AND raw_transaction IS NULL
        """, signed, of -> named(tenantId, of.move, at).addValue("raw", of.by.raw().toByteArray())
        .addValue("hash", of.by.hash().bytes())));
    each(database.batch("""
        UPDATE payment_attempt SET first_sent_at = coalesce(first_sent_at, :at), last_sent_at = :at
        WHERE tenant_id = :tenant AND spend_id = :spend AND attempt = :attempts
        """, sent, move -> named(tenantId, move, at)));
  }

  private static MapSqlParameterSource named(UUID tenantId, Move move, Instant at) {
    return new MapSqlParameterSource("tenant", tenantId).addValue("spend", move.payment.spendId())
        .addValue("attempts", move.attempts()).addValue("at", time(at));
  }

  private static void each(int[] changed) {
    if (Arrays.stream(changed).anyMatch(rows -> rows != 1)) {
      throw new IllegalStateException("a payment and its attempts do not agree");
    }
  }

  /** What the wallets' next payments may have waited for has happened: they are due at once. */
  private void wakeNext(UUID tenantId, List<UUID> wallets) {
    if (wallets.isEmpty()) {
      return;
    }
    sql("""
        UPDATE payment SET due_at = now() WHERE tenant_id = :tenant AND spend_id = ANY (ARRAY(
          SELECT next.spend_id FROM unnest(:wallets::uuid[]) AS w (wallet_id) CROSS JOIN LATERAL (
            SELECT spend_id FROM payment q
            WHERE q.tenant_id = :tenant AND q.wallet_id = w.wallet_id AND q.state = 'authorized' AND q.mode = 'direct' AND q.due_at > now()
              AND (q.not_before IS NULL OR q.not_before <= now())
            ORDER BY q.spend_id LIMIT :most) AS next))
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
