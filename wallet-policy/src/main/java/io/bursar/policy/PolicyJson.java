package io.bursar.policy;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.json.JsonReader;
import io.bursar.json.JsonReader.Fault;
import io.bursar.json.JsonText;
import io.bursar.spend.Id;

/** Policies as JSON documents. */
public final class PolicyJson {
  /** The longest name and description, in characters. */
  public static final int NAME_MAX = 64;

  public static final int DESCRIPTION_MAX = 512;

  private PolicyJson() {}

  /** What became of a document. */
  public sealed interface Result {}

  /** A document that is a policy, with what its author may not have meant. */
  public record Parsed(Policy policy, List<Warning> warnings) implements Result {
    public Parsed {
      warnings = List.copyOf(warnings);
    }
  }

  /** A document that is none, with all of its faults. */
  public record Refused(List<Fault> faults) implements Result {
    public Refused {
      faults = List.copyOf(faults);
    }
  }

  /**
   * Something that is allowed but can hardly be meant.
   *
   * @param pointer where, as a JSON pointer (RFC 6901)
   */
  public record Warning(String pointer, String message) {}

  /**
   * Reads a document strictly: unknown fields, nulls and anything out of bounds are faults, and all faults are named at once.
   *
   * @param context what the document may name
   */
  public static Result parse(Json document, PolicyContext context) {
    List<Fault> faults = new ArrayList<>();
    refuseNulls(document, "", faults);
    var policy = read(document, context, context.environment(), faults);
    if (policy == null || !faults.isEmpty()) {
      return new Refused(faults);
    }
    return new Parsed(policy, PolicyWarnings.of(policy.rules(), context));
  }

  /**
   * Reads a document that {@link #parse} has accepted before. Whether the assets and groups that it names still are what they
   * were is not looked at: a published policy stays what it is. A set that is not known, and a condition that is not understood,
   * leave a rule that can never be evaluated.
   *
   * @throws IllegalArgumentException if the document is none
   */
  public static Policy load(Json document, PolicyEnvironment environment) {
    List<Fault> faults = new ArrayList<>();
    var policy = read(document, null, environment, faults);
    if (policy == null || !faults.isEmpty()) {
      throw new IllegalArgumentException("not a policy: " + faults);
    }
    return policy;
  }

  /**
   * As {@link #load(Json, PolicyEnvironment)}, for a document that needs nothing beside itself.
   *
   * @throws IllegalArgumentException also if it has conditions
   */
  public static Policy load(Json document) {
    return load(document, PolicyEnvironment.NONE);
  }

  private static @Nullable Policy read(Json document, @Nullable PolicyContext context, PolicyEnvironment environment,
      List<Fault> faults) {
    var reader = JsonReader.of(document, "", faults);
    var name = reader.requiredText("name", NAME_MAX);
    reader.text("description", DESCRIPTION_MAX); // for people: part of the version, but no rule
    var mode = reader.parsed("mode", 16, PolicyJson::mode);
    var items = reader.present("rules") ? reader.array("rules", Policy.RULES_MAX) : null;
    List<Rule> rules = new ArrayList<>();
    Set<String> ids = new HashSet<>();
    var ruleReader = new RuleReader(context, environment, faults);
    for (int i = 0; items != null && i < items.size(); i++) {
      var rule = ruleReader.read(items.get(i), "/rules/" + i);
      if (items.get(i) instanceof Json.Obj object && object.get("id") instanceof Json.Str(var id) && !ids.add(id)) {
        faults.add(new Fault("/rules/" + i + "/id", "`" + id + "` is the id of another rule of this policy"));
      }
      if (rule != null) {
        rules.add(rule);
      }
    }
    reader.refuseUnknown();
    if (name == null || !faults.isEmpty()) {
      return null;
    }
    refuseUnknownLimits(rules, faults);
    return new Policy(name, rules, version(document), mode == null ? Policy.Mode.ENFORCE : mode);
  }

  private static Policy.Mode mode(String text) {
    return switch (text) {
      case "enforce" -> Policy.Mode.ENFORCE;
      case "observe" -> Policy.Mode.OBSERVE;
      default -> throw new IllegalArgumentException("must be `enforce` or `observe`");
    };
  }

  /** A condition can ask what has been spent only of a limit that sums amounts. */
  private static void refuseUnknownLimits(List<Rule> rules, List<Fault> faults) {
    Set<String> summed = new HashSet<>();
    for (var rule : rules) {
      if (rule instanceof Rule.Limit limit && limit.max() != null && !(limit.window() instanceof Window.Spend)) {
        summed.add(limit.id());
      }
    }
    for (int i = 0; i < rules.size(); i++) {
      var when = rules.get(i).when();
      for (var limit : when == null ? Set.<String>of() : new TreeSet<>(when.condition().reads().limits())) {
        if (!summed.contains(limit)) {
          faults.add(new Fault("/rules/" + i + "/when", "asks what was spent of `" + limit
              + "`, which is not a limit of this policy with `max` and a window of more than one spend"));
        }
      }
    }
  }

  private static void refuseNulls(Json value, String pointer, List<Fault> faults) {
    switch (value) {
      case Json.Null none -> faults.add(new Fault(pointer, "must not be null; leave the field out instead"));
      case Json.Obj object -> object.members().forEach((name, member) -> refuseNulls(member,
          pointer + "/" + name.replace("~", "~0").replace("/", "~1"), faults));
      case Json.Arr array -> {
        for (int i = 0; i < array.items().size(); i++) {
          refuseNulls(array.items().get(i), pointer + "/" + i, faults);
        }
      }
      case Json.Str text -> {
      }
      case Json.Num number -> {
      }
      case Json.Bool bool -> {
      }
    }
  }

  /** The identity of a document: {@code sha256:} and the SHA-256 of its canonical bytes (RFC 8785). */
  public static String version(Json document) {
    return "sha256:" + Digests.hex(JsonText.canonical(document));
  }

  /** A match as it stands in a document, lists sorted: equal matches are written alike. */
  static Json write(Match match) {
    var payees = match.payees();
    var amount = match.amount();
    return Json.object()
        .put("assets", sorted(match.assets(), Function.identity()))
        .put("currency", match.currency())
        .put("chains", sorted(match.chains(), Function.identity()))
        .put("payees", payees == null
            ? null
            : Json.object().put(payees.listed() ? "in" : "notIn", payees.set() != null
                ? new Json.Str(payees.set())
                : sorted(payees.addresses(), Object::toString)).build())
        .put("amount", amount == null
            ? null
            : Json.object().put("from", number(amount.from())).put("to", number(amount.to()))
                .put("above", number(amount.above())).build())
        .put("methods", sorted(match.methods(), Function.identity()))
        .put("hosts", sorted(match.hosts(), Function.identity()))
        .put("categories", sorted(match.categories(), Function.identity()))
        .put("agents", sorted(match.agents(), Id.AGENT::text))
        .put("wallets", sorted(match.wallets(), Id.WALLET::text))
        .build();
  }

  /** A window as it stands in a document. */
  public static Json write(Window window) {
    return switch (window) {
      case Window.Spend spend -> new Json.Str("spend");
      case Window.Lifetime lifetime -> new Json.Str("lifetime");
      case Window.Rolling rolling -> Json.object().put("rolling", rolling.length().toString()).build();
      case Window.Calendar calendar ->
        Json.object().put("calendar", calendar.unit().name().toLowerCase(Locale.ROOT))
            .put("zone", calendar.zone().getId())
            .build();
    };
  }

  private static <T> @Nullable Json sorted(@Nullable Set<T> values, Function<T, String> text) {
    return values == null ? null : Json.strings(values.stream().map(text).sorted().toList());
  }

  private static @Nullable String number(@Nullable BigDecimal number) {
    return number == null ? null : number.signum() == 0 ? "0" : number.stripTrailingZeros().toPlainString();
  }
}
