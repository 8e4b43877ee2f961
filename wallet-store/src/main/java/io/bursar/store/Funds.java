package io.bursar.store;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

import org.jspecify.annotations.Nullable;
import org.springframework.jdbc.core.RowCallbackHandler;
import org.springframework.jdbc.core.simple.JdbcClient;

import io.bursar.json.Json;
import io.bursar.money.Address;
import io.bursar.money.Amount;
import io.bursar.permit.Digest32;
import io.bursar.spend.Id;

/** What wallets have promised by signatures that a balance on the chain may not show yet, and the end of what they cannot pay. */
public final class Funds {
  /** The code that a payment fails with for want of money. */
  public static final String INSUFFICIENT = "INSUFFICIENT_FUNDS";

  /** One wallet's amount of one token. */
  public record Account(UUID tenantId, UUID walletId, Address token) {
    /** The account that a payment is paid from. */
    public static Account of(Payment.Key key, Payment.Wallet wallet, Payment.Order order) {
      return new Account(key.tenantId(), wallet.walletId(), order.token());
    }
  }

  /**
   * A payment that is prepared, signed or sent, or that was mined after the block that was asked about.
   *
   * @param amount base units
   * @param nonce of its wallet, if it goes by a transaction of the wallet's own
   * @param authorizationNonce if it goes by an authorization
   */
  public record Promise(BigInteger amount, @Nullable Long nonce, @Nullable Digest32 authorizationNonce) {}

  /**
   * What an account was found to lack.
   *
   * @param balance on the chain, base units
   * @param left of it, when all is taken off that is signed and not in it yet; 0 or more
   * @param wanted more than that
   */
  public record Shortage(BigInteger balance, BigInteger left, BigInteger wanted) {}

  private static final String ACTOR = "settlement";
  private static final String IN_FLIGHT = "p.state IN ('prepared', 'signed', 'broadcast')";
  private static final String PAID_AFTER = "p.state = 'confirmed' AND p.block_number > :block";

  private final Database database;
  private final AuditEntries audit;
  private final Reservations reservations;

  Funds(Database database, AuditEntries audit, Reservations reservations) {
    this.database = database;
    this.audit = audit;
    this.reservations = reservations;
  }

  /**
   * The sum of all promises of each account, in base units; no entry where there are none. A payment that is mined by the block but not
   * recorded as paid counts as well: the sum is never too low.
   */
  public Map<Account, BigInteger> promised(Collection<Account> accounts, long block) {
    var sums = new HashMap<Account, BigInteger>();
    sql("""
        SELECT k.tenant_id, k.wallet_id, k.token, sum(s.amount) AS amount
        FROM unnest(:tenants::uuid[], :wallets::uuid[], :tokens::bytea[]) AS k (tenant_id, wallet_id, token)
        CROSS JOIN LATERAL (
          SELECT p.spend_id FROM payment p WHERE p.tenant_id = k.tenant_id AND p.wallet_id = k.wallet_id AND %s
          UNION ALL
          SELECT p.spend_id FROM payment p WHERE p.tenant_id = k.tenant_id AND p.wallet_id = k.wallet_id AND %s) AS p
        CROSS JOIN LATERAL (SELECT * FROM spend WHERE tenant_id = k.tenant_id AND spend_id = p.spend_id LIMIT 1) AS s
        CROSS JOIN LATERAL (SELECT FROM asset WHERE tenant_id = k.tenant_id AND asset_id = s.asset_id AND contract = k.token LIMIT 1) AS x
        GROUP BY k.tenant_id, k.wallet_id, k.token
        """.formatted(IN_FLIGHT, PAID_AFTER)).param("block", block)
        .param("tenants", accounts.stream().map(Account::tenantId).toArray(UUID[]::new))
        .param("wallets", accounts.stream().map(Account::walletId).toArray(UUID[]::new))
        .param("tokens", accounts.stream().map(account -> account.token.bytes()).toArray(byte[][]::new))
        .query((RowCallbackHandler) row -> sums.put(
            new Account(Directory.uuid(row, "tenant_id"), Directory.uuid(row, "wallet_id"),
                Address.of(row.getBytes("token"))),
            SpendStore.units(row, "amount")));
    return sums;
  }

  /** The promises of {@link #promised} one by one, {@code most} at most. */
  public List<Promise> promises(Account account, long block, int most) {
    return sql("""
        SELECT s.amount, p.nonce, z.nonce AS authorization_nonce FROM (
          SELECT p.tenant_id, p.spend_id, p.nonce FROM payment p WHERE p.tenant_id = :tenant AND p.wallet_id = :wallet AND %s
          UNION ALL
          SELECT p.tenant_id, p.spend_id, p.nonce FROM payment p WHERE p.tenant_id = :tenant AND p.wallet_id = :wallet AND %s) AS p
        CROSS JOIN LATERAL (SELECT * FROM spend WHERE tenant_id = :tenant AND spend_id = p.spend_id LIMIT 1) AS s
        CROSS JOIN LATERAL (SELECT FROM asset WHERE tenant_id = :tenant AND asset_id = s.asset_id AND contract = :token LIMIT 1) AS x
        LEFT JOIN LATERAL (SELECT nonce FROM payment_authorization WHERE tenant_id = :tenant AND spend_id = p.spend_id LIMIT 1) AS z
          ON true LIMIT :most
        """.formatted(IN_FLIGHT, PAID_AFTER)).param("block", block).param("tenant", account.tenantId)
        .param("wallet", account.walletId).param("token", account.token.bytes()).param("most", most)
        .query((row, n) -> new Promise(SpendStore.units(row, "amount"), row.getObject("nonce", Long.class),
            PaymentRows.digest(row.getBytes("authorization_nonce"))))
        .list();
  }

  /** What spends of an account will take of which nothing is fixed yet, by spend, in base units. */
  public Map<UUID, BigInteger> unfixed(Account account) {
    var unfixed = new HashMap<UUID, BigInteger>();
    sql("""
        SELECT s.spend_id, s.amount FROM payment p JOIN spend s USING (tenant_id, spend_id)
        JOIN asset x ON x.tenant_id = s.tenant_id AND x.asset_id = s.asset_id AND x.contract = :token
        WHERE p.tenant_id = :tenant AND p.wallet_id = :wallet AND p.state IN ('awaiting_approval', 'authorized')
        """).param("tenant", account.tenantId).param("wallet", account.walletId).param("token", account.token.bytes())
        .query((RowCallbackHandler) row -> unfixed.put(Directory.uuid(row, "spend_id"),
            SpendStore.units(row, "amount")));
    return unfixed;
  }

  /**
   * Notes that a payment lacks the money.
   *
   * @return how long it has, since that was first seen; empty if it waits no more, or for something else
   */
  public Optional<Duration> unfunded(Payment.Key key) {
    return sql("""
        UPDATE payment p SET unfunded_since = least(coalesce(p.unfunded_since, now()), now()) FROM wallet w, agent a
        WHERE p.tenant_id = :tenant AND p.spend_id = :spend AND p.state = 'authorized'
          AND w.tenant_id = p.tenant_id AND w.wallet_id = p.wallet_id AND w.status = 'active'
          AND a.tenant_id = w.tenant_id AND a.agent_id = w.agent_id AND a.status = 'active'
        RETURNING (extract(epoch FROM now() - p.unfunded_since) * 1000)::bigint
        """).param("tenant", key.tenantId()).param("spend", key.spendId()).query(Long.class).optional()
        .map(Duration::ofMillis);
  }

  /**
   * Ends a payment of which nothing is fixed and nothing signed, and gives back all that it holds: its wallet cannot pay it. Nothing
   * happens if it has moved meanwhile.
   */
  public void fail(Payment.Key key, Shortage shortage) {
    database.inTransaction(() -> {
      audit.lock(key.tenantId());
      var why = message(key, shortage);
      int changed = sql("""
          UPDATE payment SET state = 'failed', failure = :why, failure_code = :code, failure_observed = :observed,
            failure_bound = :bound, lease_until = '-infinity', updated_at = clock_timestamp()
          WHERE tenant_id = :tenant AND spend_id = :spend AND state = 'authorized'
          """).param("why", why.text).param("code", INSUFFICIENT).param("observed", new BigDecimal(shortage.left))
          .param("bound", new BigDecimal(shortage.wanted)).param("tenant", key.tenantId())
          .param("spend", key.spendId()).update();
      if (changed == 1) {
        var slot = audit.nextChanging(key.tenantId(), true, false);
        reservations.giveBack(slot, key.spendId(), Reservations.GiveBack.ALL);
        audit.write(slot, "payment.failed", key.spendId(), ACTOR,
            Json.object().put("spend", Id.SPEND.text(key.spendId())).put("why", why.text)
                .put("reason", Json.object().put("code", INSUFFICIENT).put("observed", why.observed)
                    .put("bound", why.bound).build())
                .build());
      }
    });
  }

  private record Message(String text, String observed, String bound) {}

  private Message message(Payment.Key key, Shortage shortage) {
    return sql("""
        SELECT w.address, x.symbol, x.decimals FROM payment p JOIN spend s USING (tenant_id, spend_id)
        JOIN wallet w ON w.tenant_id = p.tenant_id AND w.wallet_id = p.wallet_id
        JOIN asset x ON x.tenant_id = s.tenant_id AND x.asset_id = s.asset_id
        WHERE p.tenant_id = :tenant AND p.spend_id = :spend
        """).param("tenant", key.tenantId()).param("spend", key.spendId()).query((row, n) -> {
      int decimals = row.getInt("decimals");
      var symbol = row.getString("symbol");
      var left = Amount.format(shortage.left, decimals);
      var wanted = Amount.format(shortage.wanted, decimals);
      return new Message("the wallet `" + Address.of(row.getBytes("address")) + "` holds "
          + Amount.format(shortage.balance, decimals) + " " + symbol + ", of which " + left
          + " are not signed away: fewer than the " + wanted + " to be paid. Nothing was signed and the budget is given"
          + " back; send " + Amount.format(shortage.wanted.subtract(shortage.left), decimals) + " " + symbol
          + " or more to the wallet and ask again under a new idempotency key", left, wanted);
    }).single();
  }

  private JdbcClient.StatementSpec sql(String text) {
    return database.sql().sql(text);
  }
}
