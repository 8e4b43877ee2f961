package io.bursar.verify;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Objects;

import io.bursar.json.Json;
import io.bursar.json.JsonText;

/** The official vectors; each file names its source and licence. */
final class Vectors {
  private Vectors() {}

  static Json.Obj read(String name) {
    try (var file = Vectors.class.getResourceAsStream("/log/" + name)) {
      return (Json.Obj) JsonText.parse(Objects.requireNonNull(file).readAllBytes());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (JsonText.Malformed e) {
      throw new IllegalArgumentException(name, e);
    }
  }

  static Json.Obj object(Json.Obj in, String name) {
    return (Json.Obj) Objects.requireNonNull(in.get(name));
  }

  static String text(Json.Obj in, String name) {
    return ((Json.Str) Objects.requireNonNull(in.get(name))).value();
  }

  static List<String> texts(Json.Obj in, String name) {
    return ((Json.Arr) Objects.requireNonNull(in.get(name))).items().stream().map(item -> ((Json.Str) item).value())
        .toList();
  }
}
