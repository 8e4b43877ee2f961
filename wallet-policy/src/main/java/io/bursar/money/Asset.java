package io.bursar.money;

import java.util.regex.Pattern;

import org.jspecify.annotations.Nullable;

/**
 * A registered ERC-20 stablecoin on one chain.
 *
 * @param chain CAIP-2 name of the chain, such as {@code eip155:8453}
 * @param contract the token contract
 * @param symbol the name by which requests and policies call it, unique on its chain, such as {@code USDC}
 * @param decimals how many decimal places one unit has, 0 to {@value #DECIMALS_MAX}
 * @param currency what it is pegged to, such as {@code USD}; absent for an asset that no currency limit may count
 */
public record Asset(String chain, Address contract, String symbol, int decimals, @Nullable String currency) {
  /** The most decimals: a sum over a currency is kept in units of 10^-18. */
  public static final int DECIMALS_MAX = 18;

  /** CAIP-2 names of EVM chains. */
  public static final Pattern CHAIN = Pattern.compile("eip155:[1-9][0-9]{0,15}");

  public static final Pattern SYMBOL = Pattern.compile("[A-Za-z0-9][A-Za-z0-9.+_-]{0,15}");

  public static final Pattern CURRENCY = Pattern.compile("[A-Z]{3,8}");

  public Asset {
    require(CHAIN.matcher(chain).matches(), "chain must be a CAIP-2 name such as `eip155:8453`");
    require(SYMBOL.matcher(symbol).matches(), "symbol must be 1 to 16 letters or digits");
    require(decimals >= 0 && decimals <= DECIMALS_MAX, "decimals must be 0 to " + DECIMALS_MAX);
    require(currency == null || CURRENCY.matcher(currency).matches(), "currency must be 3 to 8 capital letters");
  }

  /** The EIP-155 chain id in the chain's CAIP-2 name. */
  public long chainId() {
    return chainId(chain);
  }

  /** The EIP-155 chain id in a CAIP-2 name that matches {@link #CHAIN}. */
  public static long chainId(String chain) {
    return Long.parseLong(chain.substring("eip155:".length()));
  }

  private static void require(boolean condition, String message) {
    if (!condition) {
      throw new IllegalArgumentException(message);
    }
  }
}
