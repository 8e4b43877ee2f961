package io.bursar.policy;

import io.bursar.json.Json;

/** Policies as JSON documents. */
public final class PolicyJson {
  private PolicyJson() {}

  static Json write(Match match) {
    return Json.NULL;
  }

  static Json write(Window window) {
    return Json.NULL;
  }
}
