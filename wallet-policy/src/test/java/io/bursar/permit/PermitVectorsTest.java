package io.bursar.permit;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;

import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

import io.bursar.money.Address;

/** Every byte of the contract equals the golden vectors, which were computed by other code. */
class PermitVectorsTest {
  private static final Map<String, String> KEYS = new HashMap<>();
  private static final List<Vector> VECTORS = new ArrayList<>();

  private record Vector(Map<String, String> fields) {
    String text(String name) {
      return Objects.requireNonNull(fields.get(name), name);
    }

    UUID uuid(String name) {
      return UUID.fromString(text(name));
    }

    byte[] bytes(String name) {
      return HexFormat.of().parseHex(text(name));
    }

    Address address(String name) {
      return Address.parse(text(name));
    }

    BigInteger integer(String name) {
      return new BigInteger(text(name));
    }

    Instant millis(String name) {
      return Instant.ofEpochMilli(Long.parseLong(text(name)));
    }

    TransferIntent intent() {
      return new TransferIntent(uuid("tenant"), uuid("spend"),
          new TransferIntent.NonceSlot(integer("chain").longValueExact(), uuid("key"),
              integer("nonce").longValueExact()),
          address("from"), new TransferIntent.Transfer(address("token"), address("payee"), integer("amount")),
          new TransferIntent.Gas(integer("gas-limit").longValueExact(), integer("max-fee"),
              integer("max-priority-fee")));
    }

    Permit permit() {
      return new Permit(uuid("permit-id"), uuid("spend"), Digest32.of(bytes("authorization")), intent().hash(),
          millis("issued"), millis("expires"));
    }
  }

  @BeforeAll
  static void readVectors() throws IOException {
    try (var in = Objects.requireNonNull(PermitVectorsTest.class.getResourceAsStream("/permit-vectors.txt"))) {
      var current = KEYS;
      for (var line : new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().toList()) {
        if (line.isBlank() || line.startsWith("#")) {
          continue;
        }
        var parts = line.split(" = ", 2);
        if (parts[0].equals("name")) {
          current = new HashMap<>();
          VECTORS.add(new Vector(current));
        }
        current.put(parts[0], parts[1]);
      }
    }
    assertThat(VECTORS).hasSize(4);
  }

  @Test
  void intentsEncodeToTheGoldenBytesAndBack() {
    for (var vector : VECTORS) {
      assertThat(vector.intent().encode()).as(vector.text("name")).isEqualTo(vector.bytes("intent"))
          .hasSize(TransferIntent.ENCODED_BYTES);
      assertThat(Intent.decode(vector.bytes("intent"))).isEqualTo(vector.intent());
      assertThat(vector.intent().hash().bytes()).isEqualTo(vector.bytes("intent-hash"));
    }
  }

  @Test
  void permitsEncodeToTheGoldenBytesAndBack() {
    for (var vector : VECTORS) {
      assertThat(vector.permit().encode()).as(vector.text("name")).isEqualTo(vector.bytes("permit"))
          .hasSize(Permit.ENCODED_BYTES);
      assertThat(Permit.decode(vector.bytes("permit"))).isEqualTo(vector.permit());
    }
  }

  @Test
  void permitsAreSignedAndVerifiedAsTheOtherLibraryDoes() throws Exception {
    for (var vector : VECTORS) {
      var signed = vector.permit().sign(privateKey());
      assertThat(signed.signature().toByteArray()).as(vector.text("name")).isEqualTo(vector.bytes("signature"));
      assertThat(signed.isSignedBy(publicKey())).isTrue();
      assertThat(signed.permit()).isEqualTo(vector.permit());
    }
  }

  @Test
  void framesAreTheGoldenBytes() throws Exception {
    for (var vector : VECTORS) {
      var intent = Bytes.of(vector.bytes("intent"));
      assertRequest(vector, "sign-frame", new SignerRequest.Sign(vector.permit().sign(privateKey()), intent));
      assertRequest(vector, "create-key-frame", new SignerRequest.CreateKey(vector.uuid("tenant"), vector.uuid("key")));
      assertReply(vector, "key-created-frame",
          new SignerReply.KeyCreated(vector.uuid("key"), vector.address("from")));
      assertReply(vector, "signed-frame", new SignerReply.Signed(
          Bytes.of(Arrays.copyOf(vector.bytes("intent"), 50)), Digest32.of(vector.bytes("intent-hash"))));
      assertReply(vector, "refused-frame",
          new SignerReply.Refused(SignerRefusal.NONCE_CONFLICT, "nonce `" + vector.text("nonce") + "`"));
      assertReply(vector, "healthy-frame",
          new SignerReply.Healthy("0.1.0", "libsecp256k1", List.of("a=b", "caf\u00e9")));
    }
  }

  private static void assertRequest(Vector vector, String field, SignerRequest request) {
    assertThat(SignerFrame.encode(request).array()).as(vector.text("name")).isEqualTo(vector.bytes(field));
    var payload = Arrays.copyOfRange(vector.bytes(field), SignerFrame.HEADER_BYTES, vector.bytes(field).length);
    assertThat(SignerFrame.decodeRequest(payload)).isEqualTo(request);
  }

  private static void assertReply(Vector vector, String field, SignerReply reply) {
    assertThat(SignerFrame.encode(reply).array()).as(vector.text("name")).isEqualTo(vector.bytes(field));
    var payload = Arrays.copyOfRange(vector.bytes(field), SignerFrame.HEADER_BYTES, vector.bytes(field).length);
    assertThat(SignerFrame.decodeReply(payload)).isEqualTo(reply);
  }

  private static PrivateKey privateKey() throws Exception {
    var der = HexFormat.of().parseHex(Objects.requireNonNull(KEYS.get("permit-key-pkcs8")));
    return KeyFactory.getInstance("Ed25519").generatePrivate(new PKCS8EncodedKeySpec(der));
  }

  private static PublicKey publicKey() throws Exception {
    var der = HexFormat.of().parseHex(Objects.requireNonNull(KEYS.get("permit-key-spki")));
    return KeyFactory.getInstance("Ed25519").generatePublic(new X509EncodedKeySpec(der));
  }
}
