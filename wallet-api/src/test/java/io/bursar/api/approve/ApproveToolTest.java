package io.bursar.api.approve;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import com.sun.net.httpserver.HttpServer;

import io.bursar.api.testing.SampleText;
import io.bursar.approval.ApprovalText;
import io.bursar.approval.ApproverKey;
import io.bursar.approval.ChangeText;
import io.bursar.approval.Verdict;
import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.permit.Digest32;

/** The offline tool, and the examples of deploy/approvals.md as they stand there. */
class ApproveToolTest {
  private static final Path DOCUMENT = Path.of("..", "deploy", "approvals.md");
  private static final byte[] SALT = new byte[16];
  private static final Json.Obj SAID = Json.object().put("purpose", "1000 API calls").build();
  private static final ApprovalText TEXT = SampleText.approving(24_500_000,
      Digest32.sha256(SALT, JsonText.canonical(SAID)));
  private static final String SPEND = SampleText.SPEND;

  @TempDir
  private Path home = Path.of("");
  private Path key = home;
  private Path text = home;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();

  @BeforeEach
  void write() throws IOException {
    key = home.resolve("ada.pem");
    text = home.resolve("text");
    Files.writeString(text, TEXT.toString());
  }

  private int run(String input, Map<String, String> environment, Object... args) {
    out.reset();
    err.reset();
    var tool = new ApproveTool(environment, new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)),
        new PrintStream(out, true, StandardCharsets.UTF_8), new PrintStream(err, true, StandardCharsets.UTF_8));
    var words = new ArrayList<String>();
    for (var arg : args) {
      words.add(arg.toString());
    }
    return tool.run(words);
  }

  private ApproverKey made(ApproverKey.Curve curve) throws IOException {
    Files.deleteIfExists(key);
    assertThat(run("", Map.of(), "keygen", "--out", key, "--curve", curve.crv())).isZero();
    return ApproverKey.parse(printed());
  }

  private String printed() {
    return out.toString(StandardCharsets.UTF_8).strip();
  }

  private String said() {
    return err.toString(StandardCharsets.UTF_8);
  }

  private static void assertSigned(ApproverKey key, ApprovalText text, String signature) {
    assertThat(key.verifies(text.bytes(), ApproverKey.signature(signature))).as(signature).isTrue();
  }

  @Test
  void makesAKeyThatNobodyElseCanReadAndNeverOverwritesOne() throws IOException {
    var made = made(ApproverKey.Curve.ED25519);
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(key))).isEqualTo("rw-------");
    assertThat(said()).contains(made.thumbprint()).doesNotContain("PRIVATE");
    assertThat(run("", Map.of(), "keygen", "--out", key)).isEqualTo(1);
    assertThat(said()).contains("not overwritten");
  }

  @Test
  void signsATextWithEitherKindOfKeyAfterShowingItAndAsking() throws IOException {
    for (var curve : ApproverKey.Curve.values()) {
      var made = made(curve);
      assertThat(run("approve\n", Map.of(), "--key", key, "--text", text)).isZero();
      assertThat(said()).contains("payee: 0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "24.5 USDC", "eip155:8453");
      assertSigned(made, TEXT, printed());
      assertThat(run(TEXT.toString(), Map.of(), "--key", key, "--yes")).isZero();
      assertSigned(made, TEXT, printed());
    }
  }

  @Test
  void signsNothingWithoutAYesOfThatVerdict() throws IOException {
    made(ApproverKey.Curve.ED25519);
    for (var answer : List.of("", "\n", "yes\n", "reject\n")) {
      assertThat(run(answer, Map.of(), "--key", key, "--text", text)).isEqualTo(1);
      assertThat(printed()).isEmpty();
    }
    assertThat(run(TEXT.toString(), Map.of(), "--key", key)).isEqualTo(1);
    assertThat(printed()).isEmpty();
  }

  @Test
  void signsNothingThatIsNoApprovalText() throws IOException {
    made(ApproverKey.Curve.ED25519);
    for (var other : List.of("pay me", TEXT + "\n", TEXT.toString().replace("v1", "v2"), "")) {
      assertThat(run(other, Map.of(), "--key", key, "--yes")).isEqualTo(1);
      assertThat(said()).contains("nothing else is signed");
      assertThat(printed()).isEmpty();
    }
  }

  @Test
  void saysHowItIsUsed() throws IOException {
    made(ApproverKey.Curve.ED25519);
    assertThat(run("", Map.of(), "--help")).isZero();
    assertThat(printed()).startsWith("usage: deploy/bursar approve");
    assertThat(run("", Map.of())).isEqualTo(2);
    assertThat(run("", Map.of(), "--key", key, "--spend", "x")).isEqualTo(2);
    assertThat(run("", Map.of(), "--key", key, "--sign")).isEqualTo(2);
    assertThat(run("", Map.of(), "--key", key, "--text", text, "--reject")).isEqualTo(2);
    assertThat(run("", Map.of(), "--key", key, "--spend", SPEND)).isEqualTo(1);
    assertThat(said()).contains("BURSAR_API_KEY");
    Files.writeString(key, "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n");
    assertThat(run("", Map.of(), "--key", key, "--text", text)).isEqualTo(1);
    assertThat(said()).doesNotContain("c2VjcmV0");
  }

  @Test
  void fetchesSignsAndSendsAndBelievesNoPurposeThatIsNotInTheText() throws IOException {
    var made = made(ApproverKey.Curve.P256);
    var sent = new ArrayList<Json.Obj>();
    var purpose = new String[]{"1000 API calls"};
    var server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext("/", exchange -> {
      boolean get = exchange.getRequestMethod().equals("GET");
      if (!get) {
        try {
          sent.add((Json.Obj) JsonText.parse(exchange.getRequestBody().readAllBytes()));
        } catch (JsonText.Malformed e) {
          throw new IOException(e);
        }
      }
      var answer = JsonText.inOrder(get
          ? Json.object().put("approve", signable(TEXT)).put("reject", signable(TEXT.with(Verdict.REJECT)))
              .put("purpose", purpose[0]).put("salt", "00".repeat(16)).build()
          : Json.object().put("status", "authorized").build());
      exchange.sendResponseHeaders(get ? 200 : 201, answer.length);
      exchange.getResponseBody().write(answer);
      exchange.close();
    });
    server.start();
    try {
      var environment = Map.of("BURSAR_API_KEY", "bur_x", "BURSAR_URL",
          "http://127.0.0.1:" + server.getAddress().getPort() + "/");
      assertThat(run("reject\n", environment, "--key", key, "--spend", SPEND, "--reject", "--comment", "no")).isZero();
      assertThat(said()).contains("The agent's purpose: 1000 API calls", "Taken: " + SPEND + " is now `authorized`.");
      assertThat(sent.getFirst().get("verdict")).isEqualTo(new Json.Str("reject"));
      assertSigned(made, TEXT.with(Verdict.REJECT),
          ((Json.Str) java.util.Objects.requireNonNull(sent.getFirst().get("signature"))).value());
      purpose[0] = "10 API calls";
      assertThat(run("approve\n", environment, "--key", key, "--spend", SPEND)).isEqualTo(1);
      assertThat(said()).contains("not what is in the text");
      assertThat(sent).hasSize(1);
    } finally {
      server.stop(0);
    }
  }

  private static Json.Obj signable(ApprovalText text) {
    return Json.object().put("text", text.toString()).build();
  }

  @Test
  void signsAChangeOnlyIfWhatIsShownIsWhatIsHashed() throws IOException {
    var made = made(ApproverKey.Curve.ED25519);
    var content = new String[]{"{\"after\":{},\"before\":{},\"change\":{\"kind\":\"members\"}}"};
    var change = ChangeText.parse("""
        bursar change approval v1
        verdict: approve
        tenant: ten_0199a1c27a2c70e88000000000000001
        change: chg_0199a1c2801f7a04800000000000a1b2
        kind: members
        content: sha256:%s
        requested-by: operator
        group: finance threshold 2 revision 1
        expires: 2026-11-23T13:00:00.123456Z
        """.formatted(Digest32.sha256(content[0].getBytes(StandardCharsets.UTF_8))));
    var server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext("/v1/change-requests/chg_0199a1c2801f7a04800000000000a1b2", exchange -> {
      boolean get = exchange.getRequestMethod().equals("GET");
      exchange.getRequestBody().readAllBytes();
      var answer = JsonText.inOrder(get
          ? Json.object().put("approve", Json.object().put("text", change.toString()).build())
              .put("content", content[0]).put("diff", Json.strings(List.of("- /members: Ada"))).build()
          : Json.object().put("status", "executed").build());
      exchange.sendResponseHeaders(get ? 200 : 201, answer.length);
      exchange.getResponseBody().write(answer);
      exchange.close();
    });
    server.start();
    try {
      var environment = Map.of("BURSAR_API_KEY", "bur_x", "BURSAR_URL",
          "http://127.0.0.1:" + server.getAddress().getPort());
      assertThat(run("approve\n", environment, "--key", key, "--change", "chg_0199a1c2801f7a04800000000000a1b2"))
          .as(said()).isZero();
      assertThat(said()).contains("- /members: Ada", "is now `executed`");
      assertThat(run("approve\n", environment, "--key", key, "--change", "chg_0199a1c2801f7a04800000000000a1b2",
          "--print")).isZero();
      assertThat(made.verifies(change.bytes(), ApproverKey.signature(printed()))).isTrue();
      content[0] = content[0].replace("members", "control");
      assertThat(run("approve\n", environment, "--key", key, "--change", "chg_0199a1c2801f7a04800000000000a1b2"))
          .isEqualTo(1);
      assertThat(run("", environment, "--key", key, "--change", "chg_1")).isEqualTo(2);
    } finally {
      server.stop(0);
    }
  }

  @Test
  void theExamplesOfTheDocumentSignWhatTheServiceBelieves() throws IOException, InterruptedException {
    var ed = made(ApproverKey.Curve.ED25519);
    assertSigned(ed, TEXT, example("sh ed25519", "sh", "-c"));
    assertSigned(ed, TEXT, example("js", "node", "--input-type=module", "-e"));
    assertThat(example("js jwk", "node", "--input-type=module", "-e"))
        .contains("\"x\":\"" + ApproverKey.base64url(ed.x()));
    var p256 = made(ApproverKey.Curve.P256);
    assertSigned(p256, TEXT, example("sh p256", "sh", "-c"));
    assertSigned(p256, TEXT, example("js", "node", "--input-type=module", "-e"));
    // The one example that needs a package: where it is not installed, there is nothing that could run it.
    if (process(List.of("python3", "-c", "import cryptography")).exit == 0) {
      assertSigned(p256, TEXT, example("python", "python3", "-c"));
      assertSigned(made(ApproverKey.Curve.ED25519), TEXT, example("python", "python3", "-c"));
    }
  }

  private String example(String tag, String... interpreter) throws IOException, InterruptedException {
    var block = Pattern.compile("(?s)```" + Pattern.quote(tag) + "\n(.*?)```").matcher(Files.readString(DOCUMENT));
    assertThat(block.find()).as("an example `%s` in %s", tag, DOCUMENT).isTrue();
    var command = new ArrayList<>(List.of(interpreter));
    command.add(block.group(1));
    var run = process(command);
    assertThat(run.exit).as("%s: %s", tag, run.output).isZero();
    return run.output.strip();
  }

  private record Run(int exit, String output) {}

  private Run process(List<String> command) throws IOException, InterruptedException {
    var builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().put("KEY", key.toString());
    builder.environment().put("TEXT", text.toString());
    try {
      var process = builder.start();
      process.getOutputStream().close();
      var output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
      return new Run(process.exitValue(), output);
    } catch (IOException notInstalled) {
      return new Run(127, notInstalled.toString());
    }
  }
}
