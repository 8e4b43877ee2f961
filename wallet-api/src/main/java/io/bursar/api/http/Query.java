package io.bursar.api.http;

import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.function.Function;

import io.bursar.json.Json;
import io.bursar.json.JsonReader;
import io.bursar.money.Asset;
import io.bursar.spend.Id;
import io.bursar.store.Page;
import jakarta.servlet.http.HttpServletRequest;

/** Reads query parameters strictly: an unknown one, a repeated one and one that cannot be read are all named at once. */
public final class Query {
  private static final int LIMIT_DEFAULT = 50;

  private final Map<String, String[]> parameters;
  private final Set<String> known = new HashSet<>();
  private final List<JsonReader.Fault> faults = new ArrayList<>();

  /**
   * The parameters of a request.
   *
   * @throws Problem if the query is not well-formed
   */
  public Query(HttpServletRequest request) {
    try {
      this.parameters = request.getParameterMap();
    } catch (IllegalStateException e) {
      throw Problem.of(ProblemCode.INVALID_REQUEST,
          "the query cannot be read: two hexadecimal digits follow each percent sign, and all of it is UTF-8");
    }
  }

  /** A parameter turned into something else; an {@link IllegalArgumentException} is noted as its fault. */
  public <T> Optional<T> get(String name, Function<String, T> parse) {
    known.add(name);
    var values = parameters.get(name);
    if (values == null) {
      return Optional.empty();
    }
    try {
      if (values.length > 1) {
        throw new IllegalArgumentException("is given more than once");
      }
      return Optional.of(parse.apply(values[0]));
    } catch (IllegalArgumentException e) {
      faults.add(new JsonReader.Fault("?" + name, String.valueOf(e.getMessage())));
      return Optional.empty();
    }
  }

  public Optional<UUID> id(String name, Id kind) {
    return get(name,
        text -> kind.parse(text).orElseThrow(() -> new IllegalArgumentException("is not an identifier of that kind")));
  }

  /** Reads a time with its offset. */
  public static Instant time(String text) {
    try {
      return OffsetDateTime.parse(text).toInstant();
    } catch (DateTimeParseException e) {
      throw new IllegalArgumentException("must be a time such as `2026-11-23T09:00:00Z`", e);
    }
  }

  /** Reads the symbol of an asset. */
  public static String symbol(String text) {
    if (!Asset.SYMBOL.matcher(text).matches()) {
      throw new IllegalArgumentException("must be the symbol of an asset such as `USDC`");
    }
    return text;
  }

  /** Notes that a parameter is missing, if it is. */
  public void required(String name) {
    if (!parameters.containsKey(name)) {
      faults.add(new JsonReader.Fault("?" + name, "is required"));
    }
  }

  /** {@code cursor} and {@code limit}. */
  public Page.Request page() {
    var after = get("cursor",
        text -> Id.CURSOR.parse(text).orElseThrow(() -> new IllegalArgumentException("is not a cursor of a list")));
    var limit = get("limit", text -> {
      if (!text.matches("[0-9]{1,4}") || Integer.parseInt(text) < 1 || Integer.parseInt(text) > Page.LIMIT_MAX) {
        throw new IllegalArgumentException("must be a whole number from 1 to " + Page.LIMIT_MAX);
      }
      return Integer.parseInt(text);
    });
    return new Page.Request(after, limit.orElse(LIMIT_DEFAULT));
  }

  /**
   * Throws if anything was wrong; call it after the last read.
   *
   * @throws Problem that names all
   */
  public void refuseFaults() {
    for (var name : parameters.keySet()) {
      if (!known.contains(name)) {
        faults.add(new JsonReader.Fault("?" + name, "is not a known parameter"));
      }
    }
    Bodies.refuse(faults);
  }

  /** A list as every list is answered. */
  public static <T> Json list(Page<T> page, Function<T, Json> view) {
    return Json.object().put("data", new Json.Arr(page.items().stream().map(view).toList()))
        .put("nextCursor", page.nextAfter().<Json>map(id -> new Json.Str(Id.CURSOR.text(id))).orElse(Json.NULL))
        .build();
  }
}
