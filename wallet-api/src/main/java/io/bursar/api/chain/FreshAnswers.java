package io.bursar.api.chain;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Asks again only for what may have changed: the newest block, a block by its number, and the market for gas are the same for
 * every payment of the moment, and receipts that were just found by asking for many of them are looked at one by one. An answer of a
 * moment ago makes nothing look settled too early, because a head only grows.
 */
final class FreshAnswers implements Rpc {
  private static final Map<String, Duration> FRESH = Map.of("eth_blockNumber", Duration.ofMillis(100),
      "eth_getBlockByNumber", Duration.ofMillis(100), "eth_feeHistory", Duration.ofMillis(250), Chain.RECEIPT,
      Duration.ofMillis(100));
  private static final int KEPT_MAX = 256;

  private record Kept(RpcReply reply, long askedAt) {}

  private final Rpc rpc;
  private final Map<String, Kept> kept = new ConcurrentHashMap<>();

  FreshAnswers(Rpc rpc) {
    this.rpc = rpc;
  }

  @Override
  public RpcReply call(String method, Object... params) {
    var fresh = FRESH.get(method);
    if (fresh == null) {
      return rpc.call(method, params);
    }
    var key = key(method, params);
    var known = kept.get(key);
    if (known != null && System.nanoTime() - known.askedAt < fresh.toNanos()) {
      return known.reply;
    }
    long now = System.nanoTime();
    var reply = rpc.call(method, params);
    if (!method.equals(Chain.RECEIPT)) {
      keep(key, reply, now);
    }
    return reply;
  }

  @Override
  public List<RpcReply> callEach(String method, List<Object[]> each) {
    long now = System.nanoTime();
    var replies = rpc.callEach(method, each);
    if (FRESH.containsKey(method)) {
      for (int i = 0; i < replies.size(); i++) {
        keep(key(method, each.get(i)), replies.get(i), now);
      }
    }
    return replies;
  }

  private static String key(String method, Object... params) {
    return method + Arrays.deepToString(params);
  }

  private void keep(String key, RpcReply reply, long askedAt) {
    if (reply instanceof RpcReply.Result(var value) && !value.isNull()) {
      if (kept.size() >= KEPT_MAX) {
        kept.clear();
      }
      kept.put(key, new Kept(reply, askedAt));
    }
  }

  @Override
  public List<RpcReply> callAll(String method, Object... params) {
    return rpc.callAll(method, params);
  }

  @Override
  public boolean isWrongChain() {
    return rpc.isWrongChain();
  }

  @Override
  public List<NodeStatus> nodes() {
    return rpc.nodes();
  }

  @Override
  public void look() {
    rpc.look();
  }

  @Override
  public void close() {
    rpc.close();
  }
}
