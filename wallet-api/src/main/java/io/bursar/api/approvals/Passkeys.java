package io.bursar.api.approvals;

import java.math.BigInteger;
import java.security.AlgorithmParameters;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.interfaces.ECPublicKey;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.ECParameterSpec;
import java.security.spec.ECPoint;
import java.security.spec.ECPublicKeySpec;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

import org.jspecify.annotations.Nullable;

import com.webauthn4j.WebAuthnManager;
import com.webauthn4j.converter.util.ObjectConverter;
import com.webauthn4j.credential.CredentialRecordImpl;
import com.webauthn4j.data.AuthenticationParameters;
import com.webauthn4j.data.AuthenticationRequest;
import com.webauthn4j.data.attestation.authenticator.AAGUID;
import com.webauthn4j.data.attestation.authenticator.AttestedCredentialData;
import com.webauthn4j.data.attestation.authenticator.COSEKey;
import com.webauthn4j.data.attestation.authenticator.EC2COSEKey;
import com.webauthn4j.data.attestation.statement.COSEAlgorithmIdentifier;
import com.webauthn4j.data.client.Origin;
import com.webauthn4j.data.client.challenge.DefaultChallenge;
import com.webauthn4j.server.ServerProperty;
import com.webauthn4j.verifier.exception.MaliciousCounterValueException;

import io.bursar.approval.ApproverKey;
import io.bursar.approval.Proof;
import io.bursar.approval.Signable;
import io.bursar.json.Json;
import io.bursar.permit.Bytes;

/**
 * Passkeys: the assertion of an authenticator on P-256, whose challenge is the SHA-256 of an approval text, given by a user whom the
 * authenticator has verified, on one of our own pages.
 *
 * @see <a href="https://www.w3.org/TR/webauthn-3/#sctn-verifying-assertion">Web Authentication, verifying an assertion</a>
 */
public final class Passkeys {
  /** The most bytes of a credential's identifier (Web Authentication, section 4). */
  public static final int CREDENTIAL_ID_MAX = 1023;

  private static final boolean USER_VERIFIED = true;

  /**
   * Whose assertions are believed.
   *
   * @param relyingParty the domain that passkeys are made for, such as {@code bursar.example.com}
   * @param origins the pages that may ask for an assertion, such as {@code https://bursar.example.com}
   */
  public record Settings(String relyingParty, Set<String> origins) {}

  private final Optional<Settings> settings;
  private final WebAuthnManager manager;
  private final ObjectConverter converter;

  /**
   * Verifies by these settings.
   *
   * @param settings none where passkeys are not believed at all
   */
  public Passkeys(Optional<Settings> settings) {
    this.settings = settings;
    this.converter = new ObjectConverter();
    this.manager = WebAuthnManager.createNonStrictWebAuthnManager(converter);
  }

  /** Whether passkeys are believed here. */
  public boolean areBelieved() {
    return settings.isPresent();
  }

  /**
   * Reads the key of a passkey as authenticators write it (COSE_Key, RFC 9052).
   *
   * @throws IllegalArgumentException with a message for the client if it is no key on P-256
   */
  public ApproverKey readCose(byte[] cose) {
    try {
      var key = converter.getCborMapper().readValue(cose, COSEKey.class);
      if (key instanceof EC2COSEKey ec && COSEAlgorithmIdentifier.ES256.equals(ec.getAlgorithm())
          && ec.getPublicKey() instanceof ECPublicKey publicKey) {
        return ApproverKey.of(publicKey);
      }
    } catch (RuntimeException malformed) {
      // Whatever the reader throws is said below.
    }
    throw new IllegalArgumentException("is not a COSE key of ES256 on P-256");
  }

  /** What an authenticator answered to a challenge. */
  public Proof proof(Bytes credentialId, Bytes authenticatorData, Bytes clientDataJson, Bytes signature) {
    return new Assertion(this, credentialId, authenticatorData, clientDataJson, signature);
  }

  private record Assertion(Passkeys passkeys, Bytes credentialId, Bytes authenticatorData, Bytes clientDataJson,
      Bytes signature) implements Proof {
    /** Authenticator data: 32 bytes hash of the relying party, 1 of flags, then 4 of the counter. */
    private static final int COUNTER_AT = 33;

    @Override
    public Worth worth(Signable text, Registered registered) {
      var passkey = registered.passkey();
      return passkey == null || !passkey.credentialId().equals(credentialId)
          ? Worth.NOTHING
          : passkeys.worth(this, text, registered.key(), passkey);
    }

    @Override
    public Json.@Nullable Obj assertion() {
      return Json.object().put("credentialId", ApproverKey.base64url(credentialId))
          .put("authenticatorData", ApproverKey.base64url(authenticatorData))
          .put("clientDataJSON", ApproverKey.base64url(clientDataJson)).build();
    }

    @Override
    public long signCount() {
      return new BigInteger(1, authenticatorData.toByteArray(), COUNTER_AT, Integer.BYTES).longValueExact();
    }
  }

  private Proof.Worth worth(Assertion assertion, Signable text, ApproverKey key, Proof.Passkey passkey) {
    if (settings.isEmpty()) {
      return Proof.Worth.NOTHING;
    }
    var id = passkey.credentialId().toByteArray();
    var data = new AttestedCredentialData(AAGUID.ZERO, id,
        EC2COSEKey.create(platform(key), COSEAlgorithmIdentifier.ES256));
    // What a registration would have said of the authenticator is not known, and nothing is made to depend on it.
    var credential = new CredentialRecordImpl(null, null, null, null, passkey.signCount(), data, null, null, null,
        null);
    var server = ServerProperty.builder()
        .origins(settings.get().origins().stream().map(Origin::create).collect(Collectors.toSet()))
        .rpId(settings.get().relyingParty()).challenge(new DefaultChallenge(text.hash().bytes())).build();
    try {
      var _ = manager.verify(
          new AuthenticationRequest(assertion.credentialId.toByteArray(), assertion.authenticatorData.toByteArray(),
              assertion.clientDataJson.toByteArray(), assertion.signature.toByteArray()),
          new AuthenticationParameters(server, credential, List.of(id), USER_VERIFIED));
      return Proof.Worth.PROVEN;
    } catch (MaliciousCounterValueException copied) {
      return Proof.Worth.COUNTER_BEHIND;
    } catch (RuntimeException refused) {
      return Proof.Worth.NOTHING; // malformed or not to be believed: whatever the reader throws, it proves nothing
    }
  }

  private static ECPublicKey platform(ApproverKey key) {
    try {
      var parameters = AlgorithmParameters.getInstance("EC");
      parameters.init(new ECGenParameterSpec("secp256r1"));
      var point = new ECPoint(new BigInteger(1, key.x().toByteArray()),
          new BigInteger(1, Objects.requireNonNull(key.y()).toByteArray()));
      return (ECPublicKey) KeyFactory.getInstance("EC")
          .generatePublic(new ECPublicKeySpec(point, parameters.getParameterSpec(ECParameterSpec.class)));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every Java platform has P-256", e);
    }
  }
}
