package io.bursar.store;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.UUID;

import org.springframework.jdbc.core.RowCallbackHandler;
import org.springframework.jdbc.core.namedparam.MapSqlParameterSource;

import io.bursar.money.Address;
import io.bursar.money.Asset;
import io.bursar.policy.Counter;
import io.bursar.policy.Policy;
import io.bursar.policy.PolicyEngine;
import io.bursar.policy.Window;
import io.bursar.spend.Id;
import io.bursar.spend.SpendFacts;

/**
 * Keeps the counters of the limits that are in force: which there are, whose spends each counts, and in what slots. A counter
 * that begins to count something counts what was spent before, so that a limit holds from the moment it is attached.
 *
 * <p>At any time, a bucket holds the sum over all spends that its counter counts and that have not been given back; see
 * {@link #recount}.
 */
public final class CounterKeeping {
  /** Approvers have 30 days at most, so a spend is charged for the last time within that time of its making. */
  private static final Duration CHARGED_AFTER_MAX = Duration.ofDays(31);

  private final Database database;

  public CounterKeeping(Database database) {
    this.database = database;
  }

  private record KeptCounter(UUID tenantId, int counterNo, Counter counter, SortedSet<Integer> slotSeconds) {}

  /**
   * Makes the counters fit what is now attached to a target. The lane must be held.
   *
   * @param policy what is attached now; empty for nothing
   */
  void keep(AuditEntries.Slot slot, Policy.Target target, UUID targetId, Optional<Policy> policy) {
    var tenantId = slot.tenantId();
    var wanted = new HashMap<Counter, List<Window>>();
    policy.ifPresent(attached -> PolicyEngine.counted(attached, target)
        .forEach(
            counted -> wanted.computeIfAbsent(counted.counter(), counter -> new ArrayList<>()).add(counted.window())));
    dropUnwanted(slot, target, targetId, wanted.keySet());
    wanted.forEach((counter, windows) -> {
      var slotSeconds = new TreeSet<Integer>();
      windows.forEach(window -> slotSeconds.addAll(slotSeconds(window)));
      var kept = find(tenantId, counter).orElseGet(() -> insert(tenantId, counter));
      boolean newTarget = addTarget(tenantId, kept.counterNo(), target, targetId);
      boolean newSlots = kept.slotSeconds().addAll(slotSeconds);
      if (newSlots) {
        database.sql().sql("UPDATE counter SET slot_seconds = :sizes WHERE tenant_id = :tenant AND counter_no = :no")
            .param("sizes", kept.slotSeconds().stream().map(Integer::shortValue).toArray(Short[]::new))
            .param("tenant", tenantId)
            .param("no", kept.counterNo()).update();
      }
      if (newSlots || (newTarget && hasSpent(tenantId, target, targetId))) {
        rebuild(kept, slot.at());
      }
    });
  }

  /** The slot sizes that a window is counted in; 0 is the slot of a calendar period or of all time. */
  private static List<Integer> slotSeconds(Window window) {
    return switch (window) {
      case Window.Rolling rolling -> List.of(rolling.fineSeconds(), rolling.coarseSeconds());
      case Window.Calendar calendar -> List.of(0);
      case Window.Lifetime lifetime -> List.of(0);
      case Window.Spend spend -> List.of();
    };
  }

  private Optional<KeptCounter> find(UUID tenantId, Counter counter) {
    return database.sql()
        .sql("SELECT counter_no, slot_seconds FROM counter WHERE tenant_id = :tenant AND definition = :definition")
        .param("tenant", tenantId).param("definition", counter.id())
        .query((row, n) -> new KeptCounter(tenantId, row.getInt("counter_no"), counter, sizes(row))).optional();
  }

  private KeptCounter insert(UUID tenantId, Counter counter) {
    int number = database.sql().sql("""
        INSERT INTO counter (tenant_id, counter_no, definition, slot_seconds)
        SELECT :tenant, coalesce(max(counter_no), 0) + 1, :definition, '{}' FROM counter WHERE tenant_id = :tenant
        RETURNING counter_no
        """).param("tenant", tenantId).param("definition", counter.id()).query(Integer.class).single();
    return new KeptCounter(tenantId, number, counter, new TreeSet<>());
  }

  private boolean addTarget(UUID tenantId, int counterNo, Policy.Target target, UUID targetId) {
    return database.sql().sql("""
        INSERT INTO counter_target (tenant_id, counter_no, target, target_id) VALUES (:tenant, :no, :target, :id)
        ON CONFLICT DO NOTHING
        """).param("tenant", tenantId).param("no", counterNo).param("target", PoliciesInForce.text(target))
        .param("id", targetId)
        .update() == 1;
  }

  /** A counter that no longer counts a target's spends is rebuilt for its other targets, or dropped with its last. */
  private void dropUnwanted(AuditEntries.Slot slot, Policy.Target target, UUID targetId, Collection<Counter> wanted) {
    var tenantId = slot.tenantId();
    var wantedIds = wanted.stream().map(Counter::id).toList();
    var dropped = database.sql().sql("""
        SELECT c.counter_no FROM counter_target t
        JOIN counter c ON c.tenant_id = t.tenant_id AND c.counter_no = t.counter_no
        WHERE t.tenant_id = :tenant AND t.target = :target AND t.target_id = :id AND NOT c.definition = ANY (:wanted)
        """).param("tenant", tenantId).param("target", PoliciesInForce.text(target)).param("id", targetId)
        .param("wanted", wantedIds.toArray(String[]::new)).query(Integer.class).list();
    for (int counterNo : dropped) {
      database.sql().sql("""
          DELETE FROM counter_target WHERE tenant_id = :tenant AND counter_no = :no AND target = :target AND target_id = :id
          """).param("tenant", tenantId).param("no", counterNo).param("target", PoliciesInForce.text(target))
          .param("id", targetId)
          .update();
      var left = kept(tenantId, counterNo);
      if (left.isEmpty()) {
        deleteBuckets(tenantId, counterNo);
        database.sql().sql("DELETE FROM counter WHERE tenant_id = :tenant AND counter_no = :no")
            .param("tenant", tenantId)
            .param("no", counterNo).update();
      } else if (hasSpent(tenantId, target, targetId)) {
        rebuild(left.get(), slot.at());
      }
    }
  }

  /** A counter with what it counts, as one of its targets' policies defines it; empty where it has no target left. */
  private Optional<KeptCounter> kept(UUID tenantId, int counterNo) {
    return database.sql().sql("""
        SELECT c.definition, c.slot_seconds, a.target, v.document
        FROM counter c
        JOIN counter_target t ON t.tenant_id = c.tenant_id AND t.counter_no = c.counter_no
        JOIN policy_attachment a ON a.tenant_id = t.tenant_id AND a.target = t.target AND a.target_id = t.target_id
        JOIN policy_version v ON v.tenant_id = a.tenant_id AND v.policy_id = a.policy_id AND v.version = a.version
        WHERE c.tenant_id = :tenant AND c.counter_no = :no LIMIT 1
        """).param("tenant", tenantId).param("no", counterNo).query((row, n) -> {
      var policy = PolicyDocuments.load(database, tenantId, SpendStore.entry(row.getBytes("document")));
      var definition = row.getString("definition");
      var counter = PolicyEngine.counted(policy, PoliciesInForce.target(row.getString("target"))).stream()
          .map(PolicyEngine.Counted::counter).filter(counted -> counted.id().equals(definition)).findFirst()
          .orElseThrow();
      return new KeptCounter(tenantId, counterNo, counter, sizes(row));
    }).optional();
  }

  private static SortedSet<Integer> sizes(ResultSet row) throws SQLException {
    var sizes = new TreeSet<Integer>();
    for (var size : (Short[]) row.getArray("slot_seconds").getArray()) {
      sizes.add(size.intValue());
    }
    return sizes;
  }

  /** Whether a target has any spend at all; a new agent or wallet has none, and there is nothing to count. */
  private boolean hasSpent(UUID tenantId, Policy.Target target, UUID targetId) {
    var condition = switch (target) {
      case TENANT -> "tenant_id = :id";
      case AGENT -> "agent_id = :id";
      case WALLET -> "wallet_id = :id";
    };
    return database.sql().sql("SELECT EXISTS (SELECT FROM spend WHERE tenant_id = :tenant AND " + condition + ")")
        .param("tenant", tenantId).param("id", targetId).query(Boolean.class).single();
  }

  private void deleteBuckets(UUID tenantId, int counterNo) {
    database.sql().sql("DELETE FROM limit_bucket WHERE tenant_id = :tenant AND counter_no = :no")
        .param("tenant", tenantId)
        .param("no", counterNo).update();
  }

  private void rebuild(KeptCounter kept, Instant now) {
    deleteBuckets(kept.tenantId(), kept.counterNo());
    add(kept.tenantId(), recount(kept, now));
  }

  /** Adds to the buckets of a tenant. */
  void add(UUID tenantId, Map<LaneCounters.Bucket, LaneCounters.Sum> buckets) {
    var _ = database.batch("""
        INSERT INTO limit_bucket (tenant_id, counter_no, key, slot_seconds, slot, amount, count)
        VALUES (:tenant, :no, :key, :size, :slot, :amount, :count)
        ON CONFLICT (tenant_id, counter_no, key, slot_seconds, slot)
        DO UPDATE SET amount = limit_bucket.amount + excluded.amount, count = limit_bucket.count + excluded.count
        """, List.copyOf(buckets.entrySet()), entry -> new MapSqlParameterSource("tenant", tenantId)
        .addValue("no", entry.getKey().counterNo()).addValue("key", entry.getKey().key())
        .addValue("size", entry.getKey().slotSeconds()).addValue("slot", entry.getKey().slot())
        .addValue("amount", new BigDecimal(entry.getValue().amount)).addValue("count", entry.getValue().count));
  }

  /** What the buckets of a counter should hold at {@code now}, counted from the spends. */
  private Map<LaneCounters.Bucket, LaneCounters.Sum> recount(KeptCounter kept, Instant now) {
    var from = oldest(kept, now);
    var buckets = new HashMap<LaneCounters.Bucket, LaneCounters.Sum>();
    database.sql().sql("""
        SELECT DISTINCT s.spend_id, s.agent_id, s.wallet_id, s.amount, s.payee, s.method, s.category, s.host,
               a.chain, a.contract, a.symbol, a.decimals, a.currency, p.charged_at, p.state
        FROM payment p
        JOIN spend s ON s.tenant_id = p.tenant_id AND s.spend_id = p.spend_id
        JOIN asset a ON a.tenant_id = s.tenant_id AND a.asset_id = s.asset_id
        JOIN counter_target t ON t.tenant_id = p.tenant_id AND t.counter_no = :no
         AND t.target_id = CASE t.target WHEN 'tenant' THEN s.tenant_id WHEN 'agent' THEN s.agent_id ELSE s.wallet_id END
        WHERE p.tenant_id = :tenant AND p.spend_id >= :oldest AND p.charged_at >= :from
          AND p.state NOT IN ('rejected', 'expired', 'canceled', 'failed', 'denied')
        """).param("no", kept.counterNo()).param("tenant", kept.tenantId())
        .param("oldest", Id.version7(micros(from.minus(CHARGED_AFTER_MAX)), 0, 0)).param("from", Directory.utc(from))
        .query((RowCallbackHandler) row -> count(kept, row, buckets));
    return buckets;
  }

  private static void count(KeptCounter kept, ResultSet row, Map<LaneCounters.Bucket, LaneCounters.Sum> buckets)
      throws SQLException {
    var asset = new Asset(row.getString("chain"), Address.of(row.getBytes("contract")), row.getString("symbol"),
        row.getInt("decimals"),
        row.getString("currency"));
    var facts = new SpendFacts(kept.tenantId(), Directory.uuid(row, "agent_id"), Directory.uuid(row, "wallet_id"),
        asset,
        SpendStore.units(row, "amount"), Address.of(row.getBytes("payee")), row.getString("method"),
        row.getString("category"),
        row.getString("host"), false, false);
    if (!kept.counter().counts(facts)) {
      return;
    }
    var weight = row.getString("state").equals("reverted") ? BigInteger.ZERO : kept.counter().weight(facts);
    var chargedAt = Directory.instant(row, "charged_at");
    for (int slotSeconds : kept.slotSeconds()) {
      var bucket = new LaneCounters.Bucket(kept.counterNo(), kept.counter().key(facts), slotSeconds,
          LaneCounters.slot(kept.counter(), slotSeconds, chargedAt));
      var sum = buckets.computeIfAbsent(bucket, b -> new LaneCounters.Sum());
      sum.amount = sum.amount.add(weight);
      sum.count++;
    }
  }

  /** The earliest time that a window of the counter can still hold; what was spent before need not be counted. */
  private static Instant oldest(KeptCounter kept, Instant now) {
    return kept.counter().period().map(period -> switch (period) {
      case Window.Calendar calendar -> calendar.start(now);
      case Window.Lifetime lifetime -> Instant.EPOCH;
      case Window.Spend spend -> now;
      case Window.Rolling rolling -> now;
    }).orElseGet(() -> now.minus(
        kept.slotSeconds().contains(21_600)
            ? Window.Rolling.LENGTH_MAX.plusHours(6)
            : kept.slotSeconds().contains(900) ? Duration.ofDays(1).plusMinutes(15) : Duration.ofMinutes(61)));
  }

  private static long micros(Instant at) {
    return Math.max(0, ChronoUnit.MICROS.between(Instant.EPOCH, at));
  }

  /** Deletes slots that no window can hold any more, of all tenants. */
  public void sweep() {
    var now = Instant.now();
    for (int slotSeconds : List.of(1, 60, 900, 21_600)) {
      var longest = slotSeconds == 1 || slotSeconds == 900 ? Duration.ofDays(2) : Window.Rolling.LENGTH_MAX.plusDays(1);
      database.sql().sql("DELETE FROM limit_bucket WHERE slot_seconds = :size AND slot < :slot")
          .param("size", slotSeconds)
          .param("slot", now.minus(longest).getEpochSecond() / slotSeconds).update();
    }
  }

  /**
   * Compares the buckets of a tenant that a window can still hold with a recount from the spends. It reads one state of
   * the database and holds nobody up.
   *
   * @return one line for each bucket that differs; there should be none
   */
  public List<String> differences(UUID tenantId) {
    return database.inSnapshot(() -> {
      var now = database.sql().sql("SELECT clock_timestamp() FROM lane WHERE tenant_id = :tenant")
          .param("tenant", tenantId)
          .query(OffsetDateTime.class).single().toInstant();
      var differences = new ArrayList<String>();
      for (int counterNo : database.sql().sql("SELECT counter_no FROM counter WHERE tenant_id = :tenant")
          .param("tenant", tenantId)
          .query(Integer.class).list()) {
        var kept = kept(tenantId, counterNo).orElseThrow();
        var expected = recount(kept, now);
        var held = held(kept);
        var buckets = new HashSet<>(expected.keySet());
        buckets.addAll(held.keySet());
        // A slot that lies across the oldest time is counted in part only.
        long oldest = oldest(kept, now).getEpochSecond() + 21_600;
        buckets.removeIf(bucket -> bucket.slotSeconds() > 0 && bucket.slot() * bucket.slotSeconds() < oldest);
        for (var bucket : buckets) {
          var should = expected.getOrDefault(bucket, new LaneCounters.Sum());
          var does = held.getOrDefault(bucket, new LaneCounters.Sum());
          if (!should.amount.equals(does.amount) || should.count != does.count) {
            differences.add(bucket + " holds " + does.amount + " in " + does.count + " spends, but they come to "
                + should.amount + " in "
                + should.count);
          }
        }
      }
      return differences;
    });
  }

  private Map<LaneCounters.Bucket, LaneCounters.Sum> held(KeptCounter kept) {
    var held = new HashMap<LaneCounters.Bucket, LaneCounters.Sum>();
    database.sql().sql("""
        SELECT key, slot_seconds, slot, amount, count FROM limit_bucket WHERE tenant_id = :tenant AND counter_no = :no
        """).param("tenant", kept.tenantId()).param("no", kept.counterNo()).query((RowCallbackHandler) row -> {
      var sum = new LaneCounters.Sum();
      sum.amount = SpendStore.units(row, "amount");
      sum.count = row.getLong("count");
      held.put(new LaneCounters.Bucket(kept.counterNo(), row.getLong("key"), row.getInt("slot_seconds"),
          row.getLong("slot")), sum);
    });
    return held;
  }
}
