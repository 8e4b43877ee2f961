package io.bursar.api.approve;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.interfaces.ECPrivateKey;
import java.security.interfaces.EdECPrivateKey;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Arrays;
import java.util.Base64;

import org.bouncycastle.crypto.ec.CustomNamedCurves;
import org.bouncycastle.math.ec.FixedPointCombMultiplier;
import org.bouncycastle.math.ec.rfc8032.Ed25519;
import org.bouncycastle.util.BigIntegers;

import io.bursar.approval.ApproverKey;
import io.bursar.permit.Bytes;

/**
 * An approver's private key as a file: PKCS#8 in PEM (RFC 5958, RFC 7468), not encrypted, as {@code openssl genpkey} writes it and
 * Node and Python read it. Never shown: it prints as its public half.
 */
public final class ApproverKeyFile {
  private static final String HEAD = "-----BEGIN PRIVATE KEY-----";
  private static final String FOOT = "-----END PRIVATE KEY-----";

  private final PrivateKey key;
  private final ApproverKey publicKey;

  private ApproverKeyFile(PrivateKey key) {
    this.key = key;
    this.publicKey = publicHalf(key);
  }

  /** A new random key. */
  public static ApproverKeyFile generate(ApproverKey.Curve curve) {
    try {
      return new ApproverKeyFile(switch (curve) {
        case ED25519 -> KeyPairGenerator.getInstance("Ed25519").generateKeyPair().getPrivate();
        case P256 -> {
          var generator = KeyPairGenerator.getInstance("EC");
          generator.initialize(new ECGenParameterSpec("secp256r1"));
          yield generator.generateKeyPair().getPrivate();
        }
      });
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every Java platform has Ed25519 and P-256", e);
    }
  }

  /**
   * Reads a key.
   *
   * @throws IllegalArgumentException if the text is none; the message never shows the text
   */
  public static ApproverKeyFile parse(String pem) {
    var text = pem.strip();
    if (!text.startsWith(HEAD) || !text.endsWith(FOOT)) {
      throw new IllegalArgumentException("expected one PEM block between `" + HEAD + "` and `" + FOOT
          + "`, as `openssl genpkey` and `deploy/bursar approve keygen` write it");
    }
    byte[] der;
    try {
      der = Base64.getMimeDecoder().decode(text.substring(HEAD.length(), text.length() - FOOT.length()));
    } catch (IllegalArgumentException notBase64) {
      throw new IllegalArgumentException("the PEM block is not base64"); // the cause may quote the key
    }
    for (var algorithm : new String[]{"Ed25519", "EC"}) {
      try {
        return new ApproverKeyFile(KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(der)));
      } catch (GeneralSecurityException | IllegalArgumentException notThatKind) {
        // The next kind may fit.
      }
    }
    throw new IllegalArgumentException("the key is neither Ed25519 nor P-256");
  }

  private static ApproverKey publicHalf(PrivateKey key) {
    return switch (key) {
      case EdECPrivateKey ed -> {
        var seed = ed.getBytes().orElseThrow(() -> new IllegalArgumentException("the key does not give its bytes"));
        var point = new byte[Ed25519.PUBLIC_KEY_SIZE];
        Ed25519.generatePublicKey(seed, 0, point, 0);
        Arrays.fill(seed, (byte) 0);
        yield new ApproverKey(ApproverKey.Curve.ED25519, Bytes.of(point), null);
      }
      case ECPrivateKey ec -> {
        var curve = CustomNamedCurves.getByName("P-256");
        if (!ec.getParams().getOrder().equals(curve.getN())) {
          throw new IllegalArgumentException("the key is on another curve than P-256");
        }
        var point = new FixedPointCombMultiplier().multiply(curve.getG(), ec.getS()).normalize();
        yield new ApproverKey(ApproverKey.Curve.P256,
            Bytes.of(BigIntegers.asUnsignedByteArray(32, point.getAffineXCoord().toBigInteger())),
            Bytes.of(BigIntegers.asUnsignedByteArray(32, point.getAffineYCoord().toBigInteger())));
      }
      default -> throw new IllegalArgumentException("the key is neither Ed25519 nor P-256");
    };
  }

  /** The key as text, which is a secret. */
  public String pem() {
    var lines = Base64.getMimeEncoder(64, new byte[]{'\n'}).encode(key.getEncoded());
    return HEAD + "\n" + new String(lines, StandardCharsets.US_ASCII) + "\n" + FOOT + "\n";
  }

  /** What is registered. */
  public ApproverKey publicKey() {
    return publicKey;
  }

  /** The signature over a message, as text: base64url without padding. */
  public String sign(byte[] message) {
    try {
      var signer = Signature.getInstance(switch (publicKey.curve()) {
        case ED25519 -> "Ed25519";
        case P256 -> "SHA256withECDSAinP1363Format";
      });
      signer.initSign(key);
      signer.update(message);
      return ApproverKey.base64url(Bytes.of(signer.sign()));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("the platform cannot sign with its own key", e);
    }
  }

  @Override
  public String toString() {
    return "ApproverKeyFile[" + publicKey.thumbprint() + "]";
  }
}
