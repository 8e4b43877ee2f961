package io.bursar.policy;

import java.math.BigInteger;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

import org.jspecify.annotations.Nullable;

import io.bursar.money.Amount;
import io.bursar.policy.Policy.InForce;
import io.bursar.spend.SpendFacts;

/**
 * What would pass instead: another amount now, or the same amount later. Both answers are exact: they come from the same
 * prepared rules and counters as the decision, taken as sets of amounts and as times at which something changes.
 */
public final class Headroom {
  /** How far ahead {@link #retryAt} follows schedules. */
  public static final Duration AHEAD_MAX = Duration.ofDays(366);

  /** How many changes of schedules {@link #retryAt} looks at before it gives up. */
  private static final int CHANGES_MAX = 2_000;

  private Headroom() {}

  /**
   * The largest amount for which the same request would be allowed outright now; empty where there is none.
   *
   * @return base units of the asset, 1 to 2^256 − 1
   */
  public static Optional<BigInteger> maxAmountNow(List<InForce> policies, SpendFacts facts, Counters counters,
      Instant now) {
    if (policies.isEmpty() || facts.walletFrozen() || facts.agentSuspended()) {
      return Optional.empty();
    }
    List<AmountSet> granted = new ArrayList<>(policies.size());
    var refused = new AmountSet.Builder();
    for (var inForce : policies) {
      var permits = new AmountSet.Builder();
      for (var rule : inForce.rules()) {
        if (rule.rule instanceof Rule.Permit) {
          grant(rule, facts, now, permits);
        } else {
          refuse(rule, facts, counters, now, refused);
        }
      }
      granted.add(permits.build());
    }
    return Optional.ofNullable(largest(granted, refused.build()));
  }

  private static @Nullable BigInteger largest(List<AmountSet> granted, AmountSet refused) {
    var amount = Amount.MAX;
    boolean moved = true;
    while (moved) {
      moved = false;
      for (var set : granted) {
        var below = set.largestUpTo(amount);
        if (below == null) {
          return null;
        }
        moved |= !below.equals(amount);
        amount = below;
      }
      var below = refused.largestOutside(amount);
      moved |= !below.equals(amount);
      amount = below;
    }
    return amount.signum() > 0 ? amount : null;
  }

  private static void grant(RuleInForce rule, SpendFacts facts, Instant now, AmountSet.Builder permits) {
    try {
      if (rule.matcher.matchesApartFromAmount(facts) == Matcher.Result.YES && rule.inEffect(now)) {
        permits.add(least(rule, facts), most(rule, facts));
      }
    } catch (RuntimeException e) {
      // A permit that cannot be evaluated grants nothing.
    }
  }

  /** Adds the amounts that a rule does not let through outright. */
  private static void refuse(RuleInForce rule, SpendFacts facts, Counters counters, Instant now,
      AmountSet.Builder refused) {
    try {
      var result = rule.matcher.matchesApartFromAmount(facts);
      if (result == Matcher.Result.NO || !rule.inEffect(now)) {
        return;
      }
      var least = least(rule, facts);
      var most = most(rule, facts);
      if (result == Matcher.Result.LACKING || !(rule.rule instanceof Rule.Limit limit)) {
        refused.add(least, most);
        return;
      }
      var bounds = Objects.requireNonNull(rule.bounds);
      var unit = Counter.partsPerBaseUnit(facts.asset());
      if (bounds.min() != null) {
        refused.add(least, most.min(Matcher.ceiling(bounds.min(), unit).subtract(BigInteger.ONE)));
      }
      var usage = bounds.counter() == null
          ? Counters.Usage.NONE
          : RuleInForce.usage(counters, bounds.counter(), bounds.counter().key(facts), limit.window(), now);
      if (bounds.full(usage.count())) {
        refused.add(least, most);
      }
      if (bounds.max() != null) {
        var left = bounds.max().subtract(usage.sum());
        var largest = left.signum() < 0 ? BigInteger.ZERO : left.divide(unit);
        refused.add(least.max(largest.add(BigInteger.ONE)), most);
      }
    } catch (RuntimeException e) {
      // A rule that cannot be evaluated restricts wherever it could.
      refused.add(BigInteger.ONE, Amount.MAX);
    }
  }

  private static BigInteger least(RuleInForce rule, SpendFacts facts) {
    return rule.matcher.leastBaseUnits(facts.asset());
  }

  private static BigInteger most(RuleInForce rule, SpendFacts facts) {
    return rule.matcher.mostBaseUnits(facts.asset(), Amount.MAX);
  }

  /**
   * The earliest time at or after {@code now} at which the same request would be allowed outright, if nothing else is spent;
   * empty where there is none. After the last limit without a schedule has room again, schedules are followed for
   * {@link #AHEAD_MAX} or two thousand changes. Counters are asked about {@code now} only.
   */
  public static Optional<Instant> retryAt(List<InForce> policies, SpendFacts facts, Counters counters, Instant now) {
    if (policies.isEmpty() || facts.walletFrozen() || facts.agentSuspended()) {
      return Optional.empty();
    }
    try {
      return new Retry(facts, counters, now).earliest(policies);
    } catch (RuntimeException e) {
      // What cannot be evaluated now is not promised for later.
      return Optional.empty();
    }
  }

  /** What stands between a request and an outright allow, as a function of time alone. */
  private static final class Retry {
    private final SpendFacts facts;
    private final Counters counters;
    private final Instant now;
    private final BigInteger parts;

    /** Rules that refuse while they are in effect, and before the time from which they no longer do. */
    private final List<Obstacle> obstacles = new ArrayList<>();

    /** For each policy that has no permit without a schedule: its permits, one of which must be in effect. */
    private final List<List<RuleInForce>> permits = new ArrayList<>();

    /** Before this time something without a schedule refuses. */
    private Instant from;

    /** @param until when the rule no longer refuses; null for one that always does */
    private record Obstacle(RuleInForce rule, @Nullable Instant until) {
      boolean stands(Instant time) {
        return (until == null || time.isBefore(until)) && rule.inEffect(time);
      }
    }

    Retry(SpendFacts facts, Counters counters, Instant now) {
      this.facts = facts;
      this.counters = counters;
      this.now = now;
      this.from = now;
      this.parts = Counter.parts(facts.asset(), facts.amount());
    }

    Optional<Instant> earliest(List<InForce> policies) {
      for (var inForce : policies) {
        if (!collect(inForce)) {
          return Optional.empty();
        }
      }
      var last = from.plus(AHEAD_MAX);
      var time = from;
      for (int i = 0; i < CHANGES_MAX && !time.isAfter(last); i++) {
        if (allowed(time)) {
          return Optional.of(time);
        }
        var next = nextChange(time);
        if (next == null) {
          return Optional.empty();
        }
        time = next;
      }
      return Optional.empty();
    }

    /** Notes what a policy has to say; false where it never allows the request. */
    private boolean collect(InForce inForce) {
      List<RuleInForce> granting = new ArrayList<>();
      boolean always = false;
      for (var rule : inForce.rules()) {
        var result = rule.matcher.matches(facts, parts);
        if (result == Matcher.Result.NO) {
          continue;
        }
        if (rule.rule instanceof Rule.Permit) {
          if (result == Matcher.Result.YES) {
            granting.add(rule);
            always |= !rule.scheduled();
          }
        } else if (!obstacle(rule, result)) {
          return false;
        }
      }
      if (!always) {
        permits.add(granting);
      }
      return always || !granting.isEmpty();
    }

    /** Notes a rule that is no permit; false where it always refuses. */
    private boolean obstacle(RuleInForce rule, Matcher.Result result) {
      Instant until = null;
      if (result == Matcher.Result.YES && rule.rule instanceof Rule.Limit limit) {
        until = passesFrom(rule, limit);
        if (until != null && !until.isAfter(now)) {
          return true;
        }
      }
      if (rule.scheduled()) {
        obstacles.add(new Obstacle(rule, until));
        return true;
      }
      if (until == null) {
        return false;
      }
      from = until.isAfter(from) ? until : from;
      return true;
    }

    /** When a limit lets the request through; null where it never does. */
    private @Nullable Instant passesFrom(RuleInForce rule, Rule.Limit limit) {
      var bounds = Objects.requireNonNull(rule.bounds);
      if (bounds.belowMin(parts)) {
        return null;
      }
      if (bounds.counter() == null) {
        return bounds.aboveMax(parts) ? null : now;
      }
      return rule.fitsAt(counters, bounds.counter(), limit.window(), facts, parts, now).orElse(null);
    }

    private boolean allowed(Instant time) {
      for (var obstacle : obstacles) {
        if (obstacle.stands(time)) {
          return false;
        }
      }
      for (var granting : permits) {
        if (granting.stream().noneMatch(rule -> rule.inEffect(time))) {
          return false;
        }
      }
      return true;
    }

    private @Nullable Instant nextChange(Instant time) {
      Instant next = null;
      for (var obstacle : obstacles) {
        next = earlier(next, obstacle.rule.nextChange(time));
        if (obstacle.until != null && obstacle.until.isAfter(time)) {
          next = earlier(next, obstacle.until);
        }
      }
      for (var granting : permits) {
        for (var rule : granting) {
          next = earlier(next, rule.nextChange(time));
        }
      }
      return next;
    }

    private static @Nullable Instant earlier(@Nullable Instant first, @Nullable Instant second) {
      return first == null || (second != null && second.isBefore(first)) ? second : first;
    }
  }
}
