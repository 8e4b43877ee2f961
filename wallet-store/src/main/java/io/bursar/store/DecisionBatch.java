package io.bursar.store;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.function.Function;
import java.util.function.IntFunction;

import org.jspecify.annotations.Nullable;

/**
 * Decided spends that one statement records: with their payments, audit entries and counters, if the lane's epochs are those that they
 * were decided from and none of their keys was used before; otherwise nothing.
 *
 * @param decided one or more, all at the same time and in the order of their entries
 * @param mode the way to the chain that a spend keeps from its decision on
 * @param buckets what the batch adds to them
 */
record DecisionBatch(UUID tenantId, long epoch, long directoryEpoch, List<DecidedSpend> decided,
    Function<Spend.Request, SettlementModes.Mode> mode, Map<LaneCounters.Bucket, LaneCounters.Sum> buckets) {

  // Keys that were used are searched one by one, in the index that holds them in order: LIMIT keeps the search out of the join and
  // ORDER BY a range keeps the planner from any other index. Written as a plain join it was planned, while the tables were empty,
  // as one pass over the batch for each spend of the tenant, and so it stayed until the tables were analyzed.
  static final String STATEMENT = """
      WITH r AS MATERIALIZED (
        SELECT * FROM unnest(?::uuid[], ?::uuid[], ?::uuid[], ?::text[], ?::bytea[], ?::uuid[], ?::text[], ?::bytea[], ?::text[],
          ?::text[], ?::text[], ?::text[], ?::timestamptz[], ?::timestamptz[], ?::bytea[], ?::bytea[], ?::bytea[], ?::text[], ?::text[],
          ?::text[], ?::text[])
        WITH ORDINALITY AS u(spend_id, agent_id, wallet_id, idempotency_key, fingerprint, asset_id, amount, payee, category, host,
          effect, reason_codes, expires_at, request_expires_at, payload, leaf_hash, salt, purpose, reference, metadata, mode, n)),
      l AS (
        UPDATE lane SET epoch = epoch + 1, audit_seq = audit_seq + ?, last_at = ?
        WHERE tenant_id = ? AND epoch = ? AND directory_epoch = ? AND NOT EXISTS (
          SELECT FROM r CROSS JOIN LATERAL (
            SELECT FROM spend s
            WHERE s.tenant_id = lane.tenant_id AND s.agent_id = r.agent_id
              AND s.idempotency_key BETWEEN r.idempotency_key AND r.idempotency_key ORDER BY s.idempotency_key LIMIT 1) used)
        RETURNING tenant_id, audit_seq - ? AS seq, last_at),
      s AS (
        INSERT INTO spend (tenant_id, spend_id, agent_id, wallet_id, idempotency_key, fingerprint, asset_id, amount, payee, method,
          category, host, effect, reason_codes, audit_seq, decided_at)
        SELECT l.tenant_id, r.spend_id, r.agent_id, r.wallet_id, r.idempotency_key, r.fingerprint, r.asset_id, r.amount::numeric,
          r.payee, 'transfer', r.category, r.host, r.effect, string_to_array(r.reason_codes, ','), l.seq + r.n, l.last_at
        FROM l, r),
      t AS (
        INSERT INTO spend_text (tenant_id, spend_id, salt, purpose, reference, metadata)
        SELECT l.tenant_id, r.spend_id, r.salt, r.purpose, r.reference, r.metadata FROM l, r WHERE r.salt IS NOT NULL),
      p AS (
        INSERT INTO payment (tenant_id, spend_id, wallet_id, state, audit_seq, charged_at, expires_at, request_expires_at, due_at,
          updated_at, mode)
        SELECT l.tenant_id, r.spend_id, r.wallet_id, CASE r.effect WHEN 'allow' THEN 'authorized' ELSE 'awaiting_approval' END,
          l.seq + r.n, l.last_at, r.expires_at, r.request_expires_at, l.last_at, l.last_at, r.mode
        FROM l, r WHERE r.effect <> 'deny'),
      a AS (
        INSERT INTO audit_entry (tenant_id, seq, at, kind, subject, payload, leaf_hash)
        SELECT l.tenant_id, l.seq + r.n, l.last_at, 'authorization', r.spend_id, r.payload, r.leaf_hash FROM l, r),
      b AS (
        INSERT INTO limit_bucket (tenant_id, counter_no, key, slot_seconds, slot, amount, count)
        SELECT l.tenant_id, u.counter_no, u.key, u.slot_seconds, u.slot, u.amount::numeric, u.count
        FROM l, unnest(?::int4[], ?::int8[], ?::int2[], ?::int8[], ?::text[], ?::int8[])
          AS u(counter_no, key, slot_seconds, slot, amount, count)
        ON CONFLICT (tenant_id, counter_no, key, slot_seconds, slot)
        DO UPDATE SET amount = limit_bucket.amount + excluded.amount, count = limit_bucket.count + excluded.count)
      SELECT clock_timestamp() AS read_at FROM l""";

  /** Answers the database's time; null where nothing was written. */
  @Nullable
  Instant write(Connection connection) throws SQLException {
    try (var statement = connection.prepareStatement(STATEMENT)) {
      bind(connection, statement);
      try (var row = statement.executeQuery()) {
        return row.next() ? Directory.instant(row, "read_at") : null;
      }
    }
  }

  private void bind(Connection connection, PreparedStatement statement) throws SQLException {
    var columns = new Columns(connection, statement);
    columns.uuid(decided, DecidedSpend::id);
    columns.uuid(decided, spend -> spend.request().agentId());
    columns.uuid(decided, spend -> spend.request().walletId());
    columns.text(decided, spend -> spend.request().idempotencyKey());
    columns.bytes(decided, spend -> spend.request().fingerprint());
    columns.uuid(decided, spend -> spend.request().asset().id());
    columns.text(decided, spend -> spend.request().amount().toString());
    columns.bytes(decided, spend -> spend.request().payee().bytes());
    columns.text(decided, spend -> spend.request().category());
    columns.text(decided, spend -> spend.request().host());
    columns.text(decided, DecidedSpend::effect);
    columns.text(decided, DecidedSpend::reasonCodes);
    columns.text(decided, spend -> text(spend.expiresAt()));
    columns.text(decided, spend -> text(spend.request().expiresAt()));
    columns.bytes(decided, DecidedSpend::payload);
    columns.bytes(decided, DecidedSpend::leafHash);
    columns.bytes(decided, DecidedSpend::salt);
    columns.text(decided, spend -> spend.request().text().purpose());
    columns.text(decided, spend -> spend.request().text().reference());
    columns.text(decided, DecidedSpend::metadata);
    columns.text(decided, spend -> mode.apply(spend.request()).text());
    columns.set(decided.size());
    columns.set(Directory.utc(decided.getFirst().decidedAt()));
    columns.set(tenantId);
    columns.set(epoch);
    columns.set(directoryEpoch);
    columns.set(decided.size());
    var rows = List.copyOf(buckets.entrySet());
    columns.add("int4", rows, bucket -> bucket.getKey().counterNo(), Integer[]::new);
    columns.add("int8", rows, bucket -> bucket.getKey().key(), Long[]::new);
    columns.add("int2", rows, bucket -> (short) bucket.getKey().slotSeconds(), Short[]::new);
    columns.add("int8", rows, bucket -> bucket.getKey().slot(), Long[]::new);
    columns.text(rows, bucket -> bucket.getValue().amount.toString());
    columns.add("int8", rows, bucket -> bucket.getValue().count, Long[]::new);
  }

  private static @Nullable String text(@Nullable Instant at) {
    return at == null ? null : at.toString();
  }

  /** Binds one array a column. */
  private static final class Columns {
    private final Connection connection;
    private final PreparedStatement statement;
    private int index;

    Columns(Connection connection, PreparedStatement statement) {
      this.connection = connection;
      this.statement = statement;
    }

    /** The driver sends arrays of text and of numbers in binary, but only if their elements have that very type. */
    <R, T> void add(String type, List<R> rows, Function<R, @Nullable T> value,
        IntFunction<@Nullable T[]> array) throws SQLException {
      @Nullable
      T[] column = array.apply(rows.size());
      for (int i = 0; i < column.length; i++) {
        column[i] = value.apply(rows.get(i));
      }
      statement.setArray(++index, connection.createArrayOf(type, column));
    }

    <R> void text(List<R> rows, Function<R, @Nullable String> value) throws SQLException {
      add("text", rows, value, String[]::new);
    }

    <R> void uuid(List<R> rows, Function<R, @Nullable UUID> value) throws SQLException {
      add("uuid", rows, value, UUID[]::new);
    }

    <R> void bytes(List<R> rows, Function<R, byte @Nullable []> value) throws SQLException {
      add("bytea", rows, value, byte[][]::new);
    }

    void set(Object value) throws SQLException {
      statement.setObject(++index, value);
    }
  }
}
