package io.bursar.store;

import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.function.Function;

/**
 * One page of a list in a stable order, and where the next one begins.
 *
 * @param nextAfter the identifier to continue after; empty on the last page
 */
public record Page<T>(List<T> items, Optional<UUID> nextAfter) {
  /** The most items of a page. */
  public static final int LIMIT_MAX = 500;

  /**
   * Which page.
   *
   * @param after the last identifier of the page before; empty for the first page
   * @param limit 1 to {@value #LIMIT_MAX}
   */
  public record Request(Optional<UUID> after, int limit) {
    public Request {
      if (limit < 1 || limit > LIMIT_MAX) {
        throw new IllegalArgumentException("limit must be 1 to " + LIMIT_MAX);
      }
    }
  }

  /** A page of rows that were read with one more than {@code limit}, if there was one more. */
  public static <T> Page<T> of(List<T> rows, int limit, Function<T, UUID> id) {
    if (rows.size() <= limit) {
      return new Page<>(rows, Optional.empty());
    }
    var items = List.copyOf(rows.subList(0, limit));
    return new Page<>(items, Optional.of(id.apply(items.getLast())));
  }
}
