package io.bursar.policy.cel;

import java.math.BigDecimal;
import java.util.regex.Pattern;

/**
 * A number in a condition: exact, however large, and equal to every other that is as much. It has as many digits as any amount
 * can need; what has more is an error and never rounded.
 */
record Decimal(BigDecimal value) {
  /** The most digits, and the most of them after the point. An amount has 96; the product of two has 192. */
  private static final int DIGITS_MAX = 1_000;

  private static final Pattern TEXT = Pattern.compile("-?[0-9]{1,200}(\\.[0-9]{1,200})?");

  Decimal {
    value = value.signum() == 0 ? BigDecimal.ZERO : value.stripTrailingZeros();
    if (value.precision() > DIGITS_MAX || Math.abs(value.scale()) > DIGITS_MAX) {
      throw new ArithmeticException("a number has more than " + DIGITS_MAX + " digits");
    }
  }

  /**
   * Reads digits, with a point and a sign where need be.
   *
   * @throws IllegalArgumentException if the text is something else
   */
  static Decimal parse(String text) {
    if (!TEXT.matcher(text).matches()) {
      throw new IllegalArgumentException("is not a decimal number such as `12.50`");
    }
    return new Decimal(new BigDecimal(text));
  }

  static Decimal of(long number) {
    return new Decimal(BigDecimal.valueOf(number));
  }

  Decimal plus(Decimal other) {
    return new Decimal(value.add(other.value));
  }

  Decimal minus(Decimal other) {
    return new Decimal(value.subtract(other.value));
  }

  Decimal times(Decimal other) {
    return new Decimal(value.multiply(other.value));
  }

  Decimal negated() {
    return new Decimal(value.negate());
  }

  int compare(Decimal other) {
    return value.compareTo(other.value);
  }
}
