package io.bursar.store;

import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.approval.ApprovalText;
import io.bursar.approval.Verdict;
import io.bursar.json.Json;
import io.bursar.permit.Digest32;
import io.bursar.policy.DecisionJson;
import io.bursar.policy.Rule;
import io.bursar.spend.Id;

/**
 * What approvers are asked about a spend that waits. A round is asked under one decision and of groups as they are; when either
 * changes, what was given is dismissed and another round begins.
 */
final class ApprovalRounds {
  /** What ended a round without a quorum. */
  enum DismissedBy {
    /** The policies in force changed. */
    POLICY,
    /** The members of a group, or the keys of one of them, changed. */
    GROUP,
    /** The quorum had spoken, but decided again the spend needed others, or more. */
    DECISION;

    String text() {
      return name().toLowerCase(Locale.ROOT);
    }

    static DismissedBy parse(String text) {
      return valueOf(text.toUpperCase(Locale.ROOT));
    }
  }

  /** A round that was dismissed, and the text that approves in it. */
  record Dismissed(ApprovalText text, DismissedBy by) {}

  private final Database database;
  private final AuditEntries audit;

  ApprovalRounds(Database database, AuditEntries audit) {
    this.database = database;
    this.audit = audit;
  }

  /** What approves a spend that waits, as of now. */
  ApprovalText text(Spend spend) {
    var request = spend.request();
    var asset = request.asset().asset();
    var money = new ApprovalText.Money(asset.chain(), asset.symbol(), asset.contract(), asset.decimals(),
        request.amount());
    return new ApprovalText(Verdict.APPROVE, spend.tenantId(), spend.id(), spend.authorization().id(),
        request.walletId(), money, request.payee(), purpose(spend), policies(spend), groupLines(spend),
        Objects.requireNonNull(Objects.requireNonNull(spend.payment()).expiresAt()));
  }

  private @Nullable Digest32 purpose(Spend spend) {
    return salt(spend).map(salt -> Digest32.of(DecidedSpend.commitment(salt, spend.request().text()))).orElse(null);
  }

  /** The salt of the commitment to a spend's text; empty where it has none. */
  java.util.Optional<byte[]> salt(Spend spend) {
    return database.sql().sql("SELECT salt FROM spend_text WHERE tenant_id = :tenant AND spend_id = :spend")
        .param("tenant", spend.tenantId()).param("spend", spend.id()).query((row, n) -> row.getBytes("salt"))
        .optional();
  }

  private static List<ApprovalText.PolicyLine> policies(Spend spend) {
    return DecisionJson.policies(spend.authorization().decision()).stream()
        .map(policy -> new ApprovalText.PolicyLine(policy.attachedTo(), policy.policyId(), policy.version())).toList();
  }

  private List<ApprovalText.GroupLine> groupLines(Spend spend) {
    var asked = groups(spend);
    Map<String, Integer> revisions = new HashMap<>();
    database.sql().sql("SELECT name, revision FROM approver_group WHERE tenant_id = :tenant AND name = ANY (:names)")
        .param("tenant", spend.tenantId())
        .param("names", asked.stream().map(Rule.GroupThreshold::group).toArray(String[]::new))
        .query(row -> {
          revisions.put(row.getString("name"), row.getInt("revision"));
        });
    return asked.stream().map(group -> new ApprovalText.GroupLine(group.group(), group.threshold(),
        revisions.getOrDefault(group.group(), 1))).toList();
  }

  /** The groups that the decision in force asks. */
  static List<Rule.GroupThreshold> groups(Spend spend) {
    var approval = spend.authorization().decision().get("approval");
    if (!(approval instanceof Json.Obj asked) || !(asked.get("groups") instanceof Json.Arr(var groups))) {
      return List.of();
    }
    return groups.stream().map(Json.Obj.class::cast).map(group -> new Rule.GroupThreshold(text(group, "group"),
        (int) ((Json.Num) Objects.requireNonNull(group.get("threshold"))).value())).toList();
  }

  private static String text(Json.Obj object, String name) {
    return ((Json.Str) Objects.requireNonNull(object.get(name))).value();
  }

  /** The rounds of a spend that were dismissed, the newest first, a hundred at the most. */
  List<Dismissed> dismissed(Spend spend) {
    return database.sql().sql("""
        SELECT text, dismissed_by FROM approval_round
        WHERE tenant_id = :tenant AND spend_id = :spend ORDER BY round DESC LIMIT 100
        """).param("tenant", spend.tenantId()).param("spend", spend.id())
        .query((row, n) -> new Dismissed(ApprovalText.parse(row.getString("text")),
            DismissedBy.parse(row.getString("dismissed_by"))))
        .list();
  }

  /** Notes what the round before the present one had asked, and what ended it. */
  void note(AuditEntries.Slot slot, Spend spend, ApprovalText text, DismissedBy by) {
    database.sql().sql("""
        INSERT INTO approval_round (tenant_id, spend_id, round, text, dismissed_by, at)
        SELECT tenant_id, spend_id, round - 1, :text, :by, :at FROM payment
        WHERE tenant_id = :tenant AND spend_id = :spend
        """).param("text", text.toString()).param("by", by.text()).param("at", Directory.utc(slot.at()))
        .param("tenant", spend.tenantId()).param("spend", spend.id()).update();
  }

  /**
   * Begins another round for every spend that waits for a group and of which something was approved. A spend of which nothing was
   * yet needs none: what was asked of nobody, nobody has signed. Call it while the lane is locked.
   */
  void dismissByGroup(UUID tenantId, String group, String actor) {
    record Stale(UUID spendId, int round) {}
    var stale = database.sql().sql("""
        WITH stale AS (
          SELECT DISTINCT ON (p.spend_id) p.spend_id, p.round, v.text FROM payment p
          JOIN approval v ON v.tenant_id = p.tenant_id AND v.spend_id = p.spend_id AND v.round = p.round
          WHERE p.tenant_id = :tenant AND p.state = 'awaiting_approval' AND strpos(v.text, :line) > 0),
        noted AS (
          INSERT INTO approval_round (tenant_id, spend_id, round, text, dismissed_by, at)
          SELECT :tenant, spend_id, round, text, 'group', clock_timestamp() FROM stale)
        UPDATE payment p SET round = p.round + 1, updated_at = clock_timestamp() FROM stale s
        WHERE p.tenant_id = :tenant AND p.spend_id = s.spend_id RETURNING p.spend_id, p.round
        """).param("tenant", tenantId).param("line", "\ngroup: " + group + " threshold ")
        .query((row, n) -> new Stale(Directory.uuid(row, "spend_id"), row.getInt("round"))).list();
    for (var each : stale) {
      audit.write(audit.next(tenantId), "approvals.dismissed", each.spendId(), actor,
          Json.object().put("spend", Id.SPEND.text(each.spendId())).put("by", DismissedBy.GROUP.text())
              .put("group", group).put("round", each.round()).build());
    }
  }
}
