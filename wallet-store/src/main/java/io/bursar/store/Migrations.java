package io.bursar.store;

import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.Map;

import org.flywaydb.core.Flyway;
import org.flywaydb.core.api.FlywayException;
import org.flywaydb.core.api.MigrationState;
import org.jspecify.annotations.Nullable;

/** Brings a database to the schema that this build was made for. Safe to run again and by several processes at once. */
public final class Migrations {
  private Migrations() {}

  /**
   * Applies what is missing.
   *
   * @param jdbcUrl a PostgreSQL JDBC URL
   * @param user a role that owns the schema, or may create one (and, the first time, roles)
   * @throws FlywayException if the database cannot be reached, or holds a schema of a newer build, which this one could not keep sound
   */
  public static void migrate(String jdbcUrl, String user, String password) {
    var flyway = Flyway.configure()
        .dataSource(jdbcUrl, user, password)
        .locations("classpath:db/migration")
        .load();
    // Flyway itself lets that pass, for rolling back; but what a newer build has written an older one may read wrongly.
    for (var applied : flyway.info().applied()) {
      if (applied.getState() == MigrationState.FUTURE_SUCCESS) {
        throw new FlywayException("the database's schema is of version " + applied.getVersion()
            + ", which this build does not know: start the newer build, or restore the backup from before it");
      }
    }
    flyway.migrate();
  }

  /**
   * For a database that somebody else runs: settings come from the environment, so that no password stands on a command line.
   * {@code BURSAR_DB_MIGRATE_USER} may name a role with more rights than {@code BURSAR_DB_USER}; the latter is then made a member of
   * {@code bursar_app}, which is all that the API needs.
   */
  public static void main(String[] args) {
    try {
      migrate(System.getenv());
    } catch (FlywayException | SQLException | IllegalArgumentException e) {
      System.err.println(e.getMessage());
      System.exit(1);
    }
  }

  private static void migrate(Map<String, String> env) throws SQLException {
    String url = required(env, "BURSAR_DB_URL");
    String apiUser = required(env, "BURSAR_DB_USER");
    String migrateUser = env.get("BURSAR_DB_MIGRATE_USER");
    if (migrateUser == null || migrateUser.isEmpty()) {
      migrate(url, apiUser, required(env, "BURSAR_DB_PASSWORD"));
      return;
    }
    String password = required(env, "BURSAR_DB_MIGRATE_PASSWORD");
    migrate(url, migrateUser, password);
    if (!migrateUser.equals(apiUser)) {
      grantApplicationRole(url, migrateUser, password, apiUser);
    }
  }

  private static void grantApplicationRole(String url, String user, String password, String apiUser)
      throws SQLException {
    try (var connection = DriverManager.getConnection(url, user, password);
        var statement = connection.createStatement()) {
      statement.execute("GRANT bursar_app TO " + statement.enquoteIdentifier(apiUser, true));
    }
  }

  private static String required(Map<String, String> env, String name) {
    @Nullable
    String value = env.get(name);
    if (value == null || value.isEmpty()) {
      throw new IllegalArgumentException("`" + name + "` is not set, set it to reach the database");
    }
    return value;
  }
}
