package io.bursar.api.chain;

/**
 * What sending a signed transaction came to, by its meaning. Whatever is not proven to be refused is {@link Unknown}, and none of
 * these answers is trusted to free a nonce.
 */
public sealed interface SendResult {
  /** The node has taken it. */
  record Accepted() implements SendResult {}

  /** The node had this very transaction already. */
  record AlreadyKnown() implements SendResult {}

  /** The chain has a transaction of this nonce: perhaps this one, perhaps another one of ours. */
  record NonceTooLow() implements SendResult {}

  /** The price is too low: for the base fee, for the node, or to replace what it holds. */
  record Underpriced(String message) implements SendResult {}

  /** The account cannot pay the gas. */
  record InsufficientFunds(String message) implements SendResult {}

  /** The node refused it for another reason, and will for as long as that holds. */
  record Rejected(String message) implements SendResult {}

  /** It may or may not have been taken: send the same bytes again. */
  record Unknown(String message) implements SendResult {}

  /** What an answer to {@code eth_sendRawTransaction} means. */
  static SendResult of(RpcReply reply) {
    return switch (reply) {
      case RpcReply.Result _ -> new Accepted();
      case RpcReply.Silence(var message, var _) -> new Unknown(message);
      case RpcReply.Refusal(var _, var message) -> NodeWords.meaning(message);
    };
  }
}
