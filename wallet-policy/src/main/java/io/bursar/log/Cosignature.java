package io.bursar.log;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;

import org.bouncycastle.math.ec.rfc8032.Ed25519;

/**
 * A witness's signature: it saw this checkpoint at that time, and never one that contradicts it. Eight bytes of seconds since
 * 1970, big-endian, and an Ed25519 signature over {@code "cosignature/v1\ntime <seconds>\n"} and the checkpoint's text.
 *
 * @see <a href="https://c2sp.org/tlog-cosignature">C2SP tlog-cosignature</a>
 */
public final class Cosignature {
  /** Length in bytes, without the key's id. */
  static final int BYTES = Long.BYTES + Ed25519.SIGNATURE_SIZE;

  private Cosignature() {}

  /**
   * When the witness signed.
   *
   * @throws IllegalArgumentException if the signature is no cosignature
   */
  public static Instant time(SignedNote.Signature signature) {
    var bytes = signature.bytes().toByteArray();
    if (bytes.length != BYTES) {
      throw new IllegalArgumentException("a cosignature has " + BYTES + " bytes, not " + bytes.length);
    }
    return Instant.ofEpochSecond(time(bytes));
  }

  static long time(byte[] cosignature) {
    return ByteBuffer.wrap(cosignature).getLong();
  }

  static byte[] message(long time, String checkpoint) {
    return ("cosignature/v1\ntime " + time + "\n" + checkpoint).getBytes(StandardCharsets.UTF_8);
  }
}
