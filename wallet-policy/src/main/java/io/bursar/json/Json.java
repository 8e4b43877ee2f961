package io.bursar.json;

import java.math.BigInteger;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.BiConsumer;

import org.jspecify.annotations.Nullable;

/**
 * A JSON value. Numbers are whole, −(2^53 − 1) to 2^53 − 1: amounts travel as text, so that no reader can round them.
 */
public sealed interface Json {
  /**
   * Members in the order in which they were put. They lie in two arrays: most objects are small and made for one decision, and
   * a map for each would cost more than all else about them.
   */
  final class Obj implements Json {
    /** Beyond this many members, finding and sorting them one by one would not do. */
    private static final int SMALL = 24;

    private final String[] names;
    private final Json[] values;

    /** The canonical form, where it was made beforehand. */
    final byte @Nullable [] canonical;

    private Obj(String[] names, Json[] values) {
      this(names, values, null);
    }

    private Obj(String[] names, Json[] values, byte @Nullable [] canonical) {
      this.names = names;
      this.values = values;
      this.canonical = canonical;
    }

    public Obj(Map<String, Json> members) {
      this(members.keySet().toArray(String[]::new), members.values().toArray(Json[]::new));
    }

    /** The same object with its canonical form made once, for one that will be written as a part of many others. */
    public Obj prepared() {
      return new Obj(names, values, JsonText.canonical(this));
    }

    public int size() {
      return names.length;
    }

    String name(int i) {
      return names[i];
    }

    Json value(int i) {
      return values[i];
    }

    public @Nullable Json get(String name) {
      for (int i = 0; i < names.length; i++) {
        if (names[i].equals(name)) {
          return values[i];
        }
      }
      return null;
    }

    /** The members as a map of their own, in their order. */
    public Map<String, Json> members() {
      var members = LinkedHashMap.<String, Json>newLinkedHashMap(names.length);
      for (int i = 0; i < names.length; i++) {
        members.put(names[i], values[i]);
      }
      return members;
    }

    /** The same object without the members of its own that are null. */
    public Obj withoutNulls() {
      if (Arrays.stream(values).noneMatch(Null.class::isInstance)) {
        return this;
      }
      var members = members();
      members.values().removeIf(Null.class::isInstance);
      return new Obj(members);
    }

    public void forEach(BiConsumer<String, Json> action) {
      for (int i = 0; i < names.length; i++) {
        action.accept(names[i], values[i]);
      }
    }

    /** The same members sorted by the UTF-16 code units of their names. */
    Obj byName() {
      boolean sorted = true;
      for (int i = 1; i < names.length && sorted; i++) {
        sorted = names[i - 1].compareTo(names[i]) < 0;
      }
      if (sorted) {
        return this;
      }
      if (names.length > SMALL) {
        return new Obj(new TreeMap<>(members()));
      }
      var sortedNames = names.clone();
      var sortedValues = values.clone();
      for (int i = 1; i < sortedNames.length; i++) {
        var name = sortedNames[i];
        var value = sortedValues[i];
        int j = i;
        for (; j > 0 && sortedNames[j - 1].compareTo(name) > 0; j--) {
          sortedNames[j] = sortedNames[j - 1];
          sortedValues[j] = sortedValues[j - 1];
        }
        sortedNames[j] = name;
        sortedValues[j] = value;
      }
      return new Obj(sortedNames, sortedValues);
    }

    @Override
    public boolean equals(@Nullable Object other) {
      return other instanceof Obj object && members().equals(object.members());
    }

    @Override
    public int hashCode() {
      return members().hashCode();
    }

    @Override
    public String toString() {
      return members().toString();
    }
  }

  record Arr(List<Json> items) implements Json {
    public Arr {
      items = List.copyOf(items);
    }
  }

  record Str(String value) implements Json {}

  record Num(long value) implements Json {
    /** The largest whole number that every JSON reader keeps exactly (RFC 8259, section 6). */
    public static final long MAX = (1L << 53) - 1;

    public Num {
      if (value > MAX || value < -MAX) {
        throw new IllegalArgumentException("not exact in JSON: " + value);
      }
    }
  }

  record Bool(boolean value) implements Json {}

  record Null() implements Json {}

  Json NULL = new Null();

  /** Members that are being put together. */
  final class Members {
    private String[] names = new String[8];
    private Json[] values = new Json[8];
    private int size;

    /** The names, once there are so many that looking for one among them would not do. */
    private @Nullable Map<String, Integer> index;

    private int find(String name) {
      if (index != null) {
        return index.getOrDefault(name, -1);
      }
      for (int i = 0; i < size; i++) {
        if (names[i].equals(name)) {
          return i;
        }
      }
      return -1;
    }

    /** Adds a member; false, and nothing is added, if there is one of its name. */
    boolean add(String name, Json value) {
      if (find(name) >= 0) {
        return false;
      }
      if (size == names.length) {
        names = Arrays.copyOf(names, size * 2);
        values = Arrays.copyOf(values, size * 2);
      }
      names[size] = name;
      values[size] = value;
      size++;
      if (index != null) {
        index.put(name, size - 1);
      } else if (size > Obj.SMALL) {
        index = new HashMap<>();
        for (int i = 0; i < size; i++) {
          index.put(names[i], i);
        }
      }
      return true;
    }

    Obj object() {
      return new Obj(Arrays.copyOf(names, size), Arrays.copyOf(values, size));
    }
  }

  /** An object that is being put together; an absent value leaves its member out. */
  final class Builder {
    private final Members members = new Members();

    private Builder() {}

    /** Puts a member, in the place of an earlier one of the same name. */
    public Builder put(String name, @Nullable Json value) {
      if (value != null && !members.add(name, value)) {
        members.values[members.find(name)] = value;
      }
      return this;
    }

    public Builder put(String name, @Nullable String value) {
      return put(name, value == null ? null : new Str(value));
    }

    public Builder put(String name, @Nullable BigInteger value) {
      return put(name, value == null ? null : new Str(value.toString()));
    }

    public Builder put(String name, long value) {
      return put(name, new Num(value));
    }

    public Builder put(String name, boolean value) {
      return put(name, new Bool(value));
    }

    public Obj build() {
      return members.object();
    }
  }

  static Builder object() {
    return new Builder();
  }

  static Arr strings(Iterable<String> values) {
    var items = new java.util.ArrayList<Json>();
    values.forEach(value -> items.add(new Str(value)));
    return new Arr(items);
  }
}
