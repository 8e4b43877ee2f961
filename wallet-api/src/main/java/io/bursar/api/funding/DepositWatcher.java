package io.bursar.api.funding;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.bursar.api.chain.Arrivals;
import io.bursar.api.chain.Chain;
import io.bursar.api.chain.Chain.Block;
import io.bursar.api.chain.ChainUnavailable;
import io.bursar.money.Address;
import io.bursar.store.Deposits;
import io.bursar.store.Deposits.Arrival;

/**
 * Books what arrives at our wallets, from blocks that are final. How far it has come is in the database, so a restart misses nothing;
 * any number of processes may do it at once, and each deposit is booked once.
 */
public final class DepositWatcher implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(DepositWatcher.class);
  /** The most blocks that are booked at once. */
  private static final int BLOCKS_AT_ONCE = 2_000;
  /** So many blocks are read again: another node, which was asked for them, may not have had them yet. */
  private static final int READ_AGAIN = 16;

  private final Deposits deposits;
  private final List<Chain> chains;
  private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor(
      Thread.ofPlatform().daemon().name("deposits-", 0).factory());

  public DepositWatcher(Deposits deposits, Map<String, Chain> chains) {
    this.deposits = deposits;
    this.chains = List.copyOf(chains.values());
  }

  /** Begins; call it once. */
  public void start(Duration every) {
    var _ = timer.scheduleWithFixedDelay(() -> {
      for (var chain : chains) {
        try {
          watch(chain);
        } catch (ChainUnavailable e) {
          LOG.atWarn().addKeyValue("chain", chain.name()).log("could not look for deposits: {}; it will be tried again",
              e.getMessage());
        } catch (RuntimeException e) {
          LOG.atWarn().addKeyValue("chain", chain.name()).setCause(e)
              .log("could not look for deposits; it will be tried again");
        }
      }
    }, 0, every.toMillis(), TimeUnit.MILLISECONDS);
  }

  /** Books all that is final on a chain and not booked yet. A chain that was never read is read from here on. */
  public void watch(Chain chain) throws ChainUnavailable {
    // First the block and then the wallets: nobody knew a wallet's address before the wallet was there.
    long settled = chain.settled();
    if (settled < 0) {
      return;
    }
    for (long next = deposits.next(chain.name(), settled); next <= settled && !timer.isShutdown();) {
      long last = Math.min(settled, next + BLOCKS_AT_ONCE - 1);
      deposits.book(chain.name(), last, arrivals(chain, Math.max(0, next - READ_AGAIN), last));
      next = last + 1;
    }
  }

  private List<Arrival> arrivals(Chain chain, long first, long last) throws ChainUnavailable {
    var tokens = deposits.tokens(chain.name());
    var arrivals = new ArrayList<Arrival>();
    Optional<Address> after = Optional.empty();
    do {
      var accounts = deposits.addresses(chain.name(), after, Arrivals.ACCOUNTS_MAX);
      arrivals.addAll(Arrivals.between(chain, tokens, accounts, first, last));
      after = accounts.size() < Arrivals.ACCOUNTS_MAX ? Optional.empty() : Optional.of(accounts.getLast());
    } while (after.isPresent());
    check(chain, arrivals);
    return arrivals;
  }

  /** A node that tells of a block which the chain does not have is not believed. */
  private static void check(Chain chain, List<Arrival> arrivals) throws ChainUnavailable {
    var blocks = new HashMap<Long, Optional<Block>>();
    for (var arrival : arrivals) {
      var place = arrival.place();
      if (!blocks.containsKey(place.block())) {
        blocks.put(place.block(), chain.block(place.block()));
      }
      if (blocks.getOrDefault(place.block(), Optional.empty()).filter(block -> block.hash().equals(place.blockHash()))
          .isEmpty()) {
        throw new ChainUnavailable("the nodes do not agree on block " + place.block());
      }
    }
  }

  @Override
  public void close() {
    timer.shutdownNow();
  }
}
