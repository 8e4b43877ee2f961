package io.bursar.signer;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;

import org.bouncycastle.crypto.DataLengthException;
import org.bouncycastle.crypto.InvalidCipherTextException;
import org.bouncycastle.crypto.engines.AESEngine;
import org.bouncycastle.crypto.engines.RFC5649WrapEngine;
import org.bouncycastle.crypto.generators.Argon2BytesGenerator;
import org.bouncycastle.crypto.params.Argon2Parameters;
import org.bouncycastle.crypto.params.KeyParameter;

import io.bursar.permit.Digest32;

/**
 * A key encryption key in this process's memory, from a key file or from a passphrase by Argon2id: it wraps by AES-256
 * key wrap with padding (AES-KWP). Its id is a hash of it.
 *
 * @see <a href="https://www.rfc-editor.org/rfc/rfc5649">RFC 5649, AES-KWP</a>
 * @see <a href="https://www.rfc-editor.org/rfc/rfc9106">RFC 9106, Argon2</a>
 */
final class AesKek implements Kek {
  /** Length in bytes: AES-256. */
  static final int BYTES = 32;

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

  private AesKek(byte[] key) {
    this.key = key;
    this.id = "kek-" + HexFormat.of().formatHex(Digest32.sha256(ID_DOMAIN, key).bytes(), 0, 8);
  }

  /**
   * The key that is these bytes. Takes the array over.
   *
   * @throws IllegalArgumentException if there are not 32
   */
  static AesKek ofKey(byte[] key) {
    if (key.length != BYTES) {
      throw new IllegalArgumentException("a key encryption key has 32 bytes, not " + key.length);
    }
    return new AesKek(key);
  }

  /** The key that Argon2id makes of a passphrase and a salt of at least 16 bytes. Erases the passphrase. */
  static AesKek ofPassphrase(byte[] passphrase, byte[] salt, Argon2Cost cost) {
    var argon2 = new Argon2BytesGenerator();
    argon2.init(new Argon2Parameters.Builder(Argon2Parameters.ARGON2_id).withVersion(Argon2Parameters.ARGON2_VERSION_13)
        .withMemoryAsKB(cost.memoryKib()).withIterations(cost.passes()).withParallelism(cost.lanes()).withSalt(salt)
        .build());
    var key = new byte[BYTES];
    argon2.generateBytes(passphrase, key);
    Arrays.fill(passphrase, (byte) 0);
    return new AesKek(key);
  }

  @Override
  public String id() {
    return id;
  }

  /** 40 bytes for a data key of 32. */
  @Override
  public byte[] wrap(byte[] dataKey) {
    var engine = new RFC5649WrapEngine(AESEngine.newInstance());
    engine.init(true, new KeyParameter(key));
    return engine.wrap(dataKey, 0, dataKey.length);
  }

  @Override
  public byte[] unwrap(byte[] wrapped) throws DoesNotOpenException {
    var engine = new RFC5649WrapEngine(AESEngine.newInstance());
    engine.init(false, new KeyParameter(key));
    try {
      return engine.unwrap(wrapped, 0, wrapped.length);
    } catch (InvalidCipherTextException | DataLengthException damaged) {
      throw new DoesNotOpenException(damaged);
    }
  }

  @Override
  public void close() {
    Arrays.fill(key, (byte) 0);
  }

  @Override
  public String toString() {
    return "REDACTED";
  }
}
