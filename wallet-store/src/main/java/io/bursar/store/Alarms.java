package io.bursar.store;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.UUID;

import io.bursar.json.Json;

/**
 * What a person must look at. Whoever finds it raises it again for as long as it is so; it is put on the record when it begins, and
 * again when it comes back after it was away for {@link #AWAY}.
 */
public final class Alarms {
  /** An alarm that was not raised for so long is over. */
  public static final Duration AWAY = Duration.ofMinutes(5);

  private static final int WHY_MAX = 1_000;

  /**
   * An alarm.
   *
   * @param subject the spend, wallet or webhook that it is about
   * @param subjectText the same as the record names it
   * @param since when it began
   * @param lastAt when it was last found to be so
   */
  public record Raised(UUID tenantId, String alarm, UUID subject, String subjectText, String why, Instant since,
      Instant lastAt) {}

  private final Database database;
  private final AuditEntries audit;

  public Alarms(Database database, AuditEntries audit) {
    this.database = database;
    this.audit = audit;
  }

  /**
   * Raises an alarm, or says that it lasts.
   *
   * @param alarm its name, such as {@code fee_cap}
   * @param subjectText the subject as the record names it, such as {@code spd_…}
   * @param actor who found it
   */
  public void raise(UUID tenantId, String alarm, UUID subject, String subjectText, String why, String actor) {
    var shortened = why.length() <= WHY_MAX ? why : why.substring(0, WHY_MAX);
    // Most often it lasts, and then the lane need not be held to say so.
    if (!lasts(tenantId, alarm, subject, shortened)) {
      database.inTransaction(() -> {
        audit.lock(tenantId);
        if (!lasts(tenantId, alarm, subject, shortened)) {
          var slot = audit.next(tenantId);
          database.sql().sql("""
              INSERT INTO alarm (tenant_id, alarm, subject, about, why, raised_at, last_at)
              VALUES (:tenant, :alarm, :subject, :about, :why, now(), now())
              ON CONFLICT (tenant_id, alarm, subject) DO UPDATE
              SET why = excluded.why, raised_at = excluded.raised_at, last_at = excluded.last_at
              """).param("tenant", tenantId).param("alarm", alarm).param("subject", subject).param("about", subjectText)
              .param("why", shortened)
              .update();
          audit.write(slot, "alarm.raised", subject, actor,
              Json.object().put("alarm", alarm).put("about", subjectText).put("why", shortened).build());
        }
      });
    }
  }

  private boolean lasts(UUID tenantId, String alarm, UUID subject, String why) {
    return database.sql().sql("""
        UPDATE alarm SET last_at = now(), why = :why
        WHERE tenant_id = :tenant AND alarm = :alarm AND subject = :subject
          AND last_at > now() - :away * interval '1 millisecond'
        """).param("why", why).param("tenant", tenantId).param("alarm", alarm).param("subject", subject)
        .param("away", AWAY.toMillis()).update() == 1;
  }

  /** Those of all tenants that last, oldest first. */
  public List<Raised> lasting(int most) {
    return database.sql().sql("""
        SELECT tenant_id, alarm, subject, about, why, raised_at, last_at FROM alarm
        WHERE last_at > now() - :away * interval '1 millisecond' ORDER BY raised_at LIMIT :most
        """).param("away", AWAY.toMillis()).param("most", most)
        .query((row, n) -> new Raised(Directory.uuid(row, "tenant_id"), row.getString("alarm"),
            Directory.uuid(row, "subject"), row.getString("about"), row.getString("why"),
            Directory.instant(row, "raised_at"),
            Directory.instant(row, "last_at")))
        .list();
  }
}
