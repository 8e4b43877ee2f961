package io.bursar.api.simulation;

import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.store.Spend;

/** A payment that a client wants made, and asks for with one key until it is answered. Its payee is paid by nobody else. */
final class Wish {
  private final Spend.Request request;
  private @Nullable UUID spendId;

  Wish(Spend.Request request) {
    this.request = request;
  }

  Spend.Request request() {
    return request;
  }

  String key() {
    return request.idempotencyKey();
  }

  boolean isAcknowledged() {
    return spendId != null;
  }

  /** The spend that the client was told of. */
  @Nullable
  UUID spendId() {
    return spendId;
  }

  void acknowledge(UUID id) {
    if (spendId != null && !spendId.equals(id)) {
      throw new IllegalStateException("I4: the key " + key() + " was answered with two spends");
    }
    spendId = id;
  }
}
