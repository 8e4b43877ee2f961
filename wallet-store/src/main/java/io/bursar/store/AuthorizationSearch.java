package io.bursar.store;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;

import io.bursar.spend.Id;

/**
 * The SQL of one page of {@link AuthorizationQuery}: two walks in the order of time, each along one index and of bounded
 * length (first decisions, and decisions made again), and the conditions on what they pass.
 *
 * @param page the statement of the page, one row more than its limit
 * @param horizons for each walk, the statement that tells where it was broken off; no row where it came to its end
 */
record AuthorizationSearch(String page, List<String> horizons, Map<String, Object> params) {
  /** More wallets than this are not walked one by one. */
  static final int WALLETS_MAX = 64;

  /** States that a spend can be in only if it was not allowed outright. */
  private static final Set<String> RESTRICTED = Set.of("denied", "rejected", "awaiting_approval");

  private static final String SHOWN = """
      SELECT d.*, a.chain, a.contract, a.symbol, a.decimals, a.currency, coalesce(p.state, 'denied') AS status, p.transaction_hash,
             t.purpose, t.reference, e.payload, e.leaf_hash
      FROM (%s) d
      JOIN asset a ON a.tenant_id = d.tenant_id AND a.asset_id = d.asset_id
      JOIN audit_entry e ON e.tenant_id = d.tenant_id AND e.seq = d.audit_seq
      LEFT JOIN payment p ON p.tenant_id = d.tenant_id AND p.spend_id = d.spend_id
      LEFT JOIN spend_text t ON t.tenant_id = d.tenant_id AND t.spend_id = d.spend_id
      WHERE true""";

  /** First decisions carry their spend's identifier, so that both kinds sort by the time of the decision. */
  private static final String FIRST = """
      SELECT s.tenant_id, s.spend_id AS authorization_id, s.spend_id, s.audit_seq, s.decided_at, s.effect, s.reason_codes,
             s.agent_id, s.wallet_id, s.asset_id, s.amount, s.payee, s.method, s.category, s.host
      """;

  private static final String AGAIN = """
      SELECT r.tenant_id, r.authorization_id, r.spend_id, r.audit_seq, r.decided_at, r.effect, r.reason_codes,
             s.agent_id, s.wallet_id, s.asset_id, s.amount, s.payee, s.method, s.category, s.host
      """;

  /** One decision by its identifier. */
  static final String ONE = SHOWN.formatted(FIRST + "FROM spend s WHERE s.tenant_id = :tenant AND s.spend_id = :id")
      + " UNION ALL " + SHOWN.formatted(AGAIN + """
          FROM redecision r JOIN spend s ON s.tenant_id = r.tenant_id AND s.spend_id = r.spend_id
          WHERE r.tenant_id = :tenant AND r.authorization_id = :id""");

  /** Empty where nothing can match. */
  static Optional<AuthorizationSearch> of(Database database, UUID tenantId, AuthorizationQuery.Filter asked,
      Optional<UUID> after, int limit) {
    var filter = asked;
    Optional<List<UUID>> wallets = filter.agentId().map(agent -> walletsOf(database, tenantId, agent));
    if (filter.policyVersion().isPresent()) {
      var reach = PolicyReach.of(database, tenantId, filter.policyVersion().get());
      if (reach.isEmpty()) {
        return Optional.empty();
      }
      filter = reach.get().within(filter);
      if (wallets.isEmpty()) {
        wallets = reach.get().wallets(database, tenantId);
      }
    }
    return Optional.of(build(tenantId, filter, wallets.filter(list -> list.size() <= WALLETS_MAX), after, limit));
  }

  /** At most one more than {@link #WALLETS_MAX}. */
  static List<UUID> walletsOf(Database database, UUID tenantId, UUID agentId) {
    return database.reading().sql("""
        SELECT wallet_id FROM wallet WHERE tenant_id = :tenant AND agent_id = :agent LIMIT :limit
        """).param("tenant", tenantId).param("agent", agentId).param("limit", WALLETS_MAX + 1)
        .query((row, n) -> Directory.uuid(row, "wallet_id")).list();
  }

  private static AuthorizationSearch build(UUID tenantId, AuthorizationQuery.Filter filter,
      Optional<List<UUID>> wallets, Optional<UUID> after, int limit) {
    var params = new HashMap<String, Object>(Map.of("tenant", tenantId, "limit", limit + 1));
    var conditions = conditions(filter, params);
    // Where every decision that a walk passes matches, it need not be longer than the page.
    params.put("examined", conditions.isEmpty() ? limit + 1 : AuthorizationQuery.EXAMINED_MAX);
    var direction = filter.newestFirst() ? "DESC" : "ASC";
    var range = range(filter, after, params);
    var first = FIRST + firstWalk(filter, wallets, range, direction, params);
    var again = AGAIN + "FROM (" + againWalk(filter, wallets, range, direction, params) + """
        ) r
        JOIN spend s ON s.tenant_id = r.tenant_id AND s.spend_id = r.spend_id
        """;
    var ordered = " ORDER BY authorization_id " + direction;
    var page = "(" + SHOWN.formatted(first) + conditions + ordered + " LIMIT :limit) UNION ALL ("
        + SHOWN.formatted(again) + conditions + ordered + " LIMIT :limit)" + ordered + " LIMIT :limit";
    var horizons = List.of(first, again).stream().map(walk -> "SELECT authorization_id FROM (" + walk + ") d" + ordered
        + " OFFSET :examined - 1 LIMIT 1").toList();
    return new AuthorizationSearch(page, horizons, params);
  }

  /** Identifiers sort by time, so a time is a bound on identifiers; {@code #} stands for their column. */
  private static String range(AuthorizationQuery.Filter filter, Optional<UUID> after, Map<String, Object> params) {
    var range = new StringBuilder();
    filter.from().ifPresent(at -> {
      range.append(" AND # >= :least");
      params.put("least", earliest(at));
    });
    filter.to().ifPresent(at -> {
      range.append(" AND # < :beyond");
      params.put("beyond", earliest(at));
    });
    after.ifPresent(id -> {
      range.append(filter.newestFirst() ? " AND # < :after" : " AND # > :after");
      params.put("after", id);
    });
    return range.toString();
  }

  /** The least identifier that can be made at a time or later. */
  static UUID earliest(Instant at) {
    long micros = ChronoUnit.MICROS.between(Instant.EPOCH, at.plusNanos(999));
    return Id.version7(Math.clamp(micros, 0, (1L << 47) * 1000), 0, 0);
  }

  private static String firstWalk(AuthorizationQuery.Filter filter, Optional<List<UUID>> wallets, String range,
      String direction, Map<String, Object> params) {
    var end = range.replace("#", "s.spend_id") + " ORDER BY s.spend_id " + direction + " LIMIT :examined";
    var spends = "FROM spend s WHERE s.tenant_id = :tenant";
    if (filter.payee().isPresent()) {
      return spends + " AND s.payee = :payee" + end;
    }
    if (filter.walletId().isPresent()) {
      return spends + " AND s.wallet_id = :wallet" + end;
    }
    if (wallets.isPresent()) {
      return "FROM (" + merged("spend s", wallets.get(), end, params) + ") s";
    }
    if (filter.reasonCode().isPresent() || filter.effect().filter(effect -> !effect.equals("allow")).isPresent()
        || filter.status().filter(RESTRICTED::contains).isPresent()) {
      return spends + " AND s.effect <> 'allow'" + end;
    }
    if (filter.status().filter(status -> !status.equals("confirmed")).isPresent()) {
      return """
          FROM (SELECT s.spend_id FROM payment s WHERE s.tenant_id = :tenant AND s.state = :status%s) i
          JOIN spend s ON s.tenant_id = :tenant AND s.spend_id = i.spend_id
          """.formatted(end);
    }
    return spends + end;
  }

  private static String againWalk(AuthorizationQuery.Filter filter, Optional<List<UUID>> wallets, String range,
      String direction, Map<String, Object> params) {
    var end = range.replace("#", "r.authorization_id") + " ORDER BY r.authorization_id " + direction
        + " LIMIT :examined";
    if (filter.walletId().isPresent()) {
      return "SELECT r.* FROM redecision r WHERE r.tenant_id = :tenant AND r.wallet_id = :wallet" + end;
    }
    return wallets.isPresent()
        ? merged("redecision r", wallets.get(), end, params)
        : "SELECT r.* FROM redecision r WHERE r.tenant_id = :tenant" + end;
  }

  /**
   * One walk over each wallet, merged as they are read: no more rows of any wallet are looked at than the page takes.
   *
   * @param end the range, the order and the limit of each walk
   */
  private static String merged(String table, List<UUID> wallets, String end, Map<String, Object> params) {
    if (wallets.isEmpty()) {
      return "SELECT * FROM " + table + " WHERE false";
    }
    var walks = new ArrayList<String>();
    for (int i = 0; i < wallets.size(); i++) {
      params.put("wallet" + i, wallets.get(i));
      walks.add("SELECT * FROM " + table + " WHERE tenant_id = :tenant AND wallet_id = :wallet" + i + end);
    }
    return walks.size() == 1
        ? walks.getFirst()
        : "(" + String.join(") UNION ALL (", walks) + ")"
            + end.substring(end.indexOf(" ORDER BY")).replaceFirst(" [sr]\\.", " ");
  }

  private static String conditions(AuthorizationQuery.Filter filter, Map<String, Object> params) {
    var conditions = new ArrayList<String>();
    filter.agentId().ifPresent(id -> add(conditions, params, "d.agent_id = :agent", "agent", id));
    filter.walletId().ifPresent(id -> add(conditions, params, "d.wallet_id = :wallet", "wallet", id));
    filter.payee().ifPresent(payee -> add(conditions, params, "d.payee = :payee", "payee", payee.bytes()));
    filter.asset().ifPresent(symbol -> add(conditions, params, "a.symbol = :symbol", "symbol", symbol));
    filter.effect().ifPresent(effect -> add(conditions, params, "d.effect = :effect", "effect", effect));
    filter.status()
        .ifPresent(status -> add(conditions, params, "coalesce(p.state, 'denied') = :status", "status", status));
    filter.reasonCode().ifPresent(code -> add(conditions, params, ":code = ANY (d.reason_codes)", "code", code));
    // In an entry's canonical text this can stand only for the version of a policy in force: quotes within texts are escaped.
    filter.policyVersion()
        .ifPresent(version -> add(conditions, params, "position(:version IN e.payload) > 0", "version",
            ("\"version\":\"" + version + "\"").getBytes(StandardCharsets.UTF_8)));
    filter.amountFrom().ifPresent(
        amount -> add(conditions, params, "d.amount >= :amountFrom * 10::numeric ^ a.decimals", "amountFrom", amount));
    filter.amountTo().ifPresent(
        amount -> add(conditions, params, "d.amount <= :amountTo * 10::numeric ^ a.decimals", "amountTo", amount));
    return conditions.isEmpty() ? "" : " AND " + String.join(" AND ", conditions);
  }

  private static void add(List<String> conditions, Map<String, Object> params, String condition, String name,
      Object value) {
    conditions.add(condition);
    params.put(name, value);
  }
}
