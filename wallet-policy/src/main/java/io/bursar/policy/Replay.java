package io.bursar.policy;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.policy.Policy.InForce;
import io.bursar.spend.Id;
import io.bursar.spend.SpendFacts;

/**
 * Decides recorded authorizations again, from nothing but the record and the policies that it names, and compares byte for
 * byte. An entry holds the facts, the time and every counter that was read; so the same engine must come to the same
 * decision with the same words.
 *
 * <p>The engine's version is in every decision. An engine that decides anything differently must get a new version, and the
 * old one must stay here for as long as there are decisions of it.
 *
 * <p>Policies that were met are kept. Not for use by several threads at once.
 */
public final class Replay {
  /** The kind of entry that can be decided again. */
  public static final String KIND = "authorization";

  /** The most policies that are kept prepared. */
  private static final int KEPT_MAX = 1_000;

  /** How much of a value a difference shows, in characters. */
  private static final int SHOWN_MAX = 200;

  /** Where the policies come from that entries name. */
  public interface Policies {
    /** A version of a policy; empty where it is not known. */
    Optional<Policy> find(UUID policyId, String version);
  }

  /** What deciding again came to. */
  public sealed interface Result {}

  /** The same, to the byte. */
  public record Same() implements Result {}

  /**
   * Something else.
   *
   * @param pointer the first place of the entry where they differ, as a JSON pointer (RFC 6901)
   * @param recorded the canonical JSON that stands there, shortened; {@code nothing} where nothing does
   * @param again what should
   */
  public record Different(String pointer, String recorded, String again) implements Result {}

  /** It cannot be decided again, and why: the entry is not what a decision writes, or a policy or the engine is not known. */
  public record Impossible(String why) implements Result {}

  private static final Result SAME = new Same();

  private final Policies policies;
  private final Map<Decision.PolicyVersion, InForce> inForce = new HashMap<>();

  public Replay(Policies policies) {
    this.policies = policies;
  }

  /**
   * The policy that a document is.
   *
   * @throws IllegalArgumentException if the document is none, or is not the version that it is said to be
   */
  public static Policy policy(String version, Json document) {
    return policy(version, document, PolicyEnvironment.NONE);
  }

  /**
   * As {@link #policy(String, Json)}, for a document that may name sets and have conditions.
   *
   * @throws IllegalArgumentException if the document is none, or is not the version that it is said to be
   */
  public static Policy policy(String version, Json document, PolicyEnvironment environment) {
    var policy = PolicyJson.load(document, environment);
    if (!policy.version().equals(version)) {
      throw new IllegalArgumentException("the document is version `" + policy.version() + "`, not `" + version + "`");
    }
    return policy;
  }

  /** Decides the authorization again that these bytes record. */
  public Result again(byte[] payload) {
    Json parsed;
    try {
      parsed = JsonText.parse(payload);
    } catch (JsonText.Malformed e) {
      return new Impossible("the entry is not JSON: " + e.getMessage());
    }
    return parsed instanceof Json.Obj entry
        ? again(entry, payload)
        : new Impossible("the entry is not an object");
  }

  /** As {@link #again(byte[])}, for an entry that was read already. */
  public Result again(Json.Obj entry, byte[] payload) {
    try {
      var again = decidedAgain(entry);
      if (Arrays.equals(JsonText.canonical(again), payload)) {
        return SAME;
      }
      var difference = difference("", entry, again);
      return difference == null ? new Impossible("the entry is not in canonical form (RFC 8785)") : difference;
    } catch (IllegalArgumentException e) {
      return new Impossible("the entry " + e.getMessage());
    } catch (UnknownEngine e) {
      return new Impossible("the decision is of engine `" + e.getMessage() + "`, which is not known here");
    } catch (UnknownPolicy e) {
      return new Impossible("the policy version `" + e.getMessage() + "` is not known here");
    }
  }

  /** The entry as it must be: what was not decided is taken as it stands. */
  private Json.Obj decidedAgain(Json.Obj entry) {
    if (!DecisionJson.text(entry, "kind").equals(KIND)) {
      throw new IllegalArgumentException("is not an authorization but `" + DecisionJson.text(entry, "kind") + "`");
    }
    var recorded = DecisionJson.object(entry.get("decision"), "decision");
    var engine = DecisionJson.text(recorded, "engine");
    if (!engine.equals(Decision.ENGINE)) {
      throw new UnknownEngine(engine);
    }
    var facts = DecisionJson.facts(DecisionJson.id(Id.TENANT, entry, "tenant"),
        DecisionJson.object(entry.get("facts"), "facts"));
    var now = DecisionJson.instant(DecisionJson.text(entry, "at"));
    List<InForce> inForceThen = new ArrayList<>(3);
    for (var version : DecisionJson.policies(recorded)) {
      inForceThen.add(inForce(version));
    }
    var readings = DecisionJson.readings(DecisionJson.array(entry, "readings"));
    if (EntryBound.keptNothing(recorded, readings) && EntryBound.mayPass(inForceThen, facts)) {
      return with(entry, facts, EntryBound.denial(inForceThen), Advice.NONE);
    }
    var counters = RecordedCounters.of(inForceThen, facts, readings, DecisionJson.conditions(entry.get("conditions")));
    var decision = PolicyEngine.decide(inForceThen, facts, counters, now);
    // The first decision of a spend shares its identifier; only it is an answer to the agent, and comes with advice.
    boolean first = Id.SPEND.parse(DecisionJson.text(entry, "spend"))
        .equals(Id.AUTHORIZATION.parse(DecisionJson.text(entry, "authorization")));
    var advice = first && decision.effect() != Decision.Effect.ALLOW
        ? Advice.of(inForceThen, facts, counters, now)
        : Advice.NONE;
    return EntryBound.record(decision, advice, (of, with) -> with(entry, facts, of, with)).entry();
  }

  private static Json.Obj with(Json.Obj entry, SpendFacts facts, Decision decision, Advice advice) {
    var again = Json.object();
    entry.members().forEach(again::put);
    return again.put("facts", DecisionJson.facts(facts)).put("decision", DecisionJson.decision(decision, advice))
        .put("readings", DecisionJson.readings(decision, advice))
        .put("conditions", DecisionJson.conditions(decision)).build();
  }

  private InForce inForce(Decision.PolicyVersion version) {
    var known = inForce.get(version);
    if (known == null) {
      var policy = policies.find(version.policyId(), version.version())
          .orElseThrow(() -> new UnknownPolicy(version.version()));
      if (inForce.size() >= KEPT_MAX) {
        inForce.clear();
      }
      known = new InForce(version.policyId(), policy, version.attachedTo());
      inForce.put(version, known);
    }
    return known;
  }

  /** The first place at which two values differ, members in canonical order; null where they do not. */
  private static @Nullable Different difference(String pointer, @Nullable Json recorded, @Nullable Json again) {
    if (recorded instanceof Json.Obj first && again instanceof Json.Obj second) {
      var names = new TreeSet<>(first.members().keySet());
      names.addAll(second.members().keySet());
      for (var name : names) {
        var inside = difference(pointer + "/" + name.replace("~", "~0").replace("/", "~1"), first.get(name),
            second.get(name));
        if (inside != null) {
          return inside;
        }
      }
      return null;
    }
    if (recorded instanceof Json.Arr(var first) && again instanceof Json.Arr(var second)) {
      for (int i = 0; i < Math.max(first.size(), second.size()); i++) {
        var inside = difference(pointer + "/" + i, i < first.size() ? first.get(i) : null,
            i < second.size() ? second.get(i) : null);
        if (inside != null) {
          return inside;
        }
      }
      return null;
    }
    return java.util.Objects.equals(recorded, again) ? null : new Different(pointer, shown(recorded), shown(again));
  }

  private static String shown(@Nullable Json value) {
    if (value == null) {
      return "nothing";
    }
    var text = new String(JsonText.canonical(value), StandardCharsets.UTF_8);
    return text.length() <= SHOWN_MAX ? text : text.substring(0, SHOWN_MAX) + "…";
  }

  private static final class UnknownEngine extends RuntimeException {
    UnknownEngine(String engine) {
      super(engine, null, false, false);
    }
  }

  private static final class UnknownPolicy extends RuntimeException {
    UnknownPolicy(String version) {
      super(version, null, false, false);
    }
  }
}
