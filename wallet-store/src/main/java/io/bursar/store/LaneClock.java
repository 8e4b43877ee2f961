package io.bursar.store;

import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.function.LongSupplier;

import org.jspecify.annotations.Nullable;

/**
 * The database's clock, read with every statement and carried on between them by this process's monotonic timer; a lane's
 * time never goes back and never stands still.
 */
final class LaneClock {
  private final LongSupplier nanos;
  private @Nullable Instant read;
  private long readNanos;
  private Instant last = Instant.EPOCH;

  LaneClock(LongSupplier nanos) {
    this.nanos = nanos;
  }

  boolean isSet() {
    return read != null;
  }

  void set(Instant databaseTime) {
    read = databaseTime;
    readNanos = nanos.getAsLong();
  }

  void notBefore(Instant at) {
    last = last.isAfter(at) ? last : at;
  }

  Instant next() {
    var now = java.util.Objects.requireNonNull(read).plusNanos(nanos.getAsLong() - readNanos)
        .truncatedTo(ChronoUnit.MICROS);
    last = now.isAfter(last) ? now : last.plus(1, ChronoUnit.MICROS);
    return last;
  }
}
