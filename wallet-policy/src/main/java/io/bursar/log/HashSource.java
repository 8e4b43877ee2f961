package io.bursar.log;

import io.bursar.permit.Digest32;

/** Knows the roots of the complete subtrees of a log. */
@FunctionalInterface
public interface HashSource {
  /**
   * The root over leaves {@code [index × 2^level, (index + 1) × 2^level)}, all of which the log has.
   *
   * @param level 0 (leaf hashes) to 62
   */
  Digest32 hash(int level, long index);
}
