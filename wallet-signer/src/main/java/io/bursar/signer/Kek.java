package io.bursar.signer;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;

import org.bouncycastle.crypto.InvalidCipherTextException;
import org.bouncycastle.crypto.engines.AESEngine;
import org.bouncycastle.crypto.engines.RFC5649WrapEngine;
import org.bouncycastle.crypto.generators.Argon2BytesGenerator;
import org.bouncycastle.crypto.params.Argon2Parameters;
import org.bouncycastle.crypto.params.KeyParameter;

import io.bursar.permit.Digest32;

/**
 * The key encryption key: it wraps the data key of each private key by AES-256 key wrap with padding (AES-KWP) and is
 * used for nothing else. Its id is a hash of it, so that a key file says which one it needs.
 *
 * @see <a href="https://www.rfc-editor.org/rfc/rfc5649">RFC 5649, AES-KWP</a>
 * @see <a href="https://www.rfc-editor.org/rfc/rfc9106">RFC 9106, Argon2</a>
 */
final class Kek {
  /** Length in bytes: AES-256. */
  static final int BYTES = 32;
  /** Length of a wrapped data key of 32 bytes. */
  static final int WRAPPED_BYTES = 40;

  private static final byte[] ID_DOMAIN = "bursar kek id v1\n".getBytes(StandardCharsets.US_ASCII);

  /**
   * Cost of making the key from a passphrase.
   *
   * @param memoryKib 8,192 to 1,048,576 KiB
   * @param passes 1 to 32
   * @param lanes 1 to 16; computed one after the other here
   */
  record Argon2Cost(int memoryKib, int passes, int lanes) {
    /** RFC 9106's second recommendation: 64 MiB, 3 passes, 4 lanes. */
    static final Argon2Cost RECOMMENDED = new Argon2Cost(65_536, 3, 4);

    Argon2Cost {
      if (memoryKib < 8_192 || memoryKib > 1_048_576 || passes < 1 || passes > 32 || lanes < 1 || lanes > 16) {
        throw new IllegalArgumentException(
            "Argon2 costs must be 8192 to 1048576 KiB, 1 to 32 passes and 1 to 16 lanes, not `" + memoryKib + "`, `"
                + passes + "` and `" + lanes + "`");
      }
    }
  }

  private final byte[] key;
  private final String id;

  private Kek(byte[] key) {
    this.key = key;
    this.id = "kek-" + HexFormat.of().formatHex(Digest32.sha256(ID_DOMAIN, key).bytes(), 0, 8);
  }

  /**
   * The key that is these bytes. Takes the array over.
   *
   * @throws IllegalArgumentException if there are not 32
   */
  static Kek ofKey(byte[] key) {
    if (key.length != BYTES) {
      throw new IllegalArgumentException("a key encryption key has 32 bytes, not " + key.length);
    }
    return new Kek(key);
  }

  /** The key that Argon2id makes of a passphrase and a salt of at least 16 bytes. Erases the passphrase. */
  static Kek ofPassphrase(byte[] passphrase, byte[] salt, Argon2Cost cost) {
    var argon2 = new Argon2BytesGenerator();
    argon2.init(new Argon2Parameters.Builder(Argon2Parameters.ARGON2_id).withVersion(Argon2Parameters.ARGON2_VERSION_13)
        .withMemoryAsKB(cost.memoryKib()).withIterations(cost.passes()).withParallelism(cost.lanes()).withSalt(salt)
        .build());
    var key = new byte[BYTES];
    argon2.generateBytes(passphrase, key);
    Arrays.fill(passphrase, (byte) 0);
    return new Kek(key);
  }

  /** {@code kek-} and 16 hexadecimal digits. */
  String id() {
    return id;
  }

  /** Wraps a data key of 32 bytes into 40. */
  byte[] wrap(byte[] dataKey) {
    var engine = new RFC5649WrapEngine(AESEngine.newInstance());
    engine.init(true, new KeyParameter(key));
    return engine.wrap(dataKey, 0, dataKey.length);
  }

  /**
   * Unwraps what {@link #wrap} made.
   *
   * @throws InvalidCipherTextException if it was wrapped by another key or is damaged
   */
  byte[] unwrap(byte[] wrapped) throws InvalidCipherTextException {
    var engine = new RFC5649WrapEngine(AESEngine.newInstance());
    engine.init(false, new KeyParameter(key));
    return engine.unwrap(wrapped, 0, wrapped.length);
  }

  @Override
  public String toString() {
    return "REDACTED";
  }
}
