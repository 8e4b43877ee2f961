package io.bursar.store;

import java.sql.Types;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.temporal.ChronoUnit;
import java.util.Map;
import java.util.TreeSet;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.policy.Advice;
import io.bursar.policy.Decision;
import io.bursar.policy.DecisionJson;
import io.bursar.policy.EntryBound;
import io.bursar.policy.PolicyEngine;
import io.bursar.spend.Id;

/** Decides a spend that waits for approvers again: when enough have spoken, and when the policies in force have changed. */
final class Redecisions {
  private final Database database;
  private final AuditEntries audit;
  private final Reservations reservations;
  private final CounterKeeping counters;

  Redecisions(Database database, AuditEntries audit, Reservations reservations, CounterKeeping counters) {
    this.database = database;
    this.audit = audit;
    this.reservations = reservations;
    this.counters = counters;
  }

  /**
   * Decides as of now, the spend's own reservation set aside, and records the new authorization.
   *
   * @param slot of a change of money
   * @param approvals by group, how many of its members have approved; the spend goes on only if that is enough for what is
   *     decided now, whatever was asked before
   * @return the state of the payment from now on
   */
  String decideAgain(AuditEntries.Slot slot, Spend spend, Map<String, Integer> approvals, String actor) {
    reservations.giveBack(slot, spend.id(), Reservations.GiveBack.ALL);
    var standing = reservations.standing(spend.tenantId(), spend.request().walletId());
    var facts = standing.facts(spend.tenantId(), spend.request());
    var now = slot.at().truncatedTo(ChronoUnit.MICROS);
    var read = new LaneCounters(spend.tenantId());
    read.beginBatch(reservations.connection(), now, () -> PolicyEngine.needs(standing.policies(), facts));
    var whole = PolicyEngine.decide(standing.policies(), facts, read, now);
    read.refuseIfBroken();
    var authorizationId = Ids.next(now);
    var recorded = EntryBound.record(whole, Advice.NONE,
        (of, advice) -> AuditEntries.entry(slot, AuthorizationEntry.KIND, actor,
            AuthorizationEntry.body(Id.AUTHORIZATION.text(authorizationId), spend.id(), facts, of, advice, null,
                approvedBy(of, approvals))));
    var decision = recorded.decision();
    var needed = decision.approval();
    boolean approved = needed != null && needed.groups().stream()
        .allMatch(group -> approvals.getOrDefault(group.group(), 0) >= group.threshold());
    var state = switch (decision.effect()) {
      case ALLOW -> "authorized";
      case REQUIRE_APPROVAL -> approved ? "authorized" : "awaiting_approval";
      case DENY -> "denied";
    };
    if (decision.effect() != Decision.Effect.DENY) {
      decision.charges().forEach(charge -> read.charge(charge.counter(), charge.key(), charge.counter().weight(facts)));
      counters.add(spend.tenantId(), read.batchBuckets());
    }
    insert(slot, spend, authorizationId, decision, now);
    audit.write(slot, AuthorizationEntry.KIND, spend.id(), recorded.payload());
    move(slot, spend, state, decision, now);
    return state;
  }

  /** The groups that have approved in the number that is asked now; where nobody is asked any more, those that had been. */
  private static Json.@Nullable Arr approvedBy(Decision decision, Map<String, Integer> approvals) {
    var reached = new TreeSet<>(approvals.keySet());
    var needed = decision.approval();
    if (needed != null) {
      reached.removeIf(group -> needed.groups().stream().noneMatch(
          asked -> asked.group().equals(group) && approvals.getOrDefault(group, 0) >= asked.threshold()));
    }
    return reached.isEmpty() ? null : Json.strings(reached);
  }

  private void insert(AuditEntries.Slot slot, Spend spend, UUID authorizationId, Decision decision, Instant now) {
    database.sql().sql("""
        INSERT INTO redecision (tenant_id, authorization_id, spend_id, wallet_id, effect, reason_codes, audit_seq, decided_at)
        VALUES (:tenant, :id, :spend, :wallet, :effect, :codes, :seq, :at)
        """).param("tenant", spend.tenantId()).param("id", authorizationId).param("spend", spend.id())
        .param("wallet", spend.request().walletId()).param("effect", DecisionJson.text(decision.effect()))
        .param("codes",
            decision.reasons().stream().map(reason -> reason.code().name()).distinct().toArray(String[]::new))
        .param("seq", slot.seq()).param("at", Directory.utc(now)).update();
  }

  private void move(AuditEntries.Slot slot, Spend spend, String state, Decision decision, Instant now) {
    var approvalEnds = decision.approval() == null ? null : now.plus(decision.approval().expiresAfter());
    var requestEnds = spend.request().expiresAt();
    var expiresAt = state.equals("awaiting_approval") ? earlier(requestEnds, approvalEnds) : requestEnds;
    // Approved, it still waits: nothing is prepared before, and it can be canceled.
    var notBefore = state.equals("authorized") && decision.approval() != null && !decision.approval().delay().isZero()
        ? now.plus(decision.approval().delay())
        : null;
    var dueAt = notBefore == null ? now : earlier(notBefore, requestEnds);
    database.sql().sql("""
        UPDATE payment SET state = :state, audit_seq = :seq, charged_at = :at, expires_at = :expires, not_before = :notBefore,
          due_at = :due, updated_at = :at, round = round + CASE WHEN :state = 'awaiting_approval' THEN 1 ELSE 0 END
        WHERE tenant_id = :tenant AND spend_id = :spend AND state = 'awaiting_approval'
        """).param("state", state).param("seq", slot.seq()).param("at", Directory.utc(now))
        .param("expires", time(expiresAt), Types.TIMESTAMP_WITH_TIMEZONE)
        .param("notBefore", time(notBefore), Types.TIMESTAMP_WITH_TIMEZONE).param("due", time(dueAt))
        .param("tenant", spend.tenantId()).param("spend", spend.id()).update();
  }

  /** The earlier of two times, where an absent one is never. */
  private static @Nullable Instant earlier(@Nullable Instant one, @Nullable Instant other) {
    return one == null || (other != null && other.isBefore(one)) ? other : one;
  }

  private static @Nullable OffsetDateTime time(@Nullable Instant at) {
    return at == null ? null : Directory.utc(at);
  }
}
