package io.bursar.store.log;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.ThreadLocalRandom;

import io.bursar.json.Json;
import io.bursar.store.Fixture;

/**
 * Measures the log on a real database and real files: how many entries a second are sequenced and put under signed heads, how long
 * one entry waits for its receipt on an idle log, and how long a receipt takes to serve. The heads are signed in this process.
 */
public final class LogLoad {
  private static final int WARMUP = 500;
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private LogLoad() {}

  /**
   * Prints one line for each measure.
   *
   * @param args how many entries, 100,000 if it is left out
   */
  public static void main(String[] args) throws Exception {
    int entries = args.length > 0 ? Integer.parseInt(args[0]) : 100_000;
    try (var store = new Fixture()) {
      var log = new Log(store.database, store.audit,
          new TileFiles(Files.createTempDirectory(Path.of("target").toAbsolutePath(), "log-load-")),
          new KeyHolder(), Cosigners.NONE, (tenant, why) -> {
            throw new IllegalStateException(why);
          });
      log.catchUp(store.tenant);
      store.test.asAdministrator("""
          WITH l AS (UPDATE lane SET audit_seq = audit_seq + %1$d RETURNING tenant_id, audit_seq - %1$d AS before)
          INSERT INTO audit_entry (tenant_id, seq, at, kind, payload, leaf_hash)
          SELECT tenant_id, before + n, now(), 'load', p, sha256('\\x00'::bytea || p) FROM l,
            LATERAL (SELECT n, convert_to('{"n":' || n || ',"filler":"' || repeat('x', 1400) || '"}', 'UTF8') AS p
                     FROM generate_series(1, %1$d) AS n) AS e""".formatted(entries));
      store.test.asAdministrator("CHECKPOINT");
      long begun = System.nanoTime();
      log.catchUp(store.tenant);
      double seconds = (System.nanoTime() - begun) / 1e9;
      System.out.printf("sequenced %,d entries of 1.4 KB in %.2f s: %,d a second%n", entries, seconds,
          Math.round(entries / seconds));
      var waits = new long[1_000];
      var serves = new long[1_000];
      for (int i = -WARMUP; i < waits.length; i++) {
        long seq = store.database.inTransaction(() -> {
          var slot = store.audit.next(store.tenant);
          store.audit.write(slot, "load", null, "load", Json.object().build());
          return slot.seq();
        });
        long waited = time(() -> log.receipt(store.tenant, seq, PATIENCE));
        long any = ThreadLocalRandom.current().nextLong(1, seq + 1);
        long served = time(() -> log.receipt(store.tenant, any, PATIENCE));
        if (i >= 0) {
          waits[i] = waited;
          serves[i] = served;
        }
      }
      print("commit to receipt, idle log", waits);
      print("receipt of a sequenced entry", serves);
    }
  }

  private interface Work {
    Object run() throws LogUnavailable;
  }

  private static long time(Work work) throws LogUnavailable {
    long begun = System.nanoTime();
    work.run();
    return System.nanoTime() - begun;
  }

  private static void print(String what, long[] nanos) {
    Arrays.sort(nanos);
    System.out.printf("%s: p50 %.1f ms, p99 %.1f ms%n", what, nanos[nanos.length / 2] / 1e6,
        nanos[nanos.length * 99 / 100] / 1e6);
  }
}
