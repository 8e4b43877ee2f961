package io.bursar.signer;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Arrays;

import javax.crypto.AEADBadTagException;
import javax.crypto.Cipher;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;

import org.bouncycastle.crypto.modes.gcm.BasicGCMMultiplier;

/**
 * AES-GCM with a nonce of 96 bits whose plaintext is never on the Java heap. The platform's cipher and Bouncy Castle's both
 * put it into arrays there, also between direct buffers, and leave it: so here the library makes the key stream and
 * multiplies for the tag, and the plaintext meets the key stream byte by byte in memory outside the heap.
 *
 * @see <a href="https://nvlpubs.nist.gov/nistpubs/Legacy/SP/nistspecialpublication800-38d.pdf">NIST SP 800-38D, sections 6
 *      and 7</a>
 */
final class OffHeapGcm {
  /** Bytes of a nonce. */
  static final int NONCE_BYTES = 12;
  /** Bytes that the sealed text has more than the plain one. */
  static final int TAG_BYTES = 16;

  private static final int BLOCK = 16;

  private OffHeapGcm() {}

  /**
   * Encrypts.
   *
   * @param nonce 12 bytes, never used before with this key
   * @return the ciphertext and the tag behind it
   */
  static byte[] seal(byte[] key, byte[] nonce, byte[] associated, MemorySegment plain) {
    int length = Math.toIntExact(plain.byteSize());
    var pad = keyStream(key, firstCounter(nonce), BLOCK + length);
    var sealed = new byte[length + TAG_BYTES];
    for (int i = 0; i < length; i++) {
      sealed[i] = (byte) (plain.get(ValueLayout.JAVA_BYTE, i) ^ pad[BLOCK + i]);
    }
    System.arraycopy(tag(key, pad, associated, sealed), 0, sealed, length, TAG_BYTES);
    Arrays.fill(pad, (byte) 0);
    return sealed;
  }

  /**
   * Decrypts, after the tag was found right.
   *
   * @param plain where the plaintext goes, as long as the sealed text without its tag
   * @throws AEADBadTagException if the key, the nonce, the associated data or the sealed text is another; nothing is
   *         written then
   */
  static void open(byte[] key, byte[] nonce, byte[] associated, byte[] sealed, MemorySegment plain)
      throws AEADBadTagException {
    int length = sealed.length - TAG_BYTES;
    if (length != plain.byteSize()) {
      throw new IllegalArgumentException("there is room for " + plain.byteSize() + " bytes, not for " + length);
    }
    var pad = keyStream(key, firstCounter(nonce), BLOCK + length);
    try {
      if (!MessageDigest.isEqual(tag(key, pad, associated, sealed),
          Arrays.copyOfRange(sealed, length, sealed.length))) {
        throw new AEADBadTagException("the tag is another");
      }
      for (int i = 0; i < length; i++) {
        plain.set(ValueLayout.JAVA_BYTE, i, (byte) (sealed[i] ^ pad[BLOCK + i]));
      }
    } finally {
      Arrays.fill(pad, (byte) 0);
    }
  }

  /** GHASH over what is authenticated, and the first block of the key stream on it. */
  private static byte[] tag(byte[] key, byte[] pad, byte[] associated, byte[] sealed) {
    int length = sealed.length - TAG_BYTES;
    var multiplier = new BasicGCMMultiplier();
    multiplier.init(keyStream(key, new byte[BLOCK], BLOCK)); // the hash key: a block of zeros, encrypted
    var hash = new byte[BLOCK];
    absorb(multiplier, hash, associated, associated.length);
    absorb(multiplier, hash, sealed, length);
    absorb(multiplier, hash, ByteBuffer.allocate(BLOCK).putLong(associated.length * 8L).putLong(length * 8L).array(),
        BLOCK);
    for (int i = 0; i < TAG_BYTES; i++) {
      hash[i] ^= pad[i];
    }
    return hash;
  }

  /** Takes bytes into the hash, filled up with zeros to a whole block. */
  private static void absorb(BasicGCMMultiplier multiplier, byte[] hash, byte[] bytes, int length) {
    for (int at = 0; at < length; at += BLOCK) {
      for (int i = 0; i < Math.min(BLOCK, length - at); i++) {
        hash[i] ^= bytes[at + i];
      }
      multiplier.multiplyH(hash);
    }
  }

  private static byte[] firstCounter(byte[] nonce) {
    if (nonce.length != NONCE_BYTES) {
      throw new IllegalArgumentException("a nonce has 12 bytes, not " + nonce.length);
    }
    var counter = Arrays.copyOf(nonce, BLOCK);
    counter[BLOCK - 1] = 1;
    return counter;
  }

  private static byte[] keyStream(byte[] key, byte[] counter, int length) {
    try {
      var cipher = Cipher.getInstance("AES/CTR/NoPadding");
      cipher.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(key, "AES"), new IvParameterSpec(counter));
      return cipher.doFinal(new byte[length]);
    } catch (GeneralSecurityException impossible) {
      throw new IllegalStateException("every Java platform has AES in counter mode", impossible);
    }
  }
}
