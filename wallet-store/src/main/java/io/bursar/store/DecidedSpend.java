package io.bursar.store;

import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Collectors;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.permit.Digest32;
import io.bursar.policy.Advice;
import io.bursar.policy.Decision;
import io.bursar.policy.DecisionJson;
import io.bursar.policy.EntryBound;
import io.bursar.spend.Id;
import io.bursar.spend.SpendFacts;

/**
 * A request with its decision and the entry that records it, not yet committed.
 *
 * @param salt of the commitment to the text; absent where there is no text
 * @param expiresAt until when approvers may speak, or when the request itself runs out; absent where neither
 */
public record DecidedSpend(UUID id, UUID tenantId, Spend.Request request, Decision decision, Instant decidedAt,
    Json.Obj entry,
    byte[] payload, byte[] leafHash, byte @Nullable [] salt, @Nullable Instant expiresAt) {

  /**
   * Writes down a decision, or the denial that takes its place if its entry would be too large.
   *
   * @param position in its batch, so that identifiers sort in the order of deciding
   */
  static DecidedSpend of(UUID tenantId, int position, Spend.Request request, SpendFacts facts, Decision decision,
      Advice advice, Instant now) {
    var id = Id.version7(ChronoUnit.MICROS.between(Instant.EPOCH, now), position,
        ThreadLocalRandom.current().nextLong());
    var salt = request.text().isEmpty() ? null : random(16);
    var text = salt == null ? null : commitment(salt, request.text());
    var slot = new AuditEntries.Slot(tenantId, 0, now);
    var recorded = EntryBound.record(decision, advice,
        (of, with) -> AuditEntries.entry(slot, AuthorizationEntry.KIND, Id.AGENT.text(request.agentId()),
            AuthorizationEntry.body(Id.AUTHORIZATION.text(id), id, facts, of, with, text, null)));
    return new DecidedSpend(id, tenantId, request, recorded.decision(), now, recorded.entry(), recorded.payload(),
        AuditEntries.leafHash(recorded.payload()), salt, expiresAt(request, recorded.decision(), now));
  }

  private static @Nullable Instant expiresAt(Spend.Request request, Decision decision, Instant now) {
    var approval = decision.approval();
    if (approval == null) {
      return request.expiresAt();
    }
    var approvalEnds = now.plus(approval.expiresAfter());
    return request.expiresAt() != null && request.expiresAt().isBefore(approvalEnds)
        ? request.expiresAt()
        : approvalEnds;
  }

  /** SHA-256 over the salt and the canonical text. */
  static byte[] commitment(byte[] salt, Spend.Text text) {
    return Digest32.sha256(salt, JsonText.canonical(Json.object().put("purpose", text.purpose())
        .put("reference", text.reference()).put("metadata", text.metadata()).build())).bytes();
  }

  /** A salt only keeps a short text from being guessed by its commitment; it need not be secret from who can read the text. */
  private static byte[] random(int bytes) {
    var salt = new byte[bytes];
    Ids.random().nextBytes(salt);
    return salt;
  }

  /** Whether the spend takes from its limits. */
  boolean reserves() {
    return decision.effect() != Decision.Effect.DENY;
  }

  String effect() {
    return DecisionJson.text(decision.effect());
  }

  /** Separated by commas. */
  String reasonCodes() {
    return decision.reasons().isEmpty()
        ? ""
        : decision.reasons().stream().map(reason -> reason.code().name()).distinct().collect(Collectors.joining(","));
  }

  @Nullable
  String metadata() {
    var metadata = request.text().metadata();
    return metadata == null ? null : new String(JsonText.canonical(metadata), java.nio.charset.StandardCharsets.UTF_8);
  }

  /** As it stands right after the commit. */
  public Spend asSpend() {
    var payment = switch (decision.effect()) {
      case DENY -> null;
      case ALLOW -> payment("authorized");
      case REQUIRE_APPROVAL -> payment("awaiting_approval");
    };
    return new Spend(tenantId, id, request, new Spend.Authorization(id, leafHash, null, entry), decidedAt, payment,
        List.of());
  }

  private Spend.Payment payment(String state) {
    return new Spend.Payment(state, expiresAt, null, null, null, null, 0, null, null, null, decidedAt);
  }
}
