package io.bursar.api.chain;

import java.net.URI;
import java.time.Duration;
import java.util.List;

import io.bursar.money.Asset;

/**
 * A chain is configuration.
 *
 * @param name CAIP-2 name, such as {@code eip155:8453}; the nodes must answer for its chain id
 * @param endpoints the nodes, the preferred one first, 1 to 16; may hold a provider's key, so {@link #toString} hides them
 * @param confirmation when a transaction counts as settled
 * @param timeout for one question to one node
 */
public record ChainSettings(String name, List<URI> endpoints, Confirmation confirmation, FeePolicy fees,
    Duration timeout) {
  /** The most nodes of a chain. */
  public static final int ENDPOINTS_MAX = 16;

  private static final Duration TIMEOUT = Duration.ofSeconds(10);

  public ChainSettings {
    if (!Asset.CHAIN.matcher(name).matches()) {
      throw new IllegalArgumentException("chain `" + name + "` must be a CAIP-2 name such as `eip155:8453`");
    }
    endpoints = List.copyOf(endpoints);
    if (endpoints.isEmpty() || endpoints.size() > ENDPOINTS_MAX) {
      throw new IllegalArgumentException(
          "must name 1 to " + ENDPOINTS_MAX + " nodes of `" + name + "`, not " + endpoints.size());
    }
  }

  /** With the usual time-out. */
  public ChainSettings(String name, List<URI> endpoints, Confirmation confirmation, FeePolicy fees) {
    this(name, endpoints, confirmation, fees, TIMEOUT);
  }

  /** A chain with one node, whose transactions count as settled at a depth. */
  public ChainSettings(String name, URI endpoint, int confirmations, FeePolicy fees, Duration timeout) {
    this(name, List.of(endpoint), new Confirmation.Depth(confirmations), fees, timeout);
  }

  @Override
  public String toString() {
    return "ChainSettings[name=" + name + ", confirmation=" + confirmation + ", endpoints=REDACTED]";
  }
}
