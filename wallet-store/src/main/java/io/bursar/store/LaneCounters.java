package io.bursar.store;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.policy.Counter;
import io.bursar.policy.Counters;
import io.bursar.policy.RollingUsage;
import io.bursar.policy.Window;

/**
 * The counters of one lane in memory, read from the database where they are not there yet. What is in memory holds as long as
 * the lane's epoch does: {@link #forgetMoney} on any other, and after a batch that did not commit {@link #forgetBatch}.
 */
final class LaneCounters implements Counters {
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

  /** Windows that nobody has asked for are forgotten all together beyond this many. */
  private static final int KEYS_MAX = 50_000;

  private final UUID tenantId;
  private final Map<String, Definition> definitions = new HashMap<>();
  private final Map<Key, Map<Window, Held>> held = new HashMap<>();

  private final Map<Bucket, Sum> batchBuckets = new HashMap<>();
  private final List<Charged> batchCharges = new ArrayList<>();
  private final Set<Key> batchKeys = new HashSet<>();
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

  /** Begins a batch that is decided at {@code at}, later than any before; reads go through {@code reads}. */
  void beginBatch(Connection reads, Instant at) {
    connection = reads;
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
    var at = new Key(counter.id(), key);
    var windows = held.computeIfAbsent(at, k -> new HashMap<>(4));
    var known = windows.get(window);
    if (known != null && !(known instanceof Held.OfPeriod(long slot, var usage) && slot != periodSlot(counter, now))) {
      return known;
    }
    // The database knows nothing yet of what this batch has charged, so it is counted on top.
    var loaded = load(counter, key, window);
    for (var charged : batchCharges) {
      if (charged.key().equals(at)) {
        count(loaded, charged.weight());
      }
    }
    windows.put(window, loaded);
    return loaded;
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

  private Held period(int counterNo, long key, long slot) {
    var slots = slots(counterNo, key, new RollingUsage.SlotRange(0, slot, slot + 1));
    var usage = slots.isEmpty() ? Usage.NONE : new Usage(slots.getFirst().sum(), slots.getFirst().count());
    return new Held.OfPeriod(slot, new Usage[]{usage});
  }

  private List<RollingUsage.Slot> slots(int counterNo, long key, RollingUsage.SlotRange range) {
    try (var statement = connection().prepareStatement("""
        SELECT slot, amount, count FROM limit_bucket
        WHERE tenant_id = ? AND counter_no = ? AND key = ? AND slot_seconds = ? AND slot >= ? AND slot < ?
        """)) {
      statement.setObject(1, tenantId);
      statement.setInt(2, counterNo);
      statement.setLong(3, key);
      statement.setInt(4, range.slotSeconds());
      statement.setLong(5, range.from());
      statement.setLong(6, range.to());
      try (var rows = statement.executeQuery()) {
        var slots = new ArrayList<RollingUsage.Slot>();
        while (rows.next()) {
          slots.add(new RollingUsage.Slot(rows.getLong(1), units(rows.getBigDecimal(2)), rows.getLong(3)));
        }
        return slots;
      }
    } catch (SQLException e) {
      throw broken(e);
    }
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
