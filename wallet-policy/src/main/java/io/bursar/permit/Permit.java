package io.bursar.permit;

import java.security.PrivateKey;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.UUID;

/**
 * The certificate by which the API process asks the signer for one signature over one exact intent.
 *
 * <p>
 * Layout, 113 bytes, big-endian: version 1 (1), permit id (16), spend (16), authorization hash (32), intent hash (32),
 * issued at (8), expires at (8); times are milliseconds since 1970-01-01T00:00:00Z. One that is {@linkplain PermitTree signed together
 * with others} has version 2, the same fields, and behind them its position (1) and the hashes beside its way up (32 each).
 *
 * @param permitId good for one use, ever
 * @param spendId the spend, or the batch; must be the intent's {@link Intent#subjectId}
 * @param authorizationHash leaf hash of the audit entry that authorized the spend, or asked for its cancellation; of a batch, its intent's hash again
 * @param intentHash {@link Intent#hash}
 * @param issuedAt whole milliseconds; not valid before
 * @param expiresAt whole milliseconds, after {@code issuedAt} by at most {@link #MAX_LIFE}; not valid from then on
 */
public record Permit(UUID permitId, UUID spendId, Digest32 authorizationHash, Digest32 intentHash, Instant issuedAt,
    Instant expiresAt) {
  /** The longest time between issue and expiry. */
  public static final Duration MAX_LIFE = Duration.ofMinutes(5);
  /** Length in bytes of a permit that is signed alone, and of the fields of every other. */
  public static final int ENCODED_BYTES = 113;

  private static final int VERSION = 1;
  private static final Instant LATEST = Instant.parse("9999-12-31T23:59:59.999Z");

  public Permit {
    requireTime("issued at", issuedAt);
    requireTime("expires at", expiresAt);
    if (!expiresAt.isAfter(issuedAt) || Duration.between(issuedAt, expiresAt).compareTo(MAX_LIFE) > 0) {
      throw new IllegalArgumentException("a permit must expire after it is issued and within 5 minutes, not `"
          + issuedAt + "` to `" + expiresAt + "`");
    }
  }

  /** The bytes of the layout above, alone. */
  public byte[] encode() {
    return encode(VERSION);
  }

  private byte[] encode(int version) {
    return new WireWriter().u8(version).uuid(permitId).uuid(spendId).digest(authorizationHash).digest(intentHash)
        .millis(issuedAt).millis(expiresAt).toByteArray();
  }

  /**
   * Reads back a permit that was signed alone or together with others.
   *
   * @throws IllegalArgumentException for any other bytes
   */
  public static Permit decode(byte[] bytes) {
    var in = new WireReader("the permit", bytes);
    int version = in.u8();
    if (version != VERSION && !PermitTree.isPlaced(bytes)) {
      throw new IllegalArgumentException(
          "the permit has version " + version + " and " + bytes.length + " bytes; known are version 1 of "
              + ENCODED_BYTES + ", and version 2 with its place in a tree");
    }
    var permit = new Permit(in.uuid(), in.uuid(), in.digest(), in.digest(), Instant.ofEpochMilli(in.i64()),
        Instant.ofEpochMilli(in.i64()));
    if (version == VERSION) {
      in.end();
    }
    return permit;
  }

  /**
   * Signs many with one signature for every {@value PermitTree#MOST}. Each of them is as good as one that is signed alone, and needs none
   * of the others.
   *
   * @return in their order
   */
  public static List<SignedPermit> sign(List<Permit> permits, PermitSigningKey key) {
    return permits.size() == 1
        ? List.of(permits.getFirst().sign(key))
        : PermitTree.sign(permits.stream().map(permit -> permit.encode(PermitTree.VERSION)).toList(), key);
  }

  /** Signs with the API's permit key. */
  public SignedPermit sign(PermitSigningKey key) {
    var bytes = encode();
    return new SignedPermit(Bytes.of(bytes), Bytes.of(key.sign(SignedPermit.message(bytes))));
  }

  /**
   * As the other one, with a key that is used once.
   *
   * @param key an Ed25519 private key (RFC 8032)
   * @throws IllegalArgumentException if it is another kind of key
   */
  public SignedPermit sign(PrivateKey key) {
    var once = PermitSigningKey.of(key);
    try {
      return sign(once);
    } finally {
      once.wipe();
    }
  }

  private static void requireTime(String name, Instant time) {
    if (time.isBefore(Instant.EPOCH) || time.isAfter(LATEST) || !time.equals(time.truncatedTo(ChronoUnit.MILLIS))) {
      throw new IllegalArgumentException(
          name + " must be whole milliseconds between 1970 and 9999, not `" + time + "`");
    }
  }
}
