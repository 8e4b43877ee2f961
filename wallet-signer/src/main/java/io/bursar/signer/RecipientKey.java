package io.bursar.signer;

import java.security.SecureRandom;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;

import org.bouncycastle.crypto.params.X25519PrivateKeyParameters;

import io.bursar.permit.Bytes;
import io.bursar.permit.Digest32;

/**
 * A pair of keys that files are sealed to (X25519): the public half goes to whoever seals, the secret half opens. The public
 * half travels as the text {@code bursar-recipient-v1:} and its 32 bytes in base64url.
 */
final class RecipientKey implements AutoCloseable {
  /** Length in bytes of either half. */
  static final int BYTES = 32;

  private static final String PREFIX = "bursar-recipient-v1:";

  private final byte[] secret;
  private final Bytes publicKey;

  private RecipientKey(byte[] secret) {
    this.secret = secret;
    this.publicKey = Bytes.of(new X25519PrivateKeyParameters(secret).generatePublicKey().getEncoded());
  }

  /** A fresh pair. */
  static RecipientKey generate() {
    var secret = new byte[BYTES];
    new SecureRandom().nextBytes(secret);
    return new RecipientKey(secret);
  }

  /** The pair with this secret half. Takes the array over. */
  static RecipientKey ofSecret(byte[] secret) {
    if (secret.length != BYTES) {
      throw new IllegalArgumentException("the secret half of a recipient's key has 32 bytes, not " + secret.length);
    }
    return new RecipientKey(secret);
  }

  Bytes publicKey() {
    return publicKey;
  }

  /** A copy of the secret half, which the caller erases. */
  byte[] secret() {
    return secret.clone();
  }

  /** A public half as text. */
  static String text(Bytes publicKey) {
    return PREFIX + Base64.getUrlEncoder().withoutPadding().encodeToString(publicKey.toByteArray());
  }

  /**
   * Reads a public half.
   *
   * @throws IllegalArgumentException if the text is none
   */
  static Bytes parse(String text) {
    var line = text.strip();
    if (line.startsWith(PREFIX)) {
      var bytes = Base64.getUrlDecoder().decode(line.substring(PREFIX.length()));
      if (bytes.length == BYTES && text(Bytes.of(bytes)).equals(line)) {
        return Bytes.of(bytes);
      }
    }
    throw new IllegalArgumentException("a recipient's public key is `" + PREFIX + "` and 43 characters of base64url");
  }

  /** What two people read to each other to see that they have the same public half: 80 bits of its hash. */
  static String fingerprint(Bytes publicKey) {
    var hex = HexFormat.of().formatHex(Digest32.sha256(publicKey.toByteArray()).bytes(), 0, 10);
    return String.join(" ", hex.substring(0, 4), hex.substring(4, 8), hex.substring(8, 12), hex.substring(12, 16),
        hex.substring(16));
  }

  @Override
  public void close() {
    Arrays.fill(secret, (byte) 0);
  }

  @Override
  public String toString() {
    return "REDACTED";
  }
}
