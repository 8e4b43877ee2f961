package io.bursar.policy;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigInteger;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

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

  private static final Instant NOON = Instant.parse("2026-11-23T12:00:00Z");

  private final MemoryCounters memory = new MemoryCounters();

  /** A policy's only limit, counted for a wallet. */
  private PolicyEngine.Counted watched(String window) {
    var policy = Scenario.policy(
        "{'id': 'd', 'kind': 'limit', 'match': {'assets': ['USDC']}, 'max': '100', 'window': %s}".formatted(window));
    memory.watch(new Policy.InForce(new UUID(1, 1), policy, Policy.Target.WALLET));
    return PolicyEngine.counted(policy, Policy.Target.WALLET).getFirst();
  }

  private static SpendFacts facts(int wallet) {
    return new SpendFacts(Scenario.TENANT, Scenario.agent(1), Scenario.wallet(wallet),
        Scenario.asset(Scenario.CHAIN, "USDC"), BigInteger.valueOf(1_000_000), Scenario.payee("A"),
        SpendFacts.TRANSFER, null, null, false, false);
  }

  private static List<Decision.Charge> charges(PolicyEngine.Counted counted, SpendFacts facts) {
    return List.of(new Decision.Charge(counted.counter(), counted.counter().key(facts)));
  }

  private long count(PolicyEngine.Counted counted, Instant now) {
    return memory.usage(counted.counter(), counted.counter().key(facts(1)), counted.window(), now).count();
  }

  @Test
  void keepsWhatItCountedWhenTheSameIsWatchedForAnotherWindow() {
    var day = watched("{'rolling': 'PT24H'}");
    memory.charge(charges(day, facts(1)), facts(1), NOON);
    var week = watched("{'rolling': 'P7D'}");
    memory.charge(charges(day, facts(1)), facts(1), NOON.plusSeconds(1));

    assertThat(week.counter()).isEqualTo(day.counter());
    assertThat(count(day, NOON.plusSeconds(2))).isEqualTo(2);
    assertThat(count(week, NOON.plusSeconds(2))).as("from the time it was watched").isEqualTo(1);
  }

  @Test
  void givesBackFromTheOldestSecondThatStillCountsAndFromNoneBefore() {
    var day = watched("{'rolling': 'PT24H'}");
    memory.charge(charges(day, facts(1)), facts(1), NOON);
    memory.charge(charges(day, facts(1)), facts(1), NOON.plusSeconds(5));
    var edge = NOON.plusSeconds(86_400);
    assertThat(count(day, edge)).isEqualTo(2);
    memory.giveBack(charges(day, facts(1)), facts(1), NOON, edge);
    assertThat(count(day, edge)).isEqualTo(1);
    memory.giveBack(charges(day, facts(1)), facts(1), NOON.plusSeconds(5), edge.plusSeconds(60));
    assertThat(count(day, edge.plusSeconds(60))).isZero();
  }

  @Test
  void aNewDayBeginsWithItsFirstSpendToo() {
    var day = watched("{'calendar': 'day', 'zone': 'UTC'}");
    var tomorrow = NOON.plusSeconds(86_400);
    memory.charge(charges(day, facts(1)), facts(1), NOON);
    memory.charge(charges(day, facts(1)), facts(1), tomorrow);

    assertThat(count(day, tomorrow)).isEqualTo(1);
  }

  @Test
  void saysWhenItFitsWithoutHavingBeenAskedForTheUsageBefore() {
    for (var window : List.of("{'rolling': 'PT24H'}", "{'calendar': 'day', 'zone': 'UTC'}")) {
      var day = watched(window);
      memory.charge(charges(day, facts(1)), facts(1), NOON);
      var later = NOON.plusSeconds(90_000);

      assertThat(memory.fitsAt(day.counter(), day.counter().key(facts(1)), day.window(), later, BigInteger.ZERO, 0))
          .as(window).contains(later);
    }
  }

  @Test
  void forgetsThoseWhoseWindowsArePast() {
    var rolling = watched("{'rolling': 'PT24H'}");
    var day = watched("{'calendar': 'day', 'zone': 'UTC'}");
    var ever = watched("'lifetime'");
    for (int i = 1; i <= 1000; i++) {
      memory.charge(List.of(charges(rolling, facts(i)).getFirst(), charges(day, facts(i)).getFirst()), facts(i), NOON);
    }
    memory.charge(charges(ever, facts(1)), facts(1), NOON);
    assertThat(memory.size()).isEqualTo(2001);
    var later = NOON.plusSeconds(2 * 86_400);
    for (int i = 1002; i < MemoryCounters.SWEEP_EVERY; i++) {
      memory.charge(charges(rolling, facts(1)), facts(1), later);
    }
    assertThat(memory.size()).isEqualTo(2001);
    memory.charge(charges(rolling, facts(1)), facts(1), later);

    assertThat(memory.size()).as("the one that spends, and what is counted for ever").isEqualTo(2);
    assertThat(count(rolling, later)).isEqualTo(MemoryCounters.SWEEP_EVERY - 1001);
    assertThat(count(ever, later)).isEqualTo(1);
  }

  @Test
  void keepsThoseWhoseDayIsNotOver() {
    var day = watched("{'calendar': 'day', 'zone': 'UTC'}");
    memory.charge(charges(day, facts(1)), facts(1), NOON);
    for (int i = 1; i < MemoryCounters.SWEEP_EVERY; i++) {
      memory.charge(charges(day, facts(2)), facts(2), NOON.plusSeconds(1));
    }

    assertThat(count(day, NOON.plusSeconds(2))).isEqualTo(1);
  }
}
