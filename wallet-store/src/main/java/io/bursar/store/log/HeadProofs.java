package io.bursar.store.log;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

import io.bursar.log.HashSource;
import io.bursar.log.LogProof;
import io.bursar.log.Proofs;
import io.bursar.log.SignedNote;
import io.bursar.log.TileHashes;
import io.bursar.log.TilePath;
import io.bursar.permit.Digest32;

/**
 * Proofs under one signed head for everybody who asks while it is the newest: tiles are read and subtrees hashed once for all of
 * them. Nobody waits for anybody: who asks at the same moment may read the same tile twice.
 */
final class HeadProofs {
  /** With their hashes at most a megabyte a tenant. */
  private static final int TILES_MAX = 64;
  private static final int SUBTREES_MAX = 4096;

  /** A complete subtree of the log. */
  private record Subtree(int level, long index) {}

  private final LogTiles source;
  private final SignedNote head;
  private final long size;
  private final Map<TilePath, byte[]> tiles = new ConcurrentHashMap<>();
  private final Map<Subtree, Digest32> subtrees = new ConcurrentHashMap<>();

  /**
   * Nothing is read yet.
   *
   * @param source tiles of a state of the log that is at least as long
   * @param size of the tree under the head
   */
  HeadProofs(LogTiles source, SignedNote head, long size) {
    this.source = source;
    this.head = head;
    this.size = size;
  }

  boolean isUnder(SignedNote other) {
    return head.equals(other);
  }

  boolean covers(long seq) {
    return seq <= size;
  }

  /** The receipt of an entry by its number, from 1. */
  LogProof receipt(long seq) {
    return new LogProof(Optional.empty(), seq - 1, inclusion(seq), head);
  }

  private List<Digest32> inclusion(long seq) {
    var hashes = new TileHashes(size, this::tile);
    HashSource known = (level, index) -> keep(subtrees, SUBTREES_MAX, new Subtree(level, index),
        subtree -> hashes.hash(subtree.level, subtree.index));
    return new Proofs(known).inclusion(seq - 1, size);
  }

  private byte[] tile(TilePath path) {
    return keep(tiles, TILES_MAX, path, source::present);
  }

  /** Not by computeIfAbsent, which would keep others waiting while a file is read. */
  private static <K, V> V keep(Map<K, V> kept, int most, K key, java.util.function.Function<K, V> find) {
    var known = kept.get(key);
    if (known != null) {
      return known;
    }
    var found = find.apply(key);
    if (kept.size() >= most) {
      kept.clear();
    }
    kept.put(key, found);
    return found;
  }
}
