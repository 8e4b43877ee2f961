package io.bursar.policy;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

import org.jspecify.annotations.Nullable;

import io.bursar.money.Asset;
import io.bursar.policy.Decision.ConditionOutcome;
import io.bursar.policy.Decision.ConditionReading;
import io.bursar.spend.SpendFacts;

/**
 * The condition of a rule of a policy that is attached to something.
 *
 * <p>A condition that looks at the amount only to compare it with fixed amounts {@code t1 < … < tn} comes to the same for all
 * amounts of a region, of which there are {@code 2n + 1}: below {@code t1}, at {@code t1}, between {@code t1} and {@code t2},
 * and so on. One that reads the agent's words is asked once for each region, and that is what the record holds: it suffices to
 * decide again, and to say again which other amount would have passed, when the words are gone.
 */
final class ConditionInForce {
  /** Beyond as many fixed amounts a condition counts as one that nobody can see through. */
  private static final int REGIONS_MAX = 33;

  private final RuleInForce rule;
  private final Policy.Target attachedTo;
  private final Condition condition;
  private final boolean text;
  private final boolean timeless;
  private final Map<String, RuleInForce> limits = new HashMap<>();

  /** Where the answer can change with the amount, in units; null where nobody can say. */
  private final @Nullable List<BigDecimal> amounts;

  ConditionInForce(RuleInForce rule, Condition condition, RuleInForce[] rules, Policy.Target attachedTo) {
    this.rule = rule;
    this.condition = condition;
    this.attachedTo = attachedTo;
    var reads = condition.reads();
    this.text = reads.text();
    this.timeless = reads.timeless();
    this.amounts = reads.amounts() == null || 2 * reads.amounts().size() + 1 > REGIONS_MAX ? null : reads.amounts();
    for (var other : rules) {
      if (reads.limits().contains(other.rule.id()) && other.bounds != null && other.bounds.counter() != null) {
        limits.put(other.rule.id(), other);
      }
    }
  }

  /**
   * What the condition needs beside the facts and the time.
   *
   * @param outcomes by region, or the only one; empty for a condition that does not read the agent's words
   * @param spent in parts of 10^-18; without the limits that could not be read
   * @param units the same in units
   */
  record Known(List<ConditionOutcome> outcomes, Map<String, BigInteger> spent, Map<String, BigDecimal> units) {
    private static final Known NOTHING = new Known(List.of(), Map.of(), Map.of());
  }

  /** The limits whose use it reads. */
  Iterable<RuleInForce> limits() {
    return limits.values();
  }

  /** Whether it reads what stands nowhere else in the record. */
  boolean isRecorded() {
    return text || !limits.isEmpty();
  }

  /** Whether its answer for one request is the same at all times. */
  boolean isTimeless() {
    return timeless;
  }

  /** Whether it is known for all amounts what it comes to. */
  boolean isSeenThrough() {
    return amounts != null;
  }

  /** Whether it can be asked about another amount or time than those of the request: the agent's words may be gone. */
  boolean canBeAskedAgain() {
    return !text;
  }

  /** Whether it can be asked about another time: nobody knows what will have been spent by then. */
  boolean canBeAskedLater() {
    return !text && limits.isEmpty();
  }

  Known know(SpendFacts facts, Counters counters, Instant now) {
    if (!isRecorded()) {
      return Known.NOTHING;
    }
    var recorded = counters.recorded();
    if (recorded != null) {
      return recorded(recorded);
    }
    Map<String, BigInteger> spent = new HashMap<>();
    limits.forEach((id, limit) -> {
      try {
        spent.put(id, sum(limit, facts, counters, now));
      } catch (RuntimeException e) {
        // What cannot be read is missing to the condition, which then cannot be evaluated.
      }
    });
    var units = units(spent);
    return new Known(text ? outcomes(facts, now, units) : List.of(), spent, units);
  }

  private Known recorded(Counters.Recorded recorded) {
    try {
      var reading = recorded.of(rule.policyId, attachedTo, rule.rule.id());
      return new Known(reading.outcomes(), reading.spent(), units(reading.spent()));
    } catch (RuntimeException e) {
      return Known.NOTHING;
    }
  }

  private static BigInteger sum(RuleInForce limit, SpendFacts facts, Counters counters, Instant now) {
    var bounds = java.util.Objects.requireNonNull(limit.bounds);
    var counter = java.util.Objects.requireNonNull(bounds.counter());
    return RuleInForce.usage(counters, counter, counter.key(facts), ((Rule.Limit) limit.rule).window(), now).sum();
  }

  private static Map<String, BigDecimal> units(Map<String, BigInteger> spent) {
    Map<String, BigDecimal> units = new HashMap<>();
    spent.forEach((id, sum) -> units.put(id, new BigDecimal(sum, Asset.DECIMALS_MAX)));
    return units;
  }

  ConditionReading reading(Known known) {
    return new ConditionReading(rule.policyId, attachedTo, rule.rule.id(), known.outcomes, known.spent);
  }

  /**
   * What it comes to for the request's own amount.
   *
   * @param now the time of {@code known}, or another where it {@link #canBeAskedLater}
   */
  ConditionOutcome of(Known known, SpendFacts facts, Instant now) {
    return of(known, facts, units(facts.amount(), facts), now);
  }

  /** As {@link #of(Known, SpendFacts, Instant)}, for another amount. */
  ConditionOutcome of(Known known, SpendFacts facts, BigDecimal amount, Instant time) {
    if (!text) {
      return evaluate(facts, amount, time, known.units);
    }
    int region = amounts == null ? 0 : region(amounts, amount);
    return region < known.outcomes.size() ? known.outcomes.get(region) : ConditionOutcome.ERROR;
  }

  private ConditionOutcome evaluate(SpendFacts facts, BigDecimal amount, Instant now, Map<String, BigDecimal> spent) {
    try {
      return condition.holds(new Condition.Inputs(facts, amount, now, spent))
          ? ConditionOutcome.HOLDS
          : ConditionOutcome.FAILS;
    } catch (RuntimeException e) {
      // Which error it was is not for the record: a library's words may change, and a replay must not.
      return ConditionOutcome.ERROR;
    }
  }

  private List<ConditionOutcome> outcomes(SpendFacts facts, Instant now, Map<String, BigDecimal> spent) {
    if (amounts == null) {
      return List.of(evaluate(facts, units(facts.amount(), facts), now, spent));
    }
    List<ConditionOutcome> outcomes = new ArrayList<>(2 * amounts.size() + 1);
    for (int region = 0; region <= 2 * amounts.size(); region++) {
      outcomes.add(evaluate(facts, within(amounts, region, facts), now, spent));
    }
    return outcomes;
  }

  private static BigDecimal units(BigInteger baseUnits, SpendFacts facts) {
    return new BigDecimal(baseUnits, facts.asset().decimals());
  }

  private static int region(List<BigDecimal> amounts, BigDecimal amount) {
    for (int i = 0; i < amounts.size(); i++) {
      int order = amount.compareTo(amounts.get(i));
      if (order <= 0) {
        return order < 0 ? 2 * i : 2 * i + 1;
      }
    }
    return 2 * amounts.size();
  }

  /** Some amount of a region; any will do. */
  private static BigDecimal within(List<BigDecimal> amounts, int region, SpendFacts facts) {
    if (amounts.isEmpty()) {
      return units(facts.amount(), facts);
    }
    int i = region / 2;
    if (region % 2 == 1) {
      return amounts.get(i);
    }
    if (i == 0) {
      return amounts.getFirst().subtract(BigDecimal.ONE);
    }
    return i == amounts.size()
        ? amounts.getLast().add(BigDecimal.ONE)
        : amounts.get(i - 1).add(amounts.get(i)).divide(BigDecimal.TWO);
  }

  /** Is told of a range of base units, both ends included, and what the condition comes to within. */
  interface Ranges {
    void add(BigInteger from, BigInteger to, ConditionOutcome outcome);
  }

  /** Tells what it comes to for all amounts from one to another; only where it is seen through. */
  void ranges(Known known, SpendFacts facts, Instant now, BigInteger least, BigInteger most, Ranges ranges) {
    var bounds = java.util.Objects.requireNonNull(amounts);
    for (int region = 0; region <= 2 * bounds.size(); region++) {
      int i = region / 2;
      var from = least;
      var to = most;
      if (region % 2 == 1) {
        from = from.max(baseUnits(bounds.get(i), facts, RoundingMode.CEILING));
        to = to.min(baseUnits(bounds.get(i), facts, RoundingMode.FLOOR));
      } else {
        if (i > 0) {
          from = from.max(baseUnits(bounds.get(i - 1), facts, RoundingMode.FLOOR).add(BigInteger.ONE));
        }
        if (i < bounds.size()) {
          to = to.min(baseUnits(bounds.get(i), facts, RoundingMode.CEILING).subtract(BigInteger.ONE));
        }
      }
      if (from.compareTo(to) <= 0) {
        ranges.add(from, to, of(known, facts, units(from, facts), now));
      }
    }
  }

  private static BigInteger baseUnits(BigDecimal units, SpendFacts facts, RoundingMode rounding) {
    return units.scaleByPowerOfTen(facts.asset().decimals()).setScale(0, rounding).unscaledValue();
  }
}
