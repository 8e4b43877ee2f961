package io.bursar.store.log;

import java.io.IOException;
import java.sql.Types;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

import io.bursar.json.Json;
import io.bursar.log.Checkpoint;
import io.bursar.log.Proofs;
import io.bursar.log.SignedNote;
import io.bursar.log.TilePath;
import io.bursar.permit.Digest32;
import io.bursar.permit.SignerRefusal;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerRequest;
import io.bursar.store.AuditEntries;
import io.bursar.store.Database;

/**
 * Lays each tenant's log over its committed entries, one round after the other: takes the lease, appends what was committed, writes
 * the tiles that are full, has the new head signed, and publishes it. Leaf n is the entry with number n + 1: numbers are given under
 * the lane's lock, so that whoever sees an entry sees all before it.
 *
 * <p>Any process may do a round, and two at once are harmless: tiles come out as the same bytes, the signer signs one history only,
 * and the row is written only under the epoch of the lease. A crash at any point leaves what the next round does again.
 */
public final class Sequencer {
  /** What came of a round. */
  public enum Round {
    /** Everything that was committed when it began is under a signed head. */
    DONE,
    /** There is more. */
    MORE,
    /** Somebody else has the lease, or had it taken over. */
    ELSEWHERE
  }

  /** Told of a log that was stopped. */
  @FunctionalInterface
  public interface Alarm {
    void stopped(UUID tenantId, String why);
  }

  private static final int ENTRIES_A_ROUND = 2048;
  private static final int TENANTS_A_LOOK = 1000;
  private static final Duration LEASE = Duration.ofSeconds(3); // so long the log stands still after a kill -9 of who held it

  private final Database database;
  private final AuditEntries audit;
  private final TileStore tiles;
  private final HeadSigner signer;
  private final Cosigners cosigners;
  private final Alarm alarm;

  public Sequencer(Database database, AuditEntries audit, TileStore tiles, HeadSigner signer, Cosigners cosigners,
      Alarm alarm) {
    this.database = database;
    this.audit = audit;
    this.tiles = tiles;
    this.signer = signer;
    this.cosigners = cosigners;
    this.alarm = alarm;
  }

  /** Tenants with entries that are not under a signed head, those of stopped logs left out. */
  public List<UUID> behind() {
    return database.sql().sql("""
        SELECT l.tenant_id FROM lane l LEFT JOIN log_state s USING (tenant_id)
        WHERE l.audit_seq > coalesce(s.checkpoint_size, 0) AND s.stopped IS NULL LIMIT :most
        """).param("most", TENANTS_A_LOOK)
        .query((row, n) -> row.getObject("tenant_id", UUID.class)).list();
  }

  /** Tenants whose log is stopped. */
  public List<UUID> stopped() {
    return database.sql().sql("SELECT tenant_id FROM log_state WHERE stopped IS NOT NULL")
        .query((row, n) -> row.getObject("tenant_id", UUID.class)).list();
  }

  /**
   * Does one round.
   *
   * @throws LogUnavailable if the head cannot be signed now, or the log is stopped
   */
  public Round round(UUID tenantId) throws LogUnavailable {
    var lease = lease(tenantId);
    if (lease.isEmpty()) {
      return Round.ELSEWHERE;
    }
    var state = lease.get().state;
    if (state.stopped().isPresent()) {
      release(tenantId, lease.get().epoch);
      throw LogUnavailable.stopped(state.stopped().get());
    }
    boolean published = false;
    try {
      var round = advance(tenantId, lease.get());
      published = true;
      return round;
    } catch (Growth.Rewritten | TileStore.Conflict rewritten) {
      throw stop(tenantId, String.valueOf(rewritten.getMessage()));
    } catch (IOException e) {
      throw LogUnavailable.forNow("tiles cannot be written", e);
    } finally {
      if (!published) {
        release(tenantId, lease.get().epoch);
      }
    }
  }

  private record Lease(LogState state, long epoch) {}

  private Optional<Lease> lease(UUID tenantId) {
    var taken = take(tenantId);
    if (taken.isEmpty() && LogState.read(database, tenantId).equals(LogState.NONE)) {
      database.sql().sql("INSERT INTO log_state (tenant_id) VALUES (:tenant) ON CONFLICT DO NOTHING")
          .param("tenant", tenantId).update();
      return take(tenantId);
    }
    return taken;
  }

  /** A lease that ends later than any can was given by a clock that has since been set back, and holds up nobody. */
  private Optional<Lease> take(UUID tenantId) {
    return database.sql().sql("""
        UPDATE log_state SET epoch = epoch + 1, lease_until = now() + :length * interval '1 millisecond'
        WHERE tenant_id = :tenant AND NOT lease_until BETWEEN now() AND now() + :length * interval '1 millisecond'
        RETURNING size, edge, upper_tiles, checkpoint, checkpoint_size, stopped, published, epoch
        """).param("length", LEASE.toMillis()).param("tenant", tenantId)
        .query((row, n) -> new Lease(LogState.of(row), row.getLong("epoch"))).optional();
  }

  private Round advance(UUID tenantId, Lease lease)
      throws LogUnavailable, Growth.Rewritten, TileStore.Conflict, IOException {
    var state = lease.state;
    var entries = entries(tenantId, state.size(), ENTRIES_A_ROUND);
    if (entries.isEmpty() && state.checkpointSize() == state.size()) {
      release(tenantId, lease.epoch);
      return Round.DONE;
    }
    var growth = new Growth(state, Growth.completes(state.size(), entries.size())
        ? bundle(tenantId, state.size())
        : List.of());
    for (var entry : entries) {
      growth.append(entry);
    }
    tiles.write(tenantId, growth.completed());
    var grown = growth.state();
    var head = sign(tenantId, grown, growth.root());
    if (!publish(tenantId, lease.epoch, grown, head)) {
      return Round.ELSEWHERE;
    }
    return head.isEmpty() || entries.size() == ENTRIES_A_ROUND ? Round.MORE : Round.DONE;
  }

  /** The entries that a log of this size has in its partial bundle. */
  private List<byte[]> bundle(UUID tenantId, long size) throws Growth.Rewritten {
    int width = (int) (size % TilePath.FULL);
    var entries = entries(tenantId, size - width, width);
    if (entries.size() != width) {
      throw new Growth.Rewritten("entry " + (size - width + entries.size()) + " is missing");
    }
    return entries;
  }

  /** The entries after the first {@code after}, all that there are or as many as wanted; the log cannot go on if one is missing. */
  private List<byte[]> entries(UUID tenantId, long after, int most) throws Growth.Rewritten {
    record Row(long seq, byte[] payload) {}
    var rows = database.sql().sql("""
        SELECT seq, payload FROM audit_entry WHERE tenant_id = :tenant AND seq > :after ORDER BY seq LIMIT :most
        """).param("tenant", tenantId).param("after", after).param("most", most)
        .query((row, n) -> new Row(row.getLong("seq"), row.getBytes("payload"))).list();
    var entries = new ArrayList<byte[]>(rows.size());
    for (var row : rows) {
      if (row.seq != after + entries.size() + 1) {
        throw new Growth.Rewritten("entry " + (after + entries.size()) + " is missing");
      }
      entries.add(row.payload);
    }
    return entries;
  }

  /**
   * The signed head of the tree; nothing if the signer has signed a longer one, whose entries must be sequenced first.
   *
   * @throws LogUnavailable if the signer does not answer, or refuses because this is another history than it signed
   */
  private Optional<SignedNote> sign(UUID tenantId, LogState grown, Digest32 root)
      throws LogUnavailable, Growth.Rewritten {
    long signedSize = grown.checkpointSize();
    for (int attempt = 0; attempt < 3; attempt++) {
      var proof = signedSize == 0
          ? List.<Digest32>of()
          : proofs(tenantId, grown).consistency(signedSize, grown.size());
      switch (signer.sign(new SignerRequest.SignHead(tenantId, grown.size(), root, signedSize, proof))) {
        case SignerReply.HeadSigned(var note) -> {
          return Optional.of(cosigners.cosign(tenantId, SignedNote.parse(note.toByteArray()),
              oldSize -> proofs(tenantId, grown).consistency(oldSize, grown.size())));
        }
        case SignerReply.HeadIs(var size, var signedRoot) -> {
          if (size > grown.size()) {
            requireCommitted(tenantId, size);
            return Optional.empty();
          }
          signedSize = size;
        }
        case SignerReply.Refused(var reason, var message) -> {
          if (reason == SignerRefusal.LOG_FORKED) {
            throw new Growth.Rewritten("the signer refuses: " + message);
          }
          throw LogUnavailable.forNow("the signer does not sign the head: " + message,
              new IllegalStateException(reason.name()));
        }
        case SignerReply other -> throw new IllegalStateException("the signer answered with a "
            + other.getClass().getSimpleName());
      }
    }
    throw LogUnavailable.forNow("others are having heads of this log signed", new IllegalStateException("overtaken"));
  }

  /** For one thread, since it keeps the tiles that it has read. */
  private Proofs proofs(UUID tenantId, LogState grown) {
    return new LogTiles(database, tiles, tenantId, grown).proofs(grown.size());
  }

  /** What was signed was committed before. If it is not there, the database was put back to an older copy. */
  private void requireCommitted(UUID tenantId, long size) throws Growth.Rewritten {
    long last = database.sql().sql("SELECT coalesce(max(seq), 0) FROM audit_entry WHERE tenant_id = :tenant")
        .param("tenant", tenantId).query(Long.class).single();
    if (last < size) {
      throw new Growth.Rewritten("a head of " + size + " entries was signed, and there are only " + last
          + ": the database was put back to an older copy");
    }
  }

  private boolean publish(UUID tenantId, long epoch, LogState state, Optional<SignedNote> head) {
    var checkpoint = head.or(state::checkpoint);
    long size = head.map(note -> Checkpoint.parse(note.text()).size()).orElse(state.checkpointSize());
    return database.sql().sql("""
        UPDATE log_state SET size = :size, edge = :edge, upper_tiles = :upper, checkpoint = :checkpoint,
          checkpoint_size = :checkpointSize, lease_until = '-infinity'
        WHERE tenant_id = :tenant AND epoch = :epoch
        """).param("size", state.size()).param("edge", LogState.bytes(state.edge()))
        .param("upper", LogState.bytes(state.upper().stream().flatMap(List::stream).toList()))
        .param("checkpoint", checkpoint.map(SignedNote::encode).orElse(null), Types.BINARY)
        .param("checkpointSize", size)
        .param("tenant", tenantId).param("epoch", epoch).update() == 1;
  }

  private void release(UUID tenantId, long epoch) {
    database.sql().sql("""
        UPDATE log_state SET lease_until = '-infinity' WHERE tenant_id = :tenant AND epoch = :epoch
        """).param("tenant", tenantId).param("epoch", epoch).update();
  }

  /** Loudly: nothing is sequenced, and so nothing is signed, until a person has acted. */
  private LogUnavailable stop(UUID tenantId, String why) {
    database.inTransaction(() -> {
      var slot = audit.next(tenantId);
      int changed = database.sql()
          .sql("UPDATE log_state SET stopped = :why WHERE tenant_id = :tenant AND stopped IS NULL")
          .param("why", why).param("tenant", tenantId).update();
      audit.write(slot, "log.stopped", null, "sequencer",
          Json.object().put("why", why).put("again", changed == 0).build());
    });
    alarm.stopped(tenantId, why);
    return LogUnavailable.stopped(why);
  }

  /** Lets a stopped log go on; if nothing was put right, it stops again at once. Whether it was stopped. */
  public boolean resume(UUID tenantId, String actor) {
    return database.inTransaction(() -> {
      var slot = audit.next(tenantId);
      int changed = database.sql()
          .sql("UPDATE log_state SET stopped = NULL WHERE tenant_id = :tenant AND stopped IS NOT NULL")
          .param("tenant", tenantId).update();
      audit.write(slot, "log.resumed", null, actor,
          Json.object().put("was", changed == 1 ? "stopped" : "running").build());
      return changed == 1;
    });
  }
}
