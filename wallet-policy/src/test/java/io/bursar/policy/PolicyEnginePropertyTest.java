package io.bursar.policy;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.EnumMap;
import java.util.HashSet;
import java.util.Map;

import org.junit.jupiter.api.Test;

import io.bursar.policy.Decision.Effect;

/** What holds for every policy, on random ones. */
class PolicyEnginePropertyTest {
  private static final int WORLDS = 2_000;

  @Test
  void theWorldsAreWorthAsking() {
    Map<Effect, Integer> effects = new EnumMap<>(Effect.class);
    for (long seed = 1; seed <= 1_000; seed++) {
      effects.merge(decide(new RandomWorld(seed)).effect(), 1, Integer::sum);
    }
    for (var effect : Effect.values()) {
      assertThat(effects.getOrDefault(effect, 0)).as("%s in %s", effect, effects).isGreaterThan(30);
    }
  }

  @Test
  void theOrderOfRulesAndPoliciesNeverMatters() {
    for (long seed = 1; seed <= WORLDS; seed++) {
      var world = new RandomWorld(seed);
      var decision = decide(world);
      var other = PolicyEngine.decide(world.shuffled(), world.facts, world.counters, world.now);

      assertThat(other.effect()).as("seed %d", seed).isEqualTo(decision.effect());
      assertThat(other.implicit()).as("seed %d", seed).isEqualTo(decision.implicit());
      assertThat(other.policies()).as("seed %d", seed).isEqualTo(decision.policies());
      assertThat(other.reasons()).as("seed %d", seed).isEqualTo(decision.reasons());
      assertThat(other.approval()).as("seed %d", seed).isEqualTo(decision.approval());
      assertThat(new HashSet<>(other.charges())).as("seed %d", seed).isEqualTo(new HashSet<>(decision.charges()));
      assertThat(new HashSet<>(other.trace())).as("seed %d", seed).isEqualTo(new HashSet<>(decision.trace()));
    }
  }

  @Test
  void anotherRestrictingRuleNeverAllowsMore() {
    for (long seed = 1; seed <= WORLDS; seed++) {
      var world = new RandomWorld(seed);
      var before = decide(world);
      var after = PolicyEngine.decide(world.with(world.restricting("extra")), world.facts, world.counters, world.now);

      assertThat(after.effect()).as("seed %d: %s", seed, after.reasons()).isGreaterThanOrEqualTo(before.effect());
    }
  }

  @Test
  void isDecidedAgainFromItsOwnReadingsByteForByte() {
    for (long seed = 1; seed <= WORLDS; seed++) {
      var world = new RandomWorld(seed);
      var decision = decide(world);
      var again = PolicyEngine.decide(world.policies.reversed(), world.facts,
          RecordedCounters.of(world.policies, world.facts, decision.readings()), world.now);

      assertThat(again).as("seed %d", seed).isEqualTo(decision);
      assertThat(again.toString()).as("seed %d", seed).isEqualTo(decision.toString());
    }
  }

  @Test
  void saysWhyItIsNotAnAllowAndNothingElse() {
    for (long seed = 1; seed <= WORLDS; seed++) {
      var world = new RandomWorld(seed);
      var decision = decide(world);

      assertThat(decision.reasons().isEmpty()).as("seed %d", seed).isEqualTo(decision.effect() == Effect.ALLOW);
      assertThat(decision.approval() != null).as("seed %d", seed)
          .isEqualTo(decision.effect() == Effect.REQUIRE_APPROVAL);
      assertThat(decision.implicit() && decision.effect() != Effect.DENY).as("seed %d", seed).isFalse();
      assertThat(decision.charges()).as("seed %d", seed).doesNotHaveDuplicates();
      if (decision.effect() == Effect.DENY) {
        assertThat(decision.charges()).as("seed %d", seed).isEmpty();
      } else {
        assertThat(PolicyEngine.charges(world.policies, world.facts)).as("seed %d", seed).isEqualTo(decision.charges());
      }
    }
  }

  @Test
  void readsNoCounterThatItDidNotNameBeforehand() {
    for (long seed = 1; seed <= WORLDS; seed++) {
      var world = new RandomWorld(seed);
      var needs = PolicyEngine.needs(world.policies, world.facts);
      var watched = new WatchedCounters(world.counters);
      var decision = PolicyEngine.decide(world.policies, world.facts, watched, world.now);
      Headroom.maxAmountNow(world.policies, world.facts, watched, world.now);
      Headroom.retryAt(world.policies, world.facts, watched, world.now);

      assertThat(needs).as("seed %d", seed).containsAll(watched.read);
      assertThat(watched.times).as("seed %d", seed).isSubsetOf(world.now);
      for (var charge : decision.charges()) {
        assertThat(needs).as("seed %d", seed)
            .anyMatch(need -> need.counter().equals(charge.counter()) && need.key() == charge.key());
      }
    }
  }

  private static Decision decide(RandomWorld world) {
    return PolicyEngine.decide(world.policies, world.facts, world.counters, world.now);
  }

  /** Counters that remember what they were asked. */
  private static final class WatchedCounters implements Counters {
    private final Counters counters;
    private final HashSet<PolicyEngine.CounterNeed> read = new HashSet<>();
    private final HashSet<java.time.Instant> times = new HashSet<>();

    WatchedCounters(Counters counters) {
      this.counters = counters;
    }

    @Override
    public Usage usage(Counter counter, long key, Window window, java.time.Instant now) {
      read.add(new PolicyEngine.CounterNeed(counter, key, window));
      times.add(now);
      return counters.usage(counter, key, window, now);
    }

    @Override
    public java.util.Optional<java.time.Instant> fitsAt(Counter counter, long key, Window window, java.time.Instant now,
        java.math.BigInteger sumMax, long countMax) {
      read.add(new PolicyEngine.CounterNeed(counter, key, window));
      times.add(now);
      return counters.fitsAt(counter, key, window, now, sumMax, countMax);
    }
  }
}
