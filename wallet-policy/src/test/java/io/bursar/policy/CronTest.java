package io.bursar.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.LocalDate;
import java.time.LocalDateTime;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class CronTest {
  @ParameterizedTest
  @CsvSource(delimiter = '|', textBlock = """
                                          * * * * *             | 2026-11-23T10:00 | 2026-11-23T10:01
                                          0 9 * * MON-FRI       | 2026-11-20T09:00 | 2026-11-23T09:00
                                          0 9 * * mon-fri       | 2026-11-20T08:59 | 2026-11-20T09:00
                                          */15 * * * *          | 2026-11-23T10:45 | 2026-11-23T11:00
                                          10-30/10 8,20 * * *   | 2026-11-23T08:30 | 2026-11-23T20:10
                                          0 0 * * 0             | 2026-11-23T00:00 | 2026-11-29T00:00
                                          0 0 * * 7             | 2026-11-23T00:00 | 2026-11-29T00:00
                                          0 0 * * FRI-SUN       | 2026-11-23T00:00 | 2026-11-27T00:00
                                          0 0 1 JAN,jul *       | 2026-11-23T00:00 | 2027-01-01T00:00
                                          0 0 31 * *            | 2026-11-23T00:00 | 2026-12-31T00:00
                                          0 0 29 2 *            | 2026-11-23T00:00 | 2028-02-29T00:00
                                          59 23 31 12 *         | 2026-12-31T23:59 | 2027-12-31T23:59
                                          0 0 13 * FRI          | 2026-11-23T00:00 | 2026-11-27T00:00
                                          0 0 13 * FRI          | 2026-12-11T00:00 | 2026-12-13T00:00
                                          0 0 30 2 MON          | 2027-01-01T00:00 | 2027-02-01T00:00
                                          0 0 1-31 * MON        | 2026-11-23T00:00 | 2026-11-30T00:00
                                          0 0 */10 * *          | 2026-11-23T00:00 | 2026-12-01T00:00
                                          """)
  void firesNextAndLast(String expression, LocalDateTime after, LocalDateTime next) {
    var cron = new Cron(expression);

    assertThat(cron.next(after, LocalDate.of(2030, 1, 1))).isEqualTo(next);
    assertThat(cron.previous(next, LocalDate.of(2026, 1, 1))).as("the last until its own time").isEqualTo(next);
    var last = cron.previous(next.minusMinutes(1), LocalDate.of(2020, 1, 1));
    assertThat(last == null || !last.isAfter(after)).as("nothing between").isTrue();
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "* * * *", "* * * * * *", "*  * * * *", " * * * * *", "60 * * * *", "* 24 * * *",
      "* * 0 * *", "* * 32 * *", "* * * 0 *", "* * * 13 *", "* * * * 8", "5-1 * * * *", "*/0 * * * *", "5/10 * * * *",
      "1,,2 * * * *", "-1 * * * *", "1-2-3 * * * *", "? * * * *", "@daily", "* * * FOO *", "* * MON * *", "0 0 30 2 *",
      "0 0 31 4,6,9,11 *", "0 0 31 FEB *", "*/100 * * * *", "1.5 * * * *", "L * * * *", "FRI-MON * * * *",
      "* * * * FRI-MON",
      "١ * * * *"})
  void refusesWhatIsNoExpression(String expression) {
    assertThatThrownBy(() -> new Cron(expression)).isInstanceOf(IllegalArgumentException.class)
        .hasMessageMatching("(has|must|names) .*[^.]");
  }

  @ParameterizedTest
  @ValueSource(strings = {"0 0 29 2 *"})
  void looksNoFurtherThanItIsTold(String expression) {
    @Nullable
    LocalDateTime next = new Cron(expression).next(LocalDateTime.parse("2026-11-23T00:00"), LocalDate.of(2028, 2, 28));

    assertThat(next).isNull();
  }
}
