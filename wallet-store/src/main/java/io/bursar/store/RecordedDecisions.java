package io.bursar.store;

import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.function.Consumer;

import org.jspecify.annotations.Nullable;

import io.bursar.spend.SpendText;

/** The recorded decisions of a tenant in the order of their making, read page by page so that any number of them fits. */
public final class RecordedDecisions {
  private static final int PAGE = 2_000;

  /**
   * One recorded decision.
   *
   * @param seq its place in the record
   * @param payload the bytes of its entry
   * @param text the agent's own words, as far as they have not been erased
   * @param givenBackAt when the reservation of its spend was given back as a whole; absent where it was not
   */
  public record Row(long seq, UUID spendId, byte[] payload, @Nullable Instant givenBackAt, SpendText text) {}

  /**
   * A stretch of the record.
   *
   * @param first the place of its first entry, whatever that records
   * @param last and of its last; below {@code first} where there is none
   */
  public record Stretch(long first, long last) {
    public long size() {
      return Math.max(0, last - first + 1);
    }
  }

  private final Database database;

  public RecordedDecisions(Database database) {
    this.database = database;
  }

  /** The stretch that was recorded in {@code [from, to)}. */
  public Stretch stretch(UUID tenantId, Instant from, Instant to) {
    long end = database.reading().sql("SELECT audit_seq FROM lane WHERE tenant_id = :tenant").param("tenant", tenantId)
        .query(Long.class).single();
    long first = firstAt(tenantId, from, end);
    return new Stretch(first, firstAt(tenantId, to, end) - 1);
  }

  /** The first place that was recorded at a time or later, by halving: places and times grow together. */
  private long firstAt(UUID tenantId, Instant at, long end) {
    long low = 1;
    long high = end + 1;
    while (low < high) {
      long middle = (low + high) >>> 1;
      var recorded = database.reading().sql("SELECT at FROM audit_entry WHERE tenant_id = :tenant AND seq = :seq")
          .param("tenant", tenantId).param("seq", middle)
          .query((row, n) -> row.getObject("at", OffsetDateTime.class).toInstant()).optional();
      if (recorded.isPresent() && recorded.get().isBefore(at)) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  /**
   * Hands on every decision of a stretch.
   *
   * @param agentId only of this agent's spends
   * @param progress is told after each page up to which place the record has been read
   */
  public void read(UUID tenantId, Stretch stretch, Optional<UUID> agentId, Consumer<Row> each,
      Consumer<Long> progress) {
    long after = stretch.first() - 1;
    while (after < stretch.last()) {
      long until = Math.min(after + PAGE, stretch.last());
      page(tenantId, after, until, agentId).forEach(each);
      after = until;
      progress.accept(after);
    }
  }

  private List<Row> page(UUID tenantId, long after, long until, Optional<UUID> agentId) {
    // Row by row, however many rows the planner expects: joined as a whole, each page would read all payments.
    return database.reading().sql("""
        SELECT e.seq, e.subject, e.payload, p.updated_at, t.purpose, t.reference, t.metadata
        FROM audit_entry e
        LEFT JOIN LATERAL (
          SELECT updated_at FROM payment WHERE tenant_id = e.tenant_id AND spend_id = e.subject
            AND state IN ('rejected', 'expired', 'canceled', 'denied', 'failed') ORDER BY spend_id LIMIT 1) p ON true
        LEFT JOIN LATERAL (
          SELECT purpose, reference, metadata FROM spend_text WHERE tenant_id = e.tenant_id AND spend_id = e.subject
          ORDER BY spend_id LIMIT 1) t ON true
        LEFT JOIN LATERAL (
          SELECT agent_id FROM spend WHERE tenant_id = e.tenant_id AND spend_id = e.subject ORDER BY spend_id LIMIT 1) s ON true
        WHERE e.tenant_id = :tenant AND e.seq > :after AND e.seq <= :until AND e.kind = 'authorization'
          AND (:agent::uuid IS NULL OR s.agent_id = :agent::uuid)
        ORDER BY e.seq
        """).param("tenant", tenantId).param("after", after).param("until", until)
        .param("agent", agentId.orElse(null), java.sql.Types.OTHER)
        .query((row, n) -> new Row(row.getLong("seq"), Directory.uuid(row, "subject"), row.getBytes("payload"),
            SpendStore.nullableInstant(row, "updated_at"), text(row)))
        .list();
  }

  private static SpendText text(ResultSet row) throws SQLException {
    var text = SpendStore.text(row);
    return new SpendText(text.purpose(), text.reference(), text.metadata());
  }
}
