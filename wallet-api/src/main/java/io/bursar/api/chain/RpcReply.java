package io.bursar.api.chain;

import java.time.Duration;
import java.util.Optional;

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
   *
   * @param message for a person's eyes; never the endpoint, which may hold a provider's key
   * @param retryAfter how long the node wants to be left alone, if it said so
   */
  record Silence(String message, Optional<Duration> retryAfter) implements RpcReply {
    public Silence(String message) {
      this(message, Optional.empty());
    }
  }

  /**
   * What was asked for; JSON null where the node knows of no such thing.
   *
   * @throws ChainUnavailable if the node refused or was silent
   */
  default JsonNode result(String method) throws ChainUnavailable {
    return switch (this) {
      case Result(var value) -> value;
      case Refusal(var _, var message) -> throw new ChainUnavailable("the node refuses " + method + ": " + message);
      case Silence(var message, var _) -> throw new ChainUnavailable(message);
    };
  }

  /**
   * What a contract returned, as hexadecimal text; empty where it reverted or there is none.
   *
   * @throws ChainUnavailable if the node was silent
   */
  default String returned() throws ChainUnavailable {
    return switch (this) {
      case Result(var value) -> value.asString("");
      case Refusal _ -> "";
      case Silence(var message, var _) -> throw new ChainUnavailable(message);
    };
  }
}
