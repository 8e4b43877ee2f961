package io.bursar.api;

import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.HealthIndicator;
import org.springframework.context.SmartLifecycle;

import io.bursar.api.dev.Development;
import io.bursar.store.CounterKeeping;
import io.bursar.store.Database;
import io.bursar.store.Directory;

/**
 * What the service does by itself: it waits for its database, makes the first tenant, starts settling, and from then on ends
 * waits that are over and sweeps counters that nothing can read any more. It is ready once the database answers.
 */
final class Startup implements SmartLifecycle, HealthIndicator {
  private static final Logger LOG = LoggerFactory.getLogger(Startup.class);
  private static final Duration TRY_EVERY = Duration.ofSeconds(1);
  private static final Duration SWEEP_EVERY = Duration.ofMinutes(10);

  private final Database database;
  private final Directory directory;
  private final Runnable endWaits;
  private final CounterKeeping counters;
  private final Settlement settlement;
  private final Optional<Development> development;
  private final ScheduledExecutorService timer = Executors.newScheduledThreadPool(2,
      Thread.ofPlatform().daemon().name("startup-", 0).factory());
  private volatile boolean running;
  private volatile boolean prepared;

  Startup(Database database, Directory directory, Runnable endWaits, CounterKeeping counters, Settlement settlement,
      Optional<Development> development) {
    this.database = database;
    this.directory = directory;
    this.endWaits = endWaits;
    this.counters = counters;
    this.settlement = settlement;
    this.development = development;
  }

  @Override
  public void start() {
    running = true;
    var _ = timer.scheduleWithFixedDelay(this::everySecond, 0, TRY_EVERY.toMillis(), TimeUnit.MILLISECONDS);
    var _ = timer.scheduleWithFixedDelay(() -> attempt("sweep", counters::sweep), SWEEP_EVERY.toMillis(),
        SWEEP_EVERY.toMillis(),
        TimeUnit.MILLISECONDS);
  }

  private void everySecond() {
    if (!prepared) {
      attempt("start", this::prepare);
      return;
    }
    attempt("end waits", endWaits);
  }

  private void prepare() {
    if (directory.tenantNamed(Directory.DEFAULT_TENANT).isEmpty()) {
      directory.createTenant(Directory.DEFAULT_TENANT, "operator");
    }
    var tenant = directory.tenantNamed(Directory.DEFAULT_TENANT).orElseThrow();
    if (development.isPresent() && !development.get().prepare(tenant.id())) {
      return;
    }
    development.ifPresent(chain -> settlement.topUpBy(chain.chain(), (relayer, _) -> chain.topUp(relayer.address())));
    settlement.start();
    prepared = true;
    LOG.info("ready");
  }

  private static void attempt(String what, Runnable work) {
    try {
      work.run();
    } catch (RuntimeException e) {
      LOG.warn("could not {}: {}; it will be tried again", what, e.toString());
    }
  }

  @Override
  public void stop() {
    running = false;
    timer.shutdownNow();
  }

  @Override
  public boolean isRunning() {
    return running;
  }

  @Override
  public Health health() {
    if (!prepared) {
      return Health.outOfService().withDetail("reason", "the database or the development chain is not there yet")
          .build();
    }
    try {
      database.sql().sql("SELECT 1").query(Integer.class).single();
      return Health.up().build();
    } catch (RuntimeException e) {
      return Health.down().withDetail("reason", "the database does not answer").build();
    }
  }
}
