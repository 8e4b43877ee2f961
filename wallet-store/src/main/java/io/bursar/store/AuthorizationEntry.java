package io.bursar.store;

import java.time.Instant;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.money.Amount;
import io.bursar.policy.Counters;
import io.bursar.policy.Decision;
import io.bursar.policy.Headroom;
import io.bursar.policy.Policy;
import io.bursar.spend.Id;
import io.bursar.spend.SpendFacts;

/** The record of one decision as JSON: all that is needed to understand it and to decide it again. */
final class AuthorizationEntry {
  static final String KIND = "authorization";

  private AuthorizationEntry() {}

  /**
   * What the agent could do instead; both are promises as of the decision's clock. An allowed spend gets none: it has itself
   * changed what they would promise.
   *
   * @param maxAmountNow the most that would be allowed outright, in units of the asset
   * @param retryAt when the same request would be
   */
  record Advice(@Nullable String maxAmountNow, @Nullable Instant retryAt) {
    static final Advice NONE = new Advice(null, null);

    static Advice of(List<Policy.InForce> policies, SpendFacts facts, Counters counters, Instant now) {
      var amount = Headroom.maxAmountNow(policies, facts, counters, now)
          .map(units -> Amount.format(units, facts.asset().decimals()));
      return new Advice(amount.orElse(null), Headroom.retryAt(policies, facts, counters, now).orElse(null));
    }
  }

  /** The entry's own members; see {@link AuditEntries#entry} for those that every entry has. */
  static Json.Obj body(String authorizationId, UUID spendId, SpendFacts facts, Decision decision, Advice advice,
      byte @Nullable [] textCommitment) {
    return Json.object().put("authorization", authorizationId).put("spend", Id.SPEND.text(spendId))
        .put("facts", facts(facts))
        .put("text", textCommitment == null ? null : HexFormat.of().formatHex(textCommitment))
        .put("decision", decision(decision, advice))
        .put("readings", readings(decision)).build();
  }

  private static Json facts(SpendFacts facts) {
    var asset = facts.asset();
    return Json.object().put("agent", Id.AGENT.text(facts.agentId())).put("wallet", Id.WALLET.text(facts.walletId()))
        .put("chain", asset.chain()).put("asset", asset.symbol()).put("contract", asset.contract().toString())
        .put("decimals", asset.decimals()).put("currency", asset.currency()).put("amount", facts.amount())
        .put("payee", facts.payee().toString()).put("method", facts.method()).put("category", facts.category())
        .put("host", facts.host()).put("walletFrozen", facts.walletFrozen())
        .put("agentSuspended", facts.agentSuspended()).build();
  }

  /** The decision as the API shows it to administrators and auditors. */
  static Json.Obj decision(Decision decision, Advice advice) {
    var policies = new ArrayList<Json>();
    decision.policies().forEach(policy -> policies.add(Json.object().put("id", Id.POLICY.text(policy.policyId()))
        .put("version", policy.version()).put("attachedTo", PoliciesInForce.text(policy.attachedTo())).build()));
    var reasons = new ArrayList<Json>();
    for (var reason : decision.reasons()) {
      reasons.add(Json.object().put("code", reason.code().name())
          .put("policy", reason.policyId() == null ? null : Id.POLICY.text(reason.policyId()))
          .put("rule", reason.rule())
          .put("message", reason.message()).put("observed", reason.observed()).put("bound", reason.bound())
          .put("headroom", reason.headroom()).build());
    }
    var trace = new ArrayList<Json>();
    for (var rule : decision.trace()) {
      trace.add(
          Json.object().put("policy", Id.POLICY.text(rule.policyId())).put("rule", rule.rule()).put("kind", rule.kind())
              .put("outcome", rule.outcome().name().toLowerCase(Locale.ROOT)).build());
    }
    var approval = decision.approval();
    return Json.object().put("effect", text(decision.effect())).put("implicit", decision.implicit())
        .put("engine", Decision.ENGINE)
        .put("policies", new Json.Arr(policies)).put("reasons", new Json.Arr(reasons))
        .put("maxAmountNow", advice.maxAmountNow())
        .put("retryAt", advice.retryAt() == null ? null : advice.retryAt().toString())
        .put("approval", approval == null ? null : approval(approval)).put("trace", new Json.Arr(trace)).build();
  }

  private static Json approval(Decision.ApprovalNeeded approval) {
    var groups = new ArrayList<Json>();
    approval.groups()
        .forEach(
            group -> groups.add(Json.object().put("group", group.group()).put("threshold", group.threshold()).build()));
    return Json.object().put("groups", new Json.Arr(groups)).put("expiresAfter", approval.expiresAfter().toString())
        .put("delay", approval.delay().isZero() ? null : approval.delay().toString()).build();
  }

  private static Json readings(Decision decision) {
    var readings = new ArrayList<Json>();
    for (var reading : decision.readings()) {
      readings.add(Json.object().put("policy", Id.POLICY.text(reading.policyId())).put("rule", reading.rule())
          .put("sum", reading.usage().sum()).put("count", reading.usage().count())
          .put("fitsAt", reading.fitsAt() == null ? null : reading.fitsAt().toString()).build());
    }
    return new Json.Arr(readings);
  }

  static String text(Decision.Effect effect) {
    return effect.name().toLowerCase(Locale.ROOT);
  }
}
