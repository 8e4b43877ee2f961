package io.bursar.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.util.List;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import io.bursar.policy.Window.Calendar.Unit;

class WindowTest {
  @ParameterizedTest
  @CsvSource({"DAY,Europe/Berlin,2026-03-29T12:00:00Z,2026-03-28T23:00:00Z,2026-03-29T22:00:00Z",
      "DAY,Europe/Berlin,2026-10-25T12:00:00Z,2026-10-24T22:00:00Z,2026-10-25T23:00:00Z",
      "HOUR,Europe/Berlin,2026-10-25T00:30:00Z,2026-10-25T00:00:00Z,2026-10-25T01:00:00Z",
      "HOUR,Europe/Berlin,2026-10-25T01:30:00Z,2026-10-25T01:00:00Z,2026-10-25T02:00:00Z",
      "HOUR,Australia/Lord_Howe,2026-04-04T14:45:00Z,2026-04-04T14:00:00Z,2026-04-04T15:30:00Z",
      "HOUR,Australia/Lord_Howe,2026-04-04T15:15:00Z,2026-04-04T14:00:00Z,2026-04-04T15:30:00Z",
      "HOUR,Asia/Kathmandu,2026-11-23T10:10:00Z,2026-11-23T09:15:00Z,2026-11-23T10:15:00Z",
      "WEEK,UTC,2026-11-23T00:00:00Z,2026-11-23T00:00:00Z,2026-11-30T00:00:00Z",
      "WEEK,UTC,2026-11-22T23:59:59.999999Z,2026-11-16T00:00:00Z,2026-11-23T00:00:00Z",
      "MONTH,America/New_York,2026-03-15T00:00:00Z,2026-03-01T05:00:00Z,2026-04-01T04:00:00Z",
      "DAY,Pacific/Apia,2011-12-30T09:00:00Z,2011-12-29T10:00:00Z,2011-12-30T10:00:00Z"})
  void aPeriodRunsBetweenTheClocksOfItsZone(Unit unit, String zone, Instant now, Instant start, Instant end) {
    var calendar = new Window.Calendar(unit, ZoneId.of(zone));

    assertThat(calendar.start(now)).isEqualTo(start);
    assertThat(calendar.end(now)).isEqualTo(end);
  }

  @Test
  void periodsFollowEachOtherWithoutGapOrOverlap() {
    for (var zone : List.of("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu",
        "America/Havana", "Asia/Beirut", "Pacific/Apia", "Africa/Casablanca")) {
      for (var unit : Unit.values()) {
        var calendar = new Window.Calendar(unit, ZoneId.of(zone));
        var time = Instant.parse("2011-12-01T00:00:07Z");
        for (int i = 0; i < 20_000; i++, time = time.plus(Duration.ofMinutes(27))) {
          var start = calendar.start(time);
          var end = calendar.end(time);
          boolean holds = !start.isAfter(time) && end.isAfter(time) && calendar.start(start).equals(start)
              && calendar.start(end).equals(end) && calendar.start(end.minusNanos(1000)).equals(start)
              && calendar.end(start).equals(end);
          assertThat(holds).as("%s in %s at %s: %s to %s", unit, zone, time, start, end).isTrue();
        }
      }
    }
  }

  @Test
  void rollingWindowsHaveSlotsThatFollowFromTheirLength() {
    record Sizes(long length, int fine, int coarse) {}
    for (var sizes : List.of(new Sizes(1, 1, 1), new Sizes(300, 1, 1), new Sizes(301, 1, 60), new Sizes(3_600, 1, 60),
        new Sizes(3_601, 1, 900), new Sizes(86_400, 1, 900), new Sizes(86_401, 60, 21_600),
        new Sizes(31_622_400, 60, 21_600))) {
      var window = new Window.Rolling(Duration.ofSeconds(sizes.length));
      assertThat(new Sizes(window.seconds(), window.fineSeconds(), window.coarseSeconds())).isEqualTo(sizes);
      // A spend of this moment must never lie in the coarse slot at the trailing edge.
      assertThat(window.seconds()).isGreaterThanOrEqualTo(window.coarseSeconds());
    }
  }

  @Test
  void refusesLengthsOutOfBounds() {
    for (var length : List.of(Duration.ZERO, Duration.ofMillis(1_500), Duration.ofSeconds(-1), Duration.ofDays(367))) {
      assertThatThrownBy(() -> new Window.Rolling(length)).isInstanceOf(IllegalArgumentException.class);
    }
  }
}
