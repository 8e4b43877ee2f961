package io.bursar.api.directory;

import java.util.HashSet;
import java.util.List;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.json.JsonReader;
import io.bursar.spend.Id;

/** Approvers that a body names. */
final class ApproverIds {
  private ApproverIds() {}

  /** Different approvers, one at least; null where a fault was noted or the member is absent. */
  static @Nullable List<UUID> read(JsonReader reader, String name, int most) {
    var ids = reader.texts(name, most, 64, text -> Id.APPROVER.parse(text)
        .orElseThrow(() -> new IllegalArgumentException("is not the identifier of an approver")));
    if (ids != null && new HashSet<>(ids).size() != ids.size()) {
      reader.fault(name, "must be different people");
    }
    return ids;
  }

  /** As {@link #read}, but its absence is a fault. */
  static @Nullable List<UUID> required(JsonReader reader, String name, int most) {
    return reader.present(name) ? read(reader, name, most) : null;
  }
}
