package io.bursar.policy;

import java.math.BigInteger;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.money.Address;
import io.bursar.money.Asset;
import io.bursar.spend.Id;
import io.bursar.spend.SpendFacts;

/** A decision, what was asked for, and what was read, as they stand in the record; and read back from there. */
public final class DecisionJson {
  private DecisionJson() {}

  /** What was asked for. The tenant is not in it: every entry names it once. */
  public static Json.Obj facts(SpendFacts facts) {
    var asset = facts.asset();
    return Json.object().put("agent", Id.AGENT.text(facts.agentId())).put("wallet", Id.WALLET.text(facts.walletId()))
        .put("chain", asset.chain()).put("asset", asset.symbol()).put("contract", asset.contract().toString())
        .put("decimals", asset.decimals()).put("currency", asset.currency()).put("amount", facts.amount())
        .put("payee", facts.payee().toString()).put("method", facts.method()).put("category", facts.category())
        .put("host", facts.host()).put("walletFrozen", facts.walletFrozen())
        .put("agentSuspended", facts.agentSuspended()).build();
  }

  /**
   * Reads back what {@link #facts(SpendFacts)} wrote.
   *
   * @throws IllegalArgumentException if it is something else
   */
  public static SpendFacts facts(UUID tenantId, Json.Obj facts) {
    var asset = new Asset(text(facts, "chain"), Address.parse(text(facts, "contract")), text(facts, "asset"),
        (int) number(facts, "decimals"), textOrNull(facts, "currency"));
    return new SpendFacts(tenantId, id(Id.AGENT, facts, "agent"), id(Id.WALLET, facts, "wallet"), asset,
        new BigInteger(text(facts, "amount")), Address.parse(text(facts, "payee")), text(facts, "method"),
        textOrNull(facts, "category"), textOrNull(facts, "host"), flag(facts, "walletFrozen"),
        flag(facts, "agentSuspended"));
  }

  /** The decision as the API shows it to administrators and auditors. */
  public static Json.Obj decision(Decision decision, Advice advice) {
    var policies = new ArrayList<Json>();
    decision.policies().forEach(policy -> policies.add(policy(policy).build()));
    var approval = decision.approval();
    return Json.object().put("effect", text(decision.effect())).put("implicit", decision.implicit())
        .put("engine", Decision.ENGINE)
        .put("policies", new Json.Arr(policies)).put("reasons", reasons(decision.reasons()))
        .put("maxAmountNow", advice.maxAmountNow())
        .put("retryAt", advice.retryAt() == null ? null : advice.retryAt().toString())
        .put("approval", approval == null ? null : approval(approval)).put("trace", trace(decision.trace()))
        .put("observed", decision.observed().isEmpty() ? null : observed(decision)).build();
  }

  private static Json.Builder policy(Decision.PolicyVersion policy) {
    return Json.object().put("id", Id.POLICY.text(policy.policyId())).put("version", policy.version())
        .put("attachedTo", text(policy.attachedTo()));
  }

  private static Json reasons(List<Decision.Reason> of) {
    var reasons = new ArrayList<Json>();
    for (var reason : of) {
      reasons.add(Json.object().put("code", reason.code().name())
          .put("policy", reason.policyId() == null ? null : Id.POLICY.text(reason.policyId()))
          .put("rule", reason.rule())
          .put("message", reason.message()).put("observed", reason.observed()).put("bound", reason.bound())
          .put("headroom", reason.headroom()).build());
    }
    return new Json.Arr(reasons);
  }

  private static Json trace(List<Decision.RuleTrace> of) {
    List<Json> trace = new ArrayList<>(of.size());
    of.forEach(rule -> trace.add(rule.json()));
    return new Json.Arr(trace);
  }

  static Json.Obj trace(UUID policyId, String rule, String kind, Decision.RuleTrace.Outcome outcome) {
    return Json.object().put("policy", Id.POLICY.text(policyId)).put("rule", rule).put("kind", kind)
        .put("outcome", outcome.name().toLowerCase(Locale.ROOT)).build();
  }

  private static Json observed(Decision decision) {
    var observed = new ArrayList<Json>();
    for (var observation : decision.observed()) {
      observed.add(policy(observation.policy()).put("effect", text(observation.effect()))
          .put("reasons", reasons(observation.reasons())).put("trace", trace(observation.trace())).build());
    }
    return new Json.Arr(observed);
  }

  private static Json approval(Decision.ApprovalNeeded approval) {
    var groups = new ArrayList<Json>();
    approval.groups()
        .forEach(
            group -> groups.add(Json.object().put("group", group.group()).put("threshold", group.threshold()).build()));
    return Json.object().put("groups", new Json.Arr(groups)).put("expiresAfter", approval.expiresAfter().toString())
        .put("delay", approval.delay().isZero() ? null : approval.delay().toString()).build();
  }

  /** All that was read of the counters: first for the decision, then for the advice. */
  public static Json.Arr readings(Decision decision, Advice advice) {
    var readings = new ArrayList<Json>();
    decision.readings().forEach(reading -> readings.add(reading(reading)));
    advice.readings().forEach(reading -> readings.add(reading(reading)));
    return new Json.Arr(readings);
  }

  private static Json reading(Decision.Reading reading) {
    return Json.object().put("policy", Id.POLICY.text(reading.policyId())).put("rule", reading.rule())
        .put("sum", reading.usage().sum()).put("count", reading.usage().count())
        .put("fitsAt", reading.fitsAt() == null ? null : reading.fitsAt().toString()).build();
  }

  /** What conditions read beside the facts; null where none did. */
  public static Json.@Nullable Arr conditions(Decision decision) {
    if (decision.conditions().isEmpty()) {
      return null;
    }
    var conditions = new ArrayList<Json>();
    for (var reading : decision.conditions()) {
      var spent = Json.object();
      new TreeMap<>(reading.spent()).forEach(spent::put);
      conditions.add(Json.object().put("policy", Id.POLICY.text(reading.policyId()))
          .put("attachedTo", text(reading.attachedTo())).put("rule", reading.rule())
          .put("outcomes", reading.outcomes().isEmpty()
              ? null
              : Json.strings(
                  reading.outcomes().stream().map(outcome -> outcome.name().toLowerCase(Locale.ROOT)).toList()))
          .put("spent", reading.spent().isEmpty() ? null : spent.build()).build());
    }
    return new Json.Arr(conditions);
  }

  /**
   * Reads back what {@link #conditions(Decision)} wrote.
   *
   * @param conditions null where no condition read anything
   * @throws IllegalArgumentException if it is something else
   */
  public static List<Decision.ConditionReading> conditions(@Nullable Json conditions) {
    if (conditions == null) {
      return List.of();
    }
    if (!(conditions instanceof Json.Arr(var items))) {
      throw new IllegalArgumentException("has `conditions` that are no array");
    }
    List<Decision.ConditionReading> read = new ArrayList<>(items.size());
    for (var item : items) {
      var reading = object(item, "conditions");
      List<Decision.ConditionOutcome> outcomes = new ArrayList<>();
      if (reading.get("outcomes") != null) {
        for (var outcome : array(reading, "outcomes").items()) {
          if (!(outcome instanceof Json.Str(var name))) {
            throw new IllegalArgumentException("has an outcome of a condition that is no text");
          }
          outcomes.add(Decision.ConditionOutcome.valueOf(name.toUpperCase(Locale.ROOT)));
        }
      }
      Map<String, BigInteger> spent = new HashMap<>();
      if (reading.get("spent") != null) {
        var sums = object(reading.get("spent"), "spent");
        sums.members().keySet().forEach(limit -> spent.put(limit, new BigInteger(text(sums, limit))));
      }
      read.add(new Decision.ConditionReading(id(Id.POLICY, reading, "policy"), target(reading),
          text(reading, "rule"), outcomes, spent));
    }
    return read;
  }

  private static Policy.Target target(Json.Obj object) {
    return Policy.Target.valueOf(text(object, "attachedTo").toUpperCase(Locale.ROOT));
  }

  /**
   * Reads back what {@link #readings(Decision, Advice)} wrote.
   *
   * @throws IllegalArgumentException if it is something else
   */
  public static List<Decision.Reading> readings(Json.Arr readings) {
    List<Decision.Reading> read = new ArrayList<>(readings.items().size());
    for (var item : readings.items()) {
      var reading = object(item, "readings");
      var fitsAt = textOrNull(reading, "fitsAt");
      read.add(new Decision.Reading(id(Id.POLICY, reading, "policy"), text(reading, "rule"),
          new Counters.Usage(new BigInteger(text(reading, "sum")), number(reading, "count")),
          fitsAt == null ? null : instant(fitsAt)));
    }
    return read;
  }

  /**
   * The policies that a recorded decision names.
   *
   * @throws IllegalArgumentException if it is no recorded decision
   */
  public static List<Decision.PolicyVersion> policies(Json.Obj decision) {
    List<Decision.PolicyVersion> policies = new ArrayList<>(3);
    for (var item : array(decision, "policies").items()) {
      var policy = object(item, "policies");
      policies.add(new Decision.PolicyVersion(id(Id.POLICY, policy, "id"), text(policy, "version"),
          target(policy)));
    }
    return policies;
  }

  public static String text(Decision.Effect effect) {
    return effect.name().toLowerCase(Locale.ROOT);
  }

  public static String text(Policy.Target target) {
    return target.name().toLowerCase(Locale.ROOT);
  }

  static Instant instant(String text) {
    try {
      return Instant.parse(text);
    } catch (DateTimeException e) {
      throw new IllegalArgumentException("is not a time: `" + text + "`", e);
    }
  }

  static String text(Json.Obj object, String name) {
    if (object.get(name) instanceof Json.Str(var text)) {
      return text;
    }
    throw new IllegalArgumentException("has no text `" + name + "`");
  }

  private static @Nullable String textOrNull(Json.Obj object, String name) {
    return object.get(name) == null ? null : text(object, name);
  }

  static UUID id(Id kind, Json.Obj object, String name) {
    return kind.parse(text(object, name))
        .orElseThrow(() -> new IllegalArgumentException("has no identifier `" + name + "`"));
  }

  static Json.Obj object(@Nullable Json value, String name) {
    if (value instanceof Json.Obj object) {
      return object;
    }
    throw new IllegalArgumentException("has no object `" + name + "`");
  }

  static Json.Arr array(Json.Obj object, String name) {
    if (object.get(name) instanceof Json.Arr array) {
      return array;
    }
    throw new IllegalArgumentException("has no array `" + name + "`");
  }

  private static long number(Json.Obj object, String name) {
    if (object.get(name) instanceof Json.Num(long number)) {
      return number;
    }
    throw new IllegalArgumentException("has no number `" + name + "`");
  }

  private static boolean flag(Json.Obj object, String name) {
    if (object.get(name) instanceof Json.Bool(boolean flag)) {
      return flag;
    }
    throw new IllegalArgumentException("has no flag `" + name + "`");
  }
}
