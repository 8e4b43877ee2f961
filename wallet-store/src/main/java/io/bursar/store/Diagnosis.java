package io.bursar.store;

import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.spend.Id;

/** What stands still in the database, over all tenants, and why. Reads only. */
public final class Diagnosis {
  /** How many findings of each kind are told. */
  private static final int EACH_MAX = 10;
  /** So long a payment may wait before it is told. */
  private static final Duration PATIENCE = Duration.ofSeconds(60);
  /** So many entries may wait for a signed head. */
  private static final int ENTRIES_BEHIND = 10_000;

  /**
   * Something that stands still.
   *
   * @param kind such as {@code payment} or {@code log.stopped}
   * @param about what it is about, such as {@code spd_…}
   * @param why for a person
   * @param since when it began, as far as that is known
   */
  public record Finding(String kind, UUID tenantId, String about, String why, @Nullable Instant since) {}

  private final Database database;

  public Diagnosis(Database database) {
    this.database = database;
  }

  /** Everything that is found, what stops most first. */
  public List<Finding> findings() {
    var findings = new ArrayList<Finding>();
    findings.addAll(lanes());
    findings.addAll(logs());
    findings.addAll(nonceGaps());
    findings.addAll(payments());
    findings.addAll(fundingRules());
    findings.addAll(webhooks());
    findings.addAll(breakGlass());
    return findings;
  }

  private List<Finding> lanes() {
    return find("lane.stopped", Id.TENANT, """
        SELECT tenant_id, tenant_id AS subject, stopped_at AS since, 'no spend is authorized: ' || stopped_reason AS why
        FROM lane WHERE stopped_at IS NOT NULL ORDER BY stopped_at LIMIT :most""");
  }

  private List<Finding> logs() {
    var logs = new ArrayList<>(find("log.stopped", Id.TENANT, """
        SELECT tenant_id, tenant_id AS subject, NULL::timestamptz AS since, 'nothing is signed: ' || stopped AS why
        FROM log_state WHERE stopped IS NOT NULL LIMIT :most"""));
    logs.addAll(find("log.behind", Id.TENANT, """
        SELECT l.tenant_id, l.tenant_id AS subject, NULL::timestamptz AS since,
          l.audit_seq - coalesce(s.checkpoint_size, 0) || ' entries of the record are not under a signed head' AS why
        FROM lane l LEFT JOIN log_state s USING (tenant_id)
        WHERE l.audit_seq - coalesce(s.checkpoint_size, 0) > %d AND s.stopped IS NULL LIMIT :most"""
        .formatted(ENTRIES_BEHIND)));
    return logs;
  }

  private List<Finding> nonceGaps() {
    return find("nonce.gap", Id.WALLET, """
        SELECT w.tenant_id, w.wallet_id AS subject, NULL::timestamptz AS since,
          w.next_nonce - count(p.nonce) || ' nonces below ' || w.next_nonce || ' belong to no payment' AS why
        FROM wallet w LEFT JOIN payment p ON p.tenant_id = w.tenant_id AND p.wallet_id = w.wallet_id AND p.nonce < w.next_nonce
        WHERE w.next_nonce > 0 AND EXISTS (SELECT FROM payment f WHERE f.tenant_id = w.tenant_id AND f.wallet_id = w.wallet_id
          AND f.state IN ('prepared', 'signed', 'broadcast') OFFSET 0)
        GROUP BY w.tenant_id, w.wallet_id, w.next_nonce HAVING count(p.nonce) < w.next_nonce LIMIT :most""");
  }

  /** The oldest of each wallet: what comes after it may only wait for it. */
  private List<Finding> payments() {
    return find("payment", Id.SPEND, """
        SELECT tenant_id, subject, since, why FROM (
          SELECT DISTINCT ON (tenant_id, wallet_id) tenant_id, spend_id AS subject, charged_at AS since,
            'is ' || state || ' and does not go on: ' || coalesce(failure, 'it is not known why') AS why
          FROM payment WHERE state IN ('authorized', 'prepared', 'signed', 'broadcast')
            AND updated_at < now() - interval '%d seconds' AND (not_before IS NULL OR not_before < now())
          ORDER BY tenant_id, wallet_id, nonce NULLS LAST, spend_id) AS first
        ORDER BY since LIMIT :most""".formatted(PATIENCE.toSeconds()));
  }

  private List<Finding> fundingRules() {
    return find("funding_rule", Id.WALLET, """
        SELECT f.tenant_id, f.wallet_id AS subject, f.noted_at AS since,
          'its ' || CASE f.kind WHEN 'sweep' THEN 'sweep' ELSE 'top-up' END || ' of ' || x.symbol || ' does not go on: ' || f.note AS why
        FROM funding_rule f JOIN asset x ON x.tenant_id = f.tenant_id AND x.asset_id = f.asset_id
        WHERE f.noted_at < now() - interval '%d seconds' ORDER BY f.noted_at LIMIT :most"""
        .formatted(PATIENCE.toSeconds()));
  }

  private List<Finding> webhooks() {
    return find("webhook", Id.WEBHOOK, """
        SELECT tenant_id, webhook_id AS subject, failing_since AS since, CASE WHEN disabled_reason IS NULL
          THEN failures || ' attempts in a row have failed' ELSE 'is disabled: ' || disabled_reason END AS why
        FROM webhook WHERE disabled_reason IS NOT NULL OR failing_since < now() - interval '%d seconds'
        ORDER BY failing_since LIMIT :most""".formatted(PATIENCE.toSeconds()));
  }

  private List<Finding> breakGlass() {
    return find("change.break_glass", Id.CHANGE,
        """
        SELECT tenant_id, change_id AS subject, updated_at AS since,
          'is executed without its quorum at ' || to_char(break_glass_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
            || ' unless somebody rejects it' AS why
        FROM change_request WHERE status = 'pending' AND break_glass_at IS NOT NULL ORDER BY break_glass_at LIMIT :most""");
  }

  private List<Finding> find(String kind, Id subjects, String select) {
    return database.sql().sql(select).param("most", EACH_MAX).query((row, n) -> finding(kind, subjects, row)).list();
  }

  private static Finding finding(String kind, Id subjects, ResultSet row) throws SQLException {
    return new Finding(kind, Directory.uuid(row, "tenant_id"), subjects.text(Directory.uuid(row, "subject")),
        row.getString("why"), row.getObject("since") == null ? null : Directory.instant(row, "since"));
  }
}
