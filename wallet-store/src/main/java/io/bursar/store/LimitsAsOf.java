package io.bursar.store;

import java.math.BigInteger;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;

import io.bursar.json.Json;
import io.bursar.money.Address;
import io.bursar.money.Asset;
import io.bursar.policy.Counter;
import io.bursar.policy.Policy;
import io.bursar.policy.PolicyEngine;
import io.bursar.policy.Rule;
import io.bursar.policy.Window;
import io.bursar.spend.Id;
import io.bursar.spend.SpendFacts;

/**
 * How much of each limit was used at any time in the past: counted from the spends, with the policies that were attached then.
 * It counts each window exactly, where decisions round its trailing edge to the stricter side.
 */
public final class LimitsAsOf {
  /** The most counts that are shown of one limit, the largest first. */
  public static final int COUNTS_MAX = 100;

  private static final int PAGE = 5_000;
  private static final Duration CHARGED_AFTER_MAX = Duration.ofDays(31);

  /**
   * One limit as it was.
   *
   * @param target what its policy was attached to, such as {@code wal_…}
   * @param since when the window began that was open then; absent for all time
   * @param counts the largest first, at most {@value #COUNTS_MAX}
   */
  public record LimitState(UUID policyId, String version, Policy.Target attachedTo, String target, Rule.Limit limit,
      Optional<Instant> since, List<Count> counts) {}

  /**
   * What was counted for one value of {@code per}.
   *
   * @param of one spend that was counted; what the count is kept apart by is in its facts
   * @param sum parts of 10^-18 of a unit; zero where only spends are counted
   */
  public record Count(SpendFacts of, BigInteger sum, long spends) {}

  private final Database database;
  private final AuditQuestions questions;

  public LimitsAsOf(Database database) {
    this.database = database;
    this.questions = new AuditQuestions(database);
  }

  /** Every limit that was in force for a wallet, or anywhere in the tenant, at a time. */
  public List<LimitState> at(UUID tenantId, Optional<UUID> walletId, Instant at) {
    var states = new ArrayList<LimitState>();
    for (var attached : attachedAt(tenantId, at, targets(tenantId, walletId)).entrySet()) {
      var version = text(attached.getValue(), "version");
      var policyId = Id.POLICY.parse(text(attached.getValue(), "policy")).orElseThrow();
      var target = PoliciesInForce.target(text(attached.getValue(), "target"));
      var document = questions.documents(tenantId, policyId).get(version);
      if (document == null) {
        throw new IllegalStateException("policy version `" + version + "` was attached but is not there");
      }
      for (var rule : PolicyDocuments.load(database, tenantId, document).rules()) {
        if (rule instanceof Rule.Limit limit) {
          PolicyEngine.counter(limit, target).ifPresent(counter -> states.add(new LimitState(policyId, version, target,
              attached.getKey(), limit, since(limit.window(), at),
              counts(tenantId, attached.getKey(), counter, limit.window(), at))));
        }
      }
    }
    return states;
  }

  /** What could be attached to that decides over the wallet; empty for everything. */
  private Set<String> targets(UUID tenantId, Optional<UUID> walletId) {
    return walletId.map(id -> {
      var agent = database.reading().sql("SELECT agent_id FROM wallet WHERE tenant_id = :tenant AND wallet_id = :id")
          .param("tenant", tenantId).param("id", id).query((row, n) -> Id.AGENT.text(Directory.uuid(row, "agent_id")))
          .optional().orElse("");
      return Set.of(Id.WALLET.text(id), agent, Id.TENANT.text(tenantId));
    }).orElse(Set.of());
  }

  private Map<String, Json.Obj> attachedAt(UUID tenantId, Instant at, Set<String> targets) {
    long next = database.reading().sql("""
        SELECT coalesce((SELECT seq FROM audit_entry WHERE tenant_id = :tenant AND at > :at
        """ + AuditQuestions.ADMINISTRATIVE + " ORDER BY seq LIMIT 1), 9223372036854775807)").param("tenant", tenantId)
        .param("at", Directory.utc(at)).query(Long.class).single();
    return questions.attachedBefore(tenantId, next, targets);
  }

  private static Optional<Instant> since(Window window, Instant at) {
    return switch (window) {
      case Window.Rolling rolling -> Optional.of(at.minus(rolling.length()));
      case Window.Calendar calendar -> Optional.of(calendar.start(at));
      case Window.Lifetime _ -> Optional.empty();
      case Window.Spend _ -> Optional.of(at);
    };
  }

  private static final class Sum {
    final SpendFacts of;
    BigInteger sum = BigInteger.ZERO;
    long spends;

    Sum(SpendFacts of) {
      this.of = of;
    }
  }

  private List<Count> counts(UUID tenantId, String target, Counter counter, Window window, Instant at) {
    var since = since(window, at).orElse(Instant.EPOCH);
    var sums = new HashMap<Long, Sum>();
    var after = AuthorizationSearch.earliest(since.equals(Instant.EPOCH) ? since : since.minus(CHARGED_AFTER_MAX));
    List<UUID> page;
    do {
      page = page(tenantId, target, counter, since, at, after, sums);
      after = page.isEmpty() ? after : page.getLast();
    } while (page.size() == PAGE);
    return sums.values().stream().map(sum -> new Count(sum.of, sum.sum, sum.spends))
        .sorted(Comparator.comparing(Count::sum).thenComparingLong(Count::spends).reversed()).limit(COUNTS_MAX)
        .toList();
  }

  private List<UUID> page(UUID tenantId, String target, Counter counter, Instant since, Instant at, UUID after,
      Map<Long, Sum> sums) {
    var wallet = Id.WALLET.parse(target);
    var agent = Id.AGENT.parse(target);
    var query = database.reading()
        .sql("""
        SELECT s.spend_id, s.agent_id, s.wallet_id, s.amount, s.payee, s.method, s.category, s.host,
               a.chain, a.contract, a.symbol, a.decimals, a.currency, p.state = 'reverted' AND p.updated_at <= :at AS reverted,
               p.state IN ('rejected', 'expired', 'canceled', 'failed', 'denied') AND p.updated_at <= :at AS given_back,
               coalesce((SELECT max(r.decided_at) FROM redecision r WHERE r.tenant_id = s.tenant_id AND r.spend_id = s.spend_id
                         AND r.decided_at <= :at AND r.effect <> 'deny'), s.decided_at) AS charged_at
        FROM spend s
        JOIN payment p ON p.tenant_id = s.tenant_id AND p.spend_id = s.spend_id
        JOIN asset a ON a.tenant_id = s.tenant_id AND a.asset_id = s.asset_id
        WHERE s.tenant_id = :tenant AND s.spend_id > :after AND s.decided_at <= :at%s ORDER BY s.spend_id LIMIT :limit
        """.formatted(
            wallet.isPresent() ? " AND s.wallet_id = :target" : agent.isPresent() ? " AND s.agent_id = :target" : ""))
        .param("tenant", tenantId).param("after", after).param("at", Directory.utc(at)).param("limit", PAGE);
    var targetId = wallet.or(() -> agent);
    return (targetId.isPresent() ? query.param("target", targetId.get()) : query).query((row, n) -> {
      if (!row.getBoolean("given_back") && !Directory.instant(row, "charged_at").isBefore(since)) {
        count(tenantId, counter, row, sums);
      }
      return Directory.uuid(row, "spend_id");
    }).list();
  }

  private static void count(UUID tenantId, Counter counter, ResultSet row, Map<Long, Sum> sums) throws SQLException {
    var asset = new Asset(row.getString("chain"), Address.of(row.getBytes("contract")), row.getString("symbol"),
        row.getInt("decimals"), row.getString("currency"));
    var facts = new SpendFacts(tenantId, Directory.uuid(row, "agent_id"), Directory.uuid(row, "wallet_id"), asset,
        SpendStore.units(row, "amount"), Address.of(row.getBytes("payee")), row.getString("method"),
        row.getString("category"), row.getString("host"), false, false);
    if (counter.counts(facts)) {
      var sum = sums.computeIfAbsent(counter.key(facts), key -> new Sum(facts));
      sum.sum = sum.sum.add(row.getBoolean("reverted") ? BigInteger.ZERO : counter.weight(facts));
      sum.spends++;
    }
  }

  private static String text(Json.Obj object, String name) {
    return object.get(name) instanceof Json.Str(var text) ? text : "";
  }
}
