package io.bursar.store.embedded;

import java.io.File;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;

/**
 * The processes of one server. A shell holds the postmaster and reads a pipe whose only other end is in this JVM: when the JVM
 * ends, in whatever way, the pipe closes and PostgreSQL does a fast shutdown; when PostgreSQL ends, the shell ends.
 */
final class Postmaster {
  /** Its own session ({@code setsid}), so that Ctrl-C reaches this JVM first and the server only after the JVM's clients are gone. */
  private static final String HOLD = """
                                     exec 3<&0 </dev/null
                                     "$@" 3<&- & p=$!
                                     { read -r _ <&3; kill -INT $p; } & w=$!
                                     trap 'kill -INT $p' TERM INT HUP
                                     while :; do wait $p; c=$?; kill -0 $p 2>/dev/null || break; done
                                     kill $w 2>/dev/null
                                     exit $c
                                     """;
  private static final Duration STOP = Duration.ofSeconds(30);
  private static final Duration POLL = Duration.ofMillis(10);
  private static final int STATUS_LINE = 7; // LOCK_FILE_LINE_PM_STATUS of PostgreSQL's miscadmin.h, counted from zero

  private final Process holder;
  private final Path data;

  private Postmaster(Process holder, Path data) {
    this.holder = holder;
    this.data = data;
  }

  /** Starts {@code command} and returns at once. */
  static Postmaster hold(List<String> command, Path data, Path log) throws IOException {
    List<String> held = new ArrayList<>(List.of("setsid", "sh", "-c", HOLD, "hold"));
    held.addAll(asOrdinaryUser(command));
    return new Postmaster(builder(held).redirectErrorStream(true).redirectOutput(appendTo(log)).start(), data);
  }

  /** Runs a program of the server to its end. */
  static void run(List<String> command, Path log, String failure) throws IOException {
    Process process = builder(asOrdinaryUser(command)).redirectErrorStream(true)
        .redirectInput(new File("/dev/null"))
        .redirectOutput(appendTo(log))
        .start();
    try {
      if (!waitFor(process, Duration.ofMinutes(2))) {
        throw new IOException(failure + ": no end after two minutes");
      }
      if (process.exitValue() != 0) {
        throw new IOException(failure + ": exit code " + process.exitValue() + ", see `" + log + "`: " + tail(log));
      }
    } finally {
      process.destroyForcibly();
    }
  }

  /** PostgreSQL refuses user id 0. In an unmapped user namespace root has another id, and its files stay root's. */
  private static List<String> asOrdinaryUser(List<String> command) throws IOException {
    if (!PrivateFiles.processUser().equals(0)) {
      return command;
    }
    List<String> wrapped = new ArrayList<>(List.of("unshare", "-U"));
    wrapped.addAll(command);
    return wrapped;
  }

  /** The server needs nothing from our environment, and must not see what secrets are in it. */
  private static ProcessBuilder builder(List<String> command) {
    ProcessBuilder builder = new ProcessBuilder(command);
    String path = System.getenv().getOrDefault("PATH", "/usr/bin:/bin");
    builder.environment().clear();
    builder.environment().put("PATH", path);
    builder.environment().put("LC_ALL", "C");
    return builder;
  }

  private static ProcessBuilder.Redirect appendTo(Path log) {
    return ProcessBuilder.Redirect.appendTo(log.toFile());
  }

  boolean isAlive() {
    return holder.isAlive();
  }

  /** Waits for the server's end, however long. */
  int awaitExit() throws InterruptedException {
    return holder.waitFor();
  }

  /** True once the server takes connections, false if it ended before. Recovery after a crash may take a while. */
  boolean awaitReady(Duration limit) throws IOException {
    long deadline = System.nanoTime() + limit.toNanos();
    while (!status().startsWith("ready")) {
      if (!holder.isAlive()) {
        return false;
      }
      if (System.nanoTime() - deadline > 0) {
        throw new IOException("PostgreSQL takes no connections after " + limit.toSeconds() + " s");
      }
      pause();
    }
    return true;
  }

  private String status() throws IOException {
    List<String> lines = pidFile(data);
    return lines.size() > STATUS_LINE ? lines.get(STATUS_LINE).strip() : "";
  }

  /** Fast shutdown: open transactions are rolled back, a checkpoint is written. */
  void stop() throws IOException {
    try {
      holder.getOutputStream().close();
    } catch (IOException e) {
      // the pipe is gone already, and with it its reader
    }
    if (!waitFor(holder, STOP)) {
      postmaster(data).ifPresent(pid -> signal("QUIT", pid)); // recovers from its log at the next start
      if (!waitFor(holder, STOP)) {
        holder.destroyForcibly();
      }
    }
    stopLeftover(data);
  }

  /**
   * Ends whatever still serves {@code data}: a postmaster whose JVM and shell were both killed, or the backends of a postmaster
   * that was killed. Afterwards no process works there, and the pid file, if one is left, is removed: PostgreSQL would refuse to
   * start when the number in it has since been given to another program.
   */
  static void stopLeftover(Path data) throws IOException {
    postmaster(data).ifPresent(pid -> signal("INT", pid));
    long start = System.nanoTime();
    boolean insisted = false;
    while (anyProcessIn(data)) {
      long waited = System.nanoTime() - start;
      if (!insisted && waited > STOP.toNanos()) {
        postmaster(data).ifPresent(pid -> signal("QUIT", pid));
        insisted = true;
      }
      if (waited > 2 * STOP.toNanos()) {
        throw new IOException("an earlier PostgreSQL still runs in `" + data + "`, stop it first");
      }
      pause();
    }
    Files.deleteIfExists(data.resolve("postmaster.pid"));
  }

  /** The process that the pid file names, if that process is a server of this very directory. */
  static OptionalLong postmaster(Path data) throws IOException {
    List<String> lines = pidFile(data);
    if (lines.isEmpty()) {
      return OptionalLong.empty();
    }
    try {
      long pid = Long.parseLong(lines.getFirst().strip());
      String command = Files.readString(Path.of("/proc/" + pid + "/cmdline"));
      boolean ours = List.of(command.split("\0"))
          .contains(data.toString());
      return ours ? OptionalLong.of(pid) : OptionalLong.empty();
    } catch (NumberFormatException | IOException e) {
      return OptionalLong.empty(); // half written, or the process is gone
    }
  }

  private static List<String> pidFile(Path data) throws IOException {
    try {
      return Files.readAllLines(data.resolve("postmaster.pid"), StandardCharsets.ISO_8859_1);
    } catch (NoSuchFileException e) {
      return List.of();
    }
  }

  /** Every process of a server has its data directory as its working directory. */
  private static boolean anyProcessIn(Path data) throws IOException {
    try (var processes = Files.newDirectoryStream(Path.of("/proc"), "[0-9]*")) {
      for (Path process : processes) {
        if (worksIn(process, data)) {
          return true;
        }
      }
      return false;
    } catch (DirectoryIteratorException e) {
      throw e.getCause();
    }
  }

  private static boolean worksIn(Path process, Path data) {
    try {
      return Files.readSymbolicLink(process.resolve("cwd")).equals(data);
    } catch (IOException e) {
      return false; // ended meanwhile, or somebody else's
    }
  }

  private static void signal(String name, long pid) {
    try {
      new ProcessBuilder("sh", "-c", "kill -" + name + " " + pid).redirectErrorStream(true)
          .redirectOutput(ProcessBuilder.Redirect.DISCARD)
          .start()
          .waitFor();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (IOException e) {
      throw new UncheckedIOException("cannot run `kill`", e);
    }
  }

  private static boolean waitFor(Process process, Duration limit) throws IOException {
    try {
      return process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      throw interrupted();
    }
  }

  private static void pause() throws IOException {
    try {
      TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
    } catch (InterruptedException e) {
      throw interrupted();
    }
  }

  private static InterruptedIOException interrupted() {
    Thread.currentThread().interrupt();
    return new InterruptedIOException("interrupted while waiting for PostgreSQL");
  }

  /** The last lines of a log, for a message about a process that ended early. */
  static String tail(Path log) {
    try {
      List<String> lines = Files.readAllLines(log, StandardCharsets.ISO_8859_1);
      return String.join(" | ", lines.subList(Math.max(0, lines.size() - 5), lines.size()));
    } catch (IOException e) {
      return "no log";
    }
  }
}
