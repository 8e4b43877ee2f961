package io.bursar.store;

import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;

import io.bursar.json.JsonText;
import io.bursar.policy.Policy;
import io.bursar.spend.SpendFacts;

/**
 * Which policies decide over a wallet, read from the database. A version never changes, so its compiled form is kept for all
 * lanes.
 */
final class PoliciesInForce {
  /** What a lane must know of a wallet to decide. */
  record Standing(boolean walletFrozen, boolean agentSuspended, SettlementModes.OfWallet settlement,
      List<Policy.InForce> policies) {
    /** What is decided about: a request from the wallet as it stands. */
    SpendFacts facts(UUID tenantId, Spend.Request request) {
      return request.facts(tenantId, walletFrozen, agentSuspended);
    }
  }

  private static final int CACHED_MAX = 10_000;

  /** The same document means another policy in another tenant, where a set of the same name has other values. */
  private record Key(UUID tenantId, String version) {}

  private final Map<Key, Policy> compiled = new ConcurrentHashMap<>();

  /** The standing of each of these wallets that exists. */
  Map<UUID, Standing> read(Connection connection, UUID tenantId, Collection<UUID> walletIds) throws SQLException {
    var standings = new HashMap<UUID, Standing>();
    try (var statement = connection.prepareStatement("""
        SELECT w.wallet_id, w.status, a.status, p.target, p.policy_id, p.version, w.settlement
        FROM unnest(?::uuid[]) AS u(wallet_id)
        JOIN wallet w ON w.tenant_id = ? AND w.wallet_id = u.wallet_id
        JOIN agent a ON a.tenant_id = w.tenant_id AND a.agent_id = w.agent_id
        LEFT JOIN LATERAL (
          SELECT target, policy_id, version FROM policy_attachment
          WHERE tenant_id = w.tenant_id AND target = 'tenant' AND target_id = w.tenant_id
          UNION ALL SELECT target, policy_id, version FROM policy_attachment
          WHERE tenant_id = w.tenant_id AND target = 'agent' AND target_id = w.agent_id
          UNION ALL SELECT target, policy_id, version FROM policy_attachment
          WHERE tenant_id = w.tenant_id AND target = 'wallet' AND target_id = w.wallet_id) p ON true
        """)) {
      statement.setArray(1, connection.createArrayOf("uuid", walletIds.toArray()));
      statement.setObject(2, tenantId);
      try (var row = statement.executeQuery()) {
        while (row.next()) {
          boolean frozen = row.getString(2).equals("frozen");
          boolean suspended = row.getString(3).equals("suspended");
          var settlement = SettlementModes.OfWallet.of(row.getString(7));
          var standing = standings.computeIfAbsent(row.getObject(1, UUID.class),
              id -> new Standing(frozen, suspended, settlement, new ArrayList<>()));
          if (row.getString(4) != null) {
            var policyId = row.getObject(5, UUID.class);
            standing.policies()
                .add(new Policy.InForce(policyId, compiled(connection, tenantId, policyId, row.getString(6)),
                    target(row.getString(4))));
          }
        }
      }
    }
    return standings;
  }

  static Policy.Target target(String text) {
    return Policy.Target.valueOf(text.toUpperCase(Locale.ROOT));
  }

  static String text(Policy.Target target) {
    return target.name().toLowerCase(Locale.ROOT);
  }

  /** The compiled form of a version that some time was validated. */
  Policy compiled(Connection connection, UUID tenantId, UUID policyId, String version) throws SQLException {
    var known = compiled.get(new Key(tenantId, version));
    if (known != null) {
      return known;
    }
    try (var statement = connection.prepareStatement("""
        SELECT document FROM policy_version WHERE tenant_id = ? AND policy_id = ? AND version = ?
        """)) {
      statement.setObject(1, tenantId);
      statement.setObject(2, policyId);
      statement.setString(3, version);
      try (var result = statement.executeQuery()) {
        if (!result.next()) {
          throw new IllegalStateException("policy version `" + version + "` is attached but not there");
        }
        var policy = PolicyDocuments.load(connection, tenantId, JsonText.parse(result.getBytes(1)));
        if (compiled.size() >= CACHED_MAX) {
          compiled.clear();
        }
        compiled.put(new Key(tenantId, version), policy);
        return policy;
      } catch (JsonText.Malformed e) {
        throw new IllegalStateException("policy version `" + version + "` is not what was stored", e);
      }
    }
  }
}
