package io.bursar.store;

import java.math.BigDecimal;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

import io.bursar.json.Json;
import io.bursar.money.Address;

/** What the auditor asks of the record: every decision that was made, those made again included. */
public final class AuthorizationQuery {
  /**
   * Which decisions; what is absent matches all.
   *
   * @param from and {@code to}: of the time of the decision, {@code [from, to)}
   * @param amountFrom and {@code amountTo}: in units of the asset, both inclusive
   * @param newestFirst the order
   */
  public record Filter(Optional<UUID> agentId, Optional<UUID> walletId, Optional<Address> payee, Optional<String> asset,
      Optional<String> effect, Optional<String> status, Optional<String> reasonCode, Optional<String> policyVersion,
      Optional<Instant> from,
      Optional<Instant> to, Optional<BigDecimal> amountFrom, Optional<BigDecimal> amountTo, boolean newestFirst) {}

  /**
   * One decision as it was recorded.
   *
   * @param status what has become of its spend by now
   */
  public record Authorization(UUID id, UUID spendId, long seq, Instant at, String effect, String status,
      byte[] leafHash,
      Json.Obj entry) {}

  /** First decisions carry their spend's identifier, so that both kinds sort by the time of the decision. */
  private static final String SELECT = """
      SELECT d.authorization_id, d.spend_id, d.audit_seq, d.decided_at, d.effect, coalesce(p.state, 'denied') AS status, e.payload,
             e.leaf_hash
      FROM (SELECT tenant_id, spend_id AS authorization_id, spend_id, audit_seq, decided_at, effect, reason_codes FROM spend
            UNION ALL
            SELECT tenant_id, authorization_id, spend_id, audit_seq, decided_at, effect, reason_codes FROM redecision) d
      JOIN spend s ON s.tenant_id = d.tenant_id AND s.spend_id = d.spend_id
      JOIN asset a ON a.tenant_id = s.tenant_id AND a.asset_id = s.asset_id
      JOIN audit_entry e ON e.tenant_id = d.tenant_id AND e.seq = d.audit_seq
      LEFT JOIN payment p ON p.tenant_id = d.tenant_id AND p.spend_id = d.spend_id
      WHERE d.tenant_id = :tenant""";

  private final Database database;

  public AuthorizationQuery(Database database) {
    this.database = database;
  }

  public Optional<Authorization> find(UUID tenantId, UUID authorizationId) {
    return run(SELECT + " AND d.authorization_id = :id", Map.of("tenant", tenantId, "id", authorizationId)).stream()
        .findFirst();
  }

  public Page<Authorization> list(UUID tenantId, Filter filter, Page.Request page) {
    var sql = new StringBuilder(SELECT);
    var params = new HashMap<String, Object>();
    params.put("tenant", tenantId);
    page.after()
        .ifPresent(id -> and(sql, params,
            filter.newestFirst() ? " AND d.authorization_id < :after" : " AND d.authorization_id > :after",
            "after", id));
    filter.agentId().ifPresent(id -> and(sql, params, " AND s.agent_id = :agent", "agent", id));
    filter.walletId().ifPresent(id -> and(sql, params, " AND s.wallet_id = :wallet", "wallet", id));
    filter.payee().ifPresent(payee -> and(sql, params, " AND s.payee = :payee", "payee", payee.bytes()));
    filter.asset().ifPresent(symbol -> and(sql, params, " AND a.symbol = :symbol", "symbol", symbol));
    filter.effect().ifPresent(effect -> and(sql, params, " AND d.effect = :effect", "effect", effect));
    filter.status()
        .ifPresent(status -> and(sql, params, " AND coalesce(p.state, 'denied') = :status", "status", status));
    filter.reasonCode().ifPresent(code -> and(sql, params, " AND :code = ANY (d.reason_codes)", "code", code));
    filter.policyVersion().ifPresent(version -> and(sql, params, """
         AND convert_from(e.payload, 'UTF8')::jsonb #> '{decision,policies}' @> jsonb_build_array(jsonb_build_object('version', :version))
        """, "version", version));
    filter.from().ifPresent(at -> and(sql, params, " AND d.decided_at >= :from", "from", Directory.utc(at)));
    filter.to().ifPresent(at -> and(sql, params, " AND d.decided_at < :to", "to", Directory.utc(at)));
    filter.amountFrom()
        .ifPresent(amount -> and(sql, params, " AND s.amount >= :least * 10::numeric ^ a.decimals", "least", amount));
    filter.amountTo()
        .ifPresent(amount -> and(sql, params, " AND s.amount <= :most * 10::numeric ^ a.decimals", "most", amount));
    sql.append(filter.newestFirst() ? " ORDER BY d.authorization_id DESC" : " ORDER BY d.authorization_id")
        .append(" LIMIT :limit");
    params.put("limit", page.limit() + 1);
    return Page.of(run(sql.toString(), params), page.limit(), Authorization::id);
  }

  private static void and(StringBuilder sql, Map<String, Object> params, String condition, String name, Object value) {
    sql.append(condition);
    params.put(name, value);
  }

  private List<Authorization> run(String sql, Map<String, Object> params) {
    return database.sql().sql(sql).params(params)
        .query((row, n) -> new Authorization(Directory.uuid(row, "authorization_id"), Directory.uuid(row, "spend_id"),
            row.getLong("audit_seq"), Directory.instant(row, "decided_at"), row.getString("effect"),
            row.getString("status"),
            row.getBytes("leaf_hash"), SpendStore.entry(row.getBytes("payload"))))
        .list();
  }
}
