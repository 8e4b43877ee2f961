package io.bursar.permit;

import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.NoSuchAlgorithmException;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.interfaces.EdECPrivateKey;
import java.security.interfaces.EdECPublicKey;
import java.security.spec.NamedParameterSpec;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;

import org.bouncycastle.math.ec.rfc8032.Ed25519;

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
  private static final int POINT_BYTES = 32;
  /** RFC 8410: a sequence of the algorithm 1.3.101.112 and a bit string of 32 bytes, up to the bytes themselves. */
  private static final byte[] SPKI_PREFIX = HexFormat.of().parseHex("302a300506032b6570032100");

  private PermitKeys() {}

  /** A new random pair. */
  public static KeyPair generate() {
    try {
      return KeyPairGenerator.getInstance("Ed25519").generateKeyPair();
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException("the Java platform lacks Ed25519", impossible);
    }
  }

  /**
   * The public half of a private key.
   *
   * @throws IllegalArgumentException if it is not an Ed25519 key
   */
  public static PublicKey publicKeyOf(PrivateKey key) {
    var seed = seed(key);
    var point = new byte[POINT_BYTES];
    Ed25519.generatePublicKey(seed, 0, point, 0);
    Arrays.fill(seed, (byte) 0);
    var spki = Arrays.copyOf(SPKI_PREFIX, SPKI_PREFIX.length + POINT_BYTES);
    System.arraycopy(point, 0, spki, SPKI_PREFIX.length, POINT_BYTES);
    try {
      return KeyFactory.getInstance("Ed25519").generatePublic(new X509EncodedKeySpec(spki));
    } catch (GeneralSecurityException impossible) {
      throw new IllegalStateException("a derived public key is well formed", impossible);
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

  /** The 32 bytes that RFC 8032 calls the secret key. The caller wipes them. */
  static byte[] seed(PrivateKey key) {
    if (key instanceof EdECPrivateKey ed && ed.getParams().getName().equals(NamedParameterSpec.ED25519.getName())) {
      return ed.getBytes()
          .orElseThrow(() -> new IllegalArgumentException("the permit key does not give its bytes; hold it in a file"));
    }
    throw new IllegalArgumentException("the permit key must be an Ed25519 private key, not " + key.getAlgorithm());
  }

  /** The 32 bytes of the encoded curve point. */
  static byte[] point(PublicKey key) {
    if (key instanceof EdECPublicKey ed && ed.getParams().getName().equals(NamedParameterSpec.ED25519.getName())) {
      var spki = key.getEncoded(); // RFC 8410: the point is the last field
      return Arrays.copyOfRange(spki, spki.length - POINT_BYTES, spki.length);
    }
    throw new IllegalArgumentException("the permit key must be an Ed25519 public key, not " + key.getAlgorithm());
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
      var body = text.substring(head.length(), text.length() - foot.length());
      return Base64.getDecoder().decode(body.replaceAll("\\s", ""));
    } catch (IllegalArgumentException notBase64) {
      // The decoder's message quotes the text, which may be a private key.
      throw new IllegalArgumentException("the PEM text between `" + head + "` and `" + foot + "` is not base64");
    }
  }
}
