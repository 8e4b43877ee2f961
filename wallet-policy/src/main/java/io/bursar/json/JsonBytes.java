package io.bursar.json;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Writes a value as UTF-8, in one pass: nearly all of what is written is ASCII that stands for itself. */
final class JsonBytes {
  private static final byte[] HEX = "0123456789abcdef".getBytes(StandardCharsets.US_ASCII);

  /** Most entries of the record fit. */
  private byte[] bytes = new byte[4_096];
  private int size;

  byte[] write(Json value, boolean sorted) {
    put(value, sorted);
    return Arrays.copyOf(bytes, size);
  }

  private void put(Json value, boolean sorted) {
    switch (value) {
      case Json.Obj object when sorted && object.canonical != null -> put(object.canonical);
      case Json.Obj object -> {
        var ordered = sorted ? object.byName() : object;
        put('{');
        for (int i = 0; i < ordered.size(); i++) {
          if (i > 0) {
            put(',');
          }
          quote(ordered.name(i));
          put(':');
          put(ordered.value(i), sorted);
        }
        put('}');
      }
      case Json.Arr array -> {
        put('[');
        for (int i = 0; i < array.items().size(); i++) {
          if (i > 0) {
            put(',');
          }
          put(array.items().get(i), sorted);
        }
        put(']');
      }
      case Json.Str string -> quote(string.value());
      case Json.Num number -> ascii(Long.toString(number.value()));
      case Json.Bool bool -> ascii(bool.value() ? "true" : "false");
      case Json.Null none -> ascii("null");
    }
  }

  private void put(byte[] prepared) {
    reserve(prepared.length);
    System.arraycopy(prepared, 0, bytes, size, prepared.length);
    size += prepared.length;
  }

  private void put(char c) {
    reserve(1);
    bytes[size++] = (byte) c;
  }

  private void ascii(String text) {
    reserve(text.length());
    for (int i = 0; i < text.length(); i++) {
      bytes[size++] = (byte) text.charAt(i);
    }
  }

  /** A text in its quotes, with the shortest escapes. */
  private void quote(String text) {
    // As many as an escape of six bytes for each character, the quotes, and none is written beyond.
    reserve(6 * text.length() + 2);
    var out = bytes;
    int at = size;
    out[at++] = '"';
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
        out[at++] = (byte) c;
      } else if (c >= 0x80) {
        int end = i + 1;
        while (end < text.length() && text.charAt(end) >= 0x80) {
          end++;
        }
        var encoded = text.substring(i, end).getBytes(StandardCharsets.UTF_8);
        System.arraycopy(encoded, 0, out, at, encoded.length);
        at += encoded.length;
        i = end - 1;
      } else {
        at = escape(c, out, at);
      }
    }
    out[at++] = '"';
    size = at;
  }

  private static int escape(char c, byte[] out, int start) {
    int at = start;
    out[at++] = '\\';
    switch (c) {
      case '"', '\\' -> out[at++] = (byte) c;
      case '\b' -> out[at++] = 'b';
      case '\t' -> out[at++] = 't';
      case '\n' -> out[at++] = 'n';
      case '\f' -> out[at++] = 'f';
      case '\r' -> out[at++] = 'r';
      default -> {
        out[at++] = 'u';
        out[at++] = '0';
        out[at++] = '0';
        out[at++] = HEX[c >> 4];
        out[at++] = HEX[c & 0xf];
      }
    }
    return at;
  }

  private void reserve(int more) {
    if (bytes.length - size < more) {
      bytes = Arrays.copyOf(bytes, Math.max(2 * bytes.length, size + more));
    }
  }
}
