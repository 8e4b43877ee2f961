package io.bursar.api.testing;

import java.io.IOException;
import java.math.BigInteger;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;

import org.web3j.crypto.Hash;
import org.web3j.crypto.SignedRawTransaction;
import org.web3j.crypto.TransactionDecoder;
import org.web3j.crypto.transaction.type.Transaction1559;

import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * The rules of nodes that are stricter than the development chain, in front of it: a replacement must offer a tenth more on both
 * fees, what offers less than the base fee is taken and stays pending until the fee falls, and what a reorganisation drops goes
 * back into the pool.
 */
public final class StrictNode implements FaultProxy.Fault {
  private static final long LOOK_NANOS = 50_000_000;

  private record Slot(String sender, BigInteger nonce) {}

  private record Kept(String raw, String hash, BigInteger maxFee, BigInteger priorityFee) {}

  private final Map<Slot, Kept> pool = new HashMap<>();
  private final JsonMapper json = JsonMapper.shared();
  private long looked = System.nanoTime() - LOOK_NANOS;

  @Override
  public synchronized FaultProxy.Answer answer(JsonNode request, FaultProxy.Node node)
      throws IOException, InterruptedException {
    if (System.nanoTime() - looked >= LOOK_NANOS) {
      looked = System.nanoTime();
      offer(node);
    }
    return FaultProxy.isSend(request) ? send(request, node) : FaultProxy.pass(request, node);
  }

  /** Everything in the pool that is not mined and pays the base fee is given to the node behind. */
  private void offer(FaultProxy.Node node) throws IOException, InterruptedException {
    var baseFee = baseFee(node);
    var slots = pool.keySet().stream().sorted(Comparator.comparing(Slot::nonce)).toList();
    for (var slot : slots) {
      var kept = java.util.Objects.requireNonNull(pool.get(slot));
      if (kept.maxFee.compareTo(baseFee) >= 0 && count(node, slot.sender).compareTo(slot.nonce) <= 0) {
        var _ = ask(node, "eth_sendRawTransaction", kept.raw);
      }
    }
  }

  private FaultProxy.Answer send(JsonNode request, FaultProxy.Node node) throws IOException, InterruptedException {
    var raw = request.path("params").path(0).asString("");
    var signed = (SignedRawTransaction) TransactionDecoder.decode(raw);
    var fees = (Transaction1559) signed.getTransaction();
    var slot = new Slot(Faults.sender(raw).toString(), signed.getNonce());
    var next = new Kept(raw, Hash.sha3(raw), fees.getMaxFeePerGas(), fees.getMaxPriorityFeePerGas());
    var count = count(node, slot.sender);
    var held = pool.get(slot);
    if (held != null && held.hash.equals(next.hash) && count.compareTo(slot.nonce) <= 0) {
      return FaultProxy.error(request, "already known");
    }
    if (count.compareTo(slot.nonce) > 0) {
      return FaultProxy.error(request, "nonce too low: next nonce " + count + ", tx nonce " + slot.nonce);
    }
    if (held != null && !(isTenthMore(held.maxFee, next.maxFee) && isTenthMore(held.priorityFee, next.priorityFee))) {
      return FaultProxy.error(request, "replacement transaction underpriced");
    }
    pool.put(slot, next);
    if (next.maxFee.compareTo(baseFee(node)) >= 0) {
      var _ = ask(node, "eth_sendRawTransaction", raw);
    }
    return FaultProxy.result(request, json.valueToTree(next.hash));
  }

  private static boolean isTenthMore(BigInteger held, BigInteger next) {
    return next.multiply(BigInteger.TEN).compareTo(held.multiply(BigInteger.valueOf(11))) >= 0;
  }

  private BigInteger baseFee(FaultProxy.Node node) throws IOException, InterruptedException {
    var fees = ask(node, "eth_feeHistory", "0x1", "latest", json.createArrayNode()).path("baseFeePerGas");
    return new BigInteger(fees.path(fees.size() - 1).asString("0x0").substring(2), 16);
  }

  private BigInteger count(FaultProxy.Node node, String sender) throws IOException, InterruptedException {
    return new BigInteger(ask(node, "eth_getTransactionCount", sender, "latest").asString("0x0").substring(2), 16);
  }

  private JsonNode ask(FaultProxy.Node node, String method, Object... params)
      throws IOException, InterruptedException {
    var request = json.createObjectNode().put("jsonrpc", "2.0").put("id", 1).put("method", method);
    var array = request.putArray("params");
    for (var param : params) {
      array.add(json.valueToTree(param));
    }
    return json.readTree(node.ask(request)).path("result");
  }
}
