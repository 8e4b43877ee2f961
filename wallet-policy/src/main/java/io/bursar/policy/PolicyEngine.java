package io.bursar.policy;

import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

import io.bursar.policy.Decision.Charge;
import io.bursar.policy.Policy.InForce;
import io.bursar.spend.SpendFacts;

/**
 * Decides a request to spend. The answer is the same for the same inputs for ever: nothing is read but the arguments, and
 * nothing is changed. Every rule of every policy is looked at, in no order that matters; deny beats approval beats allow, and
 * each policy must permit. A rule that cannot be evaluated restricts where it could have restricted, and does not grant. A
 * policy that only observes is heard but has no say; its limits count all the same, so that they hold from the moment they are
 * enforced.
 */
public final class PolicyEngine {
  private static final Comparator<InForce> POLICY_ORDER = Comparator.comparing(InForce::attachedTo)
      .thenComparing(InForce::policyId).thenComparing(inForce -> inForce.policy().version());

  private PolicyEngine() {}

  /** A counter that a decision may read, and the window for which. */
  public record CounterNeed(Counter counter, long key, Window window) {}

  /**
   * Decides.
   *
   * @param policies all that are in force for the wallet, its agent and its tenant, in any order
   * @param counters what has been spent before
   * @param now the time of the decision
   */
  public static Decision decide(List<InForce> policies, SpendFacts facts, Counters counters, Instant now) {
    return new Deciding(inOrder(policies), facts, counters, now).decide();
  }

  /**
   * Every counter that {@link #decide} and {@link Headroom} may read for a request, whatever its amount and the time, so that
   * they can be loaded together beforehand.
   */
  public static List<CounterNeed> needs(List<InForce> policies, SpendFacts facts) {
    Set<CounterNeed> needs = new LinkedHashSet<>();
    for (var inForce : policies) {
      for (var rule : inForce.rules(facts)) {
        if (rule.matcher.matchesApartFromAmount(facts) != Matcher.Result.NO) {
          need(rule, facts, needs);
          if (rule.condition != null) {
            rule.condition.limits().forEach(limit -> need(limit, facts, needs));
          }
        }
      }
    }
    return List.copyOf(needs);
  }

  private static void need(RuleInForce rule, SpendFacts facts, Set<CounterNeed> needs) {
    if (rule.rule instanceof Rule.Limit limit && rule.bounds != null && rule.bounds.counter() != null) {
      var counter = rule.bounds.counter();
      needs.add(new CounterNeed(counter, counter.key(facts), limit.window()));
    }
  }

  /** A counter that a policy has counted, and the window of the limit. */
  public record Counted(Counter counter, Window window) {}

  /** What one limit counts; empty for a limit of each single spend, which counts nothing. */
  public static Optional<Counter> counter(Rule.Limit limit, Policy.Target attachedTo) {
    return Optional.ofNullable(RuleInForce.counter(limit, attachedTo));
  }

  /** What the limits of a policy count when it is attached to something. */
  public static List<Counted> counted(Policy policy, Policy.Target attachedTo) {
    List<Counted> counted = new ArrayList<>();
    for (var rule : policy.rules()) {
      if (rule instanceof Rule.Limit limit) {
        var counter = RuleInForce.counter(limit, attachedTo);
        if (counter != null) {
          counted.add(new Counted(counter, limit.window()));
        }
      }
    }
    return counted;
  }

  /** The counters that count a spend under these policies, whether or not it is allowed; each once. */
  public static List<Charge> charges(List<InForce> policies, SpendFacts facts) {
    var parts = Counter.parts(facts.asset(), facts.amount());
    List<Charge> charges = new ArrayList<>();
    for (var inForce : policies) {
      for (var rule : inForce.rules(facts)) {
        var counter = rule.bounds == null ? null : rule.bounds.counter();
        if (counter != null && rule.matcher.matches(facts, parts) != Matcher.Result.NO) {
          charges.add(new Charge(counter, counter.key(facts)));
        }
      }
    }
    return Deciding.distinct(charges);
  }

  /** The policies in one order, so that a decision does not depend on how they were listed. */
  static List<InForce> inOrder(List<InForce> policies) {
    for (int i = 1; i < policies.size(); i++) {
      if (POLICY_ORDER.compare(policies.get(i - 1), policies.get(i)) > 0) {
        return policies.stream().sorted(POLICY_ORDER).toList();
      }
    }
    return policies;
  }
}
