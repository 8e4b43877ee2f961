package io.bursar.rehearsal;

import java.math.BigInteger;
import java.math.RoundingMode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

import org.jspecify.annotations.Nullable;

import io.bursar.money.Asset;
import io.bursar.policy.Counter;
import io.bursar.policy.Headroom;
import io.bursar.policy.Match;
import io.bursar.policy.Policy;
import io.bursar.policy.Rule;
import io.bursar.policy.Window;
import io.bursar.rehearsal.RequestClasses.RequestClass;

/**
 * Finds rules of a policy that never matter: without them, no request of any wallet would ever be decided to another effect. What
 * is found is so; what is not found may still never matter.
 */
public final class IdleRules {
  /**
   * A rule that never matters.
   *
   * @param index of the rule in its policy
   */
  public record Idle(int index, String rule, String why) {}

  /** The most classes of requests times rules, each of which is tried against all others. */
  private static final long WORK_MAX = 1_000_000;

  private final Policy.Target attachedTo;
  private final Policy policy;
  private final List<Asset> assets;

  private IdleRules(Policy policy, Policy.Target attachedTo, List<Asset> assets) {
    this.policy = policy;
    this.attachedTo = attachedTo;
    this.assets = assets;
  }

  /**
   * The rules that never matter; of several that stand in for each other, all but the first.
   *
   * @throws IllegalArgumentException if the policy tells apart too many kinds of requests
   */
  public static List<Idle> of(Policy policy, Policy.Target attachedTo, List<Asset> assets) {
    try {
      return new IdleRules(policy, attachedTo, assets).find();
    } catch (RequestClasses.TooMany e) {
      throw new IllegalArgumentException(e.getMessage(), e);
    }
  }

  private List<Idle> find() {
    var classes = RequestClasses.of(policy.rules(), assets).stream().flatMap(List::stream).toList();
    long rules = policy.rules().size();
    RequestClasses.refuseTooMany(classes.size(), rules * rules, WORK_MAX);
    List<Idle> idle = new ArrayList<>();
    List<Rule> rest = new ArrayList<>(policy.rules());
    for (int i = policy.rules().size() - 1; i >= 0; i--) {
      var rule = policy.rules().get(i);
      var others = new ArrayList<>(rest);
      others.remove(rule);
      var why = isReadByConditions(rule) ? Optional.<String>empty() : why(rule, others, classes);
      if (why.isPresent()) {
        idle.addFirst(new Idle(i, rule.id(), why.get()));
        rest = others;
      }
    }
    return idle;
  }

  /** Whether a condition looks at what a limit counts. */
  private boolean isReadByConditions(Rule rule) {
    return policy.rules().stream().map(Rule::when).anyMatch(
        when -> when != null && when.condition().reads().limits().contains(rule.id()));
  }

  private Optional<String> why(Rule rule, List<Rule> others, List<RequestClass> classes) {
    var counter = Counter.of(whatever(rule.match()), Set.of(Counter.Dimension.WALLET), Counter.Unit.NONE,
        Optional.empty());
    var seen = classes.stream().filter(one -> counter.counts(one.representative())).toList();
    if (seen.isEmpty()) {
      return Optional.of("no request can match it");
    }
    if (rule instanceof Rule.Permit permit) {
      return granted(permit, others, seen)
          ? Optional.of("other rules permit or refuse all that it permits")
          : Optional.empty();
    }
    var each = permitted(others, seen);
    if (each.isEmpty()) {
      return Optional.of("nothing that it looks at is permitted anyway");
    }
    if (each.keySet().stream().anyMatch(one -> isLacking(rule.match(), one))) {
      return Optional.empty(); // it restricts what does not name a host or category
    }
    var least = least(rule.match());
    if (least != null && each.values().stream().allMatch(most -> most.compareTo(least) < 0)) {
      return Optional.of("no amount that it looks at is permitted anyway");
    }
    return switch (rule) {
      case Rule.Limit limit -> limit(limit, others, each);
      case Rule.Permit permit -> Optional.empty();
      case Rule.Approval approval -> Optional.empty();
      case Rule.Deny deny -> Optional.empty();
    };
  }

  /** Whether the other rules already settle every class that a permit grants. */
  private boolean granted(Rule.Permit permit, List<Rule> others, List<RequestClass> seen) {
    for (var one : seen) {
      boolean by = others.stream().anyMatch(rule -> rule instanceof Rule.Permit other
          && other.schedule().equals(Rule.Schedule.ALWAYS) && other.when() == null && grants(other, one)
          && (other.match().amount() == null || other.match().amount().equals(permit.match().amount())));
      var with = new ArrayList<>(others);
      with.add(permit);
      if (!by && !permitted(with, List.of(one)).isEmpty()) {
        return false;
      }
    }
    return true;
  }

  private static boolean grants(Rule.Permit permit, RequestClass one) {
    var facts = one.representative();
    var match = permit.match();
    return !isLacking(match, one)
        && Counter.of(whatever(match), Set.of(Counter.Dimension.WALLET), Counter.Unit.NONE, Optional.empty())
            .counts(facts);
  }

  private static boolean isLacking(Match match, RequestClass one) {
    var facts = one.representative();
    return (match.hosts() != null && facts.host() == null) || (match.categories() != null && facts.category() == null);
  }

  private Optional<String> limit(Rule.Limit limit, List<Rule> others, Map<RequestClass, BigInteger> each) {
    if (limit.min() != null && limit.min().signum() > 0) {
      return Optional.empty();
    }
    if (limit.window() instanceof Window.Spend) {
      var max = limit.max();
      var parts = max == null ? null : max.setScale(Asset.DECIMALS_MAX, RoundingMode.FLOOR).unscaledValue();
      return parts != null && each.values().stream().allMatch(most -> most.compareTo(parts) <= 0)
          ? Optional.of("nothing larger than its maximum is permitted anyway")
          : Optional.empty();
    }
    boolean ofOneWallet = limit.per().contains(Counter.Dimension.WALLET)
        || (limit.per().isEmpty() && attachedTo == Policy.Target.WALLET);
    if (limit.maxCount() != null || limit.max() == null || !ofOneWallet) {
      return Optional.empty();
    }
    var bound = Analysis.within(Analysis.generous(policy(others), attachedTo, true), each, longest(limit.window()));
    var max = limit.max().setScale(Asset.DECIMALS_MAX, RoundingMode.FLOOR).unscaledValue();
    return bound.isPresent() && bound.get().compareTo(max) <= 0
        ? Optional.of("other limits never let through as much")
        : Optional.empty();
  }

  /** A stretch that is no shorter than what the window counts. */
  private static Duration longest(Window window) {
    return switch (window) {
      case Window.Spend spend -> Duration.ZERO;
      case Window.Rolling rolling -> rolling.length().plusSeconds(rolling.fineSeconds());
      case Window.Calendar calendar -> switch (calendar.unit()) {
        case HOUR -> Duration.ofHours(3);
        case DAY -> Duration.ofHours(27);
        case WEEK -> Duration.ofHours(7 * 24 + 3);
        case MONTH -> Duration.ofHours(31 * 24 + 3);
      };
      case Window.Lifetime lifetime -> Duration.ofDays(36_500);
    };
  }

  private Map<RequestClass, BigInteger> permitted(List<Rule> rules, List<RequestClass> classes) {
    var generous = Analysis.generous(policy(rules), attachedTo, true);
    Map<RequestClass, BigInteger> each = new LinkedHashMap<>();
    for (var one : classes) {
      Headroom.maxAmountNow(List.of(generous), one.representative(), new Analysis.Untouched(), Analysis.ANY_TIME)
          .ifPresent(units -> each.put(one, Analysis.parts(one.representative().asset(), units)));
    }
    return each;
  }

  private Policy policy(List<Rule> rules) {
    return new Policy(policy.name(), rules, policy.version());
  }

  /** The least amount that a match looks at, in parts; null where it looks at any. */
  private static @Nullable BigInteger least(Match match) {
    var amount = match.amount();
    var least = amount == null ? null : amount.above() != null ? amount.above() : amount.from();
    return least == null
        ? null
        : least.setScale(Asset.DECIMALS_MAX, RoundingMode.FLOOR).unscaledValue()
            .add(amount != null && amount.above() != null ? BigInteger.ONE : BigInteger.ZERO);
  }

  /** The match for any amount. */
  private static Match whatever(Match match) {
    return new Match(match.assets(), match.currency(), match.chains(), match.payees(), null, match.methods(),
        match.hosts(), match.categories(), match.agents(), match.wallets());
  }
}
