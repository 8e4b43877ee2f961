package io.bursar.api.contract;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

import io.bursar.api.approve.ApproverKeyFile;
import io.bursar.approval.ApproverKey;

/** A key that is bound to a key pair changes nothing by its secret alone, and the examples of deploy/signed-requests.md work. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
final class SignedRequestsTest {
  private static final Path DOCUMENT = Contract.FOLDER.resolve("../deploy/signed-requests.md");
  private static final String NAMED = "{\"name\": \"signed\"}";

  private final Service service = Service.shared();
  private final Bound admin = bound("admin", ApproverKey.Curve.ED25519, "");
  private final Bound agent = bound("agent", ApproverKey.Curve.P256, ", \"agentId\": \"" + service.agent + "\"");
  private int number;

  /** An API key with the private half that it is bound to. */
  private record Bound(String id, String secret, ApproverKeyFile key) {}

  private Bound bound(String role, ApproverKey.Curve curve, String more) {
    var key = ApproverKeyFile.generate(curve);
    var made = service.create("/v1/api-keys", "admin", "{\"role\": \"" + role + "\", \"name\": \"bound\"" + more
        + ", \"publicKey\": " + key.publicKey().jwk() + "}");
    assertThat(made.json().path("publicKey").path("x").asString())
        .isEqualTo(ApproverKey.base64url(key.publicKey().x()));
    return new Bound(made.text("/id"), made.text("/secret"), key);
  }

  private Service.Reply send(Bound as, String method, String path, @Nullable String body, String... headers) {
    return service.send(method, path, Optional.of(as.secret()), body == null ? null : utf8(body), headers);
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  /** The headers of a signature over method, target, body and the header {@code Idempotency-Key} if there is one. */
  private String[] signed(Bound as, String method, String path, @Nullable String body, String... headers) {
    int mark = path.indexOf('?');
    var digest = "sha-256=:" + Base64.getEncoder().encodeToString(sha256(body == null ? "" : body)) + ":";
    boolean keyed = List.of(headers).contains("Idempotency-Key");
    var input = "(\"@method\" \"@path\" \"@query\" \"content-digest\"" + (keyed ? " \"idempotency-key\"" : "")
        + ");created=" + Instant.now().getEpochSecond() + ";keyid=\"" + as.id() + "\";nonce=\"" + number++ + "\"";
    var base = "\"@method\": " + method + "\n\"@path\": " + (mark < 0 ? path : path.substring(0, mark))
        + "\n\"@query\": " + (mark < 0 ? "?" : path.substring(mark)) + "\n\"content-digest\": " + digest
        + (keyed ? "\n\"idempotency-key\": " + headers[1] : "") + "\n\"@signature-params\": " + input;
    var signature = Base64.getEncoder().encodeToString(Base64.getUrlDecoder().decode(as.key().sign(utf8(base))));
    var all = new ArrayList<>(List.of(headers));
    all.addAll(List.of("Content-Digest", digest, "Signature-Input", "sig=" + input, "Signature",
        "sig=:" + signature + ":"));
    return all.toArray(String[]::new);
  }

  private static byte[] sha256(String text) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(utf8(text));
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
  }

  private static String[] without(String[] headers, String name) {
    int at = Arrays.asList(headers).indexOf(name);
    var kept = new ArrayList<>(Arrays.asList(headers));
    kept.subList(at, at + 2).clear();
    return kept.toArray(String[]::new);
  }

  private static void refused(Service.Reply reply, String code) {
    assertThat(reply.status()).as(reply.text()).isEqualTo(401);
    assertThat(reply.text("/code")).as(reply.text()).isEqualTo(code);
    assertThat(reply.headers().firstValue("WWW-Authenticate")).contains("Bearer");
  }

  private String spend() {
    return """
        {"walletId": "%s", "asset": "USDC", "amount": "1", "to": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"}"""
        .formatted(service.wallet);
  }

  @Test
  void aSecretAloneReadsAndChangesNothing() {
    var before = service.rows();
    assertThat(send(admin, "GET", "/v1/api-keys?limit=1", null).status()).isEqualTo(200);
    refused(send(admin, "POST", "/v1/agents", NAMED), "REQUEST_SIGNATURE_REQUIRED");
    refused(send(admin, "POST", "/v1/agents", "{"), "REQUEST_SIGNATURE_REQUIRED");
    refused(send(admin, "PUT", "/v1/approver-groups/" + service.group, "{\"members\": []}"),
        "REQUEST_SIGNATURE_REQUIRED");
    refused(send(admin, "DELETE", "/v1/api-keys/" + admin.id(), null), "REQUEST_SIGNATURE_REQUIRED");
    for (var path : List.of("/v1/spends", "/v1/spends/dry-run", "/v1/spends/batch")) {
      refused(send(agent, "POST", path, spend(), "Idempotency-Key", "thief"), "REQUEST_SIGNATURE_REQUIRED");
    }
    assertThat(service.rows()).isEqualTo(before);
  }

  @Test
  void anAdministratorsSignedRequestIsLetThroughOnce() {
    var headers = signed(admin, "POST", "/v1/agents", NAMED);
    var made = send(admin, "POST", "/v1/agents", NAMED, headers);
    assertThat(made.status()).as(made.text()).isEqualTo(201);
    var before = service.rows();
    refused(send(admin, "POST", "/v1/agents", NAMED, headers), "REQUEST_SIGNATURE_USED");
    assertThat(service.rows()).isEqualTo(before);
    var path = "/v1/agents/" + made.text("/id") + "/suspend";
    assertThat(send(admin, "POST", path, null, signed(admin, "POST", path, null)).status()).isEqualTo(200);
    assertThat(service.get("/v1/agents/" + made.text("/id"), "admin").text("/status")).isEqualTo("suspended");
  }

  @Test
  void anAgentsSignedSpendMayComeAgainAndIsTheSame() {
    var headers = signed(agent, "POST", "/v1/spends", spend(), "Idempotency-Key", "signed-1");
    var first = send(agent, "POST", "/v1/spends", spend(), headers);
    assertThat(first.status()).as(first.text()).isEqualTo(201);
    var again = send(agent, "POST", "/v1/spends", spend(), headers);
    assertThat(again.status()).as(again.text()).isEqualTo(200);
    assertThat(again.text("/id")).isEqualTo(first.text("/id"));
  }

  @Test
  void whatWasChangedOnTheWayIsRefusedAndLeavesNoTrace() {
    var path = "/v1/spends";
    var good = signed(agent, "POST", path, spend(), "Idempotency-Key", "signed-2");
    var before = service.rows();
    var invalid = "REQUEST_SIGNATURE_INVALID";
    refused(send(agent, "POST", path, spend().replace("\"1\"", "\"2\""), good), invalid);
    refused(send(agent, "POST", path, null, good), invalid);
    refused(send(agent, "POST", "/v1/spends/dry-run", spend(), good), invalid);
    refused(send(agent, "POST", path + "?x=1", spend(), good), invalid);
    refused(send(agent, "PUT", path, spend(), good), invalid);
    refused(send(agent, "POST", path, spend(), without(good, "Content-Digest")), invalid);
    refused(send(agent, "POST", path, spend(), without(good, "Idempotency-Key")), invalid);
    refused(send(agent, "POST", path, spend(), without(good, "Signature")), "REQUEST_SIGNATURE_REQUIRED");
    refused(send(agent, "POST", path, spend(), without(good, "Signature-Input")), "REQUEST_SIGNATURE_REQUIRED");
    for (var header : List.of("Signature", "Signature-Input", "Content-Digest", "Idempotency-Key")) {
      var twice = new ArrayList<>(List.of(good));
      twice.addAll(List.of(header, good[List.of(good).indexOf(header) + 1]));
      refused(send(agent, "POST", path, spend(), twice.toArray(String[]::new)), invalid);
    }
    var other = good.clone();
    other[1] = "signed-3";
    refused(send(agent, "POST", path, spend(), other), invalid);
    refused(send(admin, "POST", path, spend(), good), invalid);
    var added = new ArrayList<>(List.of(signed(agent, "POST", path, spend())));
    added.addAll(List.of("Idempotency-Key", "added"));
    refused(send(agent, "POST", path, spend(), added.toArray(String[]::new)), invalid);
    refused(send(agent, "GET", "/v1/spends", null, good), invalid);
    var oversize = good.clone();
    oversize[5] = oversize[5] + ";tag=\"" + "x".repeat(3_000) + "\"";
    refused(send(agent, "POST", path, spend(), oversize), invalid);
    assertThat(service.rows()).isEqualTo(before);
  }

  @Test
  void aLargeBodyIsReadAsItWasSignedAndOneThatIsTooLargeIsNot() {
    var policy = "{\"document\": {\"name\": \"signed\", \"rules\": [{\"id\": \"all\", \"kind\": \"permit\"}]}%s}";
    var large = policy.formatted(" ".repeat(1_000_000));
    var made = send(admin, "POST", "/v1/policies", large, signed(admin, "POST", "/v1/policies", large));
    assertThat(made.status()).as(made.text()).isEqualTo(201);
    for (int blanks : List.of(5_000_000, 9_000_000)) {
      var tooLarge = policy.formatted(" ".repeat(blanks));
      var reply = send(admin, "POST", "/v1/policies", tooLarge, signed(admin, "POST", "/v1/policies", tooLarge));
      assertThat(reply.status()).isEqualTo(400);
      assertThat(reply.text("/code")).isEqualTo("BODY_TOO_LARGE");
    }
  }

  @Test
  void theKeyIsShownAndInTheRecord() {
    var shown = service.get("/v1/api-keys?limit=500", "admin").json().path("data").valueStream()
        .filter(key -> key.path("id").asString().equals(agent.id())).findFirst().orElseThrow();
    assertThat(shown.path("publicKey").path("crv").asString()).isEqualTo("P-256");
    assertThat(service.database.database().sql().sql("""
        SELECT count(*) FROM audit_entry WHERE kind = 'api_key.issued' AND convert_from(payload, 'UTF8') LIKE :x
        """).param("x", "%" + ApproverKey.base64url(agent.key().publicKey().x()) + "%").query(Long.class).single())
        .isEqualTo(1);
  }

  @Test
  void theExamplesOfTheDocumentWork(@TempDir Path home) throws IOException, InterruptedException {
    var withOpenssl = "signed POST /v1/agents '{\"name\": \"by openssl\"}' && signed GET '/v1/agents?limit=1'";
    assertThat(example("sh", withOpenssl, home, admin, "bash", "-c")).contains("\"name\":\"by openssl\"", "nextCursor");
    var spend = "signed POST /v1/spends '" + spend() + "' by-openssl";
    var ed = bound("agent", ApproverKey.Curve.ED25519, ", \"agentId\": \"" + service.agent + "\"");
    assertThat(example("sh", spend, home, ed, "bash", "-c")).contains("\"id\":\"spd_");
    var withNode = "console.log(await (await signed('POST', '/v1/spends/dry-run?', JSON.stringify(" + spend()
        + "), { 'idempotency-key': 'by-node' })).text())";
    for (var key : List.of(agent, ed)) {
      assertThat(example("js", withNode, home, key, "node", "--input-type=module", "-e")).contains("\"decision\"");
    }
  }

  private String example(String tag, String more, Path home, Bound as, String... interpreter)
      throws IOException, InterruptedException {
    var block = Pattern.compile("(?s)```" + tag + "\n(.*?)```").matcher(Files.readString(DOCUMENT));
    assertThat(block.find()).as("an example `%s` in %s", tag, DOCUMENT).isTrue();
    var pem = Files.writeString(home.resolve("key.pem"), as.key().pem());
    var command = new ArrayList<>(List.of(interpreter));
    command.add(block.group(1) + more);
    var builder = new ProcessBuilder(command).redirectErrorStream(true);
    var root = service.api.uri().toString();
    builder.environment().putAll(Map.of("API", root.endsWith("/") ? root.substring(0, root.length() - 1) : root,
        "BURSAR_API_KEY", as.secret(), "KEY_ID", as.id(), "PEM", pem.toString()));
    var process = builder.start();
    process.getOutputStream().close();
    var output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).as(output).isZero();
    return output;
  }
}
