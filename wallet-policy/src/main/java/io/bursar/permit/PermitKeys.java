package io.bursar.permit;

import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.NoSuchAlgorithmException;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.Base64;

/**
 * Ed25519 permit keys as text: PKCS#8 for the private half, which the API holds, and X.509 SubjectPublicKeyInfo for the
 * public half, which the signer holds.
 *
 * @see <a href="https://www.rfc-editor.org/rfc/rfc7468">RFC 7468, PEM</a>
 * @see <a href="https://www.rfc-editor.org/rfc/rfc8410">RFC 8410, Ed25519 in PKCS#8 and X.509</a>
 */
public final class PermitKeys {
  private static final String PRIVATE = "PRIVATE KEY";
  private static final String PUBLIC = "PUBLIC KEY";

  private PermitKeys() {}

  /** A new random pair. */
  public static KeyPair generate() {
    try {
      return KeyPairGenerator.getInstance("Ed25519").generateKeyPair();
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException("the Java platform lacks Ed25519", impossible);
    }
  }

  /** The private key as PEM. The text is a secret. */
  public static String toPem(PrivateKey key) {
    return armour(PRIVATE, key.getEncoded());
  }

  /** The public key as PEM. */
  public static String toPem(PublicKey key) {
    return armour(PUBLIC, key.getEncoded());
  }

  /**
   * Reads a private key.
   *
   * @throws IllegalArgumentException if the text is not an Ed25519 private key; the message never shows the text
   */
  public static PrivateKey parsePrivate(String pem) {
    try {
      return KeyFactory.getInstance("Ed25519").generatePrivate(new PKCS8EncodedKeySpec(unarmour(PRIVATE, pem)));
    } catch (GeneralSecurityException malformed) {
      throw new IllegalArgumentException("the permit key is not an Ed25519 private key in PKCS#8", malformed);
    }
  }

  /**
   * Reads a public key.
   *
   * @throws IllegalArgumentException if the text is not an Ed25519 public key
   */
  public static PublicKey parsePublic(String pem) {
    try {
      return KeyFactory.getInstance("Ed25519").generatePublic(new X509EncodedKeySpec(unarmour(PUBLIC, pem)));
    } catch (GeneralSecurityException malformed) {
      throw new IllegalArgumentException("the permit key is not an Ed25519 public key in X.509", malformed);
    }
  }

  private static String armour(String label, byte[] der) {
    return "-----BEGIN " + label + "-----\n" + Base64.getEncoder().encodeToString(der) + "\n-----END " + label
        + "-----\n";
  }

  private static byte[] unarmour(String label, String pem) {
    var text = pem.strip();
    var head = "-----BEGIN " + label + "-----";
    var foot = "-----END " + label + "-----";
    if (!text.startsWith(head) || !text.endsWith(foot) || text.length() < head.length() + foot.length()) {
      throw new IllegalArgumentException("expected PEM text between `" + head + "` and `" + foot + "`");
    }
    try {
      return Base64.getMimeDecoder().decode(text.substring(head.length(), text.length() - foot.length()).strip());
    } catch (IllegalArgumentException notBase64) {
      // The decoder's message quotes the text, which may be a private key.
      throw new IllegalArgumentException("the PEM text between `" + head + "` and `" + foot + "` is not base64");
    }
  }
}
