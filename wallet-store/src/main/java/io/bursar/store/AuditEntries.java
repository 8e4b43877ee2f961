package io.bursar.store;

import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.log.Merkle;
import io.bursar.spend.Id;

/**
 * The append-only record. An entry is the canonical JSON of what happened, written once as bytes and hashed as those bytes;
 * it is written in the transaction of what it records, or neither happens.
 */
public final class AuditEntries {
  /** The version of the entries' schema. */
  public static final int SCHEMA = 1;

  private final Database database;

  public AuditEntries(Database database) {
    this.database = database;
  }

  /** What an entry needs from its lane: the next number, and the database's clock. */
  public record Slot(UUID tenantId, long seq, Instant at) {}

  /**
   * Locks the tenant's lane until the end of the transaction, for who must look before deciding what to record.
   *
   * @return the time by the database's clock, as {@link Slot} would have it
   */
  public Instant lock(UUID tenantId) {
    // The clock is read outside of what waits for the lock, and so after the wait.
    return database.sql().sql("""
        WITH held AS MATERIALIZED (SELECT last_at FROM lane WHERE tenant_id = :tenant FOR UPDATE)
        SELECT greatest(clock_timestamp(), last_at) AS at FROM held
        """).param("tenant", tenantId).query((row, n) -> Directory.instant(row, "at")).single();
  }

  /**
   * Locks the tenant's lane until the end of the transaction and takes the next number of its record. Take it first: a lane
   * is locked before anything else. A number that is taken must be written, so that none is missing.
   */
  public Slot next(UUID tenantId) {
    return database.sql().sql("""
        UPDATE lane SET audit_seq = audit_seq + 1 WHERE tenant_id = :tenant
        RETURNING audit_seq, greatest(clock_timestamp(), last_at) AS at
        """).param("tenant", tenantId)
        .query((row, n) -> new Slot(tenantId, row.getLong("audit_seq"),
            row.getObject("at", OffsetDateTime.class).toInstant()))
        .single();
  }

  /** As {@link #next}, and also tells every lane that keeps this tenant's money or directory in memory to read it again. */
  public Slot nextChanging(UUID tenantId, boolean money, boolean directory) {
    return database.sql()
        .sql(
            """
                UPDATE lane SET audit_seq = audit_seq + 1, epoch = epoch + :money, directory_epoch = directory_epoch + :directory,
                  last_at = greatest(clock_timestamp(), last_at + interval '1 microsecond')
                WHERE tenant_id = :tenant RETURNING audit_seq, last_at AS at
                """)
        .param("tenant", tenantId).param("money", money ? 1 : 0).param("directory", directory ? 1 : 0)
        .query((row, n) -> new Slot(tenantId, row.getLong("audit_seq"),
            row.getObject("at", OffsetDateTime.class).toInstant()))
        .single();
  }

  /**
   * Writes the entry of a slot.
   *
   * @param kind what happened, such as {@code payment.signed}
   * @param subject what it happened to
   * @param actor who did it: an API key's id, {@code operator}, or the part of the service that acts by itself
   * @param body what else there is to say; its members stand beside those that every entry has
   * @return the leaf hash
   */
  public byte[] write(Slot slot, String kind, @Nullable UUID subject, String actor, Json.Obj body) {
    return write(slot, kind, subject, JsonText.canonical(entry(slot, kind, actor, body)));
  }

  /** Writes an entry whose bytes {@link #entry} has led to. */
  byte[] write(Slot slot, String kind, @Nullable UUID subject, byte[] payload) {
    var leafHash = leafHash(payload);
    database.sql().sql("""
        INSERT INTO audit_entry (tenant_id, seq, at, kind, subject, payload, leaf_hash)
        VALUES (:tenant, :seq, :at, :kind, :subject, :payload, :hash)
        """).param("tenant", slot.tenantId()).param("seq", slot.seq())
        .param("at", slot.at().atOffset(java.time.ZoneOffset.UTC))
        .param("kind", kind).param("subject", subject, java.sql.Types.OTHER).param("payload", payload)
        .param("hash", leafHash).update();
    return leafHash;
  }

  /**
   * Several entries of one transaction that are numbered in memory and written by one statement. The lane is held from here on;
   * nothing is on the record before {@link Together#write()}.
   */
  Together together(UUID tenantId) {
    return database.sql().sql("""
        WITH held AS MATERIALIZED (SELECT last_at, audit_seq FROM lane WHERE tenant_id = :tenant FOR UPDATE)
        SELECT audit_seq, greatest(clock_timestamp(), last_at + interval '1 microsecond') AS at FROM held
        """).param("tenant", tenantId)
        .query((row, n) -> new Together(tenantId, row.getLong("audit_seq"), Directory.instant(row, "at"))).single();
  }

  /** Entries that will be written together. For one thread, in one transaction. */
  final class Together {
    private final UUID tenantId;
    private final long before;
    private final Instant at;
    private final List<String> kinds = new ArrayList<>();
    private final List<UUID> subjects = new ArrayList<>();
    private final List<byte[]> payloads = new ArrayList<>();
    private boolean money;

    private Together(UUID tenantId, long before, Instant at) {
      this.tenantId = tenantId;
      this.before = before;
      this.at = at;
    }

    /** The time of all of them, by the database's clock, and later than any decision that counted money. */
    Instant at() {
      return at;
    }

    /** The slot of the next entry. */
    Slot next() {
      return new Slot(tenantId, before + payloads.size() + 1, at);
    }

    /** Tells every lane that keeps this tenant's money in memory to read it again. */
    void changesMoney() {
      money = true;
    }

    /** Adds the entry of {@link #next}; see {@link AuditEntries#write}. */
    void add(String kind, UUID subject, String actor, Json.Obj body) {
      payloads.add(JsonText.canonical(entry(next(), kind, actor, body)));
      kinds.add(kind);
      subjects.add(subject);
    }

    /** Puts them on the record. */
    void write() {
      var statements = database.statements();
      write(statements);
      statements.send();
    }

    /** Puts them on the record when these statements are sent. */
    void write(Statements statements) {
      if (payloads.isEmpty()) {
        return;
      }
      statements
          .add(1, """
              UPDATE lane SET audit_seq = audit_seq + :count, epoch = epoch + :money,
                last_at = CASE WHEN :money > 0 THEN greatest(last_at, :at) ELSE last_at END WHERE tenant_id = :tenant
              """)
          .add(payloads.size(), """
              INSERT INTO audit_entry (tenant_id, seq, at, kind, subject, payload, leaf_hash)
              SELECT :tenant, :seq + e.n, :at, e.kind, e.subject, e.payload, e.hash
              FROM unnest(:kinds::text[], :subjects::uuid[], :payloads::bytea[], :leaves::bytea[])
                WITH ORDINALITY AS e (kind, subject, payload, hash, n)
              """).param("count", payloads.size()).param("money", money ? 1 : 0).param("tenant", tenantId)
          .param("seq", before).param("at", Directory.utc(at))
          .param("kinds", kinds.toArray(String[]::new)).param("subjects", subjects.toArray(UUID[]::new))
          .param("payloads", payloads.toArray(byte[][]::new))
          .param("leaves", payloads.stream().map(AuditEntries::leafHash).toArray(byte[][]::new));
    }
  }

  /** An entry: what every one has, and the body beside it. The number is not in it: an entry's place is the log's to say. */
  static Json.Obj entry(Slot slot, String kind, String actor, Json.Obj body) {
    var entry = Json.object().put("schema", SCHEMA).put("kind", kind).put("at", slot.at().toString())
        .put("tenant", Id.TENANT.text(slot.tenantId())).put("actor", actor);
    body.forEach(entry::put);
    return entry.build();
  }

  /** The hash of a leaf: SHA-256 over a zero byte and the entry (RFC 6962, section 2.1). */
  public static byte[] leafHash(byte[] payload) {
    return Merkle.leafHash(payload).bytes();
  }
}
