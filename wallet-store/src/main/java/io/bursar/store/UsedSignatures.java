package io.bursar.store;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicReference;

import io.bursar.permit.Digest32;

/**
 * The signed requests that were let through within the last minutes: each is let through once, whichever process sees it. What is
 * older than {@link #KEPT} is forgotten, long after its signature is too old to be believed, even where clocks disagree by minutes.
 */
public final class UsedSignatures {
  static final Duration KEPT = Duration.ofMinutes(10);
  private static final Duration SWEPT_EVERY = Duration.ofMinutes(1);

  private final Database database;
  private final Clock clock;
  private final AtomicReference<Instant> swept = new AtomicReference<>(Instant.EPOCH);

  public UsedSignatures(Database database, Clock clock) {
    this.database = database;
    this.clock = clock;
  }

  /**
   * Lets a signed request through, once.
   *
   * @param signed the SHA-256 of what was signed, and not of the signature: who has one signature by ECDSA can write down another
   * @return false if it was let through before
   */
  public boolean use(UUID tenantId, UUID keyId, Digest32 signed) {
    var now = clock.instant();
    sweep(now);
    return database.sql().sql("""
        INSERT INTO used_signature (tenant_id, key_id, signed, used_at) VALUES (:tenant, :key, :signed, :now)
        ON CONFLICT DO NOTHING
        """).param("tenant", tenantId).param("key", keyId).param("signed", signed.bytes())
        .param("now", Directory.utc(now)).update() == 1;
  }

  private void sweep(Instant now) {
    var last = swept.get();
    if (now.isAfter(last.plus(SWEPT_EVERY)) && swept.compareAndSet(last, now)) {
      database.sql().sql("DELETE FROM used_signature WHERE used_at < :before")
          .param("before", Directory.utc(now.minus(KEPT))).update();
    }
  }
}
