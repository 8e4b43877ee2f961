package io.bursar.signer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.fail;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.stream.IntStream;

import org.bouncycastle.util.BigIntegers;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.web3j.crypto.ECKeyPair;
import org.web3j.crypto.Sign;

import io.bursar.money.Address;
import io.bursar.permit.Digest32;

class Secp256k1Test {
  private static final Secp256k1 PLAIN = new BouncyCastleSecp256k1();
  private static Secp256k1 fast = PLAIN;

  @BeforeAll
  static void load() throws IOException {
    fast = Fixtures.nativeCurve();
  }

  @AfterAll
  static void unload() {
    fast.close();
  }

  @Test
  void bothBackendsGiveTheSameBytesAndLowSForAHundredThousandMessages() {
    IntStream.range(0, 10).parallel().forEach(part -> compare(3_100 + part, 10_000));
  }

  private static void compare(long seed, int rounds) {
    var random = new Random(seed);
    for (int i = 0; i < rounds; i++) {
      var digest = Fixtures.bytes(random, 32);
      try (var key = SecretBytes.takeFrom(Fixtures.bytes(random, 32))) {
        var signature = fast.sign(digest, key);
        if (!PLAIN.sign(digest, key).equals(signature) || signature.s().compareTo(Secp256k1.HALF_N) > 0) {
          fail("seed %d, round %d", seed, i);
        }
        if (i % 10 == 0) {
          assertThat(fast.recover(digest, signature)).as("seed %d, round %d", seed, i).isEqualTo(fast.addressOf(key));
        }
        if (i % 100 == 0) {
          assertThat(PLAIN.addressOf(key)).as("seed %d, round %d", seed, i).isEqualTo(fast.addressOf(key));
          assertThat(PLAIN.recover(digest, signature)).as("seed %d, round %d", seed, i).isEqualTo(fast.addressOf(key));
        }
      }
    }
  }

  @Test
  void signsAsWeb3jDoes() {
    long seed = 32;
    var random = new Random(seed);
    for (int i = 0; i < 300; i++) {
      var secret = Fixtures.bytes(random, 32);
      var pair = ECKeyPair.create(secret.clone());
      var digest = Fixtures.bytes(random, 32);
      var expected = Sign.signMessage(digest, pair, false);
      try (var key = SecretBytes.takeFrom(secret)) {
        var signature = fast.sign(digest, key);
        assertThat(BigIntegers.asUnsignedByteArray(32, signature.r())).as("seed %d, round %d", seed, i)
            .isEqualTo(expected.getR());
        assertThat(BigIntegers.asUnsignedByteArray(32, signature.s())).isEqualTo(expected.getS());
        assertThat(27 + signature.recoveryId()).isEqualTo(expected.getV()[0]);
        assertThat(fast.addressOf(key).orElseThrow())
            .isEqualTo(Address.ofPublicKey(BigIntegers.asUnsignedByteArray(64, pair.getPublicKey())));
      }
    }
  }

  /** Test vectors for RFC 6979 on secp256k1 that are in wide use, such as in Trezor's and bitcoinj's tests. */
  @Test
  void noncesAreThoseOfRfc6979() {
    try (var key = key(BigInteger.ONE)) {
      var digest = Digest32.sha256("Satoshi Nakamoto".getBytes(StandardCharsets.US_ASCII)).bytes();
      for (var curve : new Secp256k1[]{PLAIN, fast}) {
        var signature = curve.sign(digest, key);
        assertThat(signature.r().toString(16))
            .isEqualTo("934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8");
        assertThat(signature.s().toString(16))
            .isEqualTo("2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5");
      }
    }
  }

  @Test
  void onlyNumbersBelowTheOrderAreKeys() {
    for (var curve : new Secp256k1[]{PLAIN, fast}) {
      for (var invalid : new BigInteger[]{BigInteger.ZERO, Secp256k1.N, Secp256k1.N.add(BigInteger.ONE),
          BigInteger.ONE.shiftLeft(256).subtract(BigInteger.ONE)}) {
        try (var key = key(invalid)) {
          assertThat(curve.addressOf(key)).as("%s of %s", invalid, curve.name()).isEmpty();
        }
      }
      try (var one = key(BigInteger.ONE); var last = key(Secp256k1.N.subtract(BigInteger.ONE))) {
        assertThat(curve.addressOf(one))
            .contains(Address.parse("0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"));
        assertThat(curve.addressOf(last)).isPresent();
      }
    }
  }

  @Test
  void recoversNobodyFromNumbersThatAreNoSignature() {
    long seed = 33;
    var random = new Random(seed);
    var digest = Fixtures.bytes(random, 32);
    for (int i = 0; i < 1_000; i++) {
      var r = i % 5 == 0 ? Secp256k1.N : i % 5 == 1 ? BigInteger.ZERO : new BigInteger(256, random);
      var s = i % 7 == 0 ? Secp256k1.N : i % 7 == 1 ? BigInteger.ZERO : new BigInteger(256, random);
      var signature = new Secp256k1.Signature(r, s, random.nextInt(4));
      assertThat(fast.recover(digest, signature)).as("seed %d, round %d", seed, i)
          .isEqualTo(PLAIN.recover(digest, signature));
    }
  }

  @Test
  void manyThreadsShareTheNativeBackend() throws Exception {
    try (var threads = Executors.newFixedThreadPool(8)) {
      var tasks = new ArrayList<Callable<Boolean>>();
      for (int i = 0; i < 64; i++) {
        var random = new Random(i);
        tasks.add(() -> {
          for (int j = 0; j < 100; j++) {
            var digest = Fixtures.bytes(random, 32);
            try (var key = SecretBytes.takeFrom(Fixtures.bytes(random, 32))) {
              if (!fast.recover(digest, fast.sign(digest, key)).equals(fast.addressOf(key))) {
                return false;
              }
            }
          }
          return true;
        });
      }
      for (var result : threads.invokeAll(tasks)) {
        assertThat(result.get()).isTrue();
      }
    }
  }

  @Test
  void aLibraryThatWasTamperedWithIsNotLoadedButReplaced(@TempDir Path directory) throws IOException {
    NativeSecp256k1.load(directory).close();
    Path library;
    try (var files = Files.list(directory)) {
      library = files.findFirst().orElseThrow();
    }
    var good = Files.readAllBytes(library);
    var bad = good.clone();
    bad[bad.length / 2] ^= 1;
    Files.write(library, bad);
    NativeSecp256k1.load(directory).close();
    assertThat(Files.readAllBytes(library)).isEqualTo(good);
  }

  @Test
  void secretsAreErasedAndNeverShown() {
    var array = Fixtures.bytes(new Random(34), 32);
    var hex = HexFormat.of().formatHex(array);
    var secret = SecretBytes.takeFrom(array);
    assertThat(array).containsOnly(0);
    assertThat(secret.toString()).isEqualTo("REDACTED").doesNotContain(hex);
    secret.close();
    assertThatThrownBy(secret::memory).isInstanceOf(IllegalStateException.class).hasMessage("the key was erased");
  }

  private static SecretBytes key(BigInteger number) {
    return SecretBytes.takeFrom(BigIntegers.asUnsignedByteArray(32, number));
  }
}
