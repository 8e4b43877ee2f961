package io.bursar.permit;

import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.UUID;

import io.bursar.money.Address;

/**
 * Reads big-endian fields from a byte string and refuses to read past its end or to leave anything behind. Every method
 * throws {@link IllegalArgumentException} on bytes that are not what was asked for, and nothing else.
 */
final class WireReader {
  private final ByteBuffer in;
  private final String what;

  WireReader(String what, byte[] bytes) {
    this.what = what;
    this.in = ByteBuffer.wrap(bytes);
  }

  int u8() {
    return need(1).get() & 0xff;
  }

  int u16() {
    return need(2).getShort() & 0xffff;
  }

  long i64() {
    return need(8).getLong();
  }

  byte[] bytes(int length) {
    var bytes = new byte[length];
    need(length).get(bytes);
    return bytes;
  }

  /** Two bytes of length, then that many bytes. */
  byte[] shortBytes() {
    return bytes(u16());
  }

  /** Two bytes of length, then that many bytes of well-formed UTF-8. */
  String text() {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(shortBytes())).toString();
    } catch (CharacterCodingException malformed) {
      throw new IllegalArgumentException(what + " holds text that is not UTF-8", malformed);
    }
  }

  UUID uuid() {
    need(16);
    return new UUID(in.getLong(), in.getLong());
  }

  Address address() {
    return Address.of(bytes(Address.BYTES));
  }

  Digest32 digest() {
    return Digest32.of(bytes(Digest32.BYTES));
  }

  BigInteger unsigned(int width) {
    return new BigInteger(1, bytes(width));
  }

  void end() {
    if (in.hasRemaining()) {
      throw new IllegalArgumentException(what + " has " + in.remaining() + " bytes too many");
    }
  }

  private ByteBuffer need(int length) {
    if (in.remaining() < length) {
      throw new IllegalArgumentException(what + " ends too early");
    }
    return in;
  }
}
