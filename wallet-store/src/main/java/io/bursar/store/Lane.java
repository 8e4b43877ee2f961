package io.bursar.store;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.function.LongSupplier;

import org.jspecify.annotations.Nullable;

import io.bursar.policy.Advice;
import io.bursar.policy.Decision;
import io.bursar.policy.PolicyEngine;

/**
 * The place where a tenant's spends are decided, one batch after the other: lock, decide, record, commit. It is the only place
 * where a lock is taken for a decision.
 *
 * <p>What the lane keeps in memory (counters, policies in force, settlement) holds for one epoch of its row in the database. A batch is
 * decided from memory and written by one statement that first checks and increments the epoch: if anyone else has written,
 * nothing is, and the batch is decided again under the lock. So any number of processes may run the same lane; correctness
 * rests on the row, speed on the batch.
 *
 * <p>Not for use by several threads at once. After an exception nobody may be told anything about the batch: it may have
 * committed or not, and its callers ask again with their keys.
 */
public final class Lane {
  /** The most requests that are decided at once. */
  public static final int BATCH_MAX = 256;

  /** What became of one request. */
  public sealed interface Outcome {
    /** It was decided now, and committed. */
    record Decided(Spend spend) implements Outcome {}

    /** The same request had been decided before. */
    record Replayed(UUID spendId) implements Outcome {}

    /** Its key had been used for another request. */
    record KeyReused(UUID spendId) implements Outcome {}
  }

  private final UUID tenantId;
  private final Database database;
  private final PoliciesInForce policiesInForce;
  private final LaneCounters counters;
  private final Map<UUID, PoliciesInForce.Standing> standings = new HashMap<>();
  private final Map<UUID, SettlementModes.OfAsset> assets = new HashMap<>();
  private final LaneClock clock;

  /** The epochs that memory is of; −1 where it is of none. */
  private long epoch = -1;
  private long directoryEpoch = -1;

  Lane(UUID tenantId, Database database, PoliciesInForce policiesInForce, LongSupplier nanos) {
    this.tenantId = tenantId;
    this.database = database;
    this.policiesInForce = policiesInForce;
    this.counters = new LaneCounters(tenantId);
    this.clock = new LaneClock(nanos);
  }

  /**
   * Decides a batch in the order of its requests and records it, all or nothing.
   *
   * @return one outcome for each request, in their order
   * @throws SQLException if the database failed; the batch may have committed or not
   */
  public List<Outcome> decide(List<Spend.Request> batch) throws SQLException {
    var byKey = new LinkedHashMap<Key, Spend.Request>();
    batch.forEach(request -> byKey.putIfAbsent(Key.of(request), request));
    boolean committed = false;
    try (var connection = database.lanes().getConnection()) {
      var decided = decideFromMemory(connection, byKey);
      var outcomes = decided != null ? decided : decideUnderLock(connection, byKey);
      committed = true;
      return answers(batch, byKey, outcomes);
    } finally {
      if (!committed) {
        forgetEverything();
      }
    }
  }

  /** Decides as {@link #decide} would now, with advice in any case, and writes nothing. */
  DecidedSpend rehearse(Spend.Request request) throws SQLException {
    try (var connection = database.lanes().getConnection()) {
      var _ = readEpochs(connection, false);
      return evaluate(connection, List.of(request), clock.next(), true).getFirst();
    }
  }

  private record Key(UUID agentId, String idempotencyKey) {
    static Key of(Spend.Request request) {
      return new Key(request.agentId(), request.idempotencyKey());
    }
  }

  /** One statement, one round trip; null if nothing was written since memory was of another epoch, or a key was used before. */
  private @Nullable Map<Key, Outcome> decideFromMemory(Connection connection, Map<Key, Spend.Request> byKey)
      throws SQLException {
    if (epoch < 0 || !clock.isSet()) {
      return null;
    }
    var decided = evaluate(connection, List.copyOf(byKey.values()), clock.next(), false);
    if (!write(connection, decided)) {
      counters.forgetBatch();
      return null;
    }
    return outcomes(decided);
  }

  private Map<Key, Outcome> decideUnderLock(Connection connection, Map<Key, Spend.Request> byKey) throws SQLException {
    connection.setAutoCommit(false);
    boolean committed = false;
    try {
      var stopped = readEpochs(connection, true);
      // A statement of its own: it must see what was committed while the lock was waited for.
      var outcomes = new HashMap<>(usedBefore(connection, byKey));
      var fresh = new ArrayList<Spend.Request>();
      byKey.forEach((key, request) -> {
        if (!outcomes.containsKey(key)) {
          fresh.add(request);
        }
      });
      if (!fresh.isEmpty()) {
        if (stopped != null) {
          throw new LaneStop.LaneStopped(stopped);
        }
        var decided = evaluate(connection, fresh, clock.next(), false);
        if (!write(connection, decided)) {
          throw new IllegalStateException("the lane changed under its lock");
        }
        outcomes.putAll(outcomes(decided));
      }
      connection.commit();
      committed = true;
      return outcomes;
    } finally {
      if (!committed) {
        connection.rollback();
      }
      connection.setAutoCommit(true);
    }
  }

  /**
   * Makes memory that of the lane's epochs. Whoever stops a lane changes them, so that every batch after that comes by here.
   *
   * @return why the lane is stopped; null if it is not
   */
  private @Nullable String readEpochs(Connection connection, boolean lock) throws SQLException {
    try (var statement = connection.prepareStatement(
        "SELECT epoch, directory_epoch, last_at, clock_timestamp(), stopped_reason FROM lane WHERE tenant_id = ?"
            + (lock ? " FOR UPDATE" : ""))) {
      statement.setObject(1, tenantId);
      try (var row = statement.executeQuery()) {
        if (!row.next()) {
          throw new IllegalStateException("the tenant has no lane");
        }
        if (directoryEpoch != row.getLong(2)) {
          standings.clear();
          assets.clear();
          counters.forgetDefinitions();
        } else if (epoch != row.getLong(1)) {
          counters.forgetMoney();
        }
        epoch = row.getLong(1);
        directoryEpoch = row.getLong(2);
        clock.notBefore(instant(row.getObject(3, OffsetDateTime.class)));
        clock.set(instant(row.getObject(4, OffsetDateTime.class)));
        return row.getString(5);
      }
    }
  }

  private Map<Key, Outcome> usedBefore(Connection connection, Map<Key, Spend.Request> byKey) throws SQLException {
    var used = new HashMap<Key, Outcome>();
    try (var statement = connection.prepareStatement("""
        SELECT s.* FROM unnest(?::uuid[], ?::text[]) AS k(agent_id, idempotency_key)
        CROSS JOIN LATERAL (
          SELECT agent_id, idempotency_key, fingerprint, spend_id FROM spend
          WHERE tenant_id = ? AND agent_id = k.agent_id AND idempotency_key BETWEEN k.idempotency_key AND k.idempotency_key
          ORDER BY idempotency_key LIMIT 1) s
        """)) {
      statement.setArray(1, connection.createArrayOf("uuid", byKey.keySet().stream().map(Key::agentId).toArray()));
      statement.setArray(2,
          connection.createArrayOf("text", byKey.keySet().stream().map(Key::idempotencyKey).toArray()));
      statement.setObject(3, tenantId);
      try (var row = statement.executeQuery()) {
        while (row.next()) {
          var key = new Key(row.getObject(1, UUID.class), row.getString(2));
          var request = java.util.Objects.requireNonNull(byKey.get(key));
          used.put(key, repeated(row.getBytes(3), request, row.getObject(4, UUID.class)));
        }
      }
    }
    return used;
  }

  private static Outcome repeated(byte[] fingerprint, Spend.Request request, UUID spendId) {
    return java.security.MessageDigest.isEqual(fingerprint, request.fingerprint())
        ? new Outcome.Replayed(spendId)
        : new Outcome.KeyReused(spendId);
  }

  /** The pure part: decides each request with what those before it in the batch have taken. */
  private List<DecidedSpend> evaluate(Connection connection, List<Spend.Request> requests, Instant now,
      boolean rehearsal) throws SQLException {
    readDirectory(connection, requests);
    counters.beginBatch(connection, now);
    var decided = new ArrayList<DecidedSpend>(requests.size());
    for (var request : requests) {
      var standing = java.util.Objects.requireNonNull(standings.get(request.walletId()), "a wallet is never deleted");
      var facts = request.facts(tenantId, standing.walletFrozen(), standing.agentSuspended());
      var decision = PolicyEngine.decide(standing.policies(), facts, counters, now);
      var advice = rehearsal || decision.effect() != Decision.Effect.ALLOW
          ? Advice.of(standing.policies(), facts, counters, now)
          : Advice.NONE;
      var spend = DecidedSpend.of(tenantId, decided.size(), request, facts, decision, advice, now);
      if (spend.reserves()) {
        decision.charges()
            .forEach(charge -> counters.charge(charge.counter(), charge.key(), charge.counter().weight(facts)));
      }
      decided.add(spend);
    }
    counters.refuseIfBroken();
    return decided;
  }

  /** Reads the wallets and assets of these requests that are not in memory. */
  private void readDirectory(Connection connection, List<Spend.Request> requests) throws SQLException {
    Set<UUID> wallets = new HashSet<>();
    Set<UUID> tokens = new HashSet<>();
    for (var request : requests) {
      if (!standings.containsKey(request.walletId())) {
        wallets.add(request.walletId());
      }
      if (!assets.containsKey(request.asset().id())) {
        tokens.add(request.asset().id());
      }
    }
    if (!wallets.isEmpty()) {
      standings.putAll(policiesInForce.read(connection, tenantId, wallets));
    }
    if (!tokens.isEmpty()) {
      assets.putAll(SettlementModes.read(connection, tenantId, tokens));
    }
  }

  /** The way to the chain that a spend keeps from its decision on. */
  private SettlementModes.Mode mode(Spend.Request request) {
    var asset = java.util.Objects.requireNonNull(assets.get(request.asset().id()), "an asset is never deleted");
    return asset.with(java.util.Objects.requireNonNull(standings.get(request.walletId())).settlement());
  }

  /**
   * Writes a batch if the lane's epochs are still those of memory and no key was used before: spends, payments, audit
   * entries and counters together, or nothing.
   */
  private boolean write(Connection connection, List<DecidedSpend> decided) throws SQLException {
    try (var statement = connection.prepareStatement(WRITE)) {
      bind(connection, statement, decided);
      try (var row = statement.executeQuery()) {
        if (!row.next()) {
          return false;
        }
        clock.set(instant(row.getObject(1, OffsetDateTime.class)));
        epoch++;
        return true;
      }
    }
  }

  // Keys that were used are searched one by one, in the index that holds them in order: LIMIT keeps the search out of the join and
  // ORDER BY a range keeps the planner from any other index. Written as a plain join it was planned, while the tables were empty,
  // as one pass over the batch for each spend of the tenant, and so it stayed until the tables were analyzed.
  static final String WRITE = """
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
      SELECT clock_timestamp() FROM l""";

  private void bind(Connection connection, PreparedStatement statement, List<DecidedSpend> decided)
      throws SQLException {
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
    columns.text(decided, spend -> mode(spend.request()).text());
    columns.set(decided.size());
    columns.set(Directory.utc(decided.getFirst().decidedAt()));
    columns.set(tenantId);
    columns.set(epoch);
    columns.set(directoryEpoch);
    columns.set(decided.size());
    var buckets = List.copyOf(counters.batchBuckets().entrySet());
    columns.add("int4", buckets, bucket -> bucket.getKey().counterNo(), Integer[]::new);
    columns.add("int8", buckets, bucket -> bucket.getKey().key(), Long[]::new);
    columns.add("int2", buckets, bucket -> (short) bucket.getKey().slotSeconds(), Short[]::new);
    columns.add("int8", buckets, bucket -> bucket.getKey().slot(), Long[]::new);
    columns.text(buckets, bucket -> bucket.getValue().amount.toString());
    columns.add("int8", buckets, bucket -> bucket.getValue().count, Long[]::new);
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
    <R, T> void add(String type, List<R> rows, java.util.function.Function<R, @Nullable T> value,
        java.util.function.IntFunction<@Nullable T[]> array) throws SQLException {
      @Nullable
      T[] column = array.apply(rows.size());
      for (int i = 0; i < column.length; i++) {
        column[i] = value.apply(rows.get(i));
      }
      statement.setArray(++index, connection.createArrayOf(type, column));
    }

    <R> void text(List<R> rows, java.util.function.Function<R, @Nullable String> value) throws SQLException {
      add("text", rows, value, String[]::new);
    }

    <R> void uuid(List<R> rows, java.util.function.Function<R, @Nullable UUID> value) throws SQLException {
      add("uuid", rows, value, UUID[]::new);
    }

    <R> void bytes(List<R> rows, java.util.function.Function<R, byte @Nullable []> value) throws SQLException {
      add("bytea", rows, value, byte[][]::new);
    }

    void set(Object value) throws SQLException {
      statement.setObject(++index, value);
    }
  }

  private static Map<Key, Outcome> outcomes(List<DecidedSpend> decided) {
    var outcomes = new HashMap<Key, Outcome>();
    decided.forEach(spend -> outcomes.put(Key.of(spend.request()), new Outcome.Decided(spend.asSpend())));
    return outcomes;
  }

  /** The answer to every request: to the first of a key its own, to one that came with the same key in the batch that one's. */
  private static List<Outcome> answers(List<Spend.Request> batch, Map<Key, Spend.Request> byKey,
      Map<Key, Outcome> outcomes) {
    var answers = new ArrayList<Outcome>(batch.size());
    var answered = new HashSet<Key>();
    for (var request : batch) {
      var key = Key.of(request);
      var outcome = java.util.Objects.requireNonNull(outcomes.get(key));
      var first = java.util.Objects.requireNonNull(byKey.get(key));
      answers.add(answered.add(key) ? outcome : repeated(first.fingerprint(), request, spendId(outcome)));
    }
    return answers;
  }

  private static UUID spendId(Outcome outcome) {
    return switch (outcome) {
      case Outcome.Decided(var spend) -> spend.id();
      case Outcome.Replayed(var id) -> id;
      case Outcome.KeyReused(var id) -> id;
    };
  }

  private void forgetEverything() {
    epoch = -1;
    directoryEpoch = -1;
    standings.clear();
    assets.clear();
    counters.forgetDefinitions();
  }

  private static Instant instant(OffsetDateTime at) {
    return at.equals(OffsetDateTime.MIN) ? Instant.EPOCH : at.toInstant();
  }

  /**
   * The database's clock, read with every statement and carried on between them by this process's monotonic timer; a lane's
   * time never goes back and never stands still.
   */
  private static final class LaneClock {
    private final LongSupplier nanos;
    private @Nullable Instant read;
    private long readNanos;
    private Instant last = Instant.EPOCH;

    LaneClock(LongSupplier nanos) {
      this.nanos = nanos;
    }

    boolean isSet() {
      return read != null;
    }

    void set(Instant databaseTime) {
      read = databaseTime;
      readNanos = nanos.getAsLong();
    }

    void notBefore(Instant at) {
      last = last.isAfter(at) ? last : at;
    }

    Instant next() {
      var now = java.util.Objects.requireNonNull(read).plusNanos(nanos.getAsLong() - readNanos)
          .truncatedTo(ChronoUnit.MICROS);
      last = now.isAfter(last) ? now : last.plus(1, ChronoUnit.MICROS);
      return last;
    }
  }
}
