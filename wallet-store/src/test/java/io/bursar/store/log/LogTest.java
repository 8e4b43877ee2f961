package io.bursar.store.log;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import io.bursar.json.Json;
import io.bursar.log.Checkpoint;
import io.bursar.log.CompactRange;
import io.bursar.log.EntryBundle;
import io.bursar.log.LogProof;
import io.bursar.log.Merkle;
import io.bursar.log.Tile;
import io.bursar.log.TilePath;
import io.bursar.permit.Digest32;
import io.bursar.policy.Policy;
import io.bursar.spend.Id;
import io.bursar.store.Fixture;
import io.bursar.store.Lane;
import io.bursar.store.PaymentStore;
import io.bursar.store.Spend;

/** The log over real entries, on a real database and real files. */
class LogTest {
  private static final Duration PATIENCE = Duration.ofSeconds(20);

  @TempDir
  Path directory = Path.of(".");
  private final Fixture store = new Fixture();
  private final KeyHolder signer = new KeyHolder();
  private final List<String> alarms = new CopyOnWriteArrayList<>();

  @AfterEach
  void close() {
    store.close();
  }

  private Log log() {
    return new Log(store.database, store.audit, new TileFiles(directory), signer, Cosigners.NONE,
        (tenant, why) -> alarms.add(why));
  }

  private void write(UUID tenant, int count) {
    store.database.inTransaction(() -> {
      for (int i = 0; i < count; i++) {
        store.audit.write(store.audit.next(tenant), "test.entry", null, "test", Json.object().put("n", i).build());
      }
    });
  }

  private long last(UUID tenant) {
    return (long) java.util.Objects
        .requireNonNull(store.value("SELECT audit_seq FROM lane WHERE tenant_id = ?", tenant));
  }

  /** Reads all of a published log as an outsider would, and finds every entry in its place. */
  private void holds(Log log, UUID tenant) throws LogUnavailable {
    var state = log.state(tenant);
    var head = Checkpoint.open(state.checkpoint().orElseThrow(), log.key(tenant));
    assertThat(head.size()).isEqualTo(last(tenant)).isEqualTo(state.checkpointSize());
    var range = new CompactRange();
    for (long bundle = 0; bundle * 256 < head.size(); bundle++) {
      var path = TilePath.in(head.size(), TilePath.ENTRIES, bundle);
      var entries = EntryBundle.decode(log.tile(tenant, log.state(tenant), path).orElseThrow(), path.width());
      var leaves = entries.stream().map(Merkle::leafHash).toList();
      assertThat(log.tile(tenant, log.state(tenant), TilePath.in(head.size(), 0, bundle)).orElseThrow())
          .isEqualTo(Tile.of(leaves).bytes());
      leaves.forEach(range::append);
    }
    assertThat(range.root()).isEqualTo(head.root());
    var hashes = store.database.sql().sql("SELECT leaf_hash FROM audit_entry WHERE tenant_id = :tenant ORDER BY seq")
        .param("tenant", tenant).query((row, n) -> Digest32.of(row.getBytes(1))).list();
    var random = new Random(head.size());
    for (int i = 0; i < 10; i++) {
      int index = random.nextInt(hashes.size());
      var receipt = log.receipt(tenant, index + 1L, PATIENCE);
      assertThat(receipt.verify(hashes.get(index), log.key(tenant)).size()).isEqualTo(head.size());
    }
  }

  @Test
  void everyEntryGetsItsPlaceHoweverTheLogGrows() throws Exception {
    var log = log();
    for (int step : new int[]{1, 2, 250, 1, 1, 300, 2700}) {
      write(store.tenant, step);
      log.catchUp(store.tenant);
      holds(log, store.tenant);
    }
    assertThat(log.behind()).isEmpty();
    assertThat(log.tile(store.tenant, log.state(store.tenant), new TilePath(0, 1000, 1))).isEmpty();
    assertThat(directory.resolve(Id.TENANT.text(store.tenant)).resolve("tile/0/000")).hasSize(8192);
  }

  /** Somebody changed a file of the log, or rows together with their hashes: the recount names it. */
  @Test
  void theRecountFindsTilesAndRowsThatDiffer() throws Exception {
    var log = log();
    write(store.tenant, 70_000 / 256 * 2);
    log.catchUp(store.tenant);
    assertThat(log.differences(store.tenant)).isEmpty();
    for (var path : List.of("tile/0/001", "tile/entries/000")) {
      var file = directory.resolve(Id.TENANT.text(store.tenant)).resolve(path);
      var bytes = Files.readAllBytes(file);
      bytes[41 * 32] ^= 1;
      Files.write(file, bytes);
      assertThat(log.differences(store.tenant)).containsExactly(path.startsWith("tile/0")
          ? "entry 298 of the record is not what `tile/0/001` of the log says"
          : "`tile/entries/000` of the log is not what the record leads to");
      Files.delete(file);
      assertThat(log.differences(store.tenant)).as("what is lost is made again").isEmpty();
    }
    store.test.asAdministrator("""
        ALTER TABLE audit_entry DISABLE TRIGGER ALL;
        UPDATE audit_entry SET payload = payload || ' ', leaf_hash = sha256('\\x00'::bytea || payload || ' ') WHERE seq = 500;
        ALTER TABLE audit_entry ENABLE TRIGGER ALL""");
    assertThat(log.differences(store.tenant)).anyMatch(line -> line.contains("do not lead to the root"));
    store.test.asAdministrator("""
        ALTER TABLE audit_entry DISABLE TRIGGER ALL; DELETE FROM audit_entry WHERE seq > 400""");
    assertThat(log.differences(store.tenant)).singleElement().asString().contains("after the first 400");
  }

  @Test
  void aReceiptIsMadeOnDemand() throws Exception {
    var log = log();
    write(store.tenant, 3);
    assertThat(log.state(store.tenant).checkpoint()).isEmpty();
    var receipt = log.receipt(store.tenant, last(store.tenant), PATIENCE);
    assertThat(receipt.index()).isEqualTo(last(store.tenant) - 1);
    holds(log, store.tenant);
  }

  @Test
  void aSpendHasItsPlaceInTheLogFromTheHeadThatCoversIt() throws Exception {
    store.attach(Policy.Target.TENANT, store.tenant, "{\"id\":\"any\",\"kind\":\"permit\"}");
    var decided = store.lanes.open(store.tenant).decide(List.of(store.request("placed", "1"))).getFirst();
    var id = ((Lane.Outcome.Decided) decided).spend().id();
    assertThat(store.spends.find(store.tenant, id).orElseThrow().authorization().index()).isNull();
    log().catchUp(store.tenant);
    assertThat(store.spends.find(store.tenant, id).orElseThrow().authorization().index())
        .isEqualTo(last(store.tenant) - 1);
  }

  @Test
  void erasingATextLeavesEveryReceiptValid() throws Exception {
    store.attach(Policy.Target.TENANT, store.tenant, "{\"id\":\"any\",\"kind\":\"permit\"}");
    var payments = new PaymentStore(store.database, store.audit, store.reservations, PaymentStore.Settings.DEFAULT);
    var plain = store.request("with-text", "1");
    var decided = store.lanes.open(store.tenant).decide(List.of(new Spend.Request(plain.agentId(), plain.walletId(),
        plain.idempotencyKey(), plain.fingerprint(), plain.asset(), plain.amount(), plain.payee(), null, null,
        new Spend.Text("for Jane Doe", null, null), null))).getFirst();
    var spend = ((Lane.Outcome.Decided) decided).spend();
    var log = log();
    var before = log.evidence(store.tenant, spend.id(), PATIENCE);
    payments.eraseText(store.tenant, spend.id(), "test");
    assertThat(store.spends.find(store.tenant, spend.id()).orElseThrow().request().text().purpose()).isNull();
    assertThat(store.value("SELECT count(*) FROM spend_text")).isEqualTo(0L);
    log.catchUp(store.tenant);
    holds(log, store.tenant);
    var after = log.evidence(store.tenant, spend.id(), PATIENCE);
    assertThat(after.entry()).isEqualTo(before.entry());
    for (var evidence : List.of(before, after)) {
      LogProof.parse(evidence.proof().toByteArray())
          .verify(Merkle.leafHash(evidence.entry().toByteArray()), log.key(store.tenant));
    }
    assertThat(new String(after.entry().toByteArray(), StandardCharsets.UTF_8)).doesNotContain("Jane");
  }

  @Test
  void tilesThatWereLostAreMadeAgainAsTheSameBytes() throws Exception {
    var log = log();
    write(store.tenant, 600);
    log.catchUp(store.tenant);
    var file = directory.resolve(Id.TENANT.text(store.tenant)).resolve("tile/entries/001");
    var before = Files.readAllBytes(file);
    try (var files = Files.walk(directory)) {
      for (var lost : files.filter(Files::isRegularFile).toList()) {
        Files.delete(lost);
      }
    }
    holds(log, store.tenant);
    assertThat(Files.readAllBytes(file)).isEqualTo(before);
  }

  @Test
  void aCrashAtAnyPointOfARoundLeavesWhatTheNextRoundFinishes() throws Exception {
    var random = new Random(17);
    for (int crash = 0; crash < 20; crash++) {
      write(store.tenant, random.nextInt(400));
      int at = random.nextInt(6);
      var dying = new Log(store.database, store.audit, new TileStore() {
        private final TileFiles files = new TileFiles(directory);
        private int left = at;

        @Override
        public java.util.Optional<byte[]> read(UUID tenantId, TilePath path) throws IOException {
          return files.read(tenantId, path);
        }

        @Override
        public void write(UUID tenantId, List<Written> tiles) throws IOException, Conflict {
          for (var tile : tiles) {
            if (left-- == 0) {
              throw new IOException("killed");
            }
            files.write(tenantId, List.of(tile));
          }
        }
      }, crash % 3 == 0 ? new HeadSigner() {
        @Override
        public io.bursar.permit.SignerReply sign(io.bursar.permit.SignerRequest.SignHead head) throws LogUnavailable {
          signer.sign(head); // signed, and the answer was lost
          throw LogUnavailable.forNow("killed", new IOException("killed"));
        }

        @Override
        public io.bursar.log.NoteKey key(UUID tenantId) {
          return signer.key(tenantId);
        }
      } : signer, Cosigners.NONE, (tenant, why) -> alarms.add(why));
      try {
        dying.catchUp(store.tenant);
      } catch (LogUnavailable killed) {
        assertThat(killed.isStopped()).as("seed 17, crash %d", crash).isFalse();
      }
    }
    var log = log();
    log.catchUp(store.tenant);
    holds(log, store.tenant);
    assertThat(alarms).isEmpty();
  }

  @Test
  void manySequencersOfManyTenantsDoNotDisturbEachOther() throws Exception {
    var tenants = new ArrayList<UUID>();
    for (int i = 0; i < 100; i++) {
      tenants.add(store.directory.createTenant("tenant-" + i, "test").orElseThrow().id());
    }
    var logs = List.of(log(), log(), log());
    try (var threads = Executors.newFixedThreadPool(6)) {
      var tasks = new ArrayList<Callable<Void>>();
      for (int t = 0; t < 6; t++) {
        var log = logs.get(t % 3);
        int thread = t;
        tasks.add(() -> {
          var random = new Random(thread);
          for (int i = 0; i < 40; i++) {
            var tenant = tenants.get(i < 25 ? random.nextInt(4) : random.nextInt(100));
            write(tenant, 1 + random.nextInt(60));
            if (random.nextBoolean()) {
              log.receipt(tenant, last(tenant), PATIENCE);
            } else {
              log.catchUp(tenant);
            }
          }
          return null;
        });
      }
      for (var task : threads.invokeAll(tasks)) {
        task.get();
      }
    }
    assertThat(alarms).isEmpty();
    for (var tenant : tenants.subList(0, 6)) {
      logs.getFirst().catchUp(tenant);
      holds(logs.getLast(), tenant);
    }
  }

  @Test
  void nothingGoesOnWithoutTheSignerAndAllOfItAfterwards() throws Exception {
    var log = log();
    write(store.tenant, 10);
    signer.away = true;
    assertThatThrownBy(() -> log.receipt(store.tenant, 1, PATIENCE)).isInstanceOf(LogUnavailable.class);
    signer.away = false;
    log.catchUp(store.tenant);
    holds(log, store.tenant);
  }

  /** What only somebody with the owner's rights can do, and can hide from the database. */
  private void asOwner(String sql) {
    store.test.asAdministrator("ALTER TABLE audit_entry DISABLE TRIGGER ALL");
    store.test.asAdministrator(sql);
    store.test.asAdministrator("ALTER TABLE audit_entry ENABLE ALWAYS TRIGGER append_only_row");
    store.test.asAdministrator("ALTER TABLE audit_entry ENABLE ALWAYS TRIGGER append_only_statement");
  }

  private void isStoppedAfter(String sql) throws Exception {
    var log = log();
    write(store.tenant, 300);
    log.catchUp(store.tenant);
    asOwner(sql);
    write(store.tenant, 260);
    assertThatThrownBy(() -> log.catchUp(store.tenant)).isInstanceOf(LogUnavailable.class);
    assertThat(alarms).hasSize(1);
    assertThat(log.state(store.tenant).stopped()).isPresent();
    log.behind();
    assertThat(log.isStopped(store.tenant)).isTrue();
    assertThatThrownBy(() -> log.resume(store.tenant, "test")).as("nothing was put right")
        .isInstanceOf(LogUnavailable.class);
    assertThat(store.value("SELECT count(*) FROM audit_entry WHERE kind = 'log.stopped'")).isEqualTo(2L);
  }

  @Test
  void anEntryThatWasChangedStopsTheLog() throws Exception {
    isStoppedAfter("""
        UPDATE audit_entry SET payload = payload || ' '::bytea, leaf_hash = sha256('\\x00'::bytea || payload || ' '::bytea)
        WHERE seq = 290""");
  }

  @Test
  void anEntryThatWasTakenOutStopsTheLog() throws Exception {
    isStoppedAfter("DELETE FROM audit_entry WHERE seq = 290");
  }

  @Test
  void entriesThatWereSwappedStopTheLog() throws Exception {
    isStoppedAfter("""
        WITH a AS (SELECT * FROM audit_entry WHERE seq IN (280, 281))
        UPDATE audit_entry e SET payload = a.payload, leaf_hash = a.leaf_hash FROM a
        WHERE e.tenant_id = a.tenant_id AND e.seq IN (280, 281) AND a.seq = 561 - e.seq""");
  }

  @Test
  void aDatabaseThatWasPutBackToAnOlderCopyStopsTheLog() throws Exception {
    var log = log();
    write(store.tenant, 20);
    log.catchUp(store.tenant);
    var before = log.state(store.tenant);
    write(store.tenant, 20);
    log.catchUp(store.tenant);
    long cut = before.size();
    asOwner("DELETE FROM audit_entry WHERE seq > " + cut);
    store.test.asAdministrator("UPDATE lane SET audit_seq = " + cut);
    store.test.asAdministrator(
        "UPDATE log_state SET checkpoint = NULL, checkpoint_size = 0, size = 0, edge = '', upper_tiles = ''");
    write(store.tenant, 5);
    assertThatThrownBy(() -> log.catchUp(store.tenant)).hasMessageContaining("put back to an older copy");
    assertThat(alarms).singleElement().asString().contains("put back to an older copy");
    write(store.tenant, 100);
    assertThatThrownBy(() -> log.resume(store.tenant, "test")).as("another history of the same length")
        .hasMessageContaining("the signer refuses");
  }
}
