package io.bursar.api.chain;

import tools.jackson.databind.JsonNode;

/** What a node answered, if it did. */
public sealed interface RpcReply {
  /** The {@code result} member; JSON null where the node knows of no such thing. */
  record Result(JsonNode value) implements RpcReply {}

  /**
   * The node understood and said no.
   *
   * @param code of JSON-RPC; every node has its own
   * @param message for a person's eyes, at most 500 characters
   */
  record Refusal(long code, String message) implements RpcReply {}

  /**
   * No answer that can be believed: no connection, a time-out, another status, a broken or foreign text. The request may or may
   * not have had its effect.
   */
  record Silence(String message) implements RpcReply {}
}
