package io.bursar.api.endtoend;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import io.bursar.api.testing.AnvilProcess;
import io.bursar.api.testing.ApiProcess;
import io.bursar.api.testing.PostgresProcess;
import io.bursar.api.testing.SignerProcess;
import io.bursar.json.Json;

/**
 * The private keys of wallets that pay, and fail to, are looked for in all that the service leaves behind: its heap, logs, metrics, answers,
 * files, and every file of the database. {@code -Dcanary.spends=1000} plays longer.
 */
class CanaryTest {
  private static final int SPENDS = Integer.getInteger("canary.spends", 60);

  @TempDir
  private Path home;

  @Test
  void aPrivateKeyIsInNothingThatTheServiceHoldsOrSays() throws Exception {
    var evidence = Files.createDirectory(home.resolve("evidence"));
    try (var postgres = PostgresProcess.start(home);
        var signer = SignerProcess.start();
        var chain = AnvilProcess.start();
        var api = ApiProcess.on(postgres.settings()).with(signer, chain).setting("BURSAR_HOME",
            Files.createDirectory(home.resolve("api")).toString()).start()) {
      var stage = Stage.set(api.client());
      var answers = new ArrayList<String>();
      for (int i = 0; i < SPENDS; i++) {
        if (i == SPENDS / 2) {
          signer.kill();
          answers.add(api.client().post("/v1/wallets", ApiProcess.ADMIN_KEY, wallet(stage)).body().toString());
        }
        answers.add(spend(api, stage, i));
      }
      signer.restart();
      awaitSettled(api, stage);
      var operator = ApiProcess.ADMIN_KEY;
      for (var path : List.of("/v1/spends?limit=200", "/v1/wallets", "/v1/audit/entries?limit=200",
          "/actuator/health")) {
        answers.add(api.client().get(path, operator).body().toString());
      }
      Files.writeString(evidence.resolve("answers"), String.join("\n", answers));
      Files.writeString(evidence.resolve("log"), api.output());
      Files.write(evidence.resolve("metrics"), metrics(api));
      var heap = evidence.resolve("heap.hprof");
      run("jcmd", Long.toString(api.pid()), "GC.heap_dump", "-all", heap.toString());
      assertThat(heap).exists();
      var found = run("java", "--enable-native-access=ALL-UNNAMED", "-Xmx96m", "-cp",
          System.getProperty("java.class.path"), "io.bursar.signer.CanaryScan", signer.data().toString(),
          home.toString(), Path.of("target", "test-logs").toAbsolutePath().toString());
      assertThat(found).contains("for 1 keys").doesNotContain("holds a key");
      assertThat(scanned(found)).as("all of it was read").isGreaterThan(Files.size(heap));
    } finally {
      Files.deleteIfExists(evidence.resolve("heap.hprof"));
    }
  }

  /** Well, or wrong in one of several ways. */
  private static String spend(ApiProcess api, Stage stage, int number) throws IOException, InterruptedException {
    var body = Json.object().put("walletId", stage.walletId()).put("asset", number % 10 == 7 ? "EURO" : "USDC")
        .put("amount", number % 10 == 3 ? "99999" : "0.01")
        .put("to", number % 10 == 5 ? "0x12" : Tenancy.randomAddress().toString()).build();
    return api.client().post("/v1/spends", stage.agentKey(), body, "Idempotency-Key", "canary-" + number).body()
        .toString();
  }

  private static Json wallet(Stage stage) {
    return Json.object().put("agentId", stage.agentId()).put("chain", AnvilProcess.CHAIN).put("name", "late").build();
  }

  private static void awaitSettled(ApiProcess api, Stage stage) {
    Awaitility.await("all are final").atMost(Duration.ofMinutes(4)).pollInterval(Duration.ofMillis(300)).until(() -> {
      for (var state : List.of("authorized", "prepared", "signed", "broadcast")) {
        if (!api.client().get("/v1/spends?limit=1&status=" + state, stage.agentKey()).list("data").isEmpty()) {
          return false;
        }
      }
      return true;
    });
  }

  private static byte[] metrics(ApiProcess api) throws IOException, InterruptedException {
    try (var client = HttpClient.newHttpClient()) {
      return client.send(HttpRequest.newBuilder(api.uri().resolve("/actuator/prometheus"))
          .header("Authorization", "Bearer " + ApiProcess.ADMIN_KEY).build(),
          HttpResponse.BodyHandlers.ofByteArray()).body();
    }
  }

  private static long scanned(String output) {
    return Long.parseLong(output.substring(output.indexOf("scanned ") + 8, output.indexOf(" bytes")));
  }

  private static String run(String tool, String... arguments) throws IOException, InterruptedException {
    var command = Stream.concat(Stream.of(Path.of(System.getProperty("java.home"), "bin", tool).toString()),
        Stream.of(arguments)).toList();
    var process = new ProcessBuilder(command).redirectErrorStream(true).start();
    var output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(output).isZero();
    return output;
  }
}
