package io.bursar.store.events;

import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Types;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.Arrays;
import java.util.Collection;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.spend.Id;
import io.bursar.store.AuditEntries;
import io.bursar.store.Database;
import io.bursar.store.Ids;
import io.bursar.store.Page;

/** Who is told of a tenant's events, and the log of what was sent to whom. Locks: the lane before the webhook. */
public final class Webhooks {
  /** The most webhooks of a tenant. */
  public static final int EACH_TENANT_MAX = 20;
  /** The most entries of the record that one call replays between two events. */
  public static final int REPLAY_MAX = 1_000;

  private static final String SELECT = """
      SELECT w.tenant_id, w.webhook_id, w.url, w.events, w.looked_at, w.disabled_reason, w.failing_since, w.created_at,
        (SELECT count(*) FROM webhook_delivery d WHERE d.tenant_id = w.tenant_id AND d.webhook_id = w.webhook_id
          AND d.state = 'pending') AS pending
      FROM webhook w WHERE w.tenant_id = :tenant""";

  private final Database database;
  private final AuditEntries audit;

  public Webhooks(Database database, AuditEntries audit) {
    this.database = database;
    this.audit = audit;
  }

  /**
   * Makes a webhook, which is told of everything that happens from now on; empty if the tenant has {@link #EACH_TENANT_MAX}.
   *
   * @param secret what its messages are authenticated with, 24 to 64 bytes
   */
  public Optional<Webhook> create(UUID tenantId, String url, EventTypes.Selection events, byte[] secret, String actor) {
    return database.inTransaction(() -> {
      audit.lock(tenantId);
      long count = database.sql().sql("SELECT count(*) FROM webhook WHERE tenant_id = :tenant")
          .param("tenant", tenantId).query(Long.class).single();
      if (count >= EACH_TENANT_MAX) {
        return Optional.<Webhook>empty();
      }
      var slot = audit.next(tenantId);
      var id = Ids.next(slot.at());
      database.sql().sql("""
          INSERT INTO webhook (tenant_id, webhook_id, url, events, secret, looked_at, created_at)
          VALUES (:tenant, :id, :url, :events, :secret, :seq, :at)
          """).param("tenant", tenantId).param("id", id).param("url", url)
          .param("events", events.texts().toArray(String[]::new)).param("secret", secret).param("seq", slot.seq())
          .param("at", slot.at().atOffset(ZoneOffset.UTC)).update();
      audit.write(slot, "webhook.created", id, actor, Json.object().put("webhook", Id.WEBHOOK.text(id)).put("url", url)
          .put("events", Json.strings(events.texts())).build());
      return find(tenantId, id);
    });
  }

  public Optional<Webhook> find(UUID tenantId, UUID webhookId) {
    return database.sql().sql(SELECT + " AND w.webhook_id = :id").param("tenant", tenantId).param("id", webhookId)
        .query((row, n) -> webhook(row)).optional();
  }

  public Page<Webhook> list(UUID tenantId, Page.Request page) {
    return Page.of(database.sql().sql(SELECT + " AND w.webhook_id > :after ORDER BY w.webhook_id LIMIT :limit")
        .param("tenant", tenantId).param("after", page.after().orElse(new UUID(0, 0)))
        .param("limit", page.limit() + 1).query((row, n) -> webhook(row)).list(), page.limit(), Webhook::id);
  }

  private static Webhook webhook(ResultSet row) throws SQLException {
    var patterns = Arrays.asList((String[]) row.getArray("events").getArray());
    return new Webhook(row.getObject("tenant_id", UUID.class), row.getObject("webhook_id", UUID.class),
        row.getString("url"), new EventTypes.Selection(Set.copyOf(patterns)), row.getLong("looked_at"),
        row.getString("disabled_reason"), instant(row, "failing_since"), row.getLong("pending"),
        row.getObject("created_at", OffsetDateTime.class).toInstant());
  }

  static @Nullable Instant instant(ResultSet row, String column) throws SQLException {
    var at = row.getObject(column, OffsetDateTime.class);
    return at == null ? null : at.toInstant();
  }

  /** Removes a webhook with the log of its deliveries; whether there was one. */
  public boolean delete(UUID tenantId, UUID webhookId, String actor) {
    if (find(tenantId, webhookId).isEmpty()) {
      return false;
    }
    return database.inTransaction(() -> {
      var slot = audit.next(tenantId);
      boolean deleted = database.sql().sql("DELETE FROM webhook WHERE tenant_id = :tenant AND webhook_id = :id")
          .param("tenant", tenantId).param("id", webhookId).update() == 1;
      audit.write(slot, "webhook.deleted", webhookId, actor,
          Json.object().put("webhook", Id.WEBHOOK.text(webhookId)).put("again", !deleted).build());
      return deleted;
    });
  }

  /** Sends again to a webhook that was disabled, from where it stood; empty if there is none. Enabling again changes nothing. */
  public Optional<Webhook> enable(UUID tenantId, UUID webhookId, String actor) {
    var found = find(tenantId, webhookId);
    if (found.isPresent() && found.get().disabledReason() != null) {
      database.inTransaction(() -> {
        var slot = audit.next(tenantId);
        database.sql().sql("""
            UPDATE webhook SET disabled_reason = NULL, failures = 0, failing_since = NULL, quiet_until = '-infinity'
            WHERE tenant_id = :tenant AND webhook_id = :id
            """).param("tenant", tenantId).param("id", webhookId).update();
        wake(tenantId, webhookId);
        audit.write(slot, "webhook.enabled", webhookId, actor,
            Json.object().put("webhook", Id.WEBHOOK.text(webhookId)).build());
      });
    }
    return find(tenantId, webhookId);
  }

  /** Everything that is pending is due now, and has all of its time again. */
  private void wake(UUID tenantId, UUID webhookId) {
    database.sql().sql("""
        UPDATE webhook_delivery SET due_at = now(), first_attempt_at = NULL
        WHERE tenant_id = :tenant AND webhook_id = :id AND state = 'pending'
        """).param("tenant", tenantId).param("id", webhookId).update();
  }

  /**
   * Tells a webhook again what happened from one event on: up to the newest, or to another one.
   *
   * @param from number of the first
   * @param to number of the last, at most {@link #REPLAY_MAX} − 1 more; empty for everything that there is
   * @param among the events between the two, where {@code to} is given; those that are not wanted are left out
   */
  public void replay(UUID tenantId, UUID webhookId, long from, Optional<Long> to, Collection<Event> among,
      String actor) {
    database.inTransaction(() -> {
      var slot = audit.next(tenantId);
      if (to.isEmpty()) {
        database.sql().sql("""
            UPDATE webhook SET looked_at = least(looked_at, :before) WHERE tenant_id = :tenant AND webhook_id = :id
            """).param("before", from - 1).param("tenant", tenantId).param("id", webhookId).update();
      } else {
        find(tenantId, webhookId).ifPresent(webhook -> among.stream()
            .filter(event -> event.seq() <= webhook.lookedAt() && webhook.events().includes(event.type()))
            .forEach(event -> insert(database, webhookId, event)));
      }
      audit.write(slot, "webhook.replayed", webhookId, actor, Json.object().put("webhook", Id.WEBHOOK.text(webhookId))
          .put("from", Id.EVENT.text(Event.id(tenantId, from)))
          .put("to", to.map(seq -> Id.EVENT.text(Event.id(tenantId, seq))).orElse(null)).build());
    });
  }

  /** Has an event delivered, again if it was before. */
  static void insert(Database database, UUID webhookId, Event event) {
    database.sql().sql("""
        INSERT INTO webhook_delivery (tenant_id, webhook_id, seq, subject, type, state, due_at)
        VALUES (:tenant, :id, :seq, :subject, :type, 'pending', now())
        ON CONFLICT (tenant_id, webhook_id, seq) DO UPDATE
        SET state = 'pending', attempts = 0, due_at = now(), first_attempt_at = NULL
        """).param("tenant", event.tenantId()).param("id", webhookId).param("seq", event.seq())
        .param("subject", event.subject()).param("type", event.type()).update();
  }

  /** What was sent to a webhook and what is to be sent, newest first; the cursor is {@code (0, number)}. */
  public Page<Webhook.Delivery> deliveries(UUID tenantId, UUID webhookId, Optional<Webhook.Delivery.State> state,
      Page.Request page) {
    return Page.of(database.sql().sql("""
        SELECT tenant_id, seq, type, state, attempts, due_at, last_attempt_at, last_status, last_error
        FROM webhook_delivery WHERE tenant_id = :tenant AND webhook_id = :id AND seq < :before
          AND (CAST(:state AS text) IS NULL OR state = :state) ORDER BY seq DESC LIMIT :limit
        """).param("tenant", tenantId).param("id", webhookId)
        .param("before", page.after().map(UUID::getLeastSignificantBits).orElse(Long.MAX_VALUE))
        .param("state", state.map(Webhook.Delivery.State::text).orElse(null), Types.VARCHAR)
        .param("limit", page.limit() + 1).query((row, n) -> delivery(row)).list(), page.limit(),
        delivery -> new UUID(0, delivery.seq()));
  }

  private static Webhook.Delivery delivery(ResultSet row) throws SQLException {
    return new Webhook.Delivery(row.getObject("tenant_id", UUID.class), row.getLong("seq"), row.getString("type"),
        Webhook.Delivery.State.parse(row.getString("state")), row.getInt("attempts"),
        row.getObject("due_at", OffsetDateTime.class).toInstant(), instant(row, "last_attempt_at"),
        row.getObject("last_status", Integer.class), row.getString("last_error"));
  }
}
