package io.bursar.json;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.exc.StreamConstraintsException;
import tools.jackson.core.exc.StreamReadException;
import tools.jackson.core.json.JsonFactory;

/**
 * Reads strict JSON and writes its canonical form. Refused on reading: invalid UTF-8, a repeated member name, more than
 * {@value #DEPTH_MAX} levels, a number with fraction or exponent or beyond 2^53 − 1, and anything after the value.
 */
public final class JsonText {
  public static final int DEPTH_MAX = 32;

  private static final JsonFactory FACTORY = JsonFactory.builder()
      .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(DEPTH_MAX).maxStringLength(1 << 20)
          .maxNumberLength(64).maxNameLength(1024).build())
      .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).disable(StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION)
      .build();

  private JsonText() {}

  /** What was wrong with a text that should have been JSON; the message is fit for a client. */
  public static final class Malformed extends Exception {
    Malformed(String message) {
      super(message);
    }
  }

  /**
   * Reads one JSON value and nothing else.
   *
   * @throws Malformed if the text is not strict JSON
   */
  public static Json parse(byte[] text) throws Malformed {
    String decoded;
    try {
      decoded = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(text)).toString();
    } catch (CharacterCodingException e) {
      throw new Malformed("the text is not valid UTF-8");
    }
    try (JsonParser parser = FACTORY.createParser(ObjectReadContext.empty(), decoded)) {
      if (parser.nextToken() == null) {
        throw new Malformed("there is no JSON value");
      }
      var value = value(parser);
      if (parser.nextToken() != null) {
        throw new Malformed("there is text after the JSON value");
      }
      return value;
    } catch (StreamConstraintsException e) {
      throw new Malformed("the JSON is nested deeper than " + DEPTH_MAX + " levels or has a text that is too long");
    } catch (StreamReadException e) {
      var at = e.getLocation();
      var duplicate = e.getOriginalMessage() != null && e.getOriginalMessage().startsWith("Duplicate");
      throw new Malformed(
          (duplicate ? "a member name is repeated" : "not well-formed JSON") + " at line " + at.getLineNr()
              + ", column " + at.getColumnNr());
    }
  }

  private static Json value(JsonParser parser) throws Malformed {
    return switch (parser.currentToken()) {
      case START_OBJECT -> {
        Map<String, Json> members = new LinkedHashMap<>();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
          var name = wellFormed(parser.currentName());
          parser.nextToken();
          members.put(name, value(parser));
        }
        yield new Json.Obj(members);
      }
      case START_ARRAY -> {
        List<Json> items = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
          items.add(value(parser));
        }
        yield new Json.Arr(items);
      }
      case VALUE_STRING -> new Json.Str(wellFormed(parser.getString()));
      case VALUE_NUMBER_INT -> {
        var number = parser.getBigIntegerValue();
        if (number.abs().bitLength() > 53) {
          throw new Malformed("a number is beyond 2^53 - 1; write amounts as text");
        }
        yield new Json.Num(number.longValueExact());
      }
      case VALUE_NUMBER_FLOAT ->
        throw new Malformed("numbers with a fraction or exponent are not accepted; write amounts as text");
      case VALUE_TRUE -> new Json.Bool(true);
      case VALUE_FALSE -> new Json.Bool(false);
      case VALUE_NULL -> Json.NULL;
      case NOT_AVAILABLE, END_OBJECT, END_ARRAY, PROPERTY_NAME, VALUE_EMBEDDED_OBJECT ->
        throw new Malformed("not well-formed JSON");
    };
  }

  /** An escaped lone surrogate is a character that UTF-8 cannot write. */
  private static String wellFormed(String text) throws Malformed {
    for (int i = 0; i < text.length(); i++) {
      if (Character.isSurrogate(text.charAt(i))) {
        if (!StandardCharsets.UTF_8.newEncoder().canEncode(text)) {
          throw new Malformed("a text holds half of a surrogate pair");
        }
        return text;
      }
    }
    return text;
  }

  /**
   * The canonical bytes of a value: members sorted by UTF-16 code units, no white space, shortest escapes.
   *
   * @see <a href="https://www.rfc-editor.org/rfc/rfc8785">RFC 8785, JSON Canonicalization Scheme</a>
   */
  public static byte[] canonical(Json value) {
    var out = new StringBuilder(2_048);
    write(value, true, out);
    return out.toString().getBytes(StandardCharsets.UTF_8);
  }

  /** The bytes of a value with its members in their own order, which people read more easily. */
  public static byte[] inOrder(Json value) {
    var out = new StringBuilder(2_048);
    write(value, false, out);
    return out.toString().getBytes(StandardCharsets.UTF_8);
  }

  private static void write(Json value, boolean sorted, StringBuilder out) {
    switch (value) {
      case Json.Obj object -> {
        var ordered = sorted ? object.byName() : object;
        out.append('{');
        for (int i = 0; i < ordered.size(); i++) {
          if (i > 0) {
            out.append(',');
          }
          quote(ordered.name(i), out);
          out.append(':');
          write(ordered.value(i), sorted, out);
        }
        out.append('}');
      }
      case Json.Arr array -> {
        out.append('[');
        for (int i = 0; i < array.items().size(); i++) {
          if (i > 0) {
            out.append(',');
          }
          write(array.items().get(i), sorted, out);
        }
        out.append(']');
      }
      case Json.Str string -> quote(string.value(), out);
      case Json.Num number -> out.append(number.value());
      case Json.Bool bool -> out.append(bool.value());
      case Json.Null none -> out.append("null");
    }
  }

  private static void quote(String text, StringBuilder out) {
    out.append('"');
    int plain = plainLength(text);
    out.append(text, 0, plain);
    for (int i = plain; i < text.length(); i++) {
      char c = text.charAt(i);
      switch (c) {
        case '"' -> out.append("\\\"");
        case '\\' -> out.append("\\\\");
        case '\b' -> out.append("\\b");
        case '\t' -> out.append("\\t");
        case '\n' -> out.append("\\n");
        case '\f' -> out.append("\\f");
        case '\r' -> out.append("\\r");
        default -> {
          if (c < 0x20) {
            out.append(String.format(java.util.Locale.ROOT, "\\u%04x", (int) c));
          } else {
            out.append(c);
          }
        }
      }
    }
    out.append('"');
  }

  /** How many characters from the first on stand for themselves; in most texts all do. */
  private static int plainLength(String text) {
    int i = 0;
    while (i < text.length() && text.charAt(i) >= 0x20 && text.charAt(i) != '"' && text.charAt(i) != '\\') {
      i++;
    }
    return i;
  }
}
