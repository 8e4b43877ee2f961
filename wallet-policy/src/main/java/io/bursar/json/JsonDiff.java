package io.bursar.json;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What differs between two values, as lines for people: {@code - /pointer: value} for what goes, {@code + /pointer: value} for what
 * comes. Objects in an array are told apart by their {@code id} where all have one, and texts in an array by themselves, so that
 * moving them about is no difference.
 */
public final class JsonDiff {
  private JsonDiff() {}

  public static List<String> lines(Json before, Json after) {
    var old = new LinkedHashMap<String, String>();
    var fresh = new LinkedHashMap<String, String>();
    flatten("", before, old);
    flatten("", after, fresh);
    var lines = new ArrayList<String>();
    old.forEach((place, value) -> {
      if (!value.equals(fresh.get(place))) {
        lines.add("- " + shown(place, value));
        if (fresh.containsKey(place)) {
          lines.add("+ " + shown(place, fresh.getOrDefault(place, "")));
        }
      }
    });
    fresh.forEach((place, value) -> {
      if (!old.containsKey(place)) {
        lines.add("+ " + shown(place, value));
      }
    });
    return lines;
  }

  /** A place in an array of texts is followed by the text itself, which a line shows once. */
  private static String shown(String place, String value) {
    int text = place.indexOf('\n');
    return (text < 0 ? place : place.substring(0, text)) + ": " + value;
  }

  private static void flatten(String pointer, Json value, Map<String, String> into) {
    switch (value) {
      case Json.Obj object when !object.members().isEmpty() -> object.members()
          .forEach((name, member) -> flatten(pointer + "/" + name, member, into));
      case Json.Arr array when !array.items().isEmpty() -> flatten(pointer, array.items(), into);
      case Json.Obj _,Json.Arr _,Json.Str _,Json.Num _,Json.Bool _,Json.Null _ -> {
        if (!pointer.isEmpty()) {
          into.put(pointer, canonical(value));
        }
      }
    }
  }

  private static void flatten(String pointer, List<Json> items, Map<String, String> into) {
    boolean named = items.stream()
        .allMatch(item -> item instanceof Json.Obj object && object.get("id") instanceof Json.Str);
    for (int i = 0; i < items.size(); i++) {
      var item = items.get(i);
      if (named && item instanceof Json.Obj object && object.get("id") instanceof Json.Str(var id)) {
        flatten(pointer + "/" + id, item, into);
      } else if (item instanceof Json.Str) {
        into.put(pointer + "\n" + canonical(item), canonical(item));
      } else {
        flatten(pointer + "/" + i, item, into);
      }
    }
  }

  private static String canonical(Json value) {
    return new String(JsonText.canonical(value), StandardCharsets.UTF_8);
  }
}
