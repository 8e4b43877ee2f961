package io.bursar.signer;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.security.GeneralSecurityException;
import java.security.InvalidParameterException;
import java.security.KeyStore;
import java.security.Provider;
import java.security.ProviderException;
import java.security.SecureRandom;
import java.security.Security;
import java.util.Arrays;
import java.util.HexFormat;

import javax.crypto.Cipher;
import javax.crypto.KeyGenerator;
import javax.crypto.SecretKey;
import javax.crypto.spec.GCMParameterSpec;

/**
 * A key encryption key that a PKCS#11 token made and never lets out. It wraps by AES-256-GCM inside the token, since
 * the JDK offers no key wrap there, under a random nonce and with its own id as associated data; the wrapped form is the
 * nonce (12), the encrypted data key (32) and the tag (16). Random nonces bound one key to 2^32 wraps.
 *
 * @see <a href="https://docs.oasis-open.org/pkcs11/pkcs11-spec/v3.1/pkcs11-spec-v3.1.html">PKCS #11 version 3.1</a>
 */
final class Pkcs11Kek implements Kek {
  private static final int NONCE_BYTES = 12;
  private static final int TAG_BITS = 128;
  private static final int MOST_PIN_BYTES = 255;
  private static final SecureRandom RANDOM = new SecureRandom();

  private final Provider provider;
  private final SecretKey key;
  private final String id;

  private Pkcs11Kek(Provider provider, SecretKey key, String id) {
    this.provider = provider;
    this.key = key;
    this.id = id;
  }

  /**
   * Has the token make a key, stored in it for good under a fresh id as its label.
   *
   * @throws IOException if the token cannot be used, with the reason
   */
  static Pkcs11Kek generate(KekSource.Token token) throws IOException {
    var random = new byte[8];
    RANDOM.nextBytes(random);
    var id = "kek-" + HexFormat.of().formatHex(random);
    var provider = provider(token);
    try {
      var store = login(provider, token);
      // Made as an object of the session, which ends with the process: what is stored is a copy inside the token, and of a key
      // made there for good a second one without a label would stay when the first is destroyed.
      var generator = KeyGenerator.getInstance("AES", provider);
      generator.init(8 * AesKek.BYTES);
      store.setKeyEntry(id, generator.generateKey(), null, null);
      store.store(null, null);
    } catch (GeneralSecurityException | ProviderException failed) {
      throw new IOException("the token in slot " + token.slot() + " makes no key: " + reason(failed), failed);
    }
    return open(token, id); // as every later start does
  }

  /**
   * The key of this id in a token.
   *
   * @throws IOException if the token cannot be used or has no such key
   */
  static Pkcs11Kek open(KekSource.Token token, String id) throws IOException {
    var provider = provider(token);
    try {
      if (login(provider, token).getKey(id, null) instanceof SecretKey key) {
        if (key.getEncoded() != null) {
          throw new IOException("the token in slot " + token.slot() + " lets the key `" + id + "` out; use one that "
              + "keeps it");
        }
        return new Pkcs11Kek(provider, key, id);
      }
    } catch (GeneralSecurityException | ProviderException failed) {
      throw new IOException("the token in slot " + token.slot() + " cannot be used: " + reason(failed), failed);
    }
    throw new IOException("the token in slot " + token.slot() + " has no key `" + id + "`");
  }

  private static Provider provider(KekSource.Token token) throws IOException {
    if (!Files.isReadable(token.library())) {
      throw new IOException("there is no PKCS#11 library `" + token.library() + "`");
    }
    var sun = Security.getProvider("SunPKCS11");
    if (sun == null) {
      throw new IOException("this Java has no SunPKCS11 provider; use one with the module jdk.crypto.cryptoki");
    }
    try {
      return sun.configure("""
          --name = Bursar%d
          library = "%s"
          slot = %d
          showInfo = false
          attributes(generate,CKO_SECRET_KEY,CKK_AES) = {
            CKA_TOKEN = false
            CKA_PRIVATE = true
            CKA_SENSITIVE = true
            CKA_EXTRACTABLE = false
            CKA_ENCRYPT = true
            CKA_DECRYPT = true
          }
          """.formatted(token.slot(), token.library().toString().replace("\\", "\\\\").replace("\"", "\\\""),
          token.slot()));
    } catch (ProviderException | InvalidParameterException | UnsupportedOperationException failed) {
      throw new IOException("the PKCS#11 library `" + token.library() + "` shows no token in slot " + token.slot()
          + ": " + reason(failed), failed);
    }
  }

  private static KeyStore login(Provider provider, KekSource.Token token) throws GeneralSecurityException, IOException {
    var bytes = SafeFiles.readSecret(token.pinFile(), MOST_PIN_BYTES + 1);
    int length = bytes.length;
    while (length > 0 && (bytes[length - 1] == '\n' || bytes[length - 1] == '\r')) {
      length--;
    }
    var pin = new char[length];
    for (int i = 0; i < length; i++) {
      pin[i] = (char) (bytes[i] & 0xff);
    }
    Arrays.fill(bytes, (byte) 0);
    try {
      var store = KeyStore.getInstance("PKCS11", provider);
      store.load(null, pin);
      return store;
    } catch (IOException refused) {
      throw new IOException("the token in slot " + token.slot() + " does not take the PIN in `" + token.pinFile()
          + "`: " + reason(refused), refused);
    } finally {
      Arrays.fill(pin, '\0');
    }
  }

  /** The token's own word for it, such as {@code CKR_PIN_INCORRECT}, which is the innermost. */
  private static String reason(Exception failed) {
    Throwable innermost = failed;
    while (innermost.getCause() != null) {
      innermost = innermost.getCause();
    }
    return String.valueOf(innermost.getMessage());
  }

  @Override
  public String id() {
    return id;
  }

  @Override
  public byte[] wrap(byte[] dataKey) throws IOException {
    var nonce = new byte[NONCE_BYTES];
    RANDOM.nextBytes(nonce);
    try {
      var sealed = cipher(Cipher.ENCRYPT_MODE, nonce).doFinal(dataKey);
      var wrapped = Arrays.copyOf(nonce, NONCE_BYTES + sealed.length);
      System.arraycopy(sealed, 0, wrapped, NONCE_BYTES, sealed.length);
      return wrapped;
    } catch (GeneralSecurityException | ProviderException failed) {
      throw new IOException("the token with `" + id + "` does not wrap: " + reason(failed), failed);
    }
  }

  @Override
  public byte[] unwrap(byte[] wrapped) throws DoesNotOpenException, IOException {
    if (wrapped.length != NONCE_BYTES + DATA_KEY_BYTES + TAG_BITS / 8) {
      throw new DoesNotOpenException("has another length than a wrapped data key");
    }
    try {
      return cipher(Cipher.DECRYPT_MODE, Arrays.copyOf(wrapped, NONCE_BYTES)).doFinal(wrapped, NONCE_BYTES,
          wrapped.length - NONCE_BYTES);
    } catch (GeneralSecurityException damaged) {
      throw new DoesNotOpenException(damaged);
    } catch (ProviderException failed) {
      throw new IOException("the token with `" + id + "` does not unwrap: " + reason(failed), failed);
    }
  }

  private Cipher cipher(int mode, byte[] nonce) throws GeneralSecurityException {
    var cipher = Cipher.getInstance("AES/GCM/NoPadding", provider);
    cipher.init(mode, key, new GCMParameterSpec(TAG_BITS, nonce));
    cipher.updateAAD(id.getBytes(StandardCharsets.US_ASCII));
    return cipher;
  }

  @Override
  public void close() {
    // the session ends with the process; a logout would close those of other keys in the same token
  }

  @Override
  public String toString() {
    return "REDACTED";
  }
}
