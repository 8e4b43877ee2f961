package io.bursar.api.testing;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.Signature;
import java.security.spec.ECGenParameterSpec;

import io.bursar.approval.ApproverKey;
import io.bursar.permit.Bytes;
import io.bursar.permit.Digest32;

/**
 * A software authenticator with one passkey on P-256, written from the specification and not from the library that verifies it.
 *
 * @see <a href="https://www.w3.org/TR/webauthn-3/#sctn-op-get-assertion">Web Authentication, authenticatorGetAssertion</a>
 */
public final class Authenticator {
  private static final int USER_PRESENT = 0x01;
  private static final int USER_VERIFIED = 0x04;
  private static final int BACKUP_ELIGIBLE = 0x08;
  private static final int BACKED_UP = 0x10;

  private final KeyPair pair;
  public final Bytes credentialId = Bytes.of(new byte[]{1, 2, 3, 4, 5, 6, 7, 8});
  public String relyingParty;
  public String origin;
  public String type = "webauthn.get";
  public boolean userVerified = true;
  /** Whether it is kept in an account and shared between devices. */
  public boolean synced;
  public int counter;

  /** With a new passkey for a domain, used on its own page. */
  public Authenticator(String relyingParty, String origin) {
    this.relyingParty = relyingParty;
    this.origin = origin;
    try {
      var generator = KeyPairGenerator.getInstance("EC");
      generator.initialize(new ECGenParameterSpec("secp256r1"));
      pair = generator.generateKeyPair();
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  /** What {@code navigator.credentials.get} gives. */
  public record Assertion(Bytes credentialId, Bytes authenticatorData, Bytes clientDataJson, Bytes signature) {}

  public ApproverKey publicKey() {
    return ApproverKey.of(pair.getPublic());
  }

  /** The public key as COSE_Key: a map of kty EC2, alg ES256, crv P-256, x and y (RFC 9053). */
  public Bytes coseKey() {
    var key = publicKey();
    return Bytes.of(ByteBuffer.allocate(77).put(new byte[]{(byte) 0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32})
        .put(key.x().toByteArray()).put(new byte[]{0x22, 0x58, 32})
        .put(java.util.Objects.requireNonNull(key.y()).toByteArray()).array());
  }

  /** Answers a challenge. */
  public Assertion answer(byte[] challenge) {
    var data = ByteBuffer.allocate(37)
        .put(Digest32.sha256(relyingParty.getBytes(StandardCharsets.UTF_8)).bytes())
        .put((byte) (USER_PRESENT | (userVerified ? USER_VERIFIED : 0)
            | (synced ? BACKUP_ELIGIBLE | BACKED_UP : 0)))
        .putInt(counter).array();
    var client = """
        {"type":"%s","challenge":"%s","origin":"%s","crossOrigin":false}"""
        .formatted(type, ApproverKey.base64url(Bytes.of(challenge)), origin).getBytes(StandardCharsets.UTF_8);
    try {
      var signer = Signature.getInstance("SHA256withECDSA");
      signer.initSign(pair.getPrivate());
      signer.update(data);
      signer.update(Digest32.sha256(client).bytes());
      return new Assertion(credentialId, Bytes.of(data), Bytes.of(client), Bytes.of(signer.sign()));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }
}
