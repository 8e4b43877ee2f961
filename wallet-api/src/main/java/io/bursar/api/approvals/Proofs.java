package io.bursar.api.approvals;

import org.jspecify.annotations.Nullable;

import io.bursar.api.http.Problem;
import io.bursar.api.http.ProblemCode;
import io.bursar.approval.ApproverKey;
import io.bursar.approval.Proof;
import io.bursar.json.JsonReader;
import io.bursar.permit.Bytes;

/** Reads what shows that an approver has signed: {@code signature}, or a passkey's assertion in {@code passkey}. */
public final class Proofs {
  private static final int SIGNATURE_MAX = 4_096;
  private static final int ASSERTION_MAX = 8_192;

  private Proofs() {}

  /**
   * The proof in a body; null where there is none, or a fault was noted.
   *
   * @throws Problem if it is a passkey's and none are believed here
   */
  public static @Nullable Proof read(JsonReader reader, Passkeys passkeys) {
    var given = reader.text("signature", SIGNATURE_MAX);
    var passkey = reader.object("passkey");
    if (given != null && passkey != null) {
      reader.fault("passkey", "is given instead of `signature`, not beside it");
    }
    return passkey != null
        ? assertion(passkey, passkeys)
        : given != null ? new Proof.OverText(signature(given)) : null;
  }

  /** What is no base64 is no signature either: the empty one, which nobody's is. */
  private static Bytes signature(String given) {
    try {
      return ApproverKey.signature(given);
    } catch (IllegalArgumentException notBase64) {
      return Bytes.of(new byte[0]);
    }
  }

  /** An authenticator's answer, in the names of the Web Authentication API. */
  private static @Nullable Proof assertion(JsonReader reader, Passkeys passkeys) {
    var credentialId = reader.requiredParsed("credentialId", ASSERTION_MAX, ApproverKey::signature);
    var authenticatorData = reader.requiredParsed("authenticatorData", ASSERTION_MAX, ApproverKey::signature);
    var clientData = reader.requiredParsed("clientDataJSON", ASSERTION_MAX, ApproverKey::signature);
    var signature = reader.requiredParsed("signature", ASSERTION_MAX, ApproverKey::signature);
    reader.refuseUnknown();
    if (credentialId == null || authenticatorData == null || clientData == null || signature == null) {
      return null;
    }
    if (!passkeys.areBelieved()) {
      throw Problem.of(ProblemCode.PASSKEYS_NOT_SET_UP, "set `BURSAR_PASSKEY_DOMAIN` for the instance");
    }
    return passkeys.proof(credentialId, authenticatorData, clientData, signature);
  }
}
