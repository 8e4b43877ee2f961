package io.bursar.policy;

import java.util.List;
import java.util.UUID;

/**
 * A policy's rules as one immutable version.
 *
 * @param version {@code sha256:} and the SHA-256 of the document's canonical bytes (RFC 8785)
 */
public record Policy(String name, List<Rule> rules, String version) {
  /** The most rules in one policy. */
  public static final int RULES_MAX = 10_000;

  public Policy {
    rules = List.copyOf(rules);
  }

  /** What a policy can be attached to, from the widest to the narrowest. */
  public enum Target {
    TENANT, AGENT, WALLET
  }

  /** A policy that is attached to something and so takes part in its decisions. */
  public record InForce(UUID policyId, Policy policy, Target attachedTo) {}
}
