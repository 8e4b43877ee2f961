package io.bursar.api.chain;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import io.bursar.api.testing.FaultProxy;
import io.bursar.api.testing.FaultProxy.Answer;
import io.bursar.api.testing.FaultProxy.Fault;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import tools.jackson.databind.json.JsonMapper;

/** Several nodes of one chain, of which some are well. */
class NodesTest {
  private static final Fault HANG_UP = (request, node) -> new Answer.HangUp();

  private final AtomicLong firstHead = new AtomicLong(100);
  private final AtomicLong secondHead = new AtomicLong(100);
  private FaultProxy first;
  private FaultProxy second;
  private Chain chain;

  @BeforeEach
  void open() {
    first = new FaultProxy(URI.create("http://127.0.0.1:1"));
    second = new FaultProxy(URI.create("http://127.0.0.1:1"));
    first.fault(node("0x7a69", firstHead));
    second.fault(node("0x7a69", secondHead));
    var settings = new ChainSettings("eip155:31337", List.of(first.endpoint(), second.endpoint()),
        new Confirmation.Depth(1), FeePolicy.DEFAULT, Duration.ofMillis(600));
    chain = new Chain(settings, new Nodes(settings.name(), settings.endpoints(), settings.timeout()));
  }

  @AfterEach
  void close() {
    chain.close();
    first.close();
    second.close();
  }

  /** A node of the chain that knows its head, and nothing else. */
  private static Fault node(String chainId, AtomicLong head) {
    return (request, behind) -> switch (request.path("method").asString("")) {
      case "eth_chainId" -> FaultProxy.result(request, JsonMapper.shared().valueToTree(chainId));
      case "eth_blockNumber" ->
        FaultProxy.result(request, JsonMapper.shared().valueToTree("0x" + Long.toHexString(head.get())));
      default -> FaultProxy.error(request, "no such method");
    };
  }

  /** What was lost is found again by looking at it, as the service does every few seconds. */
  private void awaitHead(long head) {
    await().atMost(Duration.ofSeconds(20)).until(() -> {
      chain.look();
      return chain.head() == head;
    });
  }

  @Test
  void asksTheFirstThatIsWellAndNoOther() throws ChainUnavailable {
    assertThat(chain.head()).isEqualTo(100);
    assertThat(chain.head()).isEqualTo(100);
    assertThat(second.asked()).isZero();
  }

  @Test
  void asksTheNextOneInTheSameQuestionIfTheFirstFallsSilent() throws ChainUnavailable {
    for (Fault fault : List.<Fault>of(HANG_UP, (request, node) -> new Answer.Silence(),
        (request, node) -> new Answer.Busy(0), (request, node) -> new Answer.Reply(500, new byte[0]),
        (request, node) -> new Answer.Reply(200, "<html>".getBytes(java.nio.charset.StandardCharsets.UTF_8)),
        (request, node) -> FaultProxy.error(request, "daily request limit reached, slow down"))) {
      first.fault(fault);
      secondHead.set(105);
      assertThat(chain.head()).isEqualTo(105);
      first.fault(node("0x7a69", firstHead));
      awaitHead(100);
    }
  }

  @Test
  void leavesASilentNodeAloneForLongerAndLonger() {
    first.fault(HANG_UP);
    second.fault(HANG_UP);
    long until = System.nanoTime() + Duration.ofSeconds(3).toNanos();
    while (System.nanoTime() < until) {
      assertThatThrownBy(chain::head).isInstanceOf(ChainUnavailable.class);
    }
    // Pauses of about a quarter, a half, one and two seconds, each at least halved by its jitter.
    assertThat(first.asked()).isBetween(2, 9);
  }

  @Test
  void leavesANodeAloneForAsLongAsItAsks() throws ChainUnavailable {
    first.fault((request, node) -> new Answer.Busy(2));
    secondHead.set(105);
    long started = System.nanoTime();
    assertThat(chain.head()).isEqualTo(105);
    int asked = first.asked();
    while (System.nanoTime() - started < Duration.ofMillis(1800).toNanos()) {
      assertThat(chain.head()).isEqualTo(105);
    }
    assertThat(first.asked()).isEqualTo(asked);
    first.fault(node("0x7a69", firstHead));
    awaitHead(100);
  }

  @Test
  void wrongChainRpcRefuses() {
    second.fault(node("0x1", secondHead));
    chain.look();
    assertThatThrownBy(chain::head).isInstanceOfSatisfying(ChainUnavailable.class, it -> {
      assertThat(it.isWrongChain()).isTrue();
      assertThat(it).hasMessage("the node answers for chain `eip155:1` and not for `eip155:31337`");
    });
    int asked = first.asked();
    assertThatThrownBy(chain::head).isInstanceOf(ChainUnavailable.class);
    assertThat(first.asked()).as("not even a node that is right is asked").isEqualTo(asked);
    second.fault(node("0x7a69", secondHead));
    await().atMost(Duration.ofSeconds(10)).ignoreExceptions().until(() -> chain.head() == 100);
  }

  @Test
  void aNodeThatHasBecomeAnotherChainsAfterALossOfContactIsFoundOut() throws ChainUnavailable {
    assertThat(chain.head()).isEqualTo(100);
    first.fault(HANG_UP);
    assertThat(chain.head()).isEqualTo(100);
    first.fault(node("0x5", firstHead));
    await().atMost(Duration.ofSeconds(10)).untilAsserted(() -> {
      chain.look();
      assertThatThrownBy(chain::head).hasMessageContaining("eip155:5");
    });
  }

  @Test
  void aNodeThatFallsBehindIsAskedLast() throws ChainUnavailable {
    secondHead.set(200);
    chain.look();
    assertThat(chain.head()).isEqualTo(200);
    assertThat(chain.nodes()).extracting(NodeStatus::behind).containsExactly(100L, 0L);
    firstHead.set(199);
    chain.look();
    assertThat(chain.head()).isEqualTo(199);
  }

  @Test
  void showsHowFarEachNodeIsToPrometheusAndToTheDoctor() {
    var registry = new SimpleMeterRegistry();
    NodeMetrics.register(registry, new Chains(List.of(chain)));
    secondHead.set(108);
    chain.look();
    assertThat(gauge(registry, "bursar.node.behind", 1)).isEqualTo(8);
    assertThat(chain.nodes()).extracting(NodeStatus::trouble).containsExactly(null, null);
    secondHead.set(109);
    chain.look();
    assertThat(gauge(registry, "bursar.node.behind", 1)).isEqualTo(9);
    assertThat(gauge(registry, "bursar.node.behind", 2)).isZero();
    assertThat(gauge(registry, "bursar.node.head", 2)).isEqualTo(109);
    assertThat(chain.nodes().getFirst().trouble()).contains("9 blocks behind");
    second.fault(HANG_UP);
    chain.look();
    assertThat(gauge(registry, "bursar.node.well", 1)).isEqualTo(1);
    assertThat(gauge(registry, "bursar.node.well", 2)).isZero();
    assertThat(chain.nodes().getLast().trouble()).contains("not asked", "cannot be reached");
  }

  private static double gauge(SimpleMeterRegistry registry, String name, int node) {
    return registry.get(name).tag("chain", "eip155:31337").tag("node", Integer.toString(node)).gauge().value();
  }

  @Test
  void saysWhatIsWrongWithANodeAndNeverWhereItIs() {
    first.fault(HANG_UP);
    chain.look();
    var status = chain.nodes().getFirst();
    assertThat(status.well()).isFalse();
    assertThat(status.why()).contains("cannot be reached").doesNotContain("127.0.0.1");
    assertThat(chain.nodes().getLast()).isEqualTo(new NodeStatus(2, true, null, 100, 0));
  }
}
