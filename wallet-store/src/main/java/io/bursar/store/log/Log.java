package io.bursar.store.log;

import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;

import io.bursar.json.Json;
import io.bursar.log.LogProof;
import io.bursar.log.NoteKey;
import io.bursar.log.SignedNote;
import io.bursar.log.TilePath;
import io.bursar.permit.Bytes;
import io.bursar.permit.SignerRequest.Approved;
import io.bursar.permit.SignerRequest.Evidence;
import io.bursar.store.ApprovedSpends;
import io.bursar.store.AuditEntries;
import io.bursar.store.Database;

/** The tenants' logs as everybody else sees them: heads, tiles and receipts, made on demand for whoever waits for one. */
public final class Log {
  private static final Duration WITH_OTHERS = Duration.ofMillis(5);
  /** For how many tenants what proofs were made of is kept. */
  private static final int SHARED_MAX = 64;

  private final Database database;
  private final AuditEntries audit;
  private final TileStore files;
  private final HeadSigner signer;
  private final Sequencer sequencer;
  private final ConcurrentHashMap<UUID, ReentrantLock> rounds = new ConcurrentHashMap<>();
  private final ConcurrentHashMap<UUID, HeadProofs> newest = new ConcurrentHashMap<>();
  private volatile Set<UUID> stopped = Set.of();

  public Log(Database database, AuditEntries audit, TileStore files, HeadSigner signer, Cosigners cosigners,
      Sequencer.Alarm alarm) {
    this.database = database;
    this.audit = audit;
    this.files = files;
    this.signer = signer;
    this.sequencer = new Sequencer(database, audit, files, signer, cosigners, alarm);
  }

  /** Looks which logs are stopped and what their heads are, and answers the tenants whose logs have fallen behind their entries. */
  public List<UUID> behind() {
    newest.clear();
    stopped = Set.copyOf(sequencer.stopped());
    return sequencer.behind();
  }

  /** Brings a tenant's log up to date, or to where somebody else is doing so. */
  public void catchUp(UUID tenantId) throws LogUnavailable {
    while (exclusively(tenantId, Long.MAX_VALUE) == Sequencer.Round.MORE) {
      // on to the next entries
    }
  }

  /**
   * One round, and not two of this process at once for a tenant: the second would only meet the lease of the first. None at all,
   * if what was waited for has meanwhile brought the entry {@code seq} under a signed head.
   */
  private Sequencer.Round exclusively(UUID tenantId, long seq) throws LogUnavailable {
    var lock = rounds.computeIfAbsent(tenantId, tenant -> new ReentrantLock());
    boolean waited = !lock.tryLock();
    if (waited) {
      lock.lock();
    }
    try {
      return waited && state(tenantId).checkpointSize() >= seq ? Sequencer.Round.DONE : sequencer.round(tenantId);
    } finally {
      lock.unlock();
    }
  }

  /** Whether the tenant's log was stopped when this process last looked; nothing may be spent then. */
  public boolean isStopped(UUID tenantId) {
    return stopped.contains(tenantId);
  }

  /** Makes the tenant's log again from its entries: one line for each difference from what is kept or was signed. */
  public List<String> differences(UUID tenantId) {
    return new LogRecount(database, files).differences(tenantId);
  }

  /** How far the tenant's log is. */
  public LogState state(UUID tenantId) {
    return LogState.read(database, tenantId);
  }

  /** What verifies the heads of the tenant's log. */
  public NoteKey key(UUID tenantId) throws LogUnavailable {
    return signer.key(tenantId);
  }

  /** A tile or bundle of the log as far as its signed head in {@code state}, or nothing if that is not so long. */
  public Optional<byte[]> tile(UUID tenantId, LogState state, TilePath path) {
    long full = TilePath.fullTiles(path.level(), state.checkpointSize());
    int width = path.index() < full
        ? TilePath.FULL
        : path.index() == full ? TilePath.partialWidth(path.level(), state.checkpointSize()) : 0;
    return path.width() <= width ? new LogTiles(database, files, tenantId, state).read(path) : Optional.empty();
  }

  /**
   * The receipt of an entry; sequences it first if nobody has yet.
   *
   * @param seq its number, from 1
   * @param patience how long to wait for others that sequence it
   */
  public LogProof receipt(UUID tenantId, long seq, Duration patience) throws LogUnavailable {
    long deadline = System.nanoTime() + patience.toNanos();
    var state = state(tenantId);
    while (state.checkpointSize() < seq) {
      if (exclusively(tenantId, seq) == Sequencer.Round.ELSEWHERE) {
        pause(deadline);
      }
      state = state(tenantId);
      if (state.checkpointSize() < seq && System.nanoTime() > deadline) {
        throw LogUnavailable.forNow("the entry is not under a signed head yet", new IllegalStateException("slow"));
      }
    }
    return proofs(tenantId, state, state.checkpoint().orElseThrow()).receipt(seq);
  }

  /** Many payments ask under the same head. */
  private HeadProofs proofs(UUID tenantId, LogState state, SignedNote head) {
    var shared = newest.get(tenantId);
    if (shared == null || !shared.isUnder(head)) {
      shared = new HeadProofs(new LogTiles(database, files, tenantId, state), head, state.checkpointSize());
      if (newest.size() >= SHARED_MAX) {
        newest.clear();
      }
      newest.put(tenantId, shared);
    }
    return shared;
  }

  private static void pause(long deadline) throws LogUnavailable {
    try {
      if (System.nanoTime() > deadline) {
        throw LogUnavailable.forNow("another process holds the lease of the log", new IllegalStateException("held"));
      }
      Thread.sleep(WITH_OTHERS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw LogUnavailable.forNow("interrupted", e);
    }
  }

  /** The entry that a payment may be made under, its receipt, and what approvers have signed: what the signer wants to see. */
  public Evidence evidence(UUID tenantId, UUID spendId, Duration patience) throws LogUnavailable {
    return only(evidence(tenantId, List.of(spendId), patience));
  }

  /** As the other one, of many payments, by spend. */
  public Map<UUID, Evidence> evidence(UUID tenantId, Collection<UUID> spendIds, Duration patience)
      throws LogUnavailable {
    return evidence(tenantId, entries(tenantId, spendIds, "audit_seq"), patience, entry -> entry.approved
        ? ApprovedSpends.of(database, tenantId, entry.spendId)
        : Optional.empty());
  }

  /**
   * As {@link #evidence}, of the entry that asks for a payment to be canceled.
   *
   * @throws LogUnavailable if there is no receipt yet
   */
  public Evidence cancellation(UUID tenantId, UUID spendId, Duration patience) throws LogUnavailable {
    return only(cancellation(tenantId, List.of(spendId), patience));
  }

  /** As the other one, of many payments, by spend. */
  public Map<UUID, Evidence> cancellation(UUID tenantId, Collection<UUID> spendIds, Duration patience)
      throws LogUnavailable {
    return evidence(tenantId, entries(tenantId, spendIds, "cancel_seq"), patience,
        entry -> Optional.empty()); // nobody has to approve of it
  }

  private static Evidence only(Map<UUID, Evidence> one) {
    return one.values().iterator().next();
  }

  /** The entry of a spend, and whether an approver has spoken for it. */
  private record Entry(UUID spendId, long seq, byte[] payload, boolean approved) {}

  /** The entries whose numbers the payments have in this column. */
  private List<Entry> entries(UUID tenantId, Collection<UUID> spendIds, String column) {
    return database.sql().sql("""
        SELECT p.spend_id, e.seq, e.payload, EXISTS (
          SELECT FROM approval v WHERE v.tenant_id = :tenant AND v.spend_id = p.spend_id OFFSET 0) AS approved
        FROM unnest(:spends::uuid[]) AS k (spend_id)
        CROSS JOIN LATERAL (SELECT * FROM payment WHERE tenant_id = :tenant AND spend_id = k.spend_id LIMIT 1) AS p
        CROSS JOIN LATERAL (SELECT seq, payload FROM audit_entry WHERE tenant_id = :tenant AND seq = p.%s LIMIT 1) AS e
        """.formatted(column)).param("tenant", tenantId).param("spends", spendIds.toArray(UUID[]::new))
        .query((row, n) -> new Entry(row.getObject("spend_id", UUID.class), row.getLong("seq"),
            row.getBytes("payload"), row.getBoolean("approved")))
        .list();
  }

  private Map<UUID, Evidence> evidence(UUID tenantId, List<Entry> entries, Duration patience,
      Function<Entry, Optional<Approved>> approved) throws LogUnavailable {
    var evidence = new HashMap<UUID, Evidence>();
    for (var entry : entries) {
      evidence.put(entry.spendId, new Evidence(Bytes.of(entry.payload),
          Bytes.of(proof(tenantId, entry.seq, patience).encode()), approved.apply(entry)));
    }
    return evidence;
  }

  /** To the signer one of its heads is as good as another: that of a moment ago saves asking how far the log is. */
  private LogProof proof(UUID tenantId, long seq, Duration patience) throws LogUnavailable {
    var known = newest.get(tenantId);
    return known != null && known.covers(seq) ? known.receipt(seq) : receipt(tenantId, seq, patience);
  }

  /**
   * Lets a stopped log go on, once what was wrong is put right.
   *
   * @throws LogUnavailable if it stops again at once
   */
  public void resume(UUID tenantId, String actor) throws LogUnavailable {
    if (sequencer.resume(tenantId, actor)) {
      try {
        catchUp(tenantId);
      } finally {
        stopped = Set.copyOf(sequencer.stopped());
      }
    }
  }

  /** Opens the log to everybody, or closes it again. */
  public void publish(UUID tenantId, boolean published, String actor) {
    database.inTransaction(() -> {
      var slot = audit.next(tenantId);
      database.sql().sql("""
          INSERT INTO log_state (tenant_id, published) VALUES (:tenant, :published)
          ON CONFLICT (tenant_id) DO UPDATE SET published = :published
          """).param("tenant", tenantId).param("published", published).update();
      audit.write(slot, published ? "log.published" : "log.unpublished", null, actor, Json.object().build());
    });
  }
}
