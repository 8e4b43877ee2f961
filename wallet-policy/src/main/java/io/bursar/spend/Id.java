package io.bursar.spend;

import java.util.HexFormat;
import java.util.Optional;
import java.util.UUID;

/**
 * The kinds of things that have an identifier. Inside, an identifier is a UUID (version 7, so that order of making is
 * order of sorting); outside it is an opaque text with the prefix of its kind, such as {@code spd_0192…}.
 */
public enum Id {
  TENANT("ten_"),
  AGENT("agt_"),
  API_KEY("key_"),
  WALLET("wal_"),
  ASSET("ast_"),
  POLICY("pol_"),
  APPROVER(
      "apr_"),
  APPROVER_GROUP(
      "grp_"),
  VALUE_SET("set_"),
  SPEND("spd_"),
  AUTHORIZATION("aut_"),
  CHANGE("chg_"),
  WEBHOOK("whk_"),
  DEPOSIT("dep_"),
  EVENT("evt_"),
  /** A place in a list. */
  CURSOR("cur_");

  private final String prefix;

  Id(String prefix) {
    this.prefix = prefix;
  }

  public String text(UUID id) {
    var hex = HexFormat.of();
    return prefix + hex.toHexDigits(id.getMostSignificantBits()) + hex.toHexDigits(id.getLeastSignificantBits());
  }

  /** The identifier that a text names, or nothing if the text is not one of this kind. */
  public Optional<UUID> parse(String text) {
    if (text.length() != prefix.length() + 32 || !text.startsWith(prefix)) {
      return Optional.empty();
    }
    try {
      int middle = prefix.length() + 16;
      return Optional.of(new UUID(HexFormat.fromHexDigitsToLong(text, prefix.length(), middle),
          HexFormat.fromHexDigitsToLong(text, middle, text.length())));
    } catch (IllegalArgumentException notHex) {
      return Optional.empty();
    }
  }

  /**
   * A version 7 identifier (RFC 9562, method 3) whose order is the order of {@code (micros, counter)}.
   *
   * @param micros microseconds since 1970
   * @param counter 0 to 65,535, to tell apart what was made in the same microsecond
   * @param random 46 random bits are taken from it
   */
  public static UUID version7(long micros, int counter, long random) {
    if (counter < 0 || counter > 0xffff) {
      throw new IllegalArgumentException("counter must be 0 to 65535: " + counter);
    }
    long millis = Math.floorDiv(micros, 1000L);
    long fraction = Math.floorMod(micros, 1000L) << 2; // of the millisecond, in the 12 bits of rand_a
    long high = millis << 16 | 0x7000L | fraction;
    long low = 0x8000_0000_0000_0000L | (long) counter << 46 | (random & ((1L << 46) - 1));
    return new UUID(high, low);
  }
}
