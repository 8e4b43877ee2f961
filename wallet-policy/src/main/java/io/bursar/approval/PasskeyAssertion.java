package io.bursar.approval;

import java.util.Arrays;
import java.util.Optional;
import java.util.regex.Pattern;

import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.permit.Bytes;
import io.bursar.permit.Digest32;

/**
 * The answer of an authenticator to the hash of a text, checked by nothing but the platform's own means: for whoever wants no
 * library between himself and the signature.
 *
 * @param authenticatorData hash of the domain (32), flags (1), counter (4), and whatever follows
 * @param clientData what the browser says of the request, JSON
 * @param signature by the passkey's key on P-256
 * @see <a href="https://www.w3.org/TR/webauthn-3/#sctn-verifying-assertion">Web Authentication, verifying an assertion</a>
 */
public record PasskeyAssertion(Bytes authenticatorData, Bytes clientData, Bytes signature) {
  private static final int FLAGS_AT = 32;
  private static final int LEAST_BYTES = 37;
  private static final int USER_PRESENT = 0x01;
  private static final int USER_VERIFIED = 0x04;
  private static final Pattern ORIGIN = Pattern
      .compile("https://([a-z0-9.-]{1,253})(:[0-9]{1,5})?|http://(localhost)(:[0-9]{1,5})?");

  /**
   * Whether the passkey's user, verified by the authenticator, has signed exactly this text.
   *
   * @param key on P-256
   * @param domain that the passkey was made for; empty where nobody has said so, and any page will do
   */
  public boolean proves(Signable text, ApproverKey key, Optional<String> domain) {
    var data = authenticatorData.toByteArray();
    var client = clientData.toByteArray();
    if (key.curve() != ApproverKey.Curve.P256 || data.length < LEAST_BYTES
        || (data[FLAGS_AT] & USER_PRESENT) == 0 || (data[FLAGS_AT] & USER_VERIFIED) == 0
        || !asks(client, text, domain) || !domain.map(name -> isFor(data, name)).orElse(true)) {
      return false;
    }
    var hash = Digest32.sha256(client).bytes();
    var signed = Arrays.copyOf(data, data.length + hash.length);
    System.arraycopy(hash, 0, signed, data.length, hash.length);
    return key.verifies(signed, signature);
  }

  private static boolean isFor(byte[] data, String domain) {
    var hash = Digest32.sha256(domain.getBytes(java.nio.charset.StandardCharsets.UTF_8)).bytes();
    return Arrays.equals(Arrays.copyOf(data, FLAGS_AT), hash);
  }

  /** Whether a page of the domain itself asked for a signature over this text. */
  private static boolean asks(byte[] client, Signable text, Optional<String> domain) {
    try {
      return JsonText.parse(client) instanceof Json.Obj said && says(said, "type", "webauthn.get")
          && says(said, "challenge", ApproverKey.base64url(Bytes.of(text.hash().bytes())))
          && !new Json.Bool(true).equals(said.get("crossOrigin"))
          && said.get("origin") instanceof Json.Str(var origin)
          && domain.map(name -> isOn(origin, name)).orElse(true);
    } catch (JsonText.Malformed notJson) {
      return false;
    }
  }

  private static boolean isOn(String origin, String domain) {
    var page = ORIGIN.matcher(origin);
    if (!page.matches()) {
      return false;
    }
    var host = page.group(1) == null ? page.group(3) : page.group(1);
    return host.equals(domain) || host.endsWith("." + domain);
  }

  private static boolean says(Json.Obj said, String name, String value) {
    return said.get(name) instanceof Json.Str(var text) && text.equals(value);
  }
}
