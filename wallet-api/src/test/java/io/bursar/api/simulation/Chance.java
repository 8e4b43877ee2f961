package io.bursar.api.simulation;

import java.time.Duration;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;

/** Everything that a seed decides, and a tally of what went wrong by it. Whoever has the turn asks. */
final class Chance {
  private static final int DENOMINATOR = 10_000;

  private final RandomGenerator random;
  private final Map<Fault, Integer> faults = new EnumMap<>(Fault.class);
  private boolean calm;

  Chance(long seed) {
    random = RandomGeneratorFactory.of("L64X128MixRandom").create(seed);
  }

  /** From now on nothing goes wrong any more. */
  void calm() {
    calm = true;
  }

  boolean isCalm() {
    return calm;
  }

  /** Whether a fault happens that comes so often in ten thousand times. */
  boolean strikes(Fault fault, int inTenThousand) {
    if (calm || random.nextInt(DENOMINATOR) >= inTenThousand) {
      return false;
    }
    happened(fault);
    return true;
  }

  void happened(Fault fault) {
    faults.merge(fault, 1, Integer::sum);
  }

  /** Whether something that is no fault happens. */
  boolean percent(int percent) {
    return random.nextInt(100) < percent;
  }

  int below(int bound) {
    return random.nextInt(bound);
  }

  <T> T one(List<T> of) {
    return of.get(random.nextInt(of.size()));
  }

  /** Between two lengths of time. */
  Duration between(Duration least, Duration most) {
    return Duration.ofNanos(random.nextLong(least.toNanos() / 1000, most.toNanos() / 1000 + 1) * 1000);
  }

  long number() {
    return random.nextLong();
  }

  Map<Fault, Integer> faults() {
    return faults;
  }
}
