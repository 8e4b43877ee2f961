package io.bursar.verify;

import java.io.IOException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.function.LongConsumer;

import org.jspecify.annotations.Nullable;

import io.bursar.log.Checkpoint;
import io.bursar.log.TilePath;
import io.bursar.permit.Digest32;

/**
 * One pass over the entries of a log. The first thing that is wrong is kept and the pass goes on to the end, because only the
 * signed root can tell whether the entry or the tile was changed.
 */
final class Walk {
  private static final int BYTES = Digest32.BYTES;

  private final Checkpoint head;
  private final @Nullable Checkpoint seen;
  private final LogFiles files;
  private final EntryCheck check;
  private final boolean partial;

  private final Tree byEntries = new Tree();
  /** The tree that the tiles make, from where it differs from that of the entries. */
  private @Nullable Tree byTiles;
  private @Nullable BadLog entryDiffers;
  private @Nullable BadLog tileDiffers;
  private @Nullable BadLog contentIsBad;
  private byte[] lastByEntries = {};
  private byte[] lastByTiles = {};
  private long entries;
  private long absent;
  private long replayed;
  private long undecided;

  Walk(Checkpoint head, @Nullable Checkpoint seen, LogFiles files, EntryCheck check, boolean partial) {
    this.head = head;
    this.seen = seen;
    this.files = files;
    this.check = check;
    this.partial = partial;
  }

  /** How many entries were read and hashed. */
  long entries() {
    return entries;
  }

  /** How many are not in this copy. */
  long absent() {
    return absent;
  }

  /** How many were authorizations, and decided again. */
  long replayed() {
    return replayed;
  }

  /** How many were authorizations, and could not be. */
  long undecided() {
    return undecided;
  }

  /** @param from the first entry to look at, a multiple of 256 */
  void run(long from, LongConsumer progress) throws IOException, BadLog {
    begin(from);
    if (seen != null && seen.size() == from) {
      compareWithSeen(new byte[0]);
    }
    var pieces = files.pieces(from, head.size());
    while (pieces.hasNext()) {
      var piece = pieces.next();
      long index = piece.path().index() * TilePath.FULL;
      take(piece, index, hashes(piece, index));
      progress.accept(index + piece.path().width() - from);
    }
    conclude();
  }

  /** What was checked before is what the new entries are added to; the head seen before says whether it is that still. */
  private void begin(long from) throws IOException, BadLog {
    for (int level = 1; TilePath.fullTiles(level - 1, from) > 0; level++) {
      long hashes = TilePath.fullTiles(level - 1, from);
      int width = (int) (hashes % TilePath.FULL);
      byEntries.begin(level, hashes / TilePath.FULL, width == 0
          ? new byte[0]
          : Arrays.copyOf(files.tile(TilePath.in(head.size(), level, hashes / TilePath.FULL)), width * BYTES));
    }
  }

  /** The hashes of the entries themselves; for absent ones what their tile says. */
  private byte[] hashes(LogFiles.Piece piece, long index) throws BadLog, IOException {
    var bundle = piece.bundle().orElse(null);
    if (bundle == null) {
      if (!partial) {
        throw new BadLog(index, "`" + piece.bundlePath().text() + "` is missing");
      }
      absent += piece.path().width();
      return piece.hashes();
    }
    var hashes = new byte[piece.hashes().length];
    int at = 0;
    for (int i = 0; i < piece.path().width(); i++) {
      int length = at + 2 <= bundle.length
          ? (bundle[at] & 0xff) * 256 + (bundle[at + 1] & 0xff)
          : Integer.MAX_VALUE / 2;
      if (at + 2 + length > bundle.length) {
        throw new BadLog(index + i, "`" + piece.bundlePath().text() + "` is broken off in entry " + (index + i)
            + ", or a length before it was changed");
      }
      var hash = byEntries.leafHash(bundle, at + 2, length);
      System.arraycopy(hash, 0, hashes, i * BYTES, BYTES);
      look(index + i, bundle, at + 2, length);
      at += 2 + length;
    }
    if (at != bundle.length) {
      differs(new BadLog(index + piece.path().width() - 1, "`" + piece.bundlePath().text() + "` goes on for "
          + (bundle.length - at) + " bytes after its last entry"));
    }
    entries += piece.path().width();
    return hashes;
  }

  private void look(long index, byte[] bundle, int from, int length) throws IOException {
    if (entryDiffers != null || contentIsBad != null) {
      return;
    }
    try {
      switch (check.check(index, Arrays.copyOfRange(bundle, from, from + length))) {
        case DECIDED -> replayed++;
        case UNDECIDED -> undecided++;
        case NOTHING_TO_DECIDE -> {
          // what it says was noted
        }
      }
    } catch (BadLog bad) {
      contentIsBad = bad;
    }
  }

  private void take(LogFiles.Piece piece, long index, byte[] hashes) throws BadLog {
    int differing = Arrays.mismatch(hashes, piece.hashes());
    if (differing >= 0 && byTiles == null) {
      byTiles = byEntries.copy();
      int i = differing / BYTES;
      differs(new BadLog(index + i, "entry " + (index + i) + " (in `" + piece.bundlePath().text() + "`) has the hash "
          + hex(hashes, i) + ", and in `" + piece.path().text() + "` the hash " + hex(piece.hashes(), i)));
    }
    if (seen != null && seen.size() > index && seen.size() <= index + piece.path().width()) {
      compareWithSeen(Arrays.copyOf(hashes, (int) (seen.size() - index) * BYTES));
    }
    if (!piece.path().isFull()) {
      lastByEntries = hashes;
      lastByTiles = piece.hashes();
      return;
    }
    // The levels above are held against the tiles below them, as they are served.
    Tree.Filled compared = this::compare;
    byEntries.add(hashes, byTiles == null ? compared : (path, tile) -> {});
    if (byTiles != null) {
      byTiles.add(piece.hashes(), compared);
    }
  }

  private static String hex(byte[] hashes, int i) {
    return HexFormat.of().formatHex(hashes, i * BYTES, (i + 1) * BYTES);
  }

  private void differs(BadLog what) {
    if (entryDiffers == null) {
      entryDiffers = what;
    }
  }

  private void compare(TilePath path, byte[] made) {
    if (tileDiffers != null) {
      return;
    }
    try {
      int differing = Arrays.mismatch(files.tile(path), made);
      if (differing >= 0) {
        tileDiffers = new BadLog(-1, "`" + path.text() + "`: hash " + differing / BYTES
            + " is not that of the tile below it");
      }
    } catch (BadLog missing) {
      tileDiffers = missing;
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  private void compareWithSeen(byte[] more) throws BadLog {
    if (seen != null && !byEntries.root(more).equals(seen.root())) {
      throw entryDiffers != null
          ? entryDiffers
          : new BadLog(-1, "the log has been rewritten: its first " + seen.size()
              + " entries are not those that it had when it was last seen");
    }
  }

  private void conclude() throws BadLog {
    var tiles = byTiles == null ? byEntries : byTiles;
    tiles.partial(this::compare);
    boolean entriesAreSigned = byEntries.root(lastByEntries).equals(head.root());
    if (entryDiffers != null) {
      boolean tilesAreSigned = tiles.root(lastByTiles).equals(head.root());
      throw new BadLog(entryDiffers.entry(), entryDiffers.getMessage() + (tilesAreSigned
          ? "; the entry was changed, the tile is as signed"
          : entriesAreSigned ? "; the tile was changed, the entry is as signed" : ""));
    }
    if (!entriesAreSigned) {
      throw new BadLog(-1, "entries and tiles do not lead to the root that was signed for " + head.size()
          + " entries: entries were changed together with their tiles, or what was signed is another log");
    }
    if (tileDiffers != null) {
      throw tileDiffers;
    }
    if (contentIsBad != null) {
      throw contentIsBad;
    }
  }
}
