package io.bursar.policy;

import java.math.BigInteger;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

import io.bursar.policy.Decision.Charge;
import io.bursar.policy.Decision.Code;
import io.bursar.policy.Decision.Effect;
import io.bursar.policy.Decision.PolicyVersion;
import io.bursar.policy.Decision.Reading;
import io.bursar.policy.Decision.Reason;
import io.bursar.policy.Decision.RuleTrace;
import io.bursar.policy.Decision.RuleTrace.Outcome;
import io.bursar.policy.Policy.InForce;
import io.bursar.spend.SpendFacts;

/**
 * Decides a request to spend. The answer is the same for the same inputs for ever: nothing is read but the arguments, and
 * nothing is changed. Every rule of every policy is looked at, in no order that matters; deny beats approval beats allow, and
 * each policy must permit. A rule that cannot be evaluated restricts where it could have restricted, and does not grant.
 */
public final class PolicyEngine {
  private static final Comparator<InForce> POLICY_ORDER = Comparator.comparing(InForce::attachedTo)
      .thenComparing(InForce::policyId).thenComparing(inForce -> inForce.policy().version());

  private static final Comparator<Reason> REASON_ORDER = Comparator.comparing(Reason::code)
      .thenComparing(Reason::policyId, Comparator.nullsFirst(Comparator.naturalOrder()))
      .thenComparing(Reason::rule, Comparator.nullsFirst(Comparator.naturalOrder()));

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
      for (var rule : inForce.rules()) {
        if (rule.rule instanceof Rule.Limit limit && rule.bounds != null && rule.bounds.counter() != null
            && rule.matcher.matchesApartFromAmount(facts) != Matcher.Result.NO) {
          var counter = rule.bounds.counter();
          needs.add(new CounterNeed(counter, counter.key(facts), limit.window()));
        }
      }
    }
    return List.copyOf(needs);
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
      for (var rule : inForce.rules()) {
        var counter = rule.bounds == null ? null : rule.bounds.counter();
        if (counter != null && rule.matcher.matches(facts, parts) != Matcher.Result.NO) {
          charges.add(new Charge(counter, counter.key(facts)));
        }
      }
    }
    return distinct(charges);
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

  /** One decision while it is being made. */
  private static final class Deciding {
    private final List<InForce> policies;
    private final SpendFacts facts;
    private final Counters counters;
    private final Instant now;

    /** The amount in parts of 10^-18. */
    private final BigInteger parts;

    private final List<Reason> reasons = new ArrayList<>(4);
    private final List<RuleTrace> trace;
    private final List<Charge> charges = new ArrayList<>(8);
    private final List<Reading> readings = new ArrayList<>(8);
    private final List<Rule.Approval> approvals = new ArrayList<>(2);

    /** Whether something has refused, and whether some policy has not granted. */
    private boolean refused;
    private boolean ungranted;

    /** Of the policy that is being looked at: whether it grants, would at other times, and permits that failed. */
    private boolean granted;
    private boolean offHours;
    private final List<Reason> permitFailures = new ArrayList<>(0);

    Deciding(List<InForce> policies, SpendFacts facts, Counters counters, Instant now) {
      this.policies = policies;
      this.facts = facts;
      this.counters = counters;
      this.now = now;
      this.parts = Counter.parts(facts.asset(), facts.amount());
      this.trace = new ArrayList<>(16);
    }

    Decision decide() {
      if (facts.walletFrozen()) {
        refuse(Reasons.of(Code.WALLET_FROZEN, "the wallet is frozen"));
      }
      if (facts.agentSuspended()) {
        refuse(Reasons.of(Code.AGENT_SUSPENDED, "the agent is suspended"));
      }
      if (policies.isEmpty()) {
        ungranted = true;
        reasons.add(Reasons.of(Code.NO_POLICY, "no policy is in force for the wallet, its agent or its tenant"));
      }
      List<PolicyVersion> versions = new ArrayList<>(policies.size());
      for (int i = 0; i < policies.size(); i++) {
        versions.add(policies.get(i).version());
        decide(policies.get(i));
      }
      if (reasons.size() > 1) {
        reasons.sort(REASON_ORDER);
      }
      var effect = refused || ungranted ? Effect.DENY : approvals.isEmpty() ? Effect.ALLOW : Effect.REQUIRE_APPROVAL;
      return new Decision(effect, ungranted && !refused, Collections.unmodifiableList(versions),
          Collections.unmodifiableList(reasons), Collections.unmodifiableList(trace),
          effect == Effect.DENY ? List.of() : distinct(charges), Collections.unmodifiableList(readings),
          effect == Effect.REQUIRE_APPROVAL ? approvalNeeded(approvals) : null);
    }

    private void decide(InForce inForce) {
      granted = false;
      offHours = false;
      permitFailures.clear();
      for (var rule : inForce.rules()) {
        Outcome outcome;
        try {
          outcome = judge(rule);
        } catch (RuntimeException e) {
          // Whatever went wrong, the answer must not depend on it: the rule counts as one that cannot be evaluated.
          outcome = failed(rule, Reasons.FAILED);
        }
        trace.add(rule.trace(outcome));
      }
      if (!granted) {
        ungranted = true;
        reasons.addAll(permitFailures);
        reasons.add(Reasons.noPermit(inForce, offHours));
      }
    }

    private Outcome judge(RuleInForce rule) {
      var result = rule.matcher.matches(facts, parts);
      if (result == Matcher.Result.NO) {
        return Outcome.NOT_MATCHED;
      }
      var counter = rule.bounds == null ? null : rule.bounds.counter();
      if (counter != null) {
        // Counted whether or not the limit speaks now: what is spent at night counts when it speaks again by day.
        charges.add(new Charge(counter, counter.key(facts)));
      }
      if (!rule.inEffect(now)) {
        offHours |= rule.rule instanceof Rule.Permit && result == Matcher.Result.YES;
        return Outcome.NOT_MATCHED;
      }
      if (result == Matcher.Result.LACKING) {
        return failed(rule, Reasons.LACKING);
      }
      return switch (rule.rule) {
        case Rule.Permit permit -> {
          granted = true;
          yield Outcome.MATCHED;
        }
        case Rule.Deny deny -> {
          refuse(Reasons.denied(rule));
          yield Outcome.MATCHED;
        }
        case Rule.Approval approval -> {
          approvals.add(approval);
          reasons.add(Reasons.approval(rule, approval, facts));
          yield Outcome.MATCHED;
        }
        case Rule.Limit limit -> judge(rule, limit) ? Outcome.WITHIN : Outcome.EXCEEDED;
      };
    }

    /** Whether the spend stays within a limit. */
    private boolean judge(RuleInForce rule, Rule.Limit limit) {
      var bounds = Objects.requireNonNull(rule.bounds);
      boolean within = true;
      if (bounds.belowMin(parts)) {
        refuse(Reasons.belowMinimum(rule, bounds, parts));
        within = false;
      }
      if (bounds.counter() == null) {
        if (bounds.aboveMax(parts)) {
          refuse(Reasons.aboveMaximum(rule, limit, bounds, BigInteger.ZERO, parts));
          within = false;
        }
        return within;
      }
      var counter = bounds.counter();
      var usage = RuleInForce.usage(counters, counter, counter.key(facts), limit.window(), now);
      boolean over = bounds.max() != null && bounds.aboveMax(usage.sum().add(parts));
      boolean full = bounds.full(usage.count());
      var fitsAt = over || full ? rule.fitsAt(counters, counter, limit.window(), facts, parts, now).orElse(null) : null;
      readings.add(new Reading(rule.policyId, limit.id(), usage, fitsAt));
      if (over) {
        refuse(Reasons.aboveMaximum(rule, limit, bounds, usage.sum(), parts));
      }
      if (full) {
        refuse(Reasons.aboveCount(rule, limit, bounds, usage.count()));
      }
      return within && !over && !full;
    }

    private Outcome failed(RuleInForce rule, String message) {
      var reason = Reasons.of(rule, Code.EVALUATION_ERROR, message);
      switch (rule.rule) {
        case Rule.Permit permit -> permitFailures.add(reason);
        case Rule.Deny deny -> refuse(reason);
        case Rule.Limit limit -> refuse(reason);
        case Rule.Approval approval -> {
          approvals.add(approval);
          reasons.add(reason);
        }
      }
      return Outcome.ERROR;
    }

    private void refuse(Reason reason) {
      refused = true;
      reasons.add(reason);
    }
  }

  /** Charges without repetition, in the order of their first appearance. */
  private static List<Charge> distinct(List<Charge> charges) {
    if (charges.size() > 16) {
      return List.copyOf(new LinkedHashSet<>(charges));
    }
    List<Charge> distinct = new ArrayList<>(charges.size());
    for (int i = 0; i < charges.size(); i++) {
      if (!distinct.contains(charges.get(i))) {
        distinct.add(charges.get(i));
      }
    }
    return Collections.unmodifiableList(distinct);
  }

  /** All groups of all rules, each with its highest threshold, within the shortest time and after the longest delay. */
  private static Decision.ApprovalNeeded approvalNeeded(List<Rule.Approval> approvals) {
    Map<String, Integer> thresholds = new TreeMap<>();
    var expiresAfter = approvals.getFirst().expiresAfter();
    var delay = approvals.getFirst().delay();
    for (var approval : approvals) {
      approval.groups().forEach(group -> thresholds.merge(group.group(), group.threshold(), Math::max));
      expiresAfter = approval.expiresAfter().compareTo(expiresAfter) < 0 ? approval.expiresAfter() : expiresAfter;
      delay = approval.delay().compareTo(delay) > 0 ? approval.delay() : delay;
    }
    var groups = thresholds.entrySet().stream().map(entry -> new Rule.GroupThreshold(entry.getKey(), entry.getValue()))
        .toList();
    return new Decision.ApprovalNeeded(groups, expiresAfter, delay);
  }
}
