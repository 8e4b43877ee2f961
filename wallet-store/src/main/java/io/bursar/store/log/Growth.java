package io.bursar.store.log;

import java.util.ArrayList;
import java.util.List;

import io.bursar.log.CompactRange;
import io.bursar.log.EntryBundle;
import io.bursar.log.Merkle;
import io.bursar.log.Tile;
import io.bursar.log.TilePath;
import io.bursar.permit.Digest32;

/**
 * A log that grows from a state, entry by entry: keeps its right edge and gathers the tiles that it completes. Every completed tile
 * is checked against the edge, which was signed entry by entry: if an entry was changed after it was sequenced, they differ.
 */
final class Growth {
  /** What was sequenced is no longer what it was. */
  static final class Rewritten extends Exception {
    private static final long serialVersionUID = 1;

    Rewritten(String message) {
      super(message);
    }
  }

  private final LogState from;
  private final CompactRange range;
  /** The tree above the tiles of each level below, by the level of its leaves. */
  private final List<CompactRange> above = new ArrayList<>();
  private final List<List<Digest32>> upper = new ArrayList<>();
  private final List<byte[]> entries = new ArrayList<>();
  private final List<Digest32> leaves = new ArrayList<>();
  private final List<TileStore.Written> completed = new ArrayList<>();

  /**
   * @param bundle the entries that the state has in its last, partial bundle; may be left out if no tile will be completed
   */
  Growth(LogState from, List<byte[]> bundle) {
    this.from = from;
    this.range = from.range();
    from.upper().forEach(hashes -> upper.add(new ArrayList<>(hashes)));
    bundle.forEach(this::gather);
  }

  /** Whether so many more entries complete a tile, so that the entries of the last bundle are needed. */
  static boolean completes(long size, long more) {
    return TilePath.fullTiles(0, size + more) > TilePath.fullTiles(0, size);
  }

  void append(byte[] entry) throws Rewritten {
    range.append(gather(entry));
    if (range.size() % TilePath.FULL == 0) {
      complete();
    }
  }

  private Digest32 gather(byte[] entry) {
    var leaf = Merkle.leafHash(entry);
    entries.add(entry);
    leaves.add(leaf);
    return leaf;
  }

  private void complete() throws Rewritten {
    long index = range.size() / TilePath.FULL - 1;
    completed.add(new TileStore.Written(new TilePath(TilePath.ENTRIES, index, TilePath.FULL),
        EntryBundle.encode(entries)));
    var hashes = leaves;
    for (int level = 0; hashes.size() == TilePath.FULL; level++) {
      var tile = Tile.of(hashes);
      var root = tile.root(TilePath.HEIGHT, 0);
      var tree = above(level + 1);
      tree.append(root);
      if (!tree.hashes().equals(range.hashes())) {
        throw new Rewritten("`" + new TilePath(level, tree.size() - 1, TilePath.FULL).text()
            + "` is not what was signed: entries were changed after they were sequenced");
      }
      completed.add(new TileStore.Written(new TilePath(level, tree.size() - 1, TilePath.FULL), tile.bytes()));
      hashes.clear();
      if (upper.size() == level) {
        upper.add(new ArrayList<>());
      }
      hashes = upper.get(level);
      hashes.add(root);
    }
    entries.clear();
  }

  private CompactRange above(int level) {
    while (above.size() < level) {
      long size = from.size() >> (TilePath.HEIGHT * (above.size() + 1));
      above.add(new CompactRange(size, from.edge().subList(0, Long.bitCount(size))));
    }
    return above.get(level - 1);
  }

  /** The full tiles and bundles that were completed. */
  List<TileStore.Written> completed() {
    return completed;
  }

  /** The root of the tree. */
  Digest32 root() {
    return range.root();
  }

  /** The state now, with the checkpoint that it had before. */
  LogState state() {
    return new LogState(range.size(), range.hashes(), upper.stream().map(List::copyOf).toList(), from.checkpoint(),
        from.checkpointSize(), from.stopped(), from.published());
  }
}
