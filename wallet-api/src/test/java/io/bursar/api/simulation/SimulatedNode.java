package io.bursar.api.simulation;

import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;

import org.jspecify.annotations.Nullable;

import io.bursar.api.chain.Rpc;
import io.bursar.api.chain.RpcReply;
import io.bursar.api.simulation.SimulatedChain.Event;
import io.bursar.api.simulation.SimulatedChain.Mined;
import io.bursar.api.simulation.SimulatedChain.Transaction;
import io.bursar.money.Address;
import io.bursar.permit.Digest32;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;

/**
 * A node of the simulated chain, with everything that goes wrong on the way to it: silence before or after the fact, answers for a moment
 * that is past, and lies.
 */
final class SimulatedNode implements Rpc {
  private static final long CHAIN_ID = 31337;
  private static final String TRANSFERRED = topic("Transfer(address,address,uint256)");
  private static final String USED = topic("AuthorizationUsed(address,bytes32)");
  private static final String CANCELED = topic("AuthorizationCanceled(address,bytes32)");
  /** First four bytes of the hash of {@code authorizationState(address,bytes32)}. */
  private static final int AUTHORIZATION_STATE = 0xe94a0102;
  private static final List<String> LIES = List.of("already known", "nonce too low", "intrinsic gas too low",
      "insufficient funds for gas * price + value", "transaction underpriced");

  private final SimulatedChain chain;
  private final Chance chance;
  private final Address token;
  private final int rate;
  private final JsonMapper json = JsonMapper.shared();
  private Consumer<Transaction> sent = transaction -> {};
  private boolean away;

  /**
   * A node.
   *
   * @param rate of its faults, in ten thousand calls
   */
  SimulatedNode(SimulatedChain chain, Chance chance, Address token, int rate) {
    this.chain = chain;
    this.chance = chance;
    this.token = token;
    this.rate = rate;
  }

  /** Whom to tell of every transaction that it is given, before anything is done with it. */
  void tell(Consumer<Transaction> next) {
    sent = next;
  }

  /** Whether it answers nothing for now. */
  void away(boolean now) {
    away = now;
  }

  @Override
  public RpcReply call(String method, Object... params) {
    boolean fails = away || chance.strikes(Fault.NODE_FAILED, rate);
    if (fails && (away || chance.percent(50))) {
      return new RpcReply.Silence("the node does not answer");
    }
    var array = json.createArrayNode();
    for (var param : params) {
      array.add(json.<JsonNode>valueToTree(param));
    }
    var reply = new Call(method, array).answer();
    return fails ? new RpcReply.Silence("the node's answer is lost") : reply;
  }

  /** One question. */
  private final class Call {
    private final String method;
    private final JsonNode params;

    Call(String method, JsonNode params) {
      this.method = method;
      this.params = params;
    }

    private boolean stale() {
      return chance.strikes(Fault.NODE_STALE, rate);
    }

    private boolean lies() {
      return chance.strikes(Fault.NODE_LIED, rate / 2);
    }

    RpcReply answer() {
      return switch (method) {
        case "eth_chainId" -> number(CHAIN_ID);
        case "eth_blockNumber" -> number(Math.max(0, chain.head().number() - (stale() ? 1 + chance.below(3) : 0)));
        case "eth_feeHistory" -> fees();
        case "eth_estimateGas" -> estimate();
        case "eth_getBalance" -> result(quantity(BigInteger.TEN.pow(21)));
        case "eth_call" -> ask();
        case "eth_getCode" -> result("0x6080");
        case "eth_getLogs" -> search();
        case "eth_getTransactionCount" ->
          number(Math.max(0, chain.count(Address.parse(text(params.path(0)))) - (stale() ? 1 : 0)));
        case "eth_getBlockByNumber" -> block();
        case "eth_getTransactionReceipt" -> receipt();
        case "eth_sendRawTransaction" -> send();
        default -> refusal("the method " + method + " does not exist");
      };
    }

    private RpcReply fees() {
      var history = json.createObjectNode().put("oldestBlock", "0x1");
      history.putArray("baseFeePerGas").add(quantity(chain.baseFee())).add(quantity(chain.baseFee()));
      history.putArray("reward").addArray().add("0x5f5e100");
      return new RpcReply.Result(history);
    }

    /** {@code authorizationState(address,bytes32)} or {@code balanceOf(address)} of the token, by the end of a block. */
    private RpcReply ask() {
      var data = HexFormat.of().parseHex(text(params.path(0).path("data")).substring(2));
      var words = new Action.Words(data, 4);
      long block = blockNumber(text(params.path(1)));
      if (ByteBuffer.wrap(data).getInt() == AUTHORIZATION_STATE) {
        var seen = chain.seen(words.address(0), Digest32.of(words.word(1)));
        boolean by = seen.isPresent() && seen.get().block().number() <= block;
        return word(by ? BigInteger.ONE : BigInteger.ZERO);
      }
      return word(chain.balanceOf(words.address(0), block));
    }

    private long blockNumber(String tag) {
      return tag.startsWith("0x") ? Long.parseLong(tag.substring(2), 16) : chain.head().number();
    }

    /** What the token says of one authorization within some blocks. */
    private RpcReply search() {
      var filter = params.path(0);
      var found = json.createArrayNode();
      var topics = filter.path("topics");
      var payer = Address.parse("0x" + text(topics.path(1)).substring(26));
      var nonce = Digest32.of(HexFormat.of().parseHex(text(topics.path(2)).substring(2)));
      chain.seen(payer, nonce).filter(mined -> mined.block().number() >= blockNumber(text(filter.path("fromBlock")))
          && mined.block().number() <= blockNumber(text(filter.path("toBlock")))).ifPresent(mined -> {
            for (var log : logs(mined)) {
              if (text(log.path("topics").path(2)).equals("0x" + nonce)) {
                found.add(log);
              }
            }
          });
      return new RpcReply.Result(found);
    }

    /** The token's events of a transaction. */
    private ArrayNode logs(Mined mined) {
      var logs = json.createArrayNode();
      for (var event : mined.events()) {
        switch (event) {
          case Event.TakenBack(var from, var nonce) -> log(logs, mined, "", CANCELED, topic(from), "0x" + nonce);
          case Event.Paid(var from, var payee, var amount, var nonce) -> {
            if (nonce != null) {
              log(logs, mined, "", USED, topic(from), "0x" + nonce);
            }
            log(logs, mined, hex64(amount), TRANSFERRED, topic(from), topic(payee));
          }
        }
      }
      return logs;
    }

    private void log(ArrayNode logs, Mined mined, String data, String... topics) {
      var log = logs.addObject().put("address", hex(token)).put("data", "0x" + data)
          .put("transactionHash", "0x" + mined.transaction().hash());
      var array = log.putArray("topics");
      for (var topic : topics) {
        array.add(topic);
      }
    }

    private RpcReply estimate() {
      var call = params.path(0);
      var amount = new BigInteger(text(call.path("data")).substring(74), 16);
      return chain.balanceOf(Address.parse(text(call.path("from"))), chain.head().number()).compareTo(amount) < 0
          ? refusal("execution reverted: transfer amount exceeds balance")
          : number(48_000);
    }

    private RpcReply block() {
      var found = chain.block(blockNumber(text(params.path(0))));
      if (found.isEmpty()) {
        return result(null);
      }
      var block = json.createObjectNode().put("number", "0x" + Long.toHexString(found.get().number()))
          .put("hash", "0x" + found.get().hash()).put("timestamp", "0x" + Long.toHexString(found.get().time()))
          .put("baseFeePerGas", quantity(chain.baseFee()));
      return new RpcReply.Result(block);
    }

    private RpcReply receipt() {
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
      receipt.set("logs", mined.events().isEmpty() || lies() ? json.createArrayNode() : logs(mined));
      return new RpcReply.Result(receipt);
    }

    private RpcReply send() {
      var transaction = chain.decode(text(params.path(0)));
      sent.accept(transaction);
      if (lies()) {
        if (chance.percent(50)) {
          var _ = chain.submit(transaction);
        }
        return refusal(chance.one(LIES));
      }
      return switch (chain.submit(transaction)) {
        case ACCEPTED -> result("0x" + transaction.hash());
        case KNOWN -> refusal("already known");
        case NONCE_TOO_LOW -> refusal("nonce too low: next nonce " + chain.count(transaction.from()));
        case UNDERPRICED -> refusal("replacement transaction underpriced");
      };
    }

    private RpcReply number(long value) {
      return result("0x" + Long.toHexString(value));
    }

    private RpcReply word(BigInteger value) {
      return result("0x" + hex64(value));
    }

    private RpcReply result(@Nullable String value) {
      return new RpcReply.Result(json.valueToTree(value));
    }
  }

  private static String topic(String event) {
    return "0x" + HexFormat.of().formatHex(Address.keccak256(event.getBytes(StandardCharsets.US_ASCII)));
  }

  private static String topic(Address address) {
    return "0x" + "0".repeat(24) + hex(address).substring(2);
  }

  private static RpcReply refusal(String message) {
    return new RpcReply.Refusal(-32000, message);
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
}
