package io.bursar.store;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.flywaydb.core.api.FlywayException;
import org.junit.jupiter.api.Test;

final class MigrationsTest {
  @Test
  void refusesTheSchemaOfANewerBuildAndNoOther() {
    try (var fixture = new Fixture()) {
      fixture.test.migrate();
      fixture.test.asAdministrator("""
          INSERT INTO flyway_schema_history SELECT installed_rank + 1, '99999', 'of tomorrow', type, 'V99999__of_tomorrow.sql', 1,
            installed_by, now(), 1, true FROM flyway_schema_history ORDER BY installed_rank DESC LIMIT 1""");
      assertThatThrownBy(fixture.test::migrate).isInstanceOf(FlywayException.class)
          .hasMessageContaining("version 99999").hasMessageContaining("start the newer build");
    }
  }
}
