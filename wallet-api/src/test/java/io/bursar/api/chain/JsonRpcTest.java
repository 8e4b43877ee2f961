package io.bursar.api.chain;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import io.bursar.api.testing.FaultProxy;
import io.bursar.api.testing.FaultProxy.Answer;

class JsonRpcTest {
  private FaultProxy node;
  private JsonRpc rpc;

  @BeforeEach
  void open() {
    node = new FaultProxy(URI.create("http://127.0.0.1:1"));
    rpc = new JsonRpc(node.endpoint(), Duration.ofMillis(800));
  }

  @AfterEach
  void close() {
    rpc.close();
    node.close();
  }

  private RpcReply answered(int status, String body) {
    node.fault((request, behind) -> new Answer.Reply(status,
        body.replace("ID", request.path("id").toString()).getBytes(StandardCharsets.UTF_8)));
    return rpc.call("eth_blockNumber");
  }

  @Test
  void readsResultsAndRefusals() {
    assertThat(answered(200, "{\"jsonrpc\":\"2.0\",\"id\":ID,\"result\":\"0x1\"}"))
        .isInstanceOfSatisfying(RpcReply.Result.class, it -> assertThat(it.value().asString("")).isEqualTo("0x1"));
    assertThat(answered(200, "{\"id\":ID,\"result\":null}")).isInstanceOf(RpcReply.Result.class);
    assertThat(answered(400, "{\"id\":ID,\"error\":{\"code\":-32000,\"message\":\"nonce\\ntoo low\"}}"))
        .isEqualTo(new RpcReply.Refusal(-32000, "nonce too low"));
    assertThat(answered(200, "{\"id\":ID,\"error\":{\"code\":1,\"message\":\"" + "x".repeat(9000) + "\"}}"))
        .isInstanceOfSatisfying(RpcReply.Refusal.class, it -> assertThat(it.message()).hasSize(500));
  }

  @Test
  void believesNothingElse() {
    assertThat(answered(200, "<html>")).isInstanceOf(RpcReply.Silence.class);
    assertThat(answered(200, "")).isInstanceOf(RpcReply.Silence.class);
    assertThat(answered(200, "[]")).isInstanceOf(RpcReply.Silence.class);
    assertThat(answered(200, "{\"id\":ID}")).isInstanceOf(RpcReply.Silence.class);
    assertThat(answered(200, "{\"id\":999999,\"result\":\"0x1\"}")).isInstanceOf(RpcReply.Silence.class);
    assertThat(answered(200, "{\"id\":\"ID\",\"result\":\"0x1\"}")).isInstanceOf(RpcReply.Silence.class);
    assertThat(answered(500, "{\"id\":ID,\"result\":\"0x1\"}")).isInstanceOf(RpcReply.Silence.class);
    assertThat(answered(429, "{\"id\":ID,\"error\":{\"code\":1,\"message\":\"nonce too low\"}}"))
        .isInstanceOf(RpcReply.Silence.class);
    assertThat(answered(200, "{\"id\":ID,\"result\":" + "[".repeat(1000) + "]".repeat(1000) + "}"))
        .isInstanceOf(RpcReply.Silence.class);
    assertThat(answered(200, "{\"id\":ID,\"result\":\"" + "x".repeat(5 << 20) + "\"}"))
        .isInstanceOf(RpcReply.Silence.class);
  }

  @Test
  void questionsPutTogetherAreAnsweredInTheirOrder() {
    node.fault((request, behind) -> new Answer.Reply(200, ("{\"id\":" + request.path("id") + ",\"result\":"
        + request.path("params").path(0) + "}").getBytes(StandardCharsets.UTF_8)));
    var replies = rpc.callTogether(
        Stream.of("0x1", "0x2", "0x3").map(hash -> Rpc.Question.of("eth_getTransactionReceipt", hash)).toList());
    assertThat(replies).extracting(reply -> ((RpcReply.Result) reply).value().asString("")).containsExactly("0x1",
        "0x2", "0x3");
    assertThat(rpc.callTogether(List.of())).isEmpty();
  }

  @Test
  void givesUpInTimeOnAnAnswerThatStopsHalfWay() {
    node.fault((request, behind) -> new Answer.Half("{\"id\":1,\"result\":\"0x1\"}".getBytes(StandardCharsets.UTF_8)));
    long started = System.nanoTime();
    assertThat(rpc.call("eth_blockNumber")).isInstanceOf(RpcReply.Silence.class);
    assertThat(Duration.ofNanos(System.nanoTime() - started)).isLessThan(Duration.ofSeconds(3));
  }

  @Test
  void neverNamesTheEndpointWhichMayHoldAKey() {
    try (var nobody = new JsonRpc(URI.create("http://127.0.0.1:1/secret-key"), Duration.ofSeconds(1))) {
      assertThat(nobody.call("eth_blockNumber")).isInstanceOfSatisfying(RpcReply.Silence.class,
          it -> assertThat(it.message()).doesNotContain("secret", "127.0.0.1"));
    }
    assertThat(new ChainSettings("eip155:1", URI.create("http://node/secret-key"), 1, FeePolicy.DEFAULT,
        Duration.ofSeconds(1)).toString()).doesNotContain("secret");
  }
}
