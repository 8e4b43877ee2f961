package io.bursar.store.events;

import java.time.Instant;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

/**
 * Somebody who is told of events by HTTP.
 *
 * @param lookedAt the last number of the record that was looked at for it
 * @param disabledReason why nothing is sent any more; null while it is
 * @param failingSince since when every attempt has failed; null if the last one did not
 * @param pending how many events are looked at and not delivered yet
 */
public record Webhook(UUID tenantId, UUID id, String url, EventTypes.Selection events, long lookedAt,
    @Nullable String disabledReason, @Nullable Instant failingSince, long pending, Instant createdAt) {

  /**
   * One event on its way to one webhook, and what came of the last attempt.
   *
   * @param seq the event's number in the record
   * @param dueAt when it is tried next, while it is pending
   * @param lastStatus of HTTP; null where there was no answer
   * @param lastError null where the last attempt succeeded, or there was none
   */
  public record Delivery(UUID tenantId, long seq, String type, State state, int attempts, Instant dueAt,
      @Nullable Instant lastAttemptAt, @Nullable Integer lastStatus, @Nullable String lastError) {

    public enum State {
      PENDING,
      DELIVERED,
      /** Given up. */
      FAILED;

      public String text() {
        return name().toLowerCase(java.util.Locale.ROOT);
      }

      /** Throws {@link IllegalArgumentException} if there is no such state. */
      public static State parse(String text) {
        for (var state : values()) {
          if (state.text().equals(text)) {
            return state;
          }
        }
        throw new IllegalArgumentException("must be `pending`, `delivered` or `failed`");
      }
    }

    public UUID eventId() {
      return Event.id(tenantId, seq);
    }
  }
}
