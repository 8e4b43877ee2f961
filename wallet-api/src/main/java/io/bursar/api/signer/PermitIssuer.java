package io.bursar.api.signer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.time.temporal.ChronoUnit;

import io.bursar.permit.Digest32;
import io.bursar.permit.Intent;
import io.bursar.permit.Permit;
import io.bursar.permit.PermitKeys;
import io.bursar.permit.PermitSigningKey;
import io.bursar.permit.SignedPermit;
import io.bursar.spend.Id;

/** Holds the key by which this process permits signatures, and nothing else does. */
public final class PermitIssuer {
  /** How long a permit is good for: long enough for a slow signer, too short to be of use to a thief. */
  public static final Duration LIFE = Duration.ofSeconds(60);

  private static final long KEY_FILE_BYTES_MAX = 4096;

  private final PermitSigningKey key;
  private final Clock clock;
  private final SecureRandom random = new SecureRandom();

  /**
   * An issuer.
   *
   * @param key Ed25519
   * @param clock that of the signer's machine
   */
  public PermitIssuer(PrivateKey key, Clock clock) {
    this.key = PermitSigningKey.of(key);
    this.clock = clock;
  }

  /**
   * Reads the key from a PEM file (PKCS#8).
   *
   * @throws IOException if the file cannot be read
   * @throws IllegalArgumentException if it holds no Ed25519 private key
   */
  public static PermitIssuer load(Path file, Clock clock) throws IOException {
    if (Files.size(file) > KEY_FILE_BYTES_MAX) {
      throw new IllegalArgumentException("the permit key's file is too long to be one");
    }
    return new PermitIssuer(PermitKeys.parsePrivate(Files.readString(file)), clock);
  }

  /**
   * A new permit, good for one signature.
   *
   * @param authorizationHash leaf hash of the audit entry that authorized the spend; of a batch, its intent's hash
   */
  public SignedPermit issue(Intent intent, Digest32 authorizationHash) {
    var now = clock.instant().truncatedTo(ChronoUnit.MILLIS);
    var id = Id.version7(ChronoUnit.MICROS.between(java.time.Instant.EPOCH, now), random.nextInt(1 << 16),
        random.nextLong());
    return new Permit(id, intent.subjectId(), authorizationHash, intent.hash(), now, now.plus(LIFE)).sign(key);
  }

  @Override
  public String toString() {
    return "PermitIssuer[key=REDACTED]";
  }
}
