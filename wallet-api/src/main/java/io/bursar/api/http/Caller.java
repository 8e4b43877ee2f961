package io.bursar.api.http;

import java.util.UUID;

import org.jspecify.annotations.Nullable;

/**
 * Who makes a request.
 *
 * @param tenantId the one tenant that the caller can see; for the operator the default tenant
 * @param agentId the agent that an agent's key acts for
 * @param approverId the approver that an approver's key acts for, or who holds an administrator's key
 * @param actor how the record names the caller: the key's id, or {@code operator}
 */
public record Caller(Role role, UUID tenantId, @Nullable UUID agentId, @Nullable UUID approverId, String actor) {
  public enum Role {
    /** The instance; and administrator of the default tenant. */
    OPERATOR,
    ADMIN,
    AGENT,
    APPROVER,
    AUDITOR
  }

  /** The agent whose spends and wallets alone the caller sees; only for an agent's key. */
  public java.util.Optional<UUID> onlyAgent() {
    return java.util.Optional.ofNullable(agentId);
  }
}
