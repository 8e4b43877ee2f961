package io.bursar.api.contract;

import java.io.IOException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

import org.jspecify.annotations.Nullable;

import io.bursar.api.approve.ApproverKeyFile;
import io.bursar.api.testing.AnvilProcess;
import io.bursar.api.testing.ApiProcess;
import io.bursar.api.testing.SignerProcess;
import io.bursar.approval.ApproverKey;
import io.bursar.store.TestDatabase;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * The real service with signer and chain, started once for all tests of this package, and a tenant in it with a key for each
 * role. Every answer to every call is held against the contract.
 */
final class Service {
  private static final List<String> COUNTED = List.of("login.failed", "dry_run.counted");

  static final JsonMapper JSON = JsonMapper.shared();

  private static final class Holder {
    static final Service SHARED = new Service();
  }

  final Contract contract = new Contract();
  final TestDatabase database = TestDatabase.create();
  final AnvilProcess chain = AnvilProcess.startMiningAtOnce();
  final SignerProcess signer = SignerProcess.start();
  final ApiProcess api = ApiProcess.on(database.settings()).with(signer, chain)
      .setting("BURSAR_PASSKEY_DOMAIN", "localhost").setting("BURSAR_PASSKEY_ORIGINS", "http://localhost:8080")
      .setting("BURSAR_RELAYERS", "1").setting("SERVER_TOMCAT_CONNECTION_TIMEOUT", "5s").start();
  final Map<String, String> keys = new HashMap<>();
  final Set<String> seen = new TreeSet<>();
  final Set<String> accepted = new TreeSet<>();
  final Map<String, Accepted> acceptedRequests = new HashMap<>();

  final String tenant;
  final String agent;
  final String approver;
  final ApproverKeyFile approverKey = ApproverKeyFile.generate(ApproverKey.Curve.P256);
  final String group;
  final String wallet;
  final Stranger stranger;

  private final HttpClient http = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(5)).build();

  /** Another tenant, and what it has. */
  record Stranger(String admin, String agentKey, String agent, String wallet, String approver, String group,
      String policy, String version, String key, String spend) {}

  /** A request that was answered with success. */
  record Accepted(String path, JsonNode body) {}

  static Service shared() {
    return Holder.SHARED;
  }

  private Service() {
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      api.close();
      signer.close();
      chain.close();
    }));
    keys.put("operator", ApiProcess.ADMIN_KEY);
    var made = create("/v1/tenants", "operator", """
        {"name": "contract"}""");
    tenant = made.text("/id");
    keys.put("admin", made.text("/adminKey"));
    agent = create("/v1/agents", "admin", "{\"name\": \"researcher\"}").text("/id");
    approver = create("/v1/approvers", "admin", """
        {"name": "Ada", "publicKey": {"use": "sig", "alg": "ES256", "kid": "1", %s}"""
        .formatted(approverKey.publicKey().jwk().substring(1))).text("/id");
    group = create("/v1/approver-groups", "admin", """
        {"name": "finance", "members": ["%s"]}""".formatted(approver)).text("/id");
    wallet = create("/v1/wallets", "admin", """
        {"agentId": "%s", "chain": "eip155:31337", "name": "research"}""".formatted(agent)).text("/id");
    keys.put("agent", key("admin", "agent", ", \"agentId\": \"" + agent + "\""));
    keys.put("approver", key("admin", "approver", ", \"approverId\": \"" + approver + "\""));
    keys.put("auditor", key("admin", "auditor", ""));
    stranger = stranger();
  }

  private Stranger stranger() {
    var admin = create("/v1/tenants", "operator", "{\"name\": \"stranger\"}").text("/adminKey");
    keys.put("stranger", admin);
    var theirs = create("/v1/agents", "stranger", "{\"name\": \"theirs\"}").text("/id");
    var theirWallet = create("/v1/wallets", "stranger", """
        {"agentId": "%s", "chain": "eip155:31337", "name": "theirs"}""".formatted(theirs)).text("/id");
    var theirApprover = create("/v1/approvers", "stranger", "{\"name\": \"theirs\"}").text("/id");
    var theirGroup = create("/v1/approver-groups", "stranger", """
        {"name": "theirs", "members": ["%s"]}""".formatted(theirApprover)).text("/id");
    var policy = create("/v1/policies", "stranger", """
        {"document": {"name": "theirs", "rules": [{"id": "all", "kind": "permit"}]}}""");
    var theirKey = create("/v1/api-keys", "stranger",
        "{\"role\": \"agent\", \"name\": \"theirs\", \"agentId\": \"" + theirs + "\"}");
    keys.put("strangerAgent", theirKey.text("/secret"));
    var spend = call("POST", "/v1/spends", "strangerAgent", """
        {"walletId": "%s", "asset": "USDC", "amount": "1", "to": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"}"""
        .formatted(theirWallet), "Idempotency-Key", "theirs");
    return new Stranger(admin, theirKey.text("/secret"), theirs, theirWallet, theirApprover, theirGroup,
        policy.text("/id"),
        policy.text("/version"), theirKey.text("/id"), spend.text("/id"));
  }

  String key(String as, String role, String more) {
    return create("/v1/api-keys", as, "{\"role\": \"" + role + "\", \"name\": \"" + role + "\"" + more + "}")
        .text("/secret");
  }

  /** An answer; {@code json} is missing where the body is not JSON. */
  record Reply(int status, String mediaType, String text, JsonNode json, java.net.http.HttpHeaders headers) {
    String text(String pointer) {
      return json.at(pointer).asString();
    }

    /** What the answer holds: one value, one on each line, or none where it is not JSON. */
    List<JsonNode> values() {
      return mediaType.equals("application/x-ndjson")
          ? text.lines().map(JSON::readTree).toList()
          : json.isMissingNode() ? List.of() : List.of(json);
    }

    List<String> pointers() {
      return json.path("errors").valueStream().map(fault -> fault.path("pointer").asString()).toList();
    }
  }

  Reply create(String path, String as, String body) {
    var reply = call("POST", path, as, body);
    if (reply.status() != 201) {
      throw new AssertionError(path + ": " + reply.text());
    }
    return reply;
  }

  Reply get(String path, String as) {
    return call("GET", path, as, null);
  }

  /** A call with the key of a role; an empty role sends none. */
  Reply call(String method, String path, String role, @Nullable String body, String... headers) {
    return send(method, path, Optional.ofNullable(keys.get(role)),
        body == null ? null : body.getBytes(StandardCharsets.UTF_8), headers);
  }

  Reply send(String method, String path, Optional<String> key, byte @Nullable [] body, String... headers) {
    var request = HttpRequest.newBuilder(api.uri().resolve(path)).timeout(Duration.ofSeconds(60))
        .method(method, body == null ? BodyPublishers.noBody() : BodyPublishers.ofByteArray(body));
    if (headers.length > 0) {
      request.headers(headers);
    }
    if (body != null && !List.of(headers).contains("Content-Type")) {
      request.header("Content-Type", "application/json");
    }
    key.ifPresent(secret -> request.header("Authorization", "Bearer " + secret));
    try {
      var response = http.send(request.build(), BodyHandlers.ofString());
      var type = response.headers().firstValue("Content-Type").orElse("");
      int parameters = type.indexOf(';');
      var reply = new Reply(response.statusCode(), parameters < 0 ? type : type.substring(0, parameters),
          response.body(), json(type, response.body()), response.headers());
      contract.find(method, path).ifPresent(operation -> hold(operation, path, body, reply));
      return reply;
    } catch (IOException e) {
      throw new AssertionError(method + " " + path, e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }

  /** Members as a JSON object. */
  String json(Map<String, String> members) {
    return JSON.writeValueAsString(members);
  }

  private static JsonNode json(String type, String text) {
    try {
      return type.contains("json") && !type.contains("ndjson") ? JSON.readTree(text) : JSON.missingNode();
    } catch (JacksonException e) {
      throw new AssertionError("not JSON: " + text, e);
    }
  }

  /** Holds an answer against the contract, and notes what was seen. */
  private void hold(Contract.Operation operation, String path, byte @Nullable [] body, Reply reply) {
    var schema = contract.responseSchema(operation, reply.status(), reply.mediaType());
    boolean isText = schema.isPresent() && schema.get().path("type").asString("").equals("string");
    for (var answer : isText ? List.<JsonNode>of() : reply.values()) {
      var faults = contract.faults(schema.orElseThrow(), answer);
      if (!faults.isEmpty()) {
        throw new AssertionError(operation + " answered what is not in the contract: " + faults + "\n" + reply.text());
      }
      contract.addPresent(schema.orElseThrow(), answer, seen);
    }
    var request = contract.requestSchema(operation);
    if (body != null && request.isPresent() && reply.status() < 300) {
      var sent = JSON.readTree(body);
      contract.addPresent(request.get(), sent, accepted);
      acceptedRequests.put(operation.id(), new Accepted(path, sent));
    }
  }

  /** How many rows each table has, and how far each record goes. */
  Map<String, String> rows() {
    var counts = new java.util.TreeMap<String, String>();
    var sql = database.database().sql();
    for (var table : sql.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").query(String.class)
        .list()) {
      if (table != null && !table.startsWith("flyway")) {
        counts.put(table, sql.sql("SELECT count(*)::text FROM " + table).query(String.class).single());
      }
    }
    counts.remove("signer_mark"); // where the signer's journal has come to, noted every minute
    // What is only counted is written at its own time.
    counts.put("audit_entry", sql.sql("SELECT count(*)::text FROM audit_entry WHERE kind NOT IN (:counted)")
        .param("counted", COUNTED).query(String.class).single());
    counts.put("audit_seq", sql.sql("""
        SELECT string_agg((audit_seq - (SELECT count(*) FROM audit_entry e WHERE e.tenant_id = l.tenant_id AND kind IN (:counted)))::text,
                          ',' ORDER BY tenant_id) FROM lane l
        """).param("counted", COUNTED).query(String.class).single());
    return counts;
  }
}
