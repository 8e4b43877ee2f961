package io.bursar.log;

import java.util.Arrays;
import java.util.List;

import io.bursar.permit.Digest32;

/**
 * A tile of hashes: up to 256 consecutive hashes of one level, 32 bytes each, one after the other.
 *
 * @see <a href="https://c2sp.org/tlog-tiles">C2SP tlog-tiles</a>
 */
public final class Tile {
  private final byte[] bytes;

  private Tile(byte[] bytes) {
    this.bytes = bytes;
  }

  /**
   * The tile that these bytes are.
   *
   * @throws IllegalArgumentException if they are not exactly {@code width} hashes
   */
  public static Tile of(byte[] bytes, int width) {
    if (bytes.length != width * Digest32.BYTES) {
      throw new IllegalArgumentException(
          "a tile of width " + width + " has " + width * Digest32.BYTES + " bytes, not " + bytes.length);
    }
    return new Tile(bytes.clone());
  }

  /** The tile of these hashes, at most 256. */
  public static Tile of(List<Digest32> hashes) {
    var bytes = new byte[hashes.size() * Digest32.BYTES];
    for (int i = 0; i < hashes.size(); i++) {
      System.arraycopy(hashes.get(i).bytes(), 0, bytes, i * Digest32.BYTES, Digest32.BYTES);
    }
    return new Tile(bytes);
  }

  public byte[] bytes() {
    return bytes.clone();
  }

  /** How many hashes it holds. */
  public int width() {
    return bytes.length / Digest32.BYTES;
  }

  public Digest32 hash(int index) {
    return Digest32.of(Arrays.copyOfRange(bytes, index * Digest32.BYTES, (index + 1) * Digest32.BYTES));
  }

  /**
   * The root over the hashes {@code [index × 2^height, (index + 1) × 2^height)}, all of which it must hold. Over a full tile, at
   * height 8, it is the tile's hash in the level above.
   */
  public Digest32 root(int height, int index) {
    return height == 0 ? hash(index) : Merkle.nodeHash(root(height - 1, 2 * index), root(height - 1, 2 * index + 1));
  }
}
