package io.bursar.policy;

import java.util.List;
import java.util.function.BiFunction;

import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.policy.Decision.Code;
import io.bursar.policy.Policy.InForce;
import io.bursar.spend.SpendFacts;

/**
 * What becomes of a decision that its record has no room for, because too many rules look at one spend: it is denied, since no
 * money moves without its reasons on the record. The entry of the denial keeps what was read if there is room, so that the whole
 * decision can be made again, and measured again; else it keeps nothing of it, and what can be shown is that the rules may have
 * come to so much.
 */
public final class EntryBound {
  /** The most bytes of an entry: a bundle of entries gives its length in two (C2SP tlog-tiles). */
  public static final int BYTES_MAX = 65_535;

  /** Members of an entry beside those that grow with the rules, at most: the facts, two commitments, names. */
  private static final int BESIDE_MAX = 4_096;
  /** One rule's line of the trace without its identifier. */
  private static final int TRACE_MAX = 128;
  /** What a rule says of one reason, without its identifier: numbers have up to 100 digits and stand there up to five times. */
  private static final int REASON_MAX = 1_024;
  /** One reading without its identifier, or one sum that a condition read. */
  private static final int READING_MAX = 256;
  private static final int CONDITION_MAX = 1_024;

  private EntryBound() {}

  /** A decision and its advice as an entry can hold them, and that entry. */
  public record Recorded(Decision decision, Advice advice, byte[] payload, Json.Obj entry) {}

  /**
   * The decision as it is if its entry has room for it, else the denial that takes its place.
   *
   * @param writer makes the entry of a decision with its advice
   */
  public static Recorded record(Decision decision, Advice advice,
      BiFunction<Decision, Advice, Json.Obj> writer) {
    var whole = recorded(decision, advice, writer);
    if (whole.payload.length <= BYTES_MAX) {
      return whole;
    }
    var denied = recorded(denial(decision, decision.readings(), decision.conditions()),
        new Advice(null, null, advice.readings()), writer);
    return denied.payload.length <= BYTES_MAX
        ? denied
        : recorded(denial(decision, List.of(), List.of()), Advice.NONE, writer);
  }

  private static Recorded recorded(Decision decision, Advice advice,
      BiFunction<Decision, Advice, Json.Obj> writer) {
    var entry = writer.apply(decision, advice);
    return new Recorded(decision, advice, JsonText.canonical(entry), entry);
  }

  private static Decision denial(Decision of, List<Decision.Reading> readings,
      List<Decision.ConditionReading> conditions) {
    return new Decision(Decision.Effect.DENY, false, of.policies(),
        List.of(Reasons.of(Code.EVALUATION_ERROR, Reasons.TOO_MANY)), List.of(), List.of(), readings, null, List.of(),
        conditions);
  }

  /**
   * The denial of a spend whose entry kept nothing of what was read.
   *
   * @param policies what was in force; they must be such that {@link #mayPass}
   */
  static Decision denial(List<InForce> policies) {
    return new Decision(Decision.Effect.DENY, false,
        PolicyEngine.inOrder(policies).stream().map(InForce::version).toList(),
        List.of(Reasons.of(Code.EVALUATION_ERROR, Reasons.TOO_MANY)), List.of(), List.of(), List.of(), null, List.of(),
        List.of());
  }

  /** Whether an entry is of a denial for want of room that kept nothing of what was read. */
  static boolean keptNothing(Json.Obj decision, List<Decision.Reading> readings) {
    return readings.isEmpty() && decision.get("reasons") instanceof Json.Arr(var reasons) && reasons.size() == 1
        && reasons.getFirst() instanceof Json.Obj reason
        && new Json.Str(Reasons.TOO_MANY).equals(reason.get("message"));
  }

  /** Whether these policies may say more of such a spend than an entry has room for. */
  static boolean mayPass(List<InForce> policies, SpendFacts facts) {
    long most = BESIDE_MAX;
    for (var inForce : policies) {
      for (var rule : inForce.rules(facts)) {
        most += most(rule.rule);
      }
    }
    return most > BYTES_MAX;
  }

  /** The most bytes that the record of one decision has of a rule, if the rule refuses for all the reasons that it can have. */
  static long most(Rule rule) {
    long most = (long) TRACE_MAX + rule.id().length() + (rule.when() == null ? 0 : CONDITION_MAX);
    return most + switch (rule) {
      case Rule.Permit permit -> REASON_MAX / 4L + permit.id().length();
      case Rule.Deny deny -> REASON_MAX / 4L + deny.id().length();
      case Rule.Limit limit -> (long) READING_MAX + REASON_MAX + 4L * limit.id().length();
      case Rule.Approval approval -> REASON_MAX / 4L + approval.id().length()
          + approval.groups().stream().mapToLong(group -> 64L + 2L * group.group().length()).sum();
    };
  }
}
