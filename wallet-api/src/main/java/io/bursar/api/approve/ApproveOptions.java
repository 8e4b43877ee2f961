package io.bursar.api.approve;

import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.approval.ApproverKey;
import io.bursar.approval.Verdict;
import io.bursar.spend.Id;

/** What the tool was asked to do; see {@link ApproveTool#USAGE}. */
sealed interface ApproveOptions {
  record Help() implements ApproveOptions {}

  record KeyGen(Path out, ApproverKey.Curve curve) implements ApproveOptions {}

  /**
   * Sign a text.
   *
   * @param text null for standard input
   */
  record SignText(Path key, @Nullable Path text, boolean yes) implements ApproveOptions {}

  /** Sign what the service has to sign. */
  record SignFetched(Path key, Subject subject, Verdict verdict, @Nullable String comment, @Nullable String url,
      boolean print, boolean yes) implements ApproveOptions {}

  /** A spend, or a request for a change. */
  record Subject(Id kind, UUID id) {
    @Override
    public String toString() {
      return kind.text(id);
    }
  }

  /** The arguments make no sense. */
  final class Misused extends Exception {
    Misused(String message) {
      super(message);
    }
  }

  Set<String> WITH_VALUE = Set.of("--out", "--curve", "--key", "--text", "--spend", "--change", "--comment", "--url");
  Set<String> FLAGS = Set.of("--reject", "--print", "--yes");

  static ApproveOptions parse(List<String> args) throws Misused {
    if (args.contains("--help") || args.contains("-h") || args.equals(List.of("help"))) {
      return new Help();
    }
    boolean keygen = !args.isEmpty() && args.getFirst().equals("keygen");
    var given = read(keygen ? args.subList(1, args.size()) : args);
    if (keygen) {
      allow(given, "keygen", Set.of("--out", "--curve"));
      return new KeyGen(Path.of(required(given, "--out")), curve(given.getOrDefault("--curve", "Ed25519")));
    }
    var key = Path.of(required(given, "--key"));
    boolean yes = given.containsKey("--yes");
    if (!given.containsKey("--spend") && !given.containsKey("--change")) {
      allow(given, "a text", Set.of("--key", "--text", "--yes"));
      return new SignText(key, given.containsKey("--text") ? Path.of(required(given, "--text")) : null, yes);
    }
    var name = given.containsKey("--spend") ? "--spend" : "--change";
    allow(given, name, Set.of("--key", name, "--reject", "--comment", "--url", "--print", "--yes"));
    var kind = name.equals("--spend") ? Id.SPEND : Id.CHANGE;
    var id = required(given, name);
    return new SignFetched(key,
        new Subject(kind,
            kind.parse(id).orElseThrow(() -> new Misused("`" + id + "` is no identifier for `" + name + "`"))),
        given.containsKey("--reject") ? Verdict.REJECT : Verdict.APPROVE, given.get("--comment"), given.get("--url"),
        given.containsKey("--print"), yes);
  }

  private static Map<String, String> read(List<String> args) throws Misused {
    var given = new HashMap<String, String>();
    var rest = new ArrayDeque<>(args);
    while (!rest.isEmpty()) {
      var name = rest.removeFirst();
      boolean takesValue = WITH_VALUE.contains(name);
      if (!takesValue && !FLAGS.contains(name)) {
        throw new Misused("unexpected `" + name + "`");
      }
      if (takesValue && rest.isEmpty()) {
        throw new Misused("`" + name + "` needs a value");
      }
      if (given.put(name, takesValue ? rest.removeFirst() : "") != null) {
        throw new Misused("`" + name + "` is given twice");
      }
    }
    return given;
  }

  private static void allow(Map<String, String> given, String with, Set<String> allowed) throws Misused {
    for (var name : given.keySet()) {
      if (!allowed.contains(name)) {
        throw new Misused("`" + name + "` is of no use with " + with);
      }
    }
  }

  private static String required(Map<String, String> given, String name) throws Misused {
    var value = given.get(name);
    if (value == null || value.isEmpty()) {
      throw new Misused("`" + name + "` is required");
    }
    return value;
  }

  private static ApproverKey.Curve curve(String name) throws Misused {
    for (var curve : ApproverKey.Curve.values()) {
      if (curve.crv().equals(name)) {
        return curve;
      }
    }
    throw new Misused("`" + name + "` is no curve for approvers; there are `Ed25519` and `P-256`");
  }
}
