package io.bursar.api.rehearsal;

import java.time.Instant;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.api.http.Query;
import io.bursar.json.Json;
import io.bursar.json.JsonReader;
import io.bursar.json.JsonText;
import io.bursar.policy.Decision.Effect;
import io.bursar.policy.DecisionJson;
import io.bursar.policy.Replay;
import io.bursar.rehearsal.Backtest;
import io.bursar.spend.Id;
import io.bursar.store.PolicyStore;
import io.bursar.store.RecordedDecisions;

/** The record as rehearsals read it. */
final class History {
  private History() {}

  /** A tenant's policies by version, loaded as they are asked for. */
  static Replay.Policies policies(PolicyStore policies, UUID tenantId) {
    return (policyId, version) -> policies.find(tenantId, policyId, version)
        .map(found -> Replay.policy(version, found.document(), policies.environment(tenantId)));
  }

  /** A member that is a time with its offset; null where it is absent or a fault was noted. */
  static @Nullable Instant time(JsonReader reader, String name) {
    return reader.parsed(name, 40, Query::time);
  }

  /** The first decision of a spend as a backtest wants it; null for one that was made again. */
  static Backtest.@Nullable Recorded recorded(UUID tenantId, RecordedDecisions.Row row) {
    if (!(parsed(row.payload()) instanceof Json.Obj entry)
        || !(entry.get("facts") instanceof Json.Obj facts) || !(entry.get("decision") instanceof Json.Obj decision)
        || !(entry.get("authorization") instanceof Json.Str(var authorization))
        || !(entry.get("at") instanceof Json.Str(var at))
        || !(decision.get("effect") instanceof Json.Str(var effect))) {
      throw new IllegalStateException("entry " + row.seq() + " is not an authorization");
    }
    if (!Id.AUTHORIZATION.text(row.spendId()).equals(authorization)) {
      return null;
    }
    return new Backtest.Recorded(row.spendId(), Instant.parse(at),
        DecisionJson.facts(tenantId, facts).withText(row.text()), effect(effect),
        DecisionJson.policies(decision), row.givenBackAt());
  }

  private static Effect effect(String text) {
    return switch (text) {
      case "allow" -> Effect.ALLOW;
      case "require_approval" -> Effect.REQUIRE_APPROVAL;
      case "deny" -> Effect.DENY;
      default -> throw new IllegalStateException("`" + text + "` is no effect");
    };
  }

  private static Json parsed(byte[] payload) {
    try {
      return JsonText.parse(payload);
    } catch (JsonText.Malformed e) {
      throw new IllegalStateException("an entry is not JSON", e);
    }
  }
}
