package io.bursar.policy;

import java.math.BigInteger;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

import io.bursar.spend.SpendFacts;

/**
 * Counters that keep every spend and add them up anew for each question, by the definition of the windows and for any time:
 * slow, and with nothing in it to go wrong.
 */
final class LoggedCounters implements Counters {
  private record Entry(Counter counter, long key, Instant at, BigInteger sum) {}

  private final List<Entry> entries = new ArrayList<>();

  void charge(Decision decision, SpendFacts facts, Instant at) {
    for (var charge : decision.charges()) {
      entries.add(new Entry(charge.counter(), charge.key(), at, charge.counter().weight(facts)));
    }
  }

  void giveBack(Decision decision, SpendFacts facts, Instant at) {
    for (var charge : decision.charges()) {
      if (!entries.remove(new Entry(charge.counter(), charge.key(), at, charge.counter().weight(facts)))) {
        throw new AssertionError("was never charged: " + charge);
      }
    }
  }

  @Override
  public Usage usage(Counter counter, long key, Window window, Instant now) {
    var sum = BigInteger.ZERO;
    long count = 0;
    for (var entry : entries) {
      if (entry.counter.equals(counter) && entry.key == key && now.isBefore(leaves(entry.at, window))) {
        sum = sum.add(entry.sum);
        count++;
      }
    }
    return new Usage(sum, count);
  }

  @Override
  public Optional<Instant> fitsAt(Counter counter, long key, Window window, Instant now, BigInteger sumMax,
      long countMax) {
    return java.util.stream.Stream
        .concat(java.util.stream.Stream.of(now), entries.stream().map(e -> leaves(e.at, window)))
        .filter(time -> !time.isBefore(now) && !time.equals(Instant.MAX)).sorted(Comparator.naturalOrder())
        .filter(time -> {
          var usage = usage(counter, key, window, time);
          return usage.sum().compareTo(sumMax) <= 0 && usage.count() <= countMax;
        }).findFirst();
  }

  /** When a spend leaves a window: for a rolling one, the end of its fine slot later by the window's length. */
  static Instant leaves(Instant at, Window window) {
    return switch (window) {
      case Window.Rolling rolling -> {
        long fine = rolling.fineSeconds();
        yield Instant.ofEpochSecond((Math.floorDiv(at.getEpochSecond(), fine) + 1) * fine).plus(rolling.length());
      }
      case Window.Calendar calendar -> calendar.end(at);
      case Window.Lifetime lifetime -> Instant.MAX;
      case Window.Spend spend -> throw new AssertionError("nobody counts a single spend");
    };
  }

  /** Microseconds since a time, for messages. */
  static long micros(Instant from, Instant to) {
    return Duration.between(from, to).toNanos() / 1000;
  }
}
