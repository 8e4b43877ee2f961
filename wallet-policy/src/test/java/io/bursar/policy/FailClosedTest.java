package io.bursar.policy;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigInteger;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.UUID;

import org.junit.jupiter.api.Test;

import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.policy.Decision.Effect;
import io.bursar.spend.SpendFacts;

/**
 * Nothing fails open: what breaks while deciding never turns a denial into an allow, nor an approval into one. The suite tries a
 * share; {@code -Dbursar.worlds=1000000} tries more.
 */
class FailClosedTest {
  private static final int MUTATIONS = Integer.getInteger("bursar.worlds", 4_000);

  @Test
  void noFaultMakesADecisionMilder() {
    int changed = 0;
    for (long seed = 1; seed <= MUTATIONS; seed++) {
      var world = new RandomWorld(seed, seed % 4 == 0);
      var random = world.random;
      var before = PolicyEngine.decide(world.policies, world.facts, world.counters, world.now);
      var policies = random.nextBoolean() ? world.policies : broken(world.policies, random);
      var facts = random.nextInt(3) > 0 || seed % 4 == 0 || countsByCategory(world)
          ? world.facts
          : lacking(world.facts);
      var counters = random.nextBoolean() ? world.counters : new FaultyCounters(world.counters, random);

      var after = PolicyEngine.decide(policies, facts, counters, world.now);

      if (after.effect().compareTo(before.effect()) < 0) {
        assertThat(after.effect()).as("seed %d: %s, and before %s", seed, after.reasons(), before.reasons())
            .isGreaterThanOrEqualTo(before.effect());
      }
      changed += after.effect() == before.effect() ? 0 : 1;
    }
    assertThat(changed).as("faults that matter").isGreaterThan(MUTATIONS / 100);
  }

  /** The same policies with sets that nobody knows and conditions that cannot be evaluated. */
  private static List<Policy.InForce> broken(List<Policy.InForce> policies, Random random) {
    return policies.stream().map(inForce -> {
      var policy = inForce.policy();
      return new Policy.InForce(inForce.policyId(), new Policy(policy.name(),
          policy.rules().stream().map(rule -> broken(rule, random)).toList(), policy.version(), policy.mode()),
          inForce.attachedTo());
    }).toList();
  }

  private static Rule broken(Rule rule, Random random) {
    var match = rule.match();
    if (match.payees() != null && random.nextBoolean()) {
      match = new Match(match.assets(), match.currency(), match.chains(),
          new Match.Payees(match.payees().listed(), Set.of(), "gone@1", false), match.amount(), match.methods(),
          match.hosts(), match.categories(), match.agents(), match.wallets());
    }
    var when = rule.when() != null && random.nextBoolean() ? When.broken(rule.when().expression()) : rule.when();
    return switch (rule) {
      case Rule.Permit permit -> new Rule.Permit(permit.id(), match, permit.schedule(), when);
      case Rule.Deny deny -> new Rule.Deny(deny.id(), match, deny.schedule(), when);
      case Rule.Approval approval -> new Rule.Approval(approval.id(), match, approval.schedule(), approval.groups(),
          approval.expiresAfter(), approval.delay(), when);
      // Another match is another counter, with nothing in it: what a limit counts is part of what it says.
      case Rule.Limit limit -> new Rule.Limit(limit.id(), limit.match(), limit.schedule(), limit.min(), limit.max(),
          limit.maxCount(), limit.window(), limit.per(), when);
    };
  }

  /** The same request without its category. */
  private static SpendFacts lacking(SpendFacts facts) {
    return new SpendFacts(facts.tenantId(), facts.agentId(), facts.walletId(), facts.asset(), facts.amount(),
        facts.payee(), facts.method(), null, facts.host(), facts.walletFrozen(), facts.agentSuspended(), facts.text());
  }

  /** Whether a limit counts each category apart: spends without one then have a count of their own. */
  private static boolean countsByCategory(RandomWorld world) {
    return world.policies.stream().flatMap(inForce -> inForce.policy().rules().stream())
        .anyMatch(rule -> rule instanceof Rule.Limit limit && limit.per().contains(Counter.Dimension.CATEGORY));
  }

  /** Counters that fail, or hold less than nothing, now and then. */
  private record FaultyCounters(Counters counters, Random random) implements Counters {
    @Override
    public Usage usage(Counter counter, long key, Window window, Instant now) {
      return switch (random.nextInt(4)) {
        case 0 -> throw new IllegalStateException("cannot be read");
        case 1 -> new Usage(BigInteger.ONE.negate(), 0);
        default -> counters.usage(counter, key, window, now);
      };
    }

    @Override
    public Optional<Instant> fitsAt(Counter counter, long key, Window window, Instant now, BigInteger sumMax,
        long countMax) {
      if (random.nextBoolean()) {
        throw new ArithmeticException("cannot be said");
      }
      return counters.fitsAt(counter, key, window, now, sumMax, countMax);
    }
  }

  @Test
  void aDocumentWithOneChangeIsRefusedOrDecides() throws JsonText.Malformed {
    var text = JsonText.canonical(Scenario.json(
        """
        {'name': 'n', 'mode': 'enforce', 'rules': [
          {'id': 'p', 'kind': 'permit', 'match': {'payees': {'in': 'vendors@1'}, 'assets': ['USDC']}},
          {'id': 'l', 'kind': 'limit', 'match': {'currency': 'USD'}, 'max': '100', 'window': {'rolling': 'PT24H'}, 'per': ['agent']},
          {'id': 'm', 'kind': 'limit', 'maxCount': 5, 'window': {'calendar': 'day', 'zone': 'Europe/Berlin'}},
          {'id': 'a', 'kind': 'approval', 'match': {'currency': 'USD', 'amount': {'above': '20'}}, 'groups': [{'group': 'finance', 'threshold': 1}]},
          {'id': 'd', 'kind': 'deny', 'when': 'spend.amount > decimal(`50`) || spent(`l`) > decimal(`90`)', 'unless': {'cron': '0 9 * * *', 'for': 'PT9H', 'zone': 'UTC'}}]}"""));
    int parsed = 0;
    for (long seed = 1; seed <= MUTATIONS / 20; seed++) {
      var random = new Random(seed * 0x9E3779B97F4A7C15L); // small seeds begin alike
      var changed = text.clone();
      changed[random.nextInt(changed.length)] = (byte) (32 + random.nextInt(95));
      Json document;
      try {
        document = JsonText.parse(changed);
      } catch (JsonText.Malformed e) {
        continue;
      }
      if (PolicyJson.parse(document, Scenario.CONTEXT) instanceof PolicyJson.Parsed(var policy, var warnings)) {
        parsed++;
        var world = new RandomWorld(seed);
        var inForce = new ArrayList<>(world.policies);
        inForce.add(new Policy.InForce(new UUID(9, 9), policy, Policy.Target.AGENT));
        var alone = PolicyEngine.decide(world.policies, world.facts, world.counters, world.now);
        var both = PolicyEngine.decide(inForce, world.facts, world.counters, world.now);
        assertThat(both.effect()).as("seed %d", seed).isGreaterThanOrEqualTo(
            policy.mode() == Policy.Mode.OBSERVE ? Effect.ALLOW : alone.effect());
      }
    }
    assertThat(parsed).isPositive();
  }
}
