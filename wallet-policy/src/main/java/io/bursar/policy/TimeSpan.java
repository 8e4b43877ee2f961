package io.bursar.policy;

import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneId;

import org.jspecify.annotations.Nullable;

/**
 * A stretch of time that comes again and again: it starts whenever the cron expression fires by the clocks of the zone, and
 * lasts for the duration, measured in elapsed time. A start that the clocks leave out when they go forward happens at the
 * moment they do; one that they show twice when they go back happens the first time.
 *
 * @param cron five fields: minute, hour, day of month, month, day of week
 * @param duration 1 minute to 7 days
 */
public record TimeSpan(Cron cron, Duration duration, ZoneId zone) {
  public static final Duration DURATION_MIN = Duration.ofMinutes(1);
  public static final Duration DURATION_MAX = Duration.ofDays(7);

  /** How far ahead a boundary is looked for. */
  private static final Duration AHEAD_MAX = Duration.ofDays(366);

  /** How many stretches that touch each other are followed before their end is given up on. */
  private static final int STRETCHES_MAX = 16;

  public TimeSpan {
    if (duration.compareTo(DURATION_MIN) < 0 || duration.compareTo(DURATION_MAX) > 0) {
      throw new IllegalArgumentException("must last from 1 minute to 7 days");
    }
  }

  /** Whether a time lies within: {@code start ≤ time < start + duration} for some start. */
  public boolean contains(Instant time) {
    return end(time) != null;
  }

  /**
   * A time after {@code time} before which {@link #contains} gives the same answer as at {@code time}. It is the very moment
   * at which the answer changes, unless that is more than a year or sixteen stretches away.
   */
  public Instant nextBoundary(Instant time) {
    var end = end(time);
    if (end == null) {
      var start = nextStart(time);
      return start == null ? time.plus(AHEAD_MAX) : start;
    }
    for (int i = 0; i < STRETCHES_MAX; i++) {
      var later = end(end);
      if (later == null) {
        return end;
      }
      end = later;
    }
    return end;
  }

  /** The end of the stretch that a time lies in; null if it lies in none. */
  private @Nullable Instant end(Instant time) {
    var start = lastStart(time);
    var end = start == null ? null : start.plus(duration);
    return end != null && time.isBefore(end) ? end : null;
  }

  private @Nullable Instant lastStart(Instant time) {
    var local = time.atZone(zone);
    var until = local.toLocalDateTime();
    var offsets = zone.getRules().getValidOffsets(until);
    if (offsets.size() == 2 && offsets.getLast().equals(local.getOffset())) {
      // The clocks show this hour for the second time: all of its starts have been, also those that they show later.
      until = zone.getRules().getTransition(until).getDateTimeBefore().minusMinutes(1);
    }
    // One day more than the duration, for a start that the clocks moved.
    var start = cron.previous(until, until.toLocalDate().minusDays(duration.toDays() + 2));
    return start == null ? null : instant(start);
  }

  private @Nullable Instant nextStart(Instant time) {
    var local = time.atZone(zone).toLocalDateTime();
    var lastDay = local.toLocalDate().plus(java.time.Period.ofDays((int) AHEAD_MAX.toDays()));
    for (var start = cron.next(local, lastDay); start != null; start = cron.next(start, lastDay)) {
      var instant = instant(start);
      // While the clocks show an hour for the second time, its starts lie in the past.
      if (instant.isAfter(time)) {
        return instant;
      }
    }
    return null;
  }

  private Instant instant(LocalDateTime local) {
    var offsets = zone.getRules().getValidOffsets(local);
    return offsets.isEmpty() ? zone.getRules().getTransition(local).getInstant() : local.toInstant(offsets.getFirst());
  }
}
