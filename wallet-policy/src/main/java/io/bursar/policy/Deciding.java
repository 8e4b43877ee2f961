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
import java.util.TreeMap;

import org.jspecify.annotations.Nullable;

import io.bursar.policy.Decision.Charge;
import io.bursar.policy.Decision.Code;
import io.bursar.policy.Decision.ConditionReading;
import io.bursar.policy.Decision.Effect;
import io.bursar.policy.Decision.Observation;
import io.bursar.policy.Decision.PolicyVersion;
import io.bursar.policy.Decision.Reading;
import io.bursar.policy.Decision.Reason;
import io.bursar.policy.Decision.RuleTrace;
import io.bursar.policy.Decision.RuleTrace.Outcome;
import io.bursar.policy.Policy.InForce;
import io.bursar.spend.SpendFacts;

/** One decision while it is being made. */
final class Deciding {
  private static final Comparator<Reason> REASON_ORDER = Comparator.comparing(Reason::code)
      .thenComparing(Reason::policyId, Comparator.nullsFirst(Comparator.naturalOrder()))
      .thenComparing(Reason::rule, Comparator.nullsFirst(Comparator.naturalOrder()));

  private final List<InForce> policies;
  private final SpendFacts facts;
  private final Counters counters;
  private final Instant now;

  /** The amount in parts of 10^-18. */
  private final BigInteger parts;

  private final List<Charge> charges = new ArrayList<>(8);
  private final List<Reading> readings = new ArrayList<>(8);
  private final List<ConditionReading> conditions = new ArrayList<>(0);

  /** What is being said by those whose policy is being looked at. */
  private Verdict verdict = new Verdict(16);

  /** Of the policy that is being looked at: whether it grants, would at other times, and permits that failed. */
  private boolean granted;
  private boolean offHours;
  private final List<Reason> permitFailures = new ArrayList<>(0);

  /** What policies say: those that are enforced together, one that only observes by itself. */
  private static final class Verdict {
    final List<Reason> reasons = new ArrayList<>(4);
    final List<RuleTrace> trace;
    final List<Rule.Approval> approvals = new ArrayList<>(2);

    /** Whether something has refused, and whether some policy has not granted. */
    boolean refused;
    boolean ungranted;

    Verdict(int traces) {
      this.trace = new ArrayList<>(traces);
    }

    Effect effect() {
      return refused || ungranted ? Effect.DENY : approvals.isEmpty() ? Effect.ALLOW : Effect.REQUIRE_APPROVAL;
    }

    void refuse(Reason reason) {
      refused = true;
      reasons.add(reason);
    }

    List<Reason> sortedReasons() {
      if (reasons.size() > 1) {
        reasons.sort(REASON_ORDER);
      }
      return Collections.unmodifiableList(reasons);
    }
  }

  Deciding(List<InForce> policies, SpendFacts facts, Counters counters, Instant now) {
    this.policies = policies;
    this.facts = facts;
    this.counters = counters;
    this.now = now;
    this.parts = Counter.parts(facts.asset(), facts.amount());
  }

  Decision decide() {
    var enforced = verdict;
    if (facts.walletFrozen()) {
      enforced.refuse(Reasons.of(Code.WALLET_FROZEN, "the wallet is frozen"));
    }
    if (facts.agentSuspended()) {
      enforced.refuse(Reasons.of(Code.AGENT_SUSPENDED, "the agent is suspended"));
    }
    List<PolicyVersion> versions = new ArrayList<>(policies.size());
    List<Observation> observed = new ArrayList<>(0);
    for (int i = 0; i < policies.size(); i++) {
      var inForce = policies.get(i);
      versions.add(inForce.version());
      if (inForce.observes()) {
        verdict = new Verdict(16);
        decide(inForce);
        observed.add(new Observation(inForce.version(), verdict.effect(), verdict.sortedReasons(),
            Collections.unmodifiableList(verdict.trace)));
        verdict = enforced;
      } else {
        decide(inForce);
      }
    }
    if (observed.size() == policies.size()) {
      enforced.ungranted = true;
      enforced.reasons.add(Reasons.noPolicy(!policies.isEmpty()));
    }
    var effect = enforced.effect();
    return new Decision(effect, enforced.ungranted && !enforced.refused, Collections.unmodifiableList(versions),
        enforced.sortedReasons(), Collections.unmodifiableList(enforced.trace),
        effect == Effect.DENY ? List.of() : distinct(charges), Collections.unmodifiableList(readings),
        effect == Effect.REQUIRE_APPROVAL ? approvalNeeded(enforced.approvals) : null,
        Collections.unmodifiableList(observed), Collections.unmodifiableList(conditions));
  }

  private void decide(InForce inForce) {
    granted = false;
    offHours = false;
    permitFailures.clear();
    for (var rule : inForce.rules(facts)) {
      Outcome outcome;
      try {
        outcome = judge(rule);
      } catch (RuntimeException e) {
        // Whatever went wrong, the answer must not depend on it: the rule counts as one that cannot be evaluated.
        outcome = failed(rule, Reasons.FAILED);
      }
      verdict.trace.add(rule.trace(outcome));
    }
    if (!granted) {
      verdict.ungranted = true;
      verdict.reasons.addAll(permitFailures);
      verdict.reasons.add(Reasons.noPermit(inForce, offHours));
    }
  }

  private Outcome judge(RuleInForce rule) {
    var known = rule.condition == null ? null : known(rule, rule.condition);
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
    if (result != Matcher.Result.YES) {
      return failed(rule, result == Matcher.Result.LACKING ? Reasons.LACKING : Reasons.UNKNOWN_SET);
    }
    if (rule.condition == null) {
      return applied(rule);
    }
    return switch (rule.condition.of(Objects.requireNonNull(known), facts, now)) {
      case HOLDS -> applied(rule);
      case FAILS -> Outcome.NOT_MATCHED;
      case ERROR -> failed(rule, Reasons.CONDITION);
    };
  }

  /** What a condition needs; taken and recorded also where the amount or the time is another one, for who asks about those. */
  private ConditionInForce.@Nullable Known known(RuleInForce rule, ConditionInForce condition) {
    if (rule.matcher.matchesApartFromAmount(facts) != Matcher.Result.YES) {
      return null;
    }
    var known = condition.know(facts, counters, now);
    if (condition.isRecorded()) {
      conditions.add(condition.reading(known));
    }
    return known;
  }

  /** What becomes of a rule that matches and speaks now. */
  private Outcome applied(RuleInForce rule) {
    return switch (rule.rule) {
      case Rule.Permit permit -> {
        granted = true;
        yield Outcome.MATCHED;
      }
      case Rule.Deny deny -> {
        verdict.refuse(Reasons.denied(rule));
        yield Outcome.MATCHED;
      }
      case Rule.Approval approval -> {
        verdict.approvals.add(approval);
        verdict.reasons.add(Reasons.approval(rule, approval, facts));
        yield Outcome.MATCHED;
      }
      case Rule.Limit limit -> isWithin(rule, limit) ? Outcome.WITHIN : Outcome.EXCEEDED;
    };
  }

  /** Whether the spend stays within a limit. */
  private boolean isWithin(RuleInForce rule, Rule.Limit limit) {
    var bounds = Objects.requireNonNull(rule.bounds);
    boolean within = true;
    if (bounds.belowMin(parts)) {
      verdict.refuse(Reasons.belowMinimum(rule, bounds, parts));
      within = false;
    }
    if (bounds.counter() == null) {
      if (bounds.aboveMax(parts)) {
        verdict.refuse(Reasons.aboveMaximum(rule, limit, bounds, BigInteger.ZERO, parts));
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
      verdict.refuse(Reasons.aboveMaximum(rule, limit, bounds, usage.sum(), parts));
    }
    if (full) {
      verdict.refuse(Reasons.aboveCount(rule, limit, bounds, usage.count()));
    }
    return within && !over && !full;
  }

  private Outcome failed(RuleInForce rule, String message) {
    var reason = Reasons.of(rule, Code.EVALUATION_ERROR, message);
    switch (rule.rule) {
      case Rule.Permit permit -> permitFailures.add(reason);
      case Rule.Deny deny -> verdict.refuse(reason);
      case Rule.Limit limit -> verdict.refuse(reason);
      case Rule.Approval approval -> {
        verdict.approvals.add(approval);
        verdict.reasons.add(reason);
      }
    }
    return Outcome.ERROR;
  }

  /** Charges without repetition, in the order of their first appearance. */
  static List<Charge> distinct(List<Charge> charges) {
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
