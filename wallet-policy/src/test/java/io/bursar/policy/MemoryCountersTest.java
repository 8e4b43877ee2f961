package io.bursar.policy;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

import org.junit.jupiter.api.Test;

import io.bursar.spend.SpendFacts;

/** Counters in memory against a log of everything, on random policies and requests. */
class MemoryCountersTest {
  private static final int WORLDS = 100;

  private record Spent(Decision decision, SpendFacts facts, Instant at) {}

  @Test
  void decidesAndAdvisesAsALogOfEverythingWould() {
    for (long seed = 1; seed <= WORLDS; seed++) {
      var world = new RandomWorld(seed);
      var logged = new LoggedCounters();
      var memory = new MemoryCounters();
      world.policies.forEach(memory::watch);
      List<Spent> held = new ArrayList<>();
      var now = RandomWorld.START;
      for (int i = 0; i < 60; i++) {
        now = now.plusNanos(1000L * world.random.nextLong(3_600_000_000L * (world.random.nextInt(5) == 0 ? 30 : 1)));
        if (!held.isEmpty() && world.random.nextInt(6) == 0) {
          var back = held.remove(world.random.nextInt(held.size()));
          logged.giveBack(back.decision, back.facts, back.at);
          memory.giveBack(back.decision.charges(), back.facts, back.at, now);
        }
        var facts = world.facts();
        var decision = PolicyEngine.decide(world.policies, facts, memory, now);
        assertThat(decision).as("seed %d, request %d", seed, i)
            .isEqualTo(PolicyEngine.decide(world.policies, facts, logged, now));
        assertThat(Advice.of(world.policies, facts, memory, now)).as("seed %d, request %d", seed, i)
            .isEqualTo(Advice.of(world.policies, facts, logged, now));
        if (decision.effect() != Decision.Effect.DENY) {
          logged.charge(decision, facts, now);
          memory.charge(decision.charges(), facts, now);
          held.add(new Spent(decision, facts, now));
        }
      }
    }
  }
}
