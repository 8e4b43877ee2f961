package io.bursar.log;

import java.util.List;

import io.bursar.permit.Digest32;

/**
 * The Merkle tree of RFC 6962 over SHA-256: hashing, and the two proofs as a verifier checks them. A prefix byte keeps a leaf
 * from passing for a node.
 *
 * @see <a href="https://www.rfc-editor.org/rfc/rfc6962#section-2.1">RFC 6962, section 2.1</a>
 * @see <a href="https://www.rfc-editor.org/rfc/rfc9162#section-2.1.3.2">RFC 9162, sections 2.1.3.2 and 2.1.4.2</a>
 */
public final class Merkle {
  private static final byte[] LEAF = {0};
  private static final byte[] NODE = {1};
  private static final Digest32 EMPTY = Digest32.sha256();

  private Merkle() {}

  /** The hash of a leaf that holds these bytes. */
  public static Digest32 leafHash(byte[] entry) {
    return Digest32.sha256(LEAF, entry);
  }

  /** The hash of a node above two others. */
  public static Digest32 nodeHash(Digest32 left, Digest32 right) {
    return Digest32.sha256(NODE, left.bytes(), right.bytes());
  }

  /** The root of a tree without leaves. */
  public static Digest32 emptyRoot() {
    return EMPTY;
  }

  /**
   * Whether the proof shows that a tree of this size and root holds the leaf at the index. Never throws.
   *
   * @param proof the hashes beside the path, the leaf's own sibling first
   */
  public static boolean includes(long index, long size, Digest32 leafHash, List<Digest32> proof, Digest32 root) {
    if (index < 0 || index >= size) {
      return false;
    }
    var walk = new Walk(index, size - 1);
    var hash = leafHash;
    for (var sibling : proof) {
      if (walk.isOver()) {
        return false;
      }
      hash = walk.siblingIsLeft() ? nodeHash(sibling, hash) : nodeHash(hash, sibling);
      walk.up();
    }
    return walk.isOver() && hash.equals(root);
  }

  /**
   * Whether the proof shows that a tree of the newer size and root begins with all leaves of the older. Never throws. Nothing
   * can be shown about an older tree without leaves, so that its size must be above 0.
   *
   * @param proof as RFC 6962 makes it: empty between equal sizes
   */
  public static boolean isConsistent(long oldSize, Digest32 oldRoot, long newSize, Digest32 newRoot,
      List<Digest32> proof) {
    if (oldSize <= 0 || oldSize > newSize) {
      return false;
    }
    if (oldSize == newSize) {
      return proof.isEmpty() && oldRoot.equals(newRoot);
    }
    boolean complete = Long.bitCount(oldSize) == 1; // then the old root is itself the first hash, and left out
    if (proof.isEmpty()) {
      return false;
    }
    var walk = new Walk(oldSize - 1, newSize - 1);
    walk.skipLefts();
    var older = complete ? oldRoot : proof.getFirst();
    var newer = older;
    for (var hash : complete ? proof : proof.subList(1, proof.size())) {
      if (walk.isOver()) {
        return false;
      }
      if (walk.siblingIsLeft()) {
        older = nodeHash(hash, older);
        newer = nodeHash(hash, newer);
      } else {
        newer = nodeHash(newer, hash);
      }
      walk.up();
    }
    return walk.isOver() && older.equals(oldRoot) && newer.equals(newRoot);
  }

  /** The way from a node up to the root: the node's place in its level, and the place of the level's last node. */
  private static final class Walk {
    private long node;
    private long last;

    Walk(long node, long last) {
      this.node = node;
      this.last = last;
    }

    boolean isOver() {
      return last == 0;
    }

    boolean siblingIsLeft() {
      return (node & 1) == 1 || node == last;
    }

    /** One level up, and past the levels where a lone last node has no sibling. */
    void up() {
      if (node == last) {
        while (node != 0 && (node & 1) == 0) {
          node >>= 1;
          last >>= 1;
        }
      }
      node >>= 1;
      last >>= 1;
    }

    void skipLefts() {
      while ((node & 1) == 1) {
        node >>= 1;
        last >>= 1;
      }
    }
  }
}
