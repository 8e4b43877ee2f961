package io.bursar.signer;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.TimeUnit;

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;
import org.web3j.crypto.ECKeyPair;
import org.web3j.crypto.Sign;

import io.bursar.money.Address;
import io.bursar.permit.PermitKey;
import io.bursar.permit.SignerRequest;

/** Signatures a second on one core: both backends and web3j; and the checks that the signer makes around each. */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(value = 1, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
public class Secp256k1Benchmark {
  private final PermitKey permitKey = PermitKey.of(Fixtures.PERMIT_KEYS.getPublic());
  private final byte[] digest = new byte[32];
  private Secp256k1 plain = new BouncyCastleSecp256k1();
  private Secp256k1 fast = plain;
  private SecretBytes key = SecretBytes.empty();
  private ECKeyPair pair = new ECKeyPair(BigInteger.ONE, BigInteger.ONE);
  private Secp256k1.Signature signature = new Secp256k1.Signature(BigInteger.ONE, BigInteger.ONE, 0);
  private SignerRequest.Sign request = Fixtures.request(Fixtures.intent(Fixtures.TENANT, Fixtures.PAYEE, 0));

  @Setup
  public void load() throws IOException {
    fast = NativeSecp256k1.load(Path.of(System.getProperty("java.io.tmpdir"), "bursar-benchmark"));
    var secret = Fixtures.bytes(new Random(1), 32);
    pair = ECKeyPair.create(secret.clone());
    key = SecretBytes.takeFrom(secret);
    signature = fast.sign(digest, key);
  }

  @TearDown
  public void unload() {
    key.close();
    fast.close();
  }

  @Benchmark
  public Secp256k1.Signature signLibsecp256k1() {
    digest[0]++;
    return fast.sign(digest, key);
  }

  @Benchmark
  public Secp256k1.Signature signBouncyCastle() {
    digest[0]++;
    return plain.sign(digest, key);
  }

  @Benchmark
  public Sign.SignatureData signWeb3j() {
    digest[0]++;
    return Sign.signMessage(digest, pair, false);
  }

  @Benchmark
  public Optional<Address> recoverLibsecp256k1() {
    return fast.recover(digest, signature);
  }

  @Benchmark
  public Optional<Address> recoverBouncyCastle() {
    return plain.recover(digest, signature);
  }

  @Benchmark
  public boolean verifyPermit() {
    return request.permit().isSignedBy(permitKey);
  }
}
