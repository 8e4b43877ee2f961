package io.bursar.store;

import java.security.SecureRandom;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.UUID;

import io.bursar.spend.Id;

/** New identifiers. */
public final class Ids {
  private static final SecureRandom RANDOM = new SecureRandom();

  private Ids() {}

  static SecureRandom random() {
    return RANDOM;
  }

  /** A version 7 identifier made at {@code at}. */
  public static UUID next(Instant at) {
    return Id.version7(ChronoUnit.MICROS.between(Instant.EPOCH, at), RANDOM.nextInt(1 << 16), RANDOM.nextLong());
  }
}
