package io.bursar.policy;

import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.time.temporal.ChronoUnit;
import java.time.temporal.TemporalAdjusters;

/**
 * The stretch of time over which a limit counts; always {@code [start, end)}.
 *
 * <p>A rolling window is counted in slots of whole seconds, fine ones at its trailing edge and coarse ones before, such
 * that it never lets through what the exact window would refuse; a spend leaves it at most one fine slot late. The slot
 * sizes follow from the length alone, so windows of different lengths share slots.
 */
public sealed interface Window {
  /** This one request. */
  record Spend() implements Window {}

  /**
   * The time of a given length that ends now.
   *
   * @param length whole seconds, 1 second to 366 days
   */
  record Rolling(Duration length) implements Window {
    public static final Duration LENGTH_MAX = Duration.ofDays(366);

    public Rolling {
      if (!length.equals(length.truncatedTo(ChronoUnit.SECONDS)) || length.compareTo(Duration.ofSeconds(1)) < 0
          || length.compareTo(LENGTH_MAX) > 0) {
        throw new IllegalArgumentException("must be whole seconds, from 1 second to 366 days");
      }
    }

    public long seconds() {
      return length.toSeconds();
    }

    /** Seconds in a fine slot: one up to a day, sixty beyond. */
    public int fineSeconds() {
      return seconds() <= 86_400 ? 1 : 60;
    }

    /** Seconds in a coarse slot; equal to {@link #fineSeconds()} where the window has no coarse slots. */
    public int coarseSeconds() {
      long seconds = seconds();
      return seconds <= 300 ? 1 : seconds <= 3_600 ? 60 : seconds <= 86_400 ? 900 : 21_600;
    }
  }

  /**
   * The calendar hour, day, week (from Monday) or month that now lies in, by the clocks of a zone.
   */
  record Calendar(Unit unit, ZoneId zone) implements Window {
    public enum Unit {
      HOUR,
      DAY,
      WEEK,
      MONTH
    }

    /** The start of the period that {@code now} lies in. */
    public Instant start(Instant now) {
      var local = now.atZone(zone);
      return switch (unit) {
        case HOUR -> local.truncatedTo(ChronoUnit.HOURS).toInstant();
        case DAY -> startOfDay(local);
        case WEEK -> startOfDay(local.with(TemporalAdjusters.previousOrSame(java.time.DayOfWeek.MONDAY)));
        case MONTH -> startOfDay(local.withDayOfMonth(1));
      };
    }

    /** The end of the period that {@code now} lies in: the start of the next one. */
    public Instant end(Instant now) {
      var local = now.atZone(zone);
      return switch (unit) {
        case HOUR -> endOfHour(now, local);
        case DAY -> startOfDay(local.plusDays(1));
        case WEEK -> startOfDay(local.with(TemporalAdjusters.next(java.time.DayOfWeek.MONDAY)));
        case MONTH -> startOfDay(local.withDayOfMonth(1).plusMonths(1));
      };
    }

    /** An hour ends after sixty minutes, or, where the clocks change by less than an hour, when they show the next one. */
    private Instant endOfHour(Instant now, ZonedDateTime local) {
      var sixtyMinutes = start(now).plus(1, ChronoUnit.HOURS);
      var nextShown = local.toLocalDateTime().truncatedTo(ChronoUnit.HOURS).plusHours(1).atZone(zone).toInstant();
      return start(sixtyMinutes).equals(sixtyMinutes) && sixtyMinutes.isBefore(nextShown) ? sixtyMinutes : nextShown;
    }

    private Instant startOfDay(ZonedDateTime local) {
      return local.toLocalDate().atStartOfDay(zone).toInstant();
    }
  }

  /** All time. */
  record Lifetime() implements Window {}
}
