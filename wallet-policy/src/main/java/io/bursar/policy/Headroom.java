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
import io.bursar.policy.Decision.ConditionOutcome;
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
   * The largest amount for which the same request would be allowed outright now; empty where there is none, and where a
   * condition stands in the way that nobody can see through.
   *
   * @return base units of the asset, 1 to 2^256 − 1
   */
  public static Optional<BigInteger> maxAmountNow(List<InForce> policies, SpendFacts facts, Counters counters,
      Instant now) {
    if (nobodyEnforces(policies) || facts.walletFrozen() || facts.agentSuspended()) {
      return Optional.empty();
    }
    return new Most(facts, counters, now).of(policies);
  }

  private static boolean nobodyEnforces(List<InForce> policies) {
    return policies.stream().allMatch(InForce::observes);
  }

  /** The sets of amounts that rules grant and refuse. */
  private static final class Most {
    private final SpendFacts facts;
    private final Counters counters;
    private final Instant now;
    private final AmountSet.Builder refused = new AmountSet.Builder();

    /** Whether conditions were taken for favourable, and whether they can be asked about another amount. */
    private boolean hoped;
    private boolean hopeless;

    Most(SpendFacts facts, Counters counters, Instant now) {
      this.facts = facts;
      this.counters = counters;
      this.now = now;
    }

    Optional<BigInteger> of(List<InForce> policies) {
      List<AmountSet> granted = new ArrayList<>(policies.size());
      for (var inForce : policies) {
        if (!inForce.observes()) {
          var permits = new AmountSet.Builder();
          for (var rule : inForce.rules(facts)) {
            if (rule.rule instanceof Rule.Permit) {
              grant(rule, permits);
            } else {
              refuse(rule);
            }
          }
          granted.add(permits.build());
        }
      }
      var most = largest(granted, refused.build());
      // If every hope comes true for the largest amount that could pass, it is the largest; if not, nobody knows.
      boolean known = most != null && !hopeless && (!hoped || PolicyEngine
          .decide(policies, facts.withAmount(most), counters, now).effect() == Decision.Effect.ALLOW);
      return known ? Optional.of(Objects.requireNonNull(most)) : Optional.empty();
    }

    private void grant(RuleInForce rule, AmountSet.Builder permits) {
      try {
        if (rule.matcher.matchesApartFromAmount(facts) == Matcher.Result.YES && rule.inEffect(now)) {
          speaks(rule, true, (from, to, outcome) -> {
            if (outcome == ConditionOutcome.HOLDS) {
              permits.add(from, to);
            }
          });
        }
      } catch (RuntimeException e) {
        // A permit that cannot be evaluated grants nothing.
      }
    }

    /** Adds the amounts that a rule does not let through outright. */
    private void refuse(RuleInForce rule) {
      try {
        var result = rule.matcher.matchesApartFromAmount(facts);
        if (result == Matcher.Result.NO || !rule.inEffect(now)) {
          return;
        }
        if (result != Matcher.Result.YES) {
          refused.add(least(rule), most(rule));
          return;
        }
        speaks(rule, false, (from, to, outcome) -> {
          if (outcome == ConditionOutcome.ERROR) {
            refused.add(from, to);
          } else if (outcome == ConditionOutcome.HOLDS) {
            refuse(rule, from, to);
          }
        });
      } catch (RuntimeException e) {
        // A rule that cannot be evaluated restricts wherever it could.
        refused.add(BigInteger.ONE, Amount.MAX);
      }
    }

    private void refuse(RuleInForce rule, BigInteger least, BigInteger most) {
      if (!(rule.rule instanceof Rule.Limit limit)) {
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
    }

    /** Tells for which amounts of its match the condition of a rule comes to what; {@code hope} is for what nobody can see. */
    private void speaks(RuleInForce rule, boolean hope, ConditionInForce.Ranges ranges) {
      var condition = rule.condition;
      if (condition == null) {
        ranges.add(least(rule), most(rule), ConditionOutcome.HOLDS);
        return;
      }
      var known = condition.know(facts, counters, now);
      if (condition.isSeenThrough()) {
        condition.ranges(known, facts, now, least(rule), most(rule), ranges);
        return;
      }
      hoped = true;
      hopeless |= !condition.canBeAskedAgain();
      ranges.add(least(rule), most(rule), hope ? ConditionOutcome.HOLDS : ConditionOutcome.FAILS);
    }

    private BigInteger least(RuleInForce rule) {
      return rule.matcher.leastBaseUnits(facts.asset());
    }

    private BigInteger most(RuleInForce rule) {
      return rule.matcher.mostBaseUnits(facts.asset(), Amount.MAX);
    }
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

  /**
   * The earliest time at or after {@code now} at which the same request would be allowed outright, if nothing else is spent;
   * empty where there is none, and where a condition stands in the way of which nobody knows what it will come to. After the last
   * limit without a schedule has room again, schedules are followed for
   * {@link #AHEAD_MAX} or two thousand changes. Counters are asked about {@code now} only.
   */
  public static Optional<Instant> retryAt(List<InForce> policies, SpendFacts facts, Counters counters, Instant now) {
    if (nobodyEnforces(policies) || facts.walletFrozen() || facts.agentSuspended()) {
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

    /** Rules whose condition may change with the time; taken for favourable until a time is found. */
    private final List<Hope> hopes = new ArrayList<>(0);

    /** Before this time something without a schedule refuses. */
    private Instant from;

    private record Hope(RuleInForce rule, ConditionInForce condition, ConditionInForce.Known known) {}

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
        if (!inForce.observes() && !collect(inForce)) {
          return Optional.empty();
        }
      }
      return earliest().filter(this::everyHopeComesTrue);
    }

    private Optional<Instant> earliest() {
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
      for (var rule : inForce.rules(facts)) {
        var says = says(rule);
        if (says == Says.NOTHING) {
          continue;
        }
        if (rule.rule instanceof Rule.Permit) {
          if (says != Says.ERROR) {
            granting.add(rule);
            always |= !rule.scheduled();
          }
        } else if (says != Says.PERHAPS && !obstacle(rule, says)) {
          return false;
        }
      }
      if (!always) {
        permits.add(granting);
      }
      return always || !granting.isEmpty();
    }

    /** What a rule says of the request while it is in effect. */
    private enum Says {
      NOTHING,
      SPEAKS,
      ERROR,
      /** Its condition may say one thing now and another later. */
      PERHAPS
    }

    private Says says(RuleInForce rule) {
      var result = rule.matcher.matches(facts, parts);
      if (result != Matcher.Result.YES) {
        return result == Matcher.Result.NO ? Says.NOTHING : Says.ERROR;
      }
      var condition = rule.condition;
      if (condition == null) {
        return Says.SPEAKS;
      }
      var known = condition.know(facts, counters, now);
      if (!condition.isTimeless()) {
        hopes.add(new Hope(rule, condition, known));
        return Says.PERHAPS;
      }
      return switch (condition.of(known, facts, now)) {
        case HOLDS -> Says.SPEAKS;
        case FAILS -> Says.NOTHING;
        case ERROR -> Says.ERROR;
      };
    }

    /** Whether what was hoped of conditions is so at a time: then it is the earliest, since only hopes were in favour. */
    private boolean everyHopeComesTrue(Instant time) {
      for (var hope : hopes) {
        if (!hope.rule.inEffect(time)) {
          continue;
        }
        if (!time.equals(now) && !hope.condition.canBeAskedLater()) {
          return false;
        }
        var wanted = hope.rule.rule instanceof Rule.Permit ? ConditionOutcome.HOLDS : ConditionOutcome.FAILS;
        if (hope.condition.of(hope.known, facts, time) != wanted) {
          return false;
        }
      }
      return true;
    }

    /** Notes a rule that is no permit; false where it always refuses. */
    private boolean obstacle(RuleInForce rule, Says says) {
      Instant until = null;
      if (says == Says.SPEAKS && rule.rule instanceof Rule.Limit limit) {
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
