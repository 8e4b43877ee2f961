package io.bursar.api.chain;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import tools.jackson.databind.node.StringNode;

class SendResultTest {
  private static final Map<String, Class<? extends SendResult>> MEANINGS = Map.of("known",
      SendResult.AlreadyKnown.class, "low", SendResult.NonceTooLow.class, "cheap", SendResult.Underpriced.class,
      "poor", SendResult.InsufficientFunds.class, "rejected", SendResult.Rejected.class, "unknown",
      SendResult.Unknown.class);

  @ParameterizedTest
  @CsvSource(delimiter = '|', textBlock = """
      geth       | already known                                                            | known
      geth       | nonce too low: next nonce 7, tx nonce 3                                  | low
      geth       | replacement transaction underpriced                                      | cheap
      geth       | transaction underpriced: gas tip cap 1, minimum needed 1000000           | cheap
      geth       | max fee per gas less than block base fee: address 0xab, maxFeePerGas: 1  | cheap
      geth       | insufficient funds for gas * price + value: balance 0, tx cost 210000    | poor
      geth       | intrinsic gas too low: gas 20000, minimum needed 21000                   | rejected
      geth       | exceeds block gas limit                                                  | rejected
      geth       | invalid sender                                                           | rejected
      geth       | invalid chain id for signer: have 1 want 31337                           | rejected
      geth       | max priority fee per gas higher than max fee per gas: address 0xab       | rejected
      geth       | txpool is full                                                           | unknown
      geth       | transaction type not supported                                           | rejected
      erigon     | ALREADY_EXISTS: already known                                            | known
      erigon     | INTERNAL_ERROR: nonce too low                                            | low
      erigon     | UNDERPRICED: replacement transaction underpriced                         | cheap
      erigon     | FEE_TOO_LOW: fee too low                                                 | cheap
      erigon     | INSUFFICIENT_FUNDS: insufficient funds for gas * price + value           | poor
      nethermind | AlreadyKnown                                                             | known
      nethermind | OldNonce, Current nonce: 5, nonce of rejected tx: 3                      | low
      nethermind | FeeTooLow, MaxFeePerGas too low                                          | cheap
      nethermind | FeeTooLowToCompete                                                       | cheap
      nethermind | ReplacementNotAllowed                                                    | cheap
      nethermind | InsufficientFunds, Account balance: 0, cumulative cost: 21000            | poor
      nethermind | GasLimitExceeded, Gas limit: 30000000                                    | rejected
      besu       | Known transaction                                                        | known
      besu       | Nonce too low                                                            | low
      besu       | Replacement transaction underpriced                                      | cheap
      besu       | Gas price below configured minimum gas price                             | cheap
      besu       | Gas price below current base fee                                         | cheap
      besu       | Upfront cost exceeds account balance                                     | poor
      besu       | Intrinsic gas exceeds gas limit                                          | rejected
      besu       | Transaction nonce is too distant from current sender nonce               | rejected
      reth       | already known                                                            | known
      reth       | transaction underpriced                                                  | cheap
      anvil      | transaction already imported                                             | known
      anvil      | nonce too low                                                            | low
      anvil      | replacement transaction underpriced                                      | cheap
      anvil      | max fee per gas less than block base fee                                 | cheap
      anvil      | Insufficient funds for gas * price + value                               | poor
      hardhat    | Known transaction: 0xabcd                                                | known
      hardhat    | Transaction nonce too low. Expected nonce to be 2 but got 1.             | low
      any        | execution reverted: nonce too low                                        | unknown
      any        | VM Exception while processing transaction: revert already known          | unknown
      any        | internal error                                                           | unknown
      any        | rate limit exceeded                                                      | unknown
      any        | ''                                                                       | unknown
      """)
  void readsTheRefusalsOfEveryNodeForTheirMeaning(String node, String message, String meaning) {
    assertThat(SendResult.of(new RpcReply.Refusal(-32000, message))).as(node).isInstanceOf(MEANINGS.get(meaning));
  }

  @Test
  void knowsNothingWhereTheNodeIsSilent() {
    assertThat(SendResult.of(new RpcReply.Silence("time-out"))).isEqualTo(new SendResult.Unknown("time-out"));
    assertThat(SendResult.of(new RpcReply.Result(StringNode.valueOf("0x00")))).isEqualTo(new SendResult.Accepted());
  }
}
