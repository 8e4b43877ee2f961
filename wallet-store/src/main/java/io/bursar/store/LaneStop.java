package io.bursar.store;

import java.time.Instant;
import java.util.Optional;
import java.util.UUID;

import io.bursar.json.Json;

/**
 * Stops a tenant's lane when something is wrong that only a person can judge: from then on no spend is authorized, neither by a
 * decision nor by approvers, until the operator lets it go on. What was authorized before is paid.
 *
 * <p>Stopping changes the lane's epoch, so that every process reads the lane anew before it decides again: there is nothing to
 * look at for decisions of a lane that runs.
 */
public final class LaneStop {
  /** The longest reason, in characters. */
  public static final int REASON_MAX = 1_000;

  /** A lane that stands still, and why. */
  public record Stop(Instant at, String reason) {}

  /** Nothing was decided, because the lane is stopped. */
  public static final class LaneStopped extends RuntimeException {
    LaneStopped(String reason) {
      super(reason, null, false, false);
    }
  }

  private final Database database;
  private final AuditEntries audit;

  public LaneStop(Database database, AuditEntries audit) {
    this.database = database;
    this.audit = audit;
  }

  public Optional<Stop> find(UUID tenantId) {
    return database.sql().sql("""
        SELECT stopped_at, stopped_reason FROM lane WHERE tenant_id = :tenant AND stopped_at IS NOT NULL
        """).param("tenant", tenantId)
        .query((row, n) -> new Stop(Directory.instant(row, "stopped_at"), row.getString("stopped_reason"))).optional();
  }

  /** Stops the lane; if it is stopped already, the first reason stays. Empty if there is no such tenant. */
  public Optional<Stop> stop(UUID tenantId, String reason, String actor) {
    var shortened = reason.length() <= REASON_MAX ? reason : reason.substring(0, REASON_MAX);
    if (exists(tenantId)) {
      database.inTransaction(() -> {
        var slot = audit.nextChanging(tenantId, true, true);
        database.sql().sql("""
            UPDATE lane SET stopped_at = coalesce(stopped_at, :at), stopped_reason = coalesce(stopped_reason, :reason)
            WHERE tenant_id = :tenant
            """).param("at", Directory.utc(slot.at())).param("reason", shortened).param("tenant", tenantId).update();
        audit.write(slot, "lane.stopped", tenantId, actor, Json.object().put("reason", shortened).build());
      });
    }
    return find(tenantId);
  }

  /**
   * Lets the lane go on.
   *
   * @param reason what was found, and why it may go on
   * @return false if it was not stopped
   */
  public boolean lift(UUID tenantId, String reason, String actor) {
    if (find(tenantId).isEmpty()) {
      return false;
    }
    database.inTransaction(() -> {
      var slot = audit.nextChanging(tenantId, true, true);
      database.sql().sql("UPDATE lane SET stopped_at = NULL, stopped_reason = NULL WHERE tenant_id = :tenant")
          .param("tenant", tenantId).update();
      audit.write(slot, "lane.resumed", tenantId, actor, Json.object().put("reason", reason).build());
    });
    return true;
  }

  /** Whether there is such a tenant. */
  public boolean exists(UUID tenantId) {
    return database.sql().sql("SELECT count(*) FROM lane WHERE tenant_id = :tenant").param("tenant", tenantId)
        .query(Long.class).single() == 1;
  }

  /** Throws if the lane is stopped; to be asked by whoever holds it. */
  static void refuseIfStopped(Database database, UUID tenantId) {
    database.sql().sql("SELECT stopped_reason FROM lane WHERE tenant_id = :tenant AND stopped_reason IS NOT NULL")
        .param("tenant", tenantId).query((row, n) -> row.getString("stopped_reason")).optional().ifPresent(reason -> {
          throw new LaneStopped(reason);
        });
  }
}
