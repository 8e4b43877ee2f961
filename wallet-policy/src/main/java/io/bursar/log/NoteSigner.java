package io.bursar.log;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Arrays;

import org.bouncycastle.math.ec.rfc8032.Ed25519;

import io.bursar.permit.Bytes;

/** The private half of a {@link NoteKey}. Never shows its secret but by {@link #secretText}. */
public final class NoteSigner {
  private static final String PREFIX = "PRIVATE+KEY+";

  private final NoteKey key;
  private final byte[] seed;

  private NoteSigner(NoteKey key, byte[] seed) {
    this.key = key;
    this.seed = seed;
  }

  /**
   * The signer whose Ed25519 secret key (RFC 8032) is these 32 bytes.
   *
   * @param seed is copied; the caller wipes its own
   */
  public static NoteSigner of(String name, NoteKey.Kind kind, byte[] seed) {
    if (seed.length != Ed25519.SECRET_KEY_SIZE) {
      throw new IllegalArgumentException("an Ed25519 secret key has 32 bytes, not " + seed.length);
    }
    var point = new byte[NoteKey.KEY_BYTES];
    Ed25519.generatePublicKey(seed, 0, point, 0);
    return new NoteSigner(new NoteKey(name, kind, Bytes.of(point)), seed.clone());
  }

  /**
   * Reads {@link #secretText}.
   *
   * @throws IllegalArgumentException if it is not one; the message never shows the text
   */
  public static NoteSigner parseSecret(String text) {
    var parts = text.startsWith(PREFIX) ? text.substring(PREFIX.length()).split("\\+", 3) : new String[0];
    if (parts.length == 3) {
      byte[] secret = decode(parts[2]);
      if (secret.length == 1 + Ed25519.SECRET_KEY_SIZE) {
        var signer = of(parts[0], NoteKey.Kind.of(secret[0] & 0xff), Arrays.copyOfRange(secret, 1, secret.length));
        Arrays.fill(secret, (byte) 0);
        if ("%08x".formatted(signer.key.id()).equals(parts[1])) {
          return signer;
        }
      }
    }
    throw new IllegalArgumentException("expected a private key `PRIVATE+KEY+<name>+<8 hexadecimal digits>+<base64>`");
  }

  /** The private key as text, {@code PRIVATE+KEY+<name>+<key id in hex>+<base64 of type and key>}. It is a secret. */
  public String secretText() {
    var secret = ByteBuffer.allocate(1 + seed.length).put((byte) key.kind().code()).put(seed).array();
    return PREFIX + key.name() + "+" + "%08x".formatted(key.id()) + "+" + NoteText.base64(secret);
  }

  /** What verifies its signatures. */
  public NoteKey key() {
    return key;
  }

  /** Signs the text of a note, with a key of kind {@link NoteKey.Kind#ED25519}. */
  public SignedNote.Signature sign(String text) {
    require(NoteKey.Kind.ED25519);
    return signature(raw(text.getBytes(StandardCharsets.UTF_8)));
  }

  /** Signs the text of a checkpoint as seen at this time, with a key of kind {@link NoteKey.Kind#COSIGNATURE}. */
  public SignedNote.Signature cosign(String checkpoint, Instant at) {
    require(NoteKey.Kind.COSIGNATURE);
    long time = at.getEpochSecond();
    return signature(ByteBuffer.allocate(Cosignature.BYTES).putLong(time)
        .put(raw(Cosignature.message(time, checkpoint))).array());
  }

  private SignedNote.Signature signature(byte[] bytes) {
    return new SignedNote.Signature(key.name(), key.id(), Bytes.of(bytes));
  }

  private byte[] raw(byte[] message) {
    var signature = new byte[Ed25519.SIGNATURE_SIZE];
    Ed25519.sign(seed, 0, message, 0, message.length, signature, 0);
    return signature;
  }

  private void require(NoteKey.Kind kind) {
    if (key.kind() != kind) {
      throw new IllegalStateException("a key of the kind " + key.kind() + " does not make signatures of " + kind);
    }
  }

  private static byte[] decode(String base64) {
    try {
      return NoteText.base64(base64);
    } catch (IllegalArgumentException malformed) { // its message may quote the text
      return new byte[0];
    }
  }

  @Override
  public String toString() {
    return "NoteSigner[" + key.name() + ", REDACTED]";
  }
}
