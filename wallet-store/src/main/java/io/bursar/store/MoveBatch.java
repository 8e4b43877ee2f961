package io.bursar.store;

import java.math.BigDecimal;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

import org.jspecify.annotations.Nullable;
import org.springframework.jdbc.core.RowCallbackHandler;
import org.springframework.jdbc.core.simple.JdbcClient;

import io.bursar.permit.Digest32;
import io.bursar.permit.TransferIntent.Gas;
import io.bursar.store.PaymentMove.Held;
import io.bursar.store.PaymentMove.Lost;
import io.bursar.store.PaymentMove.Moved;
import io.bursar.store.PaymentStore.Change;

/**
 * Records moves of one tenant's payments in one transaction, which the caller has begun: the nonces that they take, the payments, their
 * transactions, what is given back and an entry for each.
 */
final class MoveBatch {
  private static final String ACTOR = "settlement";
  /** No block is looked for sooner after a transaction was sent. */
  private static final Duration FIRST_LOOK = Duration.ofMillis(500);
  /** How far past a wallet's next nonce a free one is looked for; below it there are none but after a gap was found. */
  private static final int NONCES_LOOKED_AT = 10_000;

  private final Database database;
  private final AuditEntries audit;
  private final Reservations reservations;
  private final PaymentStore.Settings settings;

  MoveBatch(Database database, AuditEntries audit, Reservations reservations, PaymentStore.Settings settings) {
    this.database = database;
    this.audit = audit;
    this.reservations = reservations;
    this.settings = settings;
  }

  /** A payment, what happens to it, and what it is then. */
  private record Move(Payment payment, PaymentEvent event, PaymentState next) {
    /** How many transactions it has then. */
    int attempts() {
      return PaymentTransition.attempts(payment.state()) + (PaymentTransition.fixesTransaction(event) ? 1 : 0);
    }
  }

  /** Answers what became of each change, in their order. */
  List<PaymentMove> record(UUID tenantId, List<Change> changes) {
    var entries = audit.together(tenantId);
    var at = entries.at();
    var results = new HashMap<UUID, PaymentMove>();
    var moves = new ArrayList<Move>();
    var waiting = waiting(tenantId, changes.stream().filter(change -> change.event() instanceof PaymentEvent.Prepare)
        .map(Change::payment).toList(), at);
    for (var change : changes) {
      var payment = change.payment();
      // Where the clock was set back, the record's time is later than what it shows; it is the record's that counts, and never goes back.
      var event = change.event() instanceof PaymentEvent.Prepare && isOver(payment, at)
          ? new PaymentEvent.Expire()
          : change.event();
      long nonce = 0;
      if (event instanceof PaymentEvent.Prepare) {
        var delayed = waiting.delayed.get(payment.spendId());
        if (delayed == null) {
          results.put(payment.spendId(), new Lost());
          continue;
        }
        var account = Objects.requireNonNull(waiting.accounts.get(payment.wallet().walletId()));
        var held = account.hold(delayed, settings.unconfirmedMax());
        if (held != null) {
          results.put(payment.spendId(), held);
          continue;
        }
        nonce = account.takeNonce();
      }
      moves.add(new Move(payment, event, PaymentTransition.after(payment.state(), event, nonce, at)));
    }
    // Whether somebody else has moved a payment shows here; from here on what is written stays.
    var changed = update(tenantId, moves, at);
    moves.forEach(move -> results.put(move.payment.spendId(),
        changed.contains(move.payment.spendId()) ? new Moved(moved(move, at)) : new Lost()));
    var moved = moves.stream().filter(move -> changed.contains(move.payment.spendId())).toList();
    moved.forEach(move -> {
      giveBack(move, entries);
      entries.add(PaymentTransition.kind(move.event), move.payment.spendId(), ACTOR,
          PaymentTransition.entry(move.payment, move.next, move.event));
    });
    var rest = database.statements().param("tenant", tenantId).param("at", Directory.utc(at));
    takeNonces(moved, rest);
    recordAttempts(moved, rest);
    wakeNext(moved, rest);
    entries.write(rest);
    rest.send();
    return changes.stream().map(change -> Objects.requireNonNull(results.get(change.payment().spendId()))).toList();
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

  /** A wallet whose next payments are to be prepared. */
  private static final class Account {
    private final Iterator<Long> nonces;
    private int inFlight;
    private @Nullable Held held;

    /**
     * Those that are prepared together are signed in the order of their nonces, and none after the first that is refused; another one
     * is prepared only when all are signed, so that a refusal never leaves more than these behind it.
     *
     * @param prepared whether there is one of the wallet already
     * @param nonces that no payment of the wallet has, upwards from its next one, as many as are wanted
     */
    Account(boolean frozen, boolean suspended, int inFlight, boolean prepared, List<Long> nonces) {
      this.inFlight = inFlight;
      this.nonces = nonces.iterator();
      if (frozen || suspended) {
        held = new Held(frozen ? "the wallet is frozen" : "the agent is suspended");
      } else if (prepared) {
        held = unconfirmed();
      }
    }

    private Held unconfirmed() {
      return new Held(inFlight + " earlier payments of the wallet are not confirmed yet");
    }

    /** Why the next payment may not have a nonce, nor any of those after it; null if it may. */
    @Nullable
    Held hold(boolean delayed, int unconfirmedMax) {
      if (held == null && delayed) {
        held = new Held("its delay after the approval is not over");
      } else if (held == null && inFlight >= unconfirmedMax) {
        held = unconfirmed();
      }
      return held;
    }

    long takeNonce() {
      inFlight++;
      return nonces.next();
    }
  }

  /**
   * Payments that are to be prepared, and their wallets, locked.
   *
   * @param delayed of each that still is as it was read, whether its delay after its approval is not over
   */
  private record Waiting(Map<UUID, Account> accounts, Map<UUID, Boolean> delayed) {}

  private Waiting waiting(UUID tenantId, List<Payment> payments, Instant now) {
    var waiting = new Waiting(new HashMap<>(), new HashMap<>());
    if (payments.isEmpty()) {
      return waiting;
    }
    var wallets = payments.stream()
        .collect(
            Collectors.groupingBy(payment -> payment.wallet().walletId(), LinkedHashMap::new, Collectors.counting()));
    sql("""
        SELECT w.wallet_id, w.status = 'frozen' AS frozen, a.status = 'suspended' AS suspended, f.in_flight, f.prepared,
          CASE WHEN NOT EXISTS (SELECT FROM payment t WHERE t.tenant_id = w.tenant_id AND t.wallet_id = w.wallet_id
            AND t.nonce >= w.next_nonce OFFSET 0) THEN ARRAY(SELECT generate_series(w.next_nonce, w.next_nonce + k.wanted - 1))
          ELSE ARRAY(SELECT n FROM generate_series(w.next_nonce, w.next_nonce + k.wanted + :looked) AS n WHERE NOT EXISTS (
            SELECT FROM payment t WHERE t.tenant_id = w.tenant_id AND t.wallet_id = w.wallet_id AND t.nonce = n OFFSET 0)
            ORDER BY n LIMIT k.wanted) END AS nonces
        FROM unnest(:wallets::uuid[], :wanted::bigint[]) AS k (wallet_id, wanted)
        CROSS JOIN LATERAL (SELECT * FROM wallet WHERE tenant_id = :tenant AND wallet_id = k.wallet_id FOR UPDATE) AS w
        CROSS JOIN LATERAL (SELECT status FROM agent WHERE tenant_id = :tenant AND agent_id = w.agent_id LIMIT 1) AS a
        CROSS JOIN LATERAL (
          SELECT count(*) AS in_flight, coalesce(bool_or(p.state = 'prepared'), false) AS prepared FROM payment p
          WHERE p.tenant_id = w.tenant_id AND p.wallet_id = w.wallet_id AND p.state IN %s) AS f
        """.formatted(PaymentStore.IN_FLIGHT)).param("tenant", tenantId).param("looked", NONCES_LOOKED_AT)
        .param("wallets", wallets.keySet().toArray(UUID[]::new)).param("wanted", wallets.values().toArray(Long[]::new))
        .query((RowCallbackHandler) row -> waiting.accounts.put(Directory.uuid(row, "wallet_id"),
            new Account(row.getBoolean("frozen"), row.getBoolean("suspended"), row.getInt("in_flight"),
                row.getBoolean("prepared"), List.of((Long[]) row.getArray("nonces").getArray()))));
    // No nonce may be given to one that somebody else has taken, or those after it would wait for it for ever.
    sql("""
        SELECT p.spend_id, coalesce(p.not_before > :now, false) AS delayed FROM payment p
        WHERE p.tenant_id = :tenant AND p.spend_id = ANY (:spends::uuid[]) AND p.state = 'authorized' AND p.lease = (
          SELECT k.lease FROM unnest(:spends::uuid[], :leases::uuid[]) AS k (spend_id, lease) WHERE k.spend_id = p.spend_id)
        FOR UPDATE
        """).param("tenant", tenantId).param("now", Directory.utc(now))
        .param("spends", payments.stream().map(Payment::spendId).toArray(UUID[]::new))
        .param("leases", payments.stream().map(payment -> payment.reading().lease()).toArray(UUID[]::new))
        .query((RowCallbackHandler) row -> waiting.delayed.put(Directory.uuid(row, "spend_id"),
            row.getBoolean("delayed")));
    return waiting;
  }

  /** Changes the rows that still are as they were read, and answers whose. */
  private Set<UUID> update(UUID tenantId, List<Move> moves, Instant at) {
    if (moves.isEmpty()) {
      return Set.of();
    }
    // Rows are named by ANY and each looks its values up: a join with the list may be planned to read all rows of the tenant instead.
    var columns = moves.stream().map(move -> PaymentTransition.columns(move.next)).toList();
    return new HashSet<>(sql("""
        UPDATE payment p SET updated_at = :at, (state, nonce, gas_limit, attempts, transaction_hash, block_number, block_hash, failure,
          due_at, lease_until) = (
          SELECT m.state, coalesce(m.nonce, p.nonce), coalesce(m.gas, p.gas_limit), m.attempts, coalesce(m.hash, p.transaction_hash),
            m.block, m.block_hash, m.failure, CASE WHEN m.state = 'broadcast' THEN :look ELSE :at END,
            CASE WHEN m.state = 'broadcast' THEN '-infinity' ELSE :until END
          FROM unnest(:spends::uuid[], :states::text[], :nonces::bigint[], :gas::bigint[], :attempts::int[], :hashes::bytea[],
            :blocks::bigint[], :blockHashes::bytea[], :failures::text[])
            AS m (spend_id, state, nonce, gas, attempts, hash, block, block_hash, failure) WHERE m.spend_id = p.spend_id)
        WHERE p.tenant_id = :tenant AND p.spend_id = ANY (:spends::uuid[]) AND (p.state, p.attempts, p.lease) = (
          SELECT m.state, m.attempts, m.lease FROM unnest(:spends::uuid[], :from::text[], :before::int[], :leases::uuid[])
            AS m (spend_id, state, attempts, lease) WHERE m.spend_id = p.spend_id)
        RETURNING p.spend_id
        """).param("tenant", tenantId).param("at", Directory.utc(at)).param("look", Directory.utc(at.plus(FIRST_LOOK)))
        .param("until", Directory.utc(at.plus(settings.lease())))
        .param("spends", spends(moves))
        .param("states", of(moves, move -> move.next.text()).toArray(String[]::new))
        .param("nonces", of(columns, PaymentTransition.Columns::nonce).toArray(Long[]::new))
        .param("gas", of(columns, PaymentTransition.Columns::gasLimit).toArray(Long[]::new))
        .param("attempts", attempts(moves))
        .param("hashes", of(columns, row -> bytes(row.hash())).toArray(byte[][]::new))
        .param("blocks",
            of(columns, row -> row.mined() == null ? null : row.mined().blockNumber()).toArray(Long[]::new))
        .param("blockHashes",
            of(columns, row -> row.mined() == null ? null : row.mined().blockHash().bytes()).toArray(byte[][]::new))
        .param("failures",
            of(moves, move -> move.next instanceof PaymentState.Failed(var why) ? why : null).toArray(String[]::new))
        .param("from", of(moves, move -> move.payment.state().text()).toArray(String[]::new))
        .param("before", of(moves, move -> PaymentTransition.attempts(move.payment.state())).toArray(Integer[]::new))
        .param("leases", of(moves, move -> move.payment.reading().lease()).toArray(UUID[]::new)).query(UUID.class)
        .list());
  }

  private static void takeNonces(List<Move> moved, Statements rest) {
    var next = new LinkedHashMap<UUID, Long>();
    for (var move : moved) {
      if (move.next instanceof PaymentState.Prepared(var nonce, var _)) {
        next.merge(move.payment.wallet().walletId(), nonce + 1, Math::max);
      }
    }
    if (!next.isEmpty()) {
      rest.add(next.size(), """
          UPDATE wallet w SET next_nonce = (
            SELECT k.nonce FROM unnest(:takers::uuid[], :nexts::bigint[]) AS k (wallet_id, nonce) WHERE k.wallet_id = w.wallet_id)
          WHERE w.tenant_id = :tenant AND w.wallet_id = ANY (:takers::uuid[])
          """).param("takers", next.keySet().toArray(UUID[]::new)).param("nexts", next.values().toArray(Long[]::new));
    }
  }

  /** Fixes, completes or dates the transactions that the moves are about. */
  private static void recordAttempts(List<Move> moved, Statements rest) {
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
    if (!fixed.isEmpty()) {
      var moves = fixed.stream().map(Fixed::move).toList();
      rest.add(fixed.size(), """
          INSERT INTO payment_attempt (tenant_id, spend_id, attempt, cancels, max_fee, priority_fee, prepared_at)
          SELECT :tenant, k.*, :at FROM unnest(:fixed::uuid[], :fixedAttempts::int[], :cancels::boolean[], :max::numeric[],
            :priority::numeric[]) AS k
          """).param("fixed", spends(moves)).param("fixedAttempts", attempts(moves))
          .param("cancels", of(fixed, Fixed::cancels).toArray(Boolean[]::new))
          .param("max", of(fixed, row -> new BigDecimal(row.gas.maxFeePerGas())).toArray(BigDecimal[]::new))
          .param("priority",
              of(fixed, row -> new BigDecimal(row.gas.maxPriorityFeePerGas())).toArray(BigDecimal[]::new));
    }
    if (!signed.isEmpty()) {
      var moves = signed.stream().map(Signed::move).toList();
      rest.add(signed.size(), """
          UPDATE payment_attempt a SET (raw_transaction, transaction_hash) = (
            SELECT k.raw, k.hash FROM unnest(:signed::uuid[], :raws::bytea[], :rawHashes::bytea[]) AS k (spend_id, raw, hash)
            WHERE k.spend_id = a.spend_id)
          WHERE a.tenant_id = :tenant AND a.spend_id = ANY (:signed::uuid[]) AND a.raw_transaction IS NULL AND a.attempt = (
            SELECT k.attempt FROM unnest(:signed::uuid[], :signedAttempts::int[]) AS k (spend_id, attempt) WHERE k.spend_id = a.spend_id)
          """).param("signed", spends(moves)).param("signedAttempts", attempts(moves))
          .param("raws", of(signed, row -> row.by.raw().toByteArray()).toArray(byte[][]::new))
          .param("rawHashes", of(signed, row -> row.by.hash().bytes()).toArray(byte[][]::new));
    }
    if (!sent.isEmpty()) {
      rest.add(sent.size(), """
          UPDATE payment_attempt a SET first_sent_at = coalesce(a.first_sent_at, :at), last_sent_at = :at
          WHERE a.tenant_id = :tenant AND a.spend_id = ANY (:sent::uuid[]) AND a.attempt = (
            SELECT k.attempt FROM unnest(:sent::uuid[], :sentAttempts::int[]) AS k (spend_id, attempt) WHERE k.spend_id = a.spend_id)
          """).param("sent", spends(sent)).param("sentAttempts", attempts(sent));
    }
  }

  /** What the wallets' next payments may have waited for has happened: they are due at once. */
  private void wakeNext(List<Move> moved, Statements rest) {
    var over = moved.stream()
        .filter(move -> move.next instanceof PaymentState.Final || move.event instanceof PaymentEvent.Sign).toList();
    if (!over.isEmpty()) {
      rest.add("""
          UPDATE payment SET due_at = now() WHERE tenant_id = :tenant AND spend_id = ANY (ARRAY(
            SELECT next.spend_id FROM unnest(:wallets::uuid[]) AS w (wallet_id) CROSS JOIN LATERAL (
              SELECT spend_id, due_at FROM payment q
              WHERE q.tenant_id = :tenant AND q.wallet_id = w.wallet_id AND q.state = 'authorized' AND q.mode = 'direct'
                AND (q.not_before IS NULL OR q.not_before <= now())
              ORDER BY q.spend_id LIMIT :most) AS next WHERE next.due_at > now()))
          """).param("wallets", of(over, move -> move.payment.wallet().walletId()).distinct().toArray(UUID[]::new))
          .param("most", settings.unconfirmedMax());
    }
  }

  private static <T, R> Stream<@Nullable R> of(List<T> rows, Function<T, @Nullable R> column) {
    return rows.stream().map(column);
  }

  private static UUID[] spends(List<Move> moves) {
    return moves.stream().map(move -> move.payment.spendId()).toArray(UUID[]::new);
  }

  private static Integer[] attempts(List<Move> moves) {
    return moves.stream().map(Move::attempts).toArray(Integer[]::new);
  }

  private JdbcClient.StatementSpec sql(String text) {
    return database.sql().sql(text);
  }

  private static byte @Nullable [] bytes(@Nullable Digest32 hash) {
    return hash == null ? null : hash.bytes();
  }
}
