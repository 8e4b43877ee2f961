package io.bursar.api.chain;

import java.util.List;
import java.util.Locale;

/**
 * Reads the refusals of geth, erigon, nethermind, besu, reth, hardhat and anvil for their meaning: codes and texts differ from
 * node to node and from version to version.
 */
final class NodeWords {
  private static final List<String> REVERT = List.of("revert");
  private static final List<String> ALREADY_KNOWN = List.of("already known", "alreadyknown", "known transaction",
      "already imported", "already_exists", "already exists", "already in the pool");
  private static final List<String> NONCE_TOO_LOW = List.of("nonce too low", "nonce is too low", "nonce_too_low",
      "oldnonce", "nonce below current");
  private static final List<String> UNDERPRICED = List.of("underpriced", "fee too low", "feetoolow", "fee_too_low",
      "less than block base fee", "below current base fee", "below base fee", "gas price too low", "gas price below",
      "replacementnotallowed", "replacement not allowed");
  private static final List<String> INSUFFICIENT_FUNDS = List.of("insufficient funds", "insufficientfunds",
      "insufficient_funds", "insufficient balance", "insufficient sender balance", "upfront cost exceeds");
  private static final List<String> REJECTED = List.of("intrinsic gas", "exceeds block gas limit",
      "exceeds the configured cap", "gas limit exceeded", "gaslimitexceeded", "invalid sender", "invalid signature",
      "chain id", "chainid", "rlp", "type not supported", "oversized", "exceeds maximum allowed size",
      "nonce too high", "nonce too distant", "nonce is too distant", "too far in the future",
      "higher than max fee per gas", "higher than fee cap");

  private static final List<String> BUSY = List.of("rate limit", "ratelimit", "too many requests", "request limit",
      "capacity exceeded", "throttl", "request timed out", "execution timeout");
  /** EIP-1474: the request exceeds a limit; providers also use that of HTTP. */
  private static final List<Long> BUSY_CODES = List.of(-32005L, 429L);

  private NodeWords() {}

  /** Whether the refusal is of the moment, and not of the request: another node, or this one later, may well answer. */
  static boolean isBusy(RpcReply.Refusal refusal) {
    var words = refusal.message().toLowerCase(Locale.ROOT);
    return !has(words, REVERT) && (BUSY_CODES.contains(refusal.code()) || has(words, BUSY));
  }

  static SendResult meaning(String message) {
    var words = message.toLowerCase(Locale.ROOT);
    // A node that mines at once can answer with the text of a revert, which the contract chose: it must not pass for another
    // answer, and such a transaction may well have been taken.
    if (has(words, REVERT)) {
      return new SendResult.Unknown(message);
    }
    if (has(words, ALREADY_KNOWN)) {
      return new SendResult.AlreadyKnown();
    }
    if (has(words, NONCE_TOO_LOW)) {
      return new SendResult.NonceTooLow();
    }
    if (has(words, UNDERPRICED)) {
      return new SendResult.Underpriced(message);
    }
    if (has(words, INSUFFICIENT_FUNDS)) {
      return new SendResult.InsufficientFunds(message);
    }
    return has(words, REJECTED) ? new SendResult.Rejected(message) : new SendResult.Unknown(message);
  }

  private static boolean has(String words, List<String> any) {
    return any.stream().anyMatch(words::contains);
  }
}
