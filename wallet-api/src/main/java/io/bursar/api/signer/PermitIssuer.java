package io.bursar.api.signer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;

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
   * What a permit is for.
   *
   * @param authorizationHash leaf hash of the audit entry that authorized the spend, or asked for its cancellation; of a batch, its intent's
   *          hash
   */
  public record Subject(Intent intent, Digest32 authorizationHash) {}

  /** A new permit, good for one signature. */
  public SignedPermit issue(Subject of) {
    return permit(of, now()).sign(key);
  }

  /** New permits, each good for one signature, that share signatures of their own. */
  public List<SignedPermit> issue(List<Subject> of) {
    var now = now();
    return Permit.sign(of.stream().map(subject -> permit(subject, now)).toList(), key);
  }

  private Permit permit(Subject of, Instant now) {
    var id = Id.version7(ChronoUnit.MICROS.between(Instant.EPOCH, now), random.nextInt(1 << 16), random.nextLong());
    return new Permit(id, of.intent.subjectId(), of.authorizationHash, of.intent.hash(), now, now.plus(LIFE));
  }

  private Instant now() {
    return clock.instant().truncatedTo(ChronoUnit.MILLIS);
  }

  @Override
  public String toString() {
    return "PermitIssuer[key=REDACTED]";
  }
}
