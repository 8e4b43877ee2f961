package io.bursar.signer;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

import io.bursar.permit.Bytes;
import io.bursar.permit.JournalMark;

/**
 * An append-only file of {@linkplain JournalGroup groups} of bytes, each group durable before its {@link #append} returns.
 *
 * <p>
 * Layout: 16 bytes {@code "bursar journal 1"}, then groups, each with the checksum of the one before, then room: zeros to the end
 * of the file, which the next groups are written over. To sync bytes that change in their place costs a tenth of what it costs to sync
 * a file that grows.
 *
 * <p>
 * A file that took the place of another begins with {@code "bursar journal 2"}, where in it ends what stayed of that one (8), and the
 * CRC-32C of these 24 bytes (4), big-endian. Its first group says how far that one had come: the ends of its last groups, oldest first, each
 * as the length up to there (8) and the checksum (16). Lengths go on from the last of them, so that a mark of the one before is still
 * held or not held by this one.
 *
 * <p>
 * A crash while appending leaves a torn last group: with its end missing, or with whole sectors never written, which are still
 * zeros. Opening cuts it away; nothing was answered on its strength. Anything else that does not check is damage to what was
 * durable, and opening refuses.
 */
final class JournalFile implements AutoCloseable {
  private static final byte[] HEADER = "bursar journal 1".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] SUCCESSOR_HEADER = "bursar journal 2".getBytes(StandardCharsets.US_ASCII);
  private static final int SUCCESSOR_LEAD_BYTES = SUCCESSOR_HEADER.length + 8 + 4;
  private static final int END_BYTES = 8 + JournalGroup.CHECKSUM_BYTES;
  /** How many ends of the file before a file can say. */
  static final int MOST_ENDS = 32_768;
  /** Room is made by so many bytes at a time. */
  private static final int ROOM_BYTES = 1 << 20;

  /** Receives the content of the groups, oldest first. */
  interface Reader {
    /**
     * One group.
     *
     * @param content ready for reading; valid during the call
     * @param offset of the content's first byte in the file
     * @param end how far the journal had come with it
     */
    void group(ByteBuffer content, long offset, End end) throws IOException;
  }

  /**
   * How far a journal has come.
   *
   * @param length in bytes, with all that went before it in files whose place it took
   * @param checksum of the last group
   */
  record End(long length, Bytes checksum) {}

  /** Damage that no crash explains. A person must look. */
  static final class DamagedException extends IOException {
    private static final long serialVersionUID = 1L;

    DamagedException(Path file, long offset, String what) {
      super("the journal `" + file + "` is damaged at byte " + offset + ": " + what
          + "; restore it from a backup taken after the last signature, and do not delete it");
    }
  }

  private final FileChannel channel;
  /** What lengths of the journal are more than lengths in this file. */
  private long lengthBefore;
  /** Ends of the last groups before this file, by their lengths. */
  private final SortedMap<Long, Bytes> endsBefore = new TreeMap<>();
  private long length;
  /** From {@link #length} to here there are zeros. */
  private long room;
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
    this.lastChecksum = new byte[JournalGroup.CHECKSUM_BYTES];
    room = channel.size();
    if (room < HEADER.length) {
      start(path, room);
      cutBytes = 0;
      return;
    }
    try (var arena = Arena.ofConfined()) {
      var file = channel.map(FileChannel.MapMode.READ_ONLY, 0, room, arena);
      boolean isSuccessor = JournalGroup.holds(file, 0, SUCCESSOR_HEADER);
      if (!isSuccessor && !JournalGroup.holds(file, 0, HEADER)) {
        throw new DamagedException(path, 0, "it does not begin as a journal of version 1 or 2 does");
      }
      long kept = isSuccessor ? keptUntil(path, file) : 0;
      length = isSuccessor ? SUCCESSOR_LEAD_BYTES : HEADER.length;
      long size = JournalGroup.soundSize(file, length);
      while (size > 0 && JournalGroup.follows(file, length, lastChecksum)) {
        var content = JournalGroup.content(file, length).asByteBuffer();
        long at = length;
        lastChecksum = JournalGroup.checksum(file, length);
        length += size;
        if (isSuccessor && at == SUCCESSOR_LEAD_BYTES) {
          readEndsBefore(content);
        } else {
          reader.group(content, at + JournalGroup.LEAD_BYTES, new End(length(), Bytes.of(lastChecksum)));
        }
        size = JournalGroup.soundSize(file, length);
      }
      if (length < kept) {
        throw new DamagedException(path, length, "what stayed of the one before ends at byte " + kept);
      }
      cutBytes = JournalGroup.end(file, length) - length;
      if (cutBytes > 0) {
        var damage = JournalGroup.noTornGroup(file, length, length + cutBytes, lastChecksum);
        if (damage.isPresent()) {
          throw new DamagedException(path, length, damage.get());
        }
      }
    }
    needsRepair = cutBytes > 0;
    repair();
  }

  /**
   * Begins a file that is to take the place of another. All is appended to it that stays of that one, and then it is {@link #finish}ed.
   *
   * @param path where there is none yet
   * @param ends the last ends of the other, oldest first, the last of them being how far it had come; 1 to {@link #MOST_ENDS}
   */
  static JournalFile succeed(Path path, Collection<End> ends) throws IOException {
    var content = ByteBuffer.allocate(ends.size() * END_BYTES);
    ends.forEach(end -> content.putLong(end.length).put(end.checksum.toByteArray()));
    var group = JournalGroup.encode(new byte[JournalGroup.CHECKSUM_BYTES], content.array());
    SafeFiles.create(path, ByteBuffer.allocate(SUCCESSOR_LEAD_BYTES + group.length)
        .put(successorLead(SUCCESSOR_LEAD_BYTES + group.length)).put(group).array());
    return open(path, SafeFiles.open(path), (_, _, _) -> {});
  }

  /** All that stays of the file before is in this one, and durable: from now on it is damaged if any of it is missing. */
  void finish() throws IOException {
    channel.write(ByteBuffer.wrap(successorLead(length)), 0);
    channel.force(true);
  }

  private static byte[] successorLead(long keptUntil) {
    var lead = ByteBuffer.allocate(SUCCESSOR_LEAD_BYTES).put(SUCCESSOR_HEADER).putLong(keptUntil);
    return lead.putInt(JournalGroup.crc32c(lead.duplicate().flip())).array();
  }

  private static long keptUntil(Path path, MemorySegment file) throws DamagedException {
    if (file.byteSize() >= SUCCESSOR_LEAD_BYTES) {
      var lead = file.asSlice(0, SUCCESSOR_LEAD_BYTES).toArray(ValueLayout.JAVA_BYTE);
      long keptUntil = ByteBuffer.wrap(lead).getLong(SUCCESSOR_HEADER.length);
      if (Arrays.equals(lead, successorLead(keptUntil))) {
        return keptUntil;
      }
    }
    throw new DamagedException(path, SUCCESSOR_HEADER.length,
        "it does not say where what stayed of the one before ends");
  }

  private void readEndsBefore(ByteBuffer ends) {
    while (ends.remaining() >= END_BYTES) {
      var checksum = new byte[JournalGroup.CHECKSUM_BYTES];
      lengthBefore = ends.getLong();
      ends.get(checksum);
      endsBefore.put(lengthBefore, Bytes.of(checksum));
    }
  }

  /** Bytes of a torn last group that opening cut away. */
  long cutBytes() {
    return cutBytes;
  }

  /** Length of all that is durable, in bytes, with what went before this file and without the room behind it. */
  long length() {
    return lengthBefore + length;
  }

  /** Length of all that is durable in this file, in bytes, without the room behind it. */
  long bytes() {
    return length;
  }

  /** Ends of the last groups before this file, newest first. */
  List<End> endsBefore() {
    return endsBefore.entrySet().stream().map(end -> new End(end.getKey(), end.getValue())).toList().reversed();
  }

  /** How far it has come. */
  JournalMark mark(Instant now) {
    return new JournalMark(now.truncatedTo(ChronoUnit.MILLIS), length(), Bytes.of(lastChecksum));
  }

  /** Whether it reaches as far as a mark, and is the same up to there; not if the mark is older than the ends that are still known. */
  boolean holds(JournalMark mark) throws IOException {
    if (mark.length() <= HEADER.length) {
      return true;
    }
    if (mark.length() <= lengthBefore) {
      return mark.checksum().equals(endsBefore.get(mark.length()));
    }
    long end = mark.length() - lengthBefore;
    int most = JournalGroup.CHECKSUM_BYTES + 1;
    return end <= length && end >= HEADER.length + most
        && JournalGroup.endsWith(read(end - most, most), mark.checksum().toByteArray());
  }

  /**
   * Appends a group and waits until it is on the disk. If that fails, none of it counts, and the next call first
   * removes what was written of it.
   *
   * @param content 1 to {@link JournalGroup#MOST_CONTENT} bytes
   * @return offset of the content's first byte in the file
   */
  long append(byte[] content) throws IOException {
    if (content.length == 0 || content.length > JournalGroup.MOST_CONTENT) {
      throw new IllegalArgumentException(
          "a group has 1 to " + JournalGroup.MOST_CONTENT + " bytes, not " + content.length);
    }
    repair();
    var group = ByteBuffer.wrap(JournalGroup.encode(lastChecksum, content));
    int size = group.remaining();
    makeRoom(length + size);
    needsRepair = true;
    long position = length;
    while (group.hasRemaining()) {
      position += channel.write(group, position);
    }
    channel.force(false);
    needsRepair = false;
    lastChecksum = JournalGroup.checksum(MemorySegment.ofArray(group.array()), 0);
    length += size;
    return length - size + JournalGroup.LEAD_BYTES;
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
      throw new DamagedException(path, 0, "it does not begin as a journal of version 1 or 2 does");
    }
    channel.write(ByteBuffer.wrap(HEADER), 0);
    channel.force(true);
    SafeFiles.syncDirectory(path);
    length = HEADER.length;
    room = length;
  }

  /** Takes away what was written of a group that did not become durable, if there is anything, and with it the room. */
  void repair() throws IOException {
    if (!needsRepair) {
      return;
    }
    channel.truncate(length);
    channel.force(true);
    room = length;
    needsRepair = false;
  }

  /** Has zeros on the disk at least up to an offset. INVARIANT: but for the lead, by {@link #finish}, no byte before {@link #length} is ever written again. */
  private void makeRoom(long until) throws IOException {
    if (until <= room) {
      return;
    }
    long next = until + ROOM_BYTES;
    var zeros = ByteBuffer.allocate(ROOM_BYTES / 16);
    for (long position = Math.max(room, length); position < next;) {
      zeros.clear().limit((int) Math.min(zeros.capacity(), next - position));
      position += channel.write(zeros, position);
    }
    channel.force(false);
    room = next;
  }
}
