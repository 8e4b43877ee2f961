package io.bursar.permit;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;

import org.jspecify.annotations.Nullable;

/** A hash of 32 bytes, compared in constant time and shown as 64 hexadecimal digits. */
public final class Digest32 {
  /** Length in bytes. */
  public static final int BYTES = 32;

  private final byte[] bytes;

  private Digest32(byte[] bytes) {
    this.bytes = bytes;
  }

  /**
   * The hash that is these 32 bytes.
   *
   * @throws IllegalArgumentException if there are not 32
   */
  public static Digest32 of(byte[] bytes) {
    if (bytes.length != BYTES) {
      throw new IllegalArgumentException("a digest has 32 bytes, not " + bytes.length);
    }
    return new Digest32(bytes.clone());
  }

  /** SHA-256 (FIPS 180-4) over the parts, one after the other. */
  public static Digest32 sha256(byte[]... parts) {
    try {
      var sha = MessageDigest.getInstance("SHA-256");
      for (var part : parts) {
        sha.update(part);
      }
      return new Digest32(sha.digest());
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException("every Java platform has SHA-256", impossible);
    }
  }

  public byte[] bytes() {
    return bytes.clone();
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof Digest32 digest && MessageDigest.isEqual(bytes, digest.bytes);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(bytes);
  }

  @Override
  public String toString() {
    return HexFormat.of().formatHex(bytes);
  }
}
