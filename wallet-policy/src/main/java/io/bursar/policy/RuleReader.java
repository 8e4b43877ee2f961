package io.bursar.policy;

import java.math.BigDecimal;
import java.time.Duration;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.Function;
import java.util.regex.Pattern;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.json.JsonReader;
import io.bursar.json.JsonReader.Fault;
import io.bursar.policy.Counter.Dimension;

/** Reads the rules of a policy document and notes every fault. */
final class RuleReader {
  static final int GROUPS_MAX = 100;
  static final long COUNT_MAX = 1_000_000_000L;
  static final Duration EXPIRES_MIN = Duration.ofMinutes(1);
  static final Duration EXPIRES_MAX = Duration.ofDays(30);
  static final Duration DELAY_MIN = Duration.ofSeconds(1);
  static final Duration DELAY_MAX = Duration.ofDays(30);
  static final Duration EXPIRES_DEFAULT = Duration.ofHours(24);

  private static final Pattern RULE_ID = Pattern.compile("[a-z0-9][a-z0-9_-]{0,63}");
  private static final Pattern DURATION = Pattern
      .compile("P(?!$)(?:[0-9]{1,4}D)?(?:T(?!$)(?:[0-9]{1,6}H)?(?:[0-9]{1,8}M)?(?:[0-9]{1,9}S)?)?");

  /** Names of the time zone database; reading them anew costs a copy of them all. */
  private static final Set<String> ZONES = Set.copyOf(ZoneId.getAvailableZoneIds());

  private final @Nullable PolicyContext context;
  private final PolicyEnvironment environment;
  private final MatchReader matches;
  private final List<Fault> faults;

  /** @param context null for a document that was checked before */
  RuleReader(@Nullable PolicyContext context, PolicyEnvironment environment, List<Fault> faults) {
    this.context = context;
    this.environment = environment;
    this.matches = new MatchReader(context, environment, faults);
    this.faults = faults;
  }

  /** One rule; null where a fault was noted. */
  @Nullable
  Rule read(Json json, String pointer) {
    int faultsBefore = faults.size();
    var reader = JsonReader.of(json, pointer, faults);
    var id = reader.requiredParsed("id", 200, RuleReader::ruleId);
    var kind = reader.requiredText("kind", 64);
    var scope = matches.read(reader);
    var schedule = new Rule.Schedule(span(reader.object("active")), span(reader.object("unless")));
    var when = reader.parsed("when", Condition.EXPRESSION_MAX, this::when);
    var head = new Head(id == null ? "" : id, scope, schedule, when);
    var result = kind == null ? unknownKind(reader) : switch (kind) {
      case "permit" -> new Rule.Permit(head.id, scope.match(), schedule, when);
      case "deny" -> new Rule.Deny(head.id, scope.match(), schedule, when);
      case "limit" -> limit(head, reader);
      case "approval" -> approval(head, reader);
      default -> {
        reader.fault("kind", "must be `permit`, `limit`, `approval` or `deny`");
        yield unknownKind(reader);
      }
    };
    reader.refuseUnknown();
    return faults.size() == faultsBefore ? result : null;
  }

  /** What every rule has. */
  private record Head(String id, MatchReader.Scope scope, Rule.Schedule schedule, @Nullable When when) {}

  private When when(String expression) {
    var conditions = environment.conditions();
    if (conditions == null) {
      throw new IllegalArgumentException("is a condition, and nobody here understands conditions");
    }
    try {
      return new When(expression, conditions.compile(expression, environment.sets()));
    } catch (IllegalArgumentException e) {
      if (context == null) {
        return When.broken(expression);
      }
      throw e;
    }
  }

  /** Nobody can say which fields a rule of unknown kind may have: those of any kind are let pass. */
  private static @Nullable Rule unknownKind(JsonReader reader) {
    List.of("min", "max", "maxCount", "window", "per", "groups", "expiresAfter", "delay").forEach(reader::has);
    return null;
  }

  private @Nullable Rule limit(Head head, JsonReader reader) {
    var min = limitAmount(reader, "min", head.scope);
    var max = limitAmount(reader, "max", head.scope);
    var maxCount = reader.number("maxCount", 1, COUNT_MAX);
    boolean counting = reader.has("max") || reader.has("maxCount");
    if (!counting && !reader.has("min")) {
      reader.fault("max", "is required, or else `min` or `maxCount`: a limit must limit something");
    }
    if (min != null && max != null && min.compareTo(max) > 0) {
      reader.fault("min", "is more than `max`, so that nothing could ever pass");
    }
    var window = window(reader, counting);
    if (window instanceof Window.Spend && reader.has("maxCount")) {
      reader.fault("maxCount", "needs a window that is more than this one spend");
    }
    if (window != null && !(window instanceof Window.Spend) && !counting && reader.has("min")) {
      reader.fault("window", "is of no use without `max` or `maxCount`: `min` looks at each spend alone");
    }
    var per = reader.texts("per", Dimension.values().length, 32, RuleReader::dimension);
    if (window instanceof Window.Spend && per != null) {
      reader.fault("per", "is of no use for a limit that looks at each spend alone");
    }
    Set<Dimension> dimensions = per == null || per.isEmpty() ? Set.of() : EnumSet.copyOf(per);
    return window == null
        ? null
        : new Rule.Limit(head.id, head.scope.match(), head.schedule, min, max, maxCount, window, dimensions, head.when);
  }

  private @Nullable BigDecimal limitAmount(JsonReader reader, String name, MatchReader.Scope scope) {
    var amount = scope.amount(reader, name);
    if (amount != null && amount.signum() == 0) {
      reader.fault(name, "must be more than zero; a `deny` rule refuses everything");
    }
    return amount;
  }

  /** The window of a limit; null where a fault was noted. */
  private @Nullable Window window(JsonReader reader, boolean counting) {
    var value = reader.value("window");
    if (value == null) {
      if (counting) {
        reader.fault("window", "is required with `max` or `maxCount`: `spend`, `lifetime`, {`rolling`: `PT24H`} or"
            + " {`calendar`: `day`, `zone`: `Europe/Berlin`}");
      }
      return counting ? null : new Window.Spend();
    }
    if (value instanceof Json.Str(var text)) {
      if (text.equals("spend")) {
        return new Window.Spend();
      }
      if (text.equals("lifetime")) {
        return new Window.Lifetime();
      }
    }
    if (!(value instanceof Json.Obj)) {
      reader.fault("window", "must be `spend`, `lifetime`, {`rolling`: ...} or {`calendar`: ..., `zone`: ...}");
      return null;
    }
    var fields = JsonReader.of(value, reader.at("window"), faults);
    Window window;
    if (fields.has("calendar")) {
      var unit = fields.parsed("calendar", 16, RuleReader::unit);
      var zone = fields.requiredParsed("zone", 64, RuleReader::zone);
      window = unit == null || zone == null ? null : new Window.Calendar(unit, zone);
    } else {
      window = fields.requiredParsed("rolling", 32, text -> new Window.Rolling(duration(text)));
    }
    fields.refuseUnknown();
    return window;
  }

  private @Nullable Rule approval(Head head, JsonReader reader) {
    List<Rule.GroupThreshold> groups = new ArrayList<>();
    Set<String> names = new HashSet<>();
    var items = reader.present("groups") ? reader.array("groups", GROUPS_MAX) : null;
    for (int i = 0; items != null && i < items.size(); i++) {
      var group = group(JsonReader.of(items.get(i), reader.at("groups") + "/" + i, faults), names);
      if (group != null) {
        groups.add(group);
      }
    }
    var expires = reader.parsed("expiresAfter", 32,
        text -> within(duration(text), EXPIRES_MIN, EXPIRES_MAX, "must be from 1 minute to 30 days"));
    var delay = reader.parsed("delay", 32,
        text -> within(duration(text), DELAY_MIN, DELAY_MAX, "must be from 1 second to 30 days"));
    return new Rule.Approval(head.id, head.scope.match(), head.schedule, groups,
        expires == null ? EXPIRES_DEFAULT : expires, delay == null ? Duration.ZERO : delay, head.when);
  }

  private Rule.@Nullable GroupThreshold group(JsonReader reader, Set<String> names) {
    var name = reader.requiredText("group", 64);
    var threshold = reader.present("threshold") ? reader.number("threshold", 1, GROUPS_MAX) : null;
    reader.refuseUnknown();
    if (name == null) {
      return null;
    }
    if (!names.add(name)) {
      reader.fault("group", "`" + name + "` is named twice");
    }
    var size = context == null ? Integer.valueOf(GROUPS_MAX) : context.groups().get(name);
    if (size == null) {
      reader.fault("group", "`" + name + "` is not an approver group");
    } else if (threshold != null && threshold > size) {
      reader.fault("threshold", "is more than the " + size + " members of `" + name + "`");
    }
    return threshold == null ? null : new Rule.GroupThreshold(name, threshold.intValue());
  }

  private static @Nullable TimeSpan span(@Nullable JsonReader reader) {
    if (reader == null) {
      return null;
    }
    var cron = reader.requiredParsed("cron", Cron.LENGTH_MAX, Cron::new);
    var length = reader.requiredParsed("for", 32,
        text -> within(duration(text), TimeSpan.DURATION_MIN, TimeSpan.DURATION_MAX,
            "must be from 1 minute to 7 days"));
    var zone = reader.requiredParsed("zone", 64, RuleReader::zone);
    reader.refuseUnknown();
    return cron == null || length == null || zone == null ? null : new TimeSpan(cron, length, zone);
  }

  private static String ruleId(String text) {
    return matching(RULE_ID, text,
        "must be 1 to 64 of `a` to `z`, `0` to `9`, `_` and `-`, and begin with a letter or digit");
  }

  static String matching(Pattern pattern, String text, String message) {
    if (!pattern.matcher(text).matches()) {
      throw new IllegalArgumentException(message);
    }
    return text;
  }

  /** An ISO 8601 duration of days of 24 hours, hours, minutes and whole seconds. */
  private static Duration duration(String text) {
    return Duration.parse(
        matching(DURATION, text,
            "must be a duration such as `PT24H` or `P7D`, in days, hours, minutes and whole seconds"));
  }

  private static Duration within(Duration duration, Duration min, Duration max, String message) {
    if (duration.compareTo(min) < 0 || duration.compareTo(max) > 0) {
      throw new IllegalArgumentException(message);
    }
    return duration;
  }

  private static ZoneId zone(String text) {
    if (!ZONES.contains(text)) {
      throw new IllegalArgumentException("`" + text + "` is not a time zone such as `Europe/Berlin` or `UTC`");
    }
    return ZoneId.of(text);
  }

  private static Window.Calendar.Unit unit(String text) {
    return named(Window.Calendar.Unit.values(), text, "must be `hour`, `day`, `week` or `month`");
  }

  private static Dimension dimension(String text) {
    return named(Dimension.values(), text, "must be `tenant`, `agent`, `wallet`, `payee`, `host` or `category`");
  }

  private static <E extends Enum<E>> E named(E[] values, String text, String message) {
    for (var value : values) {
      if (value.name().toLowerCase(Locale.ROOT).equals(text)) {
        return value;
      }
    }
    throw new IllegalArgumentException(message);
  }

  /** A set of what an array of texts names; null where it is absent. */
  static <T> @Nullable Set<T> set(JsonReader reader, String name, int itemsMax, int lengthMax,
      Function<String, T> parse) {
    var items = reader.texts(name, itemsMax, lengthMax, parse);
    return items == null ? null : Set.copyOf(items);
  }
}
