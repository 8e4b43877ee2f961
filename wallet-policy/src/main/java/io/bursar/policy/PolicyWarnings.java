package io.bursar.policy;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

import org.jspecify.annotations.Nullable;

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
    return warnings;
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
    boolean always = tight.schedule().equals(Rule.Schedule.ALWAYS) || tight.schedule().equals(idle.schedule());
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
