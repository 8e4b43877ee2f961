package io.bursar.signer;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Optional;
import java.util.zip.CRC32C;

/**
 * What is written to a {@link JournalFile} at a time: many records, or one.
 *
 * <p>
 * Layout, big-endian: {@code BGRE} (4), length of the content (4), checksum of the group before, zero for the first (16), CRC-32C
 * of these 24 bytes (4), content, checksum (16): the first 16 bytes of SHA-256 over all of the group that goes before it, and one
 * byte that is not zero, so that a group whose end never reached the disk can be told from one that was altered. Older groups
 * begin with {@code BGRP} and end with the checksum; nothing but the end of the file follows the last of them.
 */
final class JournalGroup {
  /** The most content of one group, in bytes. */
  static final int MOST_CONTENT = 1 << 20;
  static final int CHECKSUM_BYTES = 16;
  /** What goes before the content. */
  static final int LEAD_BYTES = 4 + 4 + CHECKSUM_BYTES + 4;

  private static final byte[] MAGIC = "BGRE".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] MAGIC_WITHOUT_END = "BGRP".getBytes(StandardCharsets.US_ASCII);
  private static final byte END = 0x5a;
  private static final int SECTOR = 512;
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

  private JournalGroup() {}

  /** How many bytes a group of so much content has. */
  static int size(int content) {
    return LEAD_BYTES + content + CHECKSUM_BYTES + 1;
  }

  /** The bytes of a group that follows one of this checksum. */
  static byte[] encode(byte[] before, byte[] content) {
    var group = ByteBuffer.allocate(size(content.length)).put(MAGIC).putInt(content.length).put(before);
    group.putInt(crc32c(group.duplicate().flip())).put(content);
    group.put(sha256(group.duplicate().flip()), 0, CHECKSUM_BYTES).put(END);
    return group.array();
  }

  /** The content of the group at an offset, which checks. */
  static MemorySegment content(MemorySegment file, long at) {
    return file.asSlice(at + LEAD_BYTES, file.get(INT, at + 4));
  }

  /** Whether the group at an offset, which checks, follows the one of this checksum. */
  static boolean follows(MemorySegment file, long at, byte[] before) {
    return holds(file, at + 8, before);
  }

  /** The checksum of the group at an offset, which checks. */
  static byte[] checksum(MemorySegment file, long at) {
    return file.asSlice(at + LEAD_BYTES + file.get(INT, at + 4), CHECKSUM_BYTES).toArray(ValueLayout.JAVA_BYTE);
  }

  /** Size of the group at an offset if all of it is there and checks, or −1. */
  static long soundSize(MemorySegment file, long at) {
    long size = sizeByLead(file, at);
    if (size < 0 || at + size > file.byteSize()) {
      return -1;
    }
    int hashed = LEAD_BYTES + file.get(INT, at + 4);
    var hash = sha256(file.asSlice(at, hashed).asByteBuffer());
    return holds(file, at + hashed, Arrays.copyOf(hash, CHECKSUM_BYTES))
        && (size == hashed + CHECKSUM_BYTES || file.get(ValueLayout.JAVA_BYTE, at + size - 1) == END) ? size : -1;
  }

  /** Size of the group at an offset as its lead says, if that is all there and could be one's, or −1. */
  private static long sizeByLead(MemorySegment file, long at) {
    if (file.byteSize() - at < LEAD_BYTES) {
      return -1;
    }
    boolean hasEnd = holds(file, at, MAGIC);
    int content = file.get(INT, at + 4);
    if ((!hasEnd && !holds(file, at, MAGIC_WITHOUT_END)) || content <= 0 || content > MOST_CONTENT
        || crc32c(file.asSlice(at, LEAD_BYTES - 4).asByteBuffer()) != file.get(INT, at + LEAD_BYTES - 4)) {
      return -1;
    }
    return hasEnd ? size(content) : size(content) - 1;
  }

  /** Whether what stands last in a file, one byte more than a checksum, is the end of the group of this checksum. */
  static boolean endsWith(byte[] last, byte[] checksum) {
    return (last[CHECKSUM_BYTES] == END && Arrays.equals(last, 0, CHECKSUM_BYTES, checksum, 0, CHECKSUM_BYTES))
        || Arrays.equals(last, 1, 1 + CHECKSUM_BYTES, checksum, 0, CHECKSUM_BYTES);
  }

  /** Where what was ever written ends: behind the last byte that is not zero. */
  static long end(MemorySegment file, long from) {
    long end = file.byteSize();
    while (end > from && file.get(ValueLayout.JAVA_BYTE, end - 1) == 0) {
      end--;
    }
    return end;
  }

  /**
   * Why what stands from an offset on is not what a crash can have left of one group that was being written; empty if it is.
   *
   * @param at behind the last group that checks
   * @param end behind the last byte that is not zero; past {@code at}
   * @param before checksum of that last group
   */
  static Optional<String> noTornGroup(MemorySegment file, long at, long end, byte[] before) {
    for (long next = at; next < end; next++) {
      if (file.get(ValueLayout.JAVA_BYTE, next) == MAGIC[0] && soundSize(file, next) > 0) {
        return Optional.of("a sound group follows at byte " + next);
      }
    }
    long size = sizeByLead(file, at);
    if (size < 0) {
      return isTornLead(file, at, end, before) && end <= at + size(MOST_CONTENT)
          ? Optional.empty()
          : Optional.of("what follows is not the beginning of a group");
    }
    if (!follows(file, at, before)) {
      return Optional.of("a group is missing before it");
    }
    if (end > at + size) {
      return Optional.of("the last group does not check, and more follows it");
    }
    return isTorn(file, at, size) ? Optional.empty() : Optional.of("the last group is not as it was written");
  }

  /** Whether some of a group whose lead is whole never was written: its end, or a sector between. */
  private static boolean isTorn(MemorySegment file, long at, long size) {
    long until = at + size;
    if (until > file.byteSize()) {
      return true;
    }
    boolean hasEnd = holds(file, at, MAGIC);
    if (hasEnd && file.get(ValueLayout.JAVA_BYTE, until - 1) == 0) {
      return true;
    }
    for (long sector = at - at % SECTOR; sector < until; sector += SECTOR) {
      long first = Math.max(at, sector);
      long last = Math.min(until, sector + SECTOR);
      // Without a last byte of its own, a group can end in zeros that were written: the end of its checksum.
      if (isZero(file, first, last) && (hasEnd || last - first >= CHECKSUM_BYTES)) {
        return true;
      }
    }
    return false;
  }

  /** Whether a lead that is not whole is so because a sector of it never was written, or it breaks off, and is right otherwise. */
  private static boolean isTornLead(MemorySegment file, long at, long end, byte[] before) {
    long boundary = at - at % SECTOR + SECTOR;
    boolean firstMissing = isZero(file, at, Math.min(boundary, file.byteSize()));
    boolean secondMissing = boundary < at + LEAD_BYTES
        && isZero(file, boundary, Math.min(boundary + SECTOR, file.byteSize()));
    if (!firstMissing && !secondMissing && end >= at + LEAD_BYTES) {
      return false;
    }
    long from = firstMissing ? boundary : at;
    long until = Math.min(secondMissing ? boundary : at + LEAD_BYTES, end);
    for (long byteAt = from; byteAt < until; byteAt++) {
      int i = (int) (byteAt - at);
      byte found = file.get(ValueLayout.JAVA_BYTE, byteAt);
      if ((i < 4 && found != MAGIC[i] && found != MAGIC_WITHOUT_END[i])
          || (i >= 8 && i < 8 + CHECKSUM_BYTES && found != before[i - 8])) {
        return false;
      }
    }
    return true;
  }

  private static boolean isZero(MemorySegment file, long from, long until) {
    return until <= from
        || file.asSlice(from, until - from).mismatch(MemorySegment.ofArray(new byte[(int) (until - from)])) < 0;
  }

  /** Whether these bytes stand at an offset. */
  static boolean holds(MemorySegment file, long at, byte[] bytes) {
    return file.asSlice(at, bytes.length).mismatch(MemorySegment.ofArray(bytes)) < 0;
  }

  static int crc32c(ByteBuffer bytes) {
    var crc = new CRC32C();
    crc.update(bytes);
    return (int) crc.getValue();
  }

  private static byte[] sha256(ByteBuffer bytes) {
    try {
      var sha = MessageDigest.getInstance("SHA-256");
      sha.update(bytes);
      return sha.digest();
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException("every Java platform has SHA-256", impossible);
    }
  }
}
