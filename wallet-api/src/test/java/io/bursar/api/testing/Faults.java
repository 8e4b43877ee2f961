package io.bursar.api.testing;

import static io.bursar.api.testing.FaultProxy.error;
import static io.bursar.api.testing.FaultProxy.isSend;
import static io.bursar.api.testing.FaultProxy.pass;

import java.nio.charset.StandardCharsets;
import java.security.SignatureException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;

import org.web3j.crypto.SignedRawTransaction;
import org.web3j.crypto.TransactionDecoder;

import io.bursar.api.testing.FaultProxy.Answer;
import io.bursar.api.testing.FaultProxy.Fault;
import io.bursar.api.testing.FaultProxy.Node;
import io.bursar.money.Address;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** What nodes have been seen to do, and lies that they could tell, by name. */
public final class Faults {
  private Faults() {}

  /** What can become of the answer to a send, and with it of the transaction. */
  public static Map<String, Fault> ofSending() {
    Map<String, Fault> faults = new LinkedHashMap<>();
    faults.put("time-out before accepting", (request, node) -> new Answer.Silence());
    faults.put("time-out after accepting", accepted(reply -> new Answer.Silence()));
    faults.put("hangs up before accepting", (request, node) -> new Answer.HangUp());
    faults.put("hangs up after accepting", accepted(reply -> new Answer.HangUp()));
    faults.put("accepted twice", (request, node) -> {
      var _ = node.ask(request);
      return pass(request, node);
    });
    faults.put("status 429 with Retry-After", (request, node) -> new Answer.Busy(1));
    faults.put("status 429 after accepting", accepted(reply -> new Answer.Busy(1)));
    faults.put("status 500 before accepting", (request, node) -> new Answer.Reply(500, new byte[0]));
    faults.put("status 500 after accepting", accepted(reply -> new Answer.Reply(500, reply)));
    faults.put("garbage after accepting", accepted(reply -> text("<html>ok</html>")));
    faults.put("nothing after accepting", accepted(reply -> text("")));
    faults.put("the answer to another request",
        accepted(reply -> text("{\"jsonrpc\":\"2.0\",\"id\":999999,\"result\":\"0x01\"}")));
    faults.put("an answer without a result", accepted(reply -> text("{\"jsonrpc\":\"2.0\"}")));
    faults.put("half an answer, then silence", accepted(Answer.Half::new));
    faults.put("an error after accepting", (request, node) -> {
      var _ = node.ask(request);
      return error(request, "internal error");
    });
    faults.put("refused, and a lie", (request, node) -> {
      var _ = node.ask(request);
      return error(request, "intrinsic gas too low");
    });
    faults.put("an error that quotes another one",
        (request, node) -> error(request, "execution reverted: already known"));
    KNOWN.forEach((who, words) -> {
      faults.put("already known, in the words of " + who, (request, node) -> {
        var _ = node.ask(request);
        return error(request, words);
      });
      faults.put("already known, and a lie, in the words of " + who, (request, node) -> error(request, words));
    });
    LOW.forEach((who, words) -> {
      faults.put("nonce too low after accepting, in the words of " + who, (request, node) -> {
        var _ = node.ask(request);
        return error(request, words);
      });
      faults.put("nonce too low, and a lie, in the words of " + who, (request, node) -> error(request, words));
    });
    return faults;
  }

  private static final Map<String, String> KNOWN = Map.of("geth", "already known", "erigon",
      "ALREADY_EXISTS: already known", "nethermind", "AlreadyKnown", "besu", "Known transaction", "anvil",
      "transaction already imported");
  private static final Map<String, String> LOW = Map.of("geth", "nonce too low: next nonce 7, tx nonce 3", "erigon",
      "INTERNAL_ERROR: nonce too low", "nethermind", "OldNonce, Current nonce: 5, nonce of rejected tx: 3", "besu",
      "Nonce too low", "anvil", "nonce too low");

  private static Fault accepted(Function<byte[], Answer> then) {
    return (request, node) -> then.apply(node.ask(request));
  }

  private static Answer text(String body) {
    return new Answer.Reply(200, body.getBytes(StandardCharsets.UTF_8));
  }

  /** For the first sends of each account the fault that is named for it; then all goes well. */
  public static Fault bySender(int times, Map<Address, Fault> faults) {
    var left = new ConcurrentHashMap<Address, AtomicInteger>();
    return (request, node) -> {
      if (!isSend(request)) {
        return pass(request, node);
      }
      var sender = sender(request.path("params").path(0).asString(""));
      var fault = faults.get(sender);
      return fault != null && left.computeIfAbsent(sender, any -> new AtomicInteger(times)).getAndDecrement() > 0
          ? fault.answer(request, node)
          : pass(request, node);
    };
  }

  /** Who signed a transaction. */
  static Address sender(String raw) {
    try {
      return Address.parse(((SignedRawTransaction) TransactionDecoder.decode(raw)).getFrom());
    } catch (SignatureException e) {
      throw new IllegalArgumentException("the transaction is not signed", e);
    }
  }

  /** A node that is behind: it tells of blocks, counts and receipts as they were so many blocks ago. */
  public static Fault behind(int blocks) {
    return (request, node) -> {
      var method = request.path("method").asString("");
      if (method.equals("eth_getTransactionReceipt")) {
        var reply = JsonMapper.shared().readTree(node.ask(request));
        var block = reply.path("result").path("blockNumber").asString("0x0");
        return Long.decode(block) > head(node) - blocks
            ? FaultProxy.result(request, JsonMapper.shared().nullNode())
            : pass(request, node);
      }
      if (method.equals("eth_blockNumber")) {
        return FaultProxy.result(request, hex(Math.max(0, head(node) - blocks)));
      }
      if (method.equals("eth_getTransactionCount")) {
        var asked = request.deepCopy();
        var params = (tools.jackson.databind.node.ArrayNode) asked.path("params");
        params.set(1, hex(Math.max(0, head(node) - blocks)));
        return pass(asked, node);
      }
      return pass(request, node);
    };
  }

  private static JsonNode hex(long number) {
    return JsonMapper.shared().valueToTree("0x" + Long.toHexString(number));
  }

  private static long head(Node node) throws java.io.IOException, InterruptedException {
    var request = JsonMapper.shared()
        .readTree("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_blockNumber\",\"params\":[]}");
    return Long.decode(JsonMapper.shared().readTree(node.ask(request)).path("result").asString("0x0"));
  }
}
