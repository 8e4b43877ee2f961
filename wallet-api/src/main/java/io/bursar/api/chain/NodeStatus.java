package io.bursar.api.chain;

import org.jspecify.annotations.Nullable;

/**
 * A node as it was last seen.
 *
 * @param number its place in the configuration, from 1; the endpoint itself may hold a provider's key
 * @param well whether it is asked
 * @param why why it is not; null if it is
 * @param head the newest block that it has said to have, or 0
 * @param behind how many blocks that is behind the chain's best node
 */
public record NodeStatus(int number, boolean well, @Nullable String why, long head, long behind) {
  /** A node that is more blocks behind than this is asked after the others. */
  static final long BEHIND_MAX = 8;

  /** Why it is asked last, or not at all; null if it is asked like any other. */
  public @Nullable String trouble() {
    if (!well) {
      return "it is not asked: " + why;
    }
    return behind > BEHIND_MAX
        ? "it is " + behind + " blocks behind the chain's best node, and asked after the others"
        : null;
  }
}
