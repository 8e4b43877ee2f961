package io.bursar.policy;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

import org.junit.jupiter.api.Test;

import io.bursar.money.Amount;
import io.bursar.policy.Decision.Effect;

/** Holds both promises against the decision itself, on random policies and states. */
class HeadroomTest {
  private static final int WORLDS = 10_000;

  @Test
  void theLargestAmountIsAllowedAndNothingAboveIt() {
    int found = 0;
    int bounded = 0;
    for (long seed = 1; seed <= WORLDS; seed++) {
      var world = new RandomWorld(seed);
      var largest = Headroom.maxAmountNow(world.policies, world.facts, world.counters, world.now);
      if (largest.isPresent()) {
        found++;
        assertThat(allowed(world, largest.get())).as("seed %d: %s is allowed", seed, largest.get()).isTrue();
        bounded += largest.get().equals(Amount.MAX) ? 0 : 1;
      }
      for (var amount : probes(world, largest.orElse(BigInteger.ZERO))) {
        if (amount.compareTo(largest.orElse(BigInteger.ZERO)) > 0) {
          assertThat(allowed(world, amount)).as("seed %d: %s is more than %s", seed, amount, largest).isFalse();
        }
      }
    }
    assertThat(found).as("worlds that say something").isBetween(WORLDS / 10, WORLDS * 9 / 10);
    assertThat(bounded).as("worlds with a bound").isGreaterThan(WORLDS / 20);
  }

  private static boolean allowed(RandomWorld world, BigInteger amount) {
    return PolicyEngine.decide(world.policies, world.facts.withAmount(amount), world.counters, world.now)
        .effect() == Effect.ALLOW;
  }

  /** Amounts next to every number that stands in a policy or follows from a counter, and some others. */
  static Iterable<BigInteger> probes(RandomWorld world, BigInteger largest) {
    var probes = new TreeSet<BigInteger>(
        List.of(BigInteger.ONE, Amount.MAX, world.facts.amount(), world.amount(world.facts.asset())));
    around(probes, largest);
    for (var inForce : world.policies) {
      for (var rule : inForce.policy().rules()) {
        var range = rule.match().amount();
        if (range != null) {
          java.util.stream.Stream.of(range.from(), range.to(), range.above()).filter(java.util.Objects::nonNull)
              .forEach(units -> around(probes, baseUnits(world, units)));
        }
        if (rule instanceof Rule.Limit limit && limit.max() != null) {
          around(probes, baseUnits(world, limit.max()));
        }
      }
      for (var rule : inForce.rules()) {
        if (rule.bounds != null && rule.bounds.counter() != null && rule.bounds.max() != null
            && rule.rule instanceof Rule.Limit limit) {
          var usage = world.counters.usage(rule.bounds.counter(), rule.bounds.counter().key(world.facts),
              limit.window(), world.now);
          around(probes, rule.bounds.max().subtract(usage.sum()).divide(Counter.partsPerBaseUnit(world.facts.asset())));
        }
      }
    }
    probes.removeIf(amount -> amount.signum() <= 0 || amount.compareTo(Amount.MAX) > 0);
    return probes;
  }

  private static BigInteger baseUnits(RandomWorld world, BigDecimal units) {
    return units.setScale(world.facts.asset().decimals(), RoundingMode.FLOOR).unscaledValue();
  }

  private static void around(Set<BigInteger> probes, BigInteger amount) {
    for (int i = -2; i <= 2; i++) {
      probes.add(amount.add(BigInteger.valueOf(i)));
    }
  }

  @Test
  void theSameRequestIsAllowedAtTheTimeNamedAndNotBefore() {
    int now = 0;
    int later = 0;
    for (long seed = 1; seed <= WORLDS; seed++) {
      var world = new RandomWorld(seed);
      var retry = Headroom.retryAt(world.policies, world.facts, world.counters, world.now);
      boolean allowedNow = allowed(world, world.now);
      if (retry.isPresent()) {
        assertThat(allowed(world, retry.get())).as("seed %d: allowed at %s", seed, retry.get()).isTrue();
        assertThat(retry.get().equals(world.now)).as("seed %d: %s from %s", seed, retry.get(), world.now)
            .isEqualTo(allowedNow);
        now += allowedNow ? 1 : 0;
        later += allowedNow ? 0 : 1;
      }
      var end = retry.orElse(world.now.plusSeconds(40 * 86_400));
      for (var time : times(world, end)) {
        assertThat(allowed(world, time)).as("seed %d: allowed at %s, before %s", seed, time, retry).isFalse();
      }
    }
    assertThat(now).as("worlds that allow now").isGreaterThan(WORLDS / 20);
    assertThat(later).as("worlds that allow later").isGreaterThan(WORLDS / 20);
  }

  private static boolean allowed(RandomWorld world, Instant time) {
    return PolicyEngine.decide(world.policies, world.facts, world.counters, time).effect() == Effect.ALLOW;
  }

  /** Times from now on and before an end: next to it, at random, and every ten minutes of a day. */
  static List<Instant> times(RandomWorld world, Instant end) {
    List<Instant> times = new ArrayList<>(
        List.of(end.minusNanos(1000), end.minusSeconds(1), end.minusSeconds(60), world.now));
    long span = LoggedCounters.micros(world.now, end);
    for (int i = 0; i < 10 && span > 0; i++) {
      times.add(world.now.plusNanos(1000 * world.random.nextLong(span)));
    }
    if (world.random.nextInt(20) == 0) {
      for (int i = 0; i < 144; i++) {
        times.add(world.now.plusSeconds(600L * i));
      }
    }
    times.removeIf(time -> time.isBefore(world.now) || !time.isBefore(end));
    return times;
  }
}
