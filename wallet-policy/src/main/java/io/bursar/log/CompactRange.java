package io.bursar.log;

import java.util.ArrayList;
import java.util.List;

import io.bursar.permit.Digest32;

/**
 * The right edge of a tree: the roots of the complete subtrees that its size is the sum of, largest first. It is all that is
 * needed to append leaves and to know the root. Not safe for several threads.
 */
public final class CompactRange {
  private final ArrayList<Digest32> edge;
  private long size;

  /** The edge of a tree without leaves. */
  public CompactRange() {
    this(0, List.of());
  }

  /**
   * The edge that {@link #hashes} answered for a tree of this size.
   *
   * @throws IllegalArgumentException if a tree of this size has another number of complete subtrees
   */
  public CompactRange(long size, List<Digest32> hashes) {
    if (size < 0 || hashes.size() != Long.bitCount(size)) {
      throw new IllegalArgumentException(
          "the edge of a tree of size `" + size + "` has " + Long.bitCount(size) + " hashes, not " + hashes.size());
    }
    this.size = size;
    this.edge = new ArrayList<>(hashes);
  }

  /** The edge of a tree of this size whose complete subtrees can be asked for. */
  public static CompactRange of(long size, HashSource source) {
    var hashes = new ArrayList<Digest32>();
    for (int level = Long.SIZE - 2; level >= 0; level--) {
      if ((size >> level & 1) == 1) {
        hashes.add(source.hash(level, (size >> level) - 1));
      }
    }
    return new CompactRange(size, hashes);
  }

  /** Appends one leaf. */
  public void append(Digest32 leafHash) {
    var hash = leafHash;
    for (long rest = size; (rest & 1) == 1; rest >>= 1) {
      hash = Merkle.nodeHash(edge.removeLast(), hash);
    }
    edge.add(hash);
    size++;
  }

  /** The number of leaves. */
  public long size() {
    return size;
  }

  /** The edge, largest subtree first; as many as {@link #size} has one bits. */
  public List<Digest32> hashes() {
    return List.copyOf(edge);
  }

  /** The root of the tree. */
  public Digest32 root() {
    if (edge.isEmpty()) {
      return Merkle.emptyRoot();
    }
    var root = edge.getLast();
    for (int i = edge.size() - 2; i >= 0; i--) {
      root = Merkle.nodeHash(edge.get(i), root);
    }
    return root;
  }
}
