package io.bursar.policy;

import java.math.BigInteger;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

import org.jspecify.annotations.Nullable;

import io.bursar.policy.Policy.InForce;
import io.bursar.spend.SpendFacts;

/**
 * Counters that live in memory only, for rehearsals: spends are counted in the order of their times, and every answer is the
 * one that the service would have given. Rolling windows are kept in fine slots; what has left every window is forgotten, so
 * that memory grows with what the windows hold and not with how much was ever counted.
 *
 * <p>Only the limits of policies that were {@link #watch watched} are counted. Not for use by several threads at once.
 */
public final class MemoryCounters implements Counters {
  /** After how many charges what nobody can ask for any more is looked for. */
  static final int SWEEP_EVERY = 1 << 16;

  private record Key(String counterId, long key) {}

  /** One window of one key. */
  private sealed interface Held {
    void change(Instant at, Instant now, BigInteger sum, int count);

    Usage usage(Instant now);

    Optional<Instant> fitsAt(Instant now, BigInteger sumMax, long countMax);

    /** Whether it holds nothing and so need not be kept. */
    boolean isPast(Instant now);
  }

  private final Map<String, List<Window>> windows = new HashMap<>();
  private final Map<Key, Held[]> held = new HashMap<>();
  private int charges;

  /** Counts what the limits of a policy count, from now on. What was counted before it was watched is not known to it. */
  public void watch(InForce inForce) {
    for (var counted : PolicyEngine.counted(inForce.policy(), inForce.attachedTo())) {
      var known = windows.computeIfAbsent(counted.counter().id(), id -> new ArrayList<>(2));
      if (!known.contains(counted.window())) {
        known.add(counted.window());
      }
    }
  }

  /** Counts a spend that is made at {@code at}, no earlier than any before. */
  public void charge(List<Decision.Charge> charged, SpendFacts facts, Instant at) {
    for (var charge : charged) {
      for (var window : held(charge.counter(), charge.key())) {
        window.change(at, at, charge.counter().weight(facts), 1);
      }
    }
    if (++charges % SWEEP_EVERY == 0) {
      held.values().removeIf(windowsOfKey -> {
        for (var window : windowsOfKey) {
          if (!window.isPast(at)) {
            return false;
          }
        }
        return true;
      });
    }
  }

  /** Gives back a spend that was counted at the time {@code at}. */
  public void giveBack(List<Decision.Charge> charged, SpendFacts facts, Instant at, Instant now) {
    for (var charge : charged) {
      for (var window : held(charge.counter(), charge.key())) {
        window.change(at, now, charge.counter().weight(facts).negate(), -1);
      }
    }
  }

  @Override
  public Usage usage(Counter counter, long key, Window window, Instant now) {
    return held(counter, key, window).usage(now);
  }

  @Override
  public Optional<Instant> fitsAt(Counter counter, long key, Window window, Instant now, BigInteger sumMax,
      long countMax) {
    return sumMax.signum() < 0 || countMax < 0
        ? Optional.empty()
        : held(counter, key, window).fitsAt(now, sumMax, countMax);
  }

  /** How many keys of counters are held. */
  int size() {
    return held.size();
  }

  private Held held(Counter counter, long key, Window window) {
    int index = windowsOf(counter).indexOf(window);
    if (index < 0) {
      throw new IllegalStateException("a window is asked for that is not watched: " + window);
    }
    return held(counter, key)[index];
  }

  private Held[] held(Counter counter, long key) {
    var at = new Key(counter.id(), key);
    var known = held.get(at);
    var wanted = windowsOf(counter);
    if (known == null || known.length < wanted.size()) {
      var more = new Held[wanted.size()];
      for (int i = 0; i < more.length; i++) {
        more[i] = known != null && i < known.length ? known[i] : empty(wanted.get(i));
      }
      held.put(at, more);
      known = more;
    }
    return known;
  }

  private List<Window> windowsOf(Counter counter) {
    var known = windows.get(counter.id());
    if (known == null) {
      throw new IllegalStateException("a counter is asked for that is not watched: " + counter.id());
    }
    return known;
  }

  private static Held empty(Window window) {
    return switch (window) {
      case Window.Rolling rolling -> new RollingHeld(rolling);
      case Window.Calendar calendar -> new PeriodHeld(calendar);
      case Window.Lifetime lifetime -> new PeriodHeld(null);
      case Window.Spend spend -> throw new IllegalArgumentException("one request is not counted");
    };
  }

  private static final class RollingHeld implements Held {
    private final Window.Rolling window;
    private final SlotSums slots = new SlotSums();

    RollingHeld(Window.Rolling window) {
      this.window = window;
    }

    @Override
    public void change(Instant at, Instant now, BigInteger sum, int count) {
      slots.dropBefore(first(now));
      long slot = RollingUsage.slot(at, window.fineSeconds());
      if (slot >= first(now)) {
        slots.change(slot, sum, count);
      }
    }

    @Override
    public Usage usage(Instant now) {
      slots.dropBefore(first(now));
      return new Usage(slots.sum(), slots.count());
    }

    @Override
    public Optional<Instant> fitsAt(Instant now, BigInteger sumMax, long countMax) {
      slots.dropBefore(first(now));
      var sum = slots.sum();
      long count = slots.count();
      var fits = now;
      for (int i = 0; count > countMax || sum.compareTo(sumMax) > 0; i++) {
        sum = sum.subtract(slots.sum(i));
        count -= slots.count(i);
        fits = Instant.ofEpochSecond((slots.slot(i) + 1) * window.fineSeconds() + window.seconds());
      }
      return Optional.of(fits);
    }

    @Override
    public boolean isPast(Instant now) {
      slots.dropBefore(first(now));
      return slots.size() == 0;
    }

    private long first(Instant now) {
      return RollingUsage.oldestSlot(window, now, window.fineSeconds());
    }
  }

  private static final class PeriodHeld implements Held {
    private final Window.@Nullable Calendar window;
    private Instant end = Instant.MIN;
    private Instant start = Instant.MIN;
    private BigInteger sum = BigInteger.ZERO;
    private long count;

    /** @param window null for all time */
    PeriodHeld(Window.@Nullable Calendar window) {
      this.window = window;
    }

    @Override
    public void change(Instant at, Instant now, BigInteger bySum, int byCount) {
      moveTo(now);
      if (!at.isBefore(start)) {
        sum = sum.add(bySum);
        count += byCount;
      }
    }

    @Override
    public Usage usage(Instant now) {
      moveTo(now);
      return new Usage(sum, count);
    }

    @Override
    public Optional<Instant> fitsAt(Instant now, BigInteger sumMax, long countMax) {
      moveTo(now);
      if (sum.compareTo(sumMax) <= 0 && count <= countMax) {
        return Optional.of(now);
      }
      return window == null ? Optional.empty() : Optional.of(end);
    }

    @Override
    public boolean isPast(Instant now) {
      return window != null && !now.isBefore(end);
    }

    private void moveTo(Instant now) {
      if (window != null && !now.isBefore(end)) {
        start = window.start(now);
        end = window.end(now);
        sum = BigInteger.ZERO;
        count = 0;
      }
    }
  }
}
