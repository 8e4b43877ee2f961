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
public record NodeStatus(int number, boolean well, @Nullable String why, long head, long behind) {}
