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
import io.bursar.store.RelayedPayment;
import io.bursar.store.SettlementModes;

/** What makes the embedded development chain usable: USDC on it, known to every tenant, and a faucet. */
public final class Development {
  private static final Logger LOG = LoggerFactory.getLogger(Development.class);

  private final Chain chain;
  private final Path artifacts;
  private final Directory directory;
  private final SettlementModes modes;
  private final boolean relayed;
  private volatile @Nullable Deployed deployed;

  private static final RelayedPayment.Token USDC = new RelayedPayment.Token("USD Coin", "2");

  private record Deployed(Faucet faucet, Address usdc) {}

  /**
   * A development chain.
   *
   * @param relayed whether spends of USDC are settled by authorizations
   */
  public Development(Chain chain, Path artifacts, Directory directory, SettlementModes modes, boolean relayed) {
    this.chain = chain;
    this.artifacts = artifacts;
    this.directory = directory;
    this.modes = modes;
    this.relayed = relayed;
  }

  /** The chain's name. */
  public String chain() {
    return chain.name();
  }

  /** Deploys USDC if it is not there and registers it for a tenant; whether it is done. */
  public boolean prepare(UUID tenantId) {
    try {
      var dev = DevChain.of(chain);
      dev.ensureMulticall();
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
    relay(tenantId);
  }

  private void relay(UUID tenantId) {
    var asset = directory.asset(tenantId, chain.name(), "USDC");
    if (relayed && asset.isPresent()
        && modes.ofAsset(tenantId, asset.get().id()).filter(of -> of.token() == null).isPresent()) {
      modes.relay(tenantId, asset.get().id(), USDC, "operator");
    }
  }

  /** Sends a relayer native coin if it is low. */
  public void topUp(Address relayer) throws ChainUnavailable {
    var known = deployed;
    if (known != null) {
      known.faucet().topUp(relayer);
    }
  }

  /**
   * Mints USDC to a wallet and, where it has to pay its gas itself, sees to that.
   *
   * @throws ChainUnavailable if the chain is not there, or is too slow
   */
  void fund(UUID tenantId, Directory.Wallet wallet, Directory.RegisteredAsset registered, BigInteger amount)
      throws ChainUnavailable {
    var known = deployed;
    if (known == null || !known.usdc().equals(registered.asset().contract())) {
      throw new ChainUnavailable("the faucet has only the USDC of the development chain");
    }
    var mode = modes.ofWallet(tenantId, wallet.id()).flatMap(SettlementModes.OfWallet::mode)
        .or(() -> modes.ofAsset(tenantId, registered.id()).map(SettlementModes.OfAsset::mode))
        .orElse(SettlementModes.Mode.DIRECT);
    boolean gas = mode == SettlementModes.Mode.DIRECT;
    known.faucet().fund(wallet.address(), known.usdc(), amount, gas);
  }
}
