package io.bursar.spend;

import java.math.BigInteger;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.money.Address;
import io.bursar.money.Amount;
import io.bursar.money.Asset;

/**
 * All that a policy may see of one request to spend. Two requests with equal facts, under the same policies, counters
 * and clock, are decided alike for ever.
 *
 * @param amount base units of the asset, 1 to 2^256 − 1
 * @param method how the money would move, such as {@code transfer}
 * @param category what the money is for, in the tenant's own words; matched exactly
 * @param host the origin that is paid, lower case, such as {@code api.example.com}
 * @param walletFrozen whether the wallet was frozen when the request was decided
 * @param agentSuspended whether the agent was suspended when the request was decided
 * @param text the agent's own words; only conditions can see them
 */
public record SpendFacts(UUID tenantId, UUID agentId, UUID walletId, Asset asset, BigInteger amount, Address payee,
    String method,
    @Nullable String category, @Nullable String host, boolean walletFrozen, boolean agentSuspended, SpendText text) {

  /** The only way to move money that exists now: an ERC-20 {@code transfer} sent by the wallet itself. */
  public static final String TRANSFER = "transfer";

  public SpendFacts {
    if (amount.signum() <= 0 || amount.compareTo(Amount.MAX) > 0) {
      throw new IllegalArgumentException("amount must be 1 to 2^256 - 1 base units: " + amount);
    }
  }

  /** A request without any words, or one whose words are not at hand. */
  public SpendFacts(UUID tenantId, UUID agentId, UUID walletId, Asset asset, BigInteger amount, Address payee,
      String method,
      @Nullable String category, @Nullable String host, boolean walletFrozen, boolean agentSuspended) {
    this(tenantId, agentId, walletId, asset, amount, payee, method, category, host, walletFrozen, agentSuspended,
        SpendText.NONE);
  }

  /** The same request for another amount. */
  public SpendFacts withAmount(BigInteger other) {
    return new SpendFacts(tenantId, agentId, walletId, asset, other, payee, method, category, host, walletFrozen,
        agentSuspended, text);
  }

  /** The same request in other words. */
  public SpendFacts withText(SpendText other) {
    return new SpendFacts(tenantId, agentId, walletId, asset, amount, payee, method, category, host, walletFrozen,
        agentSuspended, other);
  }
}
