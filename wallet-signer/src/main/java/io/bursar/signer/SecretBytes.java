package io.bursar.signer;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.security.SecureRandom;
import java.util.Arrays;

import org.jspecify.annotations.Nullable;

/**
 * A private key of 32 bytes in {@link LockedMemory}, outside the Java heap, where no heap dump and no moving collector makes
 * copies of it. It is erased on close, after which it cannot be used.
 */
final class SecretBytes implements AutoCloseable {
  /** Length in bytes. */
  static final int BYTES = LockedMemory.SLOT_BYTES;

  private @Nullable MemorySegment memory = LockedMemory.instance().take();

  /** All zero, to be filled through {@link #memory}. */
  static SecretBytes empty() {
    return new SecretBytes();
  }

  /** Fresh random bytes of the operating system. They are a private key with a probability of 1 − 2^−128. */
  static SecretBytes random() {
    if (Libc.IS_LINUX) {
      var secret = new SecretBytes();
      Libc.getrandom(secret.memory());
      return secret;
    }
    var bytes = new byte[BYTES];
    new SecureRandom().nextBytes(bytes);
    return takeFrom(bytes);
  }

  /** Moves the bytes here: the array is erased. */
  static SecretBytes takeFrom(byte[] bytes) {
    if (bytes.length != BYTES) {
      throw new IllegalArgumentException("a private key has 32 bytes, not " + bytes.length);
    }
    var secret = new SecretBytes();
    MemorySegment.copy(bytes, 0, secret.memory(), ValueLayout.JAVA_BYTE, 0, BYTES);
    Arrays.fill(bytes, (byte) 0);
    return secret;
  }

  private SecretBytes() {}

  /**
   * The memory itself. Not to be kept: after close it is another key's.
   *
   * @throws IllegalStateException after close
   */
  MemorySegment memory() {
    if (memory == null) {
      throw new IllegalStateException("the key was erased");
    }
    return memory;
  }

  /** The same key in memory of its own, which the caller closes. */
  SecretBytes duplicate() {
    var other = new SecretBytes();
    other.memory().copyFrom(memory());
    return other;
  }

  /** A copy on the heap, which the caller erases. */
  byte[] copy() {
    return memory().toArray(ValueLayout.JAVA_BYTE);
  }

  /** Erases the key. Again is nothing. */
  @Override
  public void close() {
    if (memory != null) {
      LockedMemory.instance().giveBack(memory);
      memory = null;
    }
  }

  @Override
  public String toString() {
    return "REDACTED";
  }
}
