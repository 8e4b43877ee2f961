package io.bursar.log;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/**
 * Where a tile or a bundle of entries is, below a log's prefix: {@code tile/<L>/<N>[.p/<W>]}, with N in groups of three
 * digits such as {@code x001/x234/067}.
 *
 * @param level 0 (leaf hashes) to 63, or {@link #ENTRIES}
 * @param index which tile of its level, 0 to 2^55 − 1
 * @param width how many hashes or entries it holds, 1 to {@link #FULL}; less than full is a partial tile
 * @see <a href="https://c2sp.org/tlog-tiles">C2SP tlog-tiles</a>
 */
public record TilePath(int level, long index, int width) {
  /** The level of bundles of entries. */
  public static final int ENTRIES = -1;
  /** How many hashes or entries a full tile holds. */
  public static final int FULL = 256;
  /** The logarithm of {@link #FULL}: how many levels of the tree one tile spans. */
  public static final int HEIGHT = 8;

  private static final int LEVEL_MAX = 63;
  private static final long INDEX_MAX = (1L << 55) - 1;
  private static final Pattern PATH = Pattern
      .compile("tile/(entries|[0-9]{1,2})/((?:x[0-9]{3}/){0,5}[0-9]{3})(?:\\.p/([0-9]{1,3}))?");

  public TilePath {
    if (level < ENTRIES || level > LEVEL_MAX) {
      throw new IllegalArgumentException("a tile's level is 0 to 63, not `" + level + "`");
    }
    if (index < 0 || index > INDEX_MAX) {
      throw new IllegalArgumentException("a tile's index is 0 to 2^55 - 1, not `" + index + "`");
    }
    if (width < 1 || width > FULL) {
      throw new IllegalArgumentException("a tile's width is 1 to 256, not `" + width + "`");
    }
  }

  /**
   * Reads a path in its one spelling.
   *
   * @throws IllegalArgumentException if it is no such path
   */
  public static TilePath parse(String path) {
    var match = PATH.matcher(path);
    if (match.matches()) {
      int level = match.group(1).equals("entries") ? ENTRIES : Integer.parseInt(match.group(1));
      long index = Long.parseLong(match.group(2).replace("x", "").replace("/", ""));
      int width = match.group(3) == null ? FULL : Integer.parseInt(match.group(3));
      if (index <= INDEX_MAX && level <= LEVEL_MAX && width >= 1 && width <= FULL) {
        var tile = new TilePath(level, index, width);
        if (tile.text().equals(path)) {
          return tile;
        }
      }
    }
    throw new IllegalArgumentException("not the path of a tile; expected one such as `tile/0/x001/x234/067.p/5`");
  }

  public boolean isFull() {
    return width == FULL;
  }

  public boolean isEntries() {
    return level == ENTRIES;
  }

  /** The path. */
  public String text() {
    var groups = new StringBuilder("%03d".formatted(index % 1000));
    for (long rest = index / 1000; rest > 0; rest /= 1000) {
      groups.insert(0, "x%03d/".formatted(rest % 1000));
    }
    return "tile/" + (isEntries() ? "entries" : level) + "/" + groups + (isFull() ? "" : ".p/" + width);
  }

  /** How many full tiles a level has in a tree of this size. */
  public static long fullTiles(int level, long size) {
    return hashes(level, size) / FULL;
  }

  /** How many hashes the partial tile of a level holds in a tree of this size; 0 if there is none. */
  public static int partialWidth(int level, long size) {
    return (int) (hashes(level, size) % FULL);
  }

  /**
   * The tile of a level and index as a tree of this size has it, full or partial.
   *
   * @throws IllegalArgumentException if it has none
   */
  public static TilePath in(long size, int level, long index) {
    long full = fullTiles(level, size);
    return new TilePath(level, index, index < full ? FULL : index == full ? partialWidth(level, size) : 0);
  }

  /**
   * The tiles and bundles that a tree has, when it has grown to the newer size, and had not at the older: the full ones that
   * were completed and the partial ones at its edge.
   */
  public static List<TilePath> grown(long oldSize, long newSize) {
    var tiles = new ArrayList<TilePath>();
    for (int level = ENTRIES; level <= LEVEL_MAX && hashes(level, newSize) > 0; level++) {
      long full = fullTiles(level, newSize);
      for (long index = fullTiles(level, oldSize); index < full; index++) {
        tiles.add(new TilePath(level, index, FULL));
      }
      int width = partialWidth(level, newSize);
      if (width > 0 && (width != partialWidth(level, oldSize) || full != fullTiles(level, oldSize))) {
        tiles.add(new TilePath(level, full, width));
      }
    }
    return tiles;
  }

  private static long hashes(int level, long size) {
    int shift = HEIGHT * Math.max(level, 0);
    return shift < Long.SIZE ? size >> shift : 0;
  }
}
