package io.bursar.api.demo;

import java.io.IOException;
import java.io.PrintStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.UUID;

import io.bursar.api.approve.ApproverKeyFile;
import io.bursar.api.demo.Client.Answer;
import io.bursar.approval.ApproverKey;
import io.bursar.json.Json;
import io.bursar.money.Amount;

/**
 * Plays the main job from outside, by HTTP alone: a platform team provisions, an agent spends, an approver approves, an
 * auditor reads. Payments are believed only when the chain's own node says that the payee has the money.
 *
 * <p>Environment: {@code BURSAR_URL}, {@code BURSAR_ADMIN_KEY}, {@code BURSAR_RPC_URL}. Exits with 0 only if every step did what it
 * should.
 */
public final class Demo extends Play {
  private Demo(Map<String, String> environment, PrintStream out) throws Failed {
    super(environment, out);
  }

  public static void main(String[] args) {
    perform((environment, out) -> new Demo(environment, out).play());
  }

  /** What the platform team has made. */
  private record Stage(Purse purse, String approverKey, ApproverKeyFile signingKey, String auditorKey, String token,
      String shop, String data) {}

  private void play() throws Failed, IOException, InterruptedException {
    var stage = provision();
    var firstKey = UUID.randomUUID().toString();
    var first = spend(stage.purse(), firstKey, "12.50", stage.shop());
    expect(first, 201, "confirmed");
    row("the agent pays 12.50", "12.50 USDC to the shop", first, balance(stage.token(), stage.shop(), "12.5"));

    var stranger = randomAddress();
    var denied = spend(stage.purse(), UUID.randomUUID().toString(), "5", stranger);
    expect(denied, 201, "denied");
    require(denied.text("decision.reasons.0.code").equals("NO_PERMIT"),
        "a stranger was denied for another reason: " + denied.text("decision.reasons"));
    row("a stranger asks for money", "5 USDC to a stranger", denied, balance(stage.token(), stranger, "0"));

    var big = spend(stage.purse(), UUID.randomUUID().toString(), "24", stage.data(), "wait=0");
    expect(big, 201, "awaiting_approval");
    row("above 20 a person must agree", "24 USDC to the data vendor", big, balance(stage.token(), stage.data(), "0"));
    var approved = approve(stage, big.text("id"));
    row("the approver signs exactly this", big.text("id").substring(0, 12) + "…", approved,
        balance(stage.token(), stage.data(), "24"));

    var tooMuch = spend(stage.purse(), UUID.randomUUID().toString(), "90", stage.shop());
    expect(tooMuch, 201, "denied");
    require(tooMuch.text("decision.maxAmountNow").equals("20"),
        "maxAmountNow should be 20, not `" + tooMuch.text("decision.maxAmountNow") + "`");
    row("90 is too much", "90 USDC to the shop", tooMuch,
        "the most without an approver: " + tooMuch.text("decision.maxAmountNow"));
    var advised = spend(stage.purse(), UUID.randomUUID().toString(), "20", stage.shop());
    expect(advised, 201, "confirmed");
    row("20, as advised, passes", "20 USDC to the shop", advised, balance(stage.token(), stage.shop(), "32.5"));

    var again = spend(stage.purse(), firstKey, "12.50", stage.shop());
    require(again.replayed() && again.text("id").equals(first.text("id")),
        "the repeated request made another spend: " + again.body());
    row("the first request again, same key", "12.50 USDC to the shop", again,
        "same spend; " + balance(stage.token(), stage.shop(), "32.5"));
    audit(stage);
    printTable();
    out.println();
    say("To keep it running: deploy/bursar up (Ctrl-C stops it; --detach leaves it in the background).");
    say("To open next: README.md for five minutes with curl, /openapi.yaml of the running service for every call,");
    say("wallet-policy/README.md for what a policy can say.");
  }

  private Stage provision() throws Failed, IOException, InterruptedException {
    say("A platform team makes an agent, a wallet whose key only the signer has, an approver with a signing key, and an auditor.");
    var purse = purse("research-agent", "research");
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
    attach(purse.walletId(), policy(List.of(shop, data), group));

    say("It funds the wallet from the faucet of the development chain with 500 USDC.");
    var funded = client.post("/v1/dev/faucet", adminKey,
        Json.object().put("walletId", purse.walletId()).put("asset", "USDC").put("amount", "500").build());
    require(funded.status() == 200, "the faucet answered " + funded.body());
    sayMode(purse);
    return new Stage(purse, approverKey, signingKey, auditorKey, usdc().text("contract"), shop, data);
  }

  /** How the spends will reach the chain; a wallet whose spends are relayed must have no native coin. */
  private void sayMode(Purse purse) throws Failed, IOException, InterruptedException {
    var coin = client.rpc(node, "eth_getBalance",
        new Json.Arr(List.of(new Json.Str(purse.address().toString()), new Json.Str("latest")))).text("result");
    var relayers = client.get("/v1/relayers", adminKey).list("data");
    var mode = relayers.isEmpty()
        ? "direct"
        : client.get("/v1/assets/" + usdc().text("id") + "/settlement", adminKey).text("mode");
    if (mode.equals("relayed")) {
      require(coin.equals("0x0"), "a wallet whose spends are relayed needs no native coin, but it has " + coin);
      say("Settlement mode: relayed. The wallet holds USDC and no native coin; it signs, and a relayer of the operator pays the gas.");
    } else {
      say("Settlement mode: direct. The wallet pays its gas from native coin that the faucet gave it.");
    }
  }

  private static Json.Obj policy(List<String> payees, String group) {
    return policy("research-agent", payees,
        Json.object().put("id", "pace").put("kind", "limit").put("maxCount", 10)
            .put("window", Json.object().put("rolling", "PT1M").build()).build(),
        Json.object().put("id", "big").put("kind", "approval")
            .put("match",
                Json.object().put("assets", Json.strings(List.of("USDC")))
                    .put("amount", Json.object().put("above", "20").build()).build())
            .put("groups", new Json.Arr(List.of(Json.object().put("group", group).put("threshold", 1).build())))
            .put("expiresAfter", "PT4H").build());
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
    return confirmed(stage.purse(), spendId);
  }

  private void audit(Stage stage) throws Failed, IOException, InterruptedException {
    say("The auditor lists what was authorized, and why.");
    var found = client.get("/v1/authorizations?order=oldest&agentId=" + stage.purse().agentId(), stage.auditorKey());
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
}
