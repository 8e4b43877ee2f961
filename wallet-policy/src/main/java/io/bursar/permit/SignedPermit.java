package io.bursar.permit;

import java.nio.charset.StandardCharsets;
import java.security.PublicKey;
import java.util.Arrays;

/**
 * Permit bytes as received and the signature that came with them. Nothing is known about either until
 * {@link #isSignedBy} said yes; then {@link #permit} reads the very bytes that were verified.
 *
 * <p>
 * Bouncy Castle does the arithmetic: it verifies eight times as fast as the JDK, and the signer verifies before it does
 * anything else. Tests hold the two against each other.
 *
 * @param bytes at most {@link #MAX_BYTES}
 * @param signature 64 bytes: Ed25519 (RFC 8032) over {@link #message}
 */
public record SignedPermit(Bytes bytes, Bytes signature) {
  /** Length of an Ed25519 signature in bytes. */
  public static final int SIGNATURE_BYTES = 64;
  /** The most bytes that are looked at as a permit. */
  public static final int MAX_BYTES = 1024;

  private static final byte[] DOMAIN = "bursar permit v1\n".getBytes(StandardCharsets.US_ASCII);

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
    return isSignedBy(PermitKey.of(key));
  }

  /** Whether the signature is the key's over exactly these bytes. */
  public boolean isSignedBy(PermitKey key) {
    return key.verifies(signature.toByteArray(), message().toByteArray());
  }

  /** Whether others may have the same signature over the same message. */
  public boolean isOneOfMany() {
    return PermitTree.isPlaced(bytes.toByteArray());
  }

  /**
   * What the signature is over: {@code "bursar permit v1\n"} and the bytes; of one of many {@code "bursar permits v1\n"} and the root of
   * their tree.
   */
  public Bytes message() {
    var permit = bytes.toByteArray();
    return Bytes.of(PermitTree.isPlaced(permit) ? PermitTree.message(permit) : message(permit));
  }

  /**
   * What the bytes say. Call only after {@link #isSignedBy}.
   *
   * @throws IllegalArgumentException if they are no permit
   */
  public Permit permit() {
    return Permit.decode(bytes.toByteArray());
  }

  /** What is signed for a permit of these bytes, alone. */
  static byte[] message(byte[] permit) {
    var message = Arrays.copyOf(DOMAIN, DOMAIN.length + permit.length);
    System.arraycopy(permit, 0, message, DOMAIN.length, permit.length);
    return message;
  }
}
