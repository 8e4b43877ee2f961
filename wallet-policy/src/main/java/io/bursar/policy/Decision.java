package io.bursar.policy;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

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
 */
public record Decision(Effect effect, boolean implicit, List<PolicyVersion> policies, List<Reason> reasons,
    List<RuleTrace> trace,
    List<Charge> charges, List<Reading> readings, @Nullable ApprovalNeeded approval) {
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

  /** What one rule said. */
  public record RuleTrace(UUID policyId, String rule, String kind, Outcome outcome) {
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
   * Which groups must approve.
   *
   * @param expiresAfter how long they have: the shortest of all triggered rules
   * @param delay how long the spend still waits when they have approved: the longest of all triggered rules; zero for not at
   *        all
   */
  public record ApprovalNeeded(List<Rule.GroupThreshold> groups, Duration expiresAfter, Duration delay) {}
}
