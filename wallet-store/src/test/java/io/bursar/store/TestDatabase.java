package io.bursar.store;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;

import org.testcontainers.DockerClientFactory;
import org.testcontainers.postgresql.PostgreSQLContainer;

import io.bursar.store.embedded.EmbeddedPostgres;

/**
 * A real PostgreSQL for tests: a container where a Docker engine answers, otherwise the embedded server. One server serves
 * all tests of a JVM; each database is new and migrated, and is reached as the role that the API has.
 */
public final class TestDatabase implements AutoCloseable {
  /** How to reach a server as one that may do anything. */
  private record Server(String host, int port, String adminUser, String adminPassword) {
    String url(String database) {
      return "jdbc:postgresql://" + host + ":" + port + "/" + database;
    }
  }

  private static final class Holder {
    static final Server SERVER = start();
  }

  /** The server's cache in a bench, as `deploy/bench/run` has it, unless `BURSAR_DB_SHARED_BUFFERS_MB` and the like say otherwise. */
  private static final Map<String, String> BENCH = Map.of("BURSAR_DB_SHARED_BUFFERS_MB", "2048", "BURSAR_DB_MIN_WAL_MB",
      "4096", "BURSAR_DB_MAX_WAL_MB", "4096");

  private static final AtomicInteger NUMBER = new AtomicInteger();
  private static final String API_PASSWORD = "test-only";

  private final Server server;
  private final String url;
  private final Database database;

  private TestDatabase(Server server, String name) {
    this.server = server;
    this.url = server.url(name);
    this.database = new Database(settings());
  }

  /** A new database with the schema and nothing in it. */
  public static TestDatabase create() {
    var name = "test_" + ProcessHandle.current().pid() + "_" + NUMBER.incrementAndGet();
    create(Holder.SERVER, name);
    return new TestDatabase(Holder.SERVER, name);
  }

  /**
   * The database in a folder, which outlives this process: with the schema and nothing in it the first time. Its server is an
   * embedded one with the cache that benches have.
   */
  public static TestDatabase kept(Path home) {
    var settings = new HashMap<>(BENCH);
    settings.putAll(System.getenv());
    var server = embedded(home, EmbeddedPostgres.Options.fromEnvironment(settings));
    try (var connection = DriverManager.getConnection(server.url("postgres"), server.adminUser(),
        server.adminPassword());
        var statement = connection.createStatement();
        var kept = statement.executeQuery("SELECT FROM pg_database WHERE datname = 'kept'")) {
      if (kept.next()) {
        Migrations.migrate(server.url("kept"), server.adminUser(), server.adminPassword());
      } else {
        create(server, "kept");
      }
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
    return new TestDatabase(server, "kept");
  }

  private static void create(Server server, String name) {
    try (
        var connection = DriverManager.getConnection(server.url("postgres"), server.adminUser(),
            server.adminPassword());
        var statement = connection.createStatement()) {
      statement.execute("CREATE DATABASE " + name);
      Migrations.migrate(server.url(name), server.adminUser(), server.adminPassword());
      statement.execute("""
          DO $$ BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'bursar_test_api') THEN
              CREATE ROLE bursar_test_api LOGIN PASSWORD '%s' IN ROLE bursar_app;
            END IF;
          END $$""".formatted(API_PASSWORD));
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
  }

  private static Server start() {
    if (dockerAnswers()) {
      var container = new PostgreSQLContainer("postgres:18").withUsername("postgres").withPassword("test-only");
      container.start();
      return new Server(container.getHost(), container.getFirstMappedPort(), "postgres", "test-only");
    }
    try {
      return embedded(Files.createTempDirectory(Path.of("target").toAbsolutePath(), "postgres-"),
          new EmbeddedPostgres.Options(128, 160, 512, 100));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Server embedded(Path home, EmbeddedPostgres.Options options) {
    try {
      var server = EmbeddedPostgres.start(home, options);
      return new Server("127.0.0.1", server.port(), server.adminUser(), server.adminPassword());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static boolean dockerAnswers() {
    try {
      return DockerClientFactory.instance().isDockerAvailable();
    } catch (RuntimeException | LinkageError e) {
      return false;
    }
  }

  /** As the API reaches it. */
  public Database.Settings settings() {
    return new Database.Settings(url, "bursar_test_api", new Database.Secret(API_PASSWORD), 16);
  }

  public Database database() {
    return database;
  }

  /** A JDBC URL for connections of a test's own, with {@link #settings}' user or the administrator's. */
  public String url() {
    return url;
  }

  /** Brings the schema up to date, as at a start. */
  public void migrate() {
    Migrations.migrate(url, server.adminUser(), server.adminPassword());
  }

  /** Runs a statement as one that may do anything. */
  public void asAdministrator(String sql) {
    try (var connection = DriverManager.getConnection(url, server.adminUser(), server.adminPassword());
        var statement = connection.createStatement()) {
      statement.execute(sql);
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() {
    database.close();
  }
}
