package io.bursar.permit;

import java.time.Instant;

/**
 * How far the signer's journal had come at a time, for whoever keeps it apart from the journal: a journal that does not hold this
 * any more was lost or put back.
 *
 * @param at whole milliseconds
 * @param length of the journal in bytes
 * @param checksum of its last group, 16 bytes; zeros for an empty one
 */
public record JournalMark(Instant at, long length, Bytes checksum) {
  /** Length of the checksum in bytes. */
  public static final int CHECKSUM_BYTES = 16;

  public JournalMark {
    if (checksum.size() != CHECKSUM_BYTES || length < 0) {
      throw new IllegalArgumentException("a mark has a length from 0 and a checksum of 16 bytes");
    }
  }
}
