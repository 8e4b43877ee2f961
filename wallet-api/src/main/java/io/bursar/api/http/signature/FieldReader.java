package io.bursar.api.http.signature;

import java.util.Base64;
import java.util.List;

/**
 * Reads a header that is a structured field, from its beginning to its end. It takes the few types that signatures and digests are
 * written with, and these only as the standard writes them: so a text that was read is its own serialization, which is what is
 * signed, and there is no second way to write the same.
 *
 * @see <a href="https://www.rfc-editor.org/rfc/rfc9651">RFC 9651, Structured Field Values for HTTP</a>
 */
final class FieldReader {
  private static final int INTEGER_DIGITS_MAX = 15;

  private final String header;
  private final String text;
  private int at;

  private FieldReader(String header, String text) {
    this.header = header;
    this.text = text;
  }

  /** A header that must be there once, with at most so many characters. */
  static FieldReader once(String header, List<String> lines, int lengthMax) throws Refused {
    if (lines.size() != 1) {
      throw Refused.invalid("send `" + header + "` once, not " + lines.size() + " times");
    }
    var text = lines.getFirst().strip();
    if (text.length() > lengthMax) {
      throw Refused.invalid("`" + header + "` has " + text.length() + " characters; it may have " + lengthMax);
    }
    return new FieldReader(header, text);
  }

  int at() {
    return at;
  }

  /** The text from there to where the reader is. */
  String since(int from) {
    return text.substring(from, at);
  }

  boolean isAtEnd() {
    return at == text.length();
  }

  boolean isAt(char wanted) {
    return at < text.length() && text.charAt(at) == wanted;
  }

  /** Whether that character came next; then the reader is behind it. */
  boolean skip(char wanted) {
    boolean is = isAt(wanted);
    at += is ? 1 : 0;
    return is;
  }

  void expect(char wanted) throws Refused {
    if (!skip(wanted)) {
      throw malformed("`" + wanted + "`");
    }
  }

  /** The comma between two members of a dictionary, with the blanks around it. */
  void expectComma() throws Refused {
    skipBlanks();
    expect(',');
    skipBlanks();
  }

  private void skipBlanks() {
    while (isAt(' ') || isAt('\t')) {
      at++;
    }
  }

  /** A name: a lower-case letter or a star, then also digits, {@code _}, {@code -} and {@code .}. */
  String key() throws Refused {
    int from = at;
    while (at < text.length() && isOfKey(text.charAt(at), at == from)) {
      at++;
    }
    if (at == from) {
      throw malformed("a name in lower case");
    }
    return since(from);
  }

  private static boolean isOfKey(char c, boolean first) {
    boolean begins = (c >= 'a' && c <= 'z') || c == '*';
    return begins || (!first && ((c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.'));
  }

  /** A text of printable ASCII in double quotes. */
  String string() throws Refused {
    expect('"');
    var value = new StringBuilder();
    while (!skip('"')) {
      boolean escaped = skip('\\');
      if (isAtEnd() || text.charAt(at) < ' ' || text.charAt(at) > '~' || (escaped && !isAt('"') && !isAt('\\'))) {
        throw malformed("a text of printable ASCII in double quotes");
      }
      value.append(text.charAt(at++));
    }
    return value.toString();
  }

  /** A whole number of at most 15 digits that is not negative. */
  long integer() throws Refused {
    int from = at;
    while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9') {
      at++;
    }
    if (at == from || at - from > INTEGER_DIGITS_MAX || (text.charAt(from) == '0' && at - from > 1)) {
      at = from;
      throw malformed("a whole number");
    }
    return Long.parseLong(since(from));
  }

  /** Bytes: base64 between colons. */
  byte[] bytes() throws Refused {
    expect(':');
    int end = text.indexOf(':', at);
    if (end >= 0) {
      var base64 = text.substring(at, end);
      try {
        var bytes = Base64.getDecoder().decode(base64);
        if (Base64.getEncoder().encodeToString(bytes).equals(base64)) {
          at = end + 1;
          return bytes;
        }
      } catch (IllegalArgumentException notBase64) {
        throw malformed("base64, with its padding, between colons");
      }
    }
    throw malformed("base64, with its padding, between colons");
  }

  Refused malformed(String expected) {
    return Refused.invalid("`" + header + "` must have " + expected + " at character " + (at + 1));
  }
}
