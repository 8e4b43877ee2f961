package io.bursar.api.contract;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;

import org.awaitility.Awaitility;

import io.bursar.api.approve.ApproverKeyFile;
import io.bursar.api.testing.Authenticator;
import io.bursar.approval.ApproverKey;

/** Calls every operation such that every field is in some request or answer. */
final class FullTour {
  private static final String PAYEE = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

  /** A contract that answers {@code symbol()} with {@code B}, and everything else with zero. */
  private static final String OTHER_TOKEN = "0x602c600c600039602c6000f3"
      + "60003560e01c6395d89b411460145760206000f35b602060005260016020526042" + "60f81b60405260606000f3";

  private final Service service;
  private int number;

  FullTour(Service service) {
    this.service = service;
  }

  void run() {
    instance();
    directory();
    service.call("POST", "/v1/dev/faucet", "admin",
        "{\"walletId\": \"" + service.wallet + "\", \"asset\": \"USDC\", \"amount\": \"1000\"}");
    policies();
    spends();
    approvals();
    authorizations();
    changes();
    leave();
  }

  private Service.Reply expect(int status, Service.Reply reply) {
    assertThat(reply.status()).as("%s", reply.text()).isEqualTo(status);
    return reply;
  }

  private void instance() {
    expect(200, service.get("/actuator/health", ""));
    assertThat(expect(200, service.get("/actuator/prometheus", "operator")).text()).contains("# TYPE");
    assertThat(expect(200, service.get("/openapi.yaml", "")).text()).startsWith("openapi: 3.1");
    var page = expect(200, service.get("/v1/tenants?limit=1", "operator"));
    expect(200, service.get("/v1/tenants?cursor=" + page.text("/nextCursor"), "operator"));
  }

  private void directory() {
    var agent = expect(201, service.call("POST", "/v1/agents", "admin", """
        {"name": "second", "principals": ["%s"]}""".formatted(service.approver))).text("/id");
    expect(200, service.call("PUT", "/v1/agents/" + agent + "/principals", "admin", "{\"principals\": []}"));
    expect(200, service.call("PUT", "/v1/agents/" + agent + "/principals", "admin",
        "{\"principals\": [\"" + service.approver + "\"]}"));
    assertThat(expect(200, service.call("POST", "/v1/agents/" + agent + "/suspend", "admin", null)).text("/status"))
        .isEqualTo("suspended");
    expect(200, service.call("POST", "/v1/agents/" + agent + "/resume", "admin", null));
    expect(200, service.get("/v1/agents/" + agent, "auditor"));
    var key = expect(201, service.call("POST", "/v1/api-keys", "admin", """
        {"role": "approver", "name": "short-lived", "approverId": "%s"}""".formatted(service.approver))).text("/id");
    expect(201, service.call("POST", "/v1/api-keys", "admin", """
        {"role": "agent", "name": "second", "agentId": "%s"}""".formatted(agent)));
    expect(204, service.call("DELETE", "/v1/api-keys/" + key, "admin", null));
    service.keys.put("held", service.key("admin", "admin", ", \"approverId\": \"" + service.approver + "\""));
    assertThat(expect(201, service.call("POST", "/v1/agents", "held", "{\"name\": \"held\"}")).json().path("principals")
        .path(0).asString()).isEqualTo(service.approver);
    approvers();
    var wallet = "/v1/wallets/" + service.wallet;
    assertThat(expect(200, service.call("POST", wallet + "/freeze", "admin", null)).text("/status"))
        .isEqualTo("frozen");
    expect(200, service.call("POST", wallet + "/unfreeze", "admin", null));
    expect(200, service.get(wallet, "agent"));
    expect(200, service.get(wallet + "/balances", "agent"));
    var asset = """
        {"chain": "eip155:31337", "contract": "%s", "symbol": "OTHER", "decimals": 0, "currency": "XXX"}"""
        .formatted(otherToken());
    expect(201, service.call("POST", "/v1/assets", "admin", asset));
    expect(409, service.call("POST", "/v1/assets", "admin", asset));
    for (var list : new String[]{"agents", "api-keys", "wallets", "assets", "approvers", "approver-groups"}) {
      expect(200, service.get("/v1/" + list, "admin"));
    }
  }

  private void approvers() {
    var second = expect(201, service.call("POST", "/v1/approvers", "admin", "{\"name\": \"Bob\"}")).text("/id");
    var jwk = ApproverKeyFile.generate(ApproverKey.Curve.ED25519).publicKey().jwk();
    var key = "{\"publicKey\": " + jwk + "}";
    expect(200, service.call("PUT", "/v1/approvers/" + second + "/key", "admin", key));
    expect(409, service.call("POST", "/v1/approvers", "admin", "{\"name\": \"Twin\", " + key.substring(1)));
    expect(409, service.call("PUT", "/v1/approvers/" + service.approver + "/key", "admin", key));
    passkeys(second);
    var group = expect(201, service.call("POST", "/v1/approver-groups", "admin",
        "{\"name\": \"legal\", \"members\": [\"" + second + "\"]}")).text("/id");
    var changed = expect(200, service.call("PUT", "/v1/approver-groups/" + group, "admin",
        "{\"members\": [\"" + second + "\", \"" + service.approver + "\"]}"));
    assertThat(changed.json().path("revision").asInt()).isEqualTo(2);
  }

  private final Authenticator authenticator = new Authenticator("localhost", "http://localhost:8080");
  private String passkeyHolder = "";

  private void passkeys(String approver) {
    var jwk = new Authenticator("localhost", "http://localhost:8080").publicKey().jwk();
    expect(200, service.call("PUT", "/v1/approvers/" + approver + "/key", "admin", """
        {"passkey": {"credentialId": "AAAA", "publicKey": {"kid": "1", "use": "sig", "alg": "ES256", %s}}"""
        .formatted(jwk.substring(1))));
    passkeyHolder = expect(201, service.call("POST", "/v1/approvers", "admin", """
        {"name": "Pat", "passkey": {"credentialId": "%s", "coseKey": "%s"}}""".formatted(
        ApproverKey.base64url(authenticator.credentialId), ApproverKey.base64url(authenticator.coseKey()))))
        .text("/id");
    service.keys.put("passkey", service.key("admin", "approver", ", \"approverId\": \"" + passkeyHolder + "\""));
    expect(200, service.call("PUT", "/v1/approver-groups/" + service.group, "admin",
        "{\"members\": [\"" + service.approver + "\", \"" + passkeyHolder + "\"]}"));
  }

  private String assertion(String spend) {
    return assertion(service.get("/v1/spends/" + spend + "/approval-text", "passkey").text("/approve/sha256"), "");
  }

  private String assertion(String challenge, String more) {
    var answer = authenticator.answer(java.util.HexFormat.of().parseHex(challenge));
    return """
        {"verdict": "approve", "passkey": {"credentialId": "%s", "authenticatorData": "%s", "clientDataJSON": "%s",
         "signature": "%s"}%s}""".formatted(ApproverKey.base64url(answer.credentialId()),
        ApproverKey.base64url(answer.authenticatorData()), ApproverKey.base64url(answer.clientDataJson()),
        ApproverKey.base64url(answer.signature()), more);
  }

  private String otherToken() {
    var chain = service.chain;
    var sent = chain.rpc("eth_sendTransaction", chain.chain().newObject()
        .put("from", chain.rpc("eth_accounts").path(5).asString()).put("data", OTHER_TOKEN)).asString();
    return chain.rpc("eth_getTransactionReceipt", sent).path("contractAddress").asString();
  }

  private void policies() {
    var simple = "{\"document\": {\"name\": \"first\", \"rules\": [{\"id\": \"all\", \"kind\": \"permit\"}]}}";
    var policy = expect(201, service.call("POST", "/v1/policies", "admin", simple)).text("/id");
    var full = fullDocument();
    expect(200, service.call("POST", "/v1/policies/validate", "auditor",
        "{\"document\": {\"name\": \"x\", \"rules\": [{\"id\": \"a\", \"kind\": \"deny\", \"mach\": {}}]}}"));
    expect(200, service.call("POST", "/v1/policies/validate", "auditor", full));
    expect(201, service.call("POST", "/v1/policies", "admin", full));
    var version = expect(201, service.call("POST", "/v1/policies/" + policy + "/versions", "admin", full))
        .text("/version");
    var attachment = "{\"policyId\": \"" + policy + "\", \"version\": \"" + version + "\"}";
    var at = "/v1/policy-attachments/wallet/" + service.wallet;
    expect(409, service.call("PUT", at, "admin", attachment));
    expect(200, service.call("POST", "/v1/policies/" + policy + "/publish", "admin",
        "{\"version\": \"" + version + "\"}"));
    expect(200, service.call("PUT", at, "admin", attachment));
    expect(200, service.get(at, "auditor"));
    expect(200, service.get("/v1/policies/" + policy, "auditor"));
    expect(200, service.get("/v1/policies", "auditor"));
    expect(200, service.get("/v1/policy-attachments", "auditor"));
    observe();
    var agent = "/v1/policy-attachments/agent/" + service.agent;
    expect(200, service.call("PUT", agent, "admin", attachment));
    expect(204, service.call("DELETE", agent, "admin", null));
  }

  /** A policy that would deny everything watches over the whole tenant. */
  private void observe() {
    var made = expect(201, service.call("POST", "/v1/policies", "admin", """
        {"document": {"name": "watcher", "mode": "observe", "rules": [{"id": "nothing", "kind": "deny"}]}}"""));
    expect(200, service.call("POST", "/v1/policies/" + made.text("/id") + "/publish", "admin",
        "{\"version\": \"" + made.text("/version") + "\"}"));
    expect(200, service.call("PUT", "/v1/policy-attachments/tenant/" + service.tenant, "admin",
        "{\"policyId\": \"" + made.text("/id") + "\", \"version\": \"" + made.text("/version") + "\"}"));
  }

  /** A policy with every field that there is; it permits everything and asks for an approver above 20. */
  private String fullDocument() {
    return """
        {"document": {"name": "full", "description": "every field", "mode": "enforce", "rules": [
          {"id": "all", "kind": "permit", "when": "spend.amount < decimal('1000000')"},
          {"id": "scam", "kind": "deny", "when": "has(spend.purpose) && spend.purpose.contains('refund')"},
          {"id": "odd", "kind": "limit", "match": {"assets": ["USDC"]}, "max": "40", "window": "spend",
            "when": "spent('daily') > decimal('99')"},
          {"id": "vague", "kind": "approval", "when": "!has(spend.reference)",
            "groups": [{"group": "finance", "threshold": 1}]},
          {"id": "named", "kind": "permit", "match": {"assets": ["USDC"], "currency": "USD", "chains": ["eip155:31337"],
            "payees": {"in": ["%1$s"]}, "amount": {"from": "1", "to": "5"}, "methods": ["transfer"],
            "hosts": ["api.example.com"], "categories": ["api"], "agents": ["%2$s"], "wallets": ["%3$s"]},
            "active": {"cron": "0 0 * * *", "for": "PT24H", "zone": "UTC"}},
          {"id": "night", "kind": "deny", "match": {"payees": {"notIn": ["%1$s"]}, "assets": ["OTHER"]},
            "active": {"cron": "0 0 * * *", "for": "PT24H", "zone": "UTC"},
            "unless": {"cron": "0 0 * * *", "for": "PT24H", "zone": "UTC"}},
          {"id": "each", "kind": "limit", "match": {"assets": ["USDC"]}, "min": "0.01", "max": "50", "window": "spend",
            "active": {"cron": "0 0 * * *", "for": "PT24H", "zone": "UTC"}},
          {"id": "daily", "kind": "limit", "match": {"currency": "USD"}, "max": "100", "window": {"rolling": "PT24H"},
            "per": ["wallet"], "unless": {"cron": "0 0 1 1 *", "for": "PT1M", "zone": "UTC"}},
          {"id": "monthly", "kind": "limit", "maxCount": 1000, "window": {"calendar": "month", "zone": "UTC"}},
          {"id": "same", "kind": "limit", "maxCount": 2000, "window": {"calendar": "month", "zone": "UTC"}},
          {"id": "big", "kind": "approval", "match": {"currency": "USD", "amount": {"above": "20"}},
            "active": {"cron": "0 0 * * *", "for": "PT24H", "zone": "UTC"},
            "unless": {"cron": "0 0 1 1 *", "for": "PT1M", "zone": "UTC"},
            "groups": [{"group": "finance", "threshold": 1}], "expiresAfter": "PT4H", "delay": "PT1S"},
          {"id": "never", "kind": "permit", "match": {"assets": ["OTHER"]},
            "unless": {"cron": "0 0 * * *", "for": "PT24H", "zone": "UTC"}}
        ]}}""".formatted(PAYEE, service.agent, service.wallet);
  }

  private String body(String amount) {
    return """
        {"walletId": "%s", "asset": "USDC", "amount": "%s", "to": "%s", "purpose": "1000 API calls",
         "reference": "order-77", "category": "api", "host": "api.example.com", "metadata": {"n": 1},
         "expiresAt": "%s"}""".formatted(service.wallet, amount, PAYEE, Instant.now().plus(Duration.ofDays(1)));
  }

  private Service.Reply spend(String amount) {
    return expect(201, service.call("POST", "/v1/spends", "agent", body(amount), "Idempotency-Key", "tour-" + ++number,
        "Prefer", "wait=1"));
  }

  private void spends() {
    var body = body("12.5");
    var first = expect(201, service.call("POST", "/v1/spends", "agent", body, "Idempotency-Key", "tour-0", "Prefer",
        "wait=30"));
    assertThat(first.text("/status")).isEqualTo("confirmed");
    var again = expect(200, service.call("POST", "/v1/spends", "agent", body, "Idempotency-Key", "tour-0"));
    assertThat(again.headers().firstValue("Idempotent-Replayed")).contains("true");
    expect(422, service.call("POST", "/v1/spends", "agent", body("1"), "Idempotency-Key", "tour-0"));
    expect(409, service.call("POST", "/v1/spends/" + first.text("/id") + "/cancel", "agent", null));
    expect(200, service.call("POST", "/v1/spends/dry-run", "agent", body));
    var keyed = "{\"idempotencyKey\": \"%s\", " + body("0.5").substring(1);
    expect(200, service.call("POST", "/v1/spends/batch", "agent",
        "{\"spends\": [" + keyed.formatted("tour-batch") + ", " + keyed.formatted("tour-0") + "]}"));
    for (var amount : new String[]{"19", "19", "19", "19"}) {
      spend(amount);
    }
    var denied = spend("15");
    assertThat(denied.text("/decision/reasons/0/code")).isEqualTo("LIMIT_EXCEEDED");
    expect(200, service.get("/v1/spends/" + denied.text("/id"), "auditor"));
    service.call("POST", "/v1/spends/dry-run", "agent", body("60"));
    expect(200, service.get("/v1/spends?limit=500", "admin"));
    expect(200, service.get("/v1/spends", "agent"));
    awaitSettled();
  }

  private void awaitSettled() {
    Awaitility.await().atMost(Duration.ofSeconds(30)).pollInterval(Duration.ofMillis(200)).until(() -> {
      for (var status : new String[]{"authorized", "prepared", "signed", "broadcast"}) {
        if (!service.get("/v1/spends?status=" + status, "admin").json().path("data").isEmpty()) {
          return false;
        }
      }
      return true;
    });
  }

  /** The day's limit is nearly used up, so a wallet of its own is spent from. */
  private void approvals() {
    var policy = service.get("/v1/policy-attachments/wallet/" + service.wallet, "admin");
    var wallet = expect(201, service.call("POST", "/v1/wallets", "admin", """
        {"agentId": "%s", "chain": "eip155:31337", "name": "big"}""".formatted(service.agent))).text("/id");
    expect(200, service.call("PUT", "/v1/policy-attachments/wallet/" + wallet, "admin",
        "{\"policyId\": \"" + policy.text("/policyId") + "\", \"version\": \"" + policy.text("/version") + "\"}"));
    expect(200, service.call("POST", "/v1/dev/faucet", "admin",
        "{\"walletId\": \"" + wallet + "\", \"asset\": \"USDC\", \"amount\": \"1000\"}"));
    var body = body("24").replace(service.wallet, wallet);
    var canceled = expect(201, service.call("POST", "/v1/spends", "agent", body, "Idempotency-Key", "big-1"));
    assertThat(canceled.text("/status")).isEqualTo("awaiting_approval");
    var waiting = expect(201, service.call("POST", "/v1/spends", "agent", body, "Idempotency-Key", "big-2"));
    assertThat(expect(200, service.get("/v1/approvals", "approver")).json().path("data").size()).isEqualTo(2);
    expect(200, service.call("POST", "/v1/spends/" + canceled.text("/id") + "/cancel", "agent", null));
    var path = "/v1/spends/" + waiting.text("/id");
    expect(409, service.get("/v1/spends/" + canceled.text("/id") + "/approval-text", "approver"));
    var text = expect(200, service.get(path + "/approval-text", "approver")).text("/approve/text");
    var plain = service.call("GET", path + "/approval-text", "approver", null, "Accept", "text/plain");
    assertThat(plain.text()).isEqualTo(text);
    var approve = service.json(Map.of("verdict", "approve", "comment", "known vendor", "text", text, "signature",
        service.approverKey.sign(text.getBytes(StandardCharsets.US_ASCII))));
    expect(403, service.call("POST", path + "/approvals", "approver", approve.replace("approve\"", "reject\"")));
    expect(403, service.call("POST", path + "/approvals", "approver", "{\"verdict\": \"approve\"}"));
    expect(409, service.call("POST", "/v1/spends/" + canceled.text("/id") + "/approvals", "approver", approve));
    expect(201, service.call("POST", path + "/approvals", "approver", approve));
    expect(409, service.call("POST", path + "/approvals", "approver", approve));
    authenticator.counter = 2;
    var byPasskey = expect(201, service.call("POST", "/v1/spends", "agent", body, "Idempotency-Key", "big-3"))
        .text("/id");
    expect(201, service.call("POST", "/v1/spends/" + byPasskey + "/approvals", "passkey", assertion(byPasskey)));
    var again = expect(201, service.call("POST", "/v1/spends", "agent", body, "Idempotency-Key", "big-4")).text("/id");
    assertThat(expect(403, service.call("POST", "/v1/spends/" + again + "/approvals", "passkey", assertion(again)))
        .text("/code")).isEqualTo("PASSKEY_COUNTER_BEHIND");
    expect(200, service.call("POST", "/v1/spends/" + again + "/cancel", "agent", null));
    awaitSettled();
    assertThat(service.get("/v1/spends/" + waiting.text("/id"), "approver").text("/status")).isEqualTo("confirmed");
  }

  /** Puts groups under control, has a change approved, stops one that breaks the glass, and takes the control away again. */
  private void changes() {
    var control = "{\"groupId\": \"" + service.group + "\", \"threshold\": 1}";
    expect(200, service.call("PUT", "/v1/change-control/groups", "admin", control));
    assertThat(expect(200, service.get("/v1/change-control", "approver")).json().path("data").size()).isEqualTo(1);
    expect(202, service.call("PUT", "/v1/change-control/groups", "admin", control));
    var group = expect(201, service.call("POST", "/v1/approver-groups", "admin",
        "{\"name\": \"controlled\", \"members\": [\"" + service.approver + "\"]}")).text("/id");
    var members = "{\"members\": [\"" + service.approver + "\", \"" + passkeyHolder + "\"]}";
    var asked = expect(202, service.call("PUT", "/v1/approver-groups/" + group, "admin", members));
    assertThat(asked.json().path("diff").toString()).contains("Pat");
    authenticator.counter = 3;
    var approved = expect(201, service.call("POST", change(asked) + "/approvals", "passkey",
        assertion(asked.text("/approve/sha256"), ", \"comment\": \"agreed\"")));
    assertThat(approved.text("/status")).isEqualTo("executed");
    expect(409, service.call("POST", change(asked) + "/break-glass", "admin", null));
    var stopped = expect(202, service.call("PUT", "/v1/approver-groups/" + group, "admin",
        "{\"members\": [\"" + service.approver + "\"]}"));
    expect(403, service.call("POST", change(stopped) + "/approvals", "approver", "{\"verdict\": \"reject\"}"));
    assertThat(expect(200, service.call("POST", change(stopped) + "/break-glass", "admin", null)).text("/executesAt"))
        .isNotEmpty();
    expect(201, service.call("POST", change(stopped) + "/approvals", "approver", signed(stopped, "reject")));
    var release = expect(202, service.call("DELETE", "/v1/change-control/groups", "admin", null));
    assertThat(expect(201, service.call("POST", change(release) + "/approvals", "approver",
        signed(release, "approve"))).text("/status")).isEqualTo("executed");
    expect(200, service.get(change(release), "auditor"));
    expect(200, service.get("/v1/change-requests", "auditor"));
  }

  private static String change(Service.Reply request) {
    return "/v1/change-requests/" + request.text("/id");
  }

  private String signed(Service.Reply request, String verdict) {
    return service.json(Map.of("verdict", verdict, "signature", service.approverKey.sign(
        request.text("/" + verdict + "/text").getBytes(StandardCharsets.US_ASCII))));
  }

  private void authorizations() {
    var list = expect(200, service.get("/v1/authorizations?limit=500", "auditor"));
    expect(200, service.get("/v1/authorizations/" + list.text("/data/0/id"), "auditor"));
    for (var format : new String[]{"jsonl", "csv", "ocsf"}) {
      var export = expect(200, service.get("/v1/authorizations/export?format=" + format, "auditor"));
      assertThat(export.text().lines().count())
          .isEqualTo(list.json().path("data").size() + (format.equals("csv") ? 1 : 0));
    }
  }

  /** So that whatever other tests spend from the wallet is denied. */
  private void leave() {
    expect(204, service.call("DELETE", "/v1/policy-attachments/wallet/" + service.wallet, "admin", null));
  }
}
