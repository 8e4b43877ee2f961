package io.bursar.store;

import java.sql.SQLException;
import java.util.UUID;
import java.util.function.LongSupplier;

/** The lanes of all tenants, as this process sees them. */
public final class Lanes {
  private final Database database;
  private final LongSupplier nanos;
  private final PoliciesInForce policiesInForce = new PoliciesInForce();

  public Lanes(Database database) {
    this(database, System::nanoTime);
  }

  /**
   * Lanes whose time passes as a timer says.
   *
   * @param nanos as {@link System#nanoTime}: never goes back
   */
  public Lanes(Database database, LongSupplier nanos) {
    this.database = database;
    this.nanos = nanos;
  }

  /** A tenant's lane, with nothing in memory yet; for one thread at a time. */
  public Lane open(UUID tenantId) {
    return new Lane(tenantId, database, policiesInForce, nanos);
  }

  /** What would be decided now, with what would be the most and the earliest in any case. Nothing is written. */
  public DecidedSpend rehearse(UUID tenantId, Spend.Request request) throws SQLException {
    return open(tenantId).rehearse(request);
  }
}
