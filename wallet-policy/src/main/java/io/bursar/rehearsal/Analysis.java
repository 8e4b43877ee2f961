package io.bursar.rehearsal;

import java.math.BigInteger;
import java.math.RoundingMode;
import java.time.Duration;
import java.time.Instant;
import java.time.zone.ZoneOffsetTransitionRule;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.money.Amount;
import io.bursar.money.Asset;
import io.bursar.policy.Counter;
import io.bursar.policy.Counters;
import io.bursar.policy.Headroom;
import io.bursar.policy.Policy;
import io.bursar.policy.Policy.InForce;
import io.bursar.policy.Rule;
import io.bursar.policy.Window;
import io.bursar.rehearsal.RequestClasses.RequestClass;

/**
 * What follows from the rules of a policy alone: the most that can leave one wallet in one spend and in any hour, day and thirty
 * days, without approvers and with them.
 *
 * <p>The requests that the rules can tell apart are enumerated, one for each class. The most of one spend is the engine's own
 * answer for a wallet that has never spent. For a stretch of time, each limit gives what all spends that it counts can come to
 * (its maximum, times how often its window can be filled within that stretch, times how many counts it keeps apart), and limits
 * that together count every class that is permitted bound the whole. The least such bound is taken. It is never below what
 * can happen; where limits on different spends interact, it may be above.
 *
 * <p>Schedules and conditions are taken at their most generous: a permit as if it always spoke, and what restricts only at
 * times or only under a condition as if it never did. A policy that observes is looked at as if it had a say. Nothing is said about more wallets than one.
 */
public final class Analysis {
  static final Instant ANY_TIME = Instant.parse("2026-01-01T00:00:00Z");

  /** The most classes of requests times rules. */
  private static final long WORK_MAX = 2_000_000;

  /** The stretches of time that are looked at, by name. */
  public static final Map<String, Duration> STRETCHES = stretches();

  /**
   * The most that can leave of one currency, or of an asset without one; units, absent where nothing bounds it.
   *
   * @param spend in one spend
   * @param within in any stretch of time, by the name of the stretch
   */
  public record Most(Optional<BigInteger> spend, Map<String, Optional<BigInteger>> within) {}

  /**
   * What the most is of, in parts of 10^-18 of a unit.
   *
   * @param unit a currency, or the symbol of an asset that has none
   */
  public record Bound(String unit, Most withoutApprovers, Most withApprovers) {}

  private Analysis() {}

  private static Map<String, Duration> stretches() {
    var stretches = new LinkedHashMap<String, Duration>();
    stretches.put("hour", Duration.ofHours(1));
    stretches.put("day", Duration.ofDays(1));
    stretches.put("thirtyDays", Duration.ofDays(30));
    return java.util.Collections.unmodifiableMap(stretches);
  }

  /**
   * The bounds of a policy.
   *
   * @param attachedTo what it is or would be attached to, which limits without {@code per} count by
   * @param assets that are registered
   * @throws IllegalArgumentException if the policy tells apart too many kinds of requests
   */
  public static List<Bound> bounds(Policy policy, Policy.Target attachedTo, List<Asset> assets) {
    List<List<RequestClass>> lists;
    try {
      lists = RequestClasses.of(policy.rules(), assets);
      RequestClasses.refuseTooMany(lists.stream().mapToLong(List::size).sum(), policy.rules().size(), WORK_MAX);
    } catch (RequestClasses.TooMany e) {
      throw new IllegalArgumentException(e.getMessage(), e);
    }
    Map<String, Bound> bounds = new TreeMap<>();
    for (var classes : lists) {
      Map<String, List<RequestClass>> byUnit = new TreeMap<>();
      classes.forEach(each -> byUnit.computeIfAbsent(unit(each), unit -> new ArrayList<>()).add(each));
      byUnit.forEach((unit, ofUnit) -> bounds.merge(unit, new Bound(unit, most(policy, attachedTo, ofUnit, false),
          most(policy, attachedTo, ofUnit, true)), Analysis::larger));
    }
    return List.copyOf(bounds.values());
  }

  private static String unit(RequestClass each) {
    var asset = each.representative().asset();
    return asset.currency() == null ? asset.symbol() : asset.currency();
  }

  private static Bound larger(Bound first, Bound second) {
    return new Bound(first.unit(), larger(first.withoutApprovers(), second.withoutApprovers()),
        larger(first.withApprovers(), second.withApprovers()));
  }

  private static Most larger(Most first, Most second) {
    var within = new LinkedHashMap<String, Optional<BigInteger>>();
    first.within().forEach(
        (name, bound) -> within.put(name, larger(bound, java.util.Objects.requireNonNull(second.within().get(name)))));
    return new Most(larger(first.spend(), second.spend()), within);
  }

  private static Optional<BigInteger> larger(Optional<BigInteger> first, Optional<BigInteger> second) {
    return first.isEmpty() || second.isEmpty() ? Optional.empty() : Optional.of(first.get().max(second.get()));
  }

  /** The policy at its most generous: without what restricts at times only, and without approvals where people will agree. */
  static InForce generous(Policy policy, Policy.Target attachedTo, boolean approved) {
    List<Rule> rules = new ArrayList<>();
    for (var rule : policy.rules()) {
      boolean always = rule.schedule().equals(Rule.Schedule.ALWAYS) && rule.when() == null;
      switch (rule) {
        case Rule.Permit permit -> rules.add(new Rule.Permit(permit.id(), permit.match(), Rule.Schedule.ALWAYS));
        case Rule.Approval approval -> {
          if (always && !approved) {
            rules.add(approval);
          }
        }
        case Rule.Limit limit -> {
          if (always) {
            rules.add(limit);
          }
        }
        case Rule.Deny deny -> {
          if (always) {
            rules.add(deny);
          }
        }
      }
    }
    return new InForce(new UUID(0, 0), new Policy(policy.name(), rules, policy.version()), attachedTo);
  }

  private static Most most(Policy policy, Policy.Target attachedTo, List<RequestClass> classes, boolean approved) {
    var generous = generous(policy, attachedTo, approved);
    Map<RequestClass, BigInteger> each = new LinkedHashMap<>();
    for (var one : classes) {
      Headroom.maxAmountNow(List.of(generous), one.representative(), new Untouched(), ANY_TIME)
          .ifPresent(units -> each.put(one, parts(one.representative().asset(), units)));
    }
    var spend = Optional.of(each.values().stream().max(BigInteger::compareTo).orElse(BigInteger.ZERO));
    var within = new LinkedHashMap<String, Optional<BigInteger>>();
    STRETCHES.forEach((name, stretch) -> within.put(name, within(generous, each, stretch).filter(Analysis::isBound)));
    return new Most(spend.filter(Analysis::isBound), within);
  }

  /** What a token can hold at all bounds nothing. */
  private static boolean isBound(BigInteger parts) {
    return parts.bitLength() < Amount.MAX.bitLength() - 8;
  }

  /** What a limit bounds within a stretch: all of these classes together come to at most so much. */
  private record Cap(Set<RequestClass> classes, BigInteger most) {}

  /** The least sum of caps that together take in every class, found greedily; empty where some class is in none. */
  static Optional<BigInteger> within(InForce policy, Map<RequestClass, BigInteger> each, Duration stretch) {
    List<Cap> caps = new ArrayList<>();
    for (var rule : policy.policy().rules()) {
      if (rule instanceof Rule.Limit limit) {
        caps.addAll(caps(limit, policy.attachedTo(), each, stretch));
      }
    }
    var best = caps.stream().filter(cap -> cap.classes().containsAll(each.keySet())).map(Cap::most)
        .min(BigInteger::compareTo);
    return smaller(best, cover(caps, each.keySet()));
  }

  private static Optional<BigInteger> smaller(Optional<BigInteger> first, Optional<BigInteger> second) {
    return first.isEmpty() ? second : second.isEmpty() ? first : Optional.of(first.get().min(second.get()));
  }

  private static Optional<BigInteger> cover(List<Cap> caps, Set<RequestClass> classes) {
    var left = new HashSet<>(classes);
    var sum = BigInteger.ZERO;
    while (!left.isEmpty()) {
      Cap best = null;
      long bestNew = 0;
      for (var cap : caps) {
        long more = left.stream().filter(cap.classes()::contains).count();
        // The cap that costs least for each class that it adds.
        if (more > 0 && (best == null || cap.most().multiply(BigInteger.valueOf(bestNew))
            .compareTo(best.most().multiply(BigInteger.valueOf(more))) < 0)) {
          best = cap;
          bestNew = more;
        }
      }
      if (best == null) {
        return Optional.empty();
      }
      left.removeAll(best.classes());
      sum = sum.add(best.most());
    }
    return Optional.of(sum);
  }

  /** The caps that a limit sets: one for each group of classes whose counts it keeps apart for sure, or one for all. */
  private static List<Cap> caps(Rule.Limit limit, Policy.Target attachedTo, Map<RequestClass, BigInteger> each,
      Duration stretch) {
    if (limit.window() instanceof Window.Spend) {
      return List.of();
    }
    var counts = new LimitReach(limit, attachedTo);
    long times = fillings(limit.window(), stretch);
    Map<List<Object>, Set<RequestClass>> groups = new HashMap<>();
    Map<List<Object>, BigInteger> keys = new HashMap<>();
    for (var one : each.keySet()) {
      var number = counts.takes(one) ? counts.keys(one) : Optional.<BigInteger>empty();
      if (number.isPresent()) {
        var group = counts.group(one);
        groups.computeIfAbsent(group, key -> new HashSet<>()).add(one);
        keys.merge(group, number.get(), BigInteger::max);
      }
    }
    List<Cap> caps = new ArrayList<>();
    groups.forEach((group, classes) -> {
      var fills = BigInteger.valueOf(times).multiply(java.util.Objects.requireNonNull(keys.get(group)));
      if (limit.max() != null) {
        caps.add(new Cap(classes, limit.max().setScale(Asset.DECIMALS_MAX, RoundingMode.FLOOR).unscaledValue()
            .multiply(fills)));
      }
      if (limit.maxCount() != null) {
        var largest = classes.stream().map(each::get).max(BigInteger::compareTo).orElse(BigInteger.ZERO);
        boolean bounded = classes.stream()
            .noneMatch(one -> parts(one.representative().asset(), Amount.MAX).equals(each.get(one)));
        if (bounded) {
          caps.add(new Cap(classes, BigInteger.valueOf(limit.maxCount()).multiply(fills).multiply(largest)));
        }
      }
    });
    if (caps.size() > 1) {
      caps.add(new Cap(groups.values().stream().flatMap(Set::stream).collect(java.util.stream.Collectors.toSet()),
          sumOf(limit, groups, keys, each, times)));
    }
    return caps;
  }

  /** What all groups of a limit come to together, by its tighter bound in each. */
  private static BigInteger sumOf(Rule.Limit limit, Map<List<Object>, Set<RequestClass>> groups,
      Map<List<Object>, BigInteger> keys, Map<RequestClass, BigInteger> each, long times) {
    var sum = BigInteger.ZERO;
    for (var group : groups.entrySet()) {
      var fills = BigInteger.valueOf(times).multiply(java.util.Objects.requireNonNull(keys.get(group.getKey())));
      var largest = group.getValue().stream().map(each::get).max(BigInteger::compareTo).orElse(BigInteger.ZERO);
      var byCount = limit.maxCount() == null
          ? null
          : BigInteger.valueOf(limit.maxCount()).multiply(largest);
      var byAmount = limit.max() == null
          ? null
          : limit.max().setScale(Asset.DECIMALS_MAX, RoundingMode.FLOOR).unscaledValue();
      var least = byCount == null ? byAmount : byAmount == null ? byCount : byAmount.min(byCount);
      sum = sum.add(fills.multiply(java.util.Objects.requireNonNull(least)));
    }
    return sum;
  }

  /**
   * How often a window can be filled anew within a stretch of time that may begin at any moment. A rolling window has room
   * again no sooner than its length later; a calendar period begins with nothing, and the stretch may begin at the end of one.
   */
  static long fillings(Window window, Duration stretch) {
    return switch (window) {
      case Window.Spend spend -> Long.MAX_VALUE;
      case Window.Lifetime lifetime -> 1;
      case Window.Rolling rolling -> ceiling(stretch.toSeconds(), rolling.seconds());
      case Window.Calendar calendar -> {
        // The stretch touches the last moment of one period, then whole ones, then the first of another.
        long shorter = shorter(calendar);
        yield switch (calendar.unit()) {
          case HOUR -> ceiling(stretch.toSeconds() + (shorter % 3_600 == 0 ? 0 : shorter), 3_600) + 1;
          case DAY -> ceiling(stretch.toSeconds() + shorter, 86_400) + 1;
          case WEEK -> ceiling(stretch.toSeconds() + shorter, 604_800) + 1;
          case MONTH -> ceiling(stretch.toSeconds() + shorter, 28 * 86_400) + 1;
        };
      }
    };
  }

  /** By how much the clocks of a zone can cut a period short, in seconds. */
  private static long shorter(Window.Calendar calendar) {
    var rules = calendar.zone().getRules();
    return rules.isFixedOffset()
        ? 0
        : rules.getTransitionRules().stream().mapToLong(Analysis::gap).max().orElse(0);
  }

  private static long gap(ZoneOffsetTransitionRule rule) {
    return Math.max(0, rule.getOffsetAfter().getTotalSeconds() - rule.getOffsetBefore().getTotalSeconds());
  }

  private static long ceiling(long dividend, long divisor) {
    return Math.ceilDiv(dividend, divisor);
  }

  static BigInteger parts(Asset asset, BigInteger units) {
    return units.multiply(BigInteger.TEN.pow(Asset.DECIMALS_MAX - asset.decimals()));
  }

  /** Counters of a wallet that has never spent. */
  static final class Untouched implements Counters {
    @Override
    public Usage usage(Counter counter, long key, Window window, Instant now) {
      return Usage.NONE;
    }

    @Override
    public Optional<Instant> fitsAt(Counter counter, long key, Window window, Instant now, BigInteger sumMax,
        long countMax) {
      return sumMax.signum() < 0 || countMax < 0 ? Optional.empty() : Optional.of(now);
    }
  }

  /** What a limit counts of a class, and how many counts it keeps for it. */
  private static final class LimitReach {
    private final Rule.Limit limit;
    private final @Nullable Counter counter;

    LimitReach(Rule.Limit limit, Policy.Target attachedTo) {
      this.limit = limit;
      this.counter = io.bursar.policy.PolicyEngine
          .counted(new Policy("limit", List.of(limit), ""), attachedTo).stream()
          .map(io.bursar.policy.PolicyEngine.Counted::counter).findFirst().orElse(null);
    }

    /** Whether every spend of the class is counted, whatever its amount. */
    boolean takes(RequestClass one) {
      return counter != null && limit.match().amount() == null && counter.counts(one.representative());
    }

    /** How many counts the class's spends are spread over; empty for any number. */
    Optional<BigInteger> keys(RequestClass one) {
      var number = BigInteger.ONE;
      for (var dimension : limit.per()) {
        var different = switch (dimension) {
          case TENANT, AGENT, WALLET -> Integer.valueOf(1);
          case PAYEE -> one.payees();
          case HOST -> one.hosts();
          case CATEGORY -> one.categories();
        };
        if (different == null) {
          return Optional.empty();
        }
        number = number.multiply(BigInteger.valueOf(different));
      }
      return Optional.of(number);
    }

    /** Classes with the same group share their counts; those of different groups do not. */
    List<Object> group(RequestClass one) {
      List<Object> group = new ArrayList<>();
      var facts = one.representative();
      for (var dimension : limit.per()) {
        switch (dimension) {
          case TENANT, AGENT, WALLET -> {
          }
          case PAYEE -> group.add(facts.payee());
          case HOST -> group.add("host " + facts.host());
          case CATEGORY -> group.add("category " + facts.category());
        }
      }
      return group;
    }
  }
}
