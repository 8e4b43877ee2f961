package io.bursar.api.chain;

import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.bursar.money.Asset;

/**
 * The nodes of one chain. The first that is well is asked; if it falls silent, the next one is asked the same, which is harmless
 * for every question that is put here: a transaction that is sent twice is still one transaction. A silent node is left alone for
 * a while that doubles with each failure, or for as long as it asks for.
 *
 * <p>A node that answers for another chain is a fault of the configuration and not of the network: nothing is asked of any node
 * until that is mended.
 */
final class Nodes implements Rpc {
  private static final Logger LOG = LoggerFactory.getLogger(Nodes.class);

  private final String chain;
  private final List<Node> nodes;

  Nodes(String chain, List<URI> endpoints, Duration timeout) {
    this.chain = chain;
    var all = new ArrayList<Node>();
    for (var endpoint : endpoints) {
      all.add(new Node(all.size() + 1, new JsonRpc(endpoint, timeout), Asset.chainId(chain)));
    }
    this.nodes = List.copyOf(all);
  }

  @Override
  public RpcReply call(String method, Object... params) {
    var stopped = wrongChain();
    if (stopped.isPresent()) {
      return stopped.get();
    }
    RpcReply last = new RpcReply.Silence("no node of the chain is well");
    for (var node : byPreference()) {
      last = node.call(method, params);
      if (!(last instanceof RpcReply.Silence) || node.isWrongChain()) {
        return last;
      }
    }
    return last;
  }

  /** What the preferred node does not answer is asked again one by one, of it or of the next. */
  @Override
  public List<RpcReply> callTogether(List<Question> questions) {
    if (wrongChain().isPresent()) {
      return Rpc.super.callTogether(questions);
    }
    var replies = new ArrayList<RpcReply>();
    for (var reply : byPreference().getFirst().callTogether(questions)) {
      var question = questions.get(replies.size());
      replies.add(reply instanceof RpcReply.Silence ? call(question.method(), question.params().toArray()) : reply);
    }
    return replies;
  }

  @Override
  public List<RpcReply> callAll(String method, Object... params) {
    return nodes.stream().map(node -> node.call(method, params)).toList();
  }

  /** Those that have answered last and keep up come first, then those that lag, then those that have to prove themselves. */
  private List<Node> byPreference() {
    long best = best();
    var preferred = new ArrayList<Node>();
    var others = new ArrayList<Node>();
    for (var node : nodes) {
      (node.isProven() && best - node.head() <= NodeStatus.BEHIND_MAX ? preferred : others).add(node);
    }
    others.sort(java.util.Comparator.comparing(node -> !node.isProven()));
    preferred.addAll(others);
    return preferred;
  }

  private long best() {
    return nodes.stream().mapToLong(Node::head).max().orElse(0);
  }

  /** The reply while one of the nodes is known to serve another chain; now and then it is asked again. */
  private Optional<RpcReply> wrongChain() {
    for (var node : nodes) {
      if (node.isWrongChain() && !node.prove()) {
        return Optional.of(new RpcReply.Silence(node.why()));
      }
    }
    return Optional.empty();
  }

  @Override
  public void look() {
    for (var node : nodes) {
      boolean was = node.isProven();
      var _ = node.call("eth_blockNumber");
      if (was != node.isProven()) {
        LOG.atWarn().log("node {} of {} {}", node.number(), chain, was ? "is lost: " + node.why() : "is well");
      }
    }
  }

  @Override
  public boolean isWrongChain() {
    return nodes.stream().anyMatch(Node::isWrongChain);
  }

  @Override
  public List<NodeStatus> nodes() {
    long best = best();
    return nodes.stream().map(node -> new NodeStatus(node.number(), node.isProven(),
        node.isProven() ? null : node.why(), node.head(), node.head() == 0 ? 0 : best - node.head())).toList();
  }

  @Override
  public void close() {
    nodes.forEach(Node::close);
  }
}
