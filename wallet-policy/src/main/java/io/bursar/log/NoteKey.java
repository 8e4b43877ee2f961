package io.bursar.log;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

import org.bouncycastle.math.ec.rfc8032.Ed25519;

import io.bursar.permit.Bytes;
import io.bursar.permit.Digest32;

/**
 * The public key that verifies somebody's signatures on notes. As text, {@code <name>+<key id in hex>+<base64 of type and
 * key>}, it is what an auditor is given and what everything else is checked with.
 *
 * @param name whose; without spaces and {@code +}
 * @param kind what its signatures mean
 * @param publicKey the 32 bytes of an Ed25519 public key
 * @see <a href="https://c2sp.org/signed-note">C2SP signed-note</a>
 */
public record NoteKey(String name, Kind kind, Bytes publicKey) {
  /** What a signature is over. The numbers are those of the specification. */
  public enum Kind {
    /** Ed25519 over the text of the note. */
    ED25519(1),
    /** A witness's Ed25519 over the text of a checkpoint and a time; see {@link Cosignature}. */
    COSIGNATURE(4);

    private final int code;

    Kind(int code) {
      this.code = code;
    }

    int code() {
      return code;
    }

    static Kind of(int code) {
      return switch (code) {
        case 1 -> ED25519;
        case 4 -> COSIGNATURE;
        default -> throw new IllegalArgumentException("keys of the type " + code + " are not known, only 1 and 4");
      };
    }
  }

  static final int KEY_BYTES = 32;
  private static final int NAME_MAX = 512;

  public NoteKey {
    requireName(name);
    if (publicKey.size() != KEY_BYTES) {
      throw new IllegalArgumentException("an Ed25519 public key has 32 bytes, not " + publicKey.size());
    }
  }

  /**
   * Reads a key from its text.
   *
   * @throws IllegalArgumentException if it is not exactly one
   */
  public static NoteKey parse(String vkey) {
    var parts = vkey.split("\\+", 3);
    if (parts.length != 3) {
      throw new IllegalArgumentException("a verifier key is `<name>+<8 hexadecimal digits>+<base64>`");
    }
    var key = NoteText.base64(parts[2]);
    if (key.length != 1 + KEY_BYTES) {
      throw new IllegalArgumentException("a verifier key holds a type and 32 bytes");
    }
    var parsed = new NoteKey(parts[0], Kind.of(key[0] & 0xff), Bytes.of(Arrays.copyOfRange(key, 1, key.length)));
    if (!parsed.text().equals(vkey)) {
      throw new IllegalArgumentException("the id in the verifier key is not that of its name and key");
    }
    return parsed;
  }

  /** The key as text. */
  public String text() {
    var key = ByteBuffer.allocate(1 + KEY_BYTES).put((byte) kind.code()).put(publicKey.toByteArray()).array();
    return name + "+" + "%08x".formatted(id()) + "+" + NoteText.base64(key);
  }

  /** Tells apart keys of one name: the first four bytes of a hash over name, type and key. */
  public int id() {
    return ByteBuffer.wrap(Digest32.sha256(name.getBytes(StandardCharsets.UTF_8), new byte[]{'\n', (byte) kind.code()},
        publicKey.toByteArray()).bytes()).getInt();
  }

  /** Whether the signature is this key's over the text. Never throws. */
  boolean verifies(String text, byte[] signature) {
    return switch (kind) {
      case ED25519 -> verifies(text.getBytes(StandardCharsets.UTF_8), signature, 0);
      case COSIGNATURE -> signature.length == Cosignature.BYTES && Cosignature.time(signature) >= 0
          && verifies(Cosignature.message(Cosignature.time(signature), text), signature, Long.BYTES);
    };
  }

  private boolean verifies(byte[] message, byte[] signature, int from) {
    return signature.length - from == Ed25519.SIGNATURE_SIZE
        && Ed25519.verify(signature, from, publicKey.toByteArray(), 0, message, 0, message.length);
  }

  static void requireName(String name) {
    NoteText.requirePlain(name);
    if (name.isEmpty() || name.length() > NAME_MAX || name.contains("+")
        || name.codePoints().anyMatch(c -> Character.isWhitespace(c) || Character.isSpaceChar(c))) {
      throw new IllegalArgumentException("the name of a key must be 1 to 512 characters without spaces and `+`");
    }
  }
}
