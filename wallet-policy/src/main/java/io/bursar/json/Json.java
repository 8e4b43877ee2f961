package io.bursar.json;

import java.math.BigInteger;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import org.jspecify.annotations.Nullable;

/**
 * A JSON value. Numbers are whole, −(2^53 − 1) to 2^53 − 1: amounts travel as text, so that no reader can round them.
 */
public sealed interface Json {
  /** Members in the order in which they were put. */
  record Obj(Map<String, Json> members) implements Json {
    public @Nullable Json get(String name) {
      return members.get(name);
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

  /** An object that is being put together; an absent value leaves its member out. */
  final class Builder {
    private final Map<String, Json> members = new LinkedHashMap<>();

    private Builder() {}

    public Builder put(String name, @Nullable Json value) {
      if (value != null) {
        members.put(name, value);
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
      return new Obj(members);
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
