package io.bursar.policy;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import org.jspecify.annotations.Nullable;

import io.bursar.money.Asset;
import io.bursar.policy.PolicyJson.Warning;

/** Finds what is allowed in a policy but can hardly be meant. */
final class PolicyWarnings {
  /** The most limits over the same spends that are compared with each other. */
  private static final int COMPARED_MAX = 200;

  private PolicyWarnings() {}

  static List<Warning> of(List<Rule> rules, PolicyContext context) {
    List<Warning> warnings = new ArrayList<>();
    if (rules.stream().noneMatch(Rule.Permit.class::isInstance)) {
      warnings.add(new Warning("/rules", "this policy permits nothing: it has no `permit` rule"));
    }
    for (int i = 0; i < rules.size(); i++) {
      neverMatches("/rules/" + i + "/match", rules.get(i).match(), context, warnings);
    }
    idleLimits(rules, warnings);
    tiers(rules, context, warnings);
    tooMany(rules, context, warnings);
    return warnings;
  }

  /** Rules that may all look at one spend, and say more of it than an entry of the record has room for. */
  private static void tooMany(List<Rule> rules, PolicyContext context, List<Warning> warnings) {
    for (var asset : context.assets()) {
      long everybody = 0;
      Map<Object, Long> byPayee = new HashMap<>();
      for (var rule : rules) {
        if (looksAt(rule.match(), asset)) {
          long most = EntryBound.most(rule);
          var payees = rule.match().payees();
          if (payees == null || !payees.listed()) {
            everybody += most;
          } else if (payees.set() != null) {
            byPayee.merge(payees.set(), most, Long::sum);
          } else {
            payees.addresses().forEach(payee -> byPayee.merge(payee, most, Long::sum));
          }
        }
      }
      long most = everybody + byPayee.values().stream().mapToLong(bytes -> bytes).max().orElse(0);
      if (most > EntryBound.BYTES_MAX) {
        warnings.add(new Warning("/rules", "so many of these rules may look at one spend of " + asset.symbol()
            + " that the record of its decision may have up to " + most + " bytes; beyond " + EntryBound.BYTES_MAX
            + " the spend is denied (EVALUATION_ERROR)"));
        return;
      }
    }
  }

  private static boolean looksAt(Match match, Asset asset) {
    return (match.assets() == null || match.assets().contains(asset.symbol()))
        && (match.currency() == null || match.currency().equals(asset.currency()))
        && (match.chains() == null || match.chains().contains(asset.chain()));
  }

  /** An approval rule for a range of amounts. */
  private record Tier(int index, Rule.Approval rule, Match.AmountRange range) {
    /** Where it begins: at this amount or right above it. */
    BigDecimal lower() {
      return range.from() != null ? range.from() : range.above() != null ? range.above() : BigDecimal.ZERO;
    }

    String name() {
      return "`" + rule.id() + "`";
    }
  }

  /** What approval rules that differ in their amounts only have in common. */
  private record Ladder(Match match, Rule.Schedule schedule, @Nullable When when) {}

  private static void tiers(List<Rule> rules, PolicyContext context, List<Warning> warnings) {
    Map<Ladder, List<Tier>> ladders = new LinkedHashMap<>();
    for (int i = 0; i < rules.size(); i++) {
      if (rules.get(i) instanceof Rule.Approval rule && rule.match().amount() != null
          && !isEmpty(rule.match().amount())) {
        ladders.computeIfAbsent(new Ladder(withoutAmount(rule.match()), rule.schedule(), rule.when()),
            ladder -> new ArrayList<>()).add(new Tier(i, rule, rule.match().amount()));
      }
    }
    ladders.values().stream().filter(tiers -> tiers.size() > 1 && tiers.size() <= COMPARED_MAX).forEach(tiers -> {
      tiers.sort(Comparator.comparing(Tier::lower).thenComparingInt(Tier::index));
      for (int i = 1; i < tiers.size(); i++) {
        between(tiers.get(i - 1), tiers.get(i), context, warnings);
      }
      top(tiers.getLast(), rules, warnings);
    });
  }

  private static void between(Tier lower, Tier upper, PolicyContext context, List<Warning> warnings) {
    var to = lower.range.to();
    var at = "/rules/" + upper.index + "/match/amount";
    // A tier from 20 begins after one to 19.999999 where nothing lies between, and one above 20 after one to 20.
    var first = upper.range.from() != null ? upper.range.from() : upper.lower().add(unit(upper.rule.match(), context));
    if (to == null || to.compareTo(first) >= 0) {
      warnings.add(
          new Warning(at, "this tier overlaps " + lower.name() + ": the groups of both are asked from " + text(first)
              + (to == null || upper.range.to() == null ? " on" : " to " + text(to.min(upper.range.to())))));
    } else if (to.add(unit(upper.rule.match(), context)).compareTo(first) < 0) {
      warnings.add(
          new Warning(at, "there is a gap below this tier: nobody is asked from " + lower.name() + ", which ends at "
              + text(to) + ", to " + text(first)));
    }
  }

  /** The last tier has an end, and no limit keeps amounts below it. */
  private static void top(Tier last, List<Rule> rules, List<Warning> warnings) {
    var to = last.range.to();
    var match = withoutAmount(last.rule.match());
    if (to != null && rules.stream().noneMatch(rule -> rule instanceof Rule.Limit limit && limit.max() != null
        && limit.max().compareTo(to) <= 0 && limit.match().equals(match))) {
      warnings.add(new Warning("/rules/" + last.index + "/match/amount/to",
          "there is a gap above the last tier: nobody is asked above " + text(to)));
    }
  }

  private static Match withoutAmount(Match match) {
    return new Match(match.assets(), match.currency(), match.chains(), match.payees(), null, match.methods(),
        match.hosts(), match.categories(), match.agents(), match.wallets());
  }

  /** The smallest step between amounts of the finest asset that a match takes in. */
  private static BigDecimal unit(Match match, PolicyContext context) {
    int decimals = context.assets().stream()
        .filter(asset -> looksAt(match, asset))
        .mapToInt(Asset::decimals).max().orElse(Asset.DECIMALS_MAX);
    return BigDecimal.ONE.movePointLeft(decimals);
  }

  private static String text(BigDecimal amount) {
    return amount.signum() == 0 ? "0" : amount.stripTrailingZeros().toPlainString();
  }

  private static void neverMatches(String pointer, Match match, PolicyContext context, List<Warning> warnings) {
    if (match.amount() != null && isEmpty(match.amount())) {
      warnings.add(new Warning(pointer + "/amount", "this rule can never match: no amount lies in the range"));
    }
    if (!context.hasAsset(match.assets(), match.currency(), match.chains())) {
      warnings.add(new Warning(pointer, "this rule can never match: no registered asset fits"));
    }
  }

  private static boolean isEmpty(Match.AmountRange range) {
    return range.to() != null && ((range.from() != null && range.from().compareTo(range.to()) > 0)
        || (range.above() != null && range.above().compareTo(range.to()) >= 0));
  }

  private record Numbered(int index, Rule.Limit limit) {}

  private static void idleLimits(List<Rule> rules, List<Warning> warnings) {
    Map<Match, List<Numbered>> byMatch = new HashMap<>();
    for (int i = 0; i < rules.size(); i++) {
      if (rules.get(i) instanceof Rule.Limit limit) {
        byMatch.computeIfAbsent(limit.match(), match -> new ArrayList<>()).add(new Numbered(i, limit));
      }
    }
    byMatch.values().stream().filter(limits -> limits.size() <= COMPARED_MAX).flatMap(List::stream).sorted(
        Comparator.comparingInt(Numbered::index)).forEach(limit -> {
          for (var other : byMatch.getOrDefault(limit.limit.match(), List.of())) {
            if (other.index != limit.index && makesIdle(other.limit, limit.limit)
                && (other.index < limit.index || !makesIdle(limit.limit, other.limit))) {
              warnings.add(new Warning("/rules/" + limit.index,
                  "this limit is idle: `" + other.limit.id() + "` never lets through more"));
              break;
            }
          }
        });
  }

  /** Whether whatever one limit refuses is refused by another already. */
  private static boolean makesIdle(Rule.Limit tight, Rule.Limit idle) {
    boolean always = (tight.schedule().equals(Rule.Schedule.ALWAYS) || tight.schedule().equals(idle.schedule()))
        && (tight.when() == null || tight.when().equals(idle.when()));
    return always && covers(tight, idle) && atMost(tight.max(), idle.max()) && atMost(tight.maxCount(), idle.maxCount())
        && (idle.min() == null || (tight.min() != null && idle.min().compareTo(tight.min()) <= 0));
  }

  /** Whether a bound is there and no larger than another one that is there. */
  private static <T extends Comparable<T>> boolean atMost(@Nullable T tight, @Nullable T loose) {
    return loose == null || (tight != null && tight.compareTo(loose) <= 0);
  }

  /** Whether everything that the second limit counts together is also counted together by the first. */
  private static boolean covers(Rule.Limit wide, Rule.Limit narrow) {
    if (narrow.window() instanceof Window.Spend) {
      return true;
    }
    if (!wide.per().equals(narrow.per())) {
      return false;
    }
    return switch (wide.window()) {
      case Window.Spend spend -> false;
      case Window.Lifetime lifetime -> true;
      case Window.Rolling rolling ->
        narrow.window() instanceof Window.Rolling other && rolling.length().compareTo(other.length()) >= 0;
      case Window.Calendar calendar -> narrow.window() instanceof Window.Calendar other
          && calendar.zone().equals(other.zone()) && holds(calendar.unit(), other.unit());
    };
  }

  private static boolean holds(Window.Calendar.Unit wide, Window.Calendar.Unit narrow) {
    return switch (wide) {
      case HOUR -> narrow == Window.Calendar.Unit.HOUR;
      case DAY -> narrow == Window.Calendar.Unit.HOUR || narrow == Window.Calendar.Unit.DAY;
      case WEEK -> narrow != Window.Calendar.Unit.MONTH;
      case MONTH -> narrow != Window.Calendar.Unit.WEEK;
    };
  }
}
