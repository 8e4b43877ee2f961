package io.bursar.api.dev;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Path;
import java.util.UUID;

import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.bursar.api.chain.Chain;
import io.bursar.api.chain.ChainUnavailable;
import io.bursar.money.Address;
import io.bursar.money.Asset;
import io.bursar.store.Directory;

/** What makes the embedded development chain usable: USDC on it, known to every tenant, and a faucet. */
public final class Development {
  private static final Logger LOG = LoggerFactory.getLogger(Development.class);

  private final Chain chain;
  private final Path artifacts;
  private final Directory directory;
  private volatile @Nullable Deployed deployed;

  private record Deployed(Faucet faucet, Address usdc) {}

  public Development(Chain chain, Path artifacts, Directory directory) {
    this.chain = chain;
    this.artifacts = artifacts;
    this.directory = directory;
  }

  /** Deploys USDC if it is not there and registers it for a tenant; whether it is done. */
  public boolean prepare(UUID tenantId) {
    try {
      var dev = DevChain.of(chain);
      deployed = new Deployed(new Faucet(dev), dev.ensureUsdc(artifacts));
      register(tenantId);
      return true;
    } catch (ChainUnavailable | IOException e) {
      LOG.warn("the development chain is not ready: {}", e.getMessage());
      return false;
    }
  }

  /** Makes USDC known to a tenant. */
  public void register(UUID tenantId) {
    var known = deployed;
    if (known != null && directory.asset(tenantId, chain.name(), "USDC").isEmpty()) {
      directory.registerAsset(tenantId, new Asset(chain.name(), known.usdc(), "USDC", 6, "USD"), "operator");
    }
  }

  /**
   * Mints USDC to a wallet and sees to its gas.
   *
   * @throws ChainUnavailable if the chain is not there, or is too slow
   */
  void fund(Address wallet, Asset asset, BigInteger amount) throws ChainUnavailable {
    var known = deployed;
    if (known == null || !known.usdc().equals(asset.contract())) {
      throw new ChainUnavailable("the faucet has only the USDC of the development chain");
    }
    known.faucet().fund(wallet, known.usdc(), amount);
  }
}
