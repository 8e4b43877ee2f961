package io.bursar.policy;

import java.util.List;
import java.util.Objects;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.spend.SpendFacts;

/**
 * A policy's rules as one immutable version.
 *
 * @param version {@code sha256:} and the SHA-256 of the document's canonical bytes (RFC 8785)
 * @param mode whether it has a say
 */
public record Policy(String name, List<Rule> rules, String version, Mode mode) {
  /** The most rules in one policy. */
  public static final int RULES_MAX = 10_000;

  public Policy {
    rules = List.copyOf(rules);
  }

  /** A policy that has a say. */
  public Policy(String name, List<Rule> rules, String version) {
    this(name, rules, version, Mode.ENFORCE);
  }

  /** Whether a policy has a say in the decisions that it takes part in. */
  public enum Mode {
    ENFORCE,
    /** What it would have said is recorded, and its limits count, but it neither permits nor denies. */
    OBSERVE
  }

  /** What a policy can be attached to, from the widest to the narrowest. */
  public enum Target {
    TENANT,
    AGENT,
    WALLET
  }

  /**
   * A policy that is attached to something and so takes part in its decisions. Making one prepares its rules, which costs
   * some microseconds for each: make it once and keep it for as long as the attachment stands.
   */
  public static final class InForce {
    private final UUID policyId;
    private final Policy policy;
    private final Target attachedTo;
    private final Decision.PolicyVersion version;
    private final RuleInForce[] rules;
    private final @Nullable RuleIndex index;

    public InForce(UUID policyId, Policy policy, Target attachedTo) {
      this.policyId = policyId;
      this.policy = policy;
      this.attachedTo = attachedTo;
      this.version = new Decision.PolicyVersion(policyId, policy.version(), attachedTo);
      this.rules = policy.rules().stream().map(rule -> new RuleInForce(policyId, rule, attachedTo))
          .toArray(RuleInForce[]::new);
      for (var rule : rules) {
        rule.bindCondition(rules, attachedTo);
      }
      this.index = rules.length > RuleIndex.RULES_MIN ? new RuleIndex(rules) : null;
    }

    public UUID policyId() {
      return policyId;
    }

    public Policy policy() {
      return policy;
    }

    public Target attachedTo() {
      return attachedTo;
    }

    Decision.PolicyVersion version() {
      return version;
    }

    boolean observes() {
      return policy.mode() == Mode.OBSERVE;
    }

    /** The prepared rules, in the order of the policy; not to be written to. */
    RuleInForce[] rules() {
      return rules;
    }

    /**
     * The rules that may have something to say of a request, in the order of the policy, not to be written to: all of a small
     * policy, and of a large one those that an index cannot leave out.
     */
    RuleInForce[] rules(SpendFacts facts) {
      return index == null ? rules : index.rules(facts);
    }

    @Override
    public boolean equals(@Nullable Object other) {
      return other instanceof InForce that && policyId.equals(that.policyId) && policy.equals(that.policy)
          && attachedTo == that.attachedTo;
    }

    @Override
    public int hashCode() {
      return Objects.hash(policyId, policy.version(), attachedTo);
    }

    @Override
    public String toString() {
      return "InForce[policyId=" + policyId + ", version=" + policy.version() + ", attachedTo=" + attachedTo + "]";
    }
  }
}
