package io.bursar.policy;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigInteger;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.stream.Collectors;

import org.junit.jupiter.api.Test;

import io.bursar.money.Asset;
import io.bursar.rehearsal.Analysis;
import io.bursar.rehearsal.IdleRules;
import io.bursar.rehearsal.NewlyPermitted;
import io.bursar.spend.SpendFacts;

/**
 * What is said of a policy from its rules alone, against spending as much as one can under it; on random policies.
 * {@code -Dbursar.worlds=10000} tries more of them than a build has time for.
 */
class AnalysisPropertyTest {
  private static final int WORLDS = Integer.getInteger("bursar.worlds", 1_000);
  private static final List<Asset> ASSETS = List.of(Scenario.asset(Scenario.CHAIN, "USDC"),
      Scenario.asset(Scenario.CHAIN, "DAI"), Scenario.asset(Scenario.CHAIN, "POINT"));

  private record Spent(Instant at, String unit, BigInteger parts) {}

  private static Policy policy(RandomWorld world) {
    var rules = world.policies.getFirst().policy().rules();
    return new Policy("random", rules, "sha256:random");
  }

  private static Policy.InForce attached(Policy policy) {
    return new Policy.InForce(new UUID(3, 3), policy, Policy.Target.WALLET);
  }

  private static SpendFacts facts(RandomWorld world, UUID agent, UUID wallet) {
    var facts = world.facts();
    var asset = ASSETS.get(world.random.nextInt(ASSETS.size()));
    return new SpendFacts(facts.tenantId(), agent, wallet, asset, BigInteger.ONE, facts.payee(), facts.method(),
        facts.category(), facts.host(), false, false);
  }

  private static String unit(SpendFacts facts) {
    return facts.asset().currency() == null ? facts.asset().symbol() : facts.asset().currency();
  }

  /** Spends as much as is allowed at every turn, at times that limits find hard. */
  private static List<Spent> spendAll(RandomWorld world, List<Policy.InForce> policies, Duration stretch) {
    var counters = new MemoryCounters();
    policies.forEach(counters::watch);
    var agent = Scenario.agent(world.random.nextInt(2));
    var wallet = Scenario.wallet(world.random.nextInt(2));
    List<Spent> spent = new ArrayList<>();
    var now = RandomWorld.START.plusSeconds(world.random.nextInt(7_200));
    for (int turn = 0; turn < 12; turn++) {
      for (int i = 0; i < 4; i++) {
        var facts = facts(world, agent, wallet);
        var most = Headroom.maxAmountNow(policies, facts, counters, now);
        if (most.isPresent()) {
          var all = facts.withAmount(most.get());
          counters.charge(PolicyEngine.decide(policies, all, counters, now).charges(), all, now);
          spent.add(new Spent(now, unit(all), Counter.parts(all.asset(), all.amount())));
        }
      }
      now = now.plusSeconds(switch (world.random.nextInt(5)) {
        case 0 -> 61;
        case 1 -> stretch.toSeconds() / 3;
        case 2 -> 3_601;
        case 3 -> 86_401;
        default -> world.random.nextInt(90_000);
      });
    }
    return spent;
  }

  @Test
  void noBoundIsBelowWhatCanLeave() {
    int reached = 0;
    int bounded = 0;
    for (long seed = 1; seed <= WORLDS; seed++) {
      var world = new RandomWorld(seed);
      var policy = policy(world);
      var bounds = Analysis.bounds(policy, Policy.Target.WALLET, ASSETS).stream()
          .collect(Collectors.toMap(Analysis.Bound::unit, bound -> bound));
      var approved = new Policy("approved",
          policy.rules().stream().filter(rule -> !(rule instanceof Rule.Approval)).toList(), "sha256:approved");
      for (var stretch : Analysis.STRETCHES.entrySet()) {
        for (boolean withApprovers : new boolean[]{false, true}) {
          var spent = spendAll(world, List.of(attached(withApprovers ? approved : policy)), stretch.getValue());
          for (var unit : bounds.keySet()) {
            var bound = java.util.Objects.requireNonNull(bounds.get(unit));
            var most = withApprovers ? bound.withApprovers() : bound.withoutApprovers();
            var ofUnit = spent.stream().filter(spend -> spend.unit().equals(unit)).toList();
            var single = ofUnit.stream().map(Spent::parts).max(BigInteger::compareTo).orElse(BigInteger.ZERO);
            assertThat(atLeast(most.spend(), single)).as("seed %d, one spend of %s: %s", seed, unit, single).isTrue();
            var within = java.util.Objects.requireNonNull(most.within().get(stretch.getKey()));
            var found = mostWithin(ofUnit, stretch.getValue());
            assertThat(atLeast(within, found)).as("seed %d, %s of %s, approvers %s: at most %s, found %s; %s", seed,
                stretch.getKey(), unit, withApprovers, within, found, policy.rules()).isTrue();
            bounded += within.isPresent() && within.get().signum() > 0 ? 1 : 0;
            reached += within.isPresent() && within.get().signum() > 0 && within.get().equals(found) ? 1 : 0;
          }
        }
      }
    }
    assertThat(reached).as("bounds that were reached, of %d", bounded).isGreaterThan(bounded / 10);
  }

  private static boolean atLeast(Optional<BigInteger> bound, BigInteger found) {
    return bound.isEmpty() || bound.get().compareTo(found) >= 0;
  }

  /** The most in any stretch of time {@code [start, start + length)}. */
  private static BigInteger mostWithin(List<Spent> spent, Duration length) {
    var most = BigInteger.ZERO;
    for (int i = 0; i < spent.size(); i++) {
      var end = spent.get(i).at().plus(length);
      var sum = BigInteger.ZERO;
      for (int j = i; j < spent.size() && spent.get(j).at().isBefore(end); j++) {
        sum = sum.add(spent.get(j).parts());
      }
      most = most.max(sum);
    }
    return most;
  }

  @Test
  void withoutRulesThatNeverMatterEverythingIsDecidedAlike() {
    int found = 0;
    for (long seed = 1; seed <= WORLDS / 3; seed++) {
      var world = new RandomWorld(seed);
      var policy = policy(world);
      var idle = IdleRules.of(policy, Policy.Target.WALLET, ASSETS).stream().map(IdleRules.Idle::rule).toList();
      found += idle.size();
      if (idle.isEmpty()) {
        continue;
      }
      var less = new Policy("less", policy.rules().stream().filter(rule -> !idle.contains(rule.id())).toList(),
          "sha256:less");
      var all = List.of(attached(policy));
      var few = List.of(attached(less));
      var counters = new MemoryCounters();
      all.forEach(counters::watch);
      var now = RandomWorld.START;
      for (int i = 0; i < 60; i++) {
        now = now.plusSeconds(world.random.nextInt(20_000));
        var asset = ASSETS.get(world.random.nextInt(ASSETS.size()));
        var facts = facts(world, Scenario.agent(world.random.nextInt(2)), Scenario.wallet(world.random.nextInt(2)))
            .withAmount(world.amount(asset));
        var decision = PolicyEngine.decide(all, facts, counters, now);
        assertThat(PolicyEngine.decide(few, facts, counters, now).effect())
            .as("seed %d, without %s: %s", seed, idle, policy.rules()).isEqualTo(decision.effect());
        if (decision.effect() != Decision.Effect.DENY) {
          counters.charge(decision.charges(), facts, now);
        }
      }
    }
    assertThat(found).isGreaterThan(WORLDS / 30);
  }

  @Test
  void whatIsNotNewlyPermittedIsNotPermittedMoreFreely() {
    int freer = 0;
    for (long seed = 1; seed <= WORLDS / 5; seed++) {
      var world = new RandomWorld(seed);
      var before = always(policy(world));
      var after = always(policy(new RandomWorld(seed % 2 == 0 ? seed + 1_000_000 : seed)));
      if (seed % 2 == 1) {
        var rules = new ArrayList<>(before.rules());
        rules.remove(world.random.nextInt(rules.size()));
        after = new Policy("after", rules, "sha256:after");
      }
      var found = NewlyPermitted.of(before, after, Policy.Target.WALLET, ASSETS);
      var kinds = found.examples().stream().map(example -> Map.entry(example.before(), example.after()))
          .collect(Collectors.toSet());
      freer += kinds.size();
      assertThat(found.complete()).as("seed %d", seed).isTrue();
      var fresh = new LoggedCounters();
      for (int i = 0; i < 60; i++) {
        var facts = facts(world, Scenario.agent(world.random.nextInt(2)), Scenario.wallet(world.random.nextInt(2)));
        facts = facts.withAmount(world.amount(facts.asset()));
        var then = PolicyEngine.decide(List.of(attached(before)), facts, fresh, RandomWorld.START).effect();
        var now = PolicyEngine.decide(List.of(attached(after)), facts, fresh, RandomWorld.START).effect();
        if (now.compareTo(then) < 0) {
          assertThat(kinds).as("seed %d: %s", seed, facts).contains(Map.entry(then, now));
        }
      }
    }
    assertThat(freer).isGreaterThan(WORLDS / 20);
  }

  private static Policy always(Policy policy) {
    return new Policy(policy.name(), policy.rules().stream().<Rule>map(rule -> switch (rule) {
      case Rule.Permit permit -> new Rule.Permit(permit.id(), permit.match(), Rule.Schedule.ALWAYS);
      case Rule.Deny deny -> new Rule.Deny(deny.id(), deny.match(), Rule.Schedule.ALWAYS);
      case Rule.Limit limit -> new Rule.Limit(limit.id(), limit.match(), Rule.Schedule.ALWAYS, limit.min(), limit.max(),
          limit.maxCount(), limit.window(), limit.per());
      case Rule.Approval approval -> new Rule.Approval(approval.id(), approval.match(), Rule.Schedule.ALWAYS,
          approval.groups(), approval.expiresAfter());
    }).toList(), policy.version());
  }
}
