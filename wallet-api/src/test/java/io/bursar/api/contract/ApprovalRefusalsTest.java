package io.bursar.api.contract;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.UnaryOperator;

import org.awaitility.Awaitility;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

import io.bursar.api.approve.ApproverKeyFile;
import io.bursar.approval.ApproverKey;

/** An approval that is not one for exactly this spend, now, is refused over HTTP with a code of its own. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
final class ApprovalRefusalsTest {
  private static final String PAYEE = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
  private static final String OTHER_PAYEE = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC";

  private final Service service = Service.shared();
  private final Person ada = person("Ada", ApproverKey.Curve.ED25519);
  private final Person bob = person("Bob", ApproverKey.Curve.P256);
  private final Person eve = person("Eve", ApproverKey.Curve.ED25519);
  private String agent = "";
  private String wallet = "";
  private String group = "";
  private int number;

  /** An approver with the private half of its key; {@code id} is also the name of its API key in the service. */
  private record Person(String id, ApproverKeyFile key) {
    String sign(String text) {
      return key.sign(text.getBytes(StandardCharsets.US_ASCII));
    }
  }

  private Person person(String name, ApproverKey.Curve curve) {
    var key = ApproverKeyFile.generate(curve);
    var id = service.create("/v1/approvers", "admin",
        "{\"name\": \"" + name + "\", \"publicKey\": " + key.publicKey().jwk() + "}").text("/id");
    service.keys.put(id, service.key("admin", "approver", ", \"approverId\": \"" + id + "\""));
    return new Person(id, key);
  }

  @BeforeAll
  void make() {
    agent = service.create("/v1/agents", "admin", "{\"name\": \"refused\"}").text("/id");
    service.keys.put("refused", service.key("admin", "agent", ", \"agentId\": \"" + agent + "\""));
    wallet = service.create("/v1/wallets", "admin", """
        {"agentId": "%s", "chain": "eip155:31337", "name": "refused"}""".formatted(agent)).text("/id");
    group = service.create("/v1/approver-groups", "admin", """
        {"name": "refusals", "members": ["%s", "%s", "%s"]}""".formatted(ada.id, bob.id, eve.id)).text("/id");
    attach("20");
  }

  private void attach(String above) {
    var policy = service.create("/v1/policies", "admin", """
        {"document": {"name": "refused", "rules": [{"id": "any", "kind": "permit"},
          {"id": "big", "kind": "approval", "match": {"assets": ["USDC"], "amount": {"above": "%s"}},
           "groups": [{"group": "refusals", "threshold": 3}]}]}}""".formatted(above));
    var version = "{\"version\": \"" + policy.text("/version") + "\"}";
    service.call("POST", "/v1/policies/" + policy.text("/id") + "/publish", "admin", version);
    var attached = service.call("PUT", "/v1/policy-attachments/wallet/" + wallet, "admin",
        "{\"policyId\": \"" + policy.text("/id") + "\", " + version.substring(1));
    assertThat(attached.status()).as(attached.text()).isEqualTo(200);
  }

  private String ask(@Nullable Duration life) {
    var spend = service.call("POST", "/v1/spends", "refused", """
        {"walletId": "%s", "asset": "USDC", "amount": "24", "to": "%s"%s}""".formatted(wallet, PAYEE,
        life == null ? "" : ", \"expiresAt\": \"" + Instant.now().plus(life) + "\""), "Idempotency-Key",
        "refused-" + ++number);
    assertThat(spend.text("/status")).as(spend.text()).isEqualTo("awaiting_approval");
    return spend.text("/id");
  }

  private String text(String spend) {
    return service.get("/v1/spends/" + spend + "/approval-text", "auditor").text("/approve/text");
  }

  private Service.Reply approve(String spend, Person person, @Nullable String signature, @Nullable String text) {
    var body = new LinkedHashMap<String, String>(Map.of("verdict", "approve"));
    if (signature != null) {
      body.put("signature", signature);
    }
    if (text != null) {
      body.put("text", text);
    }
    return service.call("POST", "/v1/spends/" + spend + "/approvals", person.id, service.json(body));
  }

  private Service.Reply approve(String spend, Person person) {
    return approve(spend, person, person.sign(text(spend)), null);
  }

  private static void refused(Service.Reply reply, int status, String code) {
    assertThat(reply.text("/code")).as(reply.text()).isEqualTo(code);
    assertThat(reply.status()).isEqualTo(status);
  }

  private static void taken(Service.Reply reply) {
    assertThat(reply.status()).as(reply.text()).isEqualTo(201);
  }

  @Test
  void whatIsNotSignedOrNotByTheApprover() {
    var spend = ask(null);
    refused(approve(spend, ada, null, null), 403, "SIGNATURE_REQUIRED");
    refused(approve(spend, ada, bob.sign(text(spend)), null), 403, "SIGNATURE_INVALID");
    refused(approve(spend, ada, "no base64!", null), 403, "SIGNATURE_INVALID");
    taken(approve(spend, ada));
  }

  @Test
  void replayedOnAnotherSpend() {
    var first = ask(null);
    var second = ask(null);
    var text = text(first);
    var signature = ada.sign(text);
    refused(approve(second, ada, signature, text), 403, "SIGNATURE_OF_ANOTHER_SPEND");
    taken(approve(first, ada, signature, null));
    refused(approve(second, ada, signature, null), 403, "SIGNATURE_OF_ANOTHER_SPEND");
  }

  @Test
  void withAnotherAmountOrPayee() {
    var spend = ask(null);
    altered(spend, text -> text.replace("base-units: 24000000", "base-units: 2400000"), "`base-units`");
    altered(spend, text -> text.replace(PAYEE, OTHER_PAYEE), "`payee`");
  }

  private void altered(String spend, UnaryOperator<String> alter, String line) {
    var text = alter.apply(text(spend));
    var reply = approve(spend, ada, ada.sign(text), text);
    refused(reply, 403, "APPROVAL_TEXT_ALTERED");
    assertThat(reply.text("/detail")).endsWith(line);
    refused(approve(spend, ada, ada.sign(text), null), 403, "SIGNATURE_INVALID");
  }

  @Test
  void twiceByOneApprover() {
    var spend = ask(null);
    taken(approve(spend, bob));
    refused(approve(spend, bob), 409, "ALREADY_SPOKEN");
  }

  @Test
  void byTheInitiatorsPrincipal() {
    var spend = ask(null);
    principals("\"" + eve.id + "\"");
    refused(approve(spend, eve), 403, "INITIATOR_MAY_NOT_APPROVE");
    principals("");
    taken(approve(spend, eve));
  }

  private void principals(String approvers) {
    var reply = service.call("PUT", "/v1/agents/" + agent + "/principals", "admin",
        "{\"principals\": [" + approvers + "]}");
    assertThat(reply.status()).as(reply.text()).isEqualTo(200);
  }

  @Test
  void afterTheExpiry() {
    var spend = ask(Duration.ofSeconds(2));
    var signature = ada.sign(text(spend));
    Awaitility.await().atMost(Duration.ofSeconds(10)).pollInterval(Duration.ofMillis(100))
        .until(() -> service.get("/v1/spends/" + spend, "auditor").text("/status").equals("expired"));
    refused(approve(spend, ada, signature, null), 409, "APPROVAL_EXPIRED");
  }

  @Test
  void afterAChangeOfThePolicy() {
    var spend = ask(null);
    var bobs = bob.sign(text(spend));
    taken(approve(spend, ada));
    attach("21");
    refused(approve(spend, bob, bobs, null), 409, "DISMISSED_BY_POLICY");
    refused(approve(spend, bob, bobs, null), 409, "DISMISSED_BY_POLICY");
    taken(approve(spend, bob));
    taken(approve(spend, ada));
  }

  @Test
  void afterAChangeOfTheGroup() {
    var spend = ask(null);
    var bobs = bob.sign(text(spend));
    taken(approve(spend, ada));
    members("\"" + bob.id + "\", \"" + eve.id + "\", \"" + service.approver + "\"");
    refused(approve(spend, ada), 403, "APPROVER_NOT_ASKED");
    refused(approve(spend, bob, bobs, null), 409, "DISMISSED_BY_GROUP");
    taken(approve(spend, bob));
    members("\"" + ada.id + "\", \"" + bob.id + "\", \"" + eve.id + "\"");
  }

  private void members(String members) {
    var reply = service.call("PUT", "/v1/approver-groups/" + group, "admin", "{\"members\": [" + members + "]}");
    assertThat(reply.status()).as(reply.text()).isEqualTo(200);
  }
}
