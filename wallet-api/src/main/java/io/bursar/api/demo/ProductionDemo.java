package io.bursar.api.demo;

import java.io.IOException;
import java.io.PrintStream;
import java.math.BigInteger;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Stream;

import io.bursar.api.approve.ApproverKeyFile;
import io.bursar.api.chain.Chain;
import io.bursar.api.chain.ChainSettings;
import io.bursar.api.chain.ChainUnavailable;
import io.bursar.api.chain.FeePolicy;
import io.bursar.api.demo.Client.Answer;
import io.bursar.api.dev.DevChain;
import io.bursar.api.dev.Faucet;
import io.bursar.approval.ApproverKey;
import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.money.Address;

/**
 * Plays production mode, whose keys only an HSM opens: a wallet is made and funded, an agent spends, the signer is killed and opens
 * its keys by the HSM again, and without the PIN it does not start and nothing is paid.
 *
 * <p>{@code stage DIR} makes what must be there before the service: USDC on the node at {@code BURSAR_RPC_URL}, and in {@code DIR} the
 * signer's {@code root-set.json} and {@code ceilings.json}. {@code play DIR} plays, beside the steps that {@code DIR/steps} says the
 * launcher has done. Exits with 0 only if every step did what it should.
 */
public final class ProductionDemo extends Play {
  private static final String FUNDS = "500";
  private static final Duration NODE_TIMEOUT = Duration.ofSeconds(10);
  private static final int SIGNER_SECONDS = 60;
  private static final int RELAYER_SECONDS = 60;
  /** What the signer's `ready` says where nothing was left out. */
  private static final List<String> HARDENED = List.of("dumpable=off", "core-dumps=off", "attach=off",
      "heap-dumps=off", "locked-memory=on", "key-memory=native", "system-call-filter=on");

  private final Path directory;
  private final Path home;
  private final Path pinFile;

  private ProductionDemo(Map<String, String> environment, PrintStream out, Path directory) throws Failed {
    super(environment, out);
    this.directory = directory;
    this.home = Path.of(required(environment, "BURSAR_HOME"));
    this.pinFile = Path.of(required(environment, "BURSAR_PKCS11_PIN_FILE"));
  }

  public static void main(String[] args) {
    perform((environment, out) -> {
      if (args.length != 2) {
        throw new Failed("run `deploy/bursar demo --production`");
      }
      var directory = Path.of(args[1]);
      switch (args[0]) {
        case "stage" -> stage(environment, directory);
        case "play" -> new ProductionDemo(environment, out, directory).play();
        default -> throw new Failed("unknown `" + args[0] + "`");
      }
    });
  }

  private static Chain chain(URI node, String name) {
    return new Chain(new ChainSettings(name, node, 1, FeePolicy.DEFAULT, NODE_TIMEOUT));
  }

  private static void stage(Map<String, String> environment, Path directory)
      throws Failed, IOException, ChainUnavailable {
    var name = required(environment, "BURSAR_CHAIN");
    try (var chain = chain(URI.create(required(environment, "BURSAR_RPC_URL")), name)) {
      var dev = DevChain.of(chain);
      dev.ensureMulticall();
      var usdc = dev.ensureUsdc(Path.of(required(environment, "BURSAR_STABLECOIN_ARTIFACTS")));
      Files.write(directory.resolve("root-set.json"), JsonText.inOrder(rootSet()));
      Files.write(directory.resolve("ceilings.json"), JsonText.inOrder(ceilings(name, usdc)));
    }
  }

  /** Two holders; their private halves are forgotten at once, for no order is given here. */
  private static Json.Obj rootSet() {
    var keys = Stream.generate(() -> ApproverKeyFile.generate(ApproverKey.Curve.ED25519)).limit(2)
        .<Json>map(key -> key.publicKey().toJson()).toList();
    return Json.object().put("threshold", 2).put("keys", new Json.Arr(keys)).build();
  }

  private static Json.Obj ceilings(String chain, Address usdc) {
    var any = Json.object().put("id", "any").put("kind", "permit").build();
    var once = Json.object().put("id", "once").put("kind", "limit")
        .put("match", Json.object().put("assets", Json.strings(List.of("USDC"))).build()).put("max", "50")
        .put("window", "spend").build();
    var asset = Json.object().put("chain", chain).put("contract", usdc.toString()).put("symbol", "USDC")
        .put("decimals", DECIMALS).put("currency", "USD").build();
    return Json.object().put("assets", new Json.Arr(List.of(asset)))
        .put("key", Json.object().put("name", "each key").put("rules", new Json.Arr(List.of(any, once))).build())
        .put("tenant",
            Json.object().put("name", "all keys of a tenant").put("rules", new Json.Arr(List.of(any))).build())
        .build();
  }

  private void play() throws Failed, IOException, InterruptedException, ChainUnavailable {
    stepsOfTheLauncher();
    hardening();
    var token = register();
    var shop = randomAddress();
    var purse = fund(token, shop);

    say("The agent spends under its policy. The chain counts a payment as final after three blocks here.");
    var paid = spend(purse, UUID.randomUUID().toString(), "12.50", shop);
    expect(paid, 201, "confirmed");
    row("the agent pays 12.50", "12.50 USDC to the shop", paid, balance(token, shop, "12.5"));
    var denied = spend(purse, UUID.randomUUID().toString(), "26", shop);
    expect(denied, 201, "denied");
    row("26 is above its limit of 25", "26 USDC to the shop", denied, balance(token, shop, "12.5"));

    say("The signer is killed. What it held in memory is gone; only the token can open its keys again.");
    restart(" ready ");
    row("the signer is killed", "kill -9", "ready again", "started by the launcher, with the HSM");
    var again = spend(purse, UUID.randomUUID().toString(), "5", shop);
    expect(again, 201, "confirmed");
    row("its keys open by the HSM again", "5 USDC to the shop", again, balance(token, shop, "17.5"));

    withoutThePin(purse, token, shop);
    printTable();
    out.println();
    say("To run it so: deploy/README.md, \"The key encryption key\", with an HSM of yours in the place of SoftHSM.");
  }

  /** What was printed before the service ran belongs into the table too. */
  private void stepsOfTheLauncher() throws Failed, IOException {
    for (var line : Files.readAllLines(directory.resolve("steps"))) {
      var cells = line.split("\t", -1);
      require(cells.length == 4, "a step of the launcher is not a line of four: " + line);
      entry(cells[0], cells[1], cells[2], cells[3]);
    }
  }

  private void hardening() throws Failed, IOException {
    var ready = signerLog().lines().filter(line -> line.contains(" ready ")).reduce((_, last) -> last)
        .orElseThrow(() -> new Failed("the signer's log does not say that it is ready"));
    for (var fact : HARDENED) {
      require(ready.contains(" " + fact), "the signer is not hardened in full: " + ready);
    }
    row("the signer is hardened in full", "--require-hardening", "ready",
        HARDENED.size() + " measures in force, such as system-call-filter=on");
  }

  /** Makes the token of the chain known, as an operator does; where it is, the chain's explorer would say. */
  private String register() throws Failed, IOException, InterruptedException {
    say("The operator registers USDC of that chain, and sends the relayers native coin, for here is no faucet.");
    var faucet = client.post("/v1/dev/faucet", adminKey, Json.object().build());
    require(faucet.status() == 404, "production has a faucet, which answered " + faucet.body());
    var ceilings = parsed(directory.resolve("ceilings.json"));
    var contract = ceilings.text("assets.0.contract");
    var asset = made("/v1/assets", Json.object().put("chain", chain()).put("contract", contract).put("symbol", "USDC")
        .put("decimals", DECIMALS).put("currency", "USD").build());
    row("USDC is registered", "POST /v1/assets", "201", contract);
    var mode = client.get("/v1/assets/" + asset.text("id") + "/settlement", adminKey).text("mode");
    require(mode.equals("relayed"), "spends of USDC should be relayed, not `" + mode + "`");
    return contract;
  }

  private static Answer parsed(Path file) throws Failed, IOException {
    try {
      if (JsonText.parse(Files.readAllBytes(file)) instanceof Json.Obj object) {
        return new Answer(200, object, false);
      }
    } catch (JsonText.Malformed malformed) {
      // as one that holds something else
    }
    throw new Failed("`" + file + "` is no JSON object");
  }

  private Purse fund(String token, String shop)
      throws Failed, IOException, InterruptedException, ChainUnavailable {
    var purse = purse("buyer", "production");
    attach(purse.walletId(), policy("buyer", List.of(shop)));
    row("a wallet is made", "POST /v1/wallets", "201", purse.address().toString());
    try (var chain = chain(node, chain())) {
      // Whoever deployed the token may mint it: what an exchange or a treasury does elsewhere.
      var issuer = new Faucet(DevChain.of(chain));
      for (var relayer : relayers()) {
        issuer.topUp(relayer);
      }
      issuer.fund(purse.address(), Address.parse(token),
          new BigInteger(FUNDS).multiply(BigInteger.TEN.pow(DECIMALS)), false);
    }
    row("the token's issuer funds it", "mint, over the node's RPC", "mined",
        "wallet has " + holds(token, purse.address().toString(), FUNDS) + " on chain");
    return purse;
  }

  /** The accounts that pay the gas; they are made in the background when the service has started. */
  private List<Address> relayers() throws Failed, IOException, InterruptedException {
    for (int i = 0; i < 5 * RELAYER_SECONDS; i++) {
      var found = client.get("/v1/relayers", adminKey).list("data");
      if (!found.isEmpty()) {
        return found.stream()
            .map(relayer -> Address.parse(new Answer(200, (Json.Obj) relayer, false).text("address"))).toList();
      }
      Thread.sleep(200);
    }
    throw new Failed("there are no relayers after " + RELAYER_SECONDS + " s");
  }

  private void withoutThePin(Purse purse, String token, String shop)
      throws Failed, IOException, InterruptedException {
    say("Somebody puts another PIN in the file, and the signer is killed once more.");
    var right = Files.readString(pinFile);
    Answer waiting;
    try {
      write("not-the-pin");
      var refusal = restart("does not take the PIN");
      require(refusal.contains("CKR_PIN_INCORRECT"), "the token refused for another reason: " + refusal);
      row("with a wrong PIN", "start of the signer", "refused", "CKR_PIN_INCORRECT, says the token");
      waiting = spend(purse, UUID.randomUUID().toString(), "7", shop, "wait=3");
      require(waiting.status() == 201 && List.of("authorized", "prepared").contains(waiting.text("status")),
          "a spend without a signer should wait, not: " + waiting.body());
      row("so nothing is signed", "7 USDC to the shop", waiting, balance(token, shop, "17.5"));
    } finally {
      write(right);
    }
    say("The right PIN is put back. The launcher is still trying, and the spend is still waiting.");
    var confirmed = confirmed(purse, waiting.text("id"));
    row("with the right PIN", "the same spend", confirmed, balance(token, shop, "24.5"));
  }

  /** Into the file that is there, which keeps its owner and mode. */
  private void write(String pin) throws IOException {
    Files.writeString(pinFile, pin, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING);
  }

  /** Kills the signer; the first line with these words that its successor writes to the log. */
  private String restart(String awaited) throws Failed, IOException, InterruptedException {
    int before = signerLog().length();
    var pid = Long.parseLong(Files.readString(home.resolve("run/signer.pid")).strip());
    require(ProcessHandle.of(pid).map(ProcessHandle::destroyForcibly).orElse(false), "the signer cannot be killed");
    for (int i = 0; i < 10 * SIGNER_SECONDS; i++) {
      var line = signerLog().substring(before).lines().filter(text -> text.contains(awaited)).findFirst();
      if (line.isPresent()) {
        return line.get();
      }
      Thread.sleep(100);
    }
    throw new Failed("the signer's log does not say what it should after " + SIGNER_SECONDS + " s, see "
        + home.resolve("logs/signer.log"));
  }

  private String signerLog() throws IOException {
    return Files.readString(home.resolve("logs/signer.log"), StandardCharsets.UTF_8);
  }
}
