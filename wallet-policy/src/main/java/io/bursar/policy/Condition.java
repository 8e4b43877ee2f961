package io.bursar.policy;

import java.math.BigDecimal;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;

import org.jspecify.annotations.Nullable;

import io.bursar.spend.SpendFacts;

/**
 * The {@code when} of a rule, made ready for many requests: a pure function of what it is given. The rule speaks only where
 * its condition holds.
 */
public interface Condition {
  /** The longest expression, in characters. */
  int EXPRESSION_MAX = 4 * 1024;

  /**
   * Whether it holds.
   *
   * @throws RuntimeException if it cannot be evaluated
   */
  boolean holds(Inputs inputs);

  Reads reads();

  /**
   * All that a condition can see.
   *
   * @param facts what is asked for, but for its amount
   * @param amount in units of the asset
   * @param spent what the window of each limit that it names holds now, in units of the asset or currency
   */
  record Inputs(SpendFacts facts, BigDecimal amount, Instant now, Map<String, BigDecimal> spent) {}

  /**
   * What a condition looks at; more than it needs to is allowed, less is not.
   *
   * @param text whether it looks at the agent's own words
   * @param time whether it looks at the time
   * @param limits the limits of its policy whose use it looks at
   * @param amounts where its answer can change with the amount: at each of these amounts, in ascending order and once, and
   *        nowhere else; none for one that does not look at the amount, null for one that nobody can see through
   */
  record Reads(boolean text, boolean time, Set<String> limits, @Nullable List<BigDecimal> amounts) {
    public Reads {
      limits = Set.copyOf(limits);
      amounts = amounts == null ? null : List.copyOf(amounts);
    }

    /** Whether its answer is the same at all times for the same request. */
    boolean timeless() {
      return !time && limits.isEmpty();
    }
  }
}
