package io.bursar.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.NavigableSet;
import java.util.Random;
import java.util.TreeSet;

import org.junit.jupiter.api.Test;

class TimeSpanTest {
  @Test
  void lastsFromItsStartForItsDuration() {
    var span = span("0 9 * * MON-FRI", "PT9H", "Europe/Berlin");

    assertThat(span.contains(at("2026-11-23T07:59:59.999999Z"))).isFalse();
    assertThat(span.contains(at("2026-11-23T08:00:00Z"))).isTrue();
    assertThat(span.contains(at("2026-11-23T16:59:59.999999Z"))).isTrue();
    assertThat(span.contains(at("2026-11-23T17:00:00Z"))).isFalse();
    assertThat(span.contains(at("2026-11-22T12:00:00Z"))).as("a Sunday").isFalse();
    assertThat(span.nextBoundary(at("2026-11-27T17:00:00Z"))).isEqualTo("2026-11-30T08:00:00Z");
    assertThat(span.nextBoundary(at("2026-11-30T08:00:00Z"))).isEqualTo("2026-11-30T17:00:00Z");
  }

  @Test
  void aStartThatTheClocksLeaveOutHappensWhenTheyGoForward() {
    // Berlin, 2026-03-29: 02:00 becomes 03:00 at 01:00 UTC; the day has 23 hours.
    var span = span("30 2 * * *", "PT1H", "Europe/Berlin");

    assertThat(span.contains(at("2026-03-29T00:59:59Z"))).isFalse();
    assertThat(span.contains(at("2026-03-29T01:00:00Z"))).isTrue();
    assertThat(span.nextBoundary(at("2026-03-29T01:00:00Z"))).isEqualTo("2026-03-29T02:00:00Z");
    assertThat(span.nextBoundary(at("2026-03-29T02:00:00Z"))).isEqualTo("2026-03-30T00:30:00Z");
  }

  @Test
  void aStartThatTheClocksShowTwiceHappensTheFirstTime() {
    // Berlin, 2026-10-25: 03:00 becomes 02:00 at 01:00 UTC; the day has 25 hours.
    var span = span("30 2 * * *", "PT10M", "Europe/Berlin");

    assertThat(span.nextBoundary(at("2026-10-24T12:00:00Z"))).isEqualTo("2026-10-25T00:30:00Z");
    assertThat(span.contains(at("2026-10-25T00:30:00Z"))).isTrue();
    assertThat(span.contains(at("2026-10-25T01:30:00Z"))).as("02:30 for the second time").isFalse();
    assertThat(span.nextBoundary(at("2026-10-25T00:40:00Z"))).isEqualTo("2026-10-26T01:30:00Z");
  }

  @Test
  void aWholeDayIsTwentyFourHoursOfElapsedTime() {
    var span = span("0 0 * * *", "PT24H", "Europe/Berlin");

    assertThat(span.contains(at("2026-10-25T21:59:59Z"))).isTrue();
    assertThat(span.contains(at("2026-10-25T22:00:00Z"))).as("the 25th hour").isFalse();
    assertThat(span.contains(at("2026-10-25T23:00:00Z"))).isTrue();
    assertThat(span.contains(at("2026-03-29T12:00:00Z"))).as("the day of 23 hours").isTrue();
  }

  @Test
  void aDayThatAZoneSkipsStartsWhenItIsSkipped() {
    // Samoa left out 2011-12-30.
    var span = span("0 12 30 12 *", "PT1H", "Pacific/Apia");

    assertThat(span.contains(at("2011-12-30T10:00:00Z"))).isTrue();
    assertThat(span.contains(at("2011-12-30T09:59:59Z"))).isFalse();
  }

  @Test
  void stretchesThatTouchAreOne() {
    assertThat(span("*/20 9-11 * * *", "PT20M", "UTC").nextBoundary(at("2026-11-23T09:00:00Z")))
        .isEqualTo("2026-11-23T12:00:00Z");
  }

  @Test
  void theSearchForABoundaryEndsEvenWhereThereIsNone() {
    var now = at("2026-11-23T10:00:00Z");

    assertThat(span("* * * * *", "PT1M", "UTC").nextBoundary(now)).isAfter(now);
    assertThat(span("0 0 29 2 *", "PT1M", "UTC").nextBoundary(now)).isEqualTo(now.plus(Duration.ofDays(366)));
    assertThat(span("0 0 29 2 *", "PT1M", "UTC").nextBoundary(at("2028-01-01T00:00:00Z")))
        .isEqualTo("2028-02-29T00:00:00Z");
  }

  @Test
  void agreesWithTheNaiveListOfStartsAcrossChangesOfTheClocks() {
    record Case(String zone, String day) {}
    var cases = List.of(new Case("Europe/Berlin", "2026-03-29"), new Case("Europe/Berlin", "2026-10-25"),
        new Case("America/New_York", "2026-03-08"), new Case("America/New_York", "2026-11-01"),
        new Case("Australia/Lord_Howe", "2026-04-05"), new Case("Australia/Lord_Howe", "2026-10-04"),
        new Case("Pacific/Apia", "2011-12-30"), new Case("Asia/Kathmandu", "2026-01-01"),
        new Case("UTC", "2026-02-28"));
    var crons = List.of("*/10 * * * *", "30 2 * * *", "15,45 1-3 * * *", "0 0 * * *", "59 23 * * SUN", "0 12 */2 * *",
        "7 0-4 1 * MON");
    var durations = List.of("PT1M", "PT10M", "PT59M", "PT1H", "PT23H", "PT24H", "P3D");
    for (var each : cases) {
      for (var cron : crons) {
        var day = Instant.parse(each.day + "T00:00:00Z");
        var starts = starts(span(cron, "PT1M", each.zone), day.minus(Duration.ofDays(7)), day.plus(Duration.ofDays(8)));
        for (var duration : durations) {
          agrees(span(cron, duration, each.zone), day, starts);
        }
      }
    }
  }

  private static void agrees(TimeSpan span, Instant day, NavigableSet<Instant> starts) {
    var from = day.minus(Duration.ofDays(2));
    var to = day.plus(Duration.ofDays(3));
    var random = new Random(span.hashCode());
    List<Instant> times = new ArrayList<>();
    for (int i = 0; i < 200; i++) {
      times.add(from.plusSeconds(random.nextInt((int) Duration.between(from, to).toSeconds())));
    }
    starts.forEach(start -> times.addAll(List.of(start, start.minusNanos(1000), start.plus(span.duration()))));
    times.removeIf(time -> time.isBefore(from) || time.isAfter(to));
    for (var time : times) {
      boolean inside = contains(starts, span.duration(), time);
      assertThat(span.contains(time)).as("%s at %s", span, time).isEqualTo(inside);
      var boundary = span.nextBoundary(time);
      assertThat(boundary).as("%s after %s", span, time).isAfter(time);
      var until = boundary.isBefore(to) ? boundary : to;
      var between = starts.subSet(time, false, until, true);
      assertThat(between.headSet(until).stream().filter(other -> contains(starts, span.duration(), other) != inside))
          .as(
              "%s changes between %s and %s", span, time, boundary)
          .isEmpty();
      boolean changes = contains(starts, span.duration(), boundary) != inside;
      assertThat(changes || boundary.isAfter(to) || (inside && between.size() >= 16))
          .as("%s changes at %s after %s", span,
              boundary, time)
          .isTrue();
    }
  }

  private static boolean contains(NavigableSet<Instant> starts, Duration duration, Instant time) {
    var start = starts.floor(time);
    return start != null && time.isBefore(start.plus(duration));
  }

  /** Every minute that the clocks of the zone could show, with a naive reading of the expression. */
  private static NavigableSet<Instant> starts(TimeSpan span, Instant from, Instant to) {
    var starts = new TreeSet<Instant>();
    var local = LocalDateTime.ofInstant(from, ZoneId.of("UTC")).minusDays(1);
    var last = LocalDateTime.ofInstant(to, ZoneId.of("UTC")).plusDays(1);
    var fields = span.cron().expression().split(" ");
    for (; local.isBefore(last); local = local.plusMinutes(1)) {
      if (!fires(fields, local)) {
        continue;
      }
      var rules = span.zone().getRules();
      var transition = rules.getTransition(local);
      starts.add(transition != null && transition.isGap()
          ? transition.getInstant()
          : ZonedDateTime.of(local, span.zone()).withEarlierOffsetAtOverlap().toInstant());
    }
    return starts;
  }

  private static boolean fires(String[] fields, LocalDateTime local) {
    boolean day = names(fields[2], local.getDayOfMonth(), 1);
    boolean weekday = names(fields[4], local.getDayOfWeek().getValue() % 7, 0);
    boolean either = !fields[2].equals("*") && !fields[4].equals("*");
    return names(fields[0], local.getMinute(), 0) && names(fields[1], local.getHour(), 0)
        && (either ? day || weekday : day && weekday);
  }

  private static boolean names(String field, int value, int first) {
    for (var item : field.replace("SUN", "0").replace("MON", "1").split(",")) {
      var step = item.split("/");
      var range = step[0].split("-");
      boolean in = step[0].equals("*")
          || (value >= Integer.parseInt(range[0]) && value <= Integer.parseInt(range[range.length - 1]));
      int from = step[0].equals("*") ? first : Integer.parseInt(range[0]);
      if (in && (step.length == 1 || (value - from) % Integer.parseInt(step[1]) == 0)) {
        return true;
      }
    }
    return false;
  }

  @Test
  void followsSeventeenStretchesThatTouchAndNoMore() {
    assertThat(span("* * * * *", "PT1M", "UTC").nextBoundary(at("2026-11-23T10:00:00Z")))
        .isEqualTo("2026-11-23T10:17:00Z");
  }

  @Test
  void refusesDurationsOutOfBounds() {
    assertThat(span("0 0 1 1 *", "PT1M", "UTC").duration()).isEqualTo(TimeSpan.DURATION_MIN);
    assertThat(span("0 0 1 1 *", "P7D", "UTC").duration()).isEqualTo(TimeSpan.DURATION_MAX);
    assertThatThrownBy(() -> span("* * * * *", "PT59S", "UTC")).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> span("* * * * *", "P7DT1S", "UTC")).isInstanceOf(IllegalArgumentException.class);
  }

  private static TimeSpan span(String cron, String duration, String zone) {
    return new TimeSpan(new Cron(cron), Duration.parse(duration), ZoneId.of(zone));
  }

  private static Instant at(String text) {
    return Instant.parse(text);
  }
}
