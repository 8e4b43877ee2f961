package io.bursar.api.chain;

import java.math.BigInteger;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;

/**
 * One node and what is known of it: whether it has proved to serve the chain since it was last lost, and until when it is to be
 * left alone.
 */
final class Node implements AutoCloseable {
  private static final Duration PAUSE_FIRST = Duration.ofMillis(250);
  private static final Duration PAUSE_MAX = Duration.ofSeconds(15);
  private static final Duration WRONG_CHAIN_PAUSE = Duration.ofSeconds(5);
  /** A node may ask to be left alone for longer than we can wait. */
  private static final Duration RETRY_AFTER_MAX = Duration.ofMinutes(5);

  private final int number;
  private final JsonRpc rpc;
  private final long chainId;
  private volatile boolean proven;
  private volatile boolean wrongChain;
  private volatile String why = "it has not been asked yet";
  private volatile long head;
  private volatile long askAgainAt = System.nanoTime();
  private long lastFailure = System.nanoTime();
  private int failures;

  Node(int number, JsonRpc rpc, long chainId) {
    this.number = number;
    this.rpc = rpc;
    this.chainId = chainId;
  }

  int number() {
    return number;
  }

  boolean isProven() {
    return proven;
  }

  boolean isWrongChain() {
    return wrongChain;
  }

  /** Why it is not asked. */
  String why() {
    return why;
  }

  /** The newest block that it has told of; 0 if none. */
  long head() {
    return head;
  }

  /** Asks it, unless it is to be left alone or serves another chain. */
  RpcReply call(String method, Object... params) {
    return callTogether(List.of(Rpc.Question.of(method, params))).getFirst();
  }

  /** As {@link #call}, several questions together. */
  List<RpcReply> callTogether(List<Rpc.Question> questions) {
    if (!proven && !prove()) {
      return questions.stream().<RpcReply>map(question -> new RpcReply.Silence(why)).toList();
    }
    long asked = System.nanoTime();
    var replies = rpc.callTogether(questions);
    for (int i = 0; i < replies.size(); i++) {
      note(questions.get(i).method(), replies.get(i), asked);
    }
    return replies;
  }

  private void note(String method, RpcReply reply, long asked) {
    switch (reply) {
      case RpcReply.Silence silence -> failed(silence, asked);
      case RpcReply.Result(var value) when method.equals("eth_blockNumber") -> {
        answered();
        head = quantity(value.asString("")).min(BigInteger.valueOf(Long.MAX_VALUE)).longValue();
      }
      case RpcReply.Result _,RpcReply.Refusal _ -> answered();
    }
  }

  /** Whether it says that it serves the chain. Whoever answers after a loss of contact may be another node. */
  boolean prove() {
    long asked = System.nanoTime();
    if (asked - askAgainAt < 0) {
      return false;
    }
    switch (rpc.call("eth_chainId")) {
      case RpcReply.Result(var value) -> {
        var answered = quantity(value.asString(""));
        wrongChain = answered.signum() > 0 && !answered.equals(BigInteger.valueOf(chainId));
        proven = answered.equals(BigInteger.valueOf(chainId));
        if (!proven) {
          askAgainAt = asked + WRONG_CHAIN_PAUSE.toNanos();
          why = wrongChain
              ? "the node answers for chain `eip155:" + answered + "` and not for `eip155:" + chainId + "`"
              : "the node does not say which chain it serves";
        }
      }
      case RpcReply.Refusal(var _, var message) ->
        failed(new RpcReply.Silence("the node does not say which chain it is: " + message), asked);
      case RpcReply.Silence silence -> failed(silence, asked);
    }
    return proven;
  }

  private synchronized void answered() {
    failures = 0;
  }

  /** Questions that were under way together are lost together: that is one failure. */
  private synchronized void failed(RpcReply.Silence silence, long asked) {
    proven = false;
    why = silence.message();
    if (failures > 0 && asked - lastFailure < 0) {
      return;
    }
    lastFailure = System.nanoTime();
    failures++;
    var doubled = PAUSE_FIRST.multipliedBy(1L << Math.min(failures - 1, 10));
    var pause = doubled.compareTo(PAUSE_MAX) < 0 ? doubled : PAUSE_MAX;
    // Jitter: processes that lost the node together do not come back together.
    long nanos = ThreadLocalRandom.current().nextLong(pause.toNanos() / 2, pause.toNanos());
    long wanted = silence.retryAfter().filter(time -> time.compareTo(RETRY_AFTER_MAX) <= 0)
        .orElse(silence.retryAfter().isPresent() ? RETRY_AFTER_MAX : Duration.ZERO).toNanos();
    askAgainAt = lastFailure + Math.max(nanos, wanted);
  }

  private static BigInteger quantity(String text) {
    return text.matches("0x[0-9a-fA-F]{1,64}") ? new BigInteger(text.substring(2), 16) : BigInteger.ZERO;
  }

  @Override
  public void close() {
    rpc.close();
  }
}
