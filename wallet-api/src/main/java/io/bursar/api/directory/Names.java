package io.bursar.api.directory;

import io.bursar.api.http.Bodies;
import io.bursar.json.Json;

/** Names that people give to things. */
final class Names {
  static final int LENGTH_MAX = 128;

  private Names() {}

  /** The name in a body that holds nothing else. */
  static String required(Json body) {
    return Bodies.parse(body, reader -> reader.requiredText("name", LENGTH_MAX));
  }
}
