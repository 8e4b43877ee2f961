package io.bursar.policy;

import java.math.BigInteger;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

import org.jspecify.annotations.Nullable;

import io.bursar.money.Amount;
import io.bursar.spend.SpendFacts;

/**
 * What the agent could do instead; both are promises as of the decision's clock. An allowed spend gets none: it has itself
 * changed what they would promise.
 *
 * @param maxAmountNow the most that would be allowed outright, in units of the asset
 * @param retryAt when the same request would be
 * @param readings what was read for them beyond what the decision had read; with the decision's own readings they suffice to
 *        give the same advice again
 */
public record Advice(@Nullable String maxAmountNow, @Nullable Instant retryAt, List<Decision.Reading> readings) {
  public static final Advice NONE = new Advice(null, null, List.of());

  public Advice {
    readings = List.copyOf(readings);
  }

  public static Advice of(List<Policy.InForce> policies, SpendFacts facts, Counters counters, Instant now) {
    var amount = Headroom.maxAmountNow(policies, facts, counters, now)
        .map(units -> Amount.format(units, facts.asset().decimals()));
    return new Advice(amount.orElse(null), Headroom.retryAt(policies, facts, counters, now).orElse(null),
        readings(policies, facts, counters, now));
  }

  /**
   * The counters that a decision leaves unread and {@link Headroom} does not: those of limits on other amounts (another amount
   * might meet them), at other times (the same request might meet them later), and under conditions that do not hold for this
   * amount.
   */
  private static List<Decision.Reading> readings(List<Policy.InForce> policies, SpendFacts facts, Counters counters,
      Instant now) {
    List<Decision.Reading> readings = new ArrayList<>(0);
    var parts = Counter.parts(facts.asset(), facts.amount());
    for (var inForce : PolicyEngine.inOrder(policies)) {
      for (var rule : inForce.rules(facts)) {
        var counter = rule.bounds == null ? null : rule.bounds.counter();
        if (counter != null && rule.rule instanceof Rule.Limit limit
            && rule.matcher.matchesApartFromAmount(facts) == Matcher.Result.YES
            && isUnread(rule, parts, facts, counters, now)) {
          read(rule, counter, limit, facts, counters, now, readings);
        }
      }
    }
    return readings;
  }

  private static boolean isUnread(RuleInForce rule, BigInteger parts, SpendFacts facts, Counters counters,
      Instant now) {
    if (rule.matcher.takesAmount(parts) != rule.inEffect(now)) {
      return true;
    }
    var condition = rule.condition;
    return rule.matcher.takesAmount(parts) && condition != null
        && condition.of(condition.know(facts, counters, now), facts, now) != Decision.ConditionOutcome.HOLDS;
  }

  private static void read(RuleInForce rule, Counter counter, Rule.Limit limit, SpendFacts facts, Counters counters,
      Instant now, List<Decision.Reading> readings) {
    var parts = Counter.parts(facts.asset(), facts.amount());
    try {
      var usage = RuleInForce.usage(counters, counter, counter.key(facts), limit.window(), now);
      var bounds = Objects.requireNonNull(rule.bounds);
      boolean broken = bounds.full(usage.count()) || bounds.aboveMax(usage.sum().add(parts));
      var fitsAt = broken && rule.matcher.takesAmount(parts)
          ? rule.fitsAt(counters, counter, limit.window(), facts, parts, now).orElse(null)
          : null;
      readings.add(new Decision.Reading(rule.policyId, limit.id(), usage, fitsAt));
    } catch (RuntimeException e) {
      // What could not be read now cannot be read from the record either, and is taken the same way.
    }
  }
}
