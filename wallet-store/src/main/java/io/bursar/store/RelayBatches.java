package io.bursar.store;

import java.math.BigDecimal;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Types;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.UUID;
import java.util.function.IntFunction;

import org.jspecify.annotations.Nullable;
import org.springframework.jdbc.core.simple.JdbcClient;

import io.bursar.money.Address;
import io.bursar.permit.Bytes;
import io.bursar.permit.Digest32;
import io.bursar.permit.TransferIntent.Gas;
import io.bursar.store.PaymentState.Attempt;
import io.bursar.store.PaymentState.Mined;
import io.bursar.store.RelayBatch.Member;
import io.bursar.store.RelayBatch.Refill;

/** The transactions of {@link Relayers}. What a nonce is for is fixed in the database transaction that takes it. */
public final class RelayBatches {
  /** Of a payment p and its authorization z: its cancellation is signed and in no transaction. */
  private static final String CANCELING = """
      p.mode = 'relayed' AND p.cancel_seq IS NOT NULL AND p.state IN ('signed', 'broadcast') AND z.cancel_signature IS NOT NULL
      AND z.cancel_batch_id IS NULL""";
  /**
   * A cancellation behind its authorization, among one relayer's transactions, comes too late whatever happens: for so long it is left
   * to the others.
   */
  private static final Duration LEFT_TO_OTHERS = Duration.ofSeconds(10);

  private final Database database;
  private final AuditEntries audit;
  private final RelayStore payments;
  private final Relayers relayers;

  public RelayBatches(Database database, AuditEntries audit, RelayStore payments, Relayers relayers) {
    this.database = database;
    this.audit = audit;
    this.payments = payments;
    this.relayers = relayers;
  }

  /**
   * How many signed authorizations and cancellations wait for a transaction on a chain, of those that were looked at.
   *
   * @param oldest how long the one has waited that waits longest; negative where the clock has been set back since it began to
   */
  public record Waiting(int count, Duration oldest) {
    /** Whether that is so long; where the clock was set back, it may be any time. */
    public boolean isRipe(Duration delay) {
      return oldest.isNegative() || oldest.compareTo(delay) >= 0;
    }
  }

  /**
   * What waits for a transaction.
   *
   * @param most how many of either are looked at
   */
  public Waiting waiting(String chain, int most) {
    return sql("""
        SELECT count(*) AS count, coalesce(extract(epoch FROM now() - min(since)) * 1000, 0)::bigint AS oldest FROM (
          (SELECT p.updated_at AS since FROM payment p
          CROSS JOIN LATERAL (SELECT chain FROM wallet WHERE tenant_id = p.tenant_id AND wallet_id = p.wallet_id LIMIT 1) AS w
          CROSS JOIN LATERAL (SELECT batch_id FROM payment_authorization
            WHERE tenant_id = p.tenant_id AND spend_id = p.spend_id LIMIT 1) AS z
          WHERE p.mode = 'relayed' AND p.state = 'signed' AND p.due_at <= now() AND %1$s AND w.chain = :chain
            AND p.cancel_seq IS NULL AND z.batch_id IS NULL ORDER BY p.due_at, p.spend_id LIMIT :most)
          UNION ALL
          (SELECT p.cancel_requested_at FROM payment p JOIN wallet w ON w.tenant_id = p.tenant_id AND w.wallet_id = p.wallet_id
          JOIN payment_authorization z ON z.tenant_id = p.tenant_id AND z.spend_id = p.spend_id
          WHERE %2$s AND p.due_at <= now() AND %1$s AND w.chain = :chain LIMIT :most)) q
        """.formatted(PaymentStore.FREE, CANCELING)).param("chain", chain).param("most", most)
        .query((row, n) -> new Waiting(row.getInt("count"), Duration.ofMillis(row.getLong("oldest")))).single();
  }

  /**
   * Fixes the relayer's next transaction: its nonce, its price, and the authorizations and cancellations in it, all of one token.
   *
   * @param most how many authorizations at most, up to {@link io.bursar.permit.RelayIntent#ITEMS_MAX}
   * @param notAfter authorizations that are over at this time or before, in seconds since 1970, are left out
   * @param price of a batch of so many
   * @return it, to be signed; empty if nothing waits, or the relayer is not the caller's any more
   */
  public Optional<RelayBatch> fix(Relayer relayer, UUID by, int most, long notAfter,
      IntFunction<Gas> price) {
    return database.inTransaction(() -> {
      var next = relayers.next(relayer, by);
      if (next.isEmpty()) {
        return Optional.empty();
      }
      var members = candidates(relayer, most, notAfter);
      if (members.isEmpty()) {
        return Optional.empty();
      }
      var batch = insert(relayer, next.get(), null, price.apply(members.size()));
      var id = batch.batchId();
      sql("""
          INSERT INTO relay_item (batch_id, position, tenant_id, spend_id, cancels)
          SELECT :id, u.n - 1, u.tenant, u.spend, u.cancels
          FROM unnest(:tenants::uuid[], :spends::uuid[], :cancels::boolean[]) WITH ORDINALITY AS u (tenant, spend, cancels, n)
          """).param("id", id).param("tenants", members.stream().map(of -> of.key.tenantId()).toArray(UUID[]::new))
          .param("spends", members.stream().map(of -> of.key.spendId()).toArray(UUID[]::new))
          .param("cancels", members.stream().map(Candidate::cancels).toArray(Boolean[]::new)).update();
      sql("""
          UPDATE payment_authorization z SET batch_id = CASE WHEN i.cancels THEN z.batch_id ELSE i.batch_id END,
            cancel_batch_id = CASE WHEN i.cancels THEN i.batch_id ELSE z.cancel_batch_id END
          FROM relay_item i WHERE i.batch_id = :id AND z.tenant_id = i.tenant_id AND z.spend_id = i.spend_id
          """).param("id", id).update();
      return Optional.of(batch);
    });
  }

  /** Takes the nonce for a transaction at a price: a refill, or a batch if there is none. */
  RelayBatch insert(Relayer relayer, Relayers.Next next, @Nullable Refill refill, Gas gas) {
    var id = UUID.randomUUID();
    sql("""
        INSERT INTO relay_batch (batch_id, chain, key_id, nonce, state, gas_limit, attempts, refill_key, refill_wei,
          created_at, updated_at)
        VALUES (:id, :chain, :key, :nonce, 'prepared', :gas, 1, :refill, :wei, now(), now())
        """).param("id", id).param("chain", relayer.chain()).param("key", relayer.keyId()).param("nonce", next.nonce())
        .param("gas", gas.limit()).param("refill", refill == null ? null : refill.to().keyId(), Types.OTHER)
        .param("wei", refill == null ? null : new BigDecimal(refill.wei()), Types.NUMERIC).update();
    insertAttempt(id, 1, gas);
    relayers.advance(relayer);
    return new RelayBatch(id, relayer, next.nonce(), refill, List.of(), gas, Duration.ZERO, next.readAt());
  }

  private record Candidate(Payment.Key key, boolean cancels, Bytes token) {}

  /** Cancellations first: each of them races with its authorization. */
  private List<Candidate> candidates(Relayer relayer, int most, long notAfter) {
    var due = new ArrayList<>(candidates(CANCELING + " " + """
         AND (z.batch_id IS NULL OR NOT p.cancel_requested_at BETWEEN now() - :others * interval '1 millisecond' AND now()
          OR NOT EXISTS (SELECT FROM relay_batch b WHERE b.batch_id = z.batch_id AND b.key_id = :relayer AND b.state <> 'settled' OFFSET 0)
          OR NOT EXISTS (SELECT FROM relayer r WHERE r.chain = :chain AND r.key_id <> :relayer))""", relayer, most,
        notAfter));
    if (due.size() < most) {
      due.addAll(candidates("""
          p.mode = 'relayed' AND p.state = 'signed' AND p.cancel_seq IS NULL AND z.batch_id IS NULL
          AND z.signature IS NOT NULL""", relayer, most - due.size(), notAfter));
    }
    // One token a batch: the others are next.
    return due.stream().filter(member -> member.token.equals(due.getFirst().token)).toList();
  }

  private List<Candidate> candidates(String which, Relayer relayer, int most, long notAfter) {
    return sql("""
        SELECT p.tenant_id, p.spend_id, x.contract, p.cancel_seq IS NOT NULL AS cancels FROM payment p
        JOIN payment_authorization z USING (tenant_id, spend_id)
        CROSS JOIN LATERAL (SELECT asset_id FROM spend WHERE tenant_id = p.tenant_id AND spend_id = p.spend_id LIMIT 1) AS s
        CROSS JOIN LATERAL (SELECT * FROM asset WHERE tenant_id = p.tenant_id AND asset_id = s.asset_id LIMIT 1) AS x
        WHERE %s AND p.due_at <= now() AND %s AND x.chain = :chain AND z.valid_before > :after
        ORDER BY p.due_at, p.spend_id LIMIT :most FOR UPDATE OF z, p SKIP LOCKED
        """.formatted(which, PaymentStore.FREE)).param("chain", relayer.chain()).param("relayer", relayer.keyId())
        .param("others", LEFT_TO_OTHERS.toMillis()).param("after", notAfter).param("most", most)
        .query((row, n) -> new Candidate(
            new Payment.Key(Directory.uuid(row, "tenant_id"), Directory.uuid(row, "spend_id")),
            row.getBoolean("cancels"), Bytes.of(row.getBytes("contract"))))
        .list();
  }

  private void insertAttempt(UUID batch, int number, Gas gas) {
    sql("INSERT INTO relay_attempt (batch_id, attempt, max_fee, priority_fee) VALUES (:batch, :attempt, :max, :priority)")
        .param("batch", batch).param("attempt", number).param("max", new BigDecimal(gas.maxFeePerGas()))
        .param("priority", new BigDecimal(gas.maxPriorityFeePerGas())).update();
  }

  /** The relayer's transactions that are not settled, by nonce. */
  public List<RelayBatch> open(Relayer relayer) {
    var batches = new ArrayList<RelayBatch>();
    sql("""
        SELECT b.batch_id, b.nonce, b.gas_limit, (extract(epoch FROM now() - b.updated_at) * 1000)::bigint AS since, now() AS read_at,
          a.attempt, a.max_fee, a.priority_fee, a.raw_transaction, a.transaction_hash, a.first_sent_at, a.last_sent_at,
          b.refill_key, b.refill_wei, r.address AS refill_address
        FROM relay_batch b JOIN relay_attempt a USING (batch_id)
          LEFT JOIN relayer r ON r.chain = b.chain AND r.key_id = b.refill_key
        WHERE b.chain = :chain AND b.key_id = :key AND b.state <> 'settled' ORDER BY b.nonce, a.attempt
        """).param("chain", relayer.chain()).param("key", relayer.keyId())
        .query((org.springframework.jdbc.core.RowCallbackHandler) row -> {
          var read = new RelayBatch(Directory.uuid(row, "batch_id"), relayer, row.getLong("nonce"),
              refill(relayer, row),
              List.of(), null,
              Duration.ofMillis(row.getLong("since")), Directory.instant(row, "read_at"));
          boolean again = !batches.isEmpty() && batches.getLast().batchId().equals(read.batchId());
          var batch = again ? batches.removeLast() : read;
          batches.add(attempt(batch, row));
        });
    return batches;
  }

  private static @Nullable Refill refill(Relayer from, ResultSet row) throws SQLException {
    var wei = row.getBigDecimal("refill_wei");
    return wei == null
        ? null
        : new Refill(new Relayer(from.chain(), Directory.uuid(row, "refill_key"),
            Address.of(row.getBytes("refill_address"))), wei.toBigIntegerExact());
  }

  /** With one more attempt: one that was signed, or the one that is to be signed next. */
  private static RelayBatch attempt(RelayBatch batch, ResultSet row) throws SQLException {
    var gas = new Gas(row.getLong("gas_limit"), row.getBigDecimal("max_fee").toBigIntegerExact(),
        row.getBigDecimal("priority_fee").toBigIntegerExact());
    byte @Nullable [] raw = row.getBytes("raw_transaction");
    return raw == null
        ? batch.with(gas)
        : batch.with(new Attempt(row.getInt("attempt"), false, gas, Bytes.of(raw),
            Digest32.of(row.getBytes("transaction_hash")), time(row.getObject("first_sent_at", OffsetDateTime.class)),
            time(row.getObject("last_sent_at", OffsetDateTime.class))));
  }

  /** What a batch's calls are about, in its order. */
  public List<Member> members(RelayBatch of) {
    record Item(Payment.Key key, boolean cancels) {}
    var items = sql("SELECT tenant_id, spend_id, cancels FROM relay_item WHERE batch_id = :batch ORDER BY position")
        .param("batch", of.batchId())
        .query((row, n) -> new Item(new Payment.Key(Directory.uuid(row, "tenant_id"), Directory.uuid(row, "spend_id")),
            row.getBoolean("cancels")))
        .list();
    var byKey = new HashMap<Payment.Key, RelayedPayment>();
    payments.read(items.stream().map(Item::key).toList()).forEach(payment -> byKey.put(payment.key(), payment));
    return items.stream()
        .map(item -> new Member(Objects.requireNonNull(byKey.get(item.key)), item.cancels)).toList();
  }

  private static @Nullable Instant time(@Nullable OffsetDateTime time) {
    return time == null ? null : time.toInstant();
  }

  /** Records the signed transaction, before it is sent. */
  public void sign(RelayBatch batch, Bytes raw, Digest32 hash) {
    database.inTransaction(() -> {
      sql("""
          UPDATE relay_attempt SET raw_transaction = :raw, transaction_hash = :hash
          WHERE batch_id = :batch AND attempt = :attempt AND raw_transaction IS NULL
          """).param("raw", raw.toByteArray()).param("hash", hash.bytes()).param("batch", batch.batchId())
          .param("attempt", batch.sent().size() + 1).update();
      sql("""
          UPDATE relay_batch SET state = CASE state WHEN 'prepared' THEN 'signed' ELSE state END, transaction_hash = :hash,
            failure = NULL, updated_at = CASE state WHEN 'prepared' THEN now() ELSE updated_at END
          WHERE batch_id = :batch AND state <> 'settled'
          """).param("hash", hash.bytes()).param("batch", batch.batchId()).update();
    });
  }

  /** Fixes a higher price for the same transaction; it is to be signed next. */
  public void replace(RelayBatch batch, Gas gas) {
    database.inTransaction(() -> {
      insertAttempt(batch.batchId(), batch.sent().size() + 1, gas);
      sql("UPDATE relay_batch SET attempts = attempts + 1 WHERE batch_id = :batch").param("batch", batch.batchId())
          .update();
    });
  }

  /**
   * Records that a node has the newest transaction; the first time it is an event of every payment in it.
   *
   * @param members of the batch
   */
  public void sent(RelayBatch batch, Attempt attempt, List<Member> members) {
    var moving = batch.isSent()
        ? List.<RelayedPayment>of()
        : members.stream().filter(member -> !member.cancels()).map(Member::payment)
            .filter(payment -> payment.state().equals("signed")).toList();
    for (var group : RelayStore.byTenant(moving).entrySet()) {
      database.inTransaction(() -> {
        var entries = audit.together(group.getKey());
        // The state is a parameter and the batch a subquery, so that every row is found by its key: see RelayStore.
        var changed = sql("""
            UPDATE payment p SET state = 'broadcast', transaction_hash = :hash, failure = NULL, updated_at = clock_timestamp()
            WHERE p.tenant_id = :tenant AND p.spend_id = ANY (:spends::uuid[]) AND p.mode = 'relayed' AND p.state = :from
              AND :batch = (SELECT z.batch_id FROM payment_authorization z WHERE z.tenant_id = p.tenant_id AND z.spend_id = p.spend_id)
            RETURNING p.spend_id
            """).param("from", "signed").param("hash", attempt.hash().bytes())
            .param("tenant", group.getKey())
            .param("spends", RelayStore.spends(group.getValue())).param("batch", batch.batchId()).query(UUID.class)
            .list();
        group.getValue().stream().filter(payment -> changed.contains(payment.spendId()))
            .forEach(payment -> entries.add("payment.broadcast", payment.spendId(), RelayStore.ACTOR,
                RelayStore.entry(payment).put("transactionHash", "0x" + attempt.hash()).build()));
        entries.write();
      });
    }
    sql("""
        UPDATE relay_attempt SET first_sent_at = coalesce(first_sent_at, now()), last_sent_at = now()
        WHERE batch_id = :batch AND attempt = :attempt
        """).param("batch", batch.batchId()).param("attempt", attempt.number()).update();
    sql("UPDATE relay_batch SET state = 'broadcast', updated_at = now() WHERE batch_id = :batch AND state = 'signed'")
        .param("batch", batch.batchId()).update();
  }

  /** Notes why a batch does not go on. */
  public void stuck(RelayBatch batch, String why) {
    sql("UPDATE relay_batch SET failure = :why WHERE batch_id = :batch AND failure IS DISTINCT FROM :why")
        .param("why", why)
        .param("batch", batch.batchId()).update();
  }

  /**
   * Ends a batch whose transaction is final: those of its payments that it paid are confirmed, and the others wait for another one. Safe to
   * do again: a payment is confirmed once, and the batch is settled last.
   *
   * @param paid the payments that the transaction's events show as paid
   * @param waiting why each of the others was not brought about
   * @param delay how long these wait
   */
  public void settle(RelayBatch batch, Mined mined, long gasUsed, List<RelayedPayment> paid,
      Map<Member, String> waiting, Duration delay) {
    payments.confirm(paid, mined);
    var byTenant = new TreeMap<UUID, List<Member>>();
    waiting.keySet()
        .forEach(member -> byTenant.computeIfAbsent(member.payment().tenantId(), _ -> new ArrayList<>()).add(member));
    byTenant.forEach((tenant, members) -> database.inTransaction(() -> {
      var entries = audit.together(tenant);
      members.stream().filter(member -> takeOut(batch, member, String.valueOf(waiting.get(member)), delay))
          .forEach(member -> {
            var entry = RelayStore.entry(member.payment()).put("transactionHash", "0x" + mined.transactionHash())
                .put("why", waiting.get(member));
            entries.add("payment.not_relayed", member.payment().spendId(), RelayStore.ACTOR,
                member.cancels() ? entry.put("cancels", true).build() : entry.build());
          });
      entries.write();
    }));
    sql("""
        UPDATE relay_batch SET state = 'settled', transaction_hash = :hash, block_number = :block, block_hash = :blockHash,
          gas_used = :gas, failure = NULL, updated_at = now() WHERE batch_id = :batch AND state <> 'settled'
        """).param("hash", mined.transactionHash().bytes()).param("block", mined.blockNumber())
        .param("blockHash", mined.blockHash().bytes()).param("gas", gasUsed).param("batch", batch.batchId()).update();
  }

  /** Whether what a batch was to bring about is in no transaction now, and waits for another. */
  private boolean takeOut(RelayBatch batch, Member member, String why, Duration delay) {
    var payment = member.payment();
    var column = member.cancels() ? "cancel_batch_id" : "batch_id";
    boolean back = sql("""
        UPDATE payment p SET state = CASE WHEN :cancels THEN p.state ELSE 'signed' END, failure = :why,
          due_at = now() + :delay * interval '1 millisecond', updated_at = clock_timestamp() FROM payment_authorization z
        WHERE p.tenant_id = :tenant AND p.spend_id = :spend AND p.mode = 'relayed' AND p.state IN ('signed', 'broadcast')
          AND z.tenant_id = p.tenant_id AND z.spend_id = p.spend_id AND z.%s = :batch
        """.formatted(column)).param("cancels", member.cancels()).param("why", why).param("delay", delay.toMillis())
        .param("tenant", payment.tenantId()).param("spend", payment.spendId()).param("batch", batch.batchId())
        .update() == 1;
    if (back) {
      sql("UPDATE payment_authorization SET %s = NULL WHERE tenant_id = :tenant AND spend_id = :spend"
          .formatted(column))
          .param("tenant", payment.tenantId()).param("spend", payment.spendId()).update();
    }
    return back;
  }

  private JdbcClient.StatementSpec sql(String text) {
    return database.sql().sql(text);
  }
}
