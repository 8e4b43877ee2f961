package io.bursar.api.audit;

import java.io.IOException;
import java.io.InputStream;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Random;
import java.util.UUID;

import io.bursar.api.testing.ApiProcess;
import io.bursar.policy.Policy;
import io.bursar.policy.Replay;
import io.bursar.spend.Id;
import io.bursar.store.ApiKeys;
import io.bursar.store.AuditEntries;
import io.bursar.store.AuthorizationQuery;
import io.bursar.store.AuthorizationQuery.Filter;
import io.bursar.store.CounterKeeping;
import io.bursar.store.Database;
import io.bursar.store.Fixture;
import io.bursar.store.ManySpends;
import io.bursar.store.Page;
import io.bursar.store.PolicyStore;
import io.bursar.store.TestDatabase;

/**
 * How fast auditors are answered: {@code deploy/bench/audit} runs it. It puts so many authorizations into the PostgreSQL of a folder,
 * over a hundred agents with a wallet each, one a second up to now, each twentieth decided twice; what is there already is used again.
 */
final class AuditBench {
  private static final int AGENTS = 100;
  private static final int DECIDED_AGAIN = 20;
  private static final int REPLAYED = 20_000;
  private static final String FIRST = "a";
  private static final int ROUNDS = 8;
  private static final int PAGES = 1_000;
  private static final int HEAP_MB = 256;

  private final TestDatabase test;
  private final Database database;

  private AuditBench(TestDatabase test) {
    this.test = test;
    this.database = test.database();
  }

  /**
   * Measures and prints.
   *
   * @param args the folder, how many authorizations, and what is to be measured
   */
  public static void main(String[] args) throws Exception {
    int rows = Integer.parseInt(args[1]);
    new AuditBench(TestDatabase.kept(Path.of(args[0]))).run(rows, Arrays.asList(args).subList(2, args.length));
    System.exit(0);
  }

  private void run(int rows, List<String> what) throws Exception {
    if (database.sql().sql("SELECT count(*) FROM tenant").query(Integer.class).single() == 0) {
      begin(new Fixture(test));
    }
    if (what.contains("replay")) {
      replay();
    }
    if (what.contains("fill") || what.contains("query") || what.contains("export") || what.contains("backtest")) {
      fill(rows);
    }
    if (what.contains("query")) {
      query();
    }
    if (what.contains("export")) {
      export(rows);
    }
    if (what.contains("backtest")) {
      backtest(rows);
    }
  }

  private static void begin(Fixture fixture) throws Exception {
    fixture.attach(Policy.Target.TENANT, fixture.tenant, """
        {"id":"any","kind":"permit"},
        {"id":"daily","kind":"limit","match":{"assets":["USDC"]},"max":"1000000","window":{"rolling":"PT24H"},"per":["wallet"]},
        {"id":"pace","kind":"limit","maxCount":100000,"window":{"rolling":"PT1M"},"per":["wallet"]},
        {"id":"all","kind":"limit","match":{"assets":["USDC"]},"max":"100000000","window":{"rolling":"PT24H"}}""");
    fixture.lanes.open(fixture.tenant).decide(List.of(fixture.request(FIRST, "1")));
    for (int i = 0; i < AGENTS; i++) {
      fixture.newWallet(fixture.directory.createAgent(fixture.tenant, "agent " + i, "bench").id());
    }
  }

  private void fill(int rows) {
    int present = database.sql().sql("SELECT count(*) - 1 FROM spend").query(Integer.class).single();
    if (present > rows) {
      throw new IllegalArgumentException("the folder has " + present + " authorizations, not " + rows);
    }
    if (present == rows) {
      return;
    }
    long began = System.nanoTime();
    ManySpends.goOn(test, FIRST, present, rows, database.sql().sql("""
        SELECT w.wallet_id FROM wallet w JOIN agent a USING (agent_id) WHERE a.name LIKE 'agent %'
        """).query((row, n) -> row.getObject(1, UUID.class)).list());
    if (present == 0) {
      ManySpends.decideAgain(test, DECIDED_AGAIN);
    }
    test.asAdministrator("VACUUM ANALYZE");
    test.asAdministrator("CHECKPOINT");
    System.out.printf(Locale.ROOT, "%,d authorizations made in %,d s%n", rows,
        (System.nanoTime() - began) / 1_000_000_000);
  }

  private UUID tenant() {
    return database.sql().sql("SELECT tenant_id FROM spend WHERE idempotency_key = :first").param("first", FIRST)
        .query((row, n) -> row.getObject(1, UUID.class)).single();
  }

  private PolicyStore policies() {
    var audit = new AuditEntries(database);
    return new PolicyStore(database, audit, new CounterKeeping(database));
  }

  private String key() {
    return new ApiKeys(database, new AuditEntries(database))
        .issue(tenant(), ApiKeys.Role.AUDITOR, "auditor", null, null, "bench").secret().value();
  }

  /** The same entry over and over: what is measured is reading, deciding, writing and comparing it. */
  private void replay() {
    var payload = database.sql()
        .sql("SELECT payload FROM audit_entry WHERE kind = 'authorization'").query((row, n) -> row.getBytes(1)).list()
        .getFirst();
    var documents = policies().list(tenant(), new Page.Request(Optional.empty(), 50)).items();
    var replay = new Replay((policy, version) -> documents.stream().filter(known -> known.version().equals(version))
        .findFirst().map(known -> Replay.policy(version, known.document())));
    for (int round = 1; round <= 8; round++) {
      long began = System.nanoTime();
      for (int i = 0; i < REPLAYED; i++) {
        if (!(replay.again(payload) instanceof Replay.Same)) {
          throw new IllegalStateException("it is decided otherwise");
        }
      }
      System.out.printf(Locale.ROOT, "replay, round %d: %,d decisions/s on one core, entry of %,d bytes%n", round,
          REPLAYED * 1_000_000_000L / (System.nanoTime() - began), payload.length);
    }
  }

  /** Pages of 50 of one agent's last thirty days (or of all days, if there are fewer), from random places in them. */
  private void query() {
    var query = new AuthorizationQuery(database);
    var tenant = tenant();
    var agents = database.sql().sql("SELECT agent_id FROM agent WHERE name LIKE 'agent %'")
        .query((row, n) -> row.getObject(1, UUID.class)).list();
    var newest = outermost("DESC");
    var oldest = Collections.max(List.of(newest.minus(Duration.ofDays(30)), outermost("ASC").plusSeconds(1)));
    var random = new Random(1);
    for (int round = 1; round <= ROUNDS; round++) {
      var nanos = new ArrayList<Long>();
      for (int i = 0; i < PAGES; i++) {
        var agent = agents.get(random.nextInt(AGENTS));
        var place = oldest.plusMillis(random.nextLong(Duration.between(oldest, newest).toMillis() * 9 / 10))
            .plus(Duration.between(oldest, newest).dividedBy(20));
        boolean newestFirst = i % 2 == 0;
        var filter = new Filter(Optional.of(agent), Optional.empty(), Optional.empty(), Optional.empty(),
            Optional.empty(), Optional.empty(), Optional.empty(), Optional.empty(), Optional.of(oldest),
            Optional.of(newest), Optional.empty(), Optional.empty(), newestFirst);
        // As a cursor does: anywhere within the month.
        var after = Optional.of(Id.version7(ChronoUnit.MICROS.between(Instant.EPOCH, place), 0, 0));
        long began = System.nanoTime();
        var page = query.list(tenant, filter, new Page.Request(after, 50));
        nanos.add(System.nanoTime() - began);
        if (page.items().size() != 50) {
          throw new IllegalStateException("a page has " + page.items().size());
        }
      }
      nanos.sort(null);
      System.out.printf(Locale.ROOT,
          "one agent's month, round %d, pages of 50: p50 %.1f ms, p99 %.1f ms, worst %.1f ms of %,d%n",
          round, nanos.get(nanos.size() / 2) / 1e6, nanos.get(nanos.size() * 99 / 100) / 1e6, nanos.getLast() / 1e6,
          nanos.size());
    }
  }

  /** When the first or the last spend was decided: their ids are in the order of that. */
  private Instant outermost(String order) {
    return database.sql().sql("""
        SELECT decided_at FROM spend WHERE tenant_id = :tenant AND idempotency_key <> :first ORDER BY spend_id %s LIMIT 1
        """.formatted(order)).param("tenant", tenant()).param("first", FIRST)
        .query((row, n) -> row.getObject(1, OffsetDateTime.class).toInstant()).single();
  }

  /** Over HTTP, from a service whose heap is limited to 256 MB. */
  private void export(int rows) throws Exception {
    var key = key();
    try (var api = ApiProcess.on(test.settings()).asDeployed(HEAP_MB).start()) {
      for (var format : List.of("csv", "jsonl", "ocsf", "csv", "jsonl", "ocsf", "csv", "jsonl", "ocsf")) {
        long began = System.nanoTime();
        long bytes = download(api, key, format);
        long took = System.nanoTime() - began;
        System.out.printf(Locale.ROOT, "export %s: %,d rows/s, %,d MB/s, heap of the service at most %d MB%n", format,
            rows * 1_000_000_000L / took, bytes * 1_000L / took, HEAP_MB);
      }
    }
  }

  /** Over HTTP, from a service whose heap is limited to 256 MB: half of what an agent may spend, over everything that is recorded. */
  private void backtest(int rows) throws Exception {
    var key = key();
    var policy = policies().list(tenant(), new Page.Request(Optional.empty(), 50)).items().getFirst();
    var question = """
        {"target": {"kind": "tenant", "id": "%s"}, "from": "%s", "document": {"name": "candidate", "rules": [
          {"id": "any", "kind": "permit"},
          {"id": "daily", "kind": "limit", "match": {"assets": ["USDC"]}, "max": "400", "window": {"rolling": "PT24H"}, "per": ["wallet"]},
          {"id": "pace", "kind": "limit", "maxCount": 100000, "window": {"rolling": "PT1M"}, "per": ["wallet"]},
          {"id": "all", "kind": "limit", "match": {"assets": ["USDC"]}, "max": "100000000", "window": {"rolling": "PT24H"}}]}}
        """.formatted(Id.TENANT.text(tenant()), Instant.now().minusSeconds(rows + 60L));
    try (var api = ApiProcess.on(test.settings()).asDeployed(HEAP_MB).start()) {
      for (int round = 1; round <= 2; round++) {
        long began = System.nanoTime();
        var answer = HttpClient.newHttpClient().send(
            HttpRequest.newBuilder(api.uri().resolve("/v1/policies/" + Id.POLICY.text(policy.policyId()) + "/backtest"))
                .header("Authorization", "Bearer " + key).header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(question)).build(),
            HttpResponse.BodyHandlers.ofString());
        long took = System.nanoTime() - began;
        var lines = answer.body().lines().toList();
        if (answer.statusCode() != 200 || !lines.getLast().contains("\"type\":\"report\"")) {
          throw new IllegalStateException("no report: " + answer.statusCode() + " " + lines.getLast());
        }
        System.out.printf(Locale.ROOT,
            "backtest, round %d: %,d requests in %.1f s, %d lines of progress, heap of the service at most 256 MB%n  %s%n",
            round, rows, took / 1e9, lines.size() - 1,
            lines.getLast().replaceFirst("\"changes\":.*", "\"changes\": …"));
      }
    }
  }

  private static long download(ApiProcess api, String key, String format) throws IOException, InterruptedException {
    HttpResponse<InputStream> response = HttpClient.newHttpClient().send(
        HttpRequest.newBuilder(api.uri().resolve("/v1/authorizations/export?format=" + format))
            .header("Authorization", "Bearer " + key).build(),
        HttpResponse.BodyHandlers.ofInputStream());
    try (var body = response.body()) {
      var buffer = new byte[1 << 16];
      long bytes = 0;
      for (int read = body.read(buffer); read >= 0; read = body.read(buffer)) {
        bytes += read;
      }
      return bytes;
    }
  }
}
