package io.bursar.log;

import java.util.HashMap;
import java.util.Map;

import io.bursar.permit.Digest32;

/**
 * The complete subtrees of a log of one size, from its tiles. Every tile is read once and kept: make one for each proof. It
 * believes the tiles; who does not trust them checks what comes out against a signed root.
 */
public final class TileHashes implements HashSource {
  /** Gets a tile of hashes. */
  @FunctionalInterface
  public interface Reader {
    /** The bytes of a tile that the log has. */
    byte[] read(TilePath path);
  }

  private final long size;
  private final Reader reader;
  private final Map<TilePath, Tile> tiles = new HashMap<>();

  /**
   * @param size of a tree for which the log has kept its partial tiles, such as that of a checkpoint
   */
  public TileHashes(long size, Reader reader) {
    this.size = size;
    this.reader = reader;
  }

  @Override
  public Digest32 hash(int level, long index) {
    int height = level % TilePath.HEIGHT;
    long first = index << height; // of the hashes of the tiles' level that it spans
    var path = TilePath.in(size, level / TilePath.HEIGHT, first / TilePath.FULL);
    var tile = tiles.computeIfAbsent(path, missing -> Tile.of(reader.read(missing), missing.width()));
    return tile.root(height, (int) (first % TilePath.FULL) >> height);
  }
}
