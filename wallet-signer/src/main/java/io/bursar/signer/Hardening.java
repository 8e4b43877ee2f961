package io.bursar.signer;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * What the process does at its start to keep others out of its memory, and to be of little use to who gets into it. Each
 * measure ends in one fact that health shows, and in one shortfall if it is not in force.
 */
final class Hardening {
  private static final Logger LOG = System.getLogger("io.bursar.signer");
  private static final int PR_SET_DUMPABLE = 4;
  private static final int RLIMIT_CORE = 4;

  private final List<String> facts = new ArrayList<>();
  private final List<String> shortfalls = new ArrayList<>();

  /**
   * What can be done first: forbids core dumps, and reading this process through {@code /proc} or {@code ptrace} by others of
   * the same user; looks whether the JVM was started as it should be; locks the memory for keys.
   *
   * @param environment of the process, which can hold options for the JVM
   */
  Hardening(Map<String, String> environment) {
    var options = commandLine();
    measure("dumpable", "off", "on", Libc.IS_LINUX && Libc.prctl(PR_SET_DUMPABLE, 0) == 0,
        "processes of the same user can read the memory");
    measure("core-dumps", "off", "on", noCoreDumps(), "a crash can leave the memory on the disk");
    measure("attach", "off", "on", options.contains("-XX:+DisableAttachMechanism"),
        "start it with -XX:+DisableAttachMechanism");
    measure("heap-dumps", "off", "on", options.contains("-XX:-HeapDumpOnOutOfMemoryError"),
        "start it with -XX:-HeapDumpOnOutOfMemoryError");
    measure("java-options", "command-line", "environment",
        Stream.of("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS").noneMatch(environment::containsKey),
        "unset JAVA_TOOL_OPTIONS, _JAVA_OPTIONS and JDK_JAVA_OPTIONS, which can undo the others");
    measure("locked-memory", "on", "off", LockedMemory.instance().isLocked(), "keys can be swapped out; allow "
        + LockedMemory.SLOTS * LockedMemory.SLOT_BYTES / 1024 + " KiB of locked memory (RLIMIT_MEMLOCK)");
  }

  /**
   * What can only be done once all is loaded: the system call filter, of which no thread of this process is free again. Says
   * in one line of the log what is not in force.
   *
   * @throws IOException if all of it is required and something is not in force; the message says what
   */
  void finish(Secp256k1 curve, boolean required) throws IOException {
    measure("key-memory", "native", "heap", curve.keepsKeysOffHeap(), "this backend copies keys to the heap");
    measure("system-call-filter", "on", "off",
        SystemCallFilter.Processor.here().map(SystemCallFilter::install).orElse(false),
        "it needs Linux on amd64 or aarch64, and a kernel with seccomp");
    if (shortfalls.isEmpty()) {
      return;
    }
    var missing = String.join("; ", shortfalls);
    if (required) {
      throw new IOException("--require-hardening, but these are not in force: " + missing);
    }
    LOG.log(Level.WARNING, "not hardened in full: " + missing);
  }

  /** Facts such as {@code dumpable=off} and {@code core-dumps=on}. */
  List<String> facts() {
    return List.copyOf(facts);
  }

  private void measure(String name, String wanted, String otherwise, boolean inForce, String shortfall) {
    facts.add(name + "=" + (inForce ? wanted : otherwise));
    if (!inForce) {
      shortfalls.add(name + "=" + otherwise + " (" + shortfall + ")");
    }
  }

  private static List<String> commandLine() {
    try {
      return List.of(Files.readString(Path.of("/proc/self/cmdline"), StandardCharsets.ISO_8859_1).split("\0"));
    } catch (IOException notLinux) {
      return List.of();
    }
  }

  private static boolean noCoreDumps() {
    if (!Libc.IS_LINUX) {
      return false;
    }
    try (var arena = Arena.ofConfined()) {
      return Libc.setrlimit(RLIMIT_CORE, arena.allocate(16)) == 0; // soft and hard limit: 0 bytes
    }
  }
}
