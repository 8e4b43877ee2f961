package io.bursar.money;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.regex.Pattern;

/**
 * Decimal text and whole base units of a token, exactly: 0 to 2^256 − 1 base units, never a floating-point number.
 * Base units travel through the system as {@link BigInteger}; text appears only at the edges.
 */
public final class Amount {
  /** The most base units a token can hold: 2^256 − 1. */
  public static final BigInteger MAX = BigInteger.ONE.shiftLeft(256).subtract(BigInteger.ONE);

  private static final Pattern DECIMAL = Pattern.compile("(0|[1-9][0-9]{0,77})(\\.[0-9]{1,78})?");

  private Amount() {}

  /**
   * Reads a plain decimal number: digits with at most one point, no sign, exponent, space or leading zero.
   *
   * @param text such as {@code 1.25}
   * @param decimals how many decimal places a unit has
   * @return base units, 0 to 2^256 − 1
   * @throws IllegalArgumentException with a message that says what is wrong
   */
  public static BigInteger parse(String text, int decimals) {
    if (!DECIMAL.matcher(text).matches()) {
      throw new IllegalArgumentException(
          "must be a plain decimal number such as `1.25`, without sign or exponent, of at most 78 digits on either side of the point");
    }
    var number = new BigDecimal(text);
    if (number.scale() > decimals) {
      throw new IllegalArgumentException(
          "has " + number.scale() + " decimal places; at most " + decimals + " are possible");
    }
    var units = number.setScale(decimals).unscaledValue();
    if (units.compareTo(MAX) > 0) {
      throw new IllegalArgumentException("is more than 2^256 - 1 base units");
    }
    return units;
  }

  /**
   * The shortest plain decimal text of base units: {@code 1250000} with 6 decimals is {@code 1.25}.
   *
   * @param units zero or more
   * @param decimals 0 to {@value Asset#DECIMALS_MAX}
   */
  public static String format(BigInteger units, int decimals) {
    var parts = units.divideAndRemainder(UNIT[decimals]);
    long fraction = parts[1].longValueExact(); // below 10^18, and so below 2^63
    if (fraction == 0) {
      return parts[0].toString();
    }
    var digits = Long.toString(fraction);
    int end = digits.length();
    while (digits.charAt(end - 1) == '0') {
      end--;
    }
    return parts[0] + "." + "0".repeat(decimals - digits.length()) + digits.substring(0, end);
  }

  /** How many base units a unit is, by its decimals. */
  private static final BigInteger[] UNIT = new BigInteger[Asset.DECIMALS_MAX + 1];

  static {
    for (int decimals = 0; decimals < UNIT.length; decimals++) {
      UNIT[decimals] = BigInteger.TEN.pow(decimals);
    }
  }
}
