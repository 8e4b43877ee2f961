package io.bursar.api.endtoend;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import java.util.stream.Collectors;
import java.util.stream.Stream;

import org.awaitility.Awaitility;
import org.awaitility.core.ConditionTimeoutException;

import io.bursar.api.testing.AnvilProcess;
import io.bursar.api.testing.ApiProcess;
import io.bursar.api.testing.Cable;
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
import io.bursar.store.Database;
import tools.jackson.databind.JsonNode;

/**
 * Real processes under load, with clients that try again with their keys, and one fault after the other. What was acknowledged must
 * be there, paid once, and counted right.
 */
final class Chaos {
  /** What goes wrong. */
  enum Fault {
    API_KILLED,
    SIGNER_KILLED,
    POSTGRES_KILLED,
    /** The node does not answer for up to three seconds. */
    NODE_CUT_OFF,
    /** The file system of PostgreSQL and of the tiles is full for two seconds. */
    DISK_FULL,
    /** The machine's clock, as every process sees it, is off by up to an hour for some seconds. */
    CLOCK_JUMPED;

    String text() {
      return name().toLowerCase(Locale.ROOT).replace('_', ' ');
    }
  }

  /**
   * What to play.
   *
   * @param home where PostgreSQL and the service keep their files; a small file system of its own if its disk is to be full
   * @param relayers none for settlement in mode {@code direct}
   * @param clock the file by which libfaketime sets the clock of every process, this one included
   * @param progress is told a line whenever everything was counted
   */
  record Settings(long seed, int rounds, int examineEvery, int relayers, Path home, Optional<Path> clock,
      List<Fault> faults, Consumer<String> progress) {}

  /**
   * What came of it.
   *
   * @param recovery from a fault to the next request that was sent after it and acknowledged, at the most
   * @param paying from a fault to the next transfer on the chain, at the most
   */
  record Totals(int rounds, Map<Fault, Integer> faults, int spends, Duration recovery, Duration paying) {
    String text() {
      var text = new StringBuilder();
      text.append("rounds ").append(rounds).append(", spends ").append(spends).append(", lost 0, paid twice 0\n");
      faults.forEach((fault, count) -> text.append("  ").append(fault.text()).append(": ").append(count).append('\n'));
      return text.append("slowest recovery: next acknowledgement after ").append(recovery.toMillis())
          .append(" ms, next payment after ").append(paying.toMillis()).append(" ms\n").toString();
    }
  }

  private static final int CLIENTS = 16;

  /** One payment that a client wants made. */
  private record Wanted(String key, Transfer transfer) {}

  /**
   * What the chain shows of a payment: no two that are wanted are alike.
   *
   * @param amount in base units
   */
  private record Transfer(Address payee, BigInteger amount) {}

  private final Settings settings;
  private final RandomGenerator random;
  private final PostgresProcess postgres;
  private final SignerProcess signer;
  private final AnvilProcess chain;
  private final Cable cable;
  private final ApiProcess api;
  private final ExecutorService threads = Executors.newCachedThreadPool();
  /** They come again with other amounts: the development chain costs more with each account that it has ever seen. */
  private final List<Address> payees = Stream.generate(Tenancy::randomAddress).limit(64).toList();
  private final AtomicInteger wanted = new AtomicInteger();
  private final Map<Wanted, String> acknowledged = new ConcurrentHashMap<>();
  private final AtomicBoolean spending = new AtomicBoolean();
  private final Recovery acknowledging = new Recovery();
  private final Recovery paying = new Recovery();
  private final Map<Fault, Integer> faults = new EnumMap<>(Fault.class);
  /** What the chain has paid, as far as that was examined, and in which block it did so last. */
  private final List<Transfer> paid = new ArrayList<>();
  private long lastPaid = -1;

  /** How long it takes from a fault until something moves again. */
  private static final class Recovery {
    private final AtomicLong struckAt = new AtomicLong();
    private final AtomicLong slowest = new AtomicLong();

    void struck() {
      struckAt.compareAndSet(0, System.nanoTime());
    }

    /** Something moved that began at a time. */
    void moved(long begunAt) {
      long struck = struckAt.get();
      if (struck != 0 && begunAt > struck && struckAt.compareAndSet(struck, 0)) {
        slowest.accumulateAndGet(System.nanoTime() - struck, Math::max);
      }
    }

    Duration slowest() {
      return Duration.ofNanos(slowest.get());
    }
  }

  private Chaos(Settings settings) {
    this.settings = settings;
    random = RandomGeneratorFactory.of("L64X128MixRandom").create(settings.seed);
    postgres = PostgresProcess.start(settings.home);
    signer = SignerProcess.start();
    chain = AnvilProcess.start();
    cable = new Cable(chain.endpoint());
    api = ApiProcess.on(postgres.settings()).with(signer, chain).setting("BURSAR_RPC_URL", cable.endpoint().toString())
        .setting("BURSAR_HOME", settings.home.resolve("api").toString())
        .setting("BURSAR_RELAYERS", Integer.toString(settings.relayers)).start();
  }

  /** Plays, and throws if anything is not as it must be. */
  static Totals play(Settings settings) throws IOException, InterruptedException, ExecutionException {
    var chaos = new Chaos(settings);
    try (chaos.postgres; chaos.signer; chaos.chain; chaos.cable; chaos.api; chaos.threads) {
      try {
        return chaos.play();
      } finally {
        chaos.spending.set(false);
        chaos.threads.shutdownNow();
      }
    }
  }

  private Totals play() throws IOException, InterruptedException, ExecutionException {
    var stage = Stage.set(api.client());
    var watcher = threads.submit(() -> watchTheChain(Address.parse(stage.address())));
    for (int done = 0; done < settings.rounds;) {
      int until = Math.min(settings.rounds, done + settings.examineEvery);
      spending.set(true);
      var clients = new ArrayList<Future<?>>();
      for (int i = 0; i < CLIENTS; i++) {
        clients.add(threads.submit(() -> spendOn(stage)));
      }
      for (; done < until; done++) {
        Thread.sleep(random.nextInt(50, 800));
        strike(settings.faults.get(done % settings.faults.size()));
        Thread.sleep(200);
      }
      spending.set(false);
      for (var client : clients) {
        client.get();
      }
      examine(stage, done);
      settings.progress.accept(done + " of " + settings.rounds + " rounds, " + acknowledged.size()
          + " spends acknowledged, each of them ended as it must, slowest recovery "
          + Math.max(acknowledging.slowest().toMillis(), paying.slowest().toMillis()) + " ms");
    }
    watcher.cancel(true);
    return new Totals(settings.rounds, faults, acknowledged.size(), acknowledging.slowest(), paying.slowest());
  }

  private void strike(Fault fault) throws InterruptedException, IOException {
    faults.merge(fault, 1, Integer::sum);
    acknowledging.struck();
    paying.struck();
    switch (fault) {
      case API_KILLED -> {
        api.kill();
        api.start();
      }
      case SIGNER_KILLED -> signer.restart();
      case POSTGRES_KILLED -> {
        postgres.killServer();
        api.await();
      }
      case NODE_CUT_OFF -> {
        cable.cut();
        Thread.sleep(random.nextInt(200, 3000));
        cable.mend();
      }
      case DISK_FULL -> {
        var ballast = settings.home.resolve("ballast");
        fill(ballast);
        Thread.sleep(2000);
        Files.delete(ballast);
        api.await();
      }
      case CLOCK_JUMPED -> {
        setClock((random.nextBoolean() ? "+" : "-") + random.nextInt(1, 3600));
        Thread.sleep(random.nextInt(1500, 4000));
        setClock("+0");
      }
    }
  }

  private static void fill(Path ballast) throws IOException {
    var block = new byte[1 << 20];
    try (var out = Files.newOutputStream(ballast)) {
      while (true) {
        out.write(block);
      }
    } catch (IOException full) {
      assertThat(Files.size(ballast)).as("the disk was full before").isPositive();
    }
  }

  private void setClock(String offset) throws IOException {
    Files.writeString(settings.clock.orElseThrow(), offset + "\n", StandardCharsets.US_ASCII);
  }

  /** Sends payments one after the other, each again and again with its key until it is acknowledged. */
  private void spendOn(Stage stage) {
    while (spending.get()) {
      var next = want();
      var body = Json.object().put("walletId", stage.walletId()).put("asset", "USDC")
          .put("amount", Amount.format(next.transfer().amount(), 6)).put("to", next.transfer().payee().toString())
          .build();
      Awaitility.await("acknowledged").atMost(Duration.ofMinutes(3)).pollInterval(Duration.ofMillis(100))
          .until(() -> isAcknowledged(stage, next, body));
      pause();
    }
  }

  /** Of every payee one base unit, then two, and so on: a hundred thousand payments are less than a day's budget. */
  private Wanted want() {
    int before = wanted.getAndIncrement();
    var transfer = new Transfer(payees.get(before % payees.size()), BigInteger.valueOf(before / payees.size() + 1L));
    return new Wanted(UUID.randomUUID().toString(), transfer);
  }

  private boolean isAcknowledged(Stage stage, Wanted wanted, Json body) throws InterruptedException {
    long begun = System.nanoTime();
    try {
      var answer = api.client().post("/v1/spends", stage.agentKey(), body, "Idempotency-Key", wanted.key());
      if (answer.status() == 408 || answer.status() >= 500) {
        return false;
      }
      assertThat(answer.status()).as(answer.body().toString()).isIn(200, 201);
      assertThat(answer.text("status")).isNotEqualTo("denied");
      acknowledged.put(wanted, answer.text("id"));
      acknowledging.moved(begun);
      return true;
    } catch (IOException unreachable) {
      return false;
    }
  }

  private static void pause() {
    try {
      Thread.sleep(250);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void watchTheChain(Address wallet) {
    var before = chain.balanceOf(wallet);
    while (!Thread.currentThread().isInterrupted()) {
      long begun = System.nanoTime();
      var now = chain.balanceOf(wallet);
      if (now.compareTo(before) < 0) {
        paying.moved(begun);
      }
      before = now;
      pause();
    }
  }

  /** With nobody spending: everything becomes final, and the chain, the counters and the record agree. */
  private void examine(Stage stage, int round) throws IOException, InterruptedException {
    var when = "seed " + settings.seed + ", round " + round;
    assertThat(acknowledged).as(when).hasSizeGreaterThan(round);
    awaitSettled(stage, when);
    assertPaidExactlyOnce(stage, when);
    var recount = api.client().post("/v1/tenants/" + stage.tenantId() + "/lane/recount", ApiProcess.ADMIN_KEY,
        Json.object().build());
    assertThat(recount.list("differences")).as("%s: %s", when, recount.body()).isEmpty();
    try (var database = new Database(postgres.settings())) {
      assertNothingIsOverBudget(database, when);
      assertLogIsWhole(database, when);
    }
  }

  private void awaitSettled(Stage stage, String when) {
    try {
      Awaitility.await("all are final: " + when).atMost(Duration.ofMinutes(4)).pollInterval(Duration.ofSeconds(1))
          .until(() -> {
            for (var state : List.of("authorized", "prepared", "signed", "broadcast")) {
              if (!api.client().get("/v1/spends?limit=1&status=" + state, stage.agentKey()).list("data").isEmpty()) {
                return false;
              }
            }
            return true;
          });
    } catch (ConditionTimeoutException e) {
      throw new AssertionError(when + ": " + whatWaits(), e);
    }
    try (var database = new Database(postgres.settings())) {
      var confirmed = database.sql().sql("SELECT spend_id FROM payment WHERE state = 'confirmed'")
          .query((row, n) -> Id.SPEND.text(row.getObject(1, UUID.class))).set();
      assertThat(difference(confirmed, acknowledged.values())).as("%s: confirmed more often than acknowledged", when)
          .isEmpty();
    }
  }

  /** All that is on record of some payments that do not go on, and of what they may wait for. */
  private String whatWaits() {
    try (var database = new Database(postgres.settings())) {
      return database.sql().sql("""
          (SELECT 'now ' || now() || ', ' || count(*) || ' wait' FROM payment
            WHERE state IN ('authorized', 'prepared', 'signed', 'broadcast'))
          UNION ALL
          (SELECT 'payment ' || row_to_json(p) || ' ' || coalesce(to_jsonb(z) - 'signature', 'null')::text FROM payment p
            LEFT JOIN payment_authorization z USING (tenant_id, spend_id)
            WHERE p.state IN ('authorized', 'prepared', 'signed', 'broadcast') ORDER BY p.spend_id LIMIT 3)
          UNION ALL
          (SELECT 'batch ' || row_to_json(b) || ' ' || (SELECT jsonb_agg(to_jsonb(t) - 'raw_transaction') FROM relay_attempt t
            WHERE t.batch_id = b.batch_id) FROM relay_batch b WHERE state <> 'settled' ORDER BY key_id, nonce LIMIT 6)
          UNION ALL
          (SELECT 'relayer ' || row_to_json(r) FROM relayer r)
          """).query(String.class).list().stream().collect(Collectors.joining("\n"));
    }
  }

  private void assertPaidExactlyOnce(Stage stage, String when) {
    var wallet = Address.parse(stage.address());
    // Only of the blocks since the last time: no block is taken back here, and all that were ever made take longer each time.
    for (var log : chain.transfersFrom(wallet, lastPaid + 1)) {
      paid.add(new Transfer(Address.parse("0x" + log.path("topics").path(2).asString("").substring(26)),
          hexadecimal(log.path("data"))));
      lastPaid = hexadecimal(log.path("blockNumber")).longValueExact();
    }
    var due = acknowledged.keySet().stream().map(Wanted::transfer).toList();
    assertThat(difference(paid, due)).as("%s: transfers, and how much more often than once each was made", when)
        .isEmpty();
    var sums = due.stream().collect(Collectors.groupingBy(Transfer::payee,
        Collectors.reducing(BigInteger.ZERO, Transfer::amount, BigInteger::add)));
    payees.forEach(payee -> assertThat(chain.balanceOf(payee)).as(when + ": " + payee)
        .isEqualTo(sums.getOrDefault(payee, BigInteger.ZERO)));
    assertThat(chain.transactionCount(wallet)).as(when + ": its own transactions")
        .isEqualTo(settings.relayers == 0 ? acknowledged.size() : 0);
  }

  private static BigInteger hexadecimal(JsonNode number) {
    return new BigInteger(number.asString("").substring(2), 16);
  }

  /** What is not there as often as it should be, and by how much more. In time linear in their number, which becomes a hundred thousand. */
  private static <T> Map<T, Integer> difference(Collection<T> actual, Collection<T> expected) {
    var difference = new HashMap<T, Integer>();
    actual.forEach(each -> difference.merge(each, 1, Integer::sum));
    expected.forEach(each -> difference.merge(each, -1, Integer::sum));
    difference.values().removeIf(count -> count == 0);
    return difference;
  }

  private static void assertNothingIsOverBudget(Database database, String when) {
    assertThat(
        database.sql().sql("SELECT coalesce(sum(s.amount), 0) <= :max FROM spend s JOIN payment USING (spend_id)")
            .param("max", Amount.parse(Stage.DAILY_MAX, 6)).query(Boolean.class).single())
        .as(when).isTrue();
  }

  /** The head that the signer signed is over exactly the entries that are there, in their order. */
  private static void assertLogIsWhole(Database database, String when) {
    assertThat(database.sql()
        .sql("SELECT count(*) = max(seq) AND max(seq) = (SELECT max(audit_seq) FROM lane) FROM audit_entry")
        .query(Boolean.class).single()).as(when + ": the record is gapless").isTrue();
    Awaitility.await("all is under a head: " + when).atMost(Duration.ofSeconds(60)).until(() -> database.sql().sql("""
        SELECT max(l.audit_seq) = max(s.checkpoint_size) FROM lane l JOIN log_state s USING (tenant_id)
        """).query(Boolean.class).single());
    var note = database.sql().sql("SELECT checkpoint FROM log_state")
        .query((row, n) -> SignedNote.parse(row.getBytes("checkpoint"))).single();
    var range = new CompactRange();
    database.sql().sql("SELECT leaf_hash FROM audit_entry ORDER BY seq")
        .query((row, n) -> Digest32.of(row.getBytes("leaf_hash"))).list().forEach(range::append);
    var head = Checkpoint.parse(note.text());
    assertThat(head.size()).as(when).isEqualTo(range.size());
    assertThat(head.root()).as(when).isEqualTo(range.root());
  }

  /**
   * Plays on a machine of its own, such as {@code deploy/bench/chaos} prepares.
   *
   * @param args rounds, seed, home, and the file of the clock or {@code none}; with a small disk or not, by {@code disk} or {@code none};
   *        relayers
   */
  public static void main(String[] args) throws Exception {
    var clock = args[3].equals("none") ? Optional.<Path>empty() : Optional.of(Path.of(args[3]));
    var kinds = new ArrayList<>(
        List.of(Fault.API_KILLED, Fault.NODE_CUT_OFF, Fault.SIGNER_KILLED, Fault.POSTGRES_KILLED));
    clock.ifPresent(file -> kinds.add(Fault.CLOCK_JUMPED));
    if (args[4].equals("disk")) {
      kinds.add(Fault.DISK_FULL);
    }
    var totals = play(
        new Settings(Long.parseLong(args[1]), Integer.parseInt(args[0]), 30, Integer.parseInt(args[5]),
            Path.of(args[2]),
            clock, kinds, System.out::println));
    System.out.print(totals.text());
    System.exit(0);
  }
}
