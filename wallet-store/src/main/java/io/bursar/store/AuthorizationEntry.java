package io.bursar.store;

import java.util.HexFormat;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.policy.Advice;
import io.bursar.policy.Decision;
import io.bursar.policy.DecisionJson;
import io.bursar.policy.Replay;
import io.bursar.spend.Id;
import io.bursar.spend.SpendFacts;

/** The record of one decision as JSON: all that is needed to understand it and to decide it again. */
final class AuthorizationEntry {
  static final String KIND = Replay.KIND;

  private AuthorizationEntry() {}

  /**
   * The entry's own members; see {@link AuditEntries#entry} for those that every entry has.
   *
   * @param approvedBy the groups that have approved in sufficient number, where the decision was made again because of them
   */
  static Json.Obj body(String authorizationId, UUID spendId, SpendFacts facts, Decision decision, Advice advice,
      byte @Nullable [] textCommitment, Json.@Nullable Arr approvedBy) {
    return Json.object().put("authorization", authorizationId).put("spend", Id.SPEND.text(spendId))
        .put("facts", DecisionJson.facts(facts))
        .put("text", textCommitment == null ? null : HexFormat.of().formatHex(textCommitment))
        .put("decision", DecisionJson.decision(decision, advice))
        .put("readings", DecisionJson.readings(decision, advice))
        .put("conditions", DecisionJson.conditions(decision)).put("approvedBy", approvedBy).build();
  }
}
