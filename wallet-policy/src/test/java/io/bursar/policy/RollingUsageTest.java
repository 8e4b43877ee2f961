package io.bursar.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.math.BigInteger;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;

import org.junit.jupiter.api.Test;

import io.bursar.policy.RollingUsage.Slot;
import io.bursar.policy.RollingUsage.SlotRange;

class RollingUsageTest {
  private static final Instant START = Instant.parse("2026-11-23T09:59:58.250001Z");

  /** Slots as a database would keep them: changes become visible when their batch commits. */
  private static final class Store implements RollingUsage.SlotSource {
    private final Map<Integer, TreeMap<Long, Slot>> levels = new HashMap<>();
    private final List<SlotRange> asked = new ArrayList<>();

    @Override
    public List<Slot> slots(SlotRange range) {
      asked.add(range);
      var level = levels.getOrDefault(range.slotSeconds(), new TreeMap<>());
      return List.copyOf(level.subMap(range.from(), range.to()).values());
    }

    void change(Window.Rolling window, Instant at, BigInteger sum, long count) {
      for (int size : window.fineSeconds() == window.coarseSeconds()
          ? new int[]{window.fineSeconds()}
          : new int[]{window.fineSeconds(), window.coarseSeconds()}) {
        levels.computeIfAbsent(size, key -> new TreeMap<>()).merge(RollingUsage.slot(at, size),
            new Slot(RollingUsage.slot(at, size), sum, count),
            (a, b) -> new Slot(a.slot(), a.sum().add(b.sum()), a.count() + b.count()));
      }
    }
  }

  private record Spend(Instant at, BigInteger sum) {}

  private record Change(Instant at, BigInteger sum, long count) {}

  @Test
  void neverLetsMoreThroughThanTheExactWindowAndLetsGoAtMostOneFineSlotLate() {
    long requests = 0;
    for (long seed = 1; requests < 100_000; seed++) {
      requests += new Simulation(seed).run();
    }
  }

  /** One wallet with one limit, its lane, its database and an exact log beside them. */
  private static final class Simulation {
    private static final int BATCHES = 700;

    private final Random random;
    private final String name;
    private final Window.Rolling window;
    private final BigInteger max;
    private final Store store = new Store();
    private final List<Spend> log = new ArrayList<>();
    private RollingUsage usage;
    private Instant clock = START;
    private Instant now = START;

    Simulation(long seed) {
      random = new Random(seed);
      long[] lengths = {1, 2, 59, 60, 300, 301, 3_599, 3_600, 3_601, 86_400, 86_401, 604_800, 2_592_000,
          1 + random.nextInt(2_592_000)};
      window = new Window.Rolling(Duration.ofSeconds(lengths[random.nextInt(lengths.length)]));
      max = BigInteger.valueOf(50 + random.nextInt(1_000));
      name = "seed " + seed + ", window " + window.length() + ", max " + max;
      usage = new RollingUsage(window, store);
    }

    int run() {
      int requests = 0;
      for (int batch = 0; batch < BATCHES; batch++) {
        tick();
        foreseesWhatItAsks();
        List<Change> changes = new ArrayList<>();
        List<Spend> logBefore = List.copyOf(log);
        int size = 1 + random.nextInt(4);
        for (int i = 0; i < size; i++) {
          requests++;
          if (random.nextInt(5) == 0 && !log.isEmpty()) {
            giveBack(changes);
          } else {
            spend(changes);
          }
          compare();
        }
        if (random.nextInt(20) == 0) {
          log.clear();
          log.addAll(logBefore); // the batch did not commit
          usage = new RollingUsage(window, store);
        } else {
          changes.forEach(change -> store.change(window, change.at, change.sum, change.count));
          usage = random.nextInt(50) == 0 ? new RollingUsage(window, store) : usage; // another process goes on
        }
        forgetOldSpends();
      }
      return requests;
    }

    /** The clock may jump either way; the time of the lane does not go back. */
    private void tick() {
      long length = window.seconds() * 1_000_000;
      clock = clock.plusNanos(1000 * switch (random.nextInt(12)) {
        case 0 -> -random.nextLong(2 * length + 1);
        case 1 -> random.nextLong(2 * length + 1);
        case 2 -> length;
        case 3 -> length / 2;
        case 4, 5 -> random.nextLong(2_000_000);
        case 6 -> 0;
        default -> random.nextLong(length / 8 + 2);
      });
      var later = now.plusNanos(1000);
      now = clock.isAfter(later) ? clock : later;
      clock = random.nextInt(4) == 0 ? now : clock;
    }

    private void foreseesWhatItAsks() {
      var foreseen = usage.needs(now);
      store.asked.clear();
      usage.at(now);
      assertThat(store.asked).as(name).isEqualTo(foreseen);
    }

    private void spend(List<Change> changes) {
      var sum = BigInteger.valueOf(1 + random.nextInt(60));
      if (usage.at(now).sum().add(sum).compareTo(max) <= 0) {
        usage.add(now, sum);
        log.add(new Spend(now, sum));
        changes.add(new Change(now, sum, 1));
        assertThat(sumSince(now.minus(window.length()), true)).as(name).isLessThanOrEqualTo(max);
      } else {
        var room = max.subtract(sum);
        assertThat(usage.fitsAt(now, room, Long.MAX_VALUE)).as(name).isEqualTo(fitsAt(room, Long.MAX_VALUE));
      }
      if (random.nextInt(8) == 0) {
        long countMax = random.nextInt(5);
        assertThat(usage.fitsAt(now, Counters.ANY_SUM, countMax)).as(name)
            .isEqualTo(fitsAt(Counters.ANY_SUM, countMax));
      }
    }

    private void giveBack(List<Change> changes) {
      var spend = log.remove(random.nextInt(log.size()));
      usage.remove(now, spend.at, spend.sum);
      changes.add(new Change(spend.at, spend.sum.negate(), -1));
    }

    private void compare() {
      var actual = usage.at(now);
      assertThat(actual.sum()).as(name).isGreaterThanOrEqualTo(sumSince(now.minus(window.length()), true));
      assertThat(actual.sum()).as(name)
          .isLessThanOrEqualTo(sumSince(now.minus(window.length()).minusSeconds(window.fineSeconds()), false));
      assertThat(actual.sum()).as(name)
          .isEqualTo(counted(now).stream().map(Spend::sum).reduce(BigInteger.ZERO, BigInteger::add));
      assertThat(actual.count()).as(name).isEqualTo(counted(now).size());
    }

    private BigInteger sumSince(Instant from, boolean inclusive) {
      var sum = BigInteger.ZERO;
      for (var spend : log) {
        if (spend.at.isAfter(from) || (inclusive && spend.at.equals(from))) {
          sum = sum.add(spend.sum);
        }
      }
      return sum;
    }

    private List<Spend> counted(Instant time) {
      return log.stream().filter(spend -> time.isBefore(LoggedCounters.leaves(spend.at, window))).toList();
    }

    private Optional<Instant> fitsAt(BigInteger sumMax, long countMax) {
      return java.util.stream.Stream
          .concat(java.util.stream.Stream.of(now),
              counted(now).stream().map(spend -> LoggedCounters.leaves(spend.at, window)))
          .sorted().filter(time -> counted(time).size() <= countMax
              && counted(time).stream().map(Spend::sum).reduce(BigInteger.ZERO, BigInteger::add).compareTo(sumMax) <= 0)
          .findFirst();
    }

    private void forgetOldSpends() {
      if (log.size() > 300) {
        log.removeIf(spend -> spend.at.isBefore(now.minus(window.length().multipliedBy(3))));
      }
    }
  }

  @Test
  void countsASpendUntilTheEndOfItsSecondLaterByTheLength() {
    var usage = new RollingUsage(new Window.Rolling(Duration.ofHours(24)), new Store());
    var at = Instant.parse("2026-11-23T10:00:00.400Z");
    usage.add(at, BigInteger.TEN);

    assertThat(usage.fitsAt(at, BigInteger.ONE, 1)).contains(Instant.parse("2026-11-24T10:00:01Z"));
    assertThat(usage.at(Instant.parse("2026-11-24T10:00:00.999999Z")).sum()).isEqualTo(BigInteger.TEN);
    assertThat(usage.at(Instant.parse("2026-11-24T10:00:01Z")).sum()).isZero();
  }

  @Test
  void neverFitsBoundsBelowZero() {
    var usage = new RollingUsage(new Window.Rolling(Duration.ofHours(1)), new Store());

    assertThat(usage.fitsAt(START, BigInteger.ONE.negate(), 1)).isEmpty();
    assertThat(usage.fitsAt(START, BigInteger.ONE, -1)).isEmpty();
    assertThat(usage.fitsAt(START, BigInteger.ZERO, 0)).contains(START);
  }

  @Test
  void takesOnlyWhatItAskedForFromASourceThatAnswersMore() {
    var window = new Window.Rolling(Duration.ofHours(24));
    long oldest = RollingUsage.oldestSlot(window, START, window.fineSeconds());
    var usage = new RollingUsage(window, range -> range.slotSeconds() == window.fineSeconds()
        ? List.of(new Slot(oldest - 1, BigInteger.ONE, 1), new Slot(range.from(), BigInteger.TWO, 1),
            new Slot(range.to(), BigInteger.TEN, 1))
        : List.of());

    assertThat(usage.at(START)).isEqualTo(new Counters.Usage(BigInteger.TWO, 1));
  }

  @Test
  void isLateButNeverEarlyWhereTheFineSlotsDoNotAddUpToTheCoarseOne() {
    for (var length : List.of(Duration.ofHours(24), Duration.ofDays(30))) {
      var window = new Window.Rolling(length);
      long coarse = RollingUsage.slot(START, window.coarseSeconds());
      var usage = new RollingUsage(window, range -> range.slotSeconds() == window.coarseSeconds()
          ? List.of(new Slot(coarse, BigInteger.TEN, 2))
          : List.of());

      assertThat(usage.fitsAt(START, BigInteger.ONE, 1)).as("%s", length)
          .contains(Instant.ofEpochSecond((coarse + 1) * window.coarseSeconds() + window.seconds()));
    }
  }

  @Test
  void refusesTimeThatGoesBack() {
    var usage = new RollingUsage(new Window.Rolling(Duration.ofHours(1)), new Store());
    usage.at(START);

    assertThatThrownBy(() -> usage.at(START.minusNanos(1000))).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void refusesToGiveBackWhatWasNeverCounted() {
    var usage = new RollingUsage(new Window.Rolling(Duration.ofHours(1)), new Store());
    usage.add(START, BigInteger.TWO);

    assertThatThrownBy(() -> usage.remove(START, START, BigInteger.TEN)).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> usage.remove(START, START.minusSeconds(120), BigInteger.ONE))
        .isInstanceOf(IllegalStateException.class);
    assertThat(usage.at(START).sum()).isEqualTo(BigInteger.TWO);
  }

  @Test
  void staysAsItWasWhenTheSourceFails() {
    var window = new Window.Rolling(Duration.ofHours(1));
    var store = new Store();
    boolean[] down = {false};
    var usage = new RollingUsage(window, range -> {
      if (down[0]) {
        throw new IllegalStateException("no connection");
      }
      return store.slots(range);
    });
    usage.add(START, BigInteger.TWO);
    store.change(window, START, BigInteger.TWO, 1);
    var later = START.plus(Duration.ofHours(1));
    down[0] = true;
    assertThatThrownBy(() -> usage.at(later)).isInstanceOf(IllegalStateException.class);
    down[0] = false;

    assertThat(usage.at(later).sum()).isEqualTo(BigInteger.TWO);
    assertThat(usage.at(later.plusSeconds(1)).sum()).isZero();
  }

  @Test
  void oldestSlotIsTheFirstThatAnyLaterTimeCanAskFor() {
    var window = new Window.Rolling(Duration.ofHours(24));
    var now = Instant.parse("2026-11-24T10:20:30Z");

    assertThat(RollingUsage.oldestSlot(window, now, 1))
        .isEqualTo(RollingUsage.slot(Instant.parse("2026-11-23T10:20:30Z"), 1));
    assertThat(RollingUsage.oldestSlot(window, now, 900))
        .isEqualTo(RollingUsage.slot(Instant.parse("2026-11-23T10:15:00Z"), 900));
  }
}
