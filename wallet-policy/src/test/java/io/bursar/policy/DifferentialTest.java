package io.bursar.policy;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;

import org.junit.jupiter.api.Test;

import io.bursar.policy.Decision.Effect;
import io.bursar.spend.SpendText;

/**
 * The engine against the {@link NaiveInterpreter} on random policies, requests and pasts, some with conditions. The suite plays a
 * share; {@code -Dbursar.worlds=1000000} plays more (a tenth of it with conditions).
 */
class DifferentialTest {
  private static final int WORLDS = Integer.getInteger("bursar.worlds", 4_000);

  @Test
  void theEngineDecidesAsTheDefinitionReads() {
    compare(WORLDS, false);
  }

  @Test
  void theEngineDecidesAsTheDefinitionReadsWithConditions() {
    compare(WORLDS / 10, true);
  }

  private static void compare(int worlds, boolean conditions) {
    Map<Effect, Integer> effects = new EnumMap<>(Effect.class);
    for (long seed = 1; seed <= worlds; seed++) {
      var world = new RandomWorld(seed, conditions);
      var decision = PolicyEngine.decide(world.policies, world.facts, world.counters, world.now);
      var naive = new NaiveInterpreter(world.past, world.facts, world.now).decide(world.policies);
      if (!NaiveInterpreter.verdicts(decision).equals(naive)) {
        assertThat(NaiveInterpreter.verdicts(decision)).as("seed %d, conditions %s", seed, conditions).isEqualTo(naive);
      }
      effects.merge(decision.effect(), 1, Integer::sum);
    }
    assertThat(effects).containsOnlyKeys(Effect.values());
  }

  /** A policy of more than 64 rules is indexed. */
  @Test
  void theEngineDecidesAsTheDefinitionReadsOfLargePolicies() {
    int left = 0;
    for (long seed = 1; seed <= WORLDS / 40; seed++) {
      var world = new RandomWorld(seed, true);
      var rules = new ArrayList<Rule>();
      for (int i = 0; i < 80; i++) {
        rules.add(i % 2 == 0 ? world.rule("r" + i) : world.restricting("r" + i));
      }
      var large = List
          .of(new Policy.InForce(new UUID(3, 0), new Policy("large", rules, "sha256:0"), Policy.Target.WALLET));
      var decision = PolicyEngine.decide(large, world.facts, new LoggedCounters(), world.now);

      assertThat(NaiveInterpreter.verdicts(decision)).as("seed %d", seed)
          .isEqualTo(new NaiveInterpreter(List.of(), world.facts, world.now).decide(large));
      left += rules.size() - decision.trace().size();
    }
    assertThat(left).as("rules left out").isGreaterThan(WORLDS / 40);
  }

  @Test
  void aDecisionWithConditionsIsMadeAgainWithoutTheWords() {
    int read = 0;
    for (long seed = 1; seed <= WORLDS / 10; seed++) {
      var world = new RandomWorld(seed, true);
      var decision = PolicyEngine.decide(world.policies, world.facts, world.counters, world.now);
      var advice = Advice.of(world.policies, world.facts, world.counters, world.now);
      var wordless = world.facts.withText(SpendText.NONE);
      var readings = new ArrayList<>(decision.readings());
      readings.addAll(advice.readings());
      var recorded = RecordedCounters.of(world.policies, wordless, readings,
          DecisionJson.conditions(DecisionJson.conditions(decision)));

      assertThat(PolicyEngine.decide(world.policies.reversed(), wordless, recorded, world.now)).as("seed %d", seed)
          .isEqualTo(decision);
      assertThat(Advice.of(world.policies, wordless, recorded, world.now)).as("seed %d", seed).isEqualTo(advice);
      read += decision.conditions().isEmpty() ? 0 : 1;
    }
    assertThat(read).isGreaterThan(WORLDS / 40);
  }

  @Test
  void nobodyAllowsMoreByRestrictingMoreNorByOrderWithConditions() {
    for (long seed = 1; seed <= WORLDS / 10; seed++) {
      var world = new RandomWorld(seed, true);
      var before = PolicyEngine.decide(world.policies, world.facts, world.counters, world.now);
      var shuffled = PolicyEngine.decide(world.shuffled(), world.facts, world.counters, world.now);
      assertThat(shuffled.reasons()).as("seed %d", seed).isEqualTo(before.reasons());
      assertThat(shuffled.effect()).as("seed %d", seed).isEqualTo(before.effect());

      var enforced = world.policies.stream().filter(inForce -> !inForce.observes()).toList();
      var restricted = PolicyEngine.decide(restricted(world, enforced), world.facts, world.counters, world.now);
      assertThat(restricted.effect()).as("seed %d", seed).isGreaterThanOrEqualTo(before.effect());
    }
  }

  /** The policies with one more rule in the first of those that are enforced. */
  private static List<Policy.InForce> restricted(RandomWorld world, List<Policy.InForce> enforced) {
    var first = enforced.getFirst();
    var rules = new ArrayList<>(first.policy().rules());
    rules.add(world.restricting("extra"));
    var more = new ArrayList<>(world.policies);
    more.set(more.indexOf(first), new Policy.InForce(first.policyId(),
        new Policy(first.policy().name(), rules, first.policy().version(), first.policy().mode()), first.attachedTo()));
    return more;
  }

  @Test
  void whatIsPromisedWithConditionsIsKept() {
    int promised = 0;
    for (long seed = 1; seed <= WORLDS / 5; seed++) {
      var world = new RandomWorld(seed, true);
      var most = Headroom.maxAmountNow(world.policies, world.facts, world.counters, world.now);
      if (most.isPresent()) {
        promised++;
        assertThat(effect(world, most.get())).as("seed %d: %s", seed, most.get()).isEqualTo(Effect.ALLOW);
        for (var more : HeadroomTest.probes(world, most.get())) {
          if (more.compareTo(most.get()) > 0) {
            assertThat(effect(world, more)).as("seed %d: %s is more than %s", seed, more, most.get())
                .isNotEqualTo(Effect.ALLOW);
          }
        }
      }
      var at = Headroom.retryAt(world.policies, world.facts, world.counters, world.now);
      if (at.isPresent()) {
        assertThat(PolicyEngine.decide(world.policies, world.facts, world.counters, at.get()).effect())
            .as("seed %d at %s", seed, at.get()).isEqualTo(Effect.ALLOW);
        for (var time : HeadroomTest.times(world, at.get())) {
          assertThat(PolicyEngine.decide(world.policies, world.facts, world.counters, time).effect())
              .as("seed %d at %s, before %s", seed, time, at.get()).isNotEqualTo(Effect.ALLOW);
        }
      }
    }
    assertThat(promised).isGreaterThan(WORLDS / 40);
  }

  private static Effect effect(RandomWorld world, java.math.BigInteger amount) {
    return PolicyEngine.decide(world.policies, world.facts.withAmount(amount), world.counters, world.now).effect();
  }
}
