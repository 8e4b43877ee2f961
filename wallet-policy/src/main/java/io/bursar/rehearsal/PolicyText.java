package io.bursar.rehearsal;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

import io.bursar.policy.Match;
import io.bursar.policy.Policy;
import io.bursar.policy.Rule;

/** A whole policy in plain English sentences, one for each thing that a rule does. */
public final class PolicyText {
  private PolicyText() {}

  /** The policy as a text of several lines; what grants comes first. */
  public static String of(Policy policy) {
    List<String> permits = new ArrayList<>();
    List<String> others = new ArrayList<>();
    for (var rule : policy.rules()) {
      (rule instanceof Rule.Permit ? permits : others).add("  [" + rule.id() + "] " + sentences(rule));
    }
    var text = new StringBuilder("Policy `").append(policy.name()).append("`, ")
        .append(Words.counted(policy.rules().size(), "rule")).append(", version ").append(policy.version())
        .append("\n\n");
    if (policy.mode() == Policy.Mode.OBSERVE) {
      text.append(
          "It only observes: what it says is recorded, and its limits count, but it neither permits nor denies.\n\n");
    }
    if (permits.isEmpty()) {
      text.append("It permits nothing: every spend is denied.\n");
    } else {
      text.append("It permits these spends, and denies all others:\n").append(String.join("\n", permits)).append('\n');
    }
    if (!others.isEmpty()) {
      text.append("\nWhat it permits is restricted; all of these hold at once, in no order:\n")
          .append(String.join("\n", others)).append('\n');
    }
    return text.toString();
  }

  /** What one rule does. */
  static String sentences(Rule rule) {
    var spends = Words.spends(rule.match());
    var when = rule.when();
    var schedule = Words.schedule(rule.schedule()) + (when == null ? "" : ", if `" + when.expression() + "`");
    return switch (rule) {
      case Rule.Permit permit -> sentence("permits " + spends + schedule);
      case Rule.Deny deny -> sentence("denies " + spends + schedule);
      case Rule.Approval approval -> sentence("asks "
          + Words.joined(
              approval.groups().stream().map(group -> group.threshold() + " of the group `" + group.group() + "`")
                  .toList(),
              "and")
          + " to approve " + spends + ", within " + Words.duration(approval.expiresAfter())
          + (approval.delay().isZero() ? "" : "; then it still waits for " + Words.duration(approval.delay()))
          + schedule);
      case Rule.Limit limit -> limit(limit, spends, schedule);
    };
  }

  private static String limit(Rule.Limit limit, String spends, String schedule) {
    List<String> sentences = new ArrayList<>();
    var unit = unit(limit.match());
    var per = limit.per().isEmpty()
        ? ""
        : ", for each " + limit.per().stream().map(each -> each.name().toLowerCase(Locale.ROOT)).sorted()
            .collect(Collectors.joining(" and ")) + " apart";
    if (limit.min() != null) {
      sentences
          .add(sentence("denies " + spends + " that are less than " + LedgerText.plain(limit.min()) + unit + schedule));
    }
    if (limit.max() != null) {
      sentences.add(sentence("limits " + spends + " to " + LedgerText.plain(limit.max()) + unit + " "
          + Words.window(limit.window()) + per + schedule));
    }
    if (limit.maxCount() != null) {
      sentences.add(sentence("limits " + spends + " to " + Words.counted(limit.maxCount(), "spend") + " "
          + Words.window(limit.window()) + per + schedule));
    }
    return String.join(" ", sentences);
  }

  private static String unit(Match match) {
    return match.assets() != null && match.assets().size() == 1
        ? " " + match.assets().iterator().next()
        : match.currency() == null ? "" : " " + match.currency();
  }

  private static String sentence(String words) {
    return words.substring(0, 1).toUpperCase(Locale.ROOT) + words.substring(1) + ".";
  }
}
