package io.bursar.log;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.regex.Pattern;

import io.bursar.permit.Digest32;

/** The lexical rules that notes, checkpoints and receipts share: one spelling for each value, and nothing else is read. */
final class NoteText {
  /** The longest of these texts that is looked at, in characters. */
  static final int LENGTH_MAX = 64 * 1024;

  private static final Pattern DECIMAL = Pattern.compile("0|[1-9][0-9]{0,18}");

  private NoteText() {}

  /** Well-formed UTF-8 without control characters but the end of a line. */
  static String utf8(byte[] bytes) {
    if (bytes.length > LENGTH_MAX) {
      throw new IllegalArgumentException("the text has more than " + LENGTH_MAX + " bytes");
    }
    try {
      return requirePlain(StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString());
    } catch (CharacterCodingException malformed) {
      throw new IllegalArgumentException("the text is not UTF-8", malformed);
    }
  }

  static String requirePlain(String text) {
    if (text.chars().anyMatch(character -> character < ' ' && character != '\n')) {
      throw new IllegalArgumentException("the text has control characters");
    }
    return text;
  }

  /** A number without sign and leading zeroes, at most 2^63 − 1. */
  static long decimal(String text) {
    if (DECIMAL.matcher(text).matches()) {
      try {
        return Long.parseLong(text);
      } catch (NumberFormatException tooLarge) {
        throw new IllegalArgumentException("a number is larger than 2^63 - 1", tooLarge);
      }
    }
    throw new IllegalArgumentException("not a decimal number without leading zeroes");
  }

  /** Base64 with padding, and with the unused bits of the last character zero, so that no bit can change unseen. */
  static byte[] base64(String text) {
    var bytes = Base64.getDecoder().decode(text);
    if (!base64(bytes).equals(text)) {
      throw new IllegalArgumentException("not base64 in its canonical form");
    }
    return bytes;
  }

  static String base64(byte[] bytes) {
    return Base64.getEncoder().encodeToString(bytes);
  }

  static Digest32 digest(String line) {
    return Digest32.of(base64(line));
  }
}
