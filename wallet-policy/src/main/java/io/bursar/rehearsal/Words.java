package io.bursar.rehearsal;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;

import io.bursar.policy.Match;
import io.bursar.policy.Rule;
import io.bursar.policy.TimeSpan;
import io.bursar.policy.Window;
import io.bursar.spend.Id;

/** The parts of a policy in plain English. */
final class Words {
  /** How many values of a list are written out. */
  private static final int LISTED_MAX = 6;

  private static final Pattern NUMBER = Pattern.compile("[0-9]{1,2}");
  private static final Map<String, String> WEEKDAYS = Map.of("MON", "Monday", "TUE", "Tuesday", "WED", "Wednesday",
      "THU", "Thursday", "FRI", "Friday", "SAT", "Saturday", "SUN", "Sunday");

  private Words() {}

  /** The spends that a match takes in, such as {@code spends of USDC above 20 to 0x…}. */
  static String spends(Match match) {
    var text = new StringBuilder(match.equals(Match.ALL) ? "every spend" : "spends");
    if (match.assets() != null) {
      text.append(" of ").append(either(match.assets()));
    }
    if (match.currency() != null) {
      text.append(match.assets() == null ? " of any asset in " : ", if in ").append(match.currency());
    }
    if (match.amount() != null) {
      text.append(amount(match.amount()));
    }
    if (match.payees() != null) {
      text.append(match.payees().listed() ? " to " : " to anyone but ")
          .append(match.payees().set() == null
              ? either(match.payees().addresses().stream().map(Object::toString).toList())
              : "an account of the set `" + match.payees().set() + "`");
    }
    if (match.hosts() != null) {
      text.append(" for the host ").append(either(match.hosts()));
    }
    if (match.categories() != null) {
      text.append(" in the category ").append(either(match.categories()));
    }
    if (match.chains() != null) {
      text.append(" on the chain ").append(either(match.chains()));
    }
    if (match.methods() != null) {
      text.append(" by ").append(either(match.methods()));
    }
    if (match.agents() != null) {
      text.append(" by the agent ").append(either(match.agents().stream().map(Id.AGENT::text).toList()));
    }
    if (match.wallets() != null) {
      text.append(" from the wallet ").append(either(match.wallets().stream().map(Id.WALLET::text).toList()));
    }
    return text.toString();
  }

  private static String amount(Match.AmountRange range) {
    var text = new StringBuilder();
    if (range.above() != null) {
      text.append(" above ").append(LedgerText.plain(range.above()));
    }
    if (range.from() != null) {
      text.append(" of at least ").append(LedgerText.plain(range.from()));
    }
    if (range.to() != null) {
      text.append(text.isEmpty() ? " of at most " : " and at most ").append(LedgerText.plain(range.to()));
    }
    return text.toString();
  }

  /** {@code a}, {@code a or b}, {@code a, b or c}; long lists are cut and counted. */
  static String either(Collection<String> values) {
    return joined(values, "or");
  }

  static String joined(Collection<String> values, String last) {
    var sorted = new ArrayList<>(values.stream().sorted().toList());
    if (sorted.size() > LISTED_MAX) {
      int more = sorted.size() - LISTED_MAX + 1;
      sorted.subList(LISTED_MAX - 1, sorted.size()).clear();
      sorted.add(more + " more");
    }
    return sorted.size() == 1
        ? sorted.getFirst()
        : String.join(", ", sorted.subList(0, sorted.size() - 1)) + " " + last + " " + sorted.getLast();
  }

  /** The window of a limit, such as {@code in any 24 hours}. */
  static String window(Window window) {
    return switch (window) {
      case Window.Spend spend -> "in one spend";
      case Window.Rolling rolling -> "in any " + duration(rolling.length());
      case Window.Calendar calendar ->
        "in each calendar " + calendar.unit().name().toLowerCase(Locale.ROOT) + " (" + calendar.zone() + ")";
      case Window.Lifetime lifetime -> "in all time";
    };
  }

  /** A duration in its largest whole unit. */
  static String duration(Duration duration) {
    long seconds = duration.toSeconds();
    if (seconds % 86_400 == 0 && seconds > 86_400) {
      return counted(seconds / 86_400, "day");
    }
    if (seconds % 3_600 == 0) {
      return counted(seconds / 3_600, "hour");
    }
    return seconds % 60 == 0 ? counted(seconds / 60, "minute") : counted(seconds, "second");
  }

  static String counted(long number, String thing) {
    return number + " " + thing + (number == 1 ? "" : "s");
  }

  /** When a rule speaks, as the end of a sentence; empty for one that always does. */
  static String schedule(Rule.Schedule schedule) {
    var active = schedule.active() == null ? "" : ", only " + span(schedule.active());
    var unless = schedule.unless() == null ? "" : ", except " + span(schedule.unless());
    return active + unless;
  }

  private static String span(TimeSpan span) {
    var fields = List.of(span.cron().expression().split(" "));
    var minute = fields.get(0);
    var hour = fields.get(1);
    boolean everyMonthDay = fields.get(2).equals("*") && fields.get(3).equals("*");
    var days = weekdays(fields.get(4));
    var start = NUMBER.matcher(minute).matches() && NUMBER.matcher(hour).matches() && everyMonthDay && !days.isEmpty()
        ? "for %s from %02d:%02d %s".formatted(duration(span.duration()), Integer.parseInt(hour),
            Integer.parseInt(minute), days)
        : "for " + duration(span.duration()) + " from each time of the cron expression `" + span.cron().expression()
            + "`";
    return start + " (" + span.zone() + ")";
  }

  /** Days of the week in words; empty for what has none. */
  private static String weekdays(String field) {
    if (field.equals("*")) {
      return "every day";
    }
    var range = field.toUpperCase(Locale.ROOT).split("-");
    if (range.length == 2 && WEEKDAYS.containsKey(range[0]) && WEEKDAYS.containsKey(range[1])) {
      return WEEKDAYS.get(range[0]) + " to " + WEEKDAYS.get(range[1]);
    }
    var days = List.of(field.toUpperCase(Locale.ROOT).split(","));
    return days.stream().allMatch(WEEKDAYS::containsKey)
        ? "on " + String.join(" and ", days.stream().map(WEEKDAYS::get).toList())
        : "";
  }
}
