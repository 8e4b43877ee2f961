package io.bursar.rehearsal;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.money.Amount;
import io.bursar.money.Asset;
import io.bursar.policy.Policy;
import io.bursar.policy.Rule;

/** A recorded decision as a text that a person understands: what was asked, what was decided, why, and what each rule said. */
public final class DecisionText {
  private DecisionText() {}

  /** Where the policies come from that the record names. */
  public interface Policies {
    /** A version of a policy by the text of its identifier; empty where it is not known. */
    Optional<Policy> find(String policyId, String version);
  }

  /**
   * The text of an authorization's entry.
   *
   * @throws IllegalArgumentException if the entry is not one
   */
  public static String of(Json.Obj entry, Policies policies) {
    var facts = object(entry, "facts");
    var decision = object(entry, "decision");
    var lines = new ArrayList<String>();
    lines.add("Authorization " + text(entry, "authorization") + " of spend " + text(entry, "spend") + ", decided at "
        + text(entry, "at") + " by engine " + text(decision, "engine"));
    lines.add("");
    lines.add("Asked for: " + asked(facts));
    lines.add("Decided:   " + decided(decision));
    for (var reason : items(decision, "reasons")) {
      lines.add("  because " + reason(reason));
    }
    advice(decision, facts, lines);
    var readings = readings(entry);
    var observing = items(decision, "observed").stream().map(each -> text(each, "id") + text(each, "attachedTo"))
        .toList();
    for (var named : items(decision, "policies")) {
      if (observing.contains(text(named, "id") + text(named, "attachedTo"))) {
        continue;
      }
      lines.add("");
      policy(named, decision, policies, readings, lines);
    }
    for (var observed : items(decision, "observed")) {
      lines.add("");
      lines
          .add("Only observing, and without a say, this policy would have come to `" + text(observed, "effect") + "`:");
      items(observed, "reasons").forEach(reason -> lines.add("  because " + reason(reason)));
      policy(observed, observed, policies, readings, lines);
    }
    if (items(decision, "policies").isEmpty()) {
      lines.add("");
      lines.add("No policy was in force, and what no policy permits is denied.");
    }
    return String.join("\n", lines) + "\n";
  }

  private static String asked(Json.Obj facts) {
    var amount = Amount.format(new BigInteger(text(facts, "amount")), (int) number(facts, "decimals"));
    var category = textOrNull(facts, "category");
    var host = textOrNull(facts, "host");
    return amount + " " + text(facts, "asset") + " on " + text(facts, "chain") + " to " + text(facts, "payee")
        + (host == null ? "" : " for the host " + host) + (category == null ? "" : " in the category " + category)
        + ", by " + text(facts, "agent") + " from " + text(facts, "wallet");
  }

  private static String decided(Json.Obj decision) {
    return switch (text(decision, "effect")) {
      case "allow" -> "allowed, because every policy in force permits it and no rule refuses it";
      case "require_approval" -> "waits for approval by " + groups(decision);
      default -> decision.get("implicit") instanceof Json.Bool(boolean implicit) && implicit
          ? "denied, because some policy in force does not permit it"
          : "denied, because a rule refuses it";
    };
  }

  private static String groups(Json.Obj decision) {
    var approval = object(decision, "approval");
    return Words.joined(items(approval, "groups").stream()
        .map(group -> number(group, "threshold") + " of the group `" + text(group, "group") + "`").toList(), "and")
        + " within " + Words.duration(java.time.Duration.parse(text(approval, "expiresAfter")));
  }

  private static String reason(Json.Obj reason) {
    var rule = textOrNull(reason, "rule");
    return (rule == null ? "" : "the rule `" + rule + "`: ") + text(reason, "message") + " (" + text(reason, "code")
        + ")";
  }

  private static void advice(Json.Obj decision, Json.Obj facts, List<String> lines) {
    var max = textOrNull(decision, "maxAmountNow");
    var retry = textOrNull(decision, "retryAt");
    if (max != null) {
      lines.add("  instead: " + max + " " + text(facts, "asset") + " would have been allowed outright at that time");
    }
    if (retry != null) {
      lines.add("  instead: the same would be allowed from " + retry + " on, if nothing else is spent");
    }
  }

  private static void policy(Json.Obj named, Json.Obj decision, Policies policies, Map<String, Json.Obj> readings,
      List<String> lines) {
    var id = text(named, "id");
    var policy = policies.find(id, text(named, "version"));
    lines.add("Policy " + policy.map(known -> "`" + known.name() + "`, ").orElse("") + id + ", attached to the "
        + text(named, "attachedTo") + ":");
    Map<String, Rule> rules = new HashMap<>();
    policy.ifPresent(known -> known.rules().forEach(rule -> rules.put(rule.id(), rule)));
    for (var traced : items(decision, "trace")) {
      if (text(traced, "policy").equals(id)) {
        var rule = rules.get(text(traced, "rule"));
        lines.add("  [" + text(traced, "rule") + "] " + outcome(text(traced, "kind"), text(traced, "outcome"))
            + read(readings.get(id + " " + text(traced, "rule")))
            + (rule == null ? "" : "\n      " + PolicyText.sentences(rule)));
      }
    }
  }

  private static String outcome(String kind, String outcome) {
    return switch (outcome) {
      case "matched" -> switch (kind) {
        case "permit" -> "permits it";
        case "deny" -> "denies it";
        default -> "asks for approval";
      };
      case "not_matched" -> "does not look at it";
      case "within" -> "is kept";
      case "exceeded" -> "would be broken";
      default -> "could not be evaluated, and so does not let it through";
    };
  }

  /** What a limit had counted before. */
  private static String read(Json.@Nullable Obj reading) {
    if (reading == null) {
      return "";
    }
    var sum = new BigInteger(text(reading, "sum"));
    return " (before it: " + Words.counted(number(reading, "count"), "spend")
        + (sum.signum() == 0 ? "" : ", " + Amount.format(sum, Asset.DECIMALS_MAX) + " in all") + ")";
  }

  private static Map<String, Json.Obj> readings(Json.Obj entry) {
    Map<String, Json.Obj> readings = new HashMap<>();
    for (var reading : items(entry, "readings")) {
      readings.putIfAbsent(text(reading, "policy") + " " + text(reading, "rule"), reading);
    }
    return readings;
  }

  private static List<Json.Obj> items(Json.Obj object, String name) {
    return object.get(name) instanceof Json.Arr(var items)
        ? items.stream().filter(Json.Obj.class::isInstance).map(Json.Obj.class::cast).toList()
        : List.of();
  }

  private static Json.Obj object(Json.Obj object, String name) {
    if (object.get(name) instanceof Json.Obj found) {
      return found;
    }
    throw new IllegalArgumentException("has no object `" + name + "`");
  }

  private static String text(Json.Obj object, String name) {
    var text = textOrNull(object, name);
    if (text == null) {
      throw new IllegalArgumentException("has no text `" + name + "`");
    }
    return text;
  }

  private static @Nullable String textOrNull(Json.Obj object, String name) {
    return object.get(name) instanceof Json.Str(var text) ? text : null;
  }

  private static long number(Json.Obj object, String name) {
    if (object.get(name) instanceof Json.Num(long number)) {
      return number;
    }
    throw new IllegalArgumentException("has no number `" + name + "`");
  }
}
