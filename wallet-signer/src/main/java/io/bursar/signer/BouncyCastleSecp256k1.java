package io.bursar.signer;

import java.math.BigInteger;
import java.util.Arrays;
import java.util.Optional;

import org.bouncycastle.asn1.x9.X9ECParameters;
import org.bouncycastle.crypto.digests.SHA256Digest;
import org.bouncycastle.crypto.ec.CustomNamedCurves;
import org.bouncycastle.crypto.signers.HMacDSAKCalculator;
import org.bouncycastle.math.ec.ECAlgorithms;
import org.bouncycastle.math.ec.ECPoint;
import org.bouncycastle.math.ec.FixedPointCombMultiplier;
import org.bouncycastle.util.BigIntegers;

import io.bursar.money.Address;

/**
 * secp256k1 in plain Java, for machines where the native library does not load. Its arithmetic on the private key is
 * not constant-time and leaves copies of the key on the heap until they are collected: use it where no other process
 * can time or read this one.
 */
final class BouncyCastleSecp256k1 implements Secp256k1 {
  /** With the hand-written field arithmetic, four times as fast as the generic curve of the same name. */
  private static final X9ECParameters CURVE = CustomNamedCurves.getByName("secp256k1");
  private static final BigInteger FIELD_PRIME = CURVE.getCurve().getField().getCharacteristic();

  @Override
  public String name() {
    return "bouncycastle";
  }

  @Override
  public boolean keepsKeysOffHeap() {
    return false;
  }

  @Override
  public Optional<Address> addressOf(SecretBytes key) {
    var d = number(key);
    return d.signum() == 0 || d.compareTo(N) >= 0 ? Optional.empty() : Optional.of(address(timesG(d)));
  }

  @Override
  public Signature sign(byte[] digest, SecretBytes key) {
    var d = number(key);
    var z = new BigInteger(1, digest);
    var nonces = new HMacDSAKCalculator(new SHA256Digest());
    nonces.init(N, d, digest);
    while (true) {
      var k = nonces.nextK();
      var point = timesG(k);
      var x = point.getAffineXCoord().toBigInteger();
      var r = x.mod(N);
      if (r.signum() == 0) {
        continue;
      }
      var s = BigIntegers.modOddInverse(N, k).multiply(z.add(d.multiply(r))).mod(N);
      if (s.signum() == 0) {
        continue;
      }
      int recoveryId = (point.getAffineYCoord().testBitZero() ? 1 : 0) | (x.compareTo(N) >= 0 ? 2 : 0);
      return s.compareTo(HALF_N) > 0
          ? new Signature(r, N.subtract(s), recoveryId ^ 1)
          : new Signature(r, s, recoveryId);
    }
  }

  @Override
  public Optional<Address> recover(byte[] digest, Signature signature) {
    var r = signature.r();
    var s = signature.s();
    var x = (signature.recoveryId() & 2) == 0 ? r : r.add(N);
    if (r.signum() <= 0 || r.compareTo(N) >= 0 || s.signum() <= 0 || s.compareTo(N) >= 0
        || x.compareTo(FIELD_PRIME) >= 0) {
      return Optional.empty();
    }
    var compressed = new byte[33];
    compressed[0] = (byte) (2 | (signature.recoveryId() & 1));
    System.arraycopy(BigIntegers.asUnsignedByteArray(32, x), 0, compressed, 1, 32);
    ECPoint point;
    try {
      point = CURVE.getCurve().decodePoint(compressed);
    } catch (IllegalArgumentException notOnTheCurve) {
      return Optional.empty();
    }
    // SEC 1, section 4.1.6: Q = r⁻¹ (sR − zG)
    var inverse = BigIntegers.modOddInverseVar(N, r);
    var z = new BigInteger(1, digest);
    var key = ECAlgorithms.sumOfTwoMultiplies(CURVE.getG(), z.negate().multiply(inverse).mod(N), point,
        s.multiply(inverse).mod(N)).normalize();
    return key.isInfinity() ? Optional.empty() : Optional.of(address(key));
  }

  @Override
  public void close() {
    // holds nothing
  }

  private static BigInteger number(SecretBytes key) {
    var bytes = key.copy();
    var number = new BigInteger(1, bytes);
    Arrays.fill(bytes, (byte) 0);
    return number;
  }

  private static ECPoint timesG(BigInteger k) {
    return new FixedPointCombMultiplier().multiply(CURVE.getG(), k).normalize();
  }

  private static Address address(ECPoint point) {
    return Address.ofPublicKey(Arrays.copyOfRange(point.getEncoded(false), 1, 65));
  }
}
