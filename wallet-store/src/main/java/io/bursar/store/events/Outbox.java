package io.bursar.store.events;

import java.sql.Types;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.spend.Id;
import io.bursar.store.Alarms;
import io.bursar.store.AuditEntries;
import io.bursar.store.Database;

/**
 * What is to be sent to webhooks. Who sends takes a webhook by lease, so that one process at a time works on it; looks at the record
 * where it stopped; and takes what is due: of each subject only the earliest event, so that later ones never overtake it. An event may be
 * sent twice, never left out.
 */
public final class Outbox {
  /** How long an event is tried. */
  public static final Duration TRIED_FOR = Duration.ofDays(3);
  /** After how many failures in a row only one attempt at a time is made, and ever more seldom. */
  public static final int FAILURES_MAX = 8;

  /** How many events of a webhook wait at most; what is behind them waits in the record. */
  private static final int PENDING_MAX = 1_000;
  private static final Duration LEASE = Duration.ofSeconds(30);
  private static final Duration QUIET_MAX = Duration.ofSeconds(60);
  private static final Duration KEPT = Duration.ofDays(30);
  private static final int ERROR_MAX = 300;

  private static final List<Duration> WAITS = List.of(Duration.ofSeconds(5), Duration.ofSeconds(30),
      Duration.ofMinutes(2), Duration.ofMinutes(10), Duration.ofMinutes(30), Duration.ofHours(1), Duration.ofHours(2),
      Duration.ofHours(4), Duration.ofHours(8));

  /** A webhook that is being worked on. */
  public record Taken(UUID tenantId, UUID webhookId, String url, Database.Secret secret, EventTypes.Selection events,
      int failures, UUID lease) {

    /** What its messages are authenticated with. */
    public byte[] key() {
      return java.util.HexFormat.of().parseHex(secret.value());
    }
  }

  /** An event that is due. */
  public record Due(long seq, int attempts) {}

  /** How much has not been delivered, since when the webhook that has failed longest fails, and how many are disabled. */
  public record Backlog(long events, Duration failing, long disabled) {}

  /**
   * What came of an attempt.
   *
   * @param status of HTTP; null where there was no answer
   * @param error null if it was delivered
   * @param gone whether the receiver says that it wants no more
   */
  public record Attempt(@Nullable Integer status, @Nullable String error, boolean gone) {
    public boolean isDelivered() {
      return error == null;
    }
  }

  private final Database database;
  private final AuditEntries audit;
  private final EventFeed feed;
  private final Alarms alarms;

  public Outbox(Database database, AuditEntries audit, EventFeed feed, Alarms alarms) {
    this.database = database;
    this.audit = audit;
    this.feed = feed;
    this.alarms = alarms;
  }

  /** Takes webhooks that have something to do. */
  public List<Taken> take(int most) {
    var lease = UUID.randomUUID();
    return database.sql().sql("""
        UPDATE webhook w SET lease = :lease, lease_until = now() + :length * interval '1 millisecond' FROM (
          SELECT o.tenant_id, o.webhook_id FROM webhook o JOIN lane l USING (tenant_id)
          WHERE o.disabled_reason IS NULL AND o.lease_until < now() AND o.quiet_until <= now()
            AND (o.looked_at < l.audit_seq OR EXISTS (SELECT FROM webhook_delivery d WHERE d.tenant_id = o.tenant_id
              AND d.webhook_id = o.webhook_id AND d.state = 'pending' AND d.due_at <= now() OFFSET 0))
          ORDER BY o.lease_until LIMIT :most FOR UPDATE OF o SKIP LOCKED) AS found
        WHERE w.tenant_id = found.tenant_id AND w.webhook_id = found.webhook_id
        RETURNING w.tenant_id, w.webhook_id, w.url, encode(w.secret, 'hex') AS secret, w.events, w.failures
        """).param("lease", lease).param("length", LEASE.toMillis()).param("most", most)
        .query((row, n) -> new Taken(row.getObject("tenant_id", UUID.class), row.getObject("webhook_id", UUID.class),
            row.getString("url"), new Database.Secret(row.getString("secret")),
            new EventTypes.Selection(Set.of((String[]) row.getArray("events").getArray())), row.getInt("failures"),
            lease))
        .list();
  }

  /** Keeps the lease; false if it was lost, or there is nothing more to send to. */
  public boolean keep(Taken webhook) {
    return database.sql().sql("""
        UPDATE webhook SET lease_until = now() + :length * interval '1 millisecond'
        WHERE tenant_id = :tenant AND webhook_id = :id AND lease = :lease AND disabled_reason IS NULL
          AND quiet_until <= now()
        """).param("length", LEASE.toMillis()).param("tenant", webhook.tenantId()).param("id", webhook.webhookId())
        .param("lease", webhook.lease()).update() == 1;
  }

  public void release(Taken webhook) {
    database.sql().sql("""
        UPDATE webhook SET lease_until = '-infinity' WHERE tenant_id = :tenant AND webhook_id = :id AND lease = :lease
        """).param("tenant", webhook.tenantId()).param("id", webhook.webhookId()).param("lease", webhook.lease())
        .update();
  }

  /** Looks at the next entries of the record, and notes what of them is to be sent. Whether there may be more to look at. */
  public boolean look(Taken webhook) {
    return database.inTransaction(() -> {
      long lookedAt = database.sql()
          .sql("SELECT looked_at FROM webhook WHERE tenant_id = :tenant AND webhook_id = :id FOR UPDATE")
          .param("tenant", webhook.tenantId()).param("id", webhook.webhookId()).query(Long.class).optional()
          .orElse(Long.MAX_VALUE);
      long pending = database.sql().sql("""
          SELECT count(*) FROM webhook_delivery WHERE tenant_id = :tenant AND webhook_id = :id AND state = 'pending'
          """).param("tenant", webhook.tenantId()).param("id", webhook.webhookId()).query(Long.class).single();
      if (pending >= PENDING_MAX || lookedAt == Long.MAX_VALUE) {
        return false;
      }
      var events = feed.after(webhook.tenantId(), lookedAt, EventFeed.ENTRIES_MAX);
      events.stream().filter(event -> webhook.events().includes(event.type()))
          .forEach(event -> Webhooks.insert(database, webhook.webhookId(), event));
      if (!events.isEmpty()) {
        database.sql().sql("UPDATE webhook SET looked_at = :seq WHERE tenant_id = :tenant AND webhook_id = :id")
            .param("seq", events.getLast().seq()).param("tenant", webhook.tenantId())
            .param("id", webhook.webhookId()).update();
      }
      return events.size() == EventFeed.ENTRIES_MAX;
    });
  }

  /** The earliest pending event of each subject, if it is due. */
  public List<Due> due(Taken webhook, int most) {
    return database.sql().sql("""
        SELECT seq, attempts FROM (
          SELECT DISTINCT ON (subject) seq, attempts, due_at FROM webhook_delivery
          WHERE tenant_id = :tenant AND webhook_id = :id AND state = 'pending' ORDER BY subject, seq) AS first
        WHERE due_at <= now() ORDER BY seq LIMIT :most
        """).param("tenant", webhook.tenantId()).param("id", webhook.webhookId()).param("most", most)
        .query((row, n) -> new Due(row.getLong("seq"), row.getInt("attempts"))).list();
  }

  /**
   * Notes what came of an attempt, and when the next one is.
   *
   * @param jitterPercent 0 to 100: how much of a fifth of the wait is added to it
   * @return whether the event is given up
   */
  public boolean note(Taken webhook, Due due, Attempt attempt, int jitterPercent) {
    if (attempt.isDelivered()) {
      delivered(webhook, due, attempt);
      return false;
    }
    boolean givenUp = failed(webhook, due, attempt, wait(due.attempts(), jitterPercent));
    disableIfItFailsForLong(webhook, attempt);
    return givenUp;
  }

  /** How long after a failed attempt the next one is: ever longer, so that about a score of them fall into three days. */
  static Duration wait(int attemptsBefore, int jitterPercent) {
    var wait = WAITS.get(Math.min(attemptsBefore, WAITS.size() - 1));
    return wait.plus(wait.multipliedBy(jitterPercent).dividedBy(500));
  }

  private void delivered(Taken webhook, Due due, Attempt attempt) {
    update(webhook, due, "delivered", attempt, Duration.ZERO);
    database.sql().sql("""
        WITH was AS (SELECT failures FROM webhook WHERE tenant_id = :tenant AND webhook_id = :id AND failures > 0 FOR UPDATE),
        well AS (UPDATE webhook SET failures = 0, failing_since = NULL, quiet_until = '-infinity'
          WHERE tenant_id = :tenant AND webhook_id = :id AND failures > 0)
        UPDATE webhook_delivery SET due_at = now() FROM was
        WHERE tenant_id = :tenant AND webhook_id = :id AND state = 'pending' AND was.failures >= :many
        """).param("tenant", webhook.tenantId()).param("id", webhook.webhookId()).param("many", FAILURES_MAX).update();
  }

  private boolean failed(Taken webhook, Due due, Attempt attempt, Duration wait) {
    boolean givenUp = database.sql().sql("""
        SELECT first_attempt_at < now() - :tried * interval '1 millisecond' FROM webhook_delivery
        WHERE tenant_id = :tenant AND webhook_id = :id AND seq = :seq
        """).param("tried", TRIED_FOR.toMillis()).param("tenant", webhook.tenantId()).param("id", webhook.webhookId())
        .param("seq", due.seq()).query((row, n) -> row.getBoolean(1)).optional().orElse(false);
    update(webhook, due, givenUp ? "failed" : "pending", attempt, wait);
    database.sql().sql("""
        UPDATE webhook SET failures = failures + 1, failing_since = coalesce(failing_since, now()),
          quiet_until = CASE WHEN failures + 1 < :many THEN quiet_until
            ELSE now() + least(:most, 1000 * 2 ^ least(failures + 1 - :many, 16)) * interval '1 millisecond' END
        WHERE tenant_id = :tenant AND webhook_id = :id
        """).param("many", FAILURES_MAX).param("most", QUIET_MAX.toMillis()).param("tenant", webhook.tenantId())
        .param("id", webhook.webhookId()).update();
    return givenUp;
  }

  private void update(Taken webhook, Due due, String state, Attempt attempt, Duration wait) {
    var error = attempt.error();
    database.sql().sql("""
        UPDATE webhook_delivery SET state = :state, attempts = attempts + 1, last_attempt_at = now(),
          first_attempt_at = coalesce(first_attempt_at, now()), due_at = now() + :wait * interval '1 millisecond',
          last_status = :status, last_error = :error
        WHERE tenant_id = :tenant AND webhook_id = :id AND seq = :seq AND state = 'pending'
        """).param("state", state).param("wait", wait.toMillis()).param("status", attempt.status(), Types.INTEGER)
        .param("error", error == null || error.length() <= ERROR_MAX ? error : error.substring(0, ERROR_MAX),
            Types.VARCHAR)
        .param("tenant", webhook.tenantId()).param("id", webhook.webhookId()).param("seq", due.seq()).update();
  }

  private void disableIfItFailsForLong(Taken webhook, Attempt attempt) {
    boolean forLong = database.sql().sql("""
        SELECT failing_since < now() - :tried * interval '1 millisecond' FROM webhook
        WHERE tenant_id = :tenant AND webhook_id = :id
        """).param("tried", TRIED_FOR.toMillis()).param("tenant", webhook.tenantId()).param("id", webhook.webhookId())
        .query((row, n) -> row.getBoolean(1)).optional().orElse(false);
    if (forLong || attempt.gone()) {
      disable(webhook, attempt.gone()
          ? "the receiver says that it is gone (HTTP status 410)"
          : "nothing could be delivered for three days; the last error: " + attempt.error());
    }
  }

  /** Sends nothing more until a person enables the webhook; what is pending stays. */
  private void disable(Taken webhook, String why) {
    boolean disabled = database.inTransaction(() -> {
      audit.lock(webhook.tenantId());
      int changed = database.sql().sql("""
          UPDATE webhook SET disabled_reason = :why WHERE tenant_id = :tenant AND webhook_id = :id
            AND disabled_reason IS NULL
          """).param("why", why).param("tenant", webhook.tenantId()).param("id", webhook.webhookId()).update();
      if (changed == 1) {
        audit.write(audit.next(webhook.tenantId()), "webhook.disabled", webhook.webhookId(), "webhooks",
            Json.object().put("webhook", Id.WEBHOOK.text(webhook.webhookId())).put("why", why).build());
      }
      return changed == 1;
    });
    if (disabled) {
      alarms.raise(webhook.tenantId(), "webhook_disabled", webhook.webhookId(),
          Id.WEBHOOK.text(webhook.webhookId()), why, "webhooks");
    }
  }

  /** Forgets deliveries that were settled long ago. */
  public int sweep() {
    return database.sql().sql("""
        DELETE FROM webhook_delivery WHERE state <> 'pending' AND last_attempt_at < now() - :kept * interval '1 millisecond'
        """).param("kept", KEPT.toMillis()).update();
  }

  /** Of all webhooks that are not disabled: what is pending, and entries that were not looked at yet. */
  public Backlog backlog() {
    return database.sql().sql("""
        SELECT (SELECT count(*) FROM webhook_delivery d JOIN webhook w USING (tenant_id, webhook_id)
            WHERE d.state = 'pending' AND w.disabled_reason IS NULL)
          + (SELECT coalesce(sum(l.audit_seq - w.looked_at), 0) FROM webhook w JOIN lane l USING (tenant_id)
            WHERE w.disabled_reason IS NULL) AS events,
          (SELECT coalesce(extract(epoch FROM now() - min(failing_since)) * 1000, 0)::bigint FROM webhook
            WHERE disabled_reason IS NULL) AS oldest,
          (SELECT count(*) FROM webhook WHERE disabled_reason IS NOT NULL) AS disabled
        """).query((row, n) -> new Backlog(row.getLong("events"), Duration.ofMillis(Math.max(0, row.getLong("oldest"))),
        row.getLong("disabled"))).single();
  }
}
