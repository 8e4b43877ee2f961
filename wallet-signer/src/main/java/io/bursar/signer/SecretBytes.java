package io.bursar.signer;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.security.SecureRandom;
import java.util.Arrays;

/**
 * A private key of 32 bytes outside the Java heap, where no heap dump and no moving collector makes copies of it. It
 * lives for one operation on one thread and is erased on close.
 */
final class SecretBytes implements AutoCloseable {
  /** Length in bytes. */
  static final int BYTES = 32;

  private static final SecureRandom RANDOM = new SecureRandom();

  private final Arena arena = Arena.ofConfined();
  private final MemorySegment memory = arena.allocate(BYTES);

  /** All zero, to be filled through {@link #buffer}. */
  static SecretBytes empty() {
    return new SecretBytes();
  }

  /** Fresh random bytes of the operating system. They are a private key with a probability of 1 − 2^−128. */
  static SecretBytes random() {
    var bytes = new byte[BYTES];
    RANDOM.nextBytes(bytes);
    return takeFrom(bytes);
  }

  /** Moves the bytes here: the array is erased. */
  static SecretBytes takeFrom(byte[] bytes) {
    if (bytes.length != BYTES) {
      throw new IllegalArgumentException("a private key has 32 bytes, not " + bytes.length);
    }
    var secret = new SecretBytes();
    MemorySegment.copy(bytes, 0, secret.memory, ValueLayout.JAVA_BYTE, 0, BYTES);
    Arrays.fill(bytes, (byte) 0);
    return secret;
  }

  private SecretBytes() {}

  /** The memory itself. */
  MemorySegment memory() {
    return memory;
  }

  /** A view of the memory for ciphers. */
  ByteBuffer buffer() {
    return memory.asByteBuffer();
  }

  /** A copy on the heap, which the caller erases. */
  byte[] copy() {
    return memory.toArray(ValueLayout.JAVA_BYTE);
  }

  @Override
  public void close() {
    memory.fill((byte) 0);
    arena.close();
  }

  @Override
  public String toString() {
    return "REDACTED";
  }
}
