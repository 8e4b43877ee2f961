package io.bursar.api.demo;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.math.BigInteger;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;

import io.bursar.api.chain.ChainUnavailable;
import io.bursar.api.demo.Client.Answer;
import io.bursar.json.Json;
import io.bursar.money.Address;
import io.bursar.money.Amount;

/**
 * What the plays have in common: they act from outside, by HTTP alone, print each step with what came of it, and end with a table of
 * all. Payments are believed only when the chain's own node says that the payee has the money.
 *
 * <p>Environment: {@code BURSAR_URL}, {@code BURSAR_ADMIN_KEY}, {@code BURSAR_RPC_URL}.
 */
abstract class Play {
  static final int DECIMALS = 6;
  static final String WAIT = "wait=45";

  final Client client;
  final URI node;
  final String adminKey;
  final PrintStream out;
  private final List<Row> table = new ArrayList<>();

  /** One line of the table. */
  private record Row(String step, String asked, String answered, String proof) {}

  /** A step did something else than it should. */
  static final class Failed extends Exception {
    Failed(String message) {
      super(message);
    }
  }

  /** An agent's key, and the wallet that it spends from. */
  record Purse(String agentId, String agentKey, String walletId, Address address) {}

  /** What may fail. */
  interface Act {
    void run(Map<String, String> environment, PrintStream out)
        throws Failed, IOException, InterruptedException, ChainUnavailable;
  }

  Play(Map<String, String> environment, PrintStream out) throws Failed {
    this.client = new Client(URI.create(required(environment, "BURSAR_URL")));
    this.node = URI.create(required(environment, "BURSAR_RPC_URL"));
    this.adminKey = required(environment, "BURSAR_ADMIN_KEY");
    this.out = out;
  }

  /** Runs an act and, if it fails, says why and ends the process with 1. */
  static void perform(Act act) {
    var out = new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
    try {
      act.run(System.getenv(), out);
    } catch (Failed | IOException | ChainUnavailable e) {
      out.println();
      out.println("The demo failed: " + e.getMessage());
      System.exit(1);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      System.exit(130);
    }
  }

  static String required(Map<String, String> environment, String name) throws Failed {
    var value = environment.get(name);
    if (value == null || value.isEmpty()) {
      throw new Failed("`" + name + "` is not set; run `deploy/bursar demo`");
    }
    return value;
  }

  /** Makes an agent, a key for it and a wallet. */
  Purse purse(String agent, String wallet) throws Failed, IOException, InterruptedException {
    var agentId = made("/v1/agents", Json.object().put("name", agent).build()).text("id");
    var agentKey = key(Json.object().put("role", "agent").put("name", agent).put("agentId", agentId).build());
    var made = made("/v1/wallets",
        Json.object().put("agentId", agentId).put("chain", chain()).put("name", wallet).build());
    return new Purse(agentId, agentKey, made.text("id"), Address.parse(made.text("address")));
  }

  /** A policy: USDC to these payees, at most 25 a spend and 100 a rolling day, and what else is given. */
  static Json.Obj policy(String name, List<String> payees, Json... more) {
    var usdc = Json.object().put("assets", Json.strings(List.of("USDC"))).build();
    var rules = new ArrayList<Json>(List.of(
        Json.object().put("id", "vendors").put("kind", "permit")
            .put("match", Json.object().put("assets", Json.strings(List.of("USDC")))
                .put("payees", Json.object().put("in", Json.strings(payees)).build()).build())
            .build(),
        Json.object().put("id", "each").put("kind", "limit").put("match", usdc).put("max", "25")
            .put("window", "spend").build(),
        Json.object().put("id", "daily").put("kind", "limit").put("match", usdc).put("max", "100")
            .put("window", Json.object().put("rolling", "PT24H").build()).build()));
    rules.addAll(List.of(more));
    return Json.object().put("name", name).put("rules", new Json.Arr(rules)).build();
  }

  void attach(String walletId, Json.Obj document) throws Failed, IOException, InterruptedException {
    var draft = made("/v1/policies", Json.object().put("document", document).build());
    var version = Json.object().put("version", draft.text("version"));
    var published = client.post("/v1/policies/" + draft.text("id") + "/publish", adminKey, version.build());
    require(published.text("status").equals("published"), "publishing answered " + published.body());
    var attached = client.put("/v1/policy-attachments/wallet/" + walletId, adminKey,
        version.put("policyId", draft.text("id")).build());
    require(attached.status() == 200, "attaching answered " + attached.body());
  }

  Answer spend(Purse purse, String key, String amount, String to) throws IOException, InterruptedException {
    return spend(purse, key, amount, to, WAIT);
  }

  Answer spend(Purse purse, String key, String amount, String to, String prefer)
      throws IOException, InterruptedException {
    return client.post("/v1/spends", purse.agentKey(),
        Json.object().put("walletId", purse.walletId()).put("asset", "USDC")
            .put("amount", amount).put("to", to).put("purpose", "demo").build(),
        "Idempotency-Key", key, "Prefer", prefer);
  }

  /** Waits until a spend is confirmed. */
  Answer confirmed(Purse purse, String spendId) throws Failed, IOException, InterruptedException {
    for (int i = 0; i < 450; i++) {
      var spend = client.get("/v1/spends/" + spendId, purse.agentKey());
      if (spend.text("status").equals("confirmed")) {
        return spend;
      }
      Thread.sleep(100);
    }
    throw new Failed("the spend was not confirmed in time");
  }

  /** USDC as it is registered. */
  Answer usdc() throws Failed, IOException, InterruptedException {
    return client.get("/v1/assets", adminKey).list("data").stream().map(Json.Obj.class::cast)
        .filter(asset -> new Json.Str("USDC").equals(asset.get("symbol"))).findFirst()
        .map(asset -> new Answer(200, asset, false)).orElseThrow(() -> new Failed("USDC is not registered"));
  }

  /** What a payee has, as the chain's node says; fails unless it is as expected. */
  String balance(String token, String account, String expected) throws Failed, IOException, InterruptedException {
    return "payee has " + holds(token, account, expected) + " on chain";
  }

  /** The same as a bare amount. */
  String holds(String token, String account, String expected) throws Failed, IOException, InterruptedException {
    var call = Json.object().put("to", token)
        .put("data", "0x70a08231" + "0".repeat(24) + account.substring(2).toLowerCase(Locale.ROOT)).build();
    var answer = client.rpc(node, "eth_call", new Json.Arr(List.of(call, new Json.Str("latest")))).text("result");
    require(answer.startsWith("0x") && answer.length() > 2, "the chain's node did not answer");
    var amount = Amount.format(new BigInteger(answer.substring(2), 16), DECIMALS);
    require(amount.equals(expected), "on the chain the account has " + amount + " USDC and not " + expected);
    return amount;
  }

  String chain() throws Failed, IOException, InterruptedException {
    var answer = client.rpc(node, "eth_chainId", new Json.Arr(List.of())).text("result");
    require(answer.startsWith("0x"), "the chain's node did not answer");
    return "eip155:" + new BigInteger(answer.substring(2), 16);
  }

  Answer made(String path, Json body) throws Failed, IOException, InterruptedException {
    var answer = client.post(path, adminKey, body);
    require(answer.status() == 201, "`POST " + path + "` answered " + answer.status() + ": " + answer.text("detail"));
    return answer;
  }

  String key(Json body) throws Failed, IOException, InterruptedException {
    return made("/v1/api-keys", body).text("secret");
  }

  static String randomAddress() {
    var bytes = new byte[Address.BYTES];
    new SecureRandom().nextBytes(bytes);
    return Address.parse("0x" + HexFormat.of().formatHex(bytes)).toString();
  }

  static void expect(Answer answer, int status, String spendStatus) throws Failed {
    require(answer.status() == status && answer.text("status").equals(spendStatus),
        "expected " + status + " and `" + spendStatus + "`, got " + answer.status() + ": " + answer.body());
  }

  static void require(boolean condition, String otherwise) throws Failed {
    if (!condition) {
      throw new Failed(otherwise);
    }
  }

  void say(String line) {
    out.println("  " + line);
  }

  void row(String step, String asked, Answer answer, String proof) {
    var why = answer.text("decision.reasons.0.code");
    entry(step, asked, answer.text("status") + (why.isEmpty() ? "" : " (" + why + ")"), proof);
    out.printf("  %s: %s → %s; %s%n", step, asked, answer.text("status"), proof);
    var message = answer.text("decision.reasons.0.message");
    if (!message.isEmpty() && !answer.text("status").equals("confirmed")) {
      out.println("    because: " + message);
    }
  }

  /** A line of the table about something that was not asked of the API. */
  void row(String step, String asked, String answered, String proof) {
    entry(step, asked, answered, proof);
    out.printf("  %s: %s → %s; %s%n", step, asked, answered, proof);
  }

  /** A line of the table that was printed already. */
  void entry(String step, String asked, String answered, String proof) {
    table.add(new Row(step, asked, answered, proof));
  }

  void printTable() {
    var format = "  %-34s %-28s %-38s %s%n";
    out.println();
    out.printf(format, "step", "asked", "answered", "proof");
    out.printf(format, "-".repeat(34), "-".repeat(28), "-".repeat(38), "-".repeat(30));
    table.forEach(row -> out.printf(format, row.step(), row.asked(), row.answered(), row.proof()));
  }
}
