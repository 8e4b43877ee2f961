package io.bursar.api.simulation;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigInteger;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;

import org.jspecify.annotations.Nullable;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;

import io.bursar.api.simulation.SimulatedChain.Transaction;
import io.bursar.money.Address;
import io.bursar.permit.Digest32;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The JSON-RPC of a node of the simulated chain, over HTTP, with everything that goes wrong on the way. */
final class SimulatedNode implements AutoCloseable {
  private static final long CHAIN_ID = 31337;
  private static final String TRANSFER_TOPIC = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef";
  private static final List<String> LIES = List.of("already known", "nonce too low", "intrinsic gas too low",
      "insufficient funds for gas * price + value", "transaction underpriced");

  /** How an answer ends: with a result, or with the node's refusal. */
  private record Answer(@Nullable JsonNode result, @Nullable String refusal) {}

  private final HttpServer server;
  private final JsonMapper json = JsonMapper.shared();
  private volatile @Nullable Behind behind;

  /**
   * What is behind the node now.
   *
   * @param faults in ten thousand calls
   * @param sent told of every transaction that the node was given, before anything is done with it
   */
  record Behind(SimulatedChain chain, Chance chance, Address token, int faults, Consumer<Transaction> sent) {}

  SimulatedNode() {
    // Otherwise every answer waits for the acknowledgement of its headers.
    System.setProperty("sun.net.httpserver.nodelay", "true");
    try {
      server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 64);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    server.createContext("/", this::handle);
    server.start();
  }

  void standBefore(Behind next) {
    behind = next;
  }

  URI endpoint() {
    return URI.create("http://127.0.0.1:" + server.getAddress().getPort());
  }

  private void handle(HttpExchange exchange) throws IOException {
    try (exchange) {
      var request = json.readTree(exchange.getRequestBody().readAllBytes());
      var now = java.util.Objects.requireNonNull(behind);
      var chance = now.chance;
      boolean fails = away || chance.strikes(Fault.NODE_FAILED, now.faults);
      if (fails && (away || chance.percent(50))) {
        reply(exchange, 503, "not now");
        return;
      }
      var answer = json.createObjectNode().put("jsonrpc", "2.0");
      answer.set("id", request.get("id"));
      var said = new Call(now, request.path("method").asString(""), request.path("params")).answer();
      if (said.refusal == null) {
        answer.set("result", said.result);
      } else {
        answer.putObject("error").put("code", -32000).put("message", said.refusal);
      }
      if (!fails) {
        reply(exchange, 200, json.writeValueAsString(answer));
        return;
      }
      switch (chance.below(4)) {
        case 0 -> reply(exchange, 500, "failed after the fact");
        case 1 -> reply(exchange, 429, "too many requests");
        case 2 -> reply(exchange, 200, "<html>the wrong door</html>");
        default -> reply(exchange, 200, json.writeValueAsString(answer.put("id", -1)));
      }
    } catch (RuntimeException e) {
      failure = e;
    }
  }

  private volatile boolean away;
  private volatile @Nullable RuntimeException failure;

  /** Whether it answers nothing for now. */
  void away(boolean now) {
    away = now;
  }

  /** What the node itself could not do, or what was found when it was given a transaction; null if all is well. */
  @Nullable
  RuntimeException failure() {
    return failure;
  }

  private static void reply(HttpExchange exchange, int status, String body) throws IOException {
    var bytes = body.getBytes(StandardCharsets.UTF_8);
    exchange.sendResponseHeaders(status, bytes.length);
    exchange.getResponseBody().write(bytes);
  }

  /** One question. */
  private final class Call {
    private final Behind now;
    private final SimulatedChain chain;
    private final String method;
    private final JsonNode params;

    Call(Behind now, String method, JsonNode params) {
      this.now = now;
      this.chain = now.chain;
      this.method = method;
      this.params = params;
    }

    private boolean stale() {
      return now.chance.strikes(Fault.NODE_STALE, now.faults);
    }

    private boolean lies() {
      return now.chance.strikes(Fault.NODE_LIED, now.faults / 2);
    }

    Answer answer() {
      return switch (method) {
        case "eth_chainId" -> number(CHAIN_ID);
        case "eth_blockNumber" -> number(Math.max(0, chain.head().number() - (stale() ? 1 + now.chance.below(3) : 0)));
        case "eth_feeHistory" -> fees();
        case "eth_estimateGas" -> estimate();
        case "eth_getBalance" -> result(quantity(BigInteger.TEN.pow(21)));
        case "eth_call" -> word(chain.balanceOf(Address.parse("0x" + text(params.path(0).path("data")).substring(34))));
        case "eth_getTransactionCount" ->
          number(Math.max(0, chain.count(Address.parse(text(params.path(0)))) - (stale() ? 1 : 0)));
        case "eth_getBlockByNumber" -> block();
        case "eth_getTransactionReceipt" -> receipt();
        case "eth_sendRawTransaction" -> send();
        default -> new Answer(null, "the method " + method + " does not exist");
      };
    }

    private Answer fees() {
      var history = json.createObjectNode().put("oldestBlock", "0x1");
      history.putArray("baseFeePerGas").add(quantity(chain.baseFee())).add(quantity(chain.baseFee()));
      history.putArray("reward").addArray().add("0x5f5e100");
      return new Answer(history, null);
    }

    private Answer estimate() {
      var call = params.path(0);
      var amount = new BigInteger(text(call.path("data")).substring(74), 16);
      return chain.balanceOf(Address.parse(text(call.path("from")))).compareTo(amount) < 0
          ? new Answer(null, "execution reverted: transfer amount exceeds balance")
          : number(48_000);
    }

    private Answer block() {
      var tag = text(params.path(0));
      var found = tag.startsWith("0x")
          ? chain.block(Long.parseLong(tag.substring(2), 16))
          : java.util.Optional.of(chain.head());
      if (found.isEmpty()) {
        return result(null);
      }
      var block = json.createObjectNode().put("number", "0x" + Long.toHexString(found.get().number()))
          .put("hash", "0x" + found.get().hash()).put("baseFeePerGas", quantity(chain.baseFee()));
      return new Answer(block, null);
    }

    private Answer receipt() {
      var found = chain.find(Digest32.of(HexFormat.of().parseHex(text(params.path(0)).substring(2))));
      if (found.isEmpty() || stale()) {
        return result(null);
      }
      var mined = found.get();
      var transaction = mined.transaction();
      var receipt = json.createObjectNode().put("transactionHash", "0x" + transaction.hash())
          .put("blockNumber", "0x" + Long.toHexString(mined.block().number()))
          .put("blockHash", "0x" + mined.block().hash()).put("status", mined.succeeded() ? "0x1" : "0x0")
          .put("gasUsed", "0xbb80").put("effectiveGasPrice", quantity(transaction.fee()));
      var logs = receipt.putArray("logs");
      if (mined.succeeded() && transaction.payee() != null && !lies()) {
        var log = logs.addObject().put("address", hex(now.token)).put("data", "0x" + hex64(transaction.amount()))
            .put("transactionHash", "0x" + transaction.hash());
        log.putArray("topics").add(TRANSFER_TOPIC).add("0x" + "0".repeat(24) + hex(transaction.from()).substring(2))
            .add("0x" + "0".repeat(24) + hex(transaction.payee()).substring(2));
      }
      return new Answer(receipt, null);
    }

    private Answer send() {
      var transaction = chain.decode(text(params.path(0)));
      now.sent.accept(transaction);
      if (lies()) {
        if (now.chance.percent(50)) {
          var _ = chain.submit(transaction);
        }
        return new Answer(null, now.chance.one(LIES));
      }
      return switch (chain.submit(transaction)) {
        case ACCEPTED -> result("0x" + transaction.hash());
        case KNOWN -> new Answer(null, "already known");
        case NONCE_TOO_LOW -> new Answer(null, "nonce too low: next nonce " + chain.count(transaction.from()));
        case UNDERPRICED -> new Answer(null, "replacement transaction underpriced");
      };
    }

    private Answer number(long value) {
      return result("0x" + Long.toHexString(value));
    }

    private Answer word(BigInteger value) {
      return result("0x" + hex64(value));
    }

    private Answer result(@Nullable String value) {
      return new Answer(json.valueToTree(value), null);
    }
  }

  private static String text(JsonNode node) {
    return node.asString("");
  }

  private static String quantity(BigInteger value) {
    return "0x" + value.toString(16);
  }

  private static String hex64(BigInteger value) {
    return String.format(Locale.ROOT, "%064x", value);
  }

  private static String hex(Address address) {
    return "0x" + HexFormat.of().formatHex(address.bytes());
  }

  @Override
  public void close() {
    server.stop(0);
  }
}
