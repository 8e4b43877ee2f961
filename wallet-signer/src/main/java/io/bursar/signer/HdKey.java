package io.bursar.signer;

import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.regex.Pattern;

import org.bouncycastle.asn1.x9.X9ECParameters;
import org.bouncycastle.crypto.digests.SHA512Digest;
import org.bouncycastle.crypto.ec.CustomNamedCurves;
import org.bouncycastle.crypto.macs.HMac;
import org.bouncycastle.crypto.params.KeyParameter;
import org.bouncycastle.math.ec.FixedPointCombMultiplier;
import org.bouncycastle.util.BigIntegers;

import io.bursar.permit.Digest32;

/**
 * A private key of a hierarchical deterministic wallet, for taking such a wallet's keys along. Keys that the signer makes are
 * independent of each other: here one leaked child and the parent's public key give away the parent.
 *
 * @see <a href="https://github.com/bitcoin/bips/blob/master/bip-0032.mediawiki">BIP-32</a>
 */
final class HdKey implements AutoCloseable {
  private static final X9ECParameters CURVE = CustomNamedCurves.getByName("secp256k1");
  private static final int HARDENED = 0x80000000;
  private static final int XPRV = 0x0488ade4;
  private static final int TEXT_BYTES = 78;
  private static final int MOST_DEPTH = 16;
  private static final String BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
  private static final Pattern PATH = Pattern.compile("m(/[0-9]{1,10}['hH]?)*");

  private final byte[] key;
  private final byte[] chainCode;

  private HdKey(byte[] key, byte[] chainCode) {
    this.key = key;
    this.chainCode = chainCode;
  }

  /**
   * The master key of a seed of 16 to 64 bytes.
   *
   * @throws IllegalArgumentException if the seed has another length or (once in 2^127) gives no key
   */
  static HdKey ofSeed(byte[] seed) {
    if (seed.length < 16 || seed.length > 64) {
      throw new IllegalArgumentException("a seed has 16 to 64 bytes, not " + seed.length);
    }
    var digest = hmac("Bitcoin seed".getBytes(StandardCharsets.US_ASCII), seed);
    requireKey(new BigInteger(1, digest, 0, 32));
    return split(digest);
  }

  /**
   * Reads a private key as wallets print it, {@code xprv…}.
   *
   * @throws IllegalArgumentException if the text is none, or has a mistake in it
   */
  static HdKey parse(String text) {
    var bytes = base58(text);
    var payload = Arrays.copyOf(bytes, TEXT_BYTES);
    var sum = Digest32.sha256(Digest32.sha256(payload).bytes()).bytes();
    if (!Arrays.equals(sum, 0, 4, bytes, TEXT_BYTES, TEXT_BYTES + 4)) {
      throw new IllegalArgumentException("is an extended key with a mistake in it: its check does not fit");
    }
    var in = ByteBuffer.wrap(payload);
    int version = in.getInt();
    int depth = in.get();
    int parent = in.getInt();
    int index = in.getInt();
    var chainCode = new byte[32];
    in.get(chainCode);
    if (version != XPRV || in.get() != 0) {
      throw new IllegalArgumentException("is no extended private key (`xprv…`)");
    }
    if (depth == 0 && (parent != 0 || index != 0)) {
      throw new IllegalArgumentException("is a master key that names a parent");
    }
    var key = new byte[32];
    in.get(key);
    Arrays.fill(bytes, (byte) 0);
    Arrays.fill(payload, (byte) 0);
    requireKey(new BigInteger(1, key));
    return new HdKey(key, chainCode);
  }

  /**
   * The key at a path such as {@code m/44'/60'/0'/0/0}. This one is closed.
   *
   * @throws IllegalArgumentException if the path is none, or there is (once in 2^127) no key at it
   */
  HdKey derive(String path) {
    if (!PATH.matcher(path).matches() || path.chars().filter(c -> c == '/').count() > MOST_DEPTH) {
      throw new IllegalArgumentException(
          "a path is `m` and up to " + MOST_DEPTH + " numbers, such as `m/44'/60'/0'/0/0`, not `" + path + "`");
    }
    var at = this;
    for (var step : path.substring(1).split("/", -1)) {
      if (!step.isEmpty()) {
        boolean hardened = !Character.isDigit(step.charAt(step.length() - 1));
        long number = Long.parseLong(hardened ? step.substring(0, step.length() - 1) : step);
        if (number > Integer.MAX_VALUE) {
          throw new IllegalArgumentException("a number in a path is at most " + Integer.MAX_VALUE + ", not " + number);
        }
        var next = at.child(hardened ? (int) number | HARDENED : (int) number);
        at.close();
        at = next;
      }
    }
    return at;
  }

  private HdKey child(int index) {
    var d = new BigInteger(1, key);
    var data = ByteBuffer.allocate(37);
    if (index < 0) {
      data.put((byte) 0).put(key);
    } else {
      data.put(new FixedPointCombMultiplier().multiply(CURVE.getG(), d).normalize().getEncoded(true));
    }
    var digest = hmac(chainCode, data.putInt(index).array());
    Arrays.fill(data.array(), (byte) 0);
    var left = new BigInteger(1, digest, 0, 32);
    var sum = left.add(d).mod(Secp256k1.N);
    if (left.compareTo(Secp256k1.N) >= 0) {
      throw new IllegalArgumentException("there is no key at this path; take the next number");
    }
    requireKey(sum);
    var child = BigIntegers.asUnsignedByteArray(32, sum);
    System.arraycopy(child, 0, digest, 0, 32);
    Arrays.fill(child, (byte) 0);
    return split(digest);
  }

  /** The private key, moved out: this one is closed. */
  SecretBytes take() {
    return SecretBytes.takeFrom(key);
  }

  /** Whether both are the same key with the same chain code. */
  boolean isSameAs(HdKey other) {
    return Arrays.equals(key, other.key) && Arrays.equals(chainCode, other.chainCode);
  }

  private static void requireKey(BigInteger number) {
    if (number.signum() == 0 || number.compareTo(Secp256k1.N) >= 0) {
      throw new IllegalArgumentException("holds a number that is no private key");
    }
  }

  private static HdKey split(byte[] digest) {
    var made = new HdKey(Arrays.copyOf(digest, 32), Arrays.copyOfRange(digest, 32, 64));
    Arrays.fill(digest, (byte) 0);
    return made;
  }

  private static byte[] hmac(byte[] key, byte[] data) {
    var mac = new HMac(new SHA512Digest());
    mac.init(new KeyParameter(key));
    mac.update(data, 0, data.length);
    var out = new byte[64];
    mac.doFinal(out, 0);
    return out;
  }

  /** The 82 bytes of an extended key with its check. */
  private static byte[] base58(String text) {
    var number = BigInteger.ZERO;
    for (int i = 0; i < text.length() && i < 120; i++) {
      int digit = BASE58.indexOf(text.charAt(i));
      if (digit < 0) {
        throw new IllegalArgumentException("is no extended key: `" + text.charAt(i) + "` is no digit of base 58");
      }
      number = number.multiply(BigInteger.valueOf(58)).add(BigInteger.valueOf(digit));
    }
    if (text.isEmpty() || text.length() > 120 || number.bitLength() > 8 * (TEXT_BYTES + 4)) {
      throw new IllegalArgumentException("is no extended key: it has another length");
    }
    return BigIntegers.asUnsignedByteArray(TEXT_BYTES + 4, number);
  }

  @Override
  public void close() {
    Arrays.fill(key, (byte) 0);
    Arrays.fill(chainCode, (byte) 0);
  }

  @Override
  public String toString() {
    return "REDACTED";
  }
}
