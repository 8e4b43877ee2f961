package io.bursar.approval;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.PublicKey;
import java.security.interfaces.ECPublicKey;
import java.security.interfaces.EdECPublicKey;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.regex.Pattern;

import org.bouncycastle.asn1.x9.X9ECParameters;
import org.bouncycastle.crypto.ec.CustomNamedCurves;
import org.bouncycastle.crypto.params.ECDomainParameters;
import org.bouncycastle.crypto.params.ECPublicKeyParameters;
import org.bouncycastle.crypto.signers.ECDSASigner;
import org.bouncycastle.crypto.signers.StandardDSAEncoding;
import org.bouncycastle.math.ec.rfc8032.Ed25519;
import org.bouncycastle.util.BigIntegers;
import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.json.JsonReader;
import io.bursar.json.JsonText;
import io.bursar.permit.Bytes;
import io.bursar.permit.Digest32;

/**
 * The public key of an approver, or of a program that signs its requests: a point that was checked to be on its curve (and, for Ed25519, of the large prime order),
 * so that no key verifies what nobody signed.
 *
 * @param x the encoded point of Ed25519 (RFC 8032), or the first coordinate on P-256, 32 bytes
 * @param y the second coordinate on P-256, 32 bytes; absent for Ed25519
 * @see <a href="https://www.rfc-editor.org/rfc/rfc7517">RFC 7517, JSON Web Key</a>
 * @see <a href="https://www.rfc-editor.org/rfc/rfc8037">RFC 8037, Ed25519 as a JSON Web Key</a>
 */
public record ApproverKey(Curve curve, Bytes x, @Nullable Bytes y) {
  /** The curves that approvers sign with. */
  public enum Curve {
    /** EdDSA over Ed25519: the signature is the 64 bytes of RFC 8032. */
    ED25519("Ed25519", "OKP"),
    /** ECDSA over P-256 with SHA-256: the signature is r and s, 32 bytes each, or the same in DER. */
    P256("P-256", "EC");

    private final String crv;
    private final String kty;

    Curve(String crv, String kty) {
      this.crv = crv;
      this.kty = kty;
    }

    /** The name of the curve in a JSON Web Key. */
    public String crv() {
      return crv;
    }
  }

  private static final int COORDINATE_BYTES = 32;
  private static final int SIGNATURE_BYTES = 64;
  private static final Pattern COORDINATE = Pattern.compile("[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]");
  private static final X9ECParameters P256 = CustomNamedCurves.getByName("P-256");
  private static final ECDomainParameters P256_DOMAIN = new ECDomainParameters(P256);

  /** @throws IllegalArgumentException if the point is none of the curve's */
  public ApproverKey {
    if (x.size() != COORDINATE_BYTES || (y == null) != (curve == Curve.ED25519)
        || (y != null && y.size() != COORDINATE_BYTES)) {
      throw new IllegalArgumentException("a coordinate has 32 bytes");
    }
    if (y == null ? !Ed25519.validatePublicKeyFull(x.toByteArray(), 0) : !isOnP256(x, y)) {
      throw new IllegalArgumentException("is not a point of " + curve.crv + " that a key can have");
    }
  }

  /**
   * The key as the Java platform has it.
   *
   * @throws IllegalArgumentException if it is neither an Ed25519 nor a P-256 key
   */
  public static ApproverKey of(PublicKey key) {
    return switch (key) {
      case EdECPublicKey ed -> {
        var spki = ed.getEncoded(); // RFC 8410: the point is the last field
        yield new ApproverKey(Curve.ED25519,
            Bytes.of(Arrays.copyOfRange(spki, spki.length - COORDINATE_BYTES, spki.length)), null);
      }
      case ECPublicKey ec ->
        new ApproverKey(Curve.P256, coordinate(ec.getW().getAffineX()), coordinate(ec.getW().getAffineY()));
      default -> throw new IllegalArgumentException("must be an Ed25519 or P-256 key, not " + key.getAlgorithm());
    };
  }

  private static Bytes coordinate(BigInteger value) {
    return Bytes.of(BigIntegers.asUnsignedByteArray(COORDINATE_BYTES, value));
  }

  private static boolean isOnP256(Bytes x, Bytes y) {
    try {
      return !P256.getCurve().validatePoint(unsigned(x), unsigned(y)).isInfinity();
    } catch (IllegalArgumentException offTheCurve) {
      return false;
    }
  }

  /**
   * Reads a JSON Web Key; every fault is noted. {@code kid}, {@code use} and {@code alg} may be there and are not kept.
   *
   * @return null where a fault was noted
   */
  public static @Nullable ApproverKey read(JsonReader key) {
    int faultsBefore = key.faults().size();
    var kty = key.requiredText("kty", 8);
    var curve = key.requiredParsed("crv", 16, ApproverKey::curve);
    if (kty != null && curve != null && !kty.equals(curve.kty)) {
      key.fault("kty", "must be `OKP` for Ed25519 and `EC` for P-256");
    }
    var x = curve == null ? null : key.requiredParsed("x", 64, ApproverKey::coordinate);
    var y = curve == Curve.P256 ? key.requiredParsed("y", 64, ApproverKey::coordinate) : null;
    if (key.has("d")) {
      key.fault("d", "is a private key: it must never leave its owner");
    }
    for (var more : new String[]{"kid", "use", "alg"}) {
      key.text(more, 128);
    }
    if (curve != null) {
      key.refuseUnknown();
    }
    if (curve == null || x == null || key.faults().size() > faultsBefore) {
      return null;
    }
    try {
      return new ApproverKey(curve, x, y);
    } catch (IllegalArgumentException noPoint) {
      key.fault("x", String.valueOf(noPoint.getMessage()));
      return null;
    }
  }

  private static Curve curve(String crv) {
    for (var curve : Curve.values()) {
      if (curve.crv.equals(crv)) {
        return curve;
      }
    }
    throw new IllegalArgumentException("must be `Ed25519` or `P-256`");
  }

  private static Bytes coordinate(String text) {
    if (!COORDINATE.matcher(text).matches()) {
      throw new IllegalArgumentException("must be 32 bytes in base64url without padding");
    }
    return Bytes.of(Base64.getUrlDecoder().decode(text));
  }

  /**
   * Reads back what {@link #jwk} wrote.
   *
   * @throws IllegalArgumentException for anything else
   */
  public static ApproverKey parse(String jwk) {
    try {
      var faults = new ArrayList<JsonReader.Fault>();
      var key = read(JsonReader.of(JsonText.parse(jwk.getBytes(StandardCharsets.UTF_8)), "", faults));
      if (key == null || !key.jwk().equals(jwk)) {
        throw new IllegalArgumentException("the key is not a canonical JSON Web Key of Ed25519 or P-256");
      }
      return key;
    } catch (JsonText.Malformed e) {
      throw new IllegalArgumentException("the key is not JSON", e);
    }
  }

  /** The required members of the JSON Web Key and no others. */
  public Json.Obj toJson() {
    return Json.object().put("crv", curve.crv).put("kty", curve.kty).put("x", base64url(x))
        .put("y", y == null ? null : base64url(y)).build();
  }

  /** The key as canonical JSON (RFC 8785), which has one form for each key. */
  public String jwk() {
    return new String(JsonText.canonical(toJson()), StandardCharsets.UTF_8);
  }

  /** Names the key: SHA-256 of {@link #jwk} in base64url, 43 characters (RFC 7638). */
  public String thumbprint() {
    return base64url(Bytes.of(Digest32.sha256(jwk().getBytes(StandardCharsets.UTF_8)).bytes()));
  }

  /** Whether a signature is this key's over exactly these bytes. Any malformed signature is not. */
  public boolean verifies(byte[] message, Bytes signature) {
    var bytes = signature.toByteArray();
    if (y == null) {
      return bytes.length == SIGNATURE_BYTES
          && Ed25519.verify(bytes, 0, x.toByteArray(), 0, message, 0, message.length);
    }
    var rs = fromDer(bytes);
    if (rs == null) {
      return false;
    }
    var ecdsa = new ECDSASigner();
    ecdsa.init(false,
        new ECPublicKeyParameters(P256.getCurve().createPoint(unsigned(x), unsigned(y)), P256_DOMAIN));
    return ecdsa.verifySignature(Digest32.sha256(message).bytes(), rs[0], rs[1]);
  }

  /** r and s: from 64 bytes as they are, from any other number of bytes as strict DER; null where they are neither. */
  private static BigInteger @Nullable [] fromDer(byte[] bytes) {
    if (bytes.length == SIGNATURE_BYTES) {
      return new BigInteger[]{new BigInteger(1, bytes, 0, COORDINATE_BYTES),
          new BigInteger(1, bytes, COORDINATE_BYTES, COORDINATE_BYTES)};
    }
    try {
      return StandardDSAEncoding.INSTANCE.decode(P256.getN(), bytes);
    } catch (IOException | RuntimeException malformed) {
      return null; // the reader casts what it has read: whatever it throws, it is no signature
    }
  }

  /**
   * Reads a signature as text: base64url without padding, or base64 as openssl writes it.
   *
   * @throws IllegalArgumentException with a message for the client if it is neither
   */
  public static Bytes signature(String text) {
    try {
      boolean url = text.indexOf('+') < 0 && text.indexOf('/') < 0 && text.indexOf('=') < 0;
      return Bytes.of((url ? Base64.getUrlDecoder() : Base64.getDecoder()).decode(text));
    } catch (IllegalArgumentException notBase64) {
      throw new IllegalArgumentException("must be base64url or base64", notBase64);
    }
  }

  /** Bytes as base64url without padding. */
  public static String base64url(Bytes bytes) {
    return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes.toByteArray());
  }

  private static BigInteger unsigned(Bytes bytes) {
    return new BigInteger(1, bytes.toByteArray());
  }
}
