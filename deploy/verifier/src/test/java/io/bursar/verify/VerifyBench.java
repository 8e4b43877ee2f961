package io.bursar.verify;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.IntStream;

import io.bursar.log.NoteKey;

/**
 * How many leaves a second one core verifies: {@code deploy/bench/audit verify} runs it. The log is made in memory, of entries
 * as long as an authorization's.
 */
final class VerifyBench {
  private VerifyBench() {}

  public static void main(String[] args) throws Exception {
    int size = Integer.parseInt(args[0]);
    int bytes = Integer.parseInt(args[1]);
    var filler = "x".repeat(bytes - 12);
    List<byte[]> entries = IntStream.range(0, size)
        .mapToObj(i -> "%010d: %s".formatted(i, filler).getBytes(StandardCharsets.UTF_8)).toList();
    var log = SpecLog.withTestKey("bursar.example/bench").write(entries);
    var key = NoteKey.parse(log.vkey());
    for (int round = 1; round <= 5; round++) {
      var report = new LogVerifier(log, key, LogVerifier.Options.DEFAULT).all(Optional.empty(), done -> {});
      System.out.printf(Locale.ROOT, "round %d: %,d leaves of %,d bytes in %,d ms: %,d leaves/s%n", round,
          report.entries(), bytes, report.took().toMillis(),
          report.entries() * 1_000_000_000L / Math.max(1, report.took().toNanos()));
    }
  }
}
