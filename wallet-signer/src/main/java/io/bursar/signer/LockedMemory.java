package io.bursar.signer;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;

/**
 * The one place where private keys are in memory: pages of their own outside the Java heap that are never swapped out, left
 * out of core dumps, and read as zeros in a child process. Taken once, at the first use, and cut into slots. Safe for use by
 * several threads.
 *
 * @see <a href="https://man7.org/linux/man-pages/man2/madvise.2.html">madvise(2)</a>
 */
final class LockedMemory {
  /** Bytes of one slot: a private key. */
  static final int SLOT_BYTES = 32;
  /** How many keys there is room for. All is taken at once, so that a limit on locked memory shows at the start. */
  static final int SLOTS = 16_384;

  private static final int MADV_DONTDUMP = 16;
  private static final int MADV_WIPEONFORK = 18;

  private static final class Holder {
    static final LockedMemory INSTANCE = new LockedMemory();
  }

  private final ArrayDeque<MemorySegment> free = new ArrayDeque<>(SLOTS);
  private final boolean locked;

  static LockedMemory instance() {
    return Holder.INSTANCE;
  }

  private LockedMemory() {
    long bytes = (long) SLOTS * SLOT_BYTES;
    var pages = Libc.IS_LINUX ? Libc.mmap(bytes) : MemorySegment.ofAddress(-1);
    if (pages.address() == -1) {
      pages = Arena.global().allocate(bytes, SLOT_BYTES);
      locked = false;
    } else {
      boolean resident = Libc.mlock(pages) == 0; // each of the three, whatever becomes of the others
      boolean undumped = Libc.madvise(pages, MADV_DONTDUMP) == 0;
      boolean unforked = Libc.madvise(pages, MADV_WIPEONFORK) == 0;
      locked = resident && undumped && unforked;
    }
    for (long at = 0; at < bytes; at += SLOT_BYTES) {
      free.add(pages.asSlice(at, SLOT_BYTES));
    }
  }

  /** Whether the pages are locked, left out of dumps and wiped in children. */
  boolean isLocked() {
    return locked;
  }

  /**
   * A slot of zeros.
   *
   * @throws IllegalStateException if all are taken
   */
  synchronized MemorySegment take() {
    var slot = free.poll();
    if (slot == null) {
      throw new IllegalStateException("all " + SLOTS + " places for open keys are taken");
    }
    return slot;
  }

  /** Erases a slot; it is somebody else's from then on. */
  void giveBack(MemorySegment slot) {
    if (Libc.IS_LINUX) {
      Libc.explicitBzero(slot);
    } else {
      slot.fill((byte) 0);
    }
    synchronized (this) {
      free.push(slot);
    }
  }
}
