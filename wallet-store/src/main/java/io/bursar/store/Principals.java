package io.bursar.store;

import java.util.Collection;
import java.util.UUID;

import io.bursar.spend.Id;

/**
 * Whose agent an agent is. Its principals are the approvers that were named, and the approver who holds the administrator's key
 * by which the agent or one of its keys was made. They never count for what the agent asks for.
 */
final class Principals {
  private Principals() {}

  /**
   * Adds principals to an agent, inside a transaction.
   *
   * @param actor who makes the agent or its key; where that is an API key with a holder, the holder is added too
   */
  static void add(Database database, UUID tenantId, UUID agentId, Collection<UUID> approvers, String actor) {
    database.sql().sql("""
        INSERT INTO agent_principal (tenant_id, agent_id, approver_id)
        SELECT :tenant, :agent, unnest(:approvers::uuid[])
        UNION SELECT tenant_id, :agent, approver_id FROM api_key
        WHERE tenant_id = :tenant AND key_id = :key AND approver_id IS NOT NULL
        ON CONFLICT DO NOTHING
        """).param("tenant", tenantId).param("agent", agentId).param("approvers", approvers.toArray(UUID[]::new))
        .param("key", Id.API_KEY.parse(actor).orElse(new UUID(0, 0))).update();
  }

  /** Whether an approver is one of an agent's principals. */
  static boolean has(Database database, UUID tenantId, UUID agentId, UUID approverId) {
    return database.sql().sql("""
        SELECT EXISTS (SELECT FROM agent_principal
                       WHERE tenant_id = :tenant AND agent_id = :agent AND approver_id = :approver)
        """).param("tenant", tenantId).param("agent", agentId).param("approver", approverId).query(Boolean.class)
        .single();
  }
}
