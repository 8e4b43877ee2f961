package io.bursar.verify;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

import io.bursar.log.TilePath;
import io.bursar.permit.Digest32;

/**
 * The Merkle tree (RFC 6962) over a log's entries, made tile by tile and without an object for each hash. It holds what is
 * not yet a full tile of every level above the lowest; what fills up is handed out to be compared with what is served.
 *
 * <p>Not safe for several threads.
 */
final class Tree {
  private static final int BYTES = Digest32.BYTES;

  /** Told of a tile that has filled up. */
  interface Filled {
    void tile(TilePath path, byte[] hashes);
  }

  /** The tile that fills up at one level: its number, and what it holds so far. */
  private static final class Row {
    final byte[] hashes = new byte[TilePath.FULL * BYTES];
    int width;
    long number;

    Row copy() {
      var copy = new Row();
      System.arraycopy(hashes, 0, copy.hashes, 0, width * BYTES);
      copy.width = width;
      copy.number = number;
      return copy;
    }
  }

  private final MessageDigest sha256 = sha256();
  /** From level 1 on. */
  private final List<Row> rows = new ArrayList<>();

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  Tree copy() {
    var copy = new Tree();
    rows.forEach(row -> copy.rows.add(row.copy()));
    return copy;
  }

  private Row row(int level) {
    while (rows.size() < level) {
      rows.add(new Row());
    }
    return rows.get(level - 1);
  }

  /** Begins a level, from 1 on, with what a log has there already. */
  void begin(int level, long number, byte[] hashes) {
    var row = row(level);
    row.number = number;
    row.width = hashes.length / BYTES;
    System.arraycopy(hashes, 0, row.hashes, 0, hashes.length);
  }

  byte[] leafHash(byte[] bundle, int from, int length) {
    sha256.update((byte) 0);
    sha256.update(bundle, from, length);
    return sha256.digest();
  }

  /** Takes the hashes of the next 256 entries. */
  void add(byte[] tile, Filled filled) {
    add(1, fold(tile.clone()), filled);
  }

  private void add(int level, byte[] hash, Filled filled) {
    var row = row(level);
    System.arraycopy(hash, 0, row.hashes, row.width * BYTES, BYTES);
    if (++row.width == TilePath.FULL) {
      var tile = row.hashes.clone();
      filled.tile(new TilePath(level, row.number, TilePath.FULL), tile);
      row.width = 0;
      row.number++;
      add(level + 1, fold(tile), filled);
    }
  }

  /** Hands out what has not filled up. */
  void partial(Filled filled) {
    for (int level = 1; level <= rows.size(); level++) {
      var row = row(level);
      if (row.width > 0) {
        filled.tile(new TilePath(level, row.number, row.width), Arrays.copyOf(row.hashes, row.width * BYTES));
      }
    }
  }

  /** The root, with the hashes of up to 255 more entries after those that were added. */
  Digest32 root(byte[] more) {
    var carry = more.length == 0 ? more : fold(more.clone());
    for (var row : rows) {
      var hashes = Arrays.copyOf(row.hashes, row.width * BYTES + carry.length);
      System.arraycopy(carry, 0, hashes, row.width * BYTES, carry.length);
      carry = hashes.length == 0 ? hashes : fold(hashes);
    }
    return carry.length == 0 ? Digest32.sha256() : Digest32.of(carry);
  }

  /** Pair by pair, and a last one without a pair goes up as it is: the same tree as RFC 6962 makes from above. Overwrites. */
  private byte[] fold(byte[] hashes) {
    for (int width = hashes.length / BYTES; width > 1; width = (width + 1) / 2) {
      for (int i = 0; i < width / 2; i++) {
        sha256.update((byte) 1);
        sha256.update(hashes, 2 * i * BYTES, 2 * BYTES);
        System.arraycopy(sha256.digest(), 0, hashes, i * BYTES, BYTES);
      }
      if (width % 2 == 1) {
        System.arraycopy(hashes, (width - 1) * BYTES, hashes, width / 2 * BYTES, BYTES);
      }
    }
    return Arrays.copyOf(hashes, BYTES);
  }
}
