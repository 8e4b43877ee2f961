package io.bursar.api.endtoend;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;

import org.awaitility.Awaitility;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import io.bursar.api.demo.Client;
import io.bursar.api.testing.AnvilProcess;
import io.bursar.api.testing.ApiProcess;
import io.bursar.api.testing.PostgresProcess;
import io.bursar.api.testing.SignerProcess;
import io.bursar.json.Json;
import io.bursar.log.Checkpoint;
import io.bursar.log.CompactRange;
import io.bursar.log.SignedNote;
import io.bursar.money.Address;
import io.bursar.money.Amount;
import io.bursar.permit.Digest32;
import io.bursar.spend.Id;
import io.bursar.store.CounterKeeping;
import io.bursar.store.Database;

/**
 * Kills the service, the signer and PostgreSQL at random moments, while clients spend and try again with their keys. What was
 * acknowledged must be there, paid once, and counted right. {@code -Dkill.rounds=200} plays longer, {@code -Dkill.seed} again.
 */
class KillTest {
  private static final int CLIENTS = 16;
  /** Of each mode of settlement. */
  private static final int ROUNDS = Integer.getInteger("kill.rounds", 20) / 2;
  private static final long SEED = Long.getLong("kill.seed", 20_261_123L);
  private static final String AMOUNT = "0.01";

  /** One payment that a client wants made: a payee of its own tells it apart on the chain. */
  private record Wanted(String key, Address payee) {}

  private final Map<Wanted, String> acknowledged = new ConcurrentHashMap<>();
  private final AtomicBoolean spending = new AtomicBoolean(true);

  @TempDir
  private java.nio.file.Path home;

  @ParameterizedTest(name = "relayers: {0}")
  @ValueSource(ints = {0, 2})
  void whateverIsKilledNothingIsLostAndNothingIsPaidTwice(int relayers) throws Exception {
    var random = RandomGeneratorFactory.of("L64X128MixRandom").create(SEED);
    try (var postgres = PostgresProcess.start(home);
        var signer = SignerProcess.start();
        var chain = AnvilProcess.start();
        var api = ApiProcess.on(postgres.settings()).with(signer, chain)
            .setting("BURSAR_RELAYERS", Integer.toString(relayers)).start();
        var clients = Executors.newFixedThreadPool(CLIENTS)) {
      var stage = Stage.set(api.client());
      var running = new java.util.ArrayList<java.util.concurrent.Future<?>>();
      for (int i = 0; i < CLIENTS; i++) {
        running.add(clients.submit(() -> spendOn(api, stage)));
      }
      for (int round = 0; round < ROUNDS; round++) {
        killOne(round, random, api, signer, postgres);
      }
      spending.set(false);
      for (var client : running) {
        client.get();
      }
      assertThat(acknowledged).as("seed %d", SEED).hasSizeGreaterThan(ROUNDS);
      awaitSettled(api.client(), stage);
      assertPaidExactlyOnce(chain, stage, relayers == 0 ? acknowledged.size() : 0);
      try (var database = new Database(postgres.settings())) {
        assertThat(new CounterKeeping(database).differences(Id.TENANT.parse(stage.tenantId()).orElseThrow()))
            .as("seed %d", SEED).isEmpty();
        assertThat(database.sql()
            .sql("SELECT count(*) = max(seq) AND max(seq) = (SELECT max(audit_seq) FROM lane) FROM audit_entry")
            .query(Boolean.class).single()).as("the record is gapless").isTrue();
        assertLogIsWhole(database);
      }
    }
  }

  /** The head that the signer signed is over exactly the entries that are there, in their order. */
  private static void assertLogIsWhole(Database database) {
    Awaitility.await("all is under a head").atMost(Duration.ofSeconds(30)).until(() -> database.sql().sql("""
        SELECT max(l.audit_seq) = max(s.checkpoint_size) FROM lane l JOIN log_state s USING (tenant_id)
        """).query(Boolean.class).single());
    var note = database.sql().sql("SELECT checkpoint FROM log_state")
        .query((row, n) -> SignedNote.parse(row.getBytes("checkpoint"))).single();
    var range = new CompactRange();
    database.sql().sql("SELECT leaf_hash FROM audit_entry ORDER BY seq")
        .query((row, n) -> Digest32.of(row.getBytes("leaf_hash"))).list().forEach(range::append);
    var head = Checkpoint.parse(note.text());
    assertThat(head.size()).isEqualTo(range.size());
    assertThat(head.root()).as("seed %d", SEED).isEqualTo(range.root());
  }

  private static void killOne(int round, RandomGenerator random, ApiProcess api, SignerProcess signer,
      PostgresProcess postgres)
      throws InterruptedException {
    Thread.sleep(random.nextInt(50, 800));
    switch (round % 3) {
      case 0 -> {
        api.kill();
        api.start();
      }
      case 1 -> signer.restart();
      default -> {
        postgres.killServer();
        api.await();
      }
    }
    Thread.sleep(200);
  }

  /** Sends payments one after the other, each again and again with its key until it is acknowledged. */
  private void spendOn(ApiProcess api, Stage stage) {
    while (spending.get()) {
      var wanted = new Wanted(UUID.randomUUID().toString(), Tenancy.randomAddress());
      var body = Json.object().put("walletId", stage.walletId()).put("asset", "USDC").put("amount", AMOUNT)
          .put("to", wanted.payee().toString()).build();
      Awaitility.await("acknowledged").atMost(Duration.ofMinutes(3)).pollInterval(Duration.ofMillis(100)).until(() -> {
        try {
          var answer = api.client().post("/v1/spends", stage.agentKey(), body, "Idempotency-Key", wanted.key());
          if (answer.status() >= 500) {
            return false;
          }
          assertThat(answer.status()).as(answer.body().toString()).isIn(200, 201);
          assertThat(answer.text("status")).isNotEqualTo("denied");
          acknowledged.put(wanted, answer.text("id"));
          return true;
        } catch (IOException unreachable) {
          return false;
        }
      });
      pause();
    }
  }

  private static void pause() {
    try {
      Thread.sleep(250);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void awaitSettled(Client client, Stage stage) {
    Awaitility.await("all are final").atMost(Duration.ofMinutes(4)).pollInterval(Duration.ofSeconds(1)).until(() -> {
      for (var state : List.of("authorized", "prepared", "signed", "broadcast")) {
        if (!client.get("/v1/spends?limit=1&status=" + state, stage.agentKey()).list("data").isEmpty()) {
          return false;
        }
      }
      return true;
    });
    for (var id : acknowledged.values()) {
      try {
        assertThat(client.get("/v1/spends/" + id, stage.agentKey()).text("status")).as("seed %d, %s", SEED, id)
            .isEqualTo("confirmed");
      } catch (IOException | InterruptedException e) {
        throw new IllegalStateException(e);
      }
    }
  }

  private void assertPaidExactlyOnce(AnvilProcess chain, Stage stage, long transactions) {
    var cent = Amount.parse(AMOUNT, 6);
    assertThat(chain.transfersFrom(Address.parse(stage.address()))).as("seed %d: transfers on the chain", SEED)
        .hasSameSizeAs(acknowledged.keySet());
    acknowledged.keySet().forEach(
        wanted -> assertThat(chain.balanceOf(wanted.payee())).as("seed %d: what %s has", SEED, wanted.payee())
            .isEqualTo(cent));
    assertThat(chain.transactionCount(Address.parse(stage.address()))).as("its own transactions")
        .isEqualTo(transactions);
  }
}
