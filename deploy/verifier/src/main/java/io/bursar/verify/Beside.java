package io.bursar.verify;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.log.BesidePath;
import io.bursar.policy.PolicyJson;

/** What lies beside a log, each document checked against the hash that is its name. */
final class Beside {
  private static final int POLICY_BYTES_MAX = 4 << 20;
  /** 100,000 values of 253 characters, each of at most six bytes in JSON, and then some. */
  private static final int SET_BYTES_MAX = 160 << 20;

  private final LogSource source;

  Beside(LogSource source) {
    this.source = source;
  }

  /** A version of a policy; empty if there is none of that hash. */
  Optional<Json> policy(String version) {
    return document(BesidePath.Kind.POLICIES, version, POLICY_BYTES_MAX);
  }

  /** The values of a version of a set; empty if there are none of that hash. */
  Optional<List<String>> values(String digest) {
    return document(BesidePath.Kind.SETS, digest, SET_BYTES_MAX).map(document -> {
      var values = new ArrayList<String>();
      ((Json.Arr) document).items().forEach(value -> values.add(((Json.Str) value).value()));
      return values;
    });
  }

  /** An entry may say anything: what is no hash leads to no file. */
  private Optional<Json> document(BesidePath.Kind kind, String digest, int bytesMax) {
    try {
      var file = source.read(new BesidePath(kind, digest).text(), bytesMax);
      if (file.isEmpty()) {
        return Optional.empty();
      }
      var document = JsonText.parse(file.get());
      return PolicyJson.version(document).equals(digest) ? Optional.of(document) : Optional.empty();
    } catch (JsonText.Malformed e) {
      return Optional.empty();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
