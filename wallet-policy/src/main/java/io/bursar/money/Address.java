package io.bursar.money;

import java.util.Arrays;
import java.util.HexFormat;

import org.bouncycastle.crypto.digests.KeccakDigest;
import org.jspecify.annotations.Nullable;

/**
 * An account or contract on an EVM chain: twenty bytes, shown with the mixed-case checksum of EIP-55.
 *
 * @see <a href="https://eips.ethereum.org/EIPS/eip-55">EIP-55</a>
 */
public final class Address implements Comparable<Address> {
  /** Length in bytes. */
  public static final int BYTES = 20;

  private final byte[] bytes;

  /** The text, once asked for: its checksum is a hash. Every thread comes to the same one. */
  private @Nullable String text;

  private Address(byte[] bytes) {
    this.bytes = bytes;
  }

  /**
   * The address of these twenty bytes.
   *
   * @throws IllegalArgumentException if there are not twenty
   */
  public static Address of(byte[] bytes) {
    if (bytes.length != BYTES) {
      throw new IllegalArgumentException("an address has 20 bytes, not " + bytes.length);
    }
    return new Address(bytes.clone());
  }

  /**
   * Reads {@code 0x} and forty hexadecimal digits. All-lower and all-upper case digits carry no checksum and are taken
   * as they are; mixed case must be the right checksum.
   *
   * @throws IllegalArgumentException with a message that says what is wrong
   */
  public static Address parse(String text) {
    if (text.length() != 42 || !text.startsWith("0x")) {
      throw new IllegalArgumentException("must be `0x` and 40 hexadecimal digits");
    }
    byte[] bytes;
    try {
      bytes = HexFormat.of().parseHex(text, 2, 42);
    } catch (IllegalArgumentException notHex) {
      throw new IllegalArgumentException("must be `0x` and 40 hexadecimal digits", notHex);
    }
    var address = new Address(bytes);
    var digits = text.substring(2);
    boolean mixed = !digits.equals(lower(digits)) && !digits.equals(upper(digits));
    // Made for every text: who reads a request makes it, and not the lane, where all requests wait in line.
    var checksummed = address.toString();
    if (mixed && !checksummed.equals(text)) {
      throw new IllegalArgumentException("has a wrong EIP-55 checksum; the right form is `" + address + "`");
    }
    return address;
  }

  /** The address of an uncompressed public key without its leading 0x04: the last twenty bytes of its Keccak-256. */
  public static Address ofPublicKey(byte[] xy) {
    if (xy.length != 64) {
      throw new IllegalArgumentException("an uncompressed public key has 64 bytes, not " + xy.length);
    }
    return new Address(Arrays.copyOfRange(keccak256(xy), 12, 32));
  }

  /** Keccak-256 as Ethereum uses it (not the padded SHA3-256 of FIPS 202). */
  public static byte[] keccak256(byte[] data) {
    var digest = new KeccakDigest(256);
    digest.update(data, 0, data.length);
    var hash = new byte[32];
    digest.doFinal(hash, 0);
    return hash;
  }

  public byte[] bytes() {
    return bytes.clone();
  }

  /** Whether this is the zero address, which no key can control. */
  public boolean isZero() {
    return Arrays.equals(bytes, new byte[BYTES]);
  }

  @Override
  public int compareTo(Address other) {
    return Arrays.compareUnsigned(bytes, other.bytes);
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof Address address && Arrays.equals(bytes, address.bytes);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(bytes);
  }

  /** {@code 0x} and forty digits with the EIP-55 checksum. */
  @Override
  public String toString() {
    var known = text;
    if (known == null) {
      known = checksummed();
      text = known;
    }
    return known;
  }

  private String checksummed() {
    var digits = HexFormat.of().formatHex(bytes);
    var hash = keccak256(digits.getBytes(java.nio.charset.StandardCharsets.US_ASCII));
    var checksummed = new StringBuilder(42).append("0x");
    for (int i = 0; i < 40; i++) {
      int nibble = (hash[i / 2] >> (i % 2 == 0 ? 4 : 0)) & 0xf;
      checksummed.append(nibble >= 8 ? Character.toUpperCase(digits.charAt(i)) : digits.charAt(i));
    }
    return checksummed.toString();
  }

  private static String lower(String text) {
    return text.toLowerCase(java.util.Locale.ROOT);
  }

  private static String upper(String text) {
    return text.toUpperCase(java.util.Locale.ROOT);
  }
}
