package io.bursar.api.chain;

import java.util.function.ToDoubleFunction;

import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;

/**
 * What can be seen of each node from outside, by chain and by the node's place in the configuration, from 1: {@code bursar.node.well},
 * 1 or 0; {@code .head}, the newest block that it has said to have; {@code .behind}, how many blocks that is behind the chain's best node.
 */
public final class NodeMetrics {
  private NodeMetrics() {}

  /** Shows the nodes of these chains; the registry asks for what was last seen. */
  public static void register(MeterRegistry registry, Chains chains) {
    for (var chain : chains.all().values()) {
      for (var node : chain.nodes()) {
        register(registry, chain, node.number(), "bursar.node.well", now -> now.well() ? 1 : 0);
        register(registry, chain, node.number(), "bursar.node.head", NodeStatus::head);
        register(registry, chain, node.number(), "bursar.node.behind", NodeStatus::behind);
      }
    }
  }

  private static void register(MeterRegistry registry, Chain chain, int number, String name,
      ToDoubleFunction<NodeStatus> value) {
    Gauge.builder(name, chain, asked -> value.applyAsDouble(asked.nodes().get(number - 1))).tag("chain", chain.name())
        .tag("node", Integer.toString(number)).register(registry);
  }
}
