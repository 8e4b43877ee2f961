package io.bursar.api.chain;

import java.math.BigInteger;

import io.bursar.money.Address;
import io.bursar.permit.Digest32;
import tools.jackson.databind.JsonNode;

/**
 * What a transaction did in the block that holds it.
 *
 * @param transactionHash which one
 * @param succeeded status 1; a failed one has only paid its gas
 * @param gasUsed units of gas
 * @param logs as the node gave them
 */
public record Receipt(Digest32 transactionHash, long blockNumber, Digest32 blockHash, boolean succeeded, long gasUsed,
    JsonNode logs) {

  /** Whether the token's own event says that it moved exactly this. */
  public boolean hasTransfer(Address token, Address from, Address payee, BigInteger amount) {
    for (var log : logs) {
      if (Erc20.isTransfer(log, token, from, payee, amount)) {
        return true;
      }
    }
    return false;
  }
}
