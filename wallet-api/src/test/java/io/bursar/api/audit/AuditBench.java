package io.bursar.api.audit;

import java.io.IOException;
import java.io.InputStream;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;

import io.bursar.api.testing.ApiProcess;
import io.bursar.policy.Policy;
import io.bursar.policy.Replay;
import io.bursar.spend.Id;
import io.bursar.store.ApiKeys;
import io.bursar.store.AuthorizationQuery;
import io.bursar.store.AuthorizationQuery.Filter;
import io.bursar.store.Fixture;
import io.bursar.store.ManySpends;
import io.bursar.store.Page;

/**
 * How fast auditors are answered: {@code deploy/bench/audit} runs it. It puts so many authorizations into a PostgreSQL of its own,
 * over a hundred agents with a wallet each, one a second up to now.
 */
final class AuditBench {
  private static final int AGENTS = 100;
  private static final int REPLAYED = 20_000;

  private final Fixture fixture = new Fixture();
  private final List<UUID> agents = new ArrayList<>();

  private AuditBench() {}

  public static void main(String[] args) throws Exception {
    int rows = Integer.parseInt(args[0]);
    new AuditBench().run(rows, Arrays.asList(args).subList(1, args.length));
    System.exit(0);
  }

  private void run(int rows, List<String> what) throws Exception {
    fixture.attach(Policy.Target.TENANT, fixture.tenant, """
        {"id":"any","kind":"permit"},
        {"id":"daily","kind":"limit","match":{"assets":["USDC"]},"max":"1000000","window":{"rolling":"PT24H"},"per":["wallet"]},
        {"id":"pace","kind":"limit","maxCount":100000,"window":{"rolling":"PT1M"},"per":["wallet"]},
        {"id":"all","kind":"limit","match":{"assets":["USDC"]},"max":"100000000","window":{"rolling":"PT24H"}}""");
    fixture.lanes.open(fixture.tenant).decide(List.of(fixture.request("a", "1")));
    if (what.contains("replay")) {
      replay();
    }
    if (what.contains("query") || what.contains("export") || what.contains("backtest")) {
      var wallets = new ArrayList<UUID>();
      for (int i = 0; i < AGENTS; i++) {
        agents.add(fixture.directory.createAgent(fixture.tenant, "agent " + i, "bench").id());
        wallets.add(fixture.newWallet(agents.getLast()));
      }
      long began = System.nanoTime();
      ManySpends.multiply(fixture.test, "a", rows, wallets);
      fixture.test.asAdministrator("VACUUM ANALYZE");
      System.out.printf(Locale.ROOT, "%,d authorizations made in %,d s%n", rows,
          (System.nanoTime() - began) / 1_000_000_000);
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

  /** The same entry over and over: what is measured is reading, deciding, writing and comparing it. */
  private void replay() {
    var payload = fixture.database.sql()
        .sql("SELECT payload FROM audit_entry WHERE kind = 'authorization'").query((row, n) -> row.getBytes(1)).list()
        .getFirst();
    var documents = fixture.policies.list(fixture.tenant, new Page.Request(Optional.empty(), 50)).items();
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

  /** Pages of 50 of one agent's last thirty days, from random places in it. */
  private void query() {
    var query = new AuthorizationQuery(fixture.database);
    var month = Instant.now().minus(Duration.ofDays(30));
    var nanos = new ArrayList<Long>();
    for (int i = 0; i < 1_200; i++) {
      var agent = agents.get(ThreadLocalRandom.current().nextInt(AGENTS));
      var from = month.plusSeconds(ThreadLocalRandom.current().nextInt(86_400));
      var filter = new Filter(Optional.of(agent), Optional.empty(), Optional.empty(), Optional.empty(),
          Optional.empty(),
          Optional.empty(), Optional.empty(), Optional.empty(), Optional.of(from), Optional.empty(), Optional.empty(),
          Optional.empty(), i % 2 == 0);
      long began = System.nanoTime();
      var page = query.list(fixture.tenant, filter, new Page.Request(Optional.empty(), 50));
      if (i >= 200) {
        nanos.add(System.nanoTime() - began);
      }
      if (page.items().isEmpty()) {
        throw new IllegalStateException("a page is empty");
      }
    }
    nanos.sort(null);
    System.out.printf(Locale.ROOT, "one agent's month, pages of 50: p50 %.1f ms, p99 %.1f ms, worst %.1f ms of %,d%n",
        nanos.get(nanos.size() / 2) / 1e6, nanos.get(nanos.size() * 99 / 100) / 1e6, nanos.getLast() / 1e6,
        nanos.size());
  }

  /** Over HTTP, from a service whose heap is limited to 256 MB. */
  private void export(int rows) throws Exception {
    var key = new ApiKeys(fixture.database, fixture.audit)
        .issue(fixture.tenant, ApiKeys.Role.AUDITOR, "auditor", null, null, "bench").secret().value();
    try (var api = ApiProcess.on(fixture.test.settings()).start()) {
      for (var format : List.of("csv", "jsonl", "csv", "jsonl", "ocsf")) {
        long began = System.nanoTime();
        long bytes = download(api, key, format);
        long took = System.nanoTime() - began;
        System.out.printf(Locale.ROOT, "export %s: %,d rows/s, %,d MB/s, heap of the service at most 256 MB%n", format,
            rows * 1_000_000_000L / took, bytes * 1_000L / took);
      }
    }
  }

  /** Over HTTP, from a service whose heap is limited to 256 MB: half of what an agent may spend, over everything that is recorded. */
  private void backtest(int rows) throws Exception {
    var key = new ApiKeys(fixture.database, fixture.audit)
        .issue(fixture.tenant, ApiKeys.Role.AUDITOR, "auditor", null, null, "bench").secret().value();
    var policy = fixture.policies.list(fixture.tenant, new Page.Request(Optional.empty(), 50)).items().getFirst();
    var question = """
        {"target": {"kind": "tenant", "id": "%s"}, "from": "%s", "document": {"name": "candidate", "rules": [
          {"id": "any", "kind": "permit"},
          {"id": "daily", "kind": "limit", "match": {"assets": ["USDC"]}, "max": "400", "window": {"rolling": "PT24H"}, "per": ["wallet"]},
          {"id": "pace", "kind": "limit", "maxCount": 100000, "window": {"rolling": "PT1M"}, "per": ["wallet"]},
          {"id": "all", "kind": "limit", "match": {"assets": ["USDC"]}, "max": "100000000", "window": {"rolling": "PT24H"}}]}}
        """.formatted(Id.TENANT.text(fixture.tenant), Instant.now().minusSeconds(rows + 60L));
    try (var api = ApiProcess.on(fixture.test.settings()).start()) {
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
