package io.bursar.verify;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;

import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.policy.Policy;
import io.bursar.policy.PolicyEnvironment;
import io.bursar.policy.PolicyJson;
import io.bursar.policy.Replay;
import io.bursar.policy.ValueSet;
import io.bursar.policy.cel.CelConditions;

/**
 * Decides every authorization again, with the policies that the log itself holds, and checks that these were the ones in force:
 * those attached, by the log's own account, to the tenant, the agent and the wallet at that moment; and that the wallet was
 * frozen and the agent suspended when the log says so.
 *
 * <p>An entry is looked at in its order. Where this copy of the log lacks entries, what was attached before is not known, and
 * only the decisions are checked. Policies that are not in the entries that are here, and sets, come from {@link Beside}.
 */
final class Replayed implements EntryCheck {
  private final Beside beside;
  private final PolicyEnvironment environment = new PolicyEnvironment(this::set,
      (expression, named) -> CelConditions.INSTANCE.compile(expression, named));
  private final Map<String, Json> documents = new HashMap<>();
  private final Map<String, SetVersion> sets = new HashMap<>();
  private final Set<String> created = new HashSet<>();
  private final Set<String> notHere = new HashSet<>();
  private final Replay replay = new Replay(this::policy);
  private final Map<String, String> attached = new HashMap<>();
  private final Map<String, Boolean> stopped = new HashMap<>();
  private long next;
  private boolean whole = true;

  /** A version of a set as the log has it: its kind and its digest, not its values, which may be many. */
  private record SetVersion(ValueSet.Kind kind, String digest) {}

  /** A policy cannot be made ready here: it, or a set that it names, is neither in the log nor beside it. */
  private static final class NotHere extends RuntimeException {
    NotHere() {
      super(null, null, false, false);
    }
  }

  Replayed(LogSource source) {
    this.beside = new Beside(source);
  }

  @Override
  public Outcome check(long index, byte[] payload) throws BadLog, IOException {
    if (index < next) {
      return Outcome.NOTHING_TO_DECIDE; // looked at before: the last bundle is read again when the log has grown
    }
    whole = whole && index == next;
    next = index + 1;
    try {
      var entry = (Json.Obj) JsonText.parse(payload);
      var kind = text(entry, "kind");
      if (!kind.equals(Replay.KIND)) {
        note(kind, entry);
        return Outcome.NOTHING_TO_DECIDE;
      }
      var outcome = decideAgain(index, entry, payload);
      if (whole) {
        inForce(index, entry);
      }
      return outcome;
    } catch (JsonText.Malformed | ClassCastException | IllegalArgumentException e) {
      throw new BadLog(index, "entry " + index + " is not an entry of Bursar: " + e.getMessage());
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  private Outcome decideAgain(long index, Json.Obj entry, byte[] payload) throws BadLog {
    Replay.Result result;
    try {
      result = replay.again(entry, payload);
    } catch (NotHere e) {
      return Outcome.UNDECIDED;
    }
    return switch (result) {
      case Replay.Same _ -> Outcome.DECIDED;
      case Replay.Different(var pointer, var recorded, var again) -> throw new BadLog(index, "entry " + index
          + " is decided otherwise: at `" + pointer + "` it has " + recorded + ", and should have " + again);
      case Replay.Impossible(var why) -> throw new BadLog(index, "entry " + index + " cannot be decided again: " + why);
    };
  }

  private void inForce(long index, Json.Obj entry) throws BadLog {
    var facts = (Json.Obj) member(entry, "facts");
    var recorded = new TreeMap<String, String>();
    var decision = (Json.Obj) member(entry, "decision");
    // Policies that only observe have no say, and stand apart.
    for (var list : new String[]{"policies", "observed"}) {
      if (decision.get(list) instanceof Json.Arr policies) {
        policies.items().forEach(policy -> recorded.put(text((Json.Obj) policy, "attachedTo"),
            text((Json.Obj) policy, "version")));
      }
    }
    var expected = new TreeMap<String, String>();
    put(expected, "tenant", text(entry, "tenant"));
    put(expected, "agent", text(facts, "agent"));
    put(expected, "wallet", text(facts, "wallet"));
    if (!recorded.equals(expected)) {
      throw new BadLog(index, "entry " + index + " was decided under the policies " + recorded
          + ", but by the log's own account these were in force: " + expected);
    }
    same(index, facts, "walletFrozen", text(facts, "wallet"));
    same(index, facts, "agentSuspended", text(facts, "agent"));
  }

  private void put(Map<String, String> expected, String target, String id) {
    var version = attached.get(id);
    if (version != null) {
      expected.put(target, version);
    }
  }

  private void same(long index, Json.Obj facts, String name, String id) throws BadLog {
    boolean expected = stopped.getOrDefault(id, false);
    if (!member(facts, name).equals(new Json.Bool(expected))) {
      throw new BadLog(index, "entry " + index + " says that `" + name + "` was " + !expected
          + ", but by the log's own account it was " + expected);
    }
  }

  /** What an entry changes for the decisions after it. */
  private void note(String kind, Json.Obj entry) {
    switch (kind) {
      case "policy.version_created" -> {
        var version = text(entry, "version");
        var document = entry.get("document");
        if (document != null && !PolicyJson.version(document).equals(version)) {
          throw new IllegalArgumentException("the document of policy version `" + version + "` is another");
        }
        created.add(version);
        if (document != null) {
          documents.put(version, document);
        }
      }
      case "value_set.version_created" -> sets.put(
          text(entry, "name") + "@" + ((Json.Num) member(entry, "version")).value(),
          new SetVersion(ValueSet.Kind.valueOf(text(entry, "setKind").toUpperCase(Locale.ROOT)),
              text(entry, "digest")));
      case "policy.attached" -> attached.put(text(entry, "targetId"), text(entry, "version"));
      case "policy.detached" -> attached.remove(text(entry, "targetId"));
      case "wallet.frozen" -> stopped.put(text(entry, "wallet"), true);
      case "wallet.unfrozen" -> stopped.put(text(entry, "wallet"), false);
      case "agent.suspended" -> stopped.put(text(entry, "agent"), true);
      case "agent.resumed" -> stopped.put(text(entry, "agent"), false);
      default -> {
        // What else happens changes no decision but through the counters, whose readings are in each entry.
      }
    }
  }

  /** Asked for once for each policy that an authorization was decided under; empty if no entry of a whole log has made it. */
  private Optional<Policy> policy(UUID policyId, String version) {
    if (whole && !created.contains(version)) {
      return Optional.empty();
    }
    if (notHere.contains(version)) {
      throw new NotHere();
    }
    try {
      var document = Optional.ofNullable(documents.get(version)).or(() -> beside.policy(version))
          .orElseThrow(NotHere::new);
      return Optional.of(Replay.policy(version, document, environment));
    } catch (NotHere e) {
      notHere.add(version);
      throw e;
    }
  }

  /** The set that a policy names, its values checked against the digest in the log; empty if no entry of a whole log has made it. */
  private Optional<ValueSet> set(String reference) {
    var version = sets.get(reference);
    if (version == null) {
      if (whole) {
        return Optional.empty();
      }
      throw new NotHere();
    }
    return Optional.of(ValueSet.of(reference, version.kind(),
        beside.values(version.digest()).orElseThrow(NotHere::new)));
  }

  private static Json member(Json.Obj object, String name) {
    var value = object.get(name);
    if (value == null) {
      throw new IllegalArgumentException("it has no member `" + name + "`");
    }
    return value;
  }

  private static String text(Json.Obj object, String name) {
    return ((Json.Str) member(object, name)).value();
  }
}
