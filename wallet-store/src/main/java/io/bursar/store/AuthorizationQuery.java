package io.bursar.store;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.money.Address;
import io.bursar.money.Asset;

/**
 * What the auditor asks of the record: every decision that was made, those made again included.
 *
 * <p>A page costs a bounded amount of work whatever is asked and however much there is: it walks one index in the order of
 * time, looks at no more than {@value #EXAMINED_MAX} decisions, and ends early where these do not fill it. The next page goes
 * on from there.
 */
public final class AuthorizationQuery {
  /** The most decisions that are looked at for one page. */
  static final int EXAMINED_MAX = 20_000;

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
      Optional<Instant> to, Optional<BigDecimal> amountFrom, Optional<BigDecimal> amountTo, boolean newestFirst) {
    /** Every decision, the oldest first. */
    public static final Filter ALL = new Filter(Optional.empty(), Optional.empty(), Optional.empty(), Optional.empty(),
        Optional.empty(), Optional.empty(), Optional.empty(), Optional.empty(), Optional.empty(), Optional.empty(),
        Optional.empty(), Optional.empty(), false);

    /** The same, up to a time if it has no end of its own. */
    public Filter endingBy(Instant end) {
      return to.isPresent()
          ? this
          : new Filter(agentId, walletId, payee, asset, effect, status, reasonCode,
              policyVersion, from, Optional.of(end), amountFrom, amountTo, newestFirst);
    }
  }

  /**
   * One decision as it was recorded.
   *
   * @param seq its number in the tenant's record, from 1
   * @param status what has become of its spend by now
   * @param payload the entry, byte for byte as it was hashed
   */
  public record Authorization(UUID id, UUID spendId, long seq, Instant at, String effect, List<String> reasonCodes,
      String status, byte @Nullable [] transactionHash, Request request, byte[] leafHash, byte[] payload) {
    public Json.Obj entry() {
      return SpendStore.entry(payload);
    }
  }

  /**
   * What was asked for.
   *
   * @param purpose and {@code reference}: the agent's own words, where they have not been erased
   */
  public record Request(UUID agentId, UUID walletId, Asset asset, BigInteger amount, Address payee, String method,
      @Nullable String category, @Nullable String host, @Nullable String purpose, @Nullable String reference) {}

  private final Database database;

  public AuthorizationQuery(Database database) {
    this.database = database;
  }

  public Optional<Authorization> find(UUID tenantId, UUID authorizationId) {
    return run(AuthorizationSearch.ONE, Map.of("tenant", tenantId, "id", authorizationId)).stream().findFirst();
  }

  /** One page; it may hold fewer than its limit, or none, and still not be the last. */
  public Page<Authorization> list(UUID tenantId, Filter filter, Page.Request page) {
    return page(tenantId, filter, page.after(), page.limit());
  }

  /** As {@link #list}, for whoever reads on and on: a page of any size. */
  public Page<Authorization> page(UUID tenantId, Filter filter, Optional<UUID> after, int limit) {
    var search = AuthorizationSearch.of(database, tenantId, filter, after, limit);
    if (search.isEmpty()) {
      return new Page<>(List.of(), Optional.empty());
    }
    var rows = run(search.get().page(), search.get().params());
    if (rows.size() > limit) {
      return Page.of(rows, limit, Authorization::id);
    }
    // What lies beyond the first walk that was broken off is not complete.
    var order = filter.newestFirst() ? BY_TIME.reversed() : BY_TIME;
    var horizon = search.get().horizons().stream()
        .flatMap(sql -> database.reading().sql(sql).params(search.get().params())
            .query((row, n) -> Directory.uuid(row, "authorization_id")).optional().stream())
        .min(order);
    return horizon.map(end -> new Page<>(rows.stream().filter(row -> order.compare(row.id(), end) <= 0).toList(),
        horizon)).orElseGet(() -> new Page<>(rows, Optional.empty()));
  }

  /** As PostgreSQL compares them, which is the order of making. */
  private static final Comparator<UUID> BY_TIME = (a, b) -> {
    int high = Long.compareUnsigned(a.getMostSignificantBits(), b.getMostSignificantBits());
    return high != 0 ? high : Long.compareUnsigned(a.getLeastSignificantBits(), b.getLeastSignificantBits());
  };

  private List<Authorization> run(String sql, Map<String, Object> params) {
    return database.reading().sql(sql).params(params).query((row, n) -> authorization(row)).list();
  }

  private static Authorization authorization(ResultSet row) throws SQLException {
    var asset = new Asset(row.getString("chain"), Address.of(row.getBytes("contract")), row.getString("symbol"),
        row.getInt("decimals"), row.getString("currency"));
    var request = new Request(Directory.uuid(row, "agent_id"), Directory.uuid(row, "wallet_id"), asset,
        SpendStore.units(row, "amount"), Address.of(row.getBytes("payee")), row.getString("method"),
        row.getString("category"), row.getString("host"), row.getString("purpose"), row.getString("reference"));
    return new Authorization(Directory.uuid(row, "authorization_id"), Directory.uuid(row, "spend_id"),
        row.getLong("audit_seq"), Directory.instant(row, "decided_at"), row.getString("effect"),
        List.of((String[]) row.getArray("reason_codes").getArray()), row.getString("status"),
        row.getBytes("transaction_hash"), request, row.getBytes("leaf_hash"), row.getBytes("payload"));
  }
}
