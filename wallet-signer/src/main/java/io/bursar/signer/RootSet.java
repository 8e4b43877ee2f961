package io.bursar.signer;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;

import io.bursar.approval.ApproverKey;
import io.bursar.json.Json;
import io.bursar.json.JsonReader;
import io.bursar.json.JsonText;
import io.bursar.permit.Bytes;

/**
 * The keys whose holders together give orders to the signer: {@code {"threshold": 2, "keys": [{JSON Web Key}, …]}}. The first set
 * is given when the signer is installed, every other one by an order under the one before.
 *
 * @param threshold how many different keys must sign an order
 * @param keys all of them, 1 to 32
 */
record RootSet(int threshold, List<ApproverKey> keys) {
  /** The longest file, in bytes. */
  static final int MOST_BYTES = 16 * 1024;

  private static final int MOST_KEYS = 32;

  RootSet {
    keys = List.copyOf(keys);
  }

  /**
   * Reads a set.
   *
   * @throws IllegalArgumentException with what is wrong with it
   */
  static RootSet parse(byte[] bytes) {
    var faults = new ArrayList<JsonReader.Fault>();
    var keys = new ArrayList<ApproverKey>();
    Long threshold;
    try {
      var set = JsonReader.of(JsonText.parse(bytes), "", faults);
      var given = set.array("keys", MOST_KEYS);
      for (int i = 0; given != null && i < given.size(); i++) {
        var key = ApproverKey.read(JsonReader.of(given.get(i), "/keys/" + i, faults));
        if (key != null) {
          keys.add(key);
        }
      }
      threshold = set.number("threshold", 1, Math.max(1, keys.size()));
      set.refuseUnknown();
    } catch (JsonText.Malformed malformed) {
      throw new IllegalArgumentException("a root set is strict JSON", malformed);
    }
    if (!faults.isEmpty() || threshold == null || keys.isEmpty() || new HashSet<>(keys).size() < keys.size()) {
      throw new IllegalArgumentException("a root set has a `threshold` and as many different `keys` or more; " + faults
          .stream().map(fault -> "`" + fault.pointer() + "` " + fault.message()).toList());
    }
    return new RootSet(threshold.intValue(), keys);
  }

  byte[] encode() {
    return JsonText.canonical(Json.object().put("threshold", threshold)
        .put("keys", new Json.Arr(keys.stream().<Json>map(ApproverKey::toJson).toList())).build());
  }

  /** How many different keys of the set have signed exactly these bytes. */
  int signers(byte[] text, List<Bytes> signatures) {
    return (int) keys.stream()
        .filter(key -> signatures.stream().anyMatch(signature -> key.verifies(text, signature))).count();
  }
}
