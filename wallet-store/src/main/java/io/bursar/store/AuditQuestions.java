package io.bursar.store;

import java.math.BigInteger;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.money.Address;
import io.bursar.money.Asset;
import io.bursar.permit.Digest32;

/** What auditors ask time and again beside the decisions themselves: who changed what, and whether books and chain agree. */
public final class AuditQuestions {
  /** More than this many nonces or changes are not listed one by one. */
  public static final int LISTED_MAX = 500;

  /** Entries of people's doing; the rest are made by spends. It is the condition of the index `audit_administrative`, word for word. */
  static final String ADMINISTRATIVE = """
       AND kind <> 'authorization' AND kind NOT LIKE 'payment.%' AND kind NOT LIKE 'spend.%' AND kind NOT LIKE 'approval.%'
      """;

  /**
   * One entry of the record.
   *
   * @param seq its number in the tenant's record, from 1
   */
  public record Entry(long seq, Instant at, String kind, Json.Obj body) {}

  /**
   * A spend that was authorized and that no node ever took.
   *
   * @param state of its payment
   * @param failure why it does not go on, if it does not
   */
  public record Unbroadcast(UUID spendId, UUID walletId, Asset asset, BigInteger amount, Address payee,
      Instant authorizedAt,
      String state, @Nullable String failure) {}

  private final Database database;

  public AuditQuestions(Database database) {
    this.database = database;
  }

  /**
   * What people changed in a period, the oldest first.
   *
   * @param after only entries with a greater number
   * @param kinds the beginning of the kinds that count, such as {@code policy}; empty for all
   */
  public List<Entry> changes(UUID tenantId, Optional<Instant> from, Optional<Instant> to, long after, String kinds,
      int limit) {
    return database.reading().sql("""
        SELECT seq, at, kind, payload FROM audit_entry
        WHERE tenant_id = :tenant AND seq > :after AND at >= :from AND at < :to AND starts_with(kind, :kinds)
        """ + ADMINISTRATIVE + " ORDER BY seq LIMIT :limit").param("tenant", tenantId).param("after", after)
        .param("from", Directory.utc(from.orElse(Instant.EPOCH))).param("to", Directory.utc(to.orElse(FOREVER)))
        .param("kinds", kinds).param("limit", limit)
        .query((row, n) -> entry(row)).list();
  }

  private static Entry entry(ResultSet row) throws SQLException {
    return new Entry(row.getLong("seq"), Directory.instant(row, "at"), row.getString("kind"),
        SpendStore.entry(row.getBytes("payload")));
  }

  private static final Instant FOREVER = Instant.parse("9999-12-31T00:00:00Z");

  /** What was changed about an agent, its wallets and its keys, and what its keys changed; at most {@value #LISTED_MAX}. */
  public List<Entry> changesAbout(UUID tenantId, UUID agentId, Optional<Instant> from, Optional<Instant> to) {
    return database.reading().sql("""
        SELECT seq, at, kind, payload FROM audit_entry
        WHERE tenant_id = :tenant AND at >= :from AND at < :to
          AND (subject = :agent
               OR subject IN (SELECT wallet_id FROM wallet WHERE tenant_id = :tenant AND agent_id = :agent)
               OR subject IN (SELECT key_id FROM api_key WHERE tenant_id = :tenant AND agent_id = :agent))
        """ + ADMINISTRATIVE + " ORDER BY seq LIMIT :limit").param("tenant", tenantId).param("agent", agentId)
        .param("from", Directory.utc(from.orElse(Instant.EPOCH))).param("to", Directory.utc(to.orElse(FOREVER)))
        .param("limit", LISTED_MAX)
        .query((row, n) -> entry(row)).list();
  }

  /** Who approved a change that waited for a quorum, in their order. */
  public List<String> approversOf(UUID tenantId, UUID changeId) {
    return database.reading().sql("SELECT payload FROM audit_entry WHERE tenant_id = :tenant AND subject = :change"
        + " AND kind = 'change.approved'" + ADMINISTRATIVE + " ORDER BY seq").param("tenant", tenantId)
        .param("change", changeId).query((row, n) -> SpendStore.entry(row.getBytes("payload")).get("approver")).list()
        .stream().filter(Json.Str.class::isInstance).map(approver -> ((Json.Str) approver).value()).toList();
  }

  /** What was attached where, before an entry. */
  public Map<String, Json.Obj> attachedBefore(UUID tenantId, long seq, Set<String> targets) {
    var attached = new HashMap<String, Json.Obj>();
    database.reading().sql("""
        SELECT seq, at, kind, payload FROM audit_entry
        WHERE tenant_id = :tenant AND seq < :seq AND kind IN ('policy.attached', 'policy.detached')
        """ + ADMINISTRATIVE + " ORDER BY seq").param("tenant", tenantId).param("seq", seq)
        .query((row, n) -> entry(row)).list().forEach(entry -> {
          var target = entry.body().get("targetId") instanceof Json.Str(var id) ? id : "";
          if (entry.kind().equals("policy.detached")) {
            attached.remove(target);
          } else if (targets.isEmpty() || targets.contains(target)) {
            attached.put(target, entry.body());
          }
        });
    return attached;
  }

  /** The versions of a policy in the order of their making, each with its document. */
  public Map<String, Json.Obj> documents(UUID tenantId, UUID policyId) {
    var documents = new java.util.LinkedHashMap<String, Json.Obj>();
    database.reading().sql("""
        SELECT version, document FROM policy_version WHERE tenant_id = :tenant AND policy_id = :policy ORDER BY number
        """).param("tenant", tenantId).param("policy", policyId)
        .query((row, n) -> documents.put(row.getString("version"), SpendStore.entry(row.getBytes("document")))).list();
    return documents;
  }

  /** Spends that were authorized and that no node ever took, the oldest first. */
  public Page<Unbroadcast> unbroadcast(UUID tenantId, Optional<Instant> from, Optional<Instant> to, Page.Request page) {
    var rows = database.reading().sql("""
        SELECT p.spend_id, p.wallet_id, p.state, p.failure, e.at, s.amount, s.payee, a.chain, a.contract, a.symbol, a.decimals, a.currency
        FROM (SELECT * FROM payment WHERE tenant_id = :tenant AND state IN ('authorized', 'prepared', 'signed')
                AND spend_id > :after AND spend_id >= :least AND spend_id < :beyond
              UNION ALL
              SELECT * FROM payment WHERE tenant_id = :tenant AND state IN ('reverted', 'expired', 'canceled', 'failed')
                AND spend_id > :after AND spend_id >= :least AND spend_id < :beyond) p
        JOIN spend s ON s.tenant_id = p.tenant_id AND s.spend_id = p.spend_id
        JOIN asset a ON a.tenant_id = s.tenant_id AND a.asset_id = s.asset_id
        JOIN audit_entry e ON e.tenant_id = p.tenant_id AND e.seq = p.audit_seq
        WHERE NOT EXISTS (SELECT FROM payment_attempt t
                          WHERE t.tenant_id = p.tenant_id AND t.spend_id = p.spend_id AND t.first_sent_at IS NOT NULL)
          AND NOT EXISTS (SELECT FROM relay_item i JOIN relay_attempt t USING (batch_id)
                          WHERE i.tenant_id = p.tenant_id AND i.spend_id = p.spend_id AND t.first_sent_at IS NOT NULL)
          AND (s.effect = 'allow' OR EXISTS (SELECT FROM redecision r WHERE r.tenant_id = p.tenant_id AND r.spend_id = p.spend_id
                                             AND r.effect <> 'deny'))
        ORDER BY p.spend_id LIMIT :limit
        """).param("tenant", tenantId).param("after", Directory.after(page)).param("limit", page.limit() + 1)
        .param("least", AuthorizationSearch.earliest(from.orElse(Instant.EPOCH)))
        .param("beyond", AuthorizationSearch.earliest(to.orElse(FOREVER)))
        .query((row, n) -> new Unbroadcast(Directory.uuid(row, "spend_id"), Directory.uuid(row, "wallet_id"),
            new Asset(row.getString("chain"), Address.of(row.getBytes("contract")), row.getString("symbol"),
                row.getInt("decimals"), row.getString("currency")),
            SpendStore.units(row, "amount"), Address.of(row.getBytes("payee")), Directory.instant(row, "at"),
            row.getString("state"), row.getString("failure")))
        .list();
    return Page.of(rows, page.limit(), Unbroadcast::spendId);
  }

  /** The nonces below a number that no payment of the wallet has; at most {@value #LISTED_MAX}. */
  public List<Long> noncesWithoutPayment(UUID tenantId, UUID walletId, long below) {
    long have = database.reading().sql("""
        SELECT count(*) FROM payment WHERE tenant_id = :tenant AND wallet_id = :wallet AND nonce < :below AND nonce IS NOT NULL
        """).param("tenant", tenantId).param("wallet", walletId).param("below", below).query(Long.class).single();
    return have == below
        ? List.of()
        : database.reading().sql("""
        SELECT n FROM generate_series(0, :below - 1) n
        WHERE NOT EXISTS (SELECT FROM payment p WHERE p.tenant_id = :tenant AND p.wallet_id = :wallet AND p.nonce = n) LIMIT :limit
        """).param("tenant", tenantId).param("wallet", walletId).param("below", below).param("limit", LISTED_MAX)
            .query((row, n) -> row.getLong("n")).list();
  }

  /** Those of the transactions that are an attempt of no payment of the tenant that an authorization in the record allows. */
  public List<Digest32> withoutAuthorization(UUID tenantId, List<Digest32> transactions) {
    var unknown = new ArrayList<>(transactions);
    if (!transactions.isEmpty()) {
      unknown.removeAll(database.reading().sql("""
          SELECT t.transaction_hash FROM payment_attempt t
          JOIN payment p ON p.tenant_id = t.tenant_id AND p.spend_id = t.spend_id
          JOIN audit_entry e ON e.tenant_id = p.tenant_id AND e.seq = p.audit_seq
          WHERE t.tenant_id = :tenant AND t.transaction_hash IN (:hashes)
            AND e.kind = 'authorization' AND e.subject = p.spend_id
          UNION
          SELECT t.transaction_hash FROM relay_attempt t JOIN relay_item i USING (batch_id)
          JOIN payment p ON p.tenant_id = i.tenant_id AND p.spend_id = i.spend_id
          JOIN audit_entry e ON e.tenant_id = p.tenant_id AND e.seq = p.audit_seq
          WHERE i.tenant_id = :tenant AND t.transaction_hash IN (:hashes)
            AND e.kind = 'authorization' AND e.subject = p.spend_id
          """).param("tenant", tenantId).param("hashes", transactions.stream().map(Digest32::bytes).toList())
          .query((row, n) -> Digest32.of(row.getBytes("transaction_hash"))).list());
    }
    return unknown;
  }

  /** The last number of the tenant's record. */
  public long recorded(UUID tenantId) {
    return database.reading().sql("SELECT audit_seq FROM lane WHERE tenant_id = :tenant").param("tenant", tenantId)
        .query(Long.class).single();
  }

  /**
   * The number of the first entry at a time or later; one more than the last number if there is none. Numbers follow time, as
   * far as the database's clock was never put back.
   */
  public long firstAt(UUID tenantId, Instant at) {
    long low = 1;
    long high = recorded(tenantId) + 1;
    while (low < high) {
      long middle = (low + high) >>> 1;
      boolean before = database.reading()
          .sql("SELECT at < :at FROM audit_entry WHERE tenant_id = :tenant AND seq = :seq").param("tenant", tenantId)
          .param("seq", middle).param("at", Directory.utc(at)).query(Boolean.class).single();
      low = before ? middle + 1 : low;
      high = before ? high : middle;
    }
    return low;
  }

  /** Every entry of people's doing of one kind up to a number, the oldest first. */
  public List<Entry> changesUpTo(UUID tenantId, String kind, long lastSeq) {
    return database.reading().sql("""
        SELECT seq, at, kind, payload FROM audit_entry WHERE tenant_id = :tenant AND seq <= :last AND kind = :kind
        """ + ADMINISTRATIVE + " ORDER BY seq").param("tenant", tenantId).param("last", lastSeq).param("kind", kind)
        .query((row, n) -> entry(row)).list();
  }
}
