package io.bursar.signer;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.time.Instant;
import java.util.zip.CRC32C;

import io.bursar.permit.Bytes;
import io.bursar.permit.JournalMark;

/**
 * How far the journal had come, kept apart from it, best on another disk, so that a journal that was lost or put back to an older copy
 * is noticed. It is moved after each write to the journal and not waited for: it can lag behind, and never runs ahead.
 *
 * <p>Layout, 44 bytes, big-endian: {@code BANC} (4), length (8), checksum (16), marks up to this time in milliseconds were looked at
 * by a person and say nothing any more (8), CRC-32C of what goes before (4), zeros (4).
 */
final class JournalAnchor implements AutoCloseable {
  private static final Logger LOG = System.getLogger("io.bursar.signer");
  private static final int MAGIC = 0x42414e43;
  private static final int BYTES = 44;

  /** The journal does not hold what it once held. A person must look. */
  static final class LostException extends IOException {
    private static final long serialVersionUID = 1L;

    LostException(String what) {
      super("the journal does not hold what it once held: " + what + ". It was lost, or put back to an older copy; "
          + "signing on could sign a second transfer for a nonce. Put back the newest copy; or, if there is none, "
          + "compare the wallets with the chain, and then accept it as it is with `accept-journal`");
    }
  }

  private final FileChannel channel;
  private JournalMark kept;
  private long acceptedUntil;
  private boolean failing;

  private JournalAnchor(FileChannel channel, JournalMark kept, long acceptedUntil) {
    this.channel = channel;
    this.kept = kept;
    this.acceptedUntil = acceptedUntil;
  }

  /** @throws IOException if it cannot be read, or is not one */
  static JournalAnchor open(Path file) throws IOException {
    var channel = SafeFiles.open(file);
    try {
      var bytes = ByteBuffer.allocate(BYTES);
      while (bytes.hasRemaining() && channel.read(bytes, bytes.position()) >= 0) {
        // all of it
      }
      if (bytes.position() == 0) {
        SafeFiles.syncDirectory(file);
        return new JournalAnchor(channel, none(), 0);
      }
      bytes.flip();
      if (bytes.remaining() != BYTES || bytes.getInt(0) != MAGIC || bytes.getInt(36) != crc(bytes)) {
        throw new LostException("its anchor `" + file + "` is damaged");
      }
      var checksum = new byte[JournalMark.CHECKSUM_BYTES];
      bytes.get(12, checksum);
      return new JournalAnchor(channel, new JournalMark(Instant.EPOCH, bytes.getLong(4), Bytes.of(checksum)),
          bytes.getLong(28));
    } catch (IOException | RuntimeException failed) {
      channel.close();
      throw failed;
    }
  }

  private static JournalMark none() {
    return new JournalMark(Instant.EPOCH, 0, Bytes.of(new byte[JournalMark.CHECKSUM_BYTES]));
  }

  /** @throws LostException unless the journal reaches as far as the anchor, and is the same up to there */
  void check(JournalFile file) throws IOException {
    if (!file.holds(kept)) {
      throw new LostException("it has " + file.length() + " bytes, and had come to " + kept.length());
    }
  }

  /** Notes how far the journal has come. A failure is logged and no more: the journal itself is durable. */
  void move(JournalFile file) {
    kept = file.mark(Instant.EPOCH);
    try {
      write();
      failing = false;
    } catch (IOException failed) {
      if (!failing) {
        LOG.log(Level.ERROR, "the journal's anchor cannot be written: " + failed.getMessage());
      }
      failing = true;
    }
  }

  /** Keeps a mark that the journal does not hold, so that the next start refuses too. */
  void keep(JournalMark known) throws IOException {
    kept = known;
    write();
    channel.force(true);
  }

  /** Takes the journal as it is: marks of the past say nothing any more. */
  void accept(JournalFile file, Instant now) throws IOException {
    kept = file.mark(now);
    acceptedUntil = now.toEpochMilli();
    write();
    channel.force(true);
  }

  /** Whether a mark is from before a person accepted the journal. */
  boolean isAccepted(JournalMark known) {
    return known.at().toEpochMilli() <= acceptedUntil;
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }

  private void write() throws IOException {
    var bytes = ByteBuffer.allocate(BYTES).putInt(MAGIC).putLong(kept.length()).put(kept.checksum().toByteArray())
        .putLong(acceptedUntil);
    bytes.putInt(crc(bytes.duplicate().position(0).limit(BYTES))).position(0).limit(BYTES);
    while (bytes.hasRemaining()) {
      channel.write(bytes, bytes.position());
    }
  }

  private static int crc(ByteBuffer bytes) {
    var crc = new CRC32C();
    crc.update(bytes.duplicate().position(0).limit(36));
    return (int) crc.getValue();
  }
}
