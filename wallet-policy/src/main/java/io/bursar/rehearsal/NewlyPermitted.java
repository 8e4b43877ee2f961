package io.bursar.rehearsal;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.stream.Stream;

import org.jspecify.annotations.Nullable;

import io.bursar.money.Amount;
import io.bursar.money.Asset;
import io.bursar.policy.Decision.Effect;
import io.bursar.policy.Policy;
import io.bursar.policy.PolicyEngine;
import io.bursar.policy.Rule;
import io.bursar.policy.TimeSpan;
import io.bursar.spend.SpendFacts;

/**
 * What one policy lets through that another does not, for a wallet that has never spent: every kind of request that either
 * tells apart, at every amount and time at which one of them changes its mind, is decided by both.
 */
public final class NewlyPermitted {
  /** The most pairs of decisions, for two policies of ten rules; fewer for larger ones. */
  static final int DECISIONS_MAX = 400_000;

  private static final Instant FIRST = Instant.parse("2026-01-01T00:00:00Z");
  private static final int TIMES_MAX = 40;

  /** A request that is decided more freely, with both decisions. */
  public record Example(SpendFacts facts, Instant at, Effect before, Effect after) {}

  /**
   * What was found.
   *
   * @param examples one for each kind of change, the freest first
   * @param complete whether every kind of request was looked at; never so with conditions, nor with
   *        schedules, of which only the first few changes are
   */
  public record Found(List<Example> examples, boolean complete) {}

  private NewlyPermitted() {}

  /**
   * Compares two policies.
   *
   * @throws IllegalArgumentException if they tell apart too many kinds of requests
   */
  public static Found of(Policy before, Policy after, Policy.Target attachedTo, List<Asset> assets) {
    var rules = Stream.concat(before.rules().stream(), after.rules().stream()).toList();
    var first = List.of(new Policy.InForce(new UUID(0, 1), before, attachedTo));
    var second = List.of(new Policy.InForce(new UUID(0, 1), after, attachedTo));
    var counters = new Analysis.Untouched();
    Map<String, Example> examples = new LinkedHashMap<>();
    long decisions = 0;
    long most = DECISIONS_MAX * 20L / Math.max(20, rules.size());
    boolean complete = rules.stream()
        .allMatch(rule -> rule.schedule().equals(Rule.Schedule.ALWAYS) && rule.when() == null);
    var times = times(rules);
    Map<Asset, Set<BigInteger>> amounts = new HashMap<>();
    try {
      all : for (var one : RequestClasses.of(rules, assets).stream().flatMap(List::stream).toList()) {
        for (var amount : amounts.computeIfAbsent(one.representative().asset(), asset -> amounts(rules, asset))) {
          for (var at : times) {
            if (decisions++ >= most) {
              complete = false;
              break all;
            }
            var facts = one.representative().withAmount(amount);
            var then = PolicyEngine.decide(first, facts, counters, at).effect();
            var now = PolicyEngine.decide(second, facts, counters, at).effect();
            if (now.compareTo(then) < 0) {
              examples.putIfAbsent(then + " " + now, new Example(facts, at, then, now));
            }
          }
        }
      }
    } catch (RequestClasses.TooMany e) {
      throw new IllegalArgumentException(e.getMessage(), e);
    }
    return new Found(examples.values().stream()
        .sorted(Comparator.comparing(Example::after).thenComparing(Example::before, Comparator.reverseOrder()))
        .toList(),
        complete);
  }

  /** Every amount at which some rule changes what it says of an asset, and its neighbours. */
  private static Set<BigInteger> amounts(List<Rule> rules, Asset asset) {
    Set<BigInteger> amounts = new TreeSet<>(Set.of(BigInteger.ONE, Amount.MAX));
    for (var rule : rules) {
      var range = rule.match().amount();
      if (range != null) {
        add(range.from(), asset, amounts);
        add(range.to(), asset, amounts);
        add(range.above(), asset, amounts);
      }
      var when = rule.when();
      var compared = when == null ? null : when.condition().reads().amounts();
      if (compared != null) {
        compared.forEach(amount -> add(amount, asset, amounts));
      }
      if (rule instanceof Rule.Limit limit) {
        add(limit.min(), asset, amounts);
        add(limit.max(), asset, amounts);
      }
    }
    return amounts;
  }

  private static void add(@Nullable BigDecimal units, Asset asset, Set<BigInteger> amounts) {
    if (units != null) {
      var base = units.setScale(asset.decimals(), RoundingMode.FLOOR).unscaledValue();
      for (int off = -1; off <= 1; off++) {
        var amount = base.add(BigInteger.valueOf(off));
        if (amount.signum() > 0 && amount.compareTo(Amount.MAX) <= 0) {
          amounts.add(amount);
        }
      }
    }
  }

  /** Times at which schedules change. */
  private static List<Instant> times(List<Rule> rules) {
    Set<Instant> times = new TreeSet<>(Set.of(FIRST));
    var spans = rules.stream().map(Rule::schedule).flatMap(schedule -> Stream.of(schedule.active(), schedule.unless()))
        .filter(java.util.Objects::nonNull).map(TimeSpan.class::cast).distinct().toList();
    for (var span : spans) {
      var at = FIRST;
      for (int i = 0; i < 6; i++) {
        at = span.nextBoundary(at);
        times.add(at);
      }
    }
    List<Instant> list = new ArrayList<>(times);
    return list.size() > TIMES_MAX ? list.subList(0, TIMES_MAX) : list;
  }
}
