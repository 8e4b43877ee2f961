package io.bursar.api.demo;

import java.io.IOException;
import java.io.PrintStream;
import java.math.BigInteger;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.UUID;

import io.bursar.api.approve.ApproverKeyFile;
import io.bursar.api.demo.Client.Answer;
import io.bursar.approval.ApproverKey;
import io.bursar.json.Json;
import io.bursar.money.Address;
import io.bursar.money.Amount;

/**
 * Plays the main job from outside, by HTTP alone: a platform team provisions, an agent spends, an approver approves, an
 * auditor reads. Payments are believed only when the chain's own node says that the payee has the money.
 *
 * <p>Environment: {@code BURSAR_URL}, {@code BURSAR_ADMIN_KEY}, {@code BURSAR_RPC_URL}. Exits with 0 only if every step did what it
 * should.
 */
public final class Demo {
  private static final int DECIMALS = 6;
  private static final String WAIT = "wait=45";

  private final Client client;
  private final URI node;
  private final String adminKey;
  private final PrintStream out;
  private final List<Row> table = new ArrayList<>();

  /** One line of the table. */
  private record Row(String step, String asked, String answered, String proof) {}

  /** A step did something else than it should. */
  private static final class Failed extends Exception {
    Failed(String message) {
      super(message);
    }
  }

  private Demo(Map<String, String> environment, PrintStream out) throws Failed {
    this.client = new Client(URI.create(required(environment, "BURSAR_URL")));
    this.node = URI.create(required(environment, "BURSAR_RPC_URL"));
    this.adminKey = required(environment, "BURSAR_ADMIN_KEY");
    this.out = out;
  }

  public static void main(String[] args) {
    var out = new PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.out), true, StandardCharsets.UTF_8);
    try {
      new Demo(System.getenv(), out).play();
    } catch (Failed | IOException e) {
      out.println();
      out.println("The demo failed: " + e.getMessage());
      System.exit(1);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      System.exit(130);
    }
  }

  private static String required(Map<String, String> environment, String name) throws Failed {
    var value = environment.get(name);
    if (value == null || value.isEmpty()) {
      throw new Failed("`" + name + "` is not set; run `deploy/bursar demo`");
    }
    return value;
  }

  /** What the platform team has made. */
  private record Stage(String agentKey, String approverKey, ApproverKeyFile signingKey, String auditorKey,
      String agentId, String walletId,
      String token, String shop,
      String data) {}

  private void play() throws Failed, IOException, InterruptedException {
    var stage = provision();
    var firstKey = UUID.randomUUID().toString();
    var first = spend(stage, firstKey, "12.50", stage.shop());
    expect(first, 201, "confirmed");
    row("the agent pays 12.50", "12.50 USDC to the shop", first, balance(stage, stage.shop(), "12.5"));

    var stranger = randomAddress();
    var denied = spend(stage, UUID.randomUUID().toString(), "5", stranger);
    expect(denied, 201, "denied");
    require(denied.text("decision.reasons.0.code").equals("NO_PERMIT"),
        "a stranger was denied for another reason: " + denied.text("decision.reasons"));
    row("a stranger asks for money", "5 USDC to a stranger", denied, balance(stage, stranger, "0"));

    var big = spend(stage, UUID.randomUUID().toString(), "24", stage.data(), "wait=0");
    expect(big, 201, "awaiting_approval");
    row("above 20 a person must agree", "24 USDC to the data vendor", big, balance(stage, stage.data(), "0"));
    var approved = approve(stage, big.text("id"));
    row("the approver signs exactly this", big.text("id").substring(0, 12) + "…", approved,
        balance(stage, stage.data(), "24"));

    var tooMuch = spend(stage, UUID.randomUUID().toString(), "90", stage.shop());
    expect(tooMuch, 201, "denied");
    require(tooMuch.text("decision.maxAmountNow").equals("20"),
        "maxAmountNow should be 20, not `" + tooMuch.text("decision.maxAmountNow") + "`");
    row("90 is too much", "90 USDC to the shop", tooMuch,
        "the most without an approver: " + tooMuch.text("decision.maxAmountNow"));
    var advised = spend(stage, UUID.randomUUID().toString(), "20", stage.shop());
    expect(advised, 201, "confirmed");
    row("20, as advised, passes", "20 USDC to the shop", advised, balance(stage, stage.shop(), "32.5"));

    var again = spend(stage, firstKey, "12.50", stage.shop());
    require(again.replayed() && again.text("id").equals(first.text("id")),
        "the repeated request made another spend: " + again.body());
    row("the first request again, same key", "12.50 USDC to the shop", again,
        "same spend; " + balance(stage, stage.shop(), "32.5"));
    audit(stage);
    printTable();
    out.println();
    say("To keep it running: deploy/bursar up (Ctrl-C stops it; --detach leaves it in the background).");
    say("To open next: README.md for five minutes with curl, /openapi.yaml of the running service for every call,");
    say("wallet-policy/README.md for what a policy can say.");
  }

  private Stage provision() throws Failed, IOException, InterruptedException {
    say("A platform team makes an agent, a wallet whose key only the signer has, an approver with a signing key, and an auditor.");
    var agentId = made("/v1/agents", Json.object().put("name", "research-agent").build()).text("id");
    var agentKey = key(
        Json.object().put("role", "agent").put("name", "research-agent").put("agentId", agentId).build());
    var wallet = made("/v1/wallets",
        Json.object().put("agentId", agentId).put("chain", chain()).put("name", "research").build());
    var signingKey = ApproverKeyFile.generate(ApproverKey.Curve.ED25519);
    var approverId = made("/v1/approvers",
        Json.object().put("name", "Ada").put("publicKey", signingKey.publicKey().toJson()).build()).text("id");
    var approverKey = key(
        Json.object().put("role", "approver").put("name", "Ada").put("approverId", approverId).build());
    var group = "finance-" + Long.toString(System.nanoTime(), 36);
    made("/v1/approver-groups",
        Json.object().put("name", group).put("members", Json.strings(List.of(approverId))).build());
    var auditorKey = key(Json.object().put("role", "auditor").put("name", "auditor").build());
    var shop = randomAddress();
    var data = randomAddress();

    say("It writes a policy: two payees, at most 25 a spend, 100 a rolling day, 10 spends a minute, an approver above 20.");
    attach(wallet.text("id"), policy(List.of(shop, data), group));

    say("It funds the wallet from the faucet of the development chain with 500 USDC.");
    var funded = client.post("/v1/dev/faucet", adminKey,
        Json.object().put("walletId", wallet.text("id")).put("asset", "USDC").put("amount", "500").build());
    require(funded.status() == 200, "the faucet answered " + funded.body());
    sayMode(wallet);
    var token = client.get("/v1/assets", adminKey).list("data").stream().map(Json.Obj.class::cast)
        .filter(asset -> new Json.Str("USDC").equals(asset.get("symbol"))).findFirst()
        .orElseThrow(() -> new Failed("USDC is not registered"));
    return new Stage(agentKey, approverKey, signingKey, auditorKey, agentId, wallet.text("id"),
        new Answer(200, token, false).text("contract"), shop, data);
  }

  /** How the spends will reach the chain; a wallet whose spends are relayed must have no native coin. */
  private void sayMode(Answer wallet) throws Failed, IOException, InterruptedException {
    var coin = client.rpc(node, "eth_getBalance",
        new Json.Arr(List.of(new Json.Str(wallet.text("address")), new Json.Str("latest")))).text("result");
    var relayers = client.get("/v1/relayers", adminKey).list("data");
    var mode = relayers.isEmpty() ? "direct" : mode();
    if (mode.equals("relayed")) {
      require(coin.equals("0x0"), "a wallet whose spends are relayed needs no native coin, but it has " + coin);
      say("Settlement mode: relayed. The wallet holds USDC and no native coin; it signs, and a relayer of the operator pays the gas.");
    } else {
      say("Settlement mode: direct. The wallet pays its gas from native coin that the faucet gave it.");
    }
  }

  private String mode() throws Failed, IOException, InterruptedException {
    for (var asset : client.get("/v1/assets", adminKey).list("data")) {
      var known = new Answer(200, (Json.Obj) asset, false);
      if (known.text("symbol").equals("USDC")) {
        return client.get("/v1/assets/" + known.text("id") + "/settlement", adminKey).text("mode");
      }
    }
    throw new Failed("USDC is not registered");
  }

  private static Json.Obj policy(List<String> payees, String group) {
    var usdc = Json.object().put("assets", Json.strings(List.of("USDC")));
    return Json.object().put("name", "research-agent").put("rules", new Json.Arr(List.of(
        Json.object().put("id", "vendors").put("kind", "permit")
            .put("match", Json.object().put("assets", Json.strings(List.of("USDC")))
                .put("payees", Json.object().put("in", Json.strings(payees)).build()).build())
            .build(),
        Json.object().put("id", "each").put("kind", "limit").put("match", usdc.build()).put("max", "25")
            .put("window", "spend").build(),
        Json.object().put("id", "daily").put("kind", "limit").put("match", usdc.build()).put("max", "100")
            .put("window", Json.object().put("rolling", "PT24H").build()).build(),
        Json.object().put("id", "pace").put("kind", "limit").put("maxCount", 10)
            .put("window", Json.object().put("rolling", "PT1M").build()).build(),
        Json.object().put("id", "big").put("kind", "approval")
            .put("match",
                Json.object().put("assets", Json.strings(List.of("USDC")))
                    .put("amount", Json.object().put("above", "20").build()).build())
            .put("groups", new Json.Arr(List.of(Json.object().put("group", group).put("threshold", 1).build())))
            .put("expiresAfter", "PT4H").build())))
        .build();
  }

  private void attach(String walletId, Json.Obj document) throws Failed, IOException, InterruptedException {
    var draft = made("/v1/policies", Json.object().put("document", document).build());
    var version = Json.object().put("version", draft.text("version"));
    var published = client.post("/v1/policies/" + draft.text("id") + "/publish", adminKey, version.build());
    require(published.text("status").equals("published"), "publishing answered " + published.body());
    var attached = client.put("/v1/policy-attachments/wallet/" + walletId, adminKey,
        version.put("policyId", draft.text("id")).build());
    require(attached.status() == 200, "attaching answered " + attached.body());
  }

  private Answer spend(Stage stage, String key, String amount, String to) throws IOException, InterruptedException {
    return spend(stage, key, amount, to, WAIT);
  }

  private Answer spend(Stage stage, String key, String amount, String to, String prefer)
      throws IOException, InterruptedException {
    return client.post("/v1/spends", stage.agentKey(),
        Json.object().put("walletId", stage.walletId()).put("asset", "USDC")
            .put("amount", amount).put("to", to).put("purpose", "demo").build(),
        "Idempotency-Key", key, "Prefer", prefer);
  }

  private Answer approve(Stage stage, String spendId) throws Failed, IOException, InterruptedException {
    var waiting = client.get("/v1/approvals", stage.approverKey());
    require(waiting.list("data").size() == 1, "one spend should wait for the approver: " + waiting.body());
    var text = client.get("/v1/spends/" + spendId + "/approval-text", stage.approverKey()).text("approve.text");
    require(text.contains("\nspend: " + spendId + "\n") && text.contains("\nbase-units: 24000000\n"),
        "the text to sign is not of this spend: " + text);
    var taken = client.post("/v1/spends/" + spendId + "/approvals", stage.approverKey(),
        Json.object().put("verdict", "approve")
            .put("signature", stage.signingKey().sign(text.getBytes(StandardCharsets.UTF_8)))
            .put("comment", "looks right").build());
    require(taken.status() == 201, "the approval was answered with " + taken.body());
    for (int i = 0; i < 450; i++) {
      var spend = client.get("/v1/spends/" + spendId, stage.agentKey());
      if (spend.text("status").equals("confirmed")) {
        return spend;
      }
      Thread.sleep(100);
    }
    throw new Failed("the approved spend was not confirmed in time");
  }

  private void audit(Stage stage) throws Failed, IOException, InterruptedException {
    say("The auditor lists what was authorized, and why.");
    var found = client.get("/v1/authorizations?order=oldest&agentId=" + stage.agentId(), stage.auditorKey());
    // Five requests were decided, and one of them again when it was approved.
    require(found.list("data").size() == 6, "six authorizations should be on record, not " + found.list("data").size());
    out.printf("    %-16s %-18s %-12s %s%n", "effect", "status now", "USDC", "reasons");
    for (var each : found.list("data")) {
      var authorization = new Answer(200, (Json.Obj) each, false);
      var reasons = authorization.list("entry.decision.reasons").stream()
          .map(reason -> new Answer(200, (Json.Obj) reason, false).text("code")).distinct().toList();
      out.printf("    %-16s %-18s %-12s %s%n", authorization.text("effect"), authorization.text("status"),
          Amount.format(new BigInteger(authorization.text("entry.facts.amount")), DECIMALS),
          String.join(", ", reasons));
    }
  }

  /** What the payee has, as the chain's node says; fails unless it is as expected. */
  private String balance(Stage stage, String account, String expected)
      throws Failed, IOException, InterruptedException {
    var call = Json.object().put("to", stage.token())
        .put("data", "0x70a08231" + "0".repeat(24) + account.substring(2).toLowerCase(java.util.Locale.ROOT)).build();
    var answer = client.rpc(node, "eth_call", new Json.Arr(List.of(call, new Json.Str("latest")))).text("result");
    require(answer.startsWith("0x") && answer.length() > 2, "the chain's node did not answer");
    var amount = Amount.format(new BigInteger(answer.substring(2), 16), DECIMALS);
    require(amount.equals(expected), "on the chain the payee has " + amount + " USDC and not " + expected);
    return "payee has " + amount + " on chain";
  }

  private String chain() throws Failed, IOException, InterruptedException {
    var answer = client.rpc(node, "eth_chainId", new Json.Arr(List.of())).text("result");
    require(answer.startsWith("0x"), "the chain's node did not answer");
    return "eip155:" + new BigInteger(answer.substring(2), 16);
  }

  private Answer made(String path, Json body) throws Failed, IOException, InterruptedException {
    var answer = client.post(path, adminKey, body);
    require(answer.status() == 201, "`POST " + path + "` answered " + answer.status() + ": " + answer.text("detail"));
    return answer;
  }

  private String key(Json body) throws Failed, IOException, InterruptedException {
    return made("/v1/api-keys", body).text("secret");
  }

  private static String randomAddress() {
    var bytes = new byte[Address.BYTES];
    new SecureRandom().nextBytes(bytes);
    return Address.parse("0x" + HexFormat.of().formatHex(bytes)).toString();
  }

  private static void expect(Answer answer, int status, String spendStatus) throws Failed {
    require(answer.status() == status && answer.text("status").equals(spendStatus),
        "expected " + status + " and `" + spendStatus + "`, got " + answer.status() + ": " + answer.body());
  }

  private static void require(boolean condition, String otherwise) throws Failed {
    if (!condition) {
      throw new Failed(otherwise);
    }
  }

  private void say(String line) {
    out.println("  " + line);
  }

  private void row(String step, String asked, Answer answer, String proof) {
    var why = answer.text("decision.reasons.0.code");
    table.add(new Row(step, asked, answer.text("status") + (why.isEmpty() ? "" : " (" + why + ")"), proof));
    out.printf("  %s: %s → %s; %s%n", step, asked, answer.text("status"), proof);
    var message = answer.text("decision.reasons.0.message");
    if (!message.isEmpty() && !answer.text("status").equals("confirmed")) {
      out.println("    because: " + message);
    }
  }

  private void printTable() {
    var format = "  %-34s %-28s %-38s %s%n";
    out.println();
    out.printf(format, "step", "asked", "answered", "proof");
    out.printf(format, "-".repeat(34), "-".repeat(28), "-".repeat(38), "-".repeat(30));
    table.forEach(row -> out.printf(format, row.step(), row.asked(), row.answered(), row.proof()));
  }
}
