package io.bursar.permit;

import java.io.ByteArrayOutputStream;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.UUID;

import io.bursar.money.Address;

/** Writes big-endian fields one after the other; {@link WireReader} reads them back. */
final class WireWriter {
  private final ByteArrayOutputStream out = new ByteArrayOutputStream(256);

  WireWriter u8(int value) {
    out.write(value);
    return this;
  }

  WireWriter u16(int value) {
    if (value < 0 || value > 0xffff) {
      throw new IllegalArgumentException("`" + value + "` does not fit two bytes");
    }
    return u8(value >>> 8).u8(value & 0xff);
  }

  WireWriter i64(long value) {
    return bytes(ByteBuffer.allocate(8).putLong(value).array());
  }

  WireWriter bytes(byte[] bytes) {
    out.writeBytes(bytes);
    return this;
  }

  WireWriter shortBytes(byte[] bytes) {
    return u16(bytes.length).bytes(bytes);
  }

  WireWriter text(String text) {
    return shortBytes(text.getBytes(StandardCharsets.UTF_8));
  }

  WireWriter uuid(UUID id) {
    return i64(id.getMostSignificantBits()).i64(id.getLeastSignificantBits());
  }

  WireWriter address(Address address) {
    return bytes(address.bytes());
  }

  WireWriter digest(Digest32 digest) {
    return bytes(digest.bytes());
  }

  WireWriter millis(Instant instant) {
    return i64(instant.toEpochMilli());
  }

  /** The value in exactly {@code width} bytes. It must be known to fit. */
  WireWriter unsigned(BigInteger value, int width) {
    if (value.signum() < 0 || value.bitLength() > 8 * width) {
      throw new IllegalArgumentException("`" + value + "` does not fit " + width + " unsigned bytes");
    }
    var digits = value.toByteArray();
    int from = digits.length > width ? 1 : 0; // the sign byte of a value that uses its highest bit
    out.write(new byte[width - (digits.length - from)], 0, width - (digits.length - from));
    out.write(digits, from, digits.length - from);
    return this;
  }

  byte[] toByteArray() {
    return out.toByteArray();
  }
}
