package io.bursar.policy;

import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;

import org.jspecify.annotations.Nullable;

/**
 * A five-field cron expression: minute, hour, day of month, month, day of week. A field is {@code *} or a list of numbers and
 * ranges, each range with an optional step ({@code 1-5}, {@code *}{@code /15}, {@code 8-18/2}); months and days of the week
 * have English names of three letters, and Sunday is 0 or 7. Where both day fields leave out some of their values, a day that
 * either of them names will do.
 *
 * @see <a href="https://pubs.opengroup.org/onlinepubs/9799919799/utilities/crontab.html">POSIX crontab</a>
 */
public final class Cron {
  /** The longest text. */
  public static final int LENGTH_MAX = 200;

  private static final List<String> MONTHS = List.of("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP",
      "OCT",
      "NOV", "DEC");
  private static final List<String> WEEKDAYS = List.of("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT");
  private static final Pattern ITEM = Pattern
      .compile("(?:(\\*)|([0-9A-Za-z]{1,3})(?:-([0-9A-Za-z]{1,3}))?)(?:/([0-9]{1,2}))?");

  private final String expression;
  private final long minutes;
  private final long hours;
  private final long days;
  private final long months;
  private final long weekdays;

  /** Whether either day field will do; otherwise both must hold. */
  private final boolean eitherDay;

  /**
   * Reads an expression.
   *
   * @throws IllegalArgumentException with a message that says what is wrong, also for a day that never comes
   */
  public Cron(String expression) {
    this.expression = expression;
    var fields = expression.split(" ", -1);
    if (expression.length() > LENGTH_MAX || fields.length != 5) {
      throw new IllegalArgumentException(
          "must have five fields with one space between: minute, hour, day of month, month, day of week");
    }
    this.minutes = field(fields[0], "minute", 0, 59, List.of());
    this.hours = field(fields[1], "hour", 0, 23, List.of());
    this.days = field(fields[2], "day of month", 1, 31, List.of());
    this.months = field(fields[3], "month", 1, 12, MONTHS);
    long week = field(fields[4], "day of week", 0, 7, WEEKDAYS);
    this.weekdays = (week | week >>> 7) & 0x7f;
    this.eitherDay = days != mask(1, 31) && weekdays != mask(0, 6);
    if (!eitherDay && !everComes()) {
      throw new IllegalArgumentException("names a day that never comes");
    }
  }

  public String expression() {
    return expression;
  }

  /** The first time after {@code after} at which this fires, up to and including a last day; null where there is none. */
  @Nullable
  LocalDateTime next(LocalDateTime after, LocalDate lastDay) {
    int from = minuteOfDay(after) + 1;
    for (var day = after.toLocalDate(); !day.isAfter(lastDay); day = day.plusDays(1)) {
      int minute = firesOn(day) ? nextMinute(from) : -1;
      if (minute >= 0) {
        return at(day, minute);
      }
      from = 0;
    }
    return null;
  }

  /** The last time at or before {@code until} at which this fires, down to and including a first day; null where none. */
  @Nullable
  LocalDateTime previous(LocalDateTime until, LocalDate firstDay) {
    int from = minuteOfDay(until);
    for (var day = until.toLocalDate(); !day.isBefore(firstDay); day = day.minusDays(1)) {
      int minute = firesOn(day) ? previousMinute(from) : -1;
      if (minute >= 0) {
        return at(day, minute);
      }
      from = 24 * 60 - 1;
    }
    return null;
  }

  private boolean firesOn(LocalDate day) {
    boolean month = has(months, day.getMonthValue());
    boolean dayOfMonth = has(days, day.getDayOfMonth());
    boolean weekday = has(weekdays, day.getDayOfWeek().getValue() % 7);
    return month && (eitherDay ? dayOfMonth || weekday : dayOfMonth && weekday);
  }

  private int nextMinute(int from) {
    int hour = from / 60;
    if (hour < 24 && has(hours, hour)) {
      long left = minutes >>> (from % 60);
      if (left != 0) {
        return from + Long.numberOfTrailingZeros(left);
      }
    }
    long later = hour >= 23 ? 0 : hours >>> (hour + 1);
    return later == 0
        ? -1
        : (hour + 1 + Long.numberOfTrailingZeros(later)) * 60 + Long.numberOfTrailingZeros(minutes);
  }

  private int previousMinute(int from) {
    int hour = from / 60;
    if (has(hours, hour)) {
      long left = minutes & mask(0, from % 60);
      if (left != 0) {
        return hour * 60 + highest(left);
      }
    }
    long earlier = hour == 0 ? 0 : hours & mask(0, hour - 1);
    return earlier == 0 ? -1 : highest(earlier) * 60 + highest(minutes);
  }

  private boolean everComes() {
    for (int month = 1; month <= 12; month++) {
      int last = java.time.Month.of(month).maxLength();
      if (has(months, month) && (days & mask(1, last)) != 0) {
        return true;
      }
    }
    return false;
  }

  private static long field(String text, String name, int min, int max, List<String> names) {
    long values = 0;
    for (var item : text.split(",", -1)) {
      var parts = ITEM.matcher(item);
      if (!parts.matches() || (parts.group(4) != null && parts.group(1) == null && parts.group(3) == null)) {
        throw new IllegalArgumentException("has a " + name + " `" + item + "` that is no number, range or step");
      }
      int from = parts.group(1) != null ? min : value(parts.group(2), name, min, max, names);
      int to = parts.group(1) != null
          ? max
          : parts.group(3) == null ? from : value(parts.group(3), name, min, max, names);
      if (to == 0 && from > 0 && max == 7) {
        to = 7; // FRI-SUN
      }
      int step = parts.group(4) == null ? 1 : Integer.parseInt(parts.group(4));
      if (from > to || step == 0) {
        throw new IllegalArgumentException("has a " + name + " `" + item + "` that names nothing");
      }
      for (int value = from; value <= to; value += step) {
        values |= 1L << value;
      }
    }
    return values;
  }

  private static int value(String text, String name, int min, int max, List<String> names) {
    int index = names.indexOf(text.toUpperCase(Locale.ROOT));
    if (index >= 0) {
      return index + min;
    }
    if (!text.chars().allMatch(c -> c >= '0' && c <= '9') || Integer.parseInt(text) < min
        || Integer.parseInt(text) > max) {
      throw new IllegalArgumentException("has a " + name + " `" + text + "` that is not within " + min + "-" + max);
    }
    return Integer.parseInt(text);
  }

  private static boolean has(long values, int value) {
    return (values >>> value & 1) != 0;
  }

  private static long mask(int from, int to) {
    return -1L >>> (63 - to) & -1L << from;
  }

  private static int highest(long values) {
    return 63 - Long.numberOfLeadingZeros(values);
  }

  private static int minuteOfDay(LocalDateTime time) {
    return time.getHour() * 60 + time.getMinute();
  }

  private static LocalDateTime at(LocalDate day, int minute) {
    return LocalDateTime.of(day, LocalTime.of(minute / 60, minute % 60));
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof Cron cron && expression.equals(cron.expression);
  }

  @Override
  public int hashCode() {
    return expression.hashCode();
  }

  @Override
  public String toString() {
    return expression;
  }
}
