package io.bursar.api.testing;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import java.util.random.RandomGenerator;

import io.bursar.api.signer.SignerClient;
import io.bursar.api.signer.SignerHeads;
import io.bursar.json.Json;
import io.bursar.store.AuditEntries;
import io.bursar.store.Database;
import io.bursar.store.log.Cosigners;
import io.bursar.store.log.Log;
import io.bursar.store.log.LogUnavailable;
import io.bursar.store.log.TileFiles;

/** A process that writes entries and sequences them, as fast as it can, until it is killed; it prints every entry that it got a receipt of. */
public final class SequencerProcess implements AutoCloseable {
  private static final String ACKNOWLEDGED = "acknowledged ";
  private static final Duration PATIENCE = Duration.ofSeconds(10);

  private final TestProcess process;

  private SequencerProcess(TestProcess process) {
    this.process = process;
  }

  /** Starts one, and returns at once. */
  public static SequencerProcess start(Database.Settings database, UUID tenantId, SignerProcess signer, Path tiles) {
    return new SequencerProcess(TestProcess.start("sequencer",
        List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx128m", "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1", "-cp", System.getProperty("java.class.path"), SequencerProcess.class.getName(),
            database.url(), database.user(), tenantId.toString(), signer.socket().toString(), tiles.toString()),
        Map.of("PASSWORD", database.password().value())));
  }

  public static void main(String[] args) {
    var database = new Database(
        new Database.Settings(args[0], args[1], new Database.Secret(Objects.requireNonNull(System.getenv("PASSWORD"))),
            2));
    var audit = new AuditEntries(database);
    var tenantId = UUID.fromString(args[2]);
    var signer = new SignerClient(Path.of(args[3]), 2, Duration.ofSeconds(5));
    var log = new Log(database, audit, new TileFiles(Path.of(args[4])), new SignerHeads(signer), Cosigners.NONE,
        (tenant, why) -> System.out.println("stopped " + why));
    var random = RandomGenerator.getDefault();
    while (true) {
      int count = random.nextInt(1, 200);
      long seq = database.inTransaction(() -> {
        long last = 0;
        for (int i = 0; i < count; i++) {
          var slot = audit.next(tenantId);
          audit.write(slot, "test.entry", null, "test", Json.object().put("n", random.nextInt()).build());
          last = slot.seq();
        }
        return last;
      });
      try {
        var _ = log.receipt(tenantId, seq, PATIENCE);
        System.out.println(ACKNOWLEDGED + seq);
      } catch (LogUnavailable e) {
        System.out.println("unavailable: " + e.getMessage());
      }
    }
  }

  /** The numbers of the entries that it got receipts of. */
  public List<Long> acknowledged() {
    // The last line may be half a line.
    var lines = process.output();
    return lines.substring(0, lines.lastIndexOf('\n') + 1).lines().filter(line -> line.startsWith(ACKNOWLEDGED))
        .map(line -> Long.valueOf(line.substring(ACKNOWLEDGED.length()))).toList();
  }

  public boolean isAlive() {
    return process.isAlive();
  }

  public String output() {
    return process.output();
  }

  /** Ends it as {@code kill -9} does. */
  @Override
  public void close() {
    process.close();
  }
}
