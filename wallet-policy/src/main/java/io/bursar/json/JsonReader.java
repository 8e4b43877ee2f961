package io.bursar.json;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;

import org.jspecify.annotations.Nullable;

/**
 * Reads the members of one JSON object and notes every fault with its JSON pointer (RFC 6901), so that a caller hears of
 * all of them at once. A member that nobody asked for is a fault: call {@link #refuseUnknown()} after the last read.
 */
public final class JsonReader {
  /** One fault: where it is and what is wrong there, fit for a client. */
  public record Fault(String pointer, String message) {}

  private final Json.Obj object;
  private final String pointer;
  private final List<Fault> faults;
  private final Set<String> known = new HashSet<>();

  private JsonReader(Json.Obj object, String pointer, List<Fault> faults) {
    this.object = object;
    this.pointer = pointer;
    this.faults = faults;
  }

  /** A reader of {@code value}; if it is no object, that is noted and every member counts as absent. */
  public static JsonReader of(Json value, String pointer, List<Fault> faults) {
    if (value instanceof Json.Obj object) {
      return new JsonReader(object, pointer, faults);
    }
    faults.add(new Fault(pointer, "must be an object"));
    return new JsonReader(new Json.Obj(java.util.Map.of()), pointer, faults);
  }

  public List<Fault> faults() {
    return faults;
  }

  public boolean has(String name) {
    known.add(name);
    var value = object.get(name);
    return value != null && !(value instanceof Json.Null);
  }

  /** The member as it is, or null where it is absent or JSON null. */
  public @Nullable Json value(String name) {
    return has(name) ? object.get(name) : null;
  }

  /** The pointer of a member. */
  public String at(String name) {
    return pointer + "/" + name.replace("~", "~0").replace("/", "~1");
  }

  public void fault(String name, String message) {
    faults.add(new Fault(at(name), message));
  }

  /** A text of 1 to {@code lengthMax} characters, without control characters; null where it is absent. */
  public @Nullable String text(String name, int lengthMax) {
    var value = value(name);
    if (value == null) {
      return null;
    }
    if (!(value instanceof Json.Str(var text))) {
      fault(name, "must be a text");
      return null;
    }
    if (text.isEmpty() || text.codePointCount(0, text.length()) > lengthMax) {
      fault(name, "must have 1 to " + lengthMax + " characters");
      return null;
    }
    if (holdsControlCharacter(text)) {
      fault(name, "must not hold control characters");
      return null;
    }
    return text;
  }

  private static boolean holdsControlCharacter(String text) {
    for (int i = 0; i < text.length(); i++) {
      if (Character.isISOControl(text.charAt(i))) {
        return true;
      }
    }
    return false;
  }

  /** As {@link #text}, but its absence is a fault; null only when a fault was noted. */
  public @Nullable String requiredText(String name, int lengthMax) {
    return present(name) ? text(name, lengthMax) : null;
  }

  /** A text turned into something else; an {@link IllegalArgumentException} of {@code parse} is noted as the fault. */
  public <T> @Nullable T parsed(String name, int lengthMax, Function<String, T> parse) {
    var text = text(name, lengthMax);
    if (text == null) {
      return null;
    }
    try {
      return parse.apply(text);
    } catch (IllegalArgumentException e) {
      fault(name, String.valueOf(e.getMessage()));
      return null;
    }
  }

  public <T> @Nullable T requiredParsed(String name, int lengthMax, Function<String, T> parse) {
    return present(name) ? parsed(name, lengthMax, parse) : null;
  }

  /** A whole number within bounds; null where it is absent or a fault was noted. */
  public @Nullable Long number(String name, long min, long max) {
    var value = value(name);
    if (value == null) {
      return null;
    }
    if (!(value instanceof Json.Num(var number)) || number < min || number > max) {
      fault(name, "must be a whole number from " + min + " to " + max);
      return null;
    }
    return number;
  }

  /** The items of an array with 1 to {@code itemsMax} of them; null where it is absent or a fault was noted. */
  public @Nullable List<Json> array(String name, int itemsMax) {
    var value = value(name);
    if (value == null) {
      return null;
    }
    if (!(value instanceof Json.Arr(var items))) {
      fault(name, "must be an array");
      return null;
    }
    if (items.isEmpty() || items.size() > itemsMax) {
      fault(name, "must have 1 to " + itemsMax + " items");
      return null;
    }
    return items;
  }

  /** The items of an array of texts, each turned into something else; null as for {@link #array}. */
  public <T> @Nullable List<T> texts(String name, int itemsMax, int lengthMax, Function<String, T> parse) {
    var items = array(name, itemsMax);
    if (items == null) {
      return null;
    }
    List<T> result = new ArrayList<>();
    for (int i = 0; i < items.size(); i++) {
      if (!(items.get(i) instanceof Json.Str(var text)) || text.isEmpty() || text.length() > lengthMax) {
        faults.add(new Fault(at(name) + "/" + i, "must be a text of 1 to " + lengthMax + " characters"));
        continue;
      }
      try {
        result.add(parse.apply(text));
      } catch (IllegalArgumentException e) {
        faults.add(new Fault(at(name) + "/" + i, String.valueOf(e.getMessage())));
      }
    }
    return result;
  }

  /** A reader of a member that must be an object, or null where it is absent. */
  public @Nullable JsonReader object(String name) {
    var value = value(name);
    return value == null ? null : of(value, at(name), faults);
  }

  /** Whether a member is there; if not, that is noted. */
  public boolean present(String name) {
    if (has(name)) {
      return true;
    }
    fault(name, "is required");
    return false;
  }

  /** Notes every member that was not asked for. */
  public void refuseUnknown() {
    for (var name : object.members().keySet()) {
      if (!known.contains(name)) {
        fault(name, "is not a known field");
      }
    }
  }
}
