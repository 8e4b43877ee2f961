package io.bursar.policy;

import java.math.BigInteger;
import java.time.Duration;
import java.util.Objects;
import java.util.stream.Collectors;

import org.jspecify.annotations.Nullable;

import io.bursar.money.Amount;
import io.bursar.money.Asset;
import io.bursar.policy.Decision.Code;
import io.bursar.policy.Decision.Reason;
import io.bursar.spend.SpendFacts;

/** The reasons of decisions, in words and numbers for people. */
final class Reasons {
  static final String FAILED = "could not be evaluated, and so does not let the spend through";
  static final String CONDITION = "has a condition that could not be evaluated, and so does not let the spend through";
  static final String UNKNOWN_SET = "names a set that is not known, and so does not let the spend through";
  static final String LACKING = "looks at a host or category, which the request does not name";

  static final String TOO_MANY = "more rules look at this spend than an entry of the record has room for, and so it is not let through;"
      + " attach fewer";

  private Reasons() {}

  static Reason of(Code code, String message) {
    return new Reason(code, null, null, message, null, null, null);
  }

  static Reason of(RuleInForce rule, Code code, String message) {
    return new Reason(code, rule.policyId, rule.rule.id(), message, null, null, null);
  }

  /** @param observed whether some policy at least observes */
  static Reason noPolicy(boolean observed) {
    return of(Code.NO_POLICY, observed
        ? "no policy is in force for the wallet, its agent or its tenant but such that only observe"
        : "no policy is in force for the wallet, its agent or its tenant");
  }

  static Reason noPermit(Policy.InForce inForce, boolean offHours) {
    return new Reason(Code.NO_PERMIT, inForce.policyId(), null,
        "nothing in the policy `" + inForce.policy().name() + "` permits this" + (offHours ? " at this time" : ""),
        null,
        null, null);
  }

  static Reason denied(RuleInForce rule) {
    return rule.scheduled()
        ? of(rule, Code.OUTSIDE_HOURS, "is denied at this time")
        : of(rule, Code.DENIED_BY_RULE, "is denied");
  }

  static Reason approval(RuleInForce rule, Rule.Approval approval, SpendFacts facts) {
    var groups = approval.groups().stream().map(group -> group.threshold() + " of `" + group.group() + "`")
        .collect(Collectors.joining(" and "));
    var amount = approval.match().amount();
    var bound = amount == null ? null : amount.above() != null ? amount.above() : amount.from();
    return new Reason(Code.APPROVAL_REQUIRED, rule.policyId, approval.id(), "needs approval by " + groups,
        Amount.format(facts.amount(), facts.asset().decimals()),
        bound == null ? null : bound.signum() == 0 ? "0" : bound.stripTrailingZeros().toPlainString(), null);
  }

  static Reason belowMinimum(RuleInForce rule, RuleInForce.Bounds bounds, BigInteger parts) {
    var least = text(Objects.requireNonNull(bounds.min()));
    return new Reason(Code.BELOW_MINIMUM, rule.policyId, rule.rule.id(),
        text(parts) + " is less than the least of one spend, " + least + unit(rule.rule.match()), text(parts), least,
        null);
  }

  static Reason aboveMaximum(RuleInForce rule, Rule.Limit limit, RuleInForce.Bounds bounds, BigInteger used,
      BigInteger parts) {
    var max = Objects.requireNonNull(bounds.max());
    var observed = text(used.add(parts));
    var unit = unit(limit.match());
    var message = switch (limit.window()) {
      case Window.Spend spend -> observed + " is more than the most of one spend, " + text(max) + unit;
      case Window.Rolling rolling ->
        "would bring the last " + text(rolling.length()) + " to " + observed + " of " + text(max) + unit;
      case Window.Calendar calendar ->
        "would bring this " + name(calendar) + " to " + observed + " of " + text(max) + unit;
      case Window.Lifetime lifetime -> "would bring the total to " + observed + " of " + text(max) + unit;
    };
    var headroom = max.subtract(used).max(BigInteger.ZERO);
    return new Reason(Code.LIMIT_EXCEEDED, rule.policyId, limit.id(), message, observed, text(max), text(headroom));
  }

  static Reason aboveCount(RuleInForce rule, Rule.Limit limit, RuleInForce.Bounds bounds, long used) {
    long max = Objects.requireNonNull(bounds.maxCount());
    var observed = BigInteger.valueOf(used).add(BigInteger.ONE).toString();
    var where = switch (limit.window()) {
      case Window.Spend spend -> "this spend";
      case Window.Rolling rolling -> "the last " + text(rolling.length());
      case Window.Calendar calendar -> "this " + name(calendar);
      case Window.Lifetime lifetime -> "all";
    };
    return new Reason(Code.RATE_EXCEEDED, rule.policyId, limit.id(),
        "would bring " + where + " to " + observed + " of " + max + " spends", observed, Long.toString(max),
        Long.toString(Math.max(0, max - used)));
  }

  private static String name(Window.Calendar calendar) {
    var unit = switch (calendar.unit()) {
      case HOUR -> "hour";
      case DAY -> "day";
      case WEEK -> "week";
      case MONTH -> "month";
    };
    return unit + " (" + calendar.zone() + ")";
  }

  /** A duration in its largest whole unit. */
  private static String text(Duration duration) {
    long seconds = duration.toSeconds();
    if (seconds % 86_400 == 0 && seconds > 86_400) {
      return seconds / 86_400 + " d";
    }
    if (seconds % 3_600 == 0) {
      return seconds / 3_600 + " h";
    }
    return seconds % 60 == 0 ? seconds / 60 + " min" : seconds + " s";
  }

  private static String text(BigInteger parts) {
    return Amount.format(parts, Asset.DECIMALS_MAX);
  }

  private static String unit(Match match) {
    var unit = unitOrNull(match);
    return unit == null ? "" : " " + unit;
  }

  /** What the amounts of a rule are in: its one asset, or its currency. */
  static @Nullable String unitOrNull(Match match) {
    return match.assets() != null && match.assets().size() == 1 ? match.assets().iterator().next() : match.currency();
  }
}
