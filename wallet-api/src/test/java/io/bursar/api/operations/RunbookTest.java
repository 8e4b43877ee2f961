package io.bursar.api.operations;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import io.bursar.api.settlement.Alarm;

final class RunbookTest {
  @ParameterizedTest
  @EnumSource
  void saysWhatToDoAboutEachAlarm(Alarm alarm) throws IOException {
    var runbook = Files.readString(Path.of("..", "deploy", "runbook.md"));
    assertThat(runbook).containsPattern("(?m)^## `" + alarm.text() + "`\n\n\\S.{40,}");
  }
}
