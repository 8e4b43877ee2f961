package io.bursar.policy;

import java.math.BigDecimal;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

import org.jspecify.annotations.Nullable;

import io.bursar.policy.Decision.ConditionOutcome;
import io.bursar.policy.Decision.Effect;
import io.bursar.spend.SpendFacts;

/**
 * The language read off its definition, rule by rule, with decimal numbers, lists and the whole past at hand: slow, prepared for
 * nothing, and sharing no code with the engine but what documents are parsed into.
 */
final class NaiveInterpreter {
  /** What is decided, so far as it is comparable: reasons are {@code CODE policy rule}. */
  record Verdict(Effect effect, Set<String> reasons) {}

  /** One spend of the past that was not denied. */
  record Past(SpendFacts facts, Instant at) {}

  private final List<Past> past;
  private final SpendFacts facts;
  private final Instant now;

  NaiveInterpreter(List<Past> past, SpendFacts facts, Instant now) {
    this.past = past;
    this.facts = facts;
    this.now = now;
  }

  /** What the enforced policies come to, and then each that only observes. */
  List<Verdict> decide(List<Policy.InForce> policies) {
    Set<String> reasons = new TreeSet<>();
    var effect = Effect.ALLOW;
    if (facts.walletFrozen()) {
      reasons.add("WALLET_FROZEN null null");
      effect = Effect.DENY;
    }
    if (facts.agentSuspended()) {
      reasons.add("AGENT_SUSPENDED null null");
      effect = Effect.DENY;
    }
    List<Verdict> observed = new ArrayList<>();
    boolean enforced = false;
    for (var inForce : policies.stream().sorted(java.util.Comparator.comparing(Policy.InForce::attachedTo)).toList()) {
      var verdict = decide(inForce);
      if (inForce.policy().mode() == Policy.Mode.OBSERVE) {
        observed.add(verdict);
      } else {
        enforced = true;
        reasons.addAll(verdict.reasons);
        effect = worse(effect, verdict.effect);
      }
    }
    if (!enforced) {
      reasons.add("NO_POLICY null null");
      effect = Effect.DENY;
    }
    observed.addFirst(new Verdict(effect, reasons));
    return observed;
  }

  private static Effect worse(Effect first, Effect second) {
    return first.compareTo(second) > 0 ? first : second;
  }

  private Verdict decide(Policy.InForce inForce) {
    Set<String> reasons = new TreeSet<>();
    Set<String> failedPermits = new TreeSet<>();
    var effect = Effect.ALLOW;
    boolean granted = false;
    for (var rule : inForce.policy().rules()) {
      var name = " " + inForce.policyId() + " " + rule.id();
      var speaks = speaks(rule, inForce);
      if (speaks == ConditionOutcome.FAILS) {
        continue;
      }
      if (rule instanceof Rule.Permit) {
        granted |= speaks == ConditionOutcome.HOLDS;
        if (speaks == ConditionOutcome.ERROR) {
          failedPermits.add("EVALUATION_ERROR" + name);
        }
      } else if (speaks == ConditionOutcome.ERROR) {
        reasons.add("EVALUATION_ERROR" + name);
        effect = worse(effect, rule instanceof Rule.Approval ? Effect.REQUIRE_APPROVAL : Effect.DENY);
      } else if (rule instanceof Rule.Approval) {
        reasons.add("APPROVAL_REQUIRED" + name);
        effect = worse(effect, Effect.REQUIRE_APPROVAL);
      } else if (rule instanceof Rule.Limit limit) {
        var broken = broken(limit, inForce);
        broken.forEach(code -> reasons.add(code + name));
        effect = broken.isEmpty() ? effect : Effect.DENY;
      } else {
        boolean hours = rule.schedule().active() != null || rule.schedule().unless() != null;
        reasons.add((hours ? "OUTSIDE_HOURS" : "DENIED_BY_RULE") + name);
        effect = Effect.DENY;
      }
    }
    if (!granted) {
      reasons.addAll(failedPermits);
      reasons.add("NO_PERMIT " + inForce.policyId() + " null");
      effect = Effect.DENY;
    }
    return new Verdict(effect, reasons);
  }

  /** Whether a rule has something to say of the request now. */
  private ConditionOutcome speaks(Rule rule, Policy.InForce inForce) {
    var matches = matches(rule.match(), facts);
    var schedule = rule.schedule();
    if (matches == ConditionOutcome.FAILS || (schedule.active() != null && !schedule.active().contains(now))
        || (schedule.unless() != null && schedule.unless().contains(now))) {
      return ConditionOutcome.FAILS;
    }
    if (matches == ConditionOutcome.ERROR || rule.when() == null) {
      return matches;
    }
    var when = rule.when();
    var meant = RandomCondition.ALL.stream().filter(condition -> condition.when().equals(when)).findFirst()
        .orElseThrow();
    return meant.meaning().apply(new RandomCondition.Seen(
        new Condition.Inputs(facts, units(facts), now, java.util.Map.of()), limit -> spent(limit, inForce)));
  }

  private @Nullable BigDecimal spent(String id, Policy.InForce inForce) {
    return inForce.policy().rules().stream()
        .filter(rule -> rule.id().equals(id) && rule instanceof Rule.Limit limit
            && !(limit.window() instanceof Window.Spend))
        .findFirst().map(rule -> sum((Rule.Limit) rule, counted((Rule.Limit) rule, inForce))).orElse(null);
  }

  private static BigDecimal units(SpendFacts of) {
    return new BigDecimal(of.amount()).movePointLeft(of.asset().decimals());
  }

  private static ConditionOutcome matches(Match match, SpendFacts of) {
    var amount = units(of);
    var range = match.amount();
    boolean holds = (match.assets() == null || match.assets().contains(of.asset().symbol()))
        && (match.currency() == null || match.currency().equals(of.asset().currency()))
        && (match.chains() == null || match.chains().contains(of.asset().chain()))
        && (match.payees() == null || match.payees().listed() == match.payees().addresses().contains(of.payee()))
        && (match.methods() == null || match.methods().contains(of.method()))
        && (match.agents() == null || match.agents().contains(of.agentId()))
        && (match.wallets() == null || match.wallets().contains(of.walletId()))
        && (range == null || ((range.from() == null || amount.compareTo(range.from()) >= 0)
            && (range.to() == null || amount.compareTo(range.to()) <= 0)
            && (range.above() == null || amount.compareTo(range.above()) > 0)))
        && (match.hosts() == null || of.host() == null
            || match.hosts().stream().anyMatch(host -> takes(host, of.host())))
        && (match.categories() == null || of.category() == null || match.categories().contains(of.category()));
    if (!holds) {
      return ConditionOutcome.FAILS;
    }
    boolean lacking = (match.hosts() != null && of.host() == null)
        || (match.categories() != null && of.category() == null);
    return lacking ? ConditionOutcome.ERROR : ConditionOutcome.HOLDS;
  }

  private static boolean takes(String host, String of) {
    return host.startsWith("*.") ? of.endsWith(host.substring(1)) && of.length() > host.length() - 1 : host.equals(of);
  }

  /** What of a limit the request would break. */
  private Set<String> broken(Rule.Limit limit, Policy.InForce inForce) {
    Set<String> broken = new TreeSet<>();
    var amount = units(facts);
    if (limit.min() != null && amount.compareTo(limit.min()) < 0) {
      broken.add("BELOW_MINIMUM");
    }
    if (limit.window() instanceof Window.Spend) {
      if (limit.max() != null && amount.compareTo(limit.max()) > 0) {
        broken.add("LIMIT_EXCEEDED");
      }
      return broken;
    }
    var counted = counted(limit, inForce);
    if (limit.max() != null && sum(limit, counted).add(amount).compareTo(limit.max()) > 0) {
      broken.add("LIMIT_EXCEEDED");
    }
    if (limit.maxCount() != null && counted.size() + 1 > limit.maxCount()) {
      broken.add("RATE_EXCEEDED");
    }
    return broken;
  }

  private static BigDecimal sum(Rule.Limit limit, List<Past> counted) {
    // A limit that counts spends alone sums nothing.
    return limit.max() == null
        ? BigDecimal.ZERO
        : counted.stream().map(each -> units(each.facts)).reduce(BigDecimal.ZERO, BigDecimal::add);
  }

  /** The spends of the past that stand in the limit's window and count together with the request. */
  private List<Past> counted(Rule.Limit limit, Policy.InForce inForce) {
    return past.stream().filter(each -> matches(limit.match(), each.facts) != ConditionOutcome.FAILS
        && together(limit, inForce, each.facts) && now.isBefore(LoggedCounters.leaves(each.at, limit.window())))
        .toList();
  }

  private boolean together(Rule.Limit limit, Policy.InForce inForce, SpendFacts other) {
    var per = limit.per().isEmpty()
        ? Set.of(Counter.Dimension.valueOf(inForce.attachedTo().name()))
        : limit.per();
    return per.stream().map(dimension -> Objects.equals(value(dimension, facts), value(dimension, other)))
        .collect(Collectors.toSet()).equals(Set.of(true));
  }

  private static Object value(Counter.Dimension dimension, SpendFacts of) {
    return switch (dimension) {
      case TENANT -> of.tenantId();
      case AGENT -> of.agentId();
      case WALLET -> of.walletId();
      case PAYEE -> of.payee();
      case HOST -> Objects.requireNonNullElse(of.host(), "");
      case CATEGORY -> Objects.requireNonNullElse(of.category(), "");
    };
  }

  /** A decision of the engine in the same terms. */
  static List<Verdict> verdicts(Decision decision) {
    List<Verdict> verdicts = new ArrayList<>();
    verdicts.add(new Verdict(decision.effect(), reasons(decision.reasons())));
    decision.observed().forEach(each -> verdicts.add(new Verdict(each.effect(), reasons(each.reasons()))));
    return verdicts;
  }

  private static Set<String> reasons(List<Decision.Reason> reasons) {
    return reasons.stream().map(reason -> reason.code() + " " + reason.policyId() + " " + reason.rule())
        .collect(Collectors.toCollection(TreeSet::new));
  }

}
