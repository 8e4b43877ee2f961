package io.bursar.store;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Types;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.UUID;

import org.jspecify.annotations.Nullable;
import org.springframework.jdbc.core.simple.JdbcClient;

import io.bursar.json.Json;
import io.bursar.money.Address;
import io.bursar.money.Amount;
import io.bursar.spend.Id;
import io.bursar.store.Directory.RegisteredAsset;

/**
 * Rules that keep what wallets hold between two lines, and how far each has come. Which spend is a rule's next follows from its row
 * alone, so any number of processes that work on it ask for the same one.
 */
public final class FundingRules {
  /** The most rules of a wallet. */
  public static final int RULES_MAX = 20;

  /** Which way the money goes. */
  public enum Kind {
    /** What is above the line goes to the treasury. */
    SWEEP("sweep"),
    /** What is missing below the line comes from the treasury. */
    TOP_UP("topUp");

    private final String text;

    Kind(String text) {
      this.text = text;
    }

    /** As the API has it. */
    public String text() {
      return text;
    }

    private String stored() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /**
   * What a rule says.
   *
   * @param threshold base units: a sweep begins above it, a top-up below it
   * @param target base units that are to be available then
   * @param treasuryId the wallet on the other side, on the same chain
   */
  public record Terms(Kind kind, RegisteredAsset asset, BigInteger threshold, BigInteger target, UUID treasuryId) {
    private boolean isSame(Terms other) {
      return kind == other.kind && asset.id().equals(other.asset.id()) && threshold.equals(other.threshold)
          && target.equals(other.target) && treasuryId.equals(other.treasuryId);
    }
  }

  /**
   * How far a rule has come.
   *
   * @param serial how many spends it has asked for
   * @param spendId the last of them
   * @param state of the last one's payment, {@code denied} if it has none; null where what became of it is dealt with
   * @param setbacks how many in a row came to nothing
   * @param note why nothing moves although it should
   * @param dueAt when it is looked at again
   */
  public record Progress(long serial, @Nullable UUID spendId, @Nullable String state, int setbacks,
      @Nullable String note, Instant dueAt) {}

  public record Rule(UUID tenantId, UUID id, UUID walletId, Terms terms, Progress progress, Instant createdAt) {}

  private static final String SELECT = """
      SELECT f.tenant_id, f.rule_id, f.wallet_id, f.kind, f.threshold, f.target, f.treasury_id, f.serial, f.spend_id,
        CASE WHEN f.open THEN coalesce(p.state, 'denied') END AS state, f.setbacks, f.note,
        greatest(f.due_at, f.created_at) AS due_at, f.created_at AS rule_created_at, x.*
      FROM funding_rule f JOIN asset x ON x.tenant_id = f.tenant_id AND x.asset_id = f.asset_id
      LEFT JOIN payment p ON p.tenant_id = f.tenant_id AND p.spend_id = f.spend_id
      """;

  private final Database database;
  private final AuditEntries audit;

  public FundingRules(Database database, AuditEntries audit) {
    this.database = database;
    this.audit = audit;
  }

  /** A wallet's rules, by asset and kind. */
  public List<Rule> of(UUID tenantId, UUID walletId) {
    return sql(SELECT + "WHERE f.tenant_id = :tenant AND f.wallet_id = :wallet ORDER BY x.symbol, f.kind")
        .param("tenant", tenantId).param("wallet", walletId).query((row, n) -> rule(row)).list();
  }

  /**
   * Sets all of a wallet's rules. One that stays as it is goes on; every other one stops here, and what it has asked for already is
   * an ordinary spend.
   *
   * @param wanted at most {@link #RULES_MAX}, for each asset one of each kind at most
   */
  public void set(UUID tenantId, UUID walletId, List<Terms> wanted, String actor) {
    database.inTransaction(() -> {
      audit.lock(tenantId);
      var missing = new ArrayList<>(wanted);
      var left = new ArrayList<UUID>();
      for (var rule : of(tenantId, walletId)) {
        if (!missing.removeIf(rule.terms::isSame)) {
          left.add(rule.id);
        }
      }
      if (left.isEmpty() && missing.isEmpty()) {
        return;
      }
      var slot = audit.next(tenantId);
      sql("DELETE FROM funding_rule WHERE tenant_id = :tenant AND rule_id = ANY (:rules)").param("tenant", tenantId)
          .param("rules", left.toArray(UUID[]::new)).update();
      for (var terms : missing) {
        sql("""
            INSERT INTO funding_rule (tenant_id, rule_id, wallet_id, asset_id, kind, threshold, target, treasury_id, created_at)
            VALUES (:tenant, :rule, :wallet, :asset, :kind, :threshold, :target, :treasury, :at)
            """).param("tenant", tenantId).param("rule", Ids.next(slot.at())).param("wallet", walletId)
            .param("asset", terms.asset.id()).param("kind", terms.kind.stored())
            .param("threshold", new BigDecimal(terms.threshold)).param("target", new BigDecimal(terms.target))
            .param("treasury", terms.treasuryId).param("at", Directory.utc(slot.at())).update();
      }
      audit.write(slot, "wallet.funding_rules_set", walletId, actor,
          Json.object().put("wallet", Id.WALLET.text(walletId))
              .put("rules", new Json.Arr(wanted.stream().map(FundingRules::entry).toList())).build());
    });
  }

  private static Json entry(Terms terms) {
    int decimals = terms.asset.asset().decimals();
    return Json.object().put("kind", terms.kind.text).put("asset", terms.asset.asset().symbol())
        .put("threshold", Amount.format(terms.threshold, decimals)).put("target", Amount.format(terms.target, decimals))
        .put("treasury", Id.WALLET.text(terms.treasuryId)).build();
  }

  /** Takes rules of wallets on a chain that are to be looked at, for a while, those that wait longest first. */
  public List<Rule> claim(String chain, int most, Duration lease) {
    return database.inTransaction(() -> {
      record Key(UUID tenantId, UUID ruleId) {}
      var taken = sql("""
          UPDATE funding_rule SET lease_until = now() + :lease * interval '1 millisecond' WHERE (tenant_id, rule_id) IN (
            SELECT f.tenant_id, f.rule_id FROM funding_rule f
            JOIN wallet w ON w.tenant_id = f.tenant_id AND w.wallet_id = f.wallet_id
            WHERE f.due_at <= now() AND NOT f.lease_until BETWEEN now() AND now() + interval '1 minute' AND w.chain = :chain
            ORDER BY f.due_at LIMIT :most FOR UPDATE OF f SKIP LOCKED) RETURNING tenant_id, rule_id
          """).param("lease", lease.toMillis()).param("chain", chain).param("most", most)
          .query((row, n) -> new Key(Directory.uuid(row, "tenant_id"), Directory.uuid(row, "rule_id"))).list();
      return sql(SELECT + "WHERE (f.tenant_id, f.rule_id) IN (SELECT * FROM unnest(:tenants::uuid[], :rules::uuid[]))")
          .param("tenants", taken.stream().map(Key::tenantId).toArray(UUID[]::new))
          .param("rules", taken.stream().map(Key::ruleId).toArray(UUID[]::new)).query((row, n) -> rule(row)).list();
    });
  }

  /** Whether a rule is still there, as it was read: the last look before it pays. */
  public boolean stands(Rule rule) {
    return sql("""
        SELECT EXISTS (SELECT FROM funding_rule WHERE tenant_id = :tenant AND rule_id = :rule AND serial = :serial)
        """).param("tenant", rule.tenantId).param("rule", rule.id).param("serial", rule.progress.serial)
        .query(Boolean.class).single();
  }

  /** Notes the spend that a rule has asked for; again, it changes nothing. */
  public void asked(Rule rule, UUID spendId) {
    sql("""
        UPDATE funding_rule SET serial = serial + 1, spend_id = :spend, open = true, due_at = now(), lease_until = '-infinity'
        WHERE tenant_id = :tenant AND rule_id = :rule AND serial = :serial
        """).param("spend", spendId).param("tenant", rule.tenantId).param("rule", rule.id)
        .param("serial", rule.progress.serial).update();
  }

  /** Deals with the last spend: it has done what it should, or it came to nothing and the rule rests. */
  public void close(Rule rule, boolean done, Duration rest, @Nullable String note) {
    sql("""
        UPDATE funding_rule SET open = false, setbacks = CASE WHEN :done THEN 0 ELSE setbacks + 1 END, note = :note,
          noted_at = CASE WHEN CAST(:note AS text) IS NULL THEN NULL ELSE coalesce(noted_at, now()) END,
          due_at = now() + :rest * interval '1 millisecond', lease_until = '-infinity'
        WHERE tenant_id = :tenant AND rule_id = :rule AND serial = :serial AND open
        """).param("done", done).param("note", note, Types.VARCHAR).param("rest", rest.toMillis())
        .param("tenant", rule.tenantId).param("rule", rule.id).param("serial", rule.progress.serial).update();
  }

  /**
   * Looks at a rule again later.
   *
   * @param note why nothing moves although it should; null if all is well
   */
  public void later(Rule rule, Duration delay, @Nullable String note) {
    sql("""
        UPDATE funding_rule SET note = :note, lease_until = '-infinity', due_at = now() + :delay * interval '1 millisecond',
          noted_at = CASE WHEN CAST(:note AS text) IS NULL THEN NULL ELSE coalesce(noted_at, now()) END
        WHERE tenant_id = :tenant AND rule_id = :rule AND serial = :serial
        """).param("note", note, Types.VARCHAR).param("delay", delay.toMillis()).param("tenant", rule.tenantId)
        .param("rule", rule.id).param("serial", rule.progress.serial).update();
  }

  /** Why a spend came to nothing, as its payment says. */
  public Optional<String> failure(UUID tenantId, UUID spendId) {
    return sql("SELECT failure FROM payment WHERE tenant_id = :tenant AND spend_id = :spend AND failure IS NOT NULL")
        .param("tenant", tenantId).param("spend", spendId).query(String.class).optional();
  }

  /** Whether something of an asset is on its way from a wallet to an address, or arrived there after a block. */
  public boolean isMoving(UUID tenantId, UUID walletId, Address payee, UUID assetId, long block) {
    return sql("""
        SELECT EXISTS (SELECT FROM payment p JOIN spend s ON s.tenant_id = p.tenant_id AND s.spend_id = p.spend_id
          WHERE p.tenant_id = :tenant AND p.wallet_id = :wallet AND s.payee = :payee AND s.asset_id = :asset
            AND (p.state IN ('awaiting_approval', 'authorized', 'prepared', 'signed', 'broadcast')
              OR p.state = 'confirmed' AND p.block_number > :block))
        """).param("tenant", tenantId).param("wallet", walletId).param("payee", payee.bytes())
        .param("asset", assetId).param("block", block).query(Boolean.class).single();
  }

  private static Rule rule(ResultSet row) throws SQLException {
    var terms = new Terms(Kind.valueOf(row.getString("kind").toUpperCase(Locale.ROOT)), Directory.asset(row),
        SpendStore.units(row, "threshold"), SpendStore.units(row, "target"), Directory.uuid(row, "treasury_id"));
    var progress = new Progress(row.getLong("serial"), row.getObject("spend_id", UUID.class), row.getString("state"),
        row.getInt("setbacks"), row.getString("note"), Directory.instant(row, "due_at"));
    return new Rule(Directory.uuid(row, "tenant_id"), Directory.uuid(row, "rule_id"),
        Directory.uuid(row, "wallet_id"), terms, progress, Directory.instant(row, "rule_created_at"));
  }

  private JdbcClient.StatementSpec sql(String text) {
    return database.sql().sql(text);
  }
}
