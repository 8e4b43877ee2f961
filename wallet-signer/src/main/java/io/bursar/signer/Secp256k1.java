package io.bursar.signer;

import java.math.BigInteger;
import java.util.Optional;

import io.bursar.money.Address;

/**
 * Curve arithmetic on secp256k1. Two backends, the same bytes from both: nonces are RFC 6979's with HMAC-SHA-256, and s
 * is always the low one of the two (EIP-2).
 *
 * @see <a href="https://www.secg.org/sec2-v2.pdf">SEC 2, section 2.4.1</a>
 * @see <a href="https://www.rfc-editor.org/rfc/rfc6979">RFC 6979</a>
 */
interface Secp256k1 extends AutoCloseable {
  /** Order of the group. */
  BigInteger N = new BigInteger("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16);
  /** The highest s that EIP-2 allows. */
  BigInteger HALF_N = N.shiftRight(1);

  /**
   * A signature from which the signer's address can be recovered.
   *
   * @param r 1 to n − 1
   * @param s 1 to n / 2
   * @param recoveryId which of the points with this r it was: 0 to 3; 0 and 1 are the transaction's {@code yParity}
   */
  record Signature(BigInteger r, BigInteger s, int recoveryId) {}

  /** {@code libsecp256k1} or {@code bouncycastle}. */
  String name();

  /** Whether a private key stays in the memory that it is given in, and is nowhere on the Java heap. */
  boolean keepsKeysOffHeap();

  /** The address of a private key, or nothing if the number is zero or not below the order of the group. */
  Optional<Address> addressOf(SecretBytes key);

  /**
   * Signs a digest.
   *
   * @param digest 32 bytes
   * @param key a valid private key
   */
  Signature sign(byte[] digest, SecretBytes key);

  /** Whose signature over the digest it is, or nothing if it is nobody's. */
  Optional<Address> recover(byte[] digest, Signature signature);

  @Override
  void close();
}
