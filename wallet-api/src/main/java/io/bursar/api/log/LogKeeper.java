package io.bursar.api.log;

import java.time.Duration;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.context.SmartLifecycle;

import io.bursar.spend.Id;
import io.bursar.store.log.Log;
import io.bursar.store.log.LogUnavailable;
import io.micrometer.core.instrument.MeterRegistry;

/**
 * Keeps every tenant's log up to date with its entries. Whoever waits for a receipt does not wait for this: a receipt sequences what it
 * needs at once.
 */
public final class LogKeeper implements SmartLifecycle {
  private static final Logger LOG = LoggerFactory.getLogger(LogKeeper.class);
  private static final Duration LOOK_EVERY = Duration.ofMillis(250);
  private static final Duration AFTER_FAILURE = Duration.ofSeconds(1);
  private static final int DOUBLED_AT_MOST = 3;
  private static final Duration STOP_PATIENCE = Duration.ofSeconds(5);
  private static final int TENANTS_AT_ONCE = 4;

  private final Log log;
  private final ExecutorService threads = Executors.newFixedThreadPool(TENANTS_AT_ONCE,
      Thread.ofPlatform().daemon().name("log-", 1).factory());
  private final Set<UUID> busy = ConcurrentHashMap.newKeySet();
  private volatile boolean running;
  private final AtomicInteger failures = new AtomicInteger();

  public LogKeeper(Log log) {
    this.log = log;
  }

  /** Says loudly that a log was stopped. */
  public static void alarm(MeterRegistry registry, UUID tenantId, String why) {
    registry.counter("bursar.log.stops").increment();
    LOG.atError().addKeyValue("tenant", Id.TENANT.text(tenantId)).log(
        "the log is stopped, and with it all spending: {}",
        why);
  }

  @Override
  public void start() {
    running = true;
    var _ = Thread.ofPlatform().daemon().name("log").start(this::loop);
  }

  private void loop() {
    while (running) {
      try {
        for (var tenant : log.behind()) {
          if (busy.add(tenant)) {
            threads.execute(() -> catchUp(tenant));
          }
        }
        Thread.sleep(failures.get() > 0 ? pause() : LOOK_EVERY);
      } catch (InterruptedException e) {
        return;
      } catch (RuntimeException e) {
        note(e);
        rest();
      }
    }
  }

  private void catchUp(UUID tenantId) {
    try {
      log.catchUp(tenantId);
      failures.set(0);
    } catch (LogUnavailable e) {
      if (!e.isStopped()) {
        note(e);
      }
    } catch (RuntimeException e) {
      note(e);
    } finally {
      busy.remove(tenantId);
    }
  }

  /** Said once for each time that it begins to fail. */
  private void note(Exception e) {
    if (failures.getAndIncrement() == 0) {
      LOG.warn("the log cannot be kept up to date, and it is tried again: {}", e.toString());
    }
  }

  /**
   * Twice as long after every failure: a round reads thousands of entries before the signer is asked, and must not do so every
   * second while there is none. A payment that waits for its receipt does its round itself.
   */
  private Duration pause() {
    return AFTER_FAILURE.multipliedBy(1L << Math.min(DOUBLED_AT_MOST, Math.max(0, failures.get() - 1)));
  }

  private void rest() {
    try {
      Thread.sleep(pause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void stop() {
    running = false;
    threads.shutdown();
    try {
      var _ = threads.awaitTermination(STOP_PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public boolean isRunning() {
    return running;
  }
}
