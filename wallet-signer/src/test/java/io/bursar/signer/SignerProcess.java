package io.bursar.signer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.PrivateKey;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;

import io.bursar.permit.PermitKeys;

/** The real signer as an operating system process, on the class path of the tests. */
final class SignerProcess implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  private final Path home;
  private final Path socket;
  private final Path permitKey;
  private final Path log;
  private Process process;

  SignerProcess(Path directory, String... more) throws Exception {
    this(directory, List.of(), more);
  }

  /** @param init more arguments of {@code init} */
  SignerProcess(Path directory, List<String> init, String... more) throws Exception {
    home = directory.resolve("home");
    socket = directory.resolve("run").resolve("signer.sock");
    permitKey = directory.resolve("permit.key");
    log = directory.resolve("signer.log");
    var arguments = new ArrayList<>(List.of("init", "--home", home.toString(), "--permit-key", permitKey.toString()));
    arguments.addAll(init);
    var initialized = java(arguments.toArray(String[]::new)).start();
    if (initialized.waitFor() != 0) {
      throw new IllegalStateException(Files.readString(log));
    }
    process = launch(more);
  }

  Path home() {
    return home;
  }

  Path socket() {
    return socket;
  }

  Path log() {
    return log;
  }

  Process process() {
    return process;
  }

  PrivateKey permitKey() throws IOException {
    return PermitKeys.parsePrivate(Files.readString(permitKey));
  }

  /** Ends the process as a power cut would. */
  void kill() {
    process.destroyForcibly().onExit().join();
  }

  /** Starts it again after it ended. */
  void restart(String... more) throws Exception {
    process = launch(more);
  }

  /** Sends SIGTERM and gives the exit status. */
  int terminate() throws InterruptedException {
    process.destroy();
    if (!process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
      throw new IllegalStateException("the signer did not stop");
    }
    return process.exitValue();
  }

  @Override
  public void close() {
    kill();
  }

  private Process launch(String... more) throws Exception {
    long seen = Files.exists(log) ? readyLines() : 0;
    var arguments = new ArrayList<>(
        List.of("serve", "--home", home.toString(), "--socket", socket.toString()));
    if (!List.of(more).contains("--log-proof")) {
      arguments.addAll(List.of("--log-proof", "off"));
    }
    arguments.addAll(List.of(more));
    var started = java(arguments.toArray(String[]::new)).start();
    long until = System.nanoTime() + PATIENCE.toNanos();
    while (readyLines() == seen) {
      if (!started.isAlive() || System.nanoTime() > until) {
        started.destroyForcibly();
        throw new IllegalStateException(Files.readString(log));
      }
      Thread.sleep(5);
    }
    return started;
  }

  private long readyLines() throws IOException {
    return Files.readString(log).lines().filter(line -> line.contains(" ready ")).count();
  }

  private ProcessBuilder java(String... arguments) {
    return java(SignerMain.class, arguments).redirectErrorStream(true)
        .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()));
  }

  /** A JVM with the signer's flags, to run another program as the signer runs. */
  static ProcessBuilder java(Class<?> main, String... arguments) {
    var command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "-XX:+UseSerialGC", "-Xms16m", "-Xmx192m", "-XX:TrimNativeHeapInterval=5000", "-XX:+DisableAttachMechanism",
        "-XX:-HeapDumpOnOutOfMemoryError",
        "-XX:+ExitOnOutOfMemoryError", "-XX:-UsePerfData", "--enable-native-access=ALL-UNNAMED", "-cp",
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")), main.getName()));
    command.addAll(List.of(arguments));
    var builder = new ProcessBuilder(command);
    builder.environment().keySet()
        .removeAll(Set.of("BURSAR_MODE", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS"));
    return builder;
  }
}
