package io.bursar.spend;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;

/**
 * What an agent says of a request in its own words. It never reaches the record, which holds a salted commitment to it; what a
 * policy read from it is recorded as the outcome of the condition that did.
 */
public record SpendText(@Nullable String purpose, @Nullable String reference, Json.@Nullable Obj metadata) {
  public static final SpendText NONE = new SpendText(null, null, null);
}
