package io.bursar.store;

import java.sql.Connection;
import java.sql.SQLException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
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
    counters.beginBatch(connection, now, () -> needs(requests));
    var decided = new ArrayList<DecidedSpend>(requests.size());
    for (var request : requests) {
      var standing = standing(request);
      var facts = standing.facts(tenantId, request);
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

  private PoliciesInForce.Standing standing(Spend.Request request) {
    return java.util.Objects.requireNonNull(standings.get(request.walletId()), "a wallet is never deleted");
  }

  private Collection<PolicyEngine.CounterNeed> needs(List<Spend.Request> requests) {
    var needs = new LinkedHashSet<PolicyEngine.CounterNeed>();
    for (var request : requests) {
      var standing = standing(request);
      needs.addAll(PolicyEngine.needs(standing.policies(), standing.facts(tenantId, request)));
    }
    return needs;
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
    return asset.with(standing(request).settlement());
  }

  /** Writes a batch, or nothing if memory is not what is written. */
  private boolean write(Connection connection, List<DecidedSpend> decided) throws SQLException {
    var databaseTime = new DecisionBatch(tenantId, epoch, directoryEpoch, decided, this::mode, counters.batchBuckets())
        .write(connection);
    if (databaseTime == null) {
      return false;
    }
    clock.set(databaseTime);
    epoch++;
    return true;
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
}
