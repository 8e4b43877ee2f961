package io.bursar.verify;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.policy.Policy;
import io.bursar.policy.PolicyEnvironment;
import io.bursar.policy.PolicyJson;
import io.bursar.policy.Replay;
import io.bursar.policy.cel.CelConditions;

/**
 * Decides every authorization again, with the policies that the log itself holds, and checks that these were the ones in force:
 * those attached, by the log's own account, to the tenant, the agent and the wallet at that moment; and that the wallet was
 * frozen and the agent suspended when the log says so.
 *
 * <p>An entry is looked at in its order. Where this copy of the log lacks entries, what was attached before is not known, and
 * only the decisions are checked; their policies then come from the files {@code policies/<version>.json} of the copy.
 */
final class Replayed implements EntryCheck {
  private static final int POLICY_BYTES_MAX = 1 << 20;

  private final LogSource source;
  private final Map<String, Json> documents = new HashMap<>();
  private final Replay replay = new Replay(this::policy);
  private final Map<String, String> attached = new HashMap<>();
  private final Map<String, Boolean> stopped = new HashMap<>();
  private long next;
  private boolean whole = true;
  private long undecided;

  /** A policy cannot be made ready here: it names sets, and the log holds only their digests. */
  private static final class NotHere extends RuntimeException {
    NotHere() {
      super(null, null, false, false);
    }
  }

  /** The record has the digests of sets, not their values: what a policy that names one decides cannot be told from here. */
  private static final PolicyEnvironment ENVIRONMENT = new PolicyEnvironment(reference -> {
    throw new NotHere();
  }, (expression, sets) -> CelConditions.INSTANCE.compile(expression, sets));

  Replayed(LogSource source) {
    this.source = source;
  }

  @Override
  public boolean check(long index, byte[] entry) throws BadLog {
    if (index < next) {
      return false; // looked at before: the last bundle is read again when the log has grown
    }
    whole = whole && index == next;
    next = index + 1;
    try {
      if (isAuthorization(entry)) {
        return authorization(index, entry);
      }
      var other = (Json.Obj) JsonText.parse(entry);
      note(text(other, "kind"), other);
      return false;
    } catch (JsonText.Malformed | ClassCastException | IllegalArgumentException e) {
      throw new BadLog(index, "entry " + index + " is not an entry of Bursar: " + e.getMessage());
    }
  }

  /** Told without reading it as JSON: quotes within texts are escaped, and no rule of a policy is of that kind. */
  private static boolean isAuthorization(byte[] entry) {
    return new String(entry, StandardCharsets.ISO_8859_1).contains("\"kind\":\"" + Replay.KIND + "\"");
  }

  @Override
  public long undecided() {
    return undecided;
  }

  private boolean authorization(long index, byte[] payload) throws BadLog, JsonText.Malformed {
    boolean decided = decideAgain(index, payload);
    if (whole) {
      inForce(index, (Json.Obj) JsonText.parse(payload));
    }
    undecided += decided ? 0 : 1;
    return decided;
  }

  private boolean decideAgain(long index, byte[] payload) throws BadLog {
    Replay.Result result;
    try {
      result = replay.again(payload);
    } catch (NotHere e) {
      return false;
    }
    return switch (result) {
      case Replay.Same _ -> true;
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
        var document = member(entry, "document");
        if (!PolicyJson.version(document).equals(version)) {
          throw new IllegalArgumentException("the document of policy version `" + version + "` is another");
        }
        documents.put(version, document);
      }
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

  private Optional<Policy> policy(UUID policyId, String version) {
    var document = documents.get(version);
    if (document == null) {
      document = fromFile(version);
    }
    if (document == null) {
      return Optional.empty();
    }
    try {
      return Optional.of(Replay.policy(version, document, ENVIRONMENT));
    } catch (IllegalArgumentException e) {
      throw new NotHere();
    }
  }

  /** The file need not be believed: its version is the hash of what it holds. */
  private @Nullable Json fromFile(String version) {
    try {
      var file = source.read(policyPath(version), POLICY_BYTES_MAX);
      return file.isEmpty() ? null : JsonText.parse(file.get());
    } catch (IOException | JsonText.Malformed e) {
      return null;
    }
  }

  /** Where an evidence pack has a version of a policy. */
  private static String policyPath(String version) {
    return "policies/" + version.replace(':', '-') + ".json";
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
