package io.bursar.log;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

import io.bursar.permit.Digest32;

/** A log in memory, made the plain way: the definitions of RFC 6962 and nothing clever. */
final class Trees implements HashSource {
  private final List<byte[]> entries = new ArrayList<>();

  Trees(List<byte[]> entries) {
    this.entries.addAll(entries);
  }

  static Trees of(int size, String prefix) {
    var entries = new ArrayList<byte[]>();
    for (int i = 0; i < size; i++) {
      entries.add((prefix + i).getBytes(java.nio.charset.StandardCharsets.UTF_8));
    }
    return new Trees(entries);
  }

  Digest32 leaf(int index) {
    return Merkle.leafHash(entries.get(index));
  }

  Digest32 root(int from, int to) {
    if (to - from <= 1) {
      return from == to ? Merkle.emptyRoot() : leaf(from);
    }
    int middle = from + Integer.highestOneBit(to - from - 1);
    return Merkle.nodeHash(root(from, middle), root(middle, to));
  }

  @Override
  public Digest32 hash(int level, long index) {
    return root((int) (index << level), (int) ((index + 1) << level));
  }

  /** Every file of the log at this size, by its path. */
  Map<String, byte[]> files(int size) {
    var files = new HashMap<String, byte[]>();
    for (var path : TilePath.grown(0, size)) {
      int from = (int) path.index() * TilePath.FULL;
      if (path.isEntries()) {
        files.put(path.text(), EntryBundle.encode(entries.subList(from, from + path.width())));
      } else {
        var hashes = new ArrayList<Digest32>();
        for (int i = from; i < from + path.width(); i++) {
          hashes.add(hash(path.level() * TilePath.HEIGHT, i));
        }
        files.put(path.text(), Tile.of(hashes).bytes());
      }
    }
    return files;
  }
}
