package io.bursar.log;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.Objects;

import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.permit.Digest32;

/** Official vectors; each file names where it comes from and its licence. */
record Vectors(Json json) {
  static Vectors read(String file) {
    try (var in = Objects.requireNonNull(Vectors.class.getResourceAsStream("/log/" + file), file)) {
      // A size of 2^64 - 1 in a probe is -1 as a long of this language: below every index, as it must be refused.
      var text = new String(in.readAllBytes(), StandardCharsets.UTF_8).replace("18446744073709551615", "-1");
      return new Vectors(JsonText.parse(text.getBytes(StandardCharsets.UTF_8)));
    } catch (IOException | JsonText.Malformed e) {
      throw new IllegalStateException(file, e);
    }
  }

  boolean isNull() {
    return json instanceof Json.Null;
  }

  /** Empty where a hash goes: that is no hash, and cannot even be asked about. */
  boolean isEmpty() {
    return base64().length == 0;
  }

  boolean has(String name) {
    return ((Json.Obj) json).get(name) != null;
  }

  Vectors get(String name) {
    return new Vectors(Objects.requireNonNull(((Json.Obj) json).get(name), name));
  }

  Vectors at(int index) {
    return new Vectors(((Json.Arr) json).items().get(index));
  }

  List<Vectors> items() {
    return isNull() ? List.of() : ((Json.Arr) json).items().stream().map(Vectors::new).toList();
  }

  List<String> names() {
    return List.copyOf(((Json.Obj) json).members().keySet());
  }

  String text() {
    return ((Json.Str) json).value();
  }

  String text(String name) {
    return get(name).text();
  }

  long number() {
    return ((Json.Num) json).value();
  }

  long number(String name) {
    return get(name).number();
  }

  boolean flag(String name) {
    return ((Json.Bool) get(name).json).value();
  }

  byte[] base64() {
    return isNull() ? new byte[0] : Base64.getDecoder().decode(text());
  }

  byte[] utf8() {
    return text().getBytes(StandardCharsets.UTF_8);
  }

  /** Some probes write `don't care` where a hash goes: what has another length than a hash stands for some other hash. */
  Digest32 digest() {
    var bytes = base64();
    return bytes.length == Digest32.BYTES
        ? Digest32.of(bytes)
        : Digest32.sha256("not a hash".getBytes(StandardCharsets.UTF_8), bytes);
  }

  static List<Digest32> digests(List<Vectors> items) {
    return items.stream().map(Vectors::digest).toList();
  }
}
