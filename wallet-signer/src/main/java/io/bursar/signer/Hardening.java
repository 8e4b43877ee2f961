package io.bursar.signer;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** What the process does at start to keep others out of its memory. Each step ends in one fact, done or not. */
final class Hardening {
  private static final int PR_SET_DUMPABLE = 4;
  private static final int RLIMIT_CORE = 4;

  private Hardening() {}

  /**
   * Forbids core dumps, and reading this process through {@code /proc} or {@code ptrace} by others of the same user.
   *
   * @return facts such as {@code dumpable=off} and {@code core-dumps=on}
   */
  static List<String> apply() {
    var facts = new ArrayList<String>();
    if (!System.getProperty("os.name", "").equals("Linux")) {
      facts.add("dumpable=on");
      facts.add("core-dumps=on");
      return facts;
    }
    facts.add("dumpable=" + (undumpable() ? "off" : "on"));
    facts.add("core-dumps=" + (noCoreDumps() ? "off" : "on"));
    return facts;
  }

  /** Whether the process was started so that no debugger or diagnostic tool can attach and read its heap. */
  static boolean attachDisabled() {
    try {
      var commandLine = Files.readString(Path.of("/proc/self/cmdline"), StandardCharsets.ISO_8859_1);
      return List.of(commandLine.split("\0")).contains("-XX:+DisableAttachMechanism");
    } catch (IOException notLinux) {
      return false;
    }
  }

  private static boolean undumpable() {
    var linker = Linker.nativeLinker();
    return linker.defaultLookup().find("prctl").map(symbol -> {
      var prctl = linker.downcallHandle(symbol,
          FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG),
          Linker.Option.firstVariadicArg(1));
      try {
        return (int) prctl.invokeExact(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) == 0;
      } catch (Throwable thrown) {
        return false;
      }
    }).orElse(false);
  }

  private static boolean noCoreDumps() {
    var linker = Linker.nativeLinker();
    return linker.defaultLookup().find("setrlimit").map(symbol -> {
      var setrlimit = linker.downcallHandle(symbol, FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS));
      try (var arena = Arena.ofConfined()) {
        return (int) setrlimit.invokeExact(RLIMIT_CORE, arena.allocate(16)) == 0; // soft and hard limit: 0 bytes
      } catch (Throwable thrown) {
        return false;
      }
    }).orElse(false);
  }
}
