package io.bursar.api.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;

import org.awaitility.Awaitility;

import io.bursar.store.Database;

/**
 * The embedded PostgreSQL as the launcher runs it: in a process of its own that starts a killed server again, or ends if the
 * server dies too soon, and is then started again as the launcher would.
 */
public final class PostgresProcess implements AutoCloseable {
  private final Path home;
  private volatile TestProcess process;
  private volatile boolean closed;

  private PostgresProcess(Path home, TestProcess process) {
    this.home = home;
    this.process = process;
    var _ = Thread.ofVirtual().start(this::supervise);
  }

  private void supervise() {
    while (!closed) {
      if (!process.isAlive()) {
        process = launch(home);
      }
      LockSupport.parkNanos(Duration.ofMillis(100).toNanos());
    }
    process.close();
  }

  /** A new server with the schema, ready. */
  public static PostgresProcess start(Path home) {
    var process = launch(home);
    Awaitility.await("postgres").atMost(Duration.ofMinutes(2)).pollInterval(Duration.ofMillis(50)).until(() -> {
      if (!process.isAlive()) {
        throw new IllegalStateException(process.output());
      }
      return process.output().lines().anyMatch("ready"::equals);
    });
    return new PostgresProcess(home, process);
  }

  private static TestProcess launch(Path home) {
    return TestProcess.start("postgres",
        List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx64m", "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1", "-cp", System.getProperty("java.class.path"),
            "io.bursar.store.embedded.EmbeddedPostgres", "--home",
            home.toString()));
  }

  /** As the API reaches it. */
  public Database.Settings settings() {
    return new Database.Settings("jdbc:postgresql://127.0.0.1:" + read("postgres/port") + "/bursar", "bursar_api",
        new Database.Secret(read("postgres/bursar_api.password")), 16);
  }

  /** Ends the server itself, with all its backends, as {@code kill -9} does. */
  public void killServer() {
    var lines = read("postgres/data/postmaster.pid").lines().toList();
    ProcessHandle.of(Long.parseLong(lines.getFirst().strip())).ifPresent(postmaster -> {
      var all = Stream.concat(Stream.of(postmaster), postmaster.descendants()).toList();
      all.forEach(ProcessHandle::destroyForcibly);
      all.forEach(process -> process.onExit().join());
    });
  }

  private String read(String file) {
    try {
      return Files.readString(home.resolve(file)).strip();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    closed = true;
    process.close();
    // Whoever deletes its files next must find nobody who writes them.
    if (Files.exists(home.resolve("postgres/data/postmaster.pid"))) {
      killServer();
    }
  }
}
