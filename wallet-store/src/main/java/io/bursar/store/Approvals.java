package io.bursar.store;

import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Collectors;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.policy.Advice;
import io.bursar.policy.Decision;
import io.bursar.policy.DecisionJson;
import io.bursar.policy.PolicyEngine;
import io.bursar.policy.Rule;
import io.bursar.spend.Id;

/**
 * What approvers say of a spend that waits for them. At quorum the spend is decided again, with its own reservation set aside;
 * a denial then wins. A change of the policies in force begins a new round, in which nobody has spoken yet.
 */
public final class Approvals {
  public enum Verdict {
    APPROVE,
    REJECT
  }

  /** What became of a verdict. */
  public sealed interface Result {
    /** It was taken; the spend may wait for more, or have gone on. */
    record Taken() implements Result {}

    record UnknownSpend() implements Result {}

    /** The spend does not wait for anybody. */
    record NotAwaiting(String status) implements Result {}

    /** The approver is in none of the groups that are asked. */
    record NotAsked() implements Result {}

    record AlreadySpoken() implements Result {}

    /** The time for approvals was over; the spend has expired. */
    record Expired() implements Result {}

    /** The policies in force had changed: the spend was decided again, and the verdict was not taken. */
    record Dismissed() implements Result {}
  }

  /** One approver's word on one spend. */
  public record Word(UUID tenantId, UUID spendId, UUID approverId, Verdict verdict, @Nullable String signature,
      @Nullable String comment) {}

  private final Database database;
  private final AuditEntries audit;
  private final SpendStore spends;
  private final Reservations reservations;
  private final CounterKeeping counters;

  public Approvals(Database database, AuditEntries audit, SpendStore spends, Reservations reservations,
      CounterKeeping counters) {
    this.database = database;
    this.audit = audit;
    this.spends = spends;
    this.reservations = reservations;
    this.counters = counters;
  }

  /** Takes one approver's word, with all that follows from it, in one transaction. */
  public Result speak(Word word, String actor) {
    return database.inTransaction(() -> {
      audit.lock(word.tenantId());
      var found = spends.find(word.tenantId(), word.spendId());
      if (found.isEmpty()) {
        return new Result.UnknownSpend();
      }
      var spend = found.get();
      if (!spend.status().equals("awaiting_approval")) {
        return new Result.NotAwaiting(spend.status());
      }
      if (!isAsked(word, spend)) {
        return new Result.NotAsked();
      }
      if (spend.approvals().stream().anyMatch(given -> given.approverId().equals(word.approverId()))) {
        return new Result.AlreadySpoken();
      }
      var slot = audit.nextChanging(word.tenantId(), true, false);
      if (!java.util.Objects.requireNonNull(spend.payment()).waitsBeyond(slot.at())) {
        end(slot, spend, "expired", "settlement");
        return new Result.Expired();
      }
      if (!versionsInForce(spend).equals(versionsDecided(spend))) {
        decideAgain(slot, spend, Set.of(), actor);
        return new Result.Dismissed();
      }
      record(slot, word, spend, actor);
      if (word.verdict() == Verdict.REJECT) {
        end(audit.nextChanging(word.tenantId(), true, false), spend, "rejected", actor);
        return new Result.Taken();
      }
      var satisfied = satisfiedGroups(spend);
      if (satisfied.containsAll(groups(spend).stream().map(Rule.GroupThreshold::group).toList())) {
        decideAgain(audit.nextChanging(word.tenantId(), true, false), spend, satisfied, actor);
      }
      return new Result.Taken();
    });
  }

  /**
   * Ends the wait of spends whose time for approvals is over.
   *
   * @param most how many at the most
   * @return how many
   */
  public int expireDue(int most) {
    record Due(UUID tenantId, UUID spendId) {}
    var due = database.sql().sql("""
        SELECT tenant_id, spend_id FROM payment WHERE state = 'awaiting_approval' AND expires_at <= clock_timestamp() LIMIT :most
        """).param("most", most)
        .query((row, n) -> new Due(Directory.uuid(row, "tenant_id"), Directory.uuid(row, "spend_id"))).list();
    for (var each : due) {
      database.inTransaction(() -> {
        audit.lock(each.tenantId());
        var spend = spends.find(each.tenantId(), each.spendId()).orElseThrow();
        if (spend.status().equals("awaiting_approval")) {
          end(audit.nextChanging(each.tenantId(), true, false), spend, "expired", "settlement");
        }
      });
    }
    return due.size();
  }

  private boolean isAsked(Word word, Spend spend) {
    var names = groups(spend).stream().map(Rule.GroupThreshold::group).toArray(String[]::new);
    return database.sql().sql("""
        SELECT EXISTS (SELECT FROM approver_group g
                       JOIN approver_group_member m ON m.tenant_id = g.tenant_id AND m.group_id = g.group_id
                       WHERE g.tenant_id = :tenant AND g.name = ANY (:names) AND m.approver_id = :approver)
        """).param("tenant", word.tenantId()).param("names", names).param("approver", word.approverId())
        .query(Boolean.class).single();
  }

  private void record(AuditEntries.Slot slot, Word word, Spend spend, String actor) {
    database.sql().sql("""
        INSERT INTO approval (tenant_id, spend_id, round, approver_id, verdict, signature, comment, at)
        SELECT tenant_id, spend_id, round, :approver, :verdict, :signature, :comment, :at FROM payment
        WHERE tenant_id = :tenant AND spend_id = :spend
        """).param("approver", word.approverId())
        .param("verdict", word.verdict() == Verdict.APPROVE ? "approve" : "reject")
        .param("signature", word.signature()).param("comment", word.comment()).param("at", Directory.utc(slot.at()))
        .param("tenant", word.tenantId()).param("spend", word.spendId()).update();
    audit.write(slot, word.verdict() == Verdict.APPROVE ? "approval.given" : "approval.refused", word.spendId(), actor,
        Json.object().put("spend", Id.SPEND.text(word.spendId())).put("approver", Id.APPROVER.text(word.approverId()))
            .put("signature", word.signature())
            .put("authorizes", HexFormat.of().formatHex(spend.authorization().leafHash())).build());
  }

  /** The groups whose threshold of different members has approved in the present round. */
  private Set<String> satisfiedGroups(Spend spend) {
    record Approved(String group, int members) {}
    var approved = database.sql().sql("""
        SELECT g.name, count(DISTINCT v.approver_id) AS members
        FROM approval v
        JOIN payment p ON p.tenant_id = v.tenant_id AND p.spend_id = v.spend_id AND p.round = v.round
        JOIN approver_group_member m ON m.tenant_id = v.tenant_id AND m.approver_id = v.approver_id
        JOIN approver_group g ON g.tenant_id = m.tenant_id AND g.group_id = m.group_id
        WHERE v.tenant_id = :tenant AND v.spend_id = :spend AND v.verdict = 'approve' GROUP BY g.name
        """).param("tenant", spend.tenantId()).param("spend", spend.id())
        .query((row, n) -> new Approved(row.getString("name"), row.getInt("members"))).list().stream()
        .collect(Collectors.toMap(Approved::group, Approved::members));
    return groups(spend).stream().filter(asked -> approved.getOrDefault(asked.group(), 0) >= asked.threshold())
        .map(Rule.GroupThreshold::group).collect(Collectors.toSet());
  }

  /** Decides a spend again as of now, its own reservation set aside, and records the new authorization in {@code slot}. */
  private void decideAgain(AuditEntries.Slot slot, Spend spend, Set<String> satisfied, String actor) {
    reservations.giveBack(slot, spend.id(), Reservations.GiveBack.ALL);
    var standing = reservations.standing(spend.tenantId(), spend.request().walletId());
    var facts = spend.request().facts(spend.tenantId(), standing.walletFrozen(), standing.agentSuspended());
    var now = slot.at().truncatedTo(ChronoUnit.MICROS);
    var read = new LaneCounters(spend.tenantId());
    read.beginBatch(reservations.connection(), now);
    var decision = PolicyEngine.decide(standing.policies(), facts, read, now);
    read.refuseIfBroken();
    boolean approved = decision.approval() != null
        && satisfied.containsAll(decision.approval().groups().stream().map(Rule.GroupThreshold::group).toList());
    var state = switch (decision.effect()) {
      case ALLOW -> "authorized";
      case REQUIRE_APPROVAL -> approved ? "authorized" : "awaiting_approval";
      case DENY -> "denied";
    };
    if (decision.effect() != Decision.Effect.DENY) {
      decision.charges().forEach(charge -> read.charge(charge.counter(), charge.key(), charge.counter().weight(facts)));
      counters.add(spend.tenantId(), read.batchBuckets());
    }
    var authorizationId = Ids.next(now);
    insertRedecision(slot, spend, authorizationId, decision, now);
    var body = AuthorizationEntry.body(Id.AUTHORIZATION.text(authorizationId), spend.id(), facts, decision,
        Advice.NONE, null);
    audit.write(slot, AuthorizationEntry.KIND, spend.id(), actor, withApprovedBy(body, satisfied));
    move(slot, spend, state, decision, now);
  }

  private static Json.Obj withApprovedBy(Json.Obj body, Set<String> groups) {
    var extended = Json.object();
    body.members().forEach(extended::put);
    return extended.put("approvedBy", groups.isEmpty() ? null : Json.strings(groups.stream().sorted().toList()))
        .build();
  }

  private void insertRedecision(AuditEntries.Slot slot, Spend spend, UUID authorizationId, Decision decision,
      Instant now) {
    database.sql().sql("""
        INSERT INTO redecision (tenant_id, authorization_id, spend_id, effect, reason_codes, audit_seq, decided_at)
        VALUES (:tenant, :id, :spend, :effect, :codes, :seq, :at)
        """).param("tenant", spend.tenantId()).param("id", authorizationId).param("spend", spend.id())
        .param("effect", DecisionJson.text(decision.effect()))
        .param("codes",
            decision.reasons().stream().map(reason -> reason.code().name()).distinct().toArray(String[]::new))
        .param("seq", slot.seq()).param("at", Directory.utc(now)).update();
  }

  private void move(AuditEntries.Slot slot, Spend spend, String state, Decision decision, Instant now) {
    var approvalEnds = decision.approval() == null ? null : now.plus(decision.approval().expiresAfter());
    var requestEnds = spend.request().expiresAt();
    var expiresAt = !state.equals("awaiting_approval")
        ? requestEnds
        : requestEnds != null && approvalEnds != null && requestEnds.isBefore(approvalEnds)
            ? requestEnds
            : approvalEnds;
    database.sql().sql("""
        UPDATE payment SET state = :state, audit_seq = :seq, charged_at = :at, expires_at = :expires, due_at = :at, updated_at = :at,
          round = round + CASE WHEN :state = 'awaiting_approval' THEN 1 ELSE 0 END
        WHERE tenant_id = :tenant AND spend_id = :spend AND state = 'awaiting_approval'
        """).param("state", state).param("seq", slot.seq()).param("at", Directory.utc(now))
        .param("expires", expiresAt == null ? null : Directory.utc(expiresAt), java.sql.Types.TIMESTAMP_WITH_TIMEZONE)
        .param("tenant", spend.tenantId()).param("spend", spend.id()).update();
  }

  /** Ends a wait without a payment; all of the reservation goes back. */
  private void end(AuditEntries.Slot slot, Spend spend, String state, String actor) {
    reservations.giveBack(slot, spend.id(), Reservations.GiveBack.ALL);
    database.sql().sql("""
        UPDATE payment SET state = :state, updated_at = :at
        WHERE tenant_id = :tenant AND spend_id = :spend AND state = 'awaiting_approval'
        """).param("state", state).param("at", Directory.utc(slot.at())).param("tenant", spend.tenantId())
        .param("spend", spend.id())
        .update();
    audit.write(slot, "spend." + state, spend.id(), actor,
        Json.object().put("spend", Id.SPEND.text(spend.id())).build());
  }

  /** The groups that the decision in force asks. */
  private static List<Rule.GroupThreshold> groups(Spend spend) {
    var approval = spend.authorization().decision().get("approval");
    if (!(approval instanceof Json.Obj asked) || !(asked.get("groups") instanceof Json.Arr(var groups))) {
      return List.of();
    }
    return groups.stream().map(Json.Obj.class::cast).map(group -> new Rule.GroupThreshold(
        ((Json.Str) java.util.Objects.requireNonNull(group.get("group"))).value(),
        (int) ((Json.Num) java.util.Objects.requireNonNull(group.get("threshold"))).value())).toList();
  }

  private Set<String> versionsInForce(Spend spend) {
    return reservations.standing(spend.tenantId(), spend.request().walletId()).policies().stream()
        .map(inForce -> inForce.policy().version()).collect(Collectors.toSet());
  }

  private static Set<String> versionsDecided(Spend spend) {
    return Optional.ofNullable(spend.authorization().decision().get("policies")).map(Json.Arr.class::cast).stream()
        .flatMap(policies -> policies.items().stream()).map(policy -> ((Json.Str) java.util.Objects
            .requireNonNull(((Json.Obj) policy).get("version"))).value())
        .collect(Collectors.toSet());
  }
}
