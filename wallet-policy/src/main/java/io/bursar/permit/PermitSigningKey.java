package io.bursar.permit;

import java.security.PrivateKey;
import java.util.Arrays;

import org.bouncycastle.math.ec.rfc8032.Ed25519;

/** The private permit key, its public half derived once and not for every permit. Safe for use by several threads. */
public final class PermitSigningKey {
  private final byte[] seed;
  private final byte[] point = new byte[Ed25519.PUBLIC_KEY_SIZE];

  private PermitSigningKey(byte[] seed) {
    this.seed = seed;
    // Never from elsewhere: a signature with another key's public half gives the private one away.
    Ed25519.generatePublicKey(seed, 0, point, 0);
  }

  /**
   * Takes a key as the platform holds it.
   *
   * @param key an Ed25519 private key (RFC 8032)
   * @throws IllegalArgumentException if it is another kind of key
   */
  public static PermitSigningKey of(PrivateKey key) {
    return new PermitSigningKey(PermitKeys.seed(key));
  }

  byte[] sign(byte[] message) {
    var signature = new byte[SignedPermit.SIGNATURE_BYTES];
    Ed25519.sign(seed, 0, point, 0, message, 0, message.length, signature, 0);
    return signature;
  }

  /** Overwrites the key; it cannot be used after that. */
  void wipe() {
    Arrays.fill(seed, (byte) 0);
  }

  @Override
  public String toString() {
    return "PermitSigningKey[REDACTED]";
  }
}
