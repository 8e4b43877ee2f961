package io.bursar.api.contract;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.zip.ZipInputStream;

import org.awaitility.Awaitility;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

import io.bursar.spend.Id;
import io.bursar.verify.VerifyLog;

/** The log that the running service wrote and the signer signed, as an outsider checks it with the command: over HTTP, and from an evidence pack. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
final class EvidenceTest {
  private static final String VENDOR = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
  private static final String STRANGER = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
  private static final int SPENDS = 700;
  private static final int BATCH = 100;

  private final Service service = Service.shared();
  private String tenant = "";
  private String vkey = "";

  @TempDir
  Path folder;

  private record Outcome(int code, String output) {}

  /** A tenant of its own, whose spends are decided under a policy that names a set: two vendors, and one may not be paid. */
  @BeforeAll
  void spend() {
    var made = service.create("/v1/tenants", "operator", "{\"name\": \"evidence\"}");
    tenant = made.text("/id");
    service.keys.put("evidence", made.text("/adminKey"));
    service.keys.put("evidenceAuditor", service.key("evidence", "auditor", ""));
    var agent = service.create("/v1/agents", "evidence", "{\"name\": \"buyer\"}").text("/id");
    service.keys.put("evidenceAgent", service.key("evidence", "agent", ", \"agentId\": \"" + agent + "\""));
    var wallet = service.create("/v1/wallets", "evidence", """
        {"agentId": "%s", "chain": "eip155:31337", "name": "first"}""".formatted(agent)).text("/id");
    service.create("/v1/value-sets", "evidence", """
        {"name": "vendors", "kind": "addresses", "values": ["%s"]}""".formatted(VENDOR));
    var policy = service.create("/v1/policies", "evidence", """
        {"document": {"name": "vendors", "rules": [
          {"id": "vendors", "kind": "permit", "match": {"payees": {"in": "vendors@1"}}},
          {"id": "little", "kind": "limit", "match": {"assets": ["USDC"]}, "max": "0.5", "window": "spend"}]}}""");
    var version = "{\"version\": \"" + policy.text("/version") + "\"";
    service.call("POST", "/v1/policies/" + policy.text("/id") + "/publish", "evidence", version + "}");
    service.call("PUT", "/v1/policy-attachments/wallet/" + wallet, "evidence",
        version + ", \"policyId\": \"" + policy.text("/id") + "\"}");
    for (int from = 0; from < SPENDS; from += BATCH) {
      var spends = IntStream.range(from, from + BATCH).mapToObj(i -> """
          {"walletId": "%s", "asset": "USDC", "amount": "1", "to": "%s", "idempotencyKey": "%d"}"""
          .formatted(wallet, i % 2 == 0 ? VENDOR : STRANGER, i)).collect(Collectors.joining(","));
      var reply = service.call("POST", "/v1/spends/batch", "evidenceAgent", "{\"spends\": [" + spends + "]}");
      assertThat(reply.status()).as(reply.text()).isEqualTo(200);
    }
    vkey = service.get("/v1/log", "evidenceAuditor").text("/verifierKey");
    Awaitility.await("all is under a head").atMost(Duration.ofSeconds(20)).until(() -> {
      var log = service.get("/v1/log", "evidenceAuditor").json();
      return log.path("checkpointSize").asInt() > SPENDS && log.path("checkpointSize").equals(log.path("size"));
    });
  }

  private Outcome verify(String... arguments) throws IOException, InterruptedException {
    var command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "-XX:TieredStopAtLevel=1", "-cp", System.getProperty("java.class.path"), VerifyLog.class.getName(), "--vkey",
        vkey));
    command.addAll(List.of(arguments));
    var output = Files.createTempFile(folder, "verify", ".txt");
    var builder = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(output.toFile());
    builder.environment().put("BURSAR_AUDITOR_KEY", Objects.requireNonNull(service.keys.get("evidenceAuditor")));
    var process = builder.start();
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    return new Outcome(process.exitValue(), Files.readString(output));
  }

  private Path pack(String query) throws IOException, InterruptedException {
    var response = HttpClient.newHttpClient().send(
        HttpRequest.newBuilder(service.api.uri().resolve("/v1/audit/evidence" + query))
            .header("Authorization", "Bearer " + service.keys.get("evidenceAuditor")).build(),
        BodyHandlers.ofInputStream());
    assertThat(response.statusCode()).isEqualTo(200);
    var unpacked = Files.createTempDirectory(folder, "pack");
    try (var zip = new ZipInputStream(response.body())) {
      for (var entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
        var file = unpacked.resolve(entry.getName());
        Files.createDirectories(file.getParent());
        Files.write(file, zip.readAllBytes());
      }
    }
    return unpacked;
  }

  @Test
  void theServicesOwnLogIsGoodOverHttpAndEveryDecisionIsDecidedAlike() throws Exception {
    var url = service.api.uri().resolve("/log/" + tenant).toString();
    var state = folder.resolve("seen").toString();
    var first = verify("--url", url, "--replay", "--state", state);
    assertThat(first.code()).as(first.output()).isZero();
    assertThat(first.output()).contains(SPENDS + " decided again, all alike").doesNotContain("undecided");
    assertThat(verify("--url", url, "--state", state).output()).contains("it holds all that it held");
  }

  @Test
  void theValuesOfSetsAreNotPublishedWithTheLog() {
    service.call("POST", "/v1/log/publish", "evidence", null);
    var set = "/log/" + tenant + "/sets/"
        + service.get("/v1/value-sets", "evidence").text("/data/0/digest").replace(':', '-') + ".json";
    assertThat(service.get("/log/" + tenant + "/checkpoint", "").status()).isEqualTo(200);
    assertThat(service.get(set, "evidenceAuditor").text()).isEqualTo("[\"" + VENDOR + "\"]");
    for (var other : List.of("", "stranger", "evidenceAgent")) {
      assertThat(service.get(set, other).status()).as(other).isEqualTo(404);
    }
    service.call("POST", "/v1/log/unpublish", "evidence", null);
  }

  @Test
  void thePackOfAPeriodIsGoodByItselfAndAFlippedBitInItIsNot() throws Exception {
    // The last batch, whose entries are all in the last bundle.
    var pack = pack("?from=" + service.get("/v1/authorizations?limit=1", "evidenceAuditor").text("/data/0/at"));
    assertThat(Files.readString(pack.resolve("README.txt"))).contains("verify-all.jar --folder . --partial --replay");
    assertThat(Files.readString(pack.resolve("vkey"))).isEqualTo(vkey);
    // The first bundle is there for the set that was made in it, the second is of another time.
    assertThat(files(pack.resolve("tile/entries"))).hasSize(2).first().asString().endsWith("000");
    var good = verify("--folder", pack.toString(), "--partial", "--replay");
    assertThat(good.code()).as(good.output()).isZero();
    assertThat(good.output()).contains("256 entries are not in this copy", "decided again").doesNotContain("undecided");
    for (var damaged : List.of(files(pack.resolve("tile/entries")).getLast(), pack.resolve("tile/0/000"),
        pack.resolve("checkpoint"))) {
      var bytes = Files.readAllBytes(damaged);
      bytes[bytes.length / 2] ^= 1;
      Files.write(damaged, bytes);
      assertThat(verify("--folder", pack.toString(), "--partial", "--replay").code()).as("%s", damaged).isEqualTo(1);
      bytes[bytes.length / 2] ^= 1;
      Files.write(damaged, bytes);
    }
  }

  @Test
  void dryRunsAndFailedLoginsAreInTheRecordByTheirNumber() {
    var issued = service.create("/v1/api-keys", "evidence", "{\"role\": \"admin\", \"name\": \"left\"}");
    service.call("DELETE", "/v1/api-keys/" + issued.text("/id"), "evidence", null);
    service.keys.put("evidenceLeft", issued.text("/secret"));
    assertThat(service.get("/v1/agents", "evidenceLeft").status()).isEqualTo(401);
    var wallet = service.get("/v1/wallets", "evidence").text("/data/0/id");
    assertThat(service.call("POST", "/v1/spends/dry-run", "evidenceAgent", """
        {"walletId": "%s", "asset": "USDC", "amount": "1", "to": "%s"}""".formatted(wallet, VENDOR)).status())
        .isEqualTo(200);
    for (var kind : List.of("login.failed", "dry_run.counted")) {
      Awaitility.await(kind).atMost(Duration.ofSeconds(20)).until(() -> service.database.database().sql().sql("""
          SELECT count(*) FROM audit_entry WHERE tenant_id = :tenant AND kind = :kind
          """).param("tenant", Id.TENANT.parse(tenant).orElseThrow()).param("kind", kind).query(Long.class)
          .single() == 1);
    }
  }

  private static List<Path> files(Path under) throws IOException {
    try (Stream<Path> files = Files.walk(under)) {
      return files.filter(Files::isRegularFile).sorted().toList();
    }
  }

  @Test
  void thePackOfAllTimeHasEveryEntry() throws Exception {
    var pack = pack("");
    var good = verify("--folder", pack.toString(), "--replay");
    assertThat(good.code()).as(good.output()).isZero();
    assertThat(good.output()).contains(SPENDS + " decided again, all alike").doesNotContain("undecided");
    assertThat(new String(Files.readAllBytes(files(pack.resolve("sets")).getFirst()), StandardCharsets.UTF_8))
        .isEqualTo("[\"" + VENDOR + "\"]");
  }
}
