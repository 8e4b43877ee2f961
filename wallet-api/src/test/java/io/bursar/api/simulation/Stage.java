package io.bursar.api.simulation;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.logging.Level;
import java.util.logging.Logger;

import org.slf4j.LoggerFactory;

import io.bursar.store.Database;
import io.bursar.store.TestDatabase;

/** What worlds are played on one after the other: a PostgreSQL whose clock can be set, and threads that take turns. */
final class Stage implements AutoCloseable {
  static final int REPLICAS = 2;
  /** Held so that its level is not forgotten: every signature would be a line. */
  private static final Logger SIGNER_LOG = Logger.getLogger("io.bursar.signer");

  private final TestDatabase test = TestDatabase.create();
  private final Path directory;
  private final Database observer;
  private final Connection connection;
  private final List<Database> databases = new ArrayList<>();
  private final List<Actor> actors = new ArrayList<>();

  Stage() {
    SIGNER_LOG.setLevel(Level.OFF);
    ((ch.qos.logback.classic.Logger) LoggerFactory.getLogger("io.bursar")).setLevel(ch.qos.logback.classic.Level.OFF);
    ((ch.qos.logback.classic.Logger) LoggerFactory.getLogger("com.zaxxer.hikari"))
        .setLevel(ch.qos.logback.classic.Level.OFF);
    test.asAdministrator(SimulatedTime.INSTALL);
    var plain = test.settings();
    try {
      var memory = Path.of("/dev/shm");
      directory = Files.isWritable(memory)
          ? Files.createTempDirectory(memory, "bursar-")
          : Files.createTempDirectory("bursar-");
      connection = DriverManager.getConnection(plain.url(), plain.user(), plain.password().value());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
    observer = new Database(new Database.Settings(plain.url(), plain.user(), plain.password(), 2));
    for (int i = 0; i < REPLICAS; i++) {
      databases.add(new Database(new Database.Settings(InterruptedDatabase.url(plain.url()), plain.user(),
          plain.password(), 2)));
      actors.add(new Actor("replica-" + i));
    }
  }

  /** The processes of a world, started. */
  List<Replica> replicas(World world) {
    var replicas = new ArrayList<Replica>();
    for (int i = 0; i < REPLICAS; i++) {
      var replica = new Replica(world, databases.get(i), actors.get(i));
      replica.start();
      replicas.add(replica);
    }
    return replicas;
  }

  /** Reaches the database past the port, for who prepares a world and who examines it. */
  Database observer() {
    return observer;
  }

  /** As {@link #observer}, one connection. */
  Connection connection() {
    return connection;
  }

  Path directory() {
    return directory;
  }

  @Override
  public void close() {
    actors.forEach(Actor::close);
    databases.forEach(Database::close);
    observer.close();
    try (var files = Files.walk(directory)) {
      connection.close();
      for (var file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
    test.close();
  }
}
