package io.bursar.permit;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Permits that share a signature: it is over the root of a binary tree, and each permit carries its place in the tree, so that it is
 * verified without the others. To sign, and to verify, takes far longer than all else that is done with a permit.
 *
 * <p>
 * A leaf is SHA-256 of a zero and a permit's fields; a node is SHA-256 of a one, the node on its left and that on its right. The leaves
 * are made a power of two by repeating the last. As in RFC 6962, the first byte keeps a leaf from passing for a node.
 */
final class PermitTree {
  /** The most permits under one signature. */
  static final int MOST = 16;
  /** First byte of a permit that carries its place. */
  static final int VERSION = 2;

  private static final byte[] DOMAIN = "bursar permits v1\n".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] LEAF = {0};
  private static final byte[] NODE = {1};
  private static final int LEVELS_MAX = Integer.numberOfTrailingZeros(MOST);
  private static final int BESIDE_AT = Permit.ENCODED_BYTES + 1;

  private PermitTree() {}

  /** Whether bytes are as long as those of a permit with a place, and say that they are one. */
  static boolean isPlaced(byte[] permit) {
    int beside = permit.length - BESIDE_AT;
    return beside > 0 && beside % Digest32.BYTES == 0 && beside <= LEVELS_MAX * Digest32.BYTES
        && permit[0] == VERSION;
  }

  /**
   * What is signed for a permit with a place: the domain and the root above it.
   *
   * @param permit for which {@link #isPlaced} is so
   */
  static byte[] message(byte[] permit) {
    var hash = leaf(permit);
    int position = permit[Permit.ENCODED_BYTES] & 0xff;
    for (int at = BESIDE_AT; at < permit.length; at += Digest32.BYTES) {
      var beside = Digest32.of(Arrays.copyOfRange(permit, at, at + Digest32.BYTES));
      hash = (position & 1) == 1 ? node(beside, hash) : node(hash, beside);
      position >>= 1;
    }
    return message(hash);
  }

  /**
   * Signs permits, {@value #MOST} at a time.
   *
   * @param permits the fields of each, of version 2
   */
  static List<SignedPermit> sign(List<byte[]> permits, PermitSigningKey key) {
    var signed = new ArrayList<SignedPermit>(permits.size());
    for (int from = 0; from < permits.size(); from += MOST) {
      signed.addAll(signTogether(permits.subList(from, Math.min(from + MOST, permits.size())), key));
    }
    return signed;
  }

  private static List<SignedPermit> signTogether(List<byte[]> permits, PermitSigningKey key) {
    var levels = new ArrayList<List<Digest32>>();
    var level = permits.stream().map(PermitTree::leaf).toList();
    do { // also of one alone, which is then its own sibling
      level = even(level);
      levels.add(level);
      var below = level;
      level = java.util.stream.IntStream.range(0, below.size() / 2)
          .mapToObj(pair -> node(below.get(2 * pair), below.get(2 * pair + 1))).toList();
    } while (level.size() > 1);
    var signature = Bytes.of(key.sign(message(level.getFirst())));
    var signed = new ArrayList<SignedPermit>(permits.size());
    for (int position = 0; position < permits.size(); position++) {
      var placed = ByteBuffer.allocate(BESIDE_AT + levels.size() * Digest32.BYTES).put(permits.get(position))
          .put((byte) position);
      for (int height = 0; height < levels.size(); height++) {
        placed.put(levels.get(height).get(position >> height ^ 1).bytes());
      }
      signed.add(new SignedPermit(Bytes.of(placed.array()), signature));
    }
    return signed;
  }

  /** With the last one twice where they are not in pairs. */
  private static List<Digest32> even(List<Digest32> level) {
    if (level.size() % 2 == 0) {
      return level;
    }
    var even = new ArrayList<>(level);
    even.add(level.getLast());
    return even;
  }

  private static byte[] message(Digest32 root) {
    return ByteBuffer.allocate(DOMAIN.length + Digest32.BYTES).put(DOMAIN).put(root.bytes()).array();
  }

  private static Digest32 leaf(byte[] permit) {
    return Digest32.sha256(LEAF, Arrays.copyOf(permit, Permit.ENCODED_BYTES));
  }

  private static Digest32 node(Digest32 left, Digest32 right) {
    return Digest32.sha256(NODE, left.bytes(), right.bytes());
  }
}
