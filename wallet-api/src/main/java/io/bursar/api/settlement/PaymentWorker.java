package io.bursar.api.settlement;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.bursar.spend.Id;
import io.bursar.store.Payment;
import io.bursar.store.PaymentStore;

/**
 * Settles payments at its own pace: takes wallets with due payments by lease, and works on a few of them at once, each one's
 * payments in the order of their nonces. It keeps nothing that a restart would miss, and any number of them can share a database.
 */
public final class PaymentWorker implements AutoCloseable {
  /**
   * Pace.
   *
   * @param walletsAtOnce how many wallets are worked on at once, each by a thread and at most one connection to the database
   * @param perWallet how many payments of a wallet are taken at once
   * @param lookEvery how often to look for work that nobody told of, and to renew leases; well below a lease
   */
  public record Settings(int walletsAtOnce, int perWallet, Duration lookEvery) {
    public static final Settings DEFAULT = new Settings(24, 16, Duration.ofSeconds(1));
  }

  private static final Logger LOG = LoggerFactory.getLogger(PaymentWorker.class);
  private static final Duration STOP_PATIENCE = Duration.ofSeconds(15);
  private static final Duration WITH_OTHERS = Duration.ofMillis(25);
  private static final Duration AFTER_FAILURE = Duration.ofSeconds(1);

  private final PaymentStore store;
  private final PaymentSteps steps;
  private final SettlementMetrics metrics;
  private final Settings settings;
  private final ExecutorService threads;
  private final Map<UUID, List<Payment>> busy = new ConcurrentHashMap<>();
  private final Semaphore wakeUps = new Semaphore(0);
  private volatile boolean stopping;
  private @Nullable Thread loop;

  public PaymentWorker(PaymentStore store, PaymentSteps steps, SettlementMetrics metrics, Settings settings) {
    this.store = store;
    this.steps = steps;
    this.metrics = metrics;
    this.settings = settings;
    this.threads = Executors.newFixedThreadPool(settings.walletsAtOnce,
        Thread.ofPlatform().name("settlement-", 1).daemon().factory());
  }

  /** Begins to work; call it once. */
  public void start() {
    loop = Thread.ofPlatform().name("settlement").daemon().start(this::loop);
  }

  /** Says that there may be work now: a payment was committed. Cheap, and harmless if there is none. */
  public void wake() {
    if (wakeUps.availablePermits() == 0) {
      wakeUps.release();
    }
  }

  private void loop() {
    long looked = System.nanoTime();
    while (!stopping) {
      try {
        takeWork();
        if (System.nanoTime() - looked >= settings.lookEvery.toNanos()) {
          looked = System.nanoTime();
          store.renew(busy.values().stream().flatMap(List::stream).toList());
          store.distrustFuture();
          metrics.backlog(store.backlog());
        }
        await(untilNext());
      } catch (RuntimeException e) {
        LOG.warn("settlement cannot reach its database, and tries again", e);
        await(AFTER_FAILURE);
      }
    }
  }

  /** All threads busy: until one is free. Otherwise until something is due; what is due and could not be taken is with others. */
  private Duration untilNext() {
    if (busy.size() >= settings.walletsAtOnce) {
      return settings.lookEvery;
    }
    var due = store.untilDue(settings.lookEvery, busy.keySet());
    return due.compareTo(WITH_OTHERS) < 0 ? WITH_OTHERS : due;
  }

  private void takeWork() {
    int free = settings.walletsAtOnce - busy.size();
    while (free > 0 && !stopping) {
      var taken = store.claim(free, settings.perWallet, busy.keySet());
      for (var payments : taken) {
        busy.put(payments.getFirst().wallet().walletId(), payments);
        threads.execute(() -> work(payments));
      }
      if (taken.isEmpty()) {
        return;
      }
      free = settings.walletsAtOnce - busy.size();
    }
  }

  private void work(List<Payment> payments) {
    var walletId = payments.getFirst().wallet().walletId();
    try {
      steps.advance(payments, () -> !stopping);
    } catch (RuntimeException e) {
      // The leases run out, and then it is tried again from what is recorded.
      LOG.atError().addKeyValue("wallet", Id.WALLET.text(walletId)).setCause(e)
          .log("a step of settlement failed, and will be tried again");
    } finally {
      busy.remove(walletId, payments);
      wake();
    }
  }

  private void await(Duration most) {
    try {
      var _ = wakeUps.tryAcquire(most.toNanos(), TimeUnit.NANOSECONDS);
      var _ = wakeUps.drainPermits();
    } catch (InterruptedException e) {
      stopping = true;
    }
  }

  /** Finishes the steps that are under way, for a while; what is left is taken up by whoever looks next. */
  @Override
  public void close() {
    stopping = true;
    wake();
    threads.shutdown();
    try {
      if (!threads.awaitTermination(STOP_PATIENCE.toMillis(), TimeUnit.MILLISECONDS)) {
        threads.shutdownNow();
      }
      if (loop != null) {
        loop.join(STOP_PATIENCE);
      }
    } catch (InterruptedException e) {
      threads.shutdownNow();
      Thread.currentThread().interrupt();
    }
  }
}
