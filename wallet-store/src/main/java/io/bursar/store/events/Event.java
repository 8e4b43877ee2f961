package io.bursar.store.events;

import java.time.Instant;
import java.util.OptionalLong;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.spend.Id;

/**
 * Something that happened, as those who follow the record are told it. Its place is its entry's in the record, so events of a
 * tenant have one order for everybody, and none can be missing.
 *
 * @param seq number of its entry, from 1
 * @param type such as {@code spend.confirmed}; see {@link EventTypes}
 * @param subject what it happened to; the tenant where nothing else is named
 * @param agentId the agent whose spend or wallet it is about, if it is about one
 * @param data what there is to say, by type
 */
public record Event(UUID tenantId, long seq, Instant at, String type, UUID subject, @Nullable UUID agentId,
    Json.Obj data) {

  /** Unlike that of any other event, also of other tenants; its order is the order of events. */
  public UUID id() {
    return id(tenantId, seq);
  }

  /** The identifier of the event with a number. */
  public static UUID id(UUID tenantId, long seq) {
    return new UUID(tenantId.getMostSignificantBits() ^ tenantId.getLeastSignificantBits(), seq);
  }

  /** The number of a tenant's event, or nothing if the identifier is not of an event of that tenant. */
  public static OptionalLong seq(UUID tenantId, UUID eventId) {
    long seq = eventId.getLeastSignificantBits();
    return seq >= 0 && id(tenantId, seq).equals(eventId) ? OptionalLong.of(seq) : OptionalLong.empty();
  }

  /** As it is told, in the form that Standard Webhooks recommends. */
  public Json.Obj toJson() {
    return Json.object().put("id", Id.EVENT.text(id())).put("type", type).put("timestamp", at.toString())
        .put("data", data).build();
  }
}
