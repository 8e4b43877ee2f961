package io.bursar.permit;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.PublicKey;
import java.security.Signature;
import java.security.SignatureException;

/**
 * Permit bytes as received and the signature that came with them. Nothing is known about either until
 * {@link #isSignedBy} said yes; then {@link #permit} reads the very bytes that were verified.
 *
 * @param bytes at most {@link #MAX_BYTES}
 * @param signature 64 bytes: Ed25519 (RFC 8032) over {@code "bursar permit v1\n"} and the bytes
 */
public record SignedPermit(Bytes bytes, Bytes signature) {
  /** Length of an Ed25519 signature in bytes. */
  public static final int SIGNATURE_BYTES = 64;
  /** The most bytes that are looked at as a permit. */
  public static final int MAX_BYTES = 1024;

  static final byte[] DOMAIN = "bursar permit v1\n".getBytes(StandardCharsets.US_ASCII);

  public SignedPermit {
    if (bytes.size() > MAX_BYTES) {
      throw new IllegalArgumentException("a permit has at most 1024 bytes, not " + bytes.size());
    }
    if (signature.size() != SIGNATURE_BYTES) {
      throw new IllegalArgumentException("a permit's signature has 64 bytes, not " + signature.size());
    }
  }

  /**
   * Whether the signature is the key's over exactly these bytes.
   *
   * @param key an Ed25519 public key
   * @throws IllegalArgumentException if it is another kind of key
   */
  public boolean isSignedBy(PublicKey key) {
    Signature verifier;
    try {
      verifier = Signature.getInstance("Ed25519");
      verifier.initVerify(key);
      verifier.update(DOMAIN);
      verifier.update(bytes.toByteArray());
    } catch (GeneralSecurityException wrongKey) {
      throw new IllegalArgumentException("the permit key must be an Ed25519 public key", wrongKey);
    }
    try {
      return verifier.verify(signature.toByteArray());
    } catch (SignatureException malformed) {
      return false; // 64 bytes that encode no curve point, or no scalar below the group order
    }
  }

  /**
   * What the bytes say. Call only after {@link #isSignedBy}.
   *
   * @throws IllegalArgumentException if they are no permit
   */
  public Permit permit() {
    return Permit.decode(bytes.toByteArray());
  }
}
