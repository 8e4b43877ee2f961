package io.bursar.signer;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

import org.bouncycastle.crypto.InvalidCipherTextException;
import org.bouncycastle.crypto.hpke.HPKE;

import io.bursar.permit.Bytes;

/**
 * Files that only the holder of one {@link RecipientKey} opens: HPKE, base mode, with X25519, HKDF-SHA-256 and AES-256-GCM.
 * Anybody can make one, so whoever opens one must have another reason to believe it: an order of the approvers that
 * names its hash.
 *
 * <p>Layout, big-endian: {@code BSEA} (4), version 1 (1), kind (1), the recipient's public key (32), the encapsulated key
 * (32), the ciphertext. All before the encapsulated key is associated data.
 *
 * @see <a href="https://www.rfc-editor.org/rfc/rfc9180">RFC 9180, HPKE</a>
 */
final class SealedFile {
  private static final int MAGIC = 0x42534541;
  private static final int VERSION = 1;
  private static final int HEAD_BYTES = 6 + RecipientKey.BYTES;
  private static final int ENCAPSULATED_BYTES = 32;
  private static final int TAG_BYTES = 16;
  private static final byte[] INFO = "bursar sealed file v1".getBytes(StandardCharsets.US_ASCII);

  /** What is inside. */
  enum Kind {
    /** Private keys on their way into a signer or out of one. */
    KEYS(1),
    /** A backup of a signer. */
    BACKUP(2);

    private final int code;

    Kind(int code) {
      this.code = code;
    }
  }

  /** A file that does not open, with the reason. */
  static final class UnreadableException extends Exception {
    private static final long serialVersionUID = 1L;

    UnreadableException(String message) {
      super(message);
    }
  }

  private SealedFile() {}

  /** Seals to a recipient's public key. Leaves the plain bytes to the caller, who erases them. */
  static byte[] seal(Kind kind, Bytes recipient, byte[] plain) {
    var head = head(kind, recipient);
    var hpke = hpke();
    try {
      var sealed = hpke.seal(hpke.deserializePublicKey(recipient.toByteArray()), INFO, head, plain, null, null, null);
      return ByteBuffer.allocate(head.length + sealed[1].length + sealed[0].length).put(head).put(sealed[1])
          .put(sealed[0]).array();
    } catch (InvalidCipherTextException impossible) {
      throw new IllegalStateException("sealing cannot fail", impossible);
    }
  }

  /** What a file was sealed to, or an error if it is none of the kind. */
  static Bytes recipient(Kind kind, byte[] file) throws UnreadableException {
    if (file.length < HEAD_BYTES + ENCAPSULATED_BYTES + TAG_BYTES) {
      throw new UnreadableException("is too short for a sealed file");
    }
    var recipient = Bytes.of(Arrays.copyOfRange(file, 6, HEAD_BYTES));
    if (!Arrays.equals(head(kind, recipient), 0, HEAD_BYTES, file, 0, HEAD_BYTES)) {
      throw new UnreadableException("is no sealed file of version 1 that holds "
          + switch (kind) {
            case KEYS -> "keys";
            case BACKUP -> "a backup";
          });
    }
    return recipient;
  }

  /**
   * Opens a file. The caller erases the answer.
   *
   * @throws UnreadableException if it is another kind of file, sealed to somebody else, or altered
   */
  static byte[] open(Kind kind, RecipientKey key, byte[] file) throws UnreadableException {
    var recipient = recipient(kind, file);
    if (!recipient.equals(key.publicKey())) {
      throw new UnreadableException("is sealed to the key " + RecipientKey.fingerprint(recipient) + " and not to "
          + RecipientKey.fingerprint(key.publicKey()));
    }
    var hpke = hpke();
    int body = HEAD_BYTES + ENCAPSULATED_BYTES;
    var secret = key.secret();
    try {
      return hpke.open(Arrays.copyOfRange(file, HEAD_BYTES, body),
          hpke.deserializePrivateKey(secret, recipient.toByteArray()), INFO, Arrays.copyOf(file, HEAD_BYTES),
          Arrays.copyOfRange(file, body, file.length), null, null, null);
    } catch (InvalidCipherTextException | IllegalArgumentException | IllegalStateException damaged) {
      throw new UnreadableException("does not open: it was damaged or altered");
    } finally {
      Arrays.fill(secret, (byte) 0);
    }
  }

  private static byte[] head(Kind kind, Bytes recipient) {
    return ByteBuffer.allocate(HEAD_BYTES).putInt(MAGIC).put((byte) VERSION).put((byte) kind.code)
        .put(recipient.toByteArray()).array();
  }

  private static HPKE hpke() {
    return new HPKE(HPKE.mode_base, HPKE.kem_X25519_SHA256, HPKE.kdf_HKDF_SHA256, HPKE.aead_AES_GCM256);
  }
}
