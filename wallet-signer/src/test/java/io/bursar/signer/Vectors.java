package io.bursar.signer;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.HexFormat;
import java.util.Map;
import java.util.Objects;

import io.bursar.json.Json;
import io.bursar.json.JsonText;

/** Published test vectors among the tests' resources; each file names its source. */
final class Vectors {
  private Vectors() {}

  static Map<String, Json> members(String resource) {
    try (var in = Objects.requireNonNull(Vectors.class.getResourceAsStream(resource), resource)) {
      return ((Json.Obj) JsonText.parse(in.readAllBytes())).members();
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    } catch (JsonText.Malformed malformed) {
      throw new IllegalStateException(resource, malformed);
    }
  }

  static Json member(Map<String, Json> members, String name) {
    return Objects.requireNonNull(members.get(name), name);
  }

  static String text(Map<String, Json> members, String name) {
    return ((Json.Str) member(members, name)).value();
  }

  static byte[] bytes(Map<String, Json> members, String name) {
    return HexFormat.of().parseHex(text(members, name));
  }
}
