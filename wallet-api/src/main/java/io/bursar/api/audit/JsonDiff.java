package io.bursar.api.audit;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.TreeSet;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;

/** What one JSON document has otherwise than another, place by place. */
final class JsonDiff {
  /** More changes than this are not listed. */
  static final int CHANGES_MAX = 200;

  private final List<Json> changes = new ArrayList<>();

  private JsonDiff() {}

  /**
   * Each change as {@code {pointer, before, after}}, in the order of the pointers; what is only in one has only one of them. The
   * items of an array that have an {@code id}, as rules do, are compared by it and not by their place.
   */
  static Json.Arr of(@Nullable Json before, @Nullable Json after) {
    var diff = new JsonDiff();
    diff.compare("", before, after);
    return new Json.Arr(diff.changes.subList(0, Math.min(CHANGES_MAX, diff.changes.size())));
  }

  private void compare(String pointer, @Nullable Json before, @Nullable Json after) {
    if (Objects.equals(before, after)) {
      return;
    }
    if (before instanceof Json.Obj first && after instanceof Json.Obj second) {
      var names = new TreeSet<>(first.members().keySet());
      names.addAll(second.members().keySet());
      names.forEach(name -> compare(pointer + "/" + escaped(name), first.get(name), second.get(name)));
    } else if (before instanceof Json.Arr(var first) && after instanceof Json.Arr(var second) && haveIds(first)
        && haveIds(second)) {
      var ids = new TreeSet<String>();
      first.forEach(item -> ids.add(id(item)));
      second.forEach(item -> ids.add(id(item)));
      ids.forEach(id -> compare(pointer + "/" + escaped(id), withId(first, id), withId(second, id)));
    } else {
      changes.add(Json.object().put("pointer", pointer).put("before", before).put("after", after).build());
    }
  }

  private static boolean haveIds(List<Json> items) {
    return items.stream().allMatch(item -> item instanceof Json.Obj object && object.get("id") instanceof Json.Str)
        && items.stream().map(JsonDiff::id).distinct().count() == items.size();
  }

  private static String id(Json item) {
    return ((Json.Str) Objects.requireNonNull(((Json.Obj) item).get("id"))).value();
  }

  private static @Nullable Json withId(List<Json> items, String id) {
    return items.stream().filter(item -> id(item).equals(id)).findFirst().orElse(null);
  }

  private static String escaped(String name) {
    return name.replace("~", "~0").replace("/", "~1");
  }
}
