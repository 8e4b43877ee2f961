package io.bursar.log;

import java.util.ArrayList;
import java.util.List;

import io.bursar.permit.Digest32;

/** Makes the proofs that {@link Merkle} checks, from the complete subtrees of a log. */
public final class Proofs {
  private final HashSource source;

  public Proofs(HashSource source) {
    this.source = source;
  }

  /**
   * The hashes beside the path from a leaf to the root, the leaf's sibling first.
   *
   * @param index 0 to {@code size − 1}
   */
  public List<Digest32> inclusion(long index, long size) {
    if (index < 0 || index >= size) {
      throw new IllegalArgumentException("a tree of size `" + size + "` has no leaf `" + index + "`");
    }
    var proof = new ArrayList<Digest32>();
    long from = 0;
    long to = size;
    while (to - from > 1) { // from the root down, so the proof comes out from its end
      long middle = from + largestPowerBelow(to - from);
      if (index < middle) {
        proof.add(root(middle, to));
        to = middle;
      } else {
        proof.add(root(from, middle));
        from = middle;
      }
    }
    return proof.reversed();
  }

  /**
   * The hashes that show that the tree of the newer size begins with that of the older.
   *
   * @param oldSize 1 to {@code newSize}
   */
  public List<Digest32> consistency(long oldSize, long newSize) {
    if (oldSize < 1 || oldSize > newSize) {
      throw new IllegalArgumentException("nothing leads from a tree of size `" + oldSize + "` to `" + newSize + "`");
    }
    var proof = new ArrayList<Digest32>();
    long from = 0;
    long to = newSize;
    while (to != oldSize) {
      long middle = from + largestPowerBelow(to - from);
      if (oldSize <= middle) {
        proof.add(root(middle, to));
        to = middle;
      } else {
        proof.add(root(from, middle));
        from = middle;
      }
    }
    if (from != 0) { // else it is the old root, which the verifier has
      proof.add(root(from, to));
    }
    return proof.reversed();
  }

  /** The root over leaves {@code [from, to)}, where {@code from} is where such a subtree begins in a larger tree. */
  private Digest32 root(long from, long to) {
    long length = to - from;
    if (Long.bitCount(length) == 1) {
      int level = Long.numberOfTrailingZeros(length);
      return source.hash(level, from >> level);
    }
    long middle = from + largestPowerBelow(length);
    return Merkle.nodeHash(root(from, middle), root(middle, to));
  }

  private static long largestPowerBelow(long length) {
    return Long.highestOneBit(length - 1);
  }
}
