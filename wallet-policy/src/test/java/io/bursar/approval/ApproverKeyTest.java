package io.bursar.approval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.Signature;
import java.security.spec.ECGenParameterSpec;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Objects;

import org.junit.jupiter.api.Test;

import io.bursar.json.JsonReader;
import io.bursar.json.JsonText;
import io.bursar.permit.Bytes;

class ApproverKeyTest {
  /** The public key of RFC 8037, appendix A.2, and its thumbprint, A.3. */
  private static final String RFC_8037 = """
      {"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}""";
  /** The public key of RFC 7517, appendix A.1. */
  private static final String RFC_7517 = """
      {"crv":"P-256","kty":"EC","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",\
      "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}""";
  private static final byte[] MESSAGE = "a message".getBytes(StandardCharsets.UTF_8);

  private static List<String> faults(String jwk) {
    try {
      var faults = new ArrayList<JsonReader.Fault>();
      var key = ApproverKey.read(JsonReader.of(JsonText.parse(jwk.getBytes(StandardCharsets.UTF_8)), "", faults));
      assertThat(key == null).isEqualTo(!faults.isEmpty());
      return faults.stream().map(JsonReader.Fault::pointer).toList();
    } catch (JsonText.Malformed e) {
      throw new AssertionError(jwk, e);
    }
  }

  @Test
  void readsTheKeysOfTheStandards() {
    assertThat(ApproverKey.parse(RFC_8037).thumbprint()).isEqualTo("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    assertThat(ApproverKey.parse(RFC_8037).jwk()).isEqualTo(RFC_8037);
    assertThat(ApproverKey.parse(RFC_7517).jwk()).isEqualTo(RFC_7517);
    assertThat(faults(RFC_7517.replace("{", "{\"kid\": \"1\", \"use\": \"sig\", \"alg\": \"ES256\", "))).isEmpty();
  }

  @Test
  void refusesKeysThatNobodyShouldBelieve() {
    assertThat(faults(RFC_7517.replace("4Etl", "4Etm"))).containsExactly("/x"); // off the curve
    var order = Base64.getUrlEncoder().withoutPadding();
    var identity = new byte[32];
    identity[0] = 1;
    // Points of small order: under them a signature that nobody made is valid for many messages.
    assertThat(faults(RFC_8037.replaceAll("\"x\":\"[^\"]*\"", "\"x\":\"" + order.encodeToString(identity) + "\"")))
        .containsExactly("/x");
    assertThat(faults(RFC_8037.replaceAll("\"x\":\"[^\"]*\"", "\"x\":\"" + "A".repeat(43) + "\"")))
        .containsExactly("/x");
    assertThat(faults(RFC_8037.replace("Ed25519", "Ed448"))).containsExactly("/crv");
    assertThat(faults(RFC_8037.replace("OKP", "EC"))).containsExactly("/kty");
    assertThat(faults(RFC_8037.replace("{", "{\"d\":\"x\","))).containsExactly("/d");
    assertThat(faults(RFC_8037.replace("{", "{\"y\":\"x\","))).containsExactly("/y");
    assertThat(faults(RFC_8037.replace("HURo", "HURo="))).containsExactly("/x");
    assertThat(faults(RFC_8037.replace("HURo", "HURp"))).containsExactly("/x"); // bits beyond the 32 bytes
    assertThatThrownBy(() -> ApproverKey.parse(RFC_8037.replace(",", ", ")))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void believesExactlyWhatThePlatformSigned() throws GeneralSecurityException {
    var ed = KeyPairGenerator.getInstance("Ed25519").generateKeyPair();
    var edKey = ApproverKey.of(ed.getPublic());
    holds(edKey, sign("Ed25519", ed));
    var generator = KeyPairGenerator.getInstance("EC");
    generator.initialize(new ECGenParameterSpec("secp256r1"));
    var ec = generator.generateKeyPair();
    var ecKey = ApproverKey.of(ec.getPublic());
    holds(ecKey, sign("SHA256withECDSA", ec));
    holds(ecKey, sign("SHA256withECDSAinP1363Format", ec));
    assertThat(ecKey.verifies(MESSAGE, sign("Ed25519", ed))).isFalse();
    assertThat(edKey.verifies(MESSAGE, sign("SHA256withECDSAinP1363Format", ec))).isFalse();
  }

  private static void holds(ApproverKey key, Bytes signature) {
    assertThat(key.verifies(MESSAGE, signature)).isTrue();
    assertThat(key.verifies("another message".getBytes(StandardCharsets.UTF_8), signature)).isFalse();
    for (int i = 0; i < signature.size(); i++) {
      var flipped = signature.toByteArray();
      flipped[i] ^= 4;
      assertThat(key.verifies(MESSAGE, Bytes.of(flipped))).as("byte %d", i).isFalse();
    }
    assertThat(key.verifies(MESSAGE, Bytes.of(new byte[64]))).isFalse();
    assertThat(key.verifies(MESSAGE, Bytes.of(new byte[0]))).isFalse();
    assertThat(key.verifies(MESSAGE, Bytes.of(Arrays.copyOf(signature.toByteArray(), signature.size() + 1))))
        .isFalse();
  }

  private static Bytes sign(String algorithm, KeyPair pair) throws GeneralSecurityException {
    var signer = Signature.getInstance(algorithm);
    signer.initSign(pair.getPrivate());
    signer.update(MESSAGE);
    return Bytes.of(signer.sign());
  }

  @Test
  void readsSignaturesAsBase64urlAndBase64() {
    var bytes = Bytes.of(new byte[]{(byte) 0xfb, (byte) 0xff, 0});
    assertThat(ApproverKey.signature("-_8A")).isEqualTo(bytes);
    assertThat(ApproverKey.signature("+/8A")).isEqualTo(bytes);
    assertThat(ApproverKey.signature("c2ln")).isEqualTo(ApproverKey.signature("c2ln"));
    assertThatThrownBy(() -> ApproverKey.signature("not base64!")).isInstanceOf(IllegalArgumentException.class);
    assertThat(Objects.requireNonNull(ApproverKey.signature("eA==")).size()).isEqualTo(1);
  }
}
