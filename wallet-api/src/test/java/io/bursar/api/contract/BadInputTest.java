package io.bursar.api.contract;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.math.BigInteger;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Wrong input of every kind is refused with a stable code that says where it is wrong, and leaves no trace. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
final class BadInputTest {
  private static final String PAYEE = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
  private static final String ZEROS = "0".repeat(32);

  /** What no client may ever read: names of classes, of files, and of what the database is asked. */
  private static final List<String> SECRETS = List.of("io.bursar", "java.", "exception", "springframework", "jackson",
      "tomcat", "postgres", "jdbc", "select ", "insert ", "constraint", "relation ", ".java", "/target/", "/home",
      "/root", "stacktrace");

  private final Service service = Service.shared();
  private String revoked = "";
  private Map<String, String> before = Map.of();

  @BeforeAll
  void countRows() {
    var key = service.create("/v1/api-keys", "admin", "{\"role\": \"auditor\", \"name\": \"revoked\"}");
    revoked = key.text("/secret");
    service.call("DELETE", "/v1/api-keys/" + key.text("/id"), "admin", null);
    before = service.rows();
  }

  @AfterAll
  void leavesTheDatabaseAsItWas() {
    assertThat(service.rows()).isEqualTo(before);
  }

  /** A request that must be refused. */
  record Case(String name, String method, String path, String role, byte @Nullable [] body,
      List<String> headers, int status, String code, List<String> pointers) {
    @Override
    public String toString() {
      return name;
    }

    Case with(String... more) {
      return new Case(name, method, path, role, body, List.of(more), status, code, pointers);
    }
  }

  private void refuses(Case wrong) {
    var reply = service.send(wrong.method(), wrong.path(), Optional.ofNullable(service.keys.get(wrong.role())),
        wrong.body(), wrong.headers().toArray(String[]::new));
    refuses(reply, wrong.status(), wrong.code());
    if (!wrong.pointers().isEmpty()) {
      assertThat(reply.pointers()).as(reply.text()).containsExactlyInAnyOrderElementsOf(wrong.pointers());
    }
  }

  private static void refuses(Service.Reply reply, int status, String code) {
    assertThat(reply.status()).as(reply.text()).isEqualTo(status);
    assertThat(reply.mediaType()).isEqualTo("application/problem+json");
    assertThat(reply.text("/code")).as(reply.text()).isEqualTo(code);
    tellsNothing(reply.text());
  }

  private static void tellsNothing(String text) {
    assertThat(text.toLowerCase(Locale.ROOT)).doesNotContain(SECRETS);
  }

  private Map<String, String> members() {
    var members = new LinkedHashMap<String, String>();
    members.put("walletId", quoted(service.wallet));
    members.put("asset", quoted("USDC"));
    members.put("amount", quoted("1"));
    members.put("to", quoted(PAYEE));
    return members;
  }

  private static String quoted(String text) {
    return "\"" + text + "\"";
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static String object(Map<String, String> members) {
    return members.entrySet().stream().map(member -> quoted(member.getKey()) + ": " + member.getValue())
        .collect(Collectors.joining(", ", "{", "}"));
  }

  private static Case spend(String name, byte @Nullable [] body, String code, String... pointers) {
    return new Case(name.length() > 80 ? name.substring(0, 80) : name, "POST", "/v1/spends", "agent", body,
        List.of("Idempotency-Key", "bad"), code.equals("UNSUPPORTED_MEDIA_TYPE") ? 415 : 400, code,
        List.of(pointers));
  }

  /** A good request with one member replaced by a value, written as JSON. */
  private Case field(String name, String json) {
    var members = members();
    members.put(name, json);
    return spend(name + " = " + json, utf8(object(members)), "INVALID_REQUEST",
        "/" + name.replace("~", "~0").replace("/", "~1"));
  }

  @ParameterizedTest
  @MethodSource
  void refusesASpendWithOneFaultyField(Case wrong) {
    refuses(wrong);
  }

  Stream<Case> refusesASpendWithOneFaultyField() {
    var cases = new ArrayList<Case>();
    // 2^256 base units of six decimals, and what is longer still.
    var units = BigInteger.TWO.pow(256).toString();
    var tooMuch = units.substring(0, units.length() - 6) + "." + units.substring(units.length() - 6);
    Stream.of("-1", "+1", "1e3", "1E3", "0x10", "1.0000001", "NaN", "Infinity", "", " 1", "1 ", "1.", ".5", "01",
        "1,5", "1_000", "\u0663", "0", "0.0", "0.000000", tooMuch, units, "9".repeat(78), "9".repeat(200), "1\\u0000")
        .forEach(amount -> cases.add(field("amount", quoted(amount))));
    Stream.of("1", "0", "true", "null", "[]", "{}", "[\"1\"]").forEach(json -> cases.add(field("amount", json)));
    Stream.of(PAYEE.replace('C', 'c'), PAYEE.substring(0, 41), PAYEE + "0", PAYEE.substring(2), "0x", "",
        "0xZ" + PAYEE.substring(3), "0x" + "0".repeat(40), service.chain.usdc().toString(),
        service.chain.usdc().toString().toLowerCase(Locale.ROOT), walletAddress(), "vitalik.eth")
        .forEach(payee -> cases.add(field("to", quoted(payee))));
    cases.add(field("to", "7"));
    Stream.of("wal_", "spd_" + ZEROS, "wal_" + "g".repeat(32), "", "x".repeat(100))
        .forEach(id -> cases.add(field("walletId", quoted(id))));
    Stream.of("", "US DC", "x".repeat(17)).forEach(symbol -> cases.add(field("asset", quoted(symbol))));
    cases.add(field("purpose", quoted("p".repeat(513))));
    cases.add(field("purpose", quoted("")));
    cases.add(field("purpose", quoted("a\\u0007b")));
    cases.add(field("purpose", "{}"));
    cases.add(field("reference", quoted("r".repeat(129))));
    cases.add(field("category", quoted("c".repeat(65))));
    cases.add(field("category", quoted("<script>")));
    cases.add(field("host", quoted("https://example.com/")));
    cases.add(field("host", quoted("-bad-")));
    cases.add(field("metadata", "{\"m\": \"" + "m".repeat(4096) + "\"}"));
    cases.add(field("metadata", "[]"));
    cases.add(field("metadata", quoted("text")));
    Stream.of("tomorrow", "2020-01-01T00:00:00Z", "2026-13-01T00:00:00Z", "2026-12-01",
        Instant.now().plus(Duration.ofDays(31)).toString()).forEach(at -> cases.add(field("expiresAt", quoted(at))));
    cases.add(field("expiresAt", "1790000000"));
    cases.add(field("surprise", "1"));
    cases.add(field("Amount", quoted("1")));
    cases.add(field("idempotencyKey", quoted("in-the-body")));
    cases.add(field("a/b~c", "1"));
    return cases.stream();
  }

  private String walletAddress() {
    return service.get("/v1/wallets/" + service.wallet, "admin").text("/address");
  }

  @ParameterizedTest
  @MethodSource
  void refusesABodyThatIsNoRequest(Case wrong) {
    refuses(wrong);
  }

  Stream<Case> refusesABodyThatIsNoRequest() {
    var good = object(members());
    var open = good.substring(0, good.length() - 1);
    var invalid = utf8(open + ", \"purpose\": \"?\"}");
    invalid[invalid.length - 3] = (byte) 0xff;
    var overlong = utf8(open + ", \"purpose\": \"??\"}");
    overlong[overlong.length - 4] = (byte) 0xc0;
    overlong[overlong.length - 3] = (byte) 0xaf;
    var missing = spend("nothing", utf8("{}"), "INVALID_REQUEST", "/walletId", "/asset", "/amount", "/to");
    var unregistered = members();
    unregistered.put("asset", quoted("EURC"));
    return Stream.of(missing,
        spend("repeated member", utf8(open + ", \"amount\": \"2\"}"), "MALFORMED_JSON", "/amount"),
        spend("repeated member by an escape", utf8(open + ", \"am\\u006funt\": \"2\"}"), "MALFORMED_JSON", "/amount"),
        spend("1 MB", utf8(open + ", \"purpose\": \"" + "p".repeat(1 << 20) + "\"}"), "BODY_TOO_LARGE"),
        spend("1 MB of spaces", utf8(good + " ".repeat(1 << 20)), "BODY_TOO_LARGE"),
        spend("64 KiB and one byte", utf8(good + " ".repeat(64 * 1024 + 1 - good.length())), "BODY_TOO_LARGE"),
        spend("deep arrays", utf8("[".repeat(10_000) + "]".repeat(10_000)), "MALFORMED_JSON", ""),
        spend("deep objects", utf8(open + ", \"metadata\": " + "{\"a\":".repeat(10_000) + "1" + "}".repeat(10_001)),
            "MALFORMED_JSON", ""),
        spend("invalid UTF-8", invalid, "MALFORMED_JSON", ""), spend("overlong UTF-8", overlong, "MALFORMED_JSON", ""),
        spend("UTF-16", good.getBytes(StandardCharsets.UTF_16), "MALFORMED_JSON", ""),
        spend("high surrogate", utf8(open + ", \"purpose\": \"\\ud800\"}"), "MALFORMED_JSON", "/purpose"),
        spend("low surrogate", utf8(open + ", \"purpose\": \"\\udc00x\"}"), "MALFORMED_JSON", "/purpose"),
        spend("surrogate in a name", utf8(open + ", \"\\ud800\": 1}"), "MALFORMED_JSON", ""),
        spend("no JSON", utf8("amount=1"), "MALFORMED_JSON", ""), spend("half", utf8(open), "MALFORMED_JSON", ""),
        spend("two values", utf8(good + good), "MALFORMED_JSON", ""),
        spend("comment", utf8("/* */" + good), "MALFORMED_JSON", ""),
        spend("single quotes", utf8(good.replace('"', '\'')), "MALFORMED_JSON", ""),
        spend("NaN", utf8(open + ", \"metadata\": {\"n\": NaN}}"), "MALFORMED_JSON", ""),
        spend("fraction", utf8(good.replace("\"1\"", "1.5")), "MALFORMED_JSON", "/amount"),
        spend("huge number", utf8(good.replace("\"1\"", "9".repeat(60))), "MALFORMED_JSON", "/amount"),
        spend("endless number", utf8(good.replace("\"1\"", "9".repeat(60_000))), "MALFORMED_JSON", ""),
        spend("no body", null, "MALFORMED_JSON", ""), spend("empty body", new byte[0], "MALFORMED_JSON", ""),
        spend("array", utf8("[" + good + "]"), "INVALID_REQUEST", "", "/walletId", "/asset", "/amount", "/to"),
        spend("text", utf8("\"spend\""), "INVALID_REQUEST", "", "/walletId", "/asset", "/amount", "/to"),
        spend("null", utf8("null"), "INVALID_REQUEST", "", "/walletId", "/asset", "/amount", "/to"),
        spend("unknown asset", utf8(object(unregistered)), "ASSET_NOT_REGISTERED", "/asset"),
        spend("form", utf8("amount=1"), "UNSUPPORTED_MEDIA_TYPE").with("Idempotency-Key", "bad", "Content-Type",
            "application/x-www-form-urlencoded"),
        spend("text/plain", utf8(good), "UNSUPPORTED_MEDIA_TYPE").with("Idempotency-Key", "bad", "Content-Type",
            "text/plain"),
        spend("another JSON", utf8(good), "UNSUPPORTED_MEDIA_TYPE").with("Idempotency-Key", "bad", "Content-Type",
            "application/json-patch+json"),
        spend("no type at all", utf8(good), "UNSUPPORTED_MEDIA_TYPE").with("Idempotency-Key", "bad", "Content-Type",
            "?"),
        spend("no key", utf8(good), "IDEMPOTENCY_KEY_REQUIRED").with(),
        spend("empty key", utf8(good), "INVALID_REQUEST", "#Idempotency-Key").with("Idempotency-Key", ""),
        spend("long key", utf8(good), "INVALID_REQUEST", "#Idempotency-Key").with("Idempotency-Key", "k".repeat(256)),
        spend("tab in key", utf8(good), "INVALID_REQUEST", "#Idempotency-Key").with("Idempotency-Key", "a\tb"));
  }

  private static Case post(String path, String role, String body, String... pointers) {
    return new Case(path + " " + (body.length() > 70 ? body.substring(0, 70) : body), "POST", path, role, utf8(body),
        List.of(), 400, "INVALID_REQUEST", List.of(pointers));
  }

  private static Case put(String path, String body, String... pointers) {
    return new Case(path + " " + body, "PUT", path, "admin", utf8(body), List.of(), 400, "INVALID_REQUEST",
        List.of(pointers));
  }

  @ParameterizedTest
  @MethodSource
  void refusesWhatAdministratorsAndApproversSendWrong(Case wrong) {
    refuses(wrong);
  }

  Stream<Case> refusesWhatAdministratorsAndApproversSendWrong() {
    var usdc = service.chain.usdc().toString();
    var asset = "{\"chain\": \"eip155:31337\", \"contract\": \"%s\", \"symbol\": \"NEW\", \"decimals\": %d}";
    return Stream.of(post("/v1/agents", "admin", "{}", "/name"),
        post("/v1/agents", "admin", "{\"name\": \"\"}", "/name"),
        post("/v1/agents", "admin", "{\"name\": \"" + "n".repeat(129) + "\"}", "/name"),
        post("/v1/agents", "admin", "{\"name\": 1, \"role\": \"admin\"}", "/name", "/role"),
        post("/v1/tenants", "operator", "{\"name\": \"a\\u0000b\"}", "/name"),
        post("/v1/api-keys", "admin", "{\"role\": \"operator\", \"name\": \"x\"}", "/role"),
        post("/v1/api-keys", "admin", "{\"role\": \"agent\", \"name\": \"x\"}", "/agentId"),
        post("/v1/api-keys", "admin", "{\"role\": \"admin\", \"name\": \"x\", \"agentId\": \"" + service.agent + "\"}",
            "/agentId"),
        post("/v1/api-keys", "admin", "{\"role\": \"approver\", \"name\": \"x\", \"approverId\": \"apr_1\"}",
            "/approverId"),
        post("/v1/api-keys", "admin", "{\"role\": \"admin\", \"name\": \"x\", \"publicKey\": \"key\"}", "/publicKey",
            "/publicKey/kty", "/publicKey/crv"),
        post("/v1/api-keys", "admin", "{\"role\": \"admin\", \"name\": \"x\", \"publicKey\": {\"kty\": \"OKP\","
            + " \"crv\": \"Ed25519\", \"x\": \"" + "A".repeat(43) + "\", \"d\": \"AA\"}}", "/publicKey/d"),
        post("/v1/api-keys", "admin", "{\"role\": \"admin\", \"name\": \"x\", \"publicKey\": {\"kty\": \"OKP\","
            + " \"crv\": \"Ed25519\", \"x\": \"" + "A".repeat(43) + "\"}}", "/publicKey/x"),
        post("/v1/wallets", "admin", "{\"agentId\": \"agt_1\", \"chain\": \"eip155:1\"}", "/agentId", "/chain",
            "/name"),
        post("/v1/wallets", "admin",
            "{\"agentId\": \"" + service.agent + "\", \"chain\": \"bitcoin\", \"name\": \"x\"}", "/chain"),
        post("/v1/assets", "admin", asset.formatted(usdc, 19), "/decimals"),
        post("/v1/assets", "admin", asset.formatted(usdc, 7), "/decimals"),
        post("/v1/assets", "admin", asset.formatted(PAYEE, 6), "/contract"),
        post("/v1/assets", "admin", asset.formatted(usdc, 6).replace("eip155:31337", "eip155:1"), "/chain"),
        post("/v1/assets", "admin", "{\"chain\": \"x\", \"contract\": \"0x\", \"symbol\": \"$\", \"decimals\": -1,"
            + " \"currency\": \"usd\"}", "/chain", "/contract", "/symbol", "/decimals", "/currency"),
        post("/v1/approvers", "admin", "{\"name\": \"x\", \"publicKey\": {\"kty\": \"OKP\", \"crv\": \"P-384\"}}",
            "/publicKey/crv"),
        post("/v1/approvers", "admin", "{\"name\": \"x\", \"publicKey\": {\"kty\": \"EC\", \"crv\": \"Ed25519\","
            + " \"x\": \"!\", \"d\": \"secret\"}}", "/publicKey/kty", "/publicKey/x", "/publicKey/d"),
        post("/v1/approver-groups", "admin", "{\"name\": \"No\", \"members\": []}", "/name", "/members"),
        post("/v1/approver-groups", "admin", "{\"name\": \"x\", \"members\": [\"" + service.approver + "\", \""
            + service.approver + "\"]}", "/members"),
        post("/v1/agents", "admin", "{\"name\": \"x\", \"principals\": [\"agt_1\"]}", "/principals/0"),
        put("/v1/agents/" + service.agent + "/principals", "{}", "/principals"),
        put("/v1/approvers/" + service.approver + "/key", "{}", "/publicKey"),
        put("/v1/approvers/" + service.approver + "/key", "{\"publicKey\": {\"kty\": \"OKP\", \"crv\": \"Ed25519\","
            + " \"x\": \"" + "A".repeat(43) + "\"}}", "/publicKey/x"),
        put("/v1/approvers/" + service.approver + "/key",
            "{\"passkey\": {\"credentialId\": \"!\", \"coseKey\": \"AQ\"},"
                + " \"publicKey\": {}}",
            "/passkey", "/passkey/credentialId",
            "/passkey/coseKey"),
        put("/v1/change-control/groups", "{\"groupId\": \"x\", \"threshold\": 0}", "/groupId", "/threshold"),
        put("/v1/change-control/groups", "{\"groupId\": \"" + service.group + "\", \"threshold\": 50}", "/threshold"),
        post("/v1/change-requests/chg_" + ZEROS + "/approvals", "approver", "{\"verdict\": \"yes\", \"text\": \"x\"}",
            "/verdict", "/text"),
        put("/v1/approver-groups/" + service.group, "{\"members\": [], \"name\": \"x\"}", "/members", "/name"),
        post("/v1/webhooks", "admin", "{}", "/url", "/events"),
        post("/v1/webhooks", "admin", "{\"url\": \"http://example.com\", \"events\": [\"spend.*\", \"spend.lost\"],"
            + " \"secret\": \"whsec_c2hvcnQ=\"}", "/url", "/events/1", "/secret"),
        post("/v1/webhooks", "admin", "{\"url\": \"https://u:p@example.com\", \"events\": []}", "/url", "/events"),
        post("/v1/webhooks", "admin", "{\"url\": \"https://169.254.169.254/x\", \"events\": [\"spend.*\"]}", "/url"),
        post("/v1/webhooks", "admin", "{\"url\": \"https://[::1]/x\", \"events\": [\"spend.*\"]}", "/url"),
        post("/v1/webhooks/whk_" + ZEROS + "/replay", "admin", "{\"from\": \"evt_" + ZEROS + "\", \"to\": \"evt_1\"}",
            "/from", "/to"),
        post("/v1/policies", "admin", "{\"document\": []}", "/document"),
        post("/v1/policies", "admin", "{}", "/document"),
        refusedPolicy(
            "{\"name\": \"x\", \"rules\": [{\"id\": \"A\", \"kind\": \"permit\", \"mach\": {}}], \"mode\": 1}",
            "/document/rules/0/id", "/document/rules/0/mach", "/document/mode"),
        refusedPolicy("{\"name\": \"x\", \"rules\": [{\"id\": \"a\", \"kind\": \"limit\", \"match\": {\"assets\":"
            + " [\"USDC\"]}, \"max\": \"1.0000001\", \"window\": {\"rolling\": \"-PT1H\"}}]}",
            "/document/rules/0/max", "/document/rules/0/window/rolling"),
        refusedPolicy("{\"name\": \"x\", \"rules\": [{\"id\": \"a\", \"kind\": \"approval\", \"groups\": [{\"group\":"
            + " \"finance\", \"threshold\": 9}]}]}", "/document/rules/0/groups/0/threshold"),
        post("/v1/dev/faucet", "admin",
            "{\"walletId\": \"" + service.wallet + "\", \"asset\": \"USDC\", \"amount\": \"0\"}", "/amount"),
        post("/v1/spends/spd_" + ZEROS + "/approvals", "approver", "{\"verdict\": \"maybe\", \"comment\": \""
            + "c".repeat(513) + "\", \"text\": \"pay me\"}", "/verdict", "/comment", "/text"),
        post("/v1/spends/batch", "agent", "{\"spends\": []}", "/spends"),
        post("/v1/spends/batch", "agent", "{\"spends\": [" + keyed("a") + ", " + keyed("a") + "]}",
            "/spends/1/idempotencyKey"),
        post("/v1/spends/batch", "agent", "{\"spends\": [" + keyed("a") + ", " + keyed("b").replace("\"1\"", "\"-1\"")
            + ", 7]}", "/spends/1/amount", "/spends/2", "/spends/2/idempotencyKey", "/spends/2/walletId",
            "/spends/2/asset", "/spends/2/amount", "/spends/2/to"));
  }

  private String keyed(String key) {
    return "{\"idempotencyKey\": \"" + key + "\", " + object(members()).substring(1);
  }

  private static Case refusedPolicy(String document, String... pointers) {
    var wrong = post("/v1/policies", "admin", "{\"document\": " + document + "}", pointers);
    return new Case(wrong.name(), "POST", wrong.path(), wrong.role(), wrong.body(), List.of(), 400, "POLICY_REFUSED",
        wrong.pointers());
  }

  @ParameterizedTest
  @MethodSource
  void refusesAQuery(Case wrong) {
    refuses(wrong);
  }

  Stream<Case> refusesAQuery() {
    return Stream.of("/v1/spends?limit=0", "/v1/spends?limit=501", "/v1/spends?limit=x", "/v1/spends?limit=-1",
        "/v1/spends?limit=1&limit=2", "/v1/spends?cursor=x", "/v1/spends?cursor=spd_" + ZEROS,
        "/v1/spends?status=lost", "/v1/spends?payee=" + PAYEE.replace('C', 'c'), "/v1/spends?from=yesterday",
        "/v1/spends?walletId=agt_" + ZEROS, "/v1/spends?asset=%00", "/v1/spends?surprise=1",
        "/v1/authorizations?effect=perhaps", "/v1/authorizations?order=random", "/v1/authorizations?amountFrom=-1",
        "/v1/authorizations?amountTo=1e3", "/v1/authorizations?to=x", "/v1/authorizations?status=lost",
        "/v1/authorizations?asset=%00", "/v1/authorizations?reasonCode=%00", "/v1/authorizations?policyVersion=%00",
        "/v1/events?types=spend.lost", "/v1/events?limit=0", "/v1/wallets?agentId=x", "/v1/assets?limit=",
        "/v1/agents?limit=1000000000000000000000")
        .map(path -> {
          var name = path.substring(path.indexOf('?'), path.indexOf('='));
          return new Case(path, "GET", path, "admin", null, List.of(), 400, "INVALID_REQUEST", List.of(name));
        });
  }

  @Test
  void namesEveryFaultOfARequestAtOnce() {
    var reply = service.call("POST", "/v1/spends", "agent", """
        {"walletId": "x", "asset": "$", "amount": "-1", "to": "0x", "purpose": 1, "reference": "", "category": "<",
         "host": "..", "metadata": 1, "expiresAt": "never", "surprise": 1}""", "Idempotency-Key", "bad");
    refuses(reply, 400, "INVALID_REQUEST");
    assertThat(reply.pointers()).containsExactlyInAnyOrder("/walletId", "/asset", "/amount", "/to", "/purpose",
        "/reference", "/category", "/host", "/metadata", "/expiresAt", "/surprise");
  }

  @Test
  void refusesACallWithoutAGoodKey() {
    var body = utf8(object(members()));
    for (var key : Arrays.asList(null, "", "x", "bur_" + "A".repeat(43), revoked, "k".repeat(600),
        service.keys.get("agent") + "x")) {
      var reply = service.send("POST", "/v1/spends", Optional.ofNullable(key), body, "Idempotency-Key", "bad");
      refuses(reply, 401, "UNAUTHENTICATED");
      assertThat(reply.headers().firstValue("WWW-Authenticate")).contains("Bearer");
    }
    var basic = service.send("GET", "/v1/spends", Optional.empty(), null, "Authorization", "Basic YTpi");
    refuses(basic, 401, "UNAUTHENTICATED");
    refuses(service.send("GET", "/v1/nothing", Optional.empty(), null), 401, "UNAUTHENTICATED");
  }

  @Test
  void refusesACallOfAnotherRole() {
    for (var role : List.of("operator", "admin", "approver", "auditor")) {
      refuses(service.call("POST", "/v1/spends", role, object(members()), "Idempotency-Key", "bad"), 403, "FORBIDDEN");
    }
  }

  @Test
  void refusesPathsAndMethodsThatAreNotThere() {
    for (var path : List.of("/", "/v1", "/v1/", "/v1/nothing", "/v1/spends/", "/v1/spends/x/y/z", "/V1/spends",
        "/error", "/actuator", "/actuator/env", "/actuator/heapdump", "/index.html", "/favicon.ico")) {
      refuses(service.get(path, "admin"), 404, "NOT_FOUND");
    }
    for (var method : List.of("PUT", "PATCH", "DELETE")) {
      refuses(service.call(method, "/v1/spends", "admin", null), 405, "METHOD_NOT_ALLOWED");
    }
    refuses(service.send("GET", "/v1/nothing", Optional.ofNullable(service.keys.get("admin")), null, "Accept",
        "text/html"), 404, "NOT_FOUND");
  }

  /** What no client library would send, and so the server itself refuses. */
  @Test
  void tellsNothingToClientsThatDoNotSpeakHttp() throws IOException {
    var key = "Authorization: Bearer " + service.keys.get("admin");
    for (var request : List.of("GET /v1/spends/%zz HTTP/1.1", "GET /v1/spends/%00 HTTP/1.1",
        "GET /v1/spends/..%2f..%2fetc HTTP/1.1", "GET /v1/spends;x=1 HTTP/1.1", "GET //v1/spends HTTP/1.1",
        "GET /v1/../v1/spends HTTP/1.1", "GET /v1/spends/<x> HTTP/1.1", "GET /v1/spends?limit=%zz HTTP/1.1",
        "TRACE /v1/spends HTTP/1.1", "BREW /v1/spends HTTP/1.1", "GET /v1/spends HTTP/9.9", "nonsense",
        "GET /v1/spends HTTP/1.1\r\nContent-Length: -1", "GET /v1/spends HTTP/1.1\r\nX: " + "x".repeat(20_000),
        "GET /v1/spends HTTP/1.1\r\nIdempotency-Key: a\u0001b")) {
      var answer = raw(request + "\r\nHost: localhost\r\n" + key + "\r\nConnection: close\r\n\r\n");
      assertThat(answer).as(request).startsWith("HTTP/1.1 ").doesNotStartWith("HTTP/1.1 2");
      assertThat(answer).as(request).doesNotStartWith("HTTP/1.1 500");
      tellsNothing(answer);
    }
  }

  @Test
  void refusesAnIdempotencyKeyBeyondAscii() throws IOException {
    var body = object(members());
    assertThat(raw("POST /v1/spends HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + service.keys.get("agent")
        + "\r\nIdempotency-Key: \u00e9\r\nContent-Length: " + body.length() + "\r\nConnection: close\r\n\r\n" + body))
        .startsWith("HTTP/1.1 400").contains("\"pointer\":\"#Idempotency-Key\"");
  }

  @Test
  void saysOfABodyThatDoesNotArriveThatItMayBeSentAgain() throws IOException {
    var begun = raw("POST /v1/spends HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + service.keys.get("agent")
        + "\r\nIdempotency-Key: slow\r\nContent-Length: 100\r\n\r\n{\"walletId\": ");
    assertThat(begun).startsWith("HTTP/1.1 408").contains("\"code\":\"REQUEST_TIMEOUT\"", "Connection: close");
    tellsNothing(begun);
  }

  private String raw(String request) throws IOException {
    try (var socket = new Socket(InetAddress.getLoopbackAddress(), service.api.uri().getPort())) {
      socket.setSoTimeout(10_000);
      socket.getOutputStream().write(request.getBytes(StandardCharsets.ISO_8859_1));
      return new String(socket.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
    }
  }

  /** A call that names something, with a place for its identifier in the path or the body. */
  private record Naming(String method, String path, String role, @Nullable String body, String theirs) {}

  @Test
  void answersWhatIsAnotherTenantsAsWhatIsUnknown() {
    var theirs = service.stranger;
    var policy = service.get("/v1/policies?limit=1", "stranger");
    assertThat(policy.text("/data/0/id")).isEqualTo(theirs.policy());
    var attach = "{\"policyId\": \"ID\", \"version\": \"" + theirs.version() + "\"}";
    var spend = object(members()).replace(service.wallet, "ID");
    var calls = List.of(new Naming("GET", "/v1/wallets/ID", "admin", null, theirs.wallet()),
        new Naming("GET", "/v1/wallets/ID", "agent", null, theirs.wallet()),
        new Naming("GET", "/v1/wallets/ID/balances", "admin", null, theirs.wallet()),
        new Naming("GET", "/v1/wallets/ID/deposits", "agent", null, theirs.wallet()),
        new Naming("GET", "/v1/wallets/ID/funding-rules", "agent", null, theirs.wallet()),
        new Naming("DELETE", "/v1/wallets/ID/funding-rules", "admin", null, theirs.wallet()),
        new Naming("POST", "/v1/wallets/ID/freeze", "admin", null, theirs.wallet()),
        new Naming("POST", "/v1/wallets/ID/unfreeze", "operator", null, theirs.wallet()),
        new Naming("POST", "/v1/wallets/ID/rotation", "admin", null, theirs.wallet()),
        new Naming("GET", "/v1/wallets/ID/rotation", "auditor", null, theirs.wallet()),
        new Naming("POST", "/v1/wallets/ID/rotation/sweep", "admin", null, theirs.wallet()),
        new Naming("POST", "/v1/wallets/ID/rotation/archive", "admin", null, theirs.wallet()),
        new Naming("GET", "/v1/agents/ID", "auditor", null, theirs.agent()),
        new Naming("POST", "/v1/agents/ID/suspend", "admin", null, theirs.agent()),
        new Naming("DELETE", "/v1/api-keys/ID", "admin", null, theirs.key()),
        new Naming("GET", "/v1/policies/ID", "auditor", null, theirs.policy()),
        new Naming("POST", "/v1/policies/ID/publish", "admin", "{\"version\": \"" + theirs.version() + "\"}",
            theirs.policy()),
        new Naming("POST", "/v1/policies/ID/versions", "admin",
            "{\"document\": {\"name\": \"x\", \"rules\": [{\"id\": \"a\", \"kind\": \"permit\"}]}}", theirs.policy()),
        new Naming("PUT", "/v1/policy-attachments/wallet/" + service.wallet, "admin", attach, theirs.policy()),
        new Naming("PUT", "/v1/policy-attachments/wallet/ID", "admin", attach.replace("ID", theirs.policy()),
            theirs.wallet()),
        new Naming("GET", "/v1/policy-attachments/wallet/ID", "admin", null, theirs.wallet()),
        new Naming("DELETE", "/v1/policy-attachments/agent/ID", "admin", null, theirs.agent()),
        new Naming("GET", "/v1/spends/ID", "agent", null, theirs.spend()),
        new Naming("GET", "/v1/spends/ID", "auditor", null, theirs.spend()),
        new Naming("POST", "/v1/spends/ID/cancel", "admin", null, theirs.spend()),
        new Naming("POST", "/v1/spends/ID/approvals", "approver", "{\"verdict\": \"approve\"}", theirs.spend()),
        new Naming("GET", "/v1/spends/ID/approval-text", "approver", null, theirs.spend()),
        new Naming("PUT", "/v1/approvers/ID/key", "admin", "{\"publicKey\": {\"kty\": \"OKP\", \"crv\": \"Ed25519\","
            + " \"x\": \"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}}", theirs.approver()),
        new Naming("PUT", "/v1/change-control/groups", "admin", "{\"groupId\": \"ID\", \"threshold\": 1}",
            theirs.group()),
        new Naming("PUT", "/v1/approver-groups/ID", "admin", "{\"members\": [\"" + service.approver + "\"]}",
            theirs.group()),
        new Naming("PUT", "/v1/approver-groups/" + service.group, "admin", "{\"members\": [\"ID\"]}",
            theirs.approver()),
        new Naming("PUT", "/v1/agents/ID/principals", "admin", "{\"principals\": []}", theirs.agent()),
        new Naming("PUT", "/v1/agents/" + service.agent + "/principals", "admin", "{\"principals\": [\"ID\"]}",
            theirs.approver()),
        new Naming("GET", "/v1/authorizations/ID", "auditor", null, theirs.spend().replace("spd_", "aut_")),
        new Naming("POST", "/v1/spends", "agent", spend, theirs.wallet()),
        new Naming("POST", "/v1/spends/dry-run", "agent", spend, theirs.wallet()),
        new Naming("POST", "/v1/dev/faucet", "admin",
            "{\"walletId\": \"ID\", \"asset\": \"USDC\", \"amount\": \"1\"}", theirs.wallet()),
        new Naming("POST", "/v1/wallets", "admin",
            "{\"agentId\": \"ID\", \"chain\": \"eip155:31337\", \"name\": \"x\"}", theirs.agent()),
        new Naming("POST", "/v1/api-keys", "admin",
            "{\"role\": \"agent\", \"name\": \"x\", \"agentId\": \"ID\"}", theirs.agent()),
        new Naming("POST", "/v1/approver-groups", "admin", "{\"name\": \"x\", \"members\": [\"ID\"]}",
            theirs.approver()));
    for (var call : calls) {
      var reply = named(call, call.theirs());
      refuses(reply, 404, "NOT_FOUND");
      var unknown = named(call, call.theirs().substring(0, 4) + ZEROS);
      assertThat(reply.text()).as("%s", call).isEqualTo(unknown.text()).doesNotContain(call.theirs());
    }
    assertThat(service.get("/v1/wallets?agentId=" + theirs.agent(), "admin").json().path("data").isEmpty()).isTrue();
    assertThat(service.get("/v1/spends?walletId=" + theirs.wallet(), "admin").json().path("data").isEmpty()).isTrue();
  }

  private Service.Reply named(Naming call, String id) {
    return service.call(call.method(), call.path().replace("ID", id), call.role(),
        call.body() == null ? null : call.body().replace("\"ID\"", "\"" + id + "\""), "Idempotency-Key", "bad");
  }

  @Test
  void findsNothingByAMalformedIdentifier() {
    for (var id : List.of("x", "wal_", "wal_" + "g".repeat(32), "agt_" + ZEROS, "wal_" + ZEROS + "0", "%20",
        "'%20OR%201=1--")) {
      refuses(service.get("/v1/wallets/" + id, "admin"), 404, "NOT_FOUND");
    }
    refuses(service.get("/v1/spends/1", "agent"), 404, "NOT_FOUND");
    refuses(service.get("/v1/policy-attachments/planet/" + service.wallet, "admin"), 404, "NOT_FOUND");
    refuses(service.get("/v1/policy-attachments/agent/" + service.wallet, "admin"), 404, "NOT_FOUND");
  }
}
