import java.io.IOException;
import java.math.BigInteger;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.UUID;

import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.money.Address;
import io.bursar.money.Asset;
import io.bursar.policy.Policy;
import io.bursar.policy.PolicyEngine;
import io.bursar.policy.PolicyJson;
import io.bursar.spend.Id;
import io.bursar.spend.SpendFacts;

/**
 * Sets the service up over HTTP, as an administrator would: {@code Setup PORT DIRECTORY} with the admin key in
 * {@code BURSAR_ADMIN_KEY} makes an agent and its key and attaches a policy to the tenant. Leaves {@code agent.id} and
 * {@code agent.key} in the directory.
 *
 * <p>{@code Setup conditions PORT TENANT} attaches a policy of ten rules and three conditions more in its place, {@code Setup plain PORT
 * TENANT} the first one again.
 *
 * <p>{@code Setup buckets TENANT AGENT} reads wallet identifiers (UUIDs) from standard input and prints, for each and for each
 * limit of the policy, {@code definition wallet key}: under which key the spends of a wallet are counted.
 */
final class Setup {
  private static final String LIMIT = "900000000000";
  private static final String POLICY = """
      {"name": "bench", "rules": [
        {"id": "any", "kind": "permit"},
        {"id": "day", "kind": "limit", "match": {"assets": ["USDC"]}, "max": "%1$s", "window": {"rolling": "PT24H"}, "per": ["wallet"]},
        {"id": "pace", "kind": "limit", "maxCount": 1000000000, "window": {"rolling": "PT1M"}, "per": ["wallet"]},
        {"id": "all", "kind": "limit", "match": {"assets": ["USDC"]}, "max": "%1$s", "window": {"rolling": "PT24H"}}]}"""
      .formatted(LIMIT);

  /** The rules of the first policy, six more, and three with conditions; what is counted is the same. */
  private static final String CONDITIONS = POLICY.substring(0, POLICY.length() - "]}".length())
      .replace("\"bench\"", "\"bench with conditions\"") + """
      ,
        {"id": "usdc", "kind": "permit", "match": {"assets": ["USDC"]}},
        {"id": "each", "kind": "limit", "match": {"assets": ["USDC"]}, "max": "1000", "window": "spend"},
        {"id": "least", "kind": "limit", "match": {"assets": ["USDC"]}, "min": "0.000001", "window": "spend"},
        {"id": "scam", "kind": "deny", "match": {"payees": {"in": ["0x00000000000000000000000000000000000000bb"]}}},
        {"id": "elsewhere", "kind": "deny", "match": {"chains": ["eip155:1"]}},
        {"id": "large", "kind": "approval", "match": {"assets": ["USDC"], "amount": {"above": "500"}},
         "groups": [{"group": "bench", "threshold": 1}]},
        {"id": "refund", "kind": "deny", "when": "has(spend.purpose) && spend.purpose.contains('refund') && spend.amount > decimal('5')"},
        {"id": "night", "kind": "deny", "when": "now.getHours('Europe/Berlin') < 6 && spent('day') > decimal('899999999999')"},
        {"id": "order", "kind": "deny", "when": "has(spend.metadata) && has(spend.metadata.order) && spend.metadata.order.startsWith('x')"}]}""";

  private final HttpClient client = HttpClient.newHttpClient();
  private final String base;

  private Setup(String base) {
    this.base = base;
  }

  public static void main(String[] args) throws Exception {
    if (args[0].equals("buckets")) {
      buckets(UUID.fromString(args[1]), UUID.fromString(args[2]));
      return;
    }
    if (args[0].equals("conditions") || args[0].equals("plain")) {
      new Setup("http://127.0.0.1:" + args[1]).attach(args[2], args[0].equals("plain") ? POLICY : CONDITIONS);
      return;
    }
    var setup = new Setup("http://127.0.0.1:" + args[0]);
    var directory = Path.of(args[1]);
    var agent = text(setup.call("POST", "/v1/agents", "{\"name\": \"bench\"}"), "id");
    var key = text(setup.call("POST", "/v1/api-keys",
        "{\"role\": \"agent\", \"name\": \"bench\", \"agentId\": \"" + agent + "\"}"), "secret");
    Files.writeString(directory.resolve("agent.id"), Id.AGENT.parse(agent).orElseThrow().toString());
    Files.writeString(directory.resolve("agent.key"), key);
    var approver = text(setup.call("POST", "/v1/approvers", "{\"name\": \"bench\"}"), "id");
    setup.call("POST", "/v1/approver-groups", "{\"name\": \"bench\", \"members\": [\"" + approver + "\"]}");
    setup.attach(args[2], POLICY);
  }

  private void attach(String tenant, String document) throws IOException, InterruptedException {
    var policy = call("POST", "/v1/policies", "{\"document\": " + document + "}");
    var version = "\"version\": \"" + text(policy, "version") + "\"";
    call("POST", "/v1/policies/" + text(policy, "id") + "/publish", "{" + version + "}");
    call("PUT", "/v1/policy-attachments/tenant/" + tenant,
        "{\"policyId\": \"" + text(policy, "id") + "\", " + version + "}");
  }

  private String call(String method, String path, String body) throws IOException, InterruptedException {
    var answer = client.send(HttpRequest.newBuilder(URI.create(base + path))
        .header("Authorization", "Bearer " + System.getenv("BURSAR_ADMIN_KEY"))
        .header("Content-Type", "application/json").method(method, BodyPublishers.ofString(body)).build(),
        BodyHandlers.ofString());
    if (answer.statusCode() >= 300) {
      throw new IOException(method + " " + path + " was answered with " + answer.statusCode() + " " + answer.body());
    }
    return answer.body();
  }

  private static String text(String json, String member) {
    try {
      return ((Json.Str) ((Json.Obj) JsonText.parse(json.getBytes(StandardCharsets.UTF_8))).get(member)).value();
    } catch (JsonText.Malformed e) {
      throw new IllegalStateException(json, e);
    }
  }

  private static void buckets(UUID tenant, UUID agent) throws Exception {
    var policy = PolicyJson.load((Json.Obj) JsonText.parse(POLICY.getBytes(StandardCharsets.UTF_8)));
    var counted = PolicyEngine.counted(policy, Policy.Target.TENANT);
    var payee = Address.parse("0xb1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1");
    var asset = new Asset("eip155:31337", payee, "USDC", 6, "USD");
    for (var line : new String(System.in.readAllBytes(), StandardCharsets.US_ASCII).lines().toList()) {
      var facts = new SpendFacts(tenant, agent, UUID.fromString(line), asset, BigInteger.ONE, payee, "transfer", null,
          null, false, false);
      for (var each : counted) {
        System.out.println(each.counter().id() + "\t" + line + "\t" + each.counter().key(facts));
      }
    }
  }
}
