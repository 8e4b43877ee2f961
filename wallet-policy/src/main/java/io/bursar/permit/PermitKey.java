package io.bursar.permit;

import java.security.PublicKey;

import org.bouncycastle.math.ec.rfc8032.Ed25519;

/** The public permit key, its point decompressed once and not for every permit. Safe for use by several threads. */
public final class PermitKey {
  private final Ed25519.PublicPoint point;

  private PermitKey(Ed25519.PublicPoint point) {
    this.point = point;
  }

  /**
   * Takes a key as the platform holds it.
   *
   * @param key an Ed25519 public key
   * @throws IllegalArgumentException if it is another kind of key, or no point of the curve
   */
  public static PermitKey of(PublicKey key) {
    var point = Ed25519.validatePublicKeyPartialExport(PermitKeys.point(key), 0);
    if (point == null) {
      throw new IllegalArgumentException("the permit key is no point of the curve");
    }
    return new PermitKey(point);
  }

  boolean verifies(byte[] signature, byte[] message) {
    return Ed25519.verify(signature, 0, point, message, 0, message.length);
  }
}
