package io.bursar.signer;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

import javax.crypto.AEADBadTagException;

import org.bouncycastle.crypto.CryptoException;
import org.bouncycastle.crypto.RuntimeCryptoException;
import org.bouncycastle.crypto.Wrapper;
import org.bouncycastle.crypto.engines.AESEngine;
import org.bouncycastle.crypto.engines.RFC3394WrapEngine;
import org.bouncycastle.crypto.engines.RFC5649WrapEngine;
import org.bouncycastle.crypto.params.KeyParameter;
import org.bouncycastle.crypto.signers.StandardDSAEncoding;
import org.bouncycastle.math.ec.rfc8032.Ed25519;
import org.junit.jupiter.api.Test;

import io.bursar.money.Address;
import io.bursar.permit.Digest32;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Project Wycheproof's cases for what the signer encrypts, wraps, verifies and signs with, in the very calls that it makes.
 * The files are unmodified; {@code wycheproof/SOURCE.json} names their origin and licence (Apache-2.0).
 */
class WycheproofTest {
  @Test
  void aesGcm() throws IOException {
    assertThat(play("aes_gcm_test", (group, test) -> {
      var nonce = hex(test, "iv");
      var sealed = join(hex(test, "ct"), hex(test, "tag"));
      try (var arena = Arena.ofConfined()) {
        var plain = arena.allocate(sealed.length - OffHeapGcm.TAG_BYTES);
        OffHeapGcm.open(hex(test, "key"), nonce, hex(test, "aad"), sealed, plain);
        var same = Arrays.equals(plain.toArray(ValueLayout.JAVA_BYTE), hex(test, "msg"));
        return same && Arrays.equals(OffHeapGcm.seal(hex(test, "key"), nonce, hex(test, "aad"), plain), sealed);
      } catch (AEADBadTagException refused) {
        return false;
      } catch (IllegalArgumentException refused) {
        assertThat(nonce.length).as("only nonces of another length are refused").isNotEqualTo(OffHeapGcm.NONCE_BYTES);
        return text(test, "result").equals("valid"); // NIST allows them, the signer has none
      }
    })).isEqualTo(316);
  }

  @Test
  void aesKeyWrap() throws IOException {
    assertThat(play("aes_wrap_test", (group, test) -> unwraps(new RFC3394WrapEngine(AESEngine.newInstance()), test)))
        .isEqualTo(165);
  }

  @Test
  void aesKeyWrapWithPadding() throws IOException {
    assertThat(play("aes_kwp_test", (group, test) -> unwraps(new RFC5649WrapEngine(AESEngine.newInstance()), test)))
        .isEqualTo(254);
  }

  @Test
  void ed25519() throws IOException {
    assertThat(play("ed25519_test", (group, test) -> {
      var signature = hex(test, "sig");
      var message = hex(test, "msg");
      return signature.length == Ed25519.SIGNATURE_SIZE && Ed25519.verify(signature, 0,
          hex(group.path("publicKey"), "pk"), 0, message, 0, message.length);
    })).isEqualTo(151);
  }

  @Test
  void secp256k1() throws IOException {
    try (var fast = Fixtures.nativeCurve(); var plain = new BouncyCastleSecp256k1()) {
      for (var curve : List.of(fast, plain)) {
        assertThat(play("ecdsa_secp256k1_sha256_bitcoin_test", (group, test) -> verifies(curve, group, test)))
            .as(curve.name()).isEqualTo(463);
      }
    }
  }

  /** Whether an address can be recovered that is the key's, as the signer checks what it signed. */
  private static boolean verifies(Secp256k1 curve, JsonNode group, JsonNode test) {
    var point = hex(group.path("publicKey"), "uncompressed");
    var owner = Optional.of(Address.ofPublicKey(Arrays.copyOfRange(point, 1, point.length)));
    BigInteger[] numbers;
    try {
      numbers = StandardDSAEncoding.INSTANCE.decode(Secp256k1.N, hex(test, "sig"));
    } catch (IOException | RuntimeException malformed) {
      return false;
    }
    if (numbers[1].compareTo(Secp256k1.HALF_N) > 0) {
      return false; // EIP-2
    }
    var digest = Digest32.sha256(hex(test, "msg")).bytes();
    boolean found = false;
    for (int recoveryId = 0; recoveryId < 4; recoveryId++) {
      found |= curve.recover(digest, new Secp256k1.Signature(numbers[0], numbers[1], recoveryId)).equals(owner);
    }
    return found;
  }

  private static boolean unwraps(Wrapper engine, JsonNode test) {
    var wrapped = hex(test, "ct");
    engine.init(false, new KeyParameter(hex(test, "key")));
    byte[] opened;
    try {
      opened = engine.unwrap(wrapped, 0, wrapped.length);
    } catch (CryptoException | RuntimeCryptoException refused) {
      return false;
    }
    engine.init(true, new KeyParameter(hex(test, "key")));
    return Arrays.equals(opened, hex(test, "msg"))
        && Arrays.equals(engine.wrap(opened, 0, opened.length), wrapped);
  }

  private interface Check {
    boolean accepts(JsonNode group, JsonNode test);
  }

  /** Plays every case of a file, and gives their number if each went as the file says. */
  private static int play(String name, Check check) throws IOException {
    JsonNode file;
    try (var in = Objects.requireNonNull(WycheproofTest.class.getResourceAsStream("/wycheproof/" + name + ".json"))) {
      file = JsonMapper.shared().readTree(in);
    }
    var wrong = new ArrayList<String>();
    int played = 0;
    for (var group : file.path("testGroups")) {
      for (var test : group.path("tests")) {
        played++;
        var expected = text(test, "result");
        if (!expected.equals("acceptable") && check.accepts(group, test) != expected.equals("valid")) {
          wrong.add(name + " " + test.path("tcId") + " is " + expected + ": " + text(test, "comment"));
        }
      }
    }
    assertThat(wrong).isEmpty();
    return played;
  }

  private static String text(JsonNode node, String name) {
    return node.path(name).asString();
  }

  private static byte[] hex(JsonNode node, String name) {
    return HexFormat.of().parseHex(text(node, name));
  }

  private static byte[] join(byte[] first, byte[] second) {
    var joined = Arrays.copyOf(first, first.length + second.length);
    System.arraycopy(second, 0, joined, first.length, second.length);
    return joined;
  }
}
