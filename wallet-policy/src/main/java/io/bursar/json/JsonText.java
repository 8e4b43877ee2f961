package io.bursar.json;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.TokenStreamLocation;
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
      .disable(StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION)
      .build();

  /** What was wrong with a text that should have been JSON; the message is a sentence fit for a client. */
  public static final class Malformed extends Exception {
    private final transient JsonReader.Fault fault;

    Malformed(String message) {
      this("", message);
    }

    Malformed(String pointer, String message) {
      super((pointer.isEmpty() ? "it" : "`" + pointer + "`") + " " + message);
      fault = new JsonReader.Fault(pointer, message);
    }

    /** The value that is wrong, and what is wrong with it; the pointer is empty where it is the whole text. */
    public JsonReader.Fault fault() {
      return fault;
    }
  }

  /**
   * Reads one JSON value and nothing else.
   *
   * @throws Malformed if the text is not strict JSON
   */
  public static Json parse(byte[] text) throws Malformed {
    boolean plain = isPlain(text);
    try (JsonParser parser = plain
        ? FACTORY.createParser(ObjectReadContext.empty(), text)
        : FACTORY.createParser(ObjectReadContext.empty(), decoded(text))) {
      if (parser.nextToken() == null) {
        throw new Malformed("holds no JSON value");
      }
      var value = new JsonText(parser, plain).value();
      if (parser.nextToken() != null) {
        throw new Malformed("has text after the JSON value");
      }
      return value;
    } catch (StreamConstraintsException e) {
      throw new Malformed("is nested deeper than " + DEPTH_MAX + " levels or has a text that is too long");
    } catch (StreamReadException e) {
      throw new Malformed("is not well-formed JSON" + place(e.getLocation()));
    }
  }

  private static String place(TokenStreamLocation at) {
    return " at line " + at.getLineNr() + ", column " + at.getColumnNr();
  }

  private static String decoded(byte[] text) throws Malformed {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(text)).toString();
    } catch (CharacterCodingException e) {
      throw new Malformed("is not valid UTF-8");
    }
  }

  /** Whether a text is ASCII without escapes, as nearly all are: it is read without being decoded and looked through first. */
  private static boolean isPlain(byte[] text) {
    for (byte each : text) {
      // A zero byte would have the parser take the text for UTF-16.
      if (each <= 0 || each == '\\') {
        return false;
      }
    }
    return true;
  }

  private final JsonParser parser;
  private final boolean plain;

  private JsonText(JsonParser parser, boolean plain) {
    this.parser = parser;
    this.plain = plain;
  }

  private Json value() throws Malformed {
    return switch (parser.currentToken()) {
      case START_OBJECT -> {
        var members = new Json.Members();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
          var name = parser.currentName();
          if (!isWellFormed(name)) {
            throw new Malformed("holds a name with half of a surrogate pair");
          }
          var at = parser.currentTokenLocation();
          parser.nextToken();
          if (!members.add(name, value())) {
            throw new Malformed(pointer(), "is repeated" + place(at));
          }
        }
        yield members.object();
      }
      case START_ARRAY -> {
        List<Json> items = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
          items.add(value());
        }
        yield new Json.Arr(items);
      }
      case VALUE_STRING -> {
        var text = parser.getString();
        if (!isWellFormed(text)) {
          throw new Malformed(pointer(), "holds half of a surrogate pair");
        }
        yield new Json.Str(text);
      }
      case VALUE_NUMBER_INT -> {
        boolean small = parser.getNumberType() != JsonParser.NumberType.BIG_INTEGER;
        if (!small || Math.abs(parser.getLongValue()) > Json.Num.MAX) {
          throw new Malformed(pointer(), "must not be a number beyond 2^53 - 1; write amounts as text");
        }
        yield new Json.Num(parser.getLongValue());
      }
      case VALUE_NUMBER_FLOAT ->
        throw new Malformed(pointer(), "must not be a number with a fraction or exponent; write amounts as text");
      case VALUE_TRUE -> new Json.Bool(true);
      case VALUE_FALSE -> new Json.Bool(false);
      case VALUE_NULL -> Json.NULL;
      case NOT_AVAILABLE, END_OBJECT, END_ARRAY, PROPERTY_NAME, VALUE_EMBEDDED_OBJECT ->
        throw new Malformed("is not well-formed JSON");
    };
  }

  /** Where the value is that was read last. */
  private String pointer() {
    return parser.streamReadContext().pathAsPointer().toString();
  }

  /** An escaped lone surrogate is a character that UTF-8 cannot write, and so no part of a pointer either. */
  private boolean isWellFormed(String text) {
    if (plain) {
      return true;
    }
    for (int i = 0; i < text.length(); i++) {
      if (Character.isSurrogate(text.charAt(i))) {
        return StandardCharsets.UTF_8.newEncoder().canEncode(text);
      }
    }
    return true;
  }

  /**
   * The canonical bytes of a value: members sorted by UTF-16 code units, no white space, shortest escapes.
   *
   * @see <a href="https://www.rfc-editor.org/rfc/rfc8785">RFC 8785, JSON Canonicalization Scheme</a>
   */
  public static byte[] canonical(Json value) {
    return new JsonBytes().write(value, true);
  }

  /** The bytes of a value with its members in their own order, which people read more easily. */
  public static byte[] inOrder(Json value) {
    return new JsonBytes().write(value, false);
  }
}
