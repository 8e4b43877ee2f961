package io.bursar.api.chain;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Asks again only for what may have changed: the newest block, a block by its number, and the market for gas are the same for
 * every payment of the moment. An answer of a moment ago makes nothing look settled too early, because a head only grows.
 */
final class FreshAnswers implements Rpc {
  private static final Map<String, Duration> FRESH = Map.of("eth_blockNumber", Duration.ofMillis(100),
      "eth_getBlockByNumber", Duration.ofMillis(100), "eth_feeHistory", Duration.ofMillis(250));
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
    var key = method + Arrays.deepToString(params);
    long now = System.nanoTime();
    var known = kept.get(key);
    if (known != null && now - known.askedAt < fresh.toNanos()) {
      return known.reply;
    }
    var reply = rpc.call(method, params);
    if (reply instanceof RpcReply.Result) {
      if (kept.size() >= KEPT_MAX) {
        kept.clear();
      }
      kept.merge(key, new Kept(reply, now), (other, own) -> other.askedAt - own.askedAt > 0 ? other : own);
    }
    return reply;
  }

  @Override
  public List<RpcReply> callTogether(List<Question> questions) {
    return questions.stream().anyMatch(question -> FRESH.containsKey(question.method()))
        ? Rpc.super.callTogether(questions)
        : rpc.callTogether(questions);
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
