package io.bursar.api.settlement;

import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.bursar.api.chain.Chain;
import io.bursar.api.chain.Chain.NonceUse;
import io.bursar.api.chain.ChainUnavailable;
import io.bursar.spend.Id;
import io.bursar.store.Reconciliation;
import io.bursar.store.Reconciliation.SettledBlock;
import io.bursar.store.Reconciliation.WalletInUse;

/**
 * Holds our books against the chains, at start and on a timer: what no payment on its way would notice. Any number of processes may
 * do it at once; each finding is recorded once.
 */
public final class Reconciler implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Reconciler.class);
  /** How long ago a payment may have settled whose block is looked at again, and whose wallet. */
  private static final Duration LOOK_BACK = Duration.ofHours(1);
  private static final int BLOCKS_MAX = 5_000;
  private static final int WALLETS_AT_ONCE = 500;
  private static final int GAP_MAX = 10_000;

  private final Reconciliation books;
  private final Map<String, Chain> chains;
  private final SettlementMetrics metrics;
  private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor(
      Thread.ofPlatform().daemon().name("reconcile-", 0).factory());

  /**
   * A reconciler.
   *
   * @param chains by CAIP-2 name
   */
  public Reconciler(Reconciliation books, Map<String, Chain> chains, SettlementMetrics metrics) {
    this.books = books;
    this.chains = Map.copyOf(chains);
    this.metrics = metrics;
  }

  /** Begins; call it once. */
  public void start(Duration every) {
    var _ = timer.scheduleWithFixedDelay(() -> {
      for (var chain : chains.values()) {
        try {
          reconcile(chain);
        } catch (ChainUnavailable e) {
          LOG.atWarn().addKeyValue("chain", chain.name()).log("could not reconcile: {}; it will be tried again",
              e.getMessage());
        } catch (RuntimeException e) {
          LOG.atWarn().addKeyValue("chain", chain.name()).setCause(e)
              .log("could not reconcile; it will be tried again");
        }
      }
    }, 0, every.toMillis(), TimeUnit.MILLISECONDS);
  }

  /** Holds the books against one chain. */
  public void reconcile(Chain chain) throws ChainUnavailable {
    blocks(chain);
    int gaps = 0;
    Optional<UUID> last = Optional.empty();
    do {
      var wallets = books.walletsInUse(chain.name(), LOOK_BACK, last, WALLETS_AT_ONCE);
      for (var wallet : wallets) {
        gaps += nonces(chain, wallet);
      }
      last = wallets.size() < WALLETS_AT_ONCE ? Optional.empty() : Optional.of(wallets.getLast().walletId());
    } while (last.isPresent());
    metrics.gaps(chain.name(), gaps);
  }

  /** A block that is where it was has all before it where they were, so one question is enough as long as all is well. */
  private void blocks(Chain chain) throws ChainUnavailable {
    for (var settled : books.settledBlocks(chain.name(), LOOK_BACK, BLOCKS_MAX)) {
      if (!chain.isGone(settled.number(), settled.hash())) {
        return;
      }
      lost(chain, settled);
    }
  }

  private void lost(Chain chain, SettledBlock settled) {
    for (var key : books.settledIn(chain.name(), settled, LOOK_BACK)) {
      boolean undone = books.undoConfirmation(key, settled);
      metrics.alarm(key.tenantId(), Id.SPEND, key.spendId(), Alarm.DEEP_REORGANISATION, undone
          ? "the block " + settled.number() + " that confirmed the payment is gone; it is on its way again"
          : "the block " + settled.number()
              + " in which the payment failed or was canceled is gone; it may take effect after all");
    }
  }

  /** How many nonces were found that the chain waits for and no payment has. */
  private int nonces(Chain chain, WalletInUse wallet) throws ChainUnavailable {
    long count = chain.transactionCount(wallet.address());
    if (count > wallet.nextNonce()) {
      foreign(chain, wallet, count);
    }
    return count < wallet.nextNonce() ? gap(wallet, count) : 0;
  }

  /** The chain holds more transactions of the wallet than there are nonces that we ever gave to a payment. */
  private void foreign(Chain chain, WalletInUse wallet, long count) throws ChainUnavailable {
    long nonce = wallet.nextNonce();
    var use = chain.nonceUse(wallet.address(), nonce, java.util.List.of());
    if (use == NonceUse.OPEN || !books.isUnused(wallet.tenantId(), wallet.walletId(), nonce)) {
      return; // a payment has taken it since the wallet was read, or a node is behind
    }
    boolean news = books.freezeForForeign(wallet.tenantId(), wallet.walletId(), nonce,
        use == NonceUse.TAKEN_FOR_GOOD ? count : nonce);
    if (news) {
      metrics.alarm(wallet.tenantId(), Id.WALLET, wallet.walletId(), Alarm.FOREIGN_TRANSACTION, "the chain holds "
          + count + " transactions of the wallet, and we made " + nonce
          + "; somebody else may have its key, and it was frozen");
    }
  }

  private int gap(WalletInUse wallet, long count) {
    var gap = books.gap(wallet.tenantId(), wallet.walletId(), count, GAP_MAX);
    gap.ifPresent(nonce -> {
      books.fillGap(wallet.tenantId(), wallet.walletId(), nonce);
      metrics.alarm(wallet.tenantId(), Id.WALLET, wallet.walletId(), Alarm.NONCE_GAP,
          "no payment has the nonce " + nonce + ", which the chain waits for; the wallet's next payment takes it");
    });
    return gap.isPresent() ? 1 : 0;
  }

  @Override
  public void close() {
    timer.shutdownNow();
  }
}
