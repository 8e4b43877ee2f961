package io.bursar.store;

import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.stream.Collectors;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.money.Address;

/** Reads spends: what was asked, what was decided, and what became of it. */
public final class SpendStore {
  /**
   * Which spends; what is absent matches all.
   *
   * @param status {@code denied} or a state of a payment
   * @param waitingFor an approver: only spends that wait for a group that the approver is in and has not spoken on, and
   *     not those of the approver's own agents
   */
  public record Filter(Optional<UUID> agentId, Optional<UUID> walletId, Optional<String> status,
      Optional<Address> payee,
      Optional<String> asset, Optional<Instant> from, Optional<Instant> to, Optional<UUID> waitingFor) {
    public static final Filter ALL = new Filter(Optional.empty(), Optional.empty(), Optional.empty(), Optional.empty(),
        Optional.empty(),
        Optional.empty(), Optional.empty(), Optional.empty());
  }

  private static final String SELECT = """
      SELECT s.tenant_id, s.spend_id, s.agent_id, s.wallet_id, s.idempotency_key, s.fingerprint, s.amount, s.payee, s.category, s.host,
             s.decided_at, a.asset_id, a.chain, a.contract, a.symbol, a.decimals, a.currency, a.created_at,
             t.purpose, t.reference, t.metadata,
             p.state, p.expires_at, p.not_before, p.request_expires_at, p.nonce, p.transaction_hash, p.block_number, p.failure, p.failure_code, p.failure_observed, p.failure_bound,
             p.cancel_requested_at,
             CASE WHEN p.mode = 'relayed' THEN (SELECT b.attempts FROM relay_batch b WHERE b.batch_id = (
               SELECT coalesce(z.batch_id, z.cancel_batch_id) FROM payment_authorization z
               WHERE z.tenant_id = p.tenant_id AND z.spend_id = p.spend_id)) ELSE p.attempts END AS attempts,
             p.updated_at, e.payload, e.leaf_hash,
             (SELECT e.seq - 1 FROM log_state l WHERE l.tenant_id = e.tenant_id AND l.checkpoint_size >= e.seq) AS leaf_index,
             (SELECT r.authorization_id FROM redecision r
              WHERE r.tenant_id = s.tenant_id AND r.spend_id = s.spend_id AND r.audit_seq = e.seq) AS authorization_id
      FROM spend s
      JOIN asset a ON a.tenant_id = s.tenant_id AND a.asset_id = s.asset_id
      LEFT JOIN spend_text t ON t.tenant_id = s.tenant_id AND t.spend_id = s.spend_id
      LEFT JOIN payment p ON p.tenant_id = s.tenant_id AND p.spend_id = s.spend_id
      JOIN audit_entry e ON e.tenant_id = s.tenant_id AND e.seq = coalesce(p.audit_seq, s.audit_seq)
      """;

  private final Database database;

  public SpendStore(Database database) {
    this.database = database;
  }

  public Optional<Spend> find(UUID tenantId, UUID spendId) {
    return database.sql().sql(SELECT + "WHERE s.tenant_id = :tenant AND s.spend_id = :id").param("tenant", tenantId)
        .param("id", spendId).query((row, n) -> spend(row)).optional()
        .map(spend -> withApprovals(tenantId, List.of(spend)).getFirst());
  }

  /** Whether an agent has used an idempotency key for a spend that is decided. */
  public boolean isUsed(UUID tenantId, UUID agentId, String idempotencyKey) {
    return database.sql()
        .sql(
            "SELECT EXISTS (SELECT FROM spend WHERE tenant_id = :tenant AND agent_id = :agent AND idempotency_key = :key)")
        .param("tenant", tenantId).param("agent", agentId).param("key", idempotencyKey).query(Boolean.class).single();
  }

  /** The spends that match, the newest first. */
  public Page<Spend> list(UUID tenantId, Filter filter, Page.Request page) {
    var sql = new StringBuilder(SELECT).append("WHERE s.tenant_id = :tenant");
    var params = new HashMap<String, Object>();
    params.put("tenant", tenantId);
    page.after().ifPresent(id -> and(sql, params, " AND s.spend_id < :after", "after", id));
    filter.agentId().ifPresent(id -> and(sql, params, " AND s.agent_id = :agent", "agent", id));
    filter.walletId().ifPresent(id -> and(sql, params, " AND s.wallet_id = :wallet", "wallet", id));
    filter.status().ifPresent(state -> and(sql, params, " AND coalesce(p.state, 'denied') = :state", "state", state));
    filter.payee().ifPresent(payee -> and(sql, params, " AND s.payee = :payee", "payee", payee.bytes()));
    filter.asset().ifPresent(symbol -> and(sql, params, " AND a.symbol = :symbol", "symbol", symbol));
    filter.from().ifPresent(at -> and(sql, params, " AND s.decided_at >= :from", "from", Directory.utc(at)));
    filter.to().ifPresent(at -> and(sql, params, " AND s.decided_at < :to", "to", Directory.utc(at)));
    filter.waitingFor().ifPresent(id -> and(sql, params, """
         AND p.state = 'awaiting_approval' AND p.expires_at > now()
         AND NOT EXISTS (SELECT FROM approval v WHERE v.tenant_id = s.tenant_id AND v.spend_id = s.spend_id AND v.round = p.round
                         AND v.approver_id = :approver)
         AND NOT EXISTS (SELECT FROM agent_principal o WHERE o.tenant_id = s.tenant_id AND o.agent_id = s.agent_id
                         AND o.approver_id = :approver)
         AND EXISTS (SELECT FROM jsonb_array_elements(convert_from(e.payload, 'UTF8')::jsonb #> '{decision,approval,groups}') g
                     JOIN approver_group w ON w.tenant_id = s.tenant_id AND w.name = g ->> 'group'
                     JOIN approver_group_member m ON m.tenant_id = w.tenant_id AND m.group_id = w.group_id AND m.approver_id = :approver)
        """, "approver", id));
    sql.append(" ORDER BY s.spend_id DESC LIMIT :limit");
    params.put("limit", page.limit() + 1);
    var rows = database.sql().sql(sql.toString()).params(params).query((row, n) -> spend(row)).list();
    var spends = Page.of(rows, page.limit(), Spend::id);
    return new Page<>(withApprovals(tenantId, spends.items()), spends.nextAfter());
  }

  private static void and(StringBuilder sql, Map<String, Object> params, String condition, String name, Object value) {
    sql.append(condition);
    params.put(name, value);
  }

  private List<Spend> withApprovals(UUID tenantId, List<Spend> spends) {
    var ids = spends.stream().filter(spend -> spend.payment() != null).map(Spend::id).toList();
    if (ids.isEmpty()) {
      return spends;
    }
    record Given(UUID spendId, Spend.Approval approval) {}
    var given = database.sql().sql("""
        SELECT v.spend_id, v.approver_id, v.verdict, v.thumbprint, v.comment, v.at
        FROM approval v JOIN payment p ON p.tenant_id = v.tenant_id AND p.spend_id = v.spend_id AND p.round = v.round
        WHERE v.tenant_id = :tenant AND v.spend_id IN (:ids) ORDER BY v.at
        """).param("tenant", tenantId).param("ids", ids)
        .query((row, n) -> new Given(Directory.uuid(row, "spend_id"),
            new Spend.Approval(Directory.uuid(row, "approver_id"),
                row.getString("verdict"), row.getString("thumbprint"), row.getString("comment"),
                Directory.instant(row, "at"))))
        .list().stream()
        .collect(Collectors.groupingBy(Given::spendId, Collectors.mapping(Given::approval, Collectors.toList())));
    return spends.stream().map(spend -> new Spend(spend.tenantId(), spend.id(), spend.request(), spend.authorization(),
        spend.decidedAt(), spend.payment(), given.getOrDefault(spend.id(), List.of()))).toList();
  }

  private static Spend spend(ResultSet row) throws SQLException {
    var id = Directory.uuid(row, "spend_id");
    var request = new Spend.Request(Directory.uuid(row, "agent_id"), Directory.uuid(row, "wallet_id"),
        row.getString("idempotency_key"),
        row.getBytes("fingerprint"), Directory.asset(row), units(row, "amount"), Address.of(row.getBytes("payee")),
        row.getString("category"), row.getString("host"), text(row), nullableInstant(row, "request_expires_at"));
    var redecided = row.getObject("authorization_id", UUID.class);
    var authorization = new Spend.Authorization(redecided == null ? id : redecided, row.getBytes("leaf_hash"),
        row.getObject("leaf_index", Long.class), entry(row.getBytes("payload")));
    return new Spend(Directory.uuid(row, "tenant_id"), id, request, authorization, Directory.instant(row, "decided_at"),
        payment(row),
        List.of());
  }

  private static Spend.@Nullable Payment payment(ResultSet row) throws SQLException {
    if (row.getString("state") == null) {
      return null;
    }
    return new Spend.Payment(row.getString("state"), nullableInstant(row, "expires_at"),
        nullableInstant(row, "not_before"), row.getObject("nonce", Long.class),
        row.getBytes("transaction_hash"), row.getObject("block_number", Long.class), row.getInt("attempts"),
        row.getString("failure"), shortage(row),
        nullableInstant(row, "cancel_requested_at"),
        Directory.instant(row, "updated_at"));
  }

  static Spend.Text text(ResultSet row) throws SQLException {
    var metadata = row.getString("metadata");
    return new Spend.Text(row.getString("purpose"), row.getString("reference"),
        metadata == null ? null : entry(metadata.getBytes(StandardCharsets.UTF_8)));
  }

  /** A stored entry as JSON. */
  static Json.Obj entry(byte[] payload) {
    try {
      return (Json.Obj) JsonText.parse(payload);
    } catch (JsonText.Malformed e) {
      throw new IllegalStateException("a stored entry is not what was written", e);
    }
  }

  private static Spend.Payment.@Nullable Shortage shortage(ResultSet row) throws SQLException {
    var code = row.getString("failure_code");
    return code == null
        ? null
        : new Spend.Payment.Shortage(code, units(row, "failure_observed"), units(row, "failure_bound"));
  }

  static BigInteger units(ResultSet row, String column) throws SQLException {
    return row.getBigDecimal(column).toBigIntegerExact();
  }

  static @Nullable Instant nullableInstant(ResultSet row, String column) throws SQLException {
    return row.getObject(column) == null ? null : Directory.instant(row, column);
  }
}
