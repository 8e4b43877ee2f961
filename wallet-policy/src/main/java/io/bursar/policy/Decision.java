package io.bursar.policy;

import java.math.BigInteger;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;

/**
 * The answer to one request to spend, with everything that led to it.
 *
 * @param implicit whether a denial comes from nothing having granted, rather than from something having refused
 * @param policies the policies that were in force
 * @param reasons why it is not an outright allow, most important first; empty for an allow
 * @param trace what each rule said
 * @param charges the counters that the spend takes from if it is allowed or pending
 * @param readings what was read from the counters; with the facts, the policies and {@code now} it suffices to decide again
 * @param approval what people must do, for {@link Effect#REQUIRE_APPROVAL}
 * @param observed what the policies that only observe would have said, in the order of {@code policies}
 * @param conditions what conditions read that stands nowhere else; part of the readings
 */
public record Decision(Effect effect, boolean implicit, List<PolicyVersion> policies, List<Reason> reasons,
    List<RuleTrace> trace,
    List<Charge> charges, List<Reading> readings, @Nullable ApprovalNeeded approval, List<Observation> observed,
    List<ConditionReading> conditions) {
  /** The version of the decision function; another one may decide the same inputs differently. */
  public static final String ENGINE = "1";

  public enum Effect {
    ALLOW,
    REQUIRE_APPROVAL,
    DENY
  }

  /** Why a spend is not allowed outright; stable, in order of precedence. */
  public enum Code {
    WALLET_FROZEN,
    AGENT_SUSPENDED,
    NO_POLICY,
    EVALUATION_ERROR,
    DENIED_BY_RULE,
    OUTSIDE_HOURS,
    NO_PERMIT,
    BELOW_MINIMUM,
    LIMIT_EXCEEDED,
    RATE_EXCEEDED,
    APPROVAL_REQUIRED
  }

  /** A policy that was in force, by its identity and version. */
  public record PolicyVersion(UUID policyId, String version, Policy.Target attachedTo) {}

  /**
   * One reason.
   *
   * @param policyId and {@code rule}: where it comes from; absent where no rule is to blame
   * @param observed what the request would bring the count to, in the rule's unit
   * @param bound what the rule lets through
   * @param headroom what is left
   */
  public record Reason(Code code, @Nullable UUID policyId, @Nullable String rule, String message,
      @Nullable String observed,
      @Nullable String bound, @Nullable String headroom) {}

  /**
   * What one rule said.
   *
   * @param json this in the record: it is written for every spend that the rule looks at, and always the same
   */
  public record RuleTrace(UUID policyId, String rule, String kind, Outcome outcome, Json.Obj json) {
    RuleTrace(UUID policyId, String rule, String kind, Outcome outcome) {
      this(policyId, rule, kind, outcome, DecisionJson.trace(policyId, rule, kind, outcome).prepared());
    }

    public enum Outcome {
      /** A permit that grants, a deny that denies, an approval that asks. */
      MATCHED,
      /** The rule does not look at this spend, or not at this time. */
      NOT_MATCHED,
      /** A limit that the spend stays within. */
      WITHIN,
      /** A limit that the spend would break. */
      EXCEEDED,
      /** The rule could not be evaluated. */
      ERROR
    }
  }

  /** One counter that the spend takes from. Equal counters appear once. */
  public record Charge(Counter counter, long key) {}

  /**
   * What was read of one counter.
   *
   * @param fitsAt when the request would have fitted, for a limit that it broke; absent where never or not asked
   */
  public record Reading(UUID policyId, String rule, Counters.Usage usage, @Nullable Instant fitsAt) {}

  /**
   * What a policy that only observes would have said, had it been the only one.
   *
   * @param effect what it would have come to
   * @param reasons and {@code trace}: as of a decision
   */
  public record Observation(PolicyVersion policy, Effect effect, List<Reason> reasons, List<RuleTrace> trace) {}

  /**
   * What the condition of a rule read beside the facts: the agent's own words, of which only the outcome is kept, and what
   * limits had been used of. It is taken whenever the rule looks at such a spend, whatever its amount and the time.
   *
   * @param outcomes what the condition came to, for one that reads the agent's words; see {@link ConditionInForce} for whose
   *        amounts; empty for one that does not
   * @param spent by the id of a limit, the sum in its window in parts of 10^-18; absent where it could not be read
   */
  public record ConditionReading(UUID policyId, Policy.Target attachedTo, String rule, List<ConditionOutcome> outcomes,
      Map<String, BigInteger> spent) {
    public ConditionReading {
      outcomes = List.copyOf(outcomes);
      spent = Map.copyOf(spent);
    }
  }

  /** What a condition came to. */
  public enum ConditionOutcome {
    HOLDS,
    FAILS,
    /** It could not be evaluated. */
    ERROR
  }

  /**
   * Which groups must approve.
   *
   * @param expiresAfter how long they have: the shortest of all triggered rules
   * @param delay how long the spend still waits when they have approved: the longest of all triggered rules; zero for not at
   *        all
   */
  public record ApprovalNeeded(List<Rule.GroupThreshold> groups, Duration expiresAfter, Duration delay) {}
}
