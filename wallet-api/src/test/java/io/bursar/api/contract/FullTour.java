package io.bursar.api.contract;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

import org.awaitility.Awaitility;

import io.bursar.api.approve.ApproverKeyFile;
import io.bursar.api.testing.Authenticator;
import io.bursar.approval.ApproverKey;
import io.bursar.log.Checkpoint;
import io.bursar.log.LogProof;
import io.bursar.log.NoteKey;
import io.bursar.log.SignedNote;
import io.bursar.log.TilePath;
import io.bursar.permit.Digest32;
import tools.jackson.databind.JsonNode;

/** Calls every operation such that every field is in some request or answer. */
final class FullTour {
  private static final String PAYEE = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

  /** A contract that answers {@code symbol()} with {@code B}, and everything else with zero. */
  private static final String OTHER_TOKEN = "0x602c600c600039602c6000f3"
      + "60003560e01c6395d89b411460145760206000f35b602060005260016020526042" + "60f81b60405260606000f3";

  private final Service service;
  private final Instant began = Instant.now();
  private int number;

  FullTour(Service service) {
    this.service = service;
  }

  void run() {
    instance();
    directory();
    service.call("POST", "/v1/dev/faucet", "admin",
        "{\"walletId\": \"" + service.wallet + "\", \"asset\": \"USDC\", \"amount\": \"1000\"}");
    new FundingTour(service).play();
    policies();
    spends();
    new RotationTour(service).play();
    rehearsals();
    approvals();
    authorizations();
    audit();
    new FundingRulesTour(service).play();
    lane();
    changes();
    rehearsedChange();
    new EventsTour(service).play();
    leave();
  }

  static Service.Reply expect(int status, Service.Reply reply) {
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
        {"role": "agent", "name": "second", "agentId": "%s", "publicKey": %s}""".formatted(agent,
        ApproverKeyFile.generate(ApproverKey.Curve.P256).publicKey().jwk())));
    expect(204, service.call("DELETE", "/v1/api-keys/" + key, "admin", null));
    service.keys.put("held", service.key("admin", "admin", ", \"approverId\": \"" + service.approver + "\""));
    assertThat(expect(201, service.call("POST", "/v1/agents", "held", "{\"name\": \"held\"}")).json().path("principals")
        .path(0).asString()).isEqualTo(service.approver);
    approvers();
    var wallet = "/v1/wallets/" + service.wallet;
    new FreezeTour(service).play();
    expect(200, service.get(wallet, "agent"));
    expect(200, service.get(wallet + "/balances", "agent"));
    var asset = """
        {"chain": "eip155:31337", "contract": "%s", "symbol": "OTHER", "decimals": 0, "currency": "XXX"}"""
        .formatted(otherToken());
    expect(201, service.call("POST", "/v1/assets", "admin", asset));
    expect(409, service.call("POST", "/v1/assets", "admin", asset));
    settlement(wallet);
    for (var list : new String[]{"agents", "api-keys", "wallets", "assets", "approvers", "approver-groups"}) {
      expect(200, service.get("/v1/" + list, "admin"));
    }
  }

  /** USDC is relayed unless the wallet says otherwise; another token cannot be. */
  private void settlement(String wallet) {
    assertThat(expect(200, service.get(wallet + "/settlement", "agent")).text("/mode")).isEqualTo("asset");
    expect(200, service.call("PUT", wallet + "/settlement", "admin", "{\"mode\": \"direct\"}"));
    for (var asset : service.get("/v1/assets", "admin").json().path("data")) {
      boolean usdc = asset.path("symbol").asString().equals("USDC");
      var path = "/v1/assets/" + asset.path("id").asString() + "/settlement";
      assertThat(expect(200, service.get(path, "agent")).text("/mode")).isEqualTo(usdc ? "relayed" : "direct");
      expect(usdc ? 200 : 409, service.call("PUT", path, "admin", "{\"mode\": \"relayed\"}"));
    }
    Awaitility.await().atMost(Duration.ofSeconds(30))
        .until(() -> !expect(200, service.get("/v1/relayers", "operator")).json().path("data").isEmpty());
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
    // The node answers before it has mined.
    return Awaitility.await().atMost(Duration.ofSeconds(30))
        .until(() -> chain.rpc("eth_getTransactionReceipt", sent).path("contractAddress").asString(""),
            contract -> !contract.isEmpty());
  }

  private void policies() {
    var simple = "{\"document\": {\"name\": \"first\", \"rules\": [{\"id\": \"all\", \"kind\": \"permit\"}]}}";
    var policy = expect(201, service.call("POST", "/v1/policies", "admin", simple)).text("/id");
    valueSets();
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
    assertThat(expect(200, service.get("/v1/policies/" + policy + "?as=text&version=" + version, "auditor")).text())
        .contains("[daily] Limits spends of any asset in USD to 100 USD in any 24 hours");
    analysis(policy, version);
    expect(200, service.get("/v1/policies", "auditor"));
    expect(200, service.get("/v1/policy-attachments", "auditor"));
    observe();
    var agent = "/v1/policy-attachments/agent/" + service.agent;
    expect(200, service.call("PUT", agent, "admin", attachment));
    expect(204, service.call("DELETE", agent, "admin", null));
  }

  private void valueSets() {
    expect(201, service.call("POST", "/v1/value-sets", "admin",
        "{\"name\": \"vendors\", \"kind\": \"addresses\", \"values\": [\"" + PAYEE.toLowerCase(Locale.ROOT) + "\"]}"));
    expect(409, service.call("POST", "/v1/value-sets", "admin",
        "{\"name\": \"vendors\", \"kind\": \"strings\", \"values\": [\"a\"]}"));
    var second = expect(201, service.call("POST", "/v1/value-sets/vendors/versions", "admin",
        "{\"values\": [\"" + PAYEE + "\", \"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed\"]}"));
    assertThat(second.text("/reference")).isEqualTo("vendors@2");
    expect(200, service.get("/v1/value-sets", "auditor"));
    expect(200, service.get("/v1/value-sets/vendors", "auditor"));
    var values = expect(200, service.get("/v1/value-sets/vendors/versions/2/values?limit=1", "auditor"));
    assertThat(values.text("/data/0")).isEqualTo("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed");
    values = expect(200, service.get("/v1/value-sets/vendors/versions/2/values?cursor=" + values.text("/nextCursor"),
        "auditor"));
    assertThat(values.text("/data/0")).isEqualTo(PAYEE);
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

  private void analysis(String policy, String version) {
    var path = "/v1/policies/" + policy + "/analysis";
    var first = service.get("/v1/policies/" + policy, "auditor").text("/versions/1/version");
    var compared = expect(200, service.call("POST", path, "auditor",
        "{\"version\": \"" + first + "\", \"attachedTo\": \"wallet\", \"comparedWith\": \"" + version + "\"}"));
    assertThat(compared.text("/comparison/newlyPermitted/0/after")).isEqualTo("allow");
    var idle = expect(200, service.call("POST", path, "auditor", fullDocument().replace("{\"id\": \"never\"", """
            {"id": "hard", "kind": "limit", "match": {"assets": ["USDC"]}, "max": "100", "window": "spend"},
            {"id": "idle", "kind": "limit", "match": {"assets": ["USDC"]}, "max": "101", "window": "spend"},
            {"id": "never\"""")));
    assertThat(idle.json().path("neverMatter").toString()).contains("idle");
  }

  private void rehearsals() {
    var policy = service.get("/v1/policy-attachments/wallet/" + service.wallet, "admin");
    var path = "/v1/policies/" + policy.text("/policyId") + "/backtest";
    var period = "\"target\": {\"kind\": \"wallet\", \"id\": \"" + service.wallet
        + "\"}, \"from\": \"" + began + "\", \"to\": \"2100-01-01T00:00:00Z\"}";
    var same = expect(200, service.call("POST", path, "auditor",
        "{\"version\": \"" + policy.text("/version") + "\", " + period)).values().getLast();
    assertThat(same.path("changes")).as("%s", same).isEmpty();
    var document = """
        {"document": {"name": "stricter", "rules": [{"id": "all", "kind": "permit"},
          {"id": "tiny", "kind": "limit", "match": {"assets": ["USDC"]}, "max": "1", "window": "spend"}]},""";
    var stricter = expect(200, service.call("POST", path, "auditor", document + period)).values().getLast();
    assertThat(stricter.at("/changes/0/candidate").asString()).as("%s", stricter).isEqualTo("deny");
    assertThat(stricter.at("/rules/0/rule").asString()).isEqualTo("tiny");
    var replayed = expect(200, service.call("POST", "/v1/replay", "auditor", """
        {"from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z", "agentId": "%s"}""".formatted(service.agent)))
        .values().getLast();
    assertThat(replayed.path("decisions").asInt()).isGreaterThan(5);
    assertThat(replayed.path("same")).as("%s", replayed).isEqualTo(replayed.path("decisions"));
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
          {"id": "vendors", "kind": "permit", "match": {"payees": {"in": "vendors@2"}}},
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
    awaitSettled();
    new CancelTour(service).play(body("0.5"));
    expect(200, service.call("PUT", "/v1/wallets/" + service.wallet + "/settlement", "admin", "{\"mode\": \"asset\"}"));
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
    var seen = service.get("/v1/spends/" + waiting.text("/id"), "approver");
    assertThat(seen.text("/status")).isEqualTo("confirmed");
    assertThat(seen.json().path("decision").propertyNames()).contains("approval", "reasons")
        .doesNotContain("trace", "policies", "observed");
    assertThat(seen.json().at("/decision/reasons/0/rule").isMissingNode()).isTrue();
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

  /** Puts attachments under control, and looks at what a request to attach a freer policy would do before rejecting it. */
  private void rehearsedChange() {
    expect(200, service.call("PUT", "/v1/change-control/attachments", "admin",
        "{\"groupId\": \"" + service.group + "\", \"threshold\": 1}"));
    var attached = service.get("/v1/policy-attachments/wallet/" + service.wallet, "admin");
    var strict = expect(201, service.call("POST", "/v1/policies", "admin", """
        {"document": {"name": "strict", "rules": [{"id": "none", "kind": "deny"}]}}"""));
    expect(200, service.call("POST", "/v1/policies/" + strict.text("/id") + "/publish", "admin",
        "{\"version\": \"" + strict.text("/version") + "\"}"));
    var asked = expect(202, service.call("PUT", "/v1/policy-attachments/wallet/" + service.wallet, "admin",
        "{\"policyId\": \"" + strict.text("/id") + "\", \"version\": \"" + strict.text("/version") + "\"}"));
    var rehearsed = expect(200, service.get(change(asked) + "/rehearsal?from=" + began, "approver")).values().getLast();
    assertThat(rehearsed.at("/changes/0/candidate").asString()).as("%s", rehearsed).isEqualTo("deny");
    assertThat(rehearsed.at("/analysis/comparison/version").asString()).isEqualTo(attached.text("/version"));
    assertThat(rehearsed.at("/analysis/most/0/withApprovers/day").asString()).isEqualTo("0");
    expect(201, service.call("POST", change(asked) + "/approvals", "approver", signed(asked, "reject")));
    var release = expect(202, service.call("DELETE", "/v1/change-control/attachments", "admin", null));
    expect(404, service.get(change(release) + "/rehearsal", "admin"));
    expect(201, service.call("POST", change(release) + "/approvals", "approver", signed(release, "approve")));
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
    assertThat(expect(200, service.get("/v1/authorizations/" + list.text("/data/0/id") + "?as=text", "auditor")).text())
        .contains("Asked for: ", "Decided:   ", "[daily] ");
    var all = expect(200, service.call("POST", "/v1/replay", "auditor", "{}")).values().getLast();
    assertThat(all.path("same")).as("%s", all).isEqualTo(all.path("decisions"));
    log();
  }

  private void log() {
    var log = expect(200, service.get("/v1/log", "auditor"));
    var authorization = service.get("/v1/authorizations?limit=1", "auditor").json().at("/data/0");
    var proof = expect(200, service.get("/v1/authorizations/" + authorization.path("id").asString() + "/proof",
        "auditor"));
    var key = NoteKey.parse(log.text("/verifierKey"));
    var receipt = LogProof.parse(proof.text().getBytes(StandardCharsets.UTF_8));
    assertThat(receipt.verify(Digest32.of(HexFormat.of().parseHex(authorization.path("leafHash").asString())), key)
        .origin()).isEqualTo(log.text("/origin"));
    var prefix = "/log/" + service.tenant;
    expect(401, service.get(prefix + "/checkpoint", ""));
    expect(404, service.get(prefix + "/checkpoint", "stranger"));
    expect(200, service.call("POST", "/v1/log/publish", "admin", null));
    var checkpoint = expect(200, service.get(prefix + "/checkpoint", ""));
    assertThat(checkpoint.headers().firstValue("Cache-Control").orElse("")).contains("max-age=1,");
    var head = Checkpoint.open(SignedNote.parse(checkpoint.text().getBytes(StandardCharsets.UTF_8)), key);
    var tile = expect(200, service.get(prefix + "/" + TilePath.in(head.size(), 0, 0).text(), ""));
    assertThat(tile.headers().firstValue("Cache-Control").orElse("")).contains("immutable");
    assertThat(tile.mediaType()).isEqualTo("application/octet-stream");
    expect(200, service.get(prefix + "/" + TilePath.in(head.size(), TilePath.ENTRIES, 0).text(), ""));
    expect(404, service.get(prefix + "/tile/0/x001/000", ""));
    expect(404, service.get(prefix + "/tile/0/0", ""));
    var version = service.get("/v1/policies", "admin").text("/data/0/version");
    expect(200, service.get(prefix + "/policies/" + version.replace(':', '-') + ".json", ""));
    var set = service.get("/v1/value-sets", "admin").text("/data/0/digest");
    expect(200, service.get(prefix + "/sets/" + set.replace(':', '-') + ".json", "auditor"));
    expect(404, service.get(prefix + "/sets/" + set.replace(':', '-') + ".json", ""));
    expect(404, service.get(prefix + "/policies/" + set + ".json", ""));
    expect(200, service.call("POST", "/v1/log/unpublish", "admin", null));
    assertThat(expect(200, service.get("/v1/audit/evidence", "auditor")).mediaType()).isEqualTo("application/zip");
    expect(401, service.get(prefix + "/tile/0/000", ""));
    expect(200, service.call("POST", "/v1/log/resume", "admin", null));
    var spend = service.get("/v1/spends?limit=1", "admin").text("/data/0/id");
    assertThat(expect(200, service.call("POST", "/v1/spends/" + spend + "/erase-text", "admin", null)).json()
        .has("purpose")).isFalse();
  }

  private void lane() {
    var lane = "/v1/tenants/" + service.tenant + "/lane";
    assertThat(expect(200, service.call("POST", lane + "/recount", "operator", null)).json().path("differences"))
        .isEmpty();
    expect(200, service.call("POST", lane + "/stop", "operator", "{\"reason\": \"a drill\"}"));
    assertThat(expect(200, service.get(lane, "operator")).text("/reason")).isEqualTo("a drill");
    var stopped = expect(503, service.call("POST", "/v1/spends", "agent", body("1"), "Idempotency-Key", "stopped"));
    assertThat(stopped.text("/code")).isEqualTo("LANE_STOPPED");
    expect(200, service.call("POST", lane + "/resume", "operator", "{\"reason\": \"the drill is over\"}"));
    expect(409, service.call("POST", lane + "/resume", "operator", "{\"reason\": \"twice\"}"));
  }

  private void audit() {
    var activity = expect(200, service.get("/v1/audit/activity?agentId=" + service.agent, "auditor")).json();
    assertThat(activity.path("data").size()).isGreaterThan(5);
    assertThat(activity.path("changes").findValuesAsString("kind")).contains("agent.created", "wallet.frozen");
    var denial = expect(200, service.get("/v1/audit/denials?agentId=" + service.agent, "auditor"));
    assertThat(denial.text("/data/0/reasons/0/code")).isEqualTo("LIMIT_EXCEEDED");
    var limits = expect(200, service.get("/v1/audit/limits?walletId=" + service.wallet, "auditor")).json();
    assertThat(limits.path("data").findValuesAsString("used")).isNotEmpty();
    expect(200, service.get("/v1/audit/limits", "auditor"));
    unbroadcast();
    var changes = expect(200, service.get("/v1/audit/policy-changes?limit=500", "auditor")).json().path("data");
    assertThat(changes.findValuesAsString("pointer")).contains("/rules/daily", "/name");
    expect(200, service.get("/v1/audit/policy-changes?limit=1&cursor="
        + expect(200, service.get("/v1/audit/policy-changes?limit=1", "auditor")).text("/nextCursor"), "auditor"));
    var robbed = rob();
    Awaitility.await("the robbery is final").atMost(Duration.ofSeconds(20))
        .until(() -> service.get("/v1/audit/unauthorized-transactions", "auditor").text()
            .contains("\"transfersWithoutAuthorization\":[\"0x"));
    for (var wallet : expect(200, service.get("/v1/audit/unauthorized-transactions", "auditor")).json().path("data")) {
      boolean isRobbed = wallet.path("walletId").asString().equals(robbed);
      assertThat(wallet.path("noncesWithoutPayment").size()).isEqualTo(isRobbed ? 1 : 0);
      assertThat(wallet.path("transfersWithoutAuthorization").size()).isEqualTo(isRobbed ? 1 : 0);
    }
    var reserves = expect(200, service.get("/v1/audit/reserves", "auditor")).json();
    assertThat(reserves.path("checkpointSize").asLong()).isGreaterThanOrEqualTo(reserves.path("recordedSeq").asLong());
    var head = Checkpoint.open(
        SignedNote.parse(reserves.path("checkpoint").asString().getBytes(StandardCharsets.UTF_8)),
        NoteKey.parse(service.get("/v1/log", "auditor").text("/verifierKey")));
    assertThat(head.size()).isEqualTo(reserves.path("checkpointSize").asLong());
    // Wallets of other tests may have promised what they do not hold.
    for (var wallet : reserves.path("data")) {
      if (Set.of(service.wallet, robbed).contains(wallet.path("walletId").asString())) {
        assertThat(wallet.findValues("covered")).isNotEmpty().allMatch(JsonNode::asBoolean);
      }
    }
  }

  /** A spend from a wallet without money is authorized, and can never be sent. */
  private void unbroadcast() {
    var policy = service.get("/v1/policy-attachments/wallet/" + service.wallet, "admin");
    var wallet = expect(201, service.call("POST", "/v1/wallets", "admin", """
        {"agentId": "%s", "chain": "eip155:31337", "name": "empty"}""".formatted(service.agent))).text("/id");
    var at = "/v1/policy-attachments/wallet/" + wallet;
    var attachment = "{\"policyId\": \"" + policy.text("/policyId") + "\", \"version\": \"" + policy.text("/version")
        + "\"}";
    expect(200, service.call("PUT", at, "admin", attachment));
    expect(200, service.call("PUT", at, "admin", attachment));
    var spend = expect(201, service.call("POST", "/v1/spends", "agent", body("1").replace(service.wallet, wallet),
        "Idempotency-Key", "empty-1")).text("/id");
    Awaitility.await().atMost(Duration.ofSeconds(30))
        .until(() -> !service.get("/v1/audit/unbroadcast", "auditor").json()
            .path("data").findValuesAsString("failure").isEmpty());
    expect(200, service.call("POST", "/v1/spends/" + spend + "/cancel", "agent", null));
    expect(204, service.call("DELETE", at, "admin", null));
  }

  /** A transfer that was signed by nobody here, as if the key had been stolen. */
  private String rob() {
    var wallet = expect(201, service.call("POST", "/v1/wallets", "admin", """
        {"agentId": "%s", "chain": "eip155:31337", "name": "robbed"}""".formatted(service.agent)));
    expect(200, service.call("POST", "/v1/dev/faucet", "admin",
        "{\"walletId\": \"" + wallet.text("/id") + "\", \"asset\": \"USDC\", \"amount\": \"5\"}"));
    var chain = service.chain;
    chain.rpc("anvil_setBalance", wallet.text("/address"), "0x8ac7230489e80000");
    chain.rpc("anvil_impersonateAccount", wallet.text("/address"));
    chain.rpc("eth_sendTransaction", chain.chain().newObject().put("from", wallet.text("/address"))
        .put("to", chain.usdc().toString()).put("data", "0xa9059cbb" + "0".repeat(24) + PAYEE.substring(2)
            + "0".repeat(63) + "1"));
    return wallet.text("/id");
  }

  /** So that whatever other tests spend from the wallet is denied. */
  private void leave() {
    expect(204, service.call("DELETE", "/v1/policy-attachments/wallet/" + service.wallet, "admin", null));
  }
}
