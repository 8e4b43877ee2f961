package io.bursar.policy;

import java.util.Optional;
import java.util.function.Function;

import org.jspecify.annotations.Nullable;

/**
 * What a policy document needs beside itself to be decided.
 *
 * @param sets the sets that it may name, by {@code name@version}
 * @param conditions who understands {@code when}; null where nobody does, and a document with conditions is refused
 */
public record PolicyEnvironment(Function<String, Optional<ValueSet>> sets, @Nullable Conditions conditions) {
  /** No sets, and nobody who understands conditions: enough for documents that have neither. */
  public static final PolicyEnvironment NONE = new PolicyEnvironment(reference -> Optional.empty(), null);

  /** Makes conditions ready; what stands behind it is not known here, so that it need not be there. */
  @FunctionalInterface
  public interface Conditions {
    /**
     * Checks an expression and makes it ready.
     *
     * @param sets the sets that it may name
     * @throws IllegalArgumentException with a message for its author that says all that is wrong with it
     */
    Condition compile(String expression, Function<String, Optional<ValueSet>> sets);
  }
}
