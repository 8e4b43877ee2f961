package io.bursar.api.chain;

import java.util.List;

/**
 * Asks the node or nodes of one chain. Never throws for what a node does, and returns in bounded time; {@link Chain} makes of the
 * replies what they prove.
 *
 * @see <a href="https://www.jsonrpc.org/specification">JSON-RPC 2.0</a>
 */
@FunctionalInterface
public interface Rpc extends AutoCloseable {
  /**
   * What is asked.
   *
   * @param params texts, whole numbers, booleans, lists of these, and JSON nodes as they are
   */
  record Question(String method, List<Object> params) {
    public static Question of(String method, Object... params) {
      return new Question(method, List.of(params));
    }
  }

  /** Asks one question; its parameters are those of a {@link Question}. */
  RpcReply call(String method, Object... params);

  /** Asks several questions, together where that is cheaper; the replies are in the order of the questions. */
  default List<RpcReply> callTogether(List<Question> questions) {
    return questions.stream().map(question -> call(question.method, question.params.toArray())).toList();
  }

  /** Asks the same question of every node, for what may be believed only if none contradicts. */
  default List<RpcReply> callAll(String method, Object... params) {
    return List.of(call(method, params));
  }

  /** Whether nothing is asked because a node that was configured for the chain serves another one. */
  default boolean isWrongChain() {
    return false;
  }

  /** What can be said of each node; empty where there is none behind. */
  default List<NodeStatus> nodes() {
    return List.of();
  }

  /** Looks at nodes that nobody has asked of late. */
  default void look() {}

  @Override
  default void close() {}
}
