package io.bursar.policy;

import java.util.Set;

import org.jspecify.annotations.Nullable;

/**
 * When a rule speaks, beside its match and its schedule. It has no say in what a limit counts.
 *
 * @param expression as it was written
 * @param condition the same made ready
 */
public record When(String expression, Condition condition) {
  /** One whose expression cannot be made ready any more: it can never be evaluated, and so it restricts. */
  static When broken(String expression) {
    return new When(expression, new Condition() {
      @Override
      public boolean holds(Inputs inputs) {
        throw new IllegalStateException("this condition is not understood");
      }

      @Override
      public Reads reads() {
        return new Reads(false, false, Set.of(), java.util.List.of());
      }
    });
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof When when && expression.equals(when.expression);
  }

  @Override
  public int hashCode() {
    return expression.hashCode();
  }
}
