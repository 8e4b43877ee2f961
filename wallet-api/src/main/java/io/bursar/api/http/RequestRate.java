package io.bursar.api.http;

import java.util.concurrent.atomic.AtomicLong;

/**
 * Bounds the rate of requests by the generic cell rate algorithm: so many a second, with as many at once.
 *
 * @see <a href="https://www.itu.int/rec/T-REC-I.371">ITU-T I.371</a>
 */
final class RequestRate {
  private static final long SECOND = 1_000_000_000L;

  private final long interval;
  private final AtomicLong arrival = new AtomicLong(Long.MIN_VALUE);

  RequestRate(int perSecond) {
    this.interval = SECOND / perSecond;
  }

  /** 0 if a request may be made now, which it then counts as; otherwise after how many seconds. */
  int secondsToWait() {
    long now = System.nanoTime();
    while (true) {
      long expected = arrival.get();
      long next = (expected == Long.MIN_VALUE || expected - now < 0 ? now : expected) + interval;
      if (next - now > SECOND + interval) {
        return 1;
      }
      if (arrival.compareAndSet(expected, next)) {
        return 0;
      }
    }
  }
}
