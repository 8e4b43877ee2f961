package io.bursar.verify;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.Optional;
import java.util.function.LongConsumer;

import io.bursar.log.Checkpoint;
import io.bursar.log.NoteKey;
import io.bursar.log.SignedNote;
import io.bursar.log.TilePath;

/**
 * Checks a whole log with nothing but its public key: the signature on its head, that it has only grown since a head seen
 * before, every entry in its place, and every tile.
 *
 * <p>The tree is made again from the entries. What comes out must be the root that was signed, and on the way every tile that
 * is served, and the root that was seen before. So a change of any bit of a bundle, tile or checkpoint is found; the first bad
 * entry is named by the hash that its tile has for it.
 */
public final class LogVerifier {
  private static final int CHECKPOINT_BYTES_MAX = 64 * 1024;

  private final LogSource source;
  private final NoteKey key;
  private final Options options;
  private final EntryCheck entries;

  /**
   * What is checked.
   *
   * @param replay whether every authorization is decided again; the entries must then be Bursar's
   * @param partial whether bundles may be absent, as from the pack of a period: then only the hashes of their entries are
   * checked
   */
  public record Options(boolean replay, boolean partial) {
    /** Every entry must be there, and may say anything. */
    public static final Options DEFAULT = new Options(false, false);
  }

  /**
   * @param key the log's, from somewhere that can be trusted
   */
  public LogVerifier(LogSource source, NoteKey key, Options options) {
    this.source = source;
    this.key = key;
    this.options = options;
    this.entries = options.replay() ? new Replayed(source) : EntryCheck.NONE;
  }

  /** The head that the log shows now, its signature checked, and nothing else. */
  public SignedNote head() throws IOException, BadLog {
    var bytes = source.read("checkpoint", CHECKPOINT_BYTES_MAX)
        .orElseThrow(() -> new IOException("there is no `checkpoint` there, so this is no log"));
    return open(bytes);
  }

  private SignedNote open(byte[] bytes) throws BadLog {
    try {
      var note = SignedNote.parse(bytes);
      Checkpoint.open(note, key);
      return note;
    } catch (IllegalArgumentException e) {
      throw new BadLog(-1, "`checkpoint`: " + e.getMessage());
    }
  }

  /**
   * Checks the whole log.
   *
   * @param seen a head of this log that was checked before
   * @param progress is told now and then how many entries have been checked
   * @throws BadLog if anything is wrong
   * @throws IOException if it could not be read, so that nothing is known
   */
  public Report all(Optional<SignedNote> seen, LongConsumer progress) throws IOException, BadLog {
    return check(head(), seen, 0, progress);
  }

  /**
   * Checks what has been added since a head that was checked before, and that the log has only grown.
   *
   * @throws BadLog and IOException as {@link #all}
   */
  public Report grown(SignedNote seen, LongConsumer progress) throws IOException, BadLog {
    // What was the last bundle then may have been partial: it is read again from its beginning.
    long size = opened(seen).size();
    return check(head(), Optional.of(seen), size - size % TilePath.FULL, progress);
  }

  private Checkpoint opened(SignedNote note) throws BadLog {
    try {
      return Checkpoint.open(note, key);
    } catch (IllegalArgumentException e) {
      throw new BadLog(-1, "the head that was seen before: " + e.getMessage());
    }
  }

  private Report check(SignedNote note, Optional<SignedNote> seenNote, long from, LongConsumer progress)
      throws IOException, BadLog {
    long began = System.nanoTime();
    var head = Checkpoint.open(note, key);
    var seen = seenNote.isPresent() ? opened(seenNote.get()) : null;
    if (seen != null && seen.size() > head.size()) {
      throw new BadLog(-1, "the log has been put back: it has " + head.size() + " entries, and had " + seen.size()
          + " when it was last seen");
    }
    try (var files = new LogFiles(source)) {
      var walk = new Walk(head, seen, files, entries, options.partial());
      walk.run(from, progress);
      return new Report(head, note, from, walk.entries(), walk.absent(), files.count(), walk.replayed(),
          walk.undecided(), Duration.ofNanos(System.nanoTime() - began));
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }
}
