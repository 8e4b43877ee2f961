package io.bursar.api.testing;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** A child process of a test, with its output in {@code target/test-logs}; it ends with the test, or with the JVM. */
final class TestProcess implements AutoCloseable {
  private static final Path LOGS = Path.of("target", "test-logs");

  private final Process process;
  private final Path log;
  private final Thread endsWithJvm;

  private TestProcess(Process process, Path log) {
    this.process = process;
    this.log = log;
    this.endsWithJvm = new Thread(process::destroyForcibly);
    Runtime.getRuntime().addShutdownHook(endsWithJvm);
  }

  static TestProcess start(String name, List<String> command) {
    return start(name, command, Map.of());
  }

  static TestProcess start(String name, List<String> command, Map<String, String> environment) {
    try {
      Files.createDirectories(LOGS);
      var log = Files.createTempFile(LOGS, name + "-", ".log");
      var builder = new ProcessBuilder(command).redirectErrorStream(true).redirectInput(new File("/dev/null"))
          .redirectOutput(log.toFile());
      builder.environment().putAll(environment);
      return new TestProcess(builder.start(), log);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static int freePort() {
    try (var socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  String output() {
    try {
      return Files.readString(log);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  long pid() {
    return process.pid();
  }

  boolean isAlive() {
    return process.isAlive();
  }

  /** Ends it as {@code kill -9} does, and waits for the end. */
  @Override
  public void close() {
    process.destroyForcibly();
    try {
      process.waitFor(10, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    Runtime.getRuntime().removeShutdownHook(endsWithJvm);
  }
}
