package io.bursar.store;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import java.util.function.Function;

/**
 * Counts a tenant's books again: every counter from the spends, every entry of the record, its number and its hash, and the log
 * that is laid over it. It holds up nobody.
 */
public final class Recount {
  /** More differences than this are not listed. */
  public static final int DIFFERENCES_MAX = 100;

  private static final int PAGE = 2_000;

  private final Database database;
  private final CounterKeeping counters;
  private final Function<UUID, List<String>> log;

  /** @param log makes a tenant's log again and answers the differences from what is kept */
  public Recount(Database database, CounterKeeping counters, Function<UUID, List<String>> log) {
    this.database = database;
    this.counters = counters;
    this.log = log;
  }

  /** One line for each difference that was found, at most {@value #DIFFERENCES_MAX}; there should be none. */
  public List<String> differences(UUID tenantId) {
    var differences = new ArrayList<>(counters.differences(tenantId));
    record(tenantId, differences);
    differences.addAll(log.apply(tenantId));
    return List.copyOf(differences.subList(0, Math.min(DIFFERENCES_MAX, differences.size())));
  }

  private record Row(long seq, byte[] hash, byte[] payload) {}

  /** Numbers without a gap, as far as the lane has given them, and each entry the one that was hashed. */
  private void record(UUID tenantId, List<String> differences) {
    long given = database.reading().sql("SELECT audit_seq FROM lane WHERE tenant_id = :tenant")
        .param("tenant", tenantId)
        .query(Long.class).single();
    long next = 1;
    while (next <= given && differences.size() < DIFFERENCES_MAX) {
      var rows = database.reading().sql("""
          SELECT seq, leaf_hash, payload FROM audit_entry WHERE tenant_id = :tenant AND seq >= :next AND seq <= :given
          ORDER BY seq LIMIT :limit
          """).param("tenant", tenantId).param("next", next).param("given", given).param("limit", PAGE)
          .query((row, n) -> new Row(row.getLong("seq"), row.getBytes("leaf_hash"), row.getBytes("payload"))).list();
      for (var row : rows) {
        if (row.seq() != next) {
          differences.add("entries " + next + " to " + (row.seq() - 1) + " of the record are missing");
        }
        if (!Arrays.equals(AuditEntries.leafHash(row.payload()), row.hash())) {
          differences.add("entry " + row.seq() + " of the record is not what was hashed");
        }
        next = row.seq() + 1;
      }
      if (rows.isEmpty()) {
        differences.add("entries " + next + " to " + given + " of the record are missing");
        return;
      }
    }
  }

  /** Whether a tenant's books were counted within a time. */
  public boolean wasCounted(UUID tenantId, Duration within) {
    return database.reading().sql("""
        SELECT EXISTS (SELECT FROM recount WHERE tenant_id = :tenant AND at > :since)
        """).param("tenant", tenantId).param("since", Directory.utc(Instant.now().minus(within))).query(Boolean.class)
        .single();
  }

  /** Notes that they were counted. */
  public void note(UUID tenantId, int differences) {
    database.sql()
        .sql("INSERT INTO recount (tenant_id, at, differences) VALUES (:tenant, clock_timestamp(), :differences)")
        .param("tenant", tenantId).param("differences", differences).update();
  }
}
