package io.bursar.signer;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Arrays;
import java.util.zip.CRC32C;

import io.bursar.permit.Bytes;
import io.bursar.permit.JournalMark;

/**
 * An append-only file of groups of bytes, each group durable before its {@link #append} returns.
 *
 * <p>
 * Layout: 16 bytes {@code "bursar journal 1"}, then groups. A group, big-endian: {@code BGRP} (4), length of its
 * content (4), checksum of the group before, zero for the first (16), CRC-32C of these 24 bytes (4), content, checksum
 * (16): the first 16 bytes of SHA-256 over all of the group that goes before it. So the groups form a chain, and each can
 * be checked alone.
 *
 * <p>
 * A crash while appending leaves a torn last group: cut short, or with whole sectors never written, which read as
 * zeros. Opening cuts it away; nothing was answered on its strength. Anything else that does not check is damage to
 * what was durable, and opening refuses.
 */
final class JournalFile implements AutoCloseable {
  /** The most content of one group, in bytes. */
  static final int MOST_CONTENT = 1 << 20;

  private static final byte[] HEADER = "bursar journal 1".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] MAGIC = "BGRP".getBytes(StandardCharsets.US_ASCII);
  private static final int CHECKSUM_BYTES = 16;
  private static final int LEAD_BYTES = 4 + 4 + CHECKSUM_BYTES + 4;
  private static final int SECTOR = 512;
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

  /** Receives the content of the groups, oldest first. */
  interface Reader {
    /**
     * One group.
     *
     * @param content ready for reading; valid during the call
     * @param offset of the content's first byte in the file
     */
    void group(ByteBuffer content, long offset);
  }

  /** Damage that no crash explains. A person must look. */
  static final class DamagedException extends IOException {
    private static final long serialVersionUID = 1L;

    DamagedException(Path file, long offset, String what) {
      super("the journal `" + file + "` is damaged at byte " + offset + ": " + what
          + "; restore it from a backup taken after the last signature, and do not delete it");
    }
  }

  private final FileChannel channel;
  private long length;
  private byte[] lastChecksum;
  private final long cutBytes;
  private boolean needsRepair;

  /**
   * Reads all of a journal and goes on with it.
   *
   * @param path its name, for messages and to make the name durable
   * @param channel for reading and writing; closed with the journal, or if this throws
   * @throws DamagedException if a durable part of it does not check
   */
  static JournalFile open(Path path, FileChannel channel, Reader reader) throws IOException {
    try {
      return new JournalFile(path, channel, reader);
    } catch (IOException | RuntimeException failed) {
      channel.close();
      throw failed;
    }
  }

  private JournalFile(Path path, FileChannel channel, Reader reader) throws IOException {
    this.channel = channel;
    this.lastChecksum = new byte[CHECKSUM_BYTES];
    long end = channel.size();
    if (end < HEADER.length) {
      start(path, end);
      cutBytes = 0;
      return;
    }
    try (var arena = Arena.ofConfined()) {
      var file = channel.map(FileChannel.MapMode.READ_ONLY, 0, end, arena);
      if (!Arrays.equals(file.asSlice(0, HEADER.length).toArray(ValueLayout.JAVA_BYTE), HEADER)) {
        throw new DamagedException(path, 0, "it does not begin as a journal of version 1 does");
      }
      length = HEADER.length;
      while (length < end) {
        long size = groupSize(file, length);
        if (size < 0 || !startsWith(file, length + 8, lastChecksum)) {
          break;
        }
        int content = (int) (size - LEAD_BYTES - CHECKSUM_BYTES);
        reader.group(file.asSlice(length + LEAD_BYTES, content).asByteBuffer(), length + LEAD_BYTES);
        length += size;
        lastChecksum = file.asSlice(length - CHECKSUM_BYTES, CHECKSUM_BYTES).toArray(ValueLayout.JAVA_BYTE);
      }
      if (length < end) {
        requireTorn(path, file);
      }
    }
    cutBytes = end - length;
    if (cutBytes > 0) {
      repair();
    }
  }

  /** Bytes of a torn last group that opening cut away. */
  long cutBytes() {
    return cutBytes;
  }

  /** Length of all that is durable, in bytes. */
  long length() {
    return length;
  }

  /** How far it has come. */
  JournalMark mark(Instant now) {
    return new JournalMark(now.truncatedTo(ChronoUnit.MILLIS), length, Bytes.of(lastChecksum));
  }

  /** Whether it reaches as far as a mark, and is the same up to there. */
  boolean holds(JournalMark mark) throws IOException {
    return mark.length() <= HEADER.length
        || (mark.length() <= length && mark.length() >= HEADER.length + LEAD_BYTES + CHECKSUM_BYTES
            && Arrays.equals(read(mark.length() - CHECKSUM_BYTES, CHECKSUM_BYTES), mark.checksum().toByteArray()));
  }

  /**
   * Appends a group and waits until it is on the disk. If that fails, none of it counts, and the next call first
   * removes what was written of it.
   *
   * @param content 1 to {@link #MOST_CONTENT} bytes
   * @return offset of the content's first byte in the file
   */
  long append(byte[] content) throws IOException {
    if (content.length == 0 || content.length > MOST_CONTENT) {
      throw new IllegalArgumentException("a group has 1 to " + MOST_CONTENT + " bytes, not " + content.length);
    }
    if (needsRepair) {
      repair();
    }
    var group = ByteBuffer.allocate(LEAD_BYTES + content.length + CHECKSUM_BYTES);
    group.put(MAGIC).putInt(content.length).put(lastChecksum);
    group.putInt(crc32c(group.duplicate().flip())).put(content);
    var checksum = Arrays.copyOf(sha256(group.duplicate().flip()), CHECKSUM_BYTES);
    group.put(checksum).flip();
    int size = group.remaining();
    needsRepair = true;
    long position = length;
    while (group.hasRemaining()) {
      position += channel.write(group, position);
    }
    channel.force(false);
    needsRepair = false;
    length += size;
    lastChecksum = checksum;
    return length - size + LEAD_BYTES;
  }

  /** Reads durable bytes. */
  byte[] read(long offset, int count) throws IOException {
    var bytes = ByteBuffer.allocate(count);
    while (bytes.hasRemaining()) {
      if (channel.read(bytes, offset + bytes.position()) < 0) {
        throw new IOException("the journal ends before byte " + (offset + count) + ", which was durable");
      }
    }
    return bytes.array();
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }

  /** Writes the first bytes of a new journal, or of one whose first bytes were torn. */
  private void start(Path path, long end) throws IOException {
    var begun = read(0, (int) end);
    if (!Arrays.equals(begun, Arrays.copyOf(HEADER, begun.length)) && !Arrays.equals(begun, new byte[begun.length])) {
      throw new DamagedException(path, 0, "it does not begin as a journal of version 1 does");
    }
    channel.write(ByteBuffer.wrap(HEADER), 0);
    channel.force(true);
    SafeFiles.syncDirectory(path);
    length = HEADER.length;
  }

  private void repair() throws IOException {
    channel.truncate(length);
    channel.force(true);
    needsRepair = false;
  }

  /** Throws unless all bytes from {@link #length} on are what a crash can leave of one group. */
  private void requireTorn(Path path, MemorySegment file) throws DamagedException {
    long end = file.byteSize();
    for (long at = length; at < end; at++) {
      if (file.get(ValueLayout.JAVA_BYTE, at) == MAGIC[0] && groupSize(file, at) > 0) {
        throw new DamagedException(path, length, "a sound group follows at byte " + at);
      }
    }
    if (hasZeroSector(file, length, end)) {
      return;
    }
    byte[] begun = Arrays.copyOf(MAGIC, (int) Math.min(MAGIC.length, end - length));
    if (!startsWith(file, length, begun)) {
      throw new DamagedException(path, length, "what follows is not the beginning of a group");
    }
    if (end - length >= LEAD_BYTES) {
      int content = file.get(INT, length + 4);
      if (content <= 0 || content > MOST_CONTENT || end >= length + LEAD_BYTES + content + CHECKSUM_BYTES
          || !startsWith(file, length + 8, lastChecksum) || !leadChecks(file, length)) {
        throw new DamagedException(path, length, "the last group is not as it was written");
      }
    }
  }

  /** Whether some sector of what was being written never was: at least 16 bytes of it, all zero. */
  private static boolean hasZeroSector(MemorySegment file, long from, long end) {
    for (long sector = from - from % SECTOR; sector < end; sector += SECTOR) {
      long first = Math.max(from, sector);
      long last = Math.min(end, sector + SECTOR);
      if (last - first >= 16 && file.asSlice(first, last - first)
          .mismatch(MemorySegment.ofArray(new byte[(int) (last - first)])) < 0) {
        return true;
      }
    }
    return false;
  }

  /** Size of the group at an offset if all of it is there and checks, or −1. */
  private static long groupSize(MemorySegment file, long at) {
    long left = file.byteSize() - at;
    if (left < LEAD_BYTES + CHECKSUM_BYTES || !startsWith(file, at, MAGIC)) {
      return -1;
    }
    int content = file.get(INT, at + 4);
    if (content <= 0 || content > MOST_CONTENT || left < (long) LEAD_BYTES + content + CHECKSUM_BYTES) {
      return -1;
    }
    var hash = sha256(file.asSlice(at, LEAD_BYTES + content).asByteBuffer());
    return startsWith(file, at + LEAD_BYTES + content, Arrays.copyOf(hash, CHECKSUM_BYTES))
        ? (long) LEAD_BYTES + content + CHECKSUM_BYTES
        : -1;
  }

  private static boolean leadChecks(MemorySegment file, long at) {
    return crc32c(file.asSlice(at, LEAD_BYTES - 4).asByteBuffer()) == file.get(INT, at + LEAD_BYTES - 4);
  }

  private static int crc32c(ByteBuffer bytes) {
    var crc = new CRC32C();
    crc.update(bytes);
    return (int) crc.getValue();
  }

  private static boolean startsWith(MemorySegment file, long at, byte[] bytes) {
    return file.asSlice(at, bytes.length).mismatch(MemorySegment.ofArray(bytes)) < 0;
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
