package io.bursar.store;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.sql.Array;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.function.Function;
import java.util.function.Supplier;

import org.jspecify.annotations.Nullable;

import io.bursar.policy.Counter;
import io.bursar.policy.Counters;
import io.bursar.policy.PolicyEngine.CounterNeed;
import io.bursar.policy.RollingUsage;
import io.bursar.policy.Window;

/**
 * The counters of one lane in memory, read from the database where they are not there yet. What is in memory holds as long as
 * the lane's epoch does: {@link #forgetMoney} on any other, and after a batch that did not commit {@link #forgetBatch}.
 */
final class LaneCounters implements Counters {
  /** Looked up one by one in the key's own order, as few rows as there are slots. */
  static final String READ = """
      SELECT m.n, b.slot, b.amount, b.count
      FROM unnest(?::int4[], ?::int8[], ?::int4[], ?::int8[], ?::int8[])
        WITH ORDINALITY AS m (counter_no, key, slot_seconds, first, next, n)
      CROSS JOIN LATERAL (
        SELECT slot, amount, count FROM limit_bucket
        WHERE tenant_id = ? AND counter_no = m.counter_no AND key = m.key AND slot_seconds = m.slot_seconds
          AND slot >= m.first AND slot < m.next OFFSET 0) AS b
      """;

  /** One row of {@code limit_bucket}. */
  record Bucket(int counterNo, long key, int slotSeconds, long slot) {}

  /** What a batch adds to a bucket. */
  static final class Sum {
    BigInteger amount = BigInteger.ZERO;
    long count;
  }

  private record Key(String counterId, long key) {}

  private record Charged(Key key, BigInteger weight) {}

  private record Definition(int counterNo, int[] slotSeconds) {}

  /** Slots of one counter and key that memory does not hold. */
  private record Missing(int counterNo, long key, RollingUsage.SlotRange range) {}

  /** Windows that nobody has asked for are forgotten all together beyond this many. */
  private static final int KEYS_MAX = 50_000;

  private final UUID tenantId;
  private final Map<String, Definition> definitions = new HashMap<>();
  private final Map<Key, Map<Window, Held>> held = new HashMap<>();

  private final Map<Bucket, Sum> batchBuckets = new HashMap<>();
  private final List<Charged> batchCharges = new ArrayList<>();
  private final Set<Key> batchKeys = new HashSet<>();
  /** What was read for the batch and has not been asked for. */
  private final Map<Missing, List<RollingUsage.Slot>> batchSlots = new HashMap<>();
  private @Nullable Supplier<Collection<CounterNeed>> batchNeeds;
  private @Nullable Connection connection;
  private @Nullable LaneBroken broken;
  private Instant now = Instant.EPOCH;

  LaneCounters(UUID tenantId) {
    this.tenantId = tenantId;
  }

  /** What is held in memory of one window. */
  private sealed interface Held {
    record OfRolling(RollingUsage usage) implements Held {}

    /** A calendar period, or all time. */
    record OfPeriod(long slot, Usage[] usage) implements Held {}
  }

  /**
   * Begins a batch that is decided at {@code at}, later than any before; reads go through {@code reads}.
   *
   * @param needs all that may be asked for in the batch, gathered only if anything of it is not in memory; that is then read by one
   *     statement
   */
  void beginBatch(Connection reads, Instant at, Supplier<Collection<CounterNeed>> needs) {
    connection = reads;
    batchNeeds = needs;
    batchSlots.clear();
    broken = null;
    now = at;
    batchBuckets.clear();
    batchCharges.clear();
    batchKeys.clear();
    if (held.size() > KEYS_MAX) {
      held.clear();
    }
  }

  /** What the batch adds to the buckets, to be written with it. */
  Map<Bucket, Sum> batchBuckets() {
    return batchBuckets;
  }

  /** The batch did not commit: what it touched is read again when it is next asked for. */
  void forgetBatch() {
    batchKeys.forEach(held::remove);
    batchKeys.clear();
    batchBuckets.clear();
    batchCharges.clear();
  }

  void forgetMoney() {
    held.clear();
    forgetBatch();
  }

  void forgetDefinitions() {
    definitions.clear();
    forgetMoney();
  }

  @Override
  public Usage usage(Counter counter, long key, Window window, Instant at) {
    return switch (held(counter, key, window)) {
      case Held.OfRolling(var rolling) -> rolling.at(at);
      case Held.OfPeriod(long slot, var usage) -> usage[0];
    };
  }

  @Override
  public Optional<Instant> fitsAt(Counter counter, long key, Window window, Instant at, BigInteger sumMax,
      long countMax) {
    return switch (held(counter, key, window)) {
      case Held.OfRolling(var rolling) -> rolling.fitsAt(at, sumMax, countMax);
      case Held.OfPeriod(long slot, var usage) -> {
        if (sumMax.signum() < 0 || countMax < 0) {
          yield Optional.empty();
        }
        if (usage[0].sum().compareTo(sumMax) <= 0 && usage[0].count() <= countMax) {
          yield Optional.of(at);
        }
        yield window instanceof Window.Calendar calendar ? Optional.of(calendar.end(at)) : Optional.empty();
      }
    };
  }

  /** Counts a spend of this batch. */
  void charge(Counter counter, long key, BigInteger weight) {
    var definition = definition(counter);
    for (int slotSeconds : definition.slotSeconds()) {
      var at = new Bucket(definition.counterNo(), key, slotSeconds, slot(counter, slotSeconds, now));
      var sum = batchBuckets.computeIfAbsent(at, bucket -> new Sum());
      sum.amount = sum.amount.add(weight);
      sum.count++;
    }
    var at = new Key(counter.id(), key);
    batchKeys.add(at);
    batchCharges.add(new Charged(at, weight));
    var windows = held.get(at);
    if (windows != null) {
      windows.values().forEach(window -> count(window, weight));
    }
  }

  private void count(Held window, BigInteger weight) {
    switch (window) {
      case Held.OfRolling(var rolling) -> rolling.add(now, weight);
      case Held.OfPeriod(long slot, var usage) ->
        usage[0] = new Usage(usage[0].sum().add(weight), usage[0].count() + 1);
    }
  }

  /** The slot of a size that a time lies in; size 0 is the counter's own period. */
  static long slot(Counter counter, int slotSeconds, Instant at) {
    return slotSeconds == 0 ? periodSlot(counter, at) : RollingUsage.slot(at, slotSeconds);
  }

  /** The bucket of a counter's calendar period or of all time that {@code at} lies in. */
  static long periodSlot(Counter counter, Instant at) {
    return switch (counter.period().orElseThrow()) {
      case Window.Calendar calendar -> calendar.start(at).getEpochSecond();
      case Window.Lifetime all -> 0;
      case Window.Spend spend -> throw new IllegalArgumentException("one request has no period");
      case Window.Rolling rolling -> throw new IllegalArgumentException("a rolling window has no period");
    };
  }

  private Held held(Counter counter, long key, Window window) {
    var known = known(counter, key, window);
    if (known != null) {
      return known;
    }
    var at = new Key(counter.id(), key);
    // The database knows nothing yet of what this batch has charged, so it is counted on top.
    var loaded = load(counter, key, window);
    for (var charged : batchCharges) {
      if (charged.key().equals(at)) {
        count(loaded, charged.weight());
      }
    }
    held.computeIfAbsent(at, k -> new HashMap<>(4)).put(window, loaded);
    return loaded;
  }

  /** What memory holds of a window; null if nothing, or a period that is over. */
  private @Nullable Held known(Counter counter, long key, Window window) {
    var windows = held.get(new Key(counter.id(), key));
    var known = windows == null ? null : windows.get(window);
    return known instanceof Held.OfPeriod(long slot, var _) && slot != periodSlot(counter, now) ? null : known;
  }

  private Held load(Counter counter, long key, Window window) {
    int counterNo = definition(counter).counterNo();
    return switch (window) {
      case Window.Rolling rolling ->
        new Held.OfRolling(new RollingUsage(rolling, range -> slots(counterNo, key, range)));
      case Window.Calendar calendar -> period(counterNo, key, periodSlot(counter, now));
      case Window.Lifetime all -> period(counterNo, key, 0);
      case Window.Spend spend -> throw new IllegalArgumentException("one request is not counted");
    };
  }

  private static RollingUsage.SlotRange period(long slot) {
    return new RollingUsage.SlotRange(0, slot, slot + 1);
  }

  private Held period(int counterNo, long key, long slot) {
    var slots = slots(counterNo, key, period(slot));
    var usage = slots.isEmpty() ? Usage.NONE : new Usage(slots.getFirst().sum(), slots.getFirst().count());
    return new Held.OfPeriod(slot, new Usage[]{usage});
  }

  /** Asked for the first time in a batch, it reads all that is missing for the batch. */
  private List<RollingUsage.Slot> slots(int counterNo, long key, RollingUsage.SlotRange range) {
    var asked = new Missing(counterNo, key, range);
    if (!batchSlots.containsKey(asked)) {
      Set<Missing> missing = new LinkedHashSet<>(Set.of(asked));
      if (batchNeeds != null) {
        batchNeeds.get().forEach(need -> missing(need).forEach(
            part -> missing.add(new Missing(definition(need.counter()).counterNo(), need.key(), part))));
        batchNeeds = null;
      }
      read(missing);
    }
    return java.util.Objects.requireNonNull(batchSlots.remove(asked));
  }

  /** What has to be read before a window can say what it holds now. */
  private List<RollingUsage.SlotRange> missing(CounterNeed need) {
    var known = known(need.counter(), need.key(), need.window());
    return switch (need.window()) {
      case Window.Rolling rolling -> known instanceof Held.OfRolling(var usage)
          ? usage.needs(now)
          : new RollingUsage(rolling, range -> List.of()).needs(now);
      case Window.Calendar _,Window.Lifetime _ ->
        known != null ? List.of() : List.of(period(periodSlot(need.counter(), now)));
      case Window.Spend _ -> List.of();
    };
  }

  private void read(Set<Missing> missing) {
    var all = List.copyOf(missing);
    all.forEach(each -> batchSlots.put(each, new ArrayList<>()));
    try (var statement = connection().prepareStatement(READ)) {
      statement.setArray(1, column("int4", all, Missing::counterNo));
      statement.setArray(2, column("int8", all, Missing::key));
      statement.setArray(3, column("int4", all, each -> each.range().slotSeconds()));
      statement.setArray(4, column("int8", all, each -> each.range().from()));
      statement.setArray(5, column("int8", all, each -> each.range().to()));
      statement.setObject(6, tenantId);
      try (var rows = statement.executeQuery()) {
        while (rows.next()) {
          java.util.Objects.requireNonNull(batchSlots.get(all.get(rows.getInt(1) - 1)))
              .add(new RollingUsage.Slot(rows.getLong(2), units(rows.getBigDecimal(3)), rows.getLong(4)));
        }
      }
    } catch (SQLException e) {
      throw broken(e);
    }
  }

  private Array column(String type, List<Missing> rows, Function<Missing, Object> value) throws SQLException {
    return connection().createArrayOf(type, rows.stream().map(value).toArray());
  }

  private Definition definition(Counter counter) {
    var known = definitions.get(counter.id());
    if (known != null) {
      return known;
    }
    try (var statement = connection().prepareStatement("""
        SELECT counter_no, slot_seconds FROM counter WHERE tenant_id = ? AND definition = ?
        """)) {
      statement.setObject(1, tenantId);
      statement.setString(2, counter.id());
      try (var row = statement.executeQuery()) {
        if (!row.next()) {
          throw new IllegalStateException("a limit is in force whose counter `" + counter.id() + "` is not kept");
        }
        var sizes = (Short[]) row.getArray(2).getArray();
        var definition = new Definition(row.getInt(1),
            java.util.Arrays.stream(sizes).mapToInt(Short::intValue).toArray());
        definitions.put(counter.id(), definition);
        return definition;
      }
    } catch (SQLException e) {
      throw broken(e);
    }
  }

  private Connection connection() {
    return java.util.Objects.requireNonNull(connection, "no batch was begun");
  }

  /** The engine turns an exception into a denial; a database that cannot be read must not become one. */
  private LaneBroken broken(SQLException cause) {
    broken = new LaneBroken(cause);
    return broken;
  }

  /**
   * Throws if a read has failed since the batch began.
   *
   * @throws LaneBroken with the failure
   */
  void refuseIfBroken() {
    if (broken != null) {
      throw broken;
    }
  }

  static BigInteger units(BigDecimal amount) {
    return amount.toBigIntegerExact();
  }

  /** The database failed while a batch was being decided: nothing of it was said to anyone, and nothing of it holds. */
  static final class LaneBroken extends RuntimeException {
    LaneBroken(SQLException cause) {
      super(cause);
    }
  }
}
