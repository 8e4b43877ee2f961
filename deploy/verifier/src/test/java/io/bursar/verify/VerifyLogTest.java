package io.bursar.verify;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;

import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import com.sun.net.httpserver.HttpServer;

/** The command, from a folder and over HTTP. */
class VerifyLogTest {
  @TempDir
  Path folder;

  private static final String NAME = "bursar.example/ten_1";

  private record Outcome(int code, String out, String errors) {}

  private static Outcome run(Map<String, String> environment, String... args) {
    var out = new ByteArrayOutputStream();
    var errors = new ByteArrayOutputStream();
    int code = new VerifyLog(new PrintStream(out, true, StandardCharsets.UTF_8),
        new PrintStream(errors, true, StandardCharsets.UTF_8)).run(args, environment);
    return new Outcome(code, out.toString(StandardCharsets.UTF_8), errors.toString(StandardCharsets.UTF_8));
  }

  private static List<byte[]> entries(int size) {
    return IntStream.range(0, size).mapToObj(i -> ("entry " + i).getBytes(StandardCharsets.UTF_8)).toList();
  }

  private static SpecLog log(int size) {
    return SpecLog.withTestKey(NAME).write(entries(size));
  }

  @Test
  void saysWhatItCheckedAndKeepsTheHead() throws IOException {
    var log = log(600).writeTo(folder.resolve("log"));
    var state = folder.resolve("state");
    var first = run(Map.of(), "--folder", folder.resolve("log").toString(), "--vkey", log.vkey(), "--state",
        state.toString());
    assertThat(first.code()).as(first.errors()).isZero();
    assertThat(first.out()).contains("good: " + NAME + ", 600 entries", "600 from 0 on", "took");
    assertThat(Files.readAllBytes(state)).isEqualTo(log.files.get("checkpoint"));
    log(601).writeTo(folder.resolve("log"));
    var second = run(Map.of(), "--folder", folder.resolve("log").toString(), "--vkey", log.vkey(), "--state",
        state.toString());
    assertThat(second.out()).contains("601 entries", "it holds all that it held");
  }

  @Test
  void namesTheBadEntryAndKeepsTheOldHead() throws IOException {
    var log = log(600);
    Objects.requireNonNull(log.files.get("tile/entries/001"))[5] ^= 1;
    log.writeTo(folder.resolve("log"));
    var state = folder.resolve("state");
    var outcome = run(Map.of(), "--folder", folder.resolve("log").toString(), "--vkey", log.vkey(), "--state",
        state.toString());
    assertThat(outcome.code()).isEqualTo(1);
    assertThat(outcome.errors()).startsWith("BAD: entry 256 (in `tile/entries/001`)");
    assertThat(state).doesNotExist();
  }

  /** Each report is of what was added, and the first thing that is wrong ends the watch. */
  @Test
  void followsALogUntilItIsBad() throws Exception {
    var at = folder.resolve("log");
    var log = log(600).writeTo(at);
    var state = folder.resolve("state");
    var watch = CompletableFuture.supplyAsync(() -> run(Map.of(), "--folder", at.toString(), "--vkey", log.vkey(),
        "--state", state.toString(), "--follow", "--every", "1"));
    var grown = log(700);
    awaitHead(log, state); // and nothing is written meanwhile, since it is being read
    replaceHeadLast(grown, at);
    awaitHead(grown, state);
    // The operator signs another history.
    var other = new ArrayList<>(entries(701));
    other.set(3, "edited".getBytes(StandardCharsets.UTF_8));
    replaceHeadLast(SpecLog.withTestKey(NAME).write(other), at);
    var outcome = watch.get(20, TimeUnit.SECONDS);
    assertThat(outcome.code()).isEqualTo(1);
    assertThat(outcome.out()).contains("600 from 0 on", "188 from 512 on").doesNotContain("701 entries");
    assertThat(outcome.errors()).contains("BAD: the log has been rewritten");
    assertThat(Files.readAllBytes(state)).isEqualTo(grown.files.get("checkpoint"));
  }

  private static void awaitHead(SpecLog log, Path state) {
    Awaitility.await().atMost(Duration.ofSeconds(20))
        .until(() -> Files.exists(state) && Arrays.equals(Files.readAllBytes(state), log.files.get("checkpoint")));
  }

  /** As a log grows: the tiles first, and the head that needs them last and at once. */
  private static void replaceHeadLast(SpecLog log, Path folder) throws IOException {
    var head = Objects.requireNonNull(log.files.remove("checkpoint"));
    log.writeTo(folder);
    var fresh = Files.write(folder.resolve("checkpoint.new"), head);
    Files.move(fresh, folder.resolve("checkpoint"), StandardCopyOption.ATOMIC_MOVE,
        StandardCopyOption.REPLACE_EXISTING);
    log.files.put("checkpoint", head);
  }

  @Test
  void tellsWrongUsageAndWhatCannotBeReadFromWhatIsBad() {
    var vkey = log(1).vkey();
    assertThat(run(Map.of()).code()).isEqualTo(2);
    assertThat(run(Map.of(), "--folder", "x").errors()).contains("--vkey");
    assertThat(run(Map.of(), "--vkey", vkey).errors()).contains("one of `--url` and `--folder`");
    assertThat(run(Map.of(), "--folder", "x", "--vkey", vkey.replace("+", "-")).code()).isEqualTo(2);
    assertThat(run(Map.of(), "--surprise").errors()).contains("`--surprise`");
    assertThat(run(Map.of(), "--folder", folder.resolve("none").toString(), "--vkey", vkey).code()).isEqualTo(3);
    assertThat(run(Map.of(), "--url", "http://127.0.0.1:1/log", "--vkey", vkey).code()).isEqualTo(3);
    assertThat(run(Map.of(), "--help").out()).contains("--replay", "--state", "BURSAR_AUDITOR_KEY");
  }

  @Test
  void readsOverHttpWithTheAuditorsKeyAndWaitsWhenAskedTo() throws IOException {
    var log = log(600);
    var refusals = new AtomicInteger();
    var server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext("/log/t/", exchange -> {
      try (exchange) {
        var file = log.files.get(exchange.getRequestURI().getPath().substring("/log/t/".length()));
        boolean known = "Bearer secret".equals(exchange.getRequestHeaders().getFirst("Authorization"));
        if (known && file != null && refusals.incrementAndGet() == 2) {
          exchange.getResponseHeaders().set("Retry-After", "1");
          exchange.sendResponseHeaders(429, -1);
        } else if (!known || file == null) {
          exchange.sendResponseHeaders(known ? 404 : 401, -1);
        } else {
          exchange.sendResponseHeaders(200, file.length);
          exchange.getResponseBody().write(file);
        }
      }
    });
    server.start();
    try {
      var url = "http://127.0.0.1:" + server.getAddress().getPort() + "/log/t";
      var good = run(Map.of("BURSAR_AUDITOR_KEY", "secret"), "--url", url, "--vkey", log.vkey());
      assertThat(good.code()).as(good.errors()).isZero();
      var refused = run(Map.of(), "--url", url, "--vkey", log.vkey());
      assertThat(refused.code()).isEqualTo(3);
      assertThat(refused.errors()).contains("401", "BURSAR_AUDITOR_KEY").doesNotContain("secret");
    } finally {
      server.stop(0);
    }
  }

  @Test
  void checksAReceiptOffline() throws IOException {
    var log = log(300);
    var receipt = Files.write(folder.resolve("receipt"), log.receipt(42, entries(300)));
    var entry = Files.write(folder.resolve("entry"), entries(300).get(42));
    var good = run(Map.of(), "--receipt", receipt.toString(), "--entry", entry.toString(), "--vkey", log.vkey());
    assertThat(good.code()).as(good.errors()).isZero();
    assertThat(good.out()).contains("at index 42");
    Files.write(entry, entries(300).get(43));
    assertThat(run(Map.of(), "--receipt", receipt.toString(), "--entry", entry.toString(), "--vkey", log.vkey()).code())
        .isEqualTo(1);
  }
}
