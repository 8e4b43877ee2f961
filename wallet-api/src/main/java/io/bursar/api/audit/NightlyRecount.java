package io.bursar.api.audit;

import java.time.Clock;
import java.time.Duration;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.context.SmartLifecycle;

import io.bursar.store.Directory;
import io.bursar.store.LaneStop;
import io.bursar.store.Page;
import io.bursar.store.Recount;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;

/**
 * Counts every tenant's books again, once a night. A difference stops the tenant's lane and raises an alarm: the log has a line
 * at level ERROR, and the metric {@code bursar_recount_differences_total} grows.
 */
public final class NightlyRecount implements SmartLifecycle {
  private static final Logger LOG = LoggerFactory.getLogger(NightlyRecount.class);
  private static final Duration LOOK_EVERY = Duration.ofMinutes(10);
  private static final Duration ONCE_IN = Duration.ofHours(20);
  private static final int FROM_HOUR = 2;
  private static final int TO_HOUR = 6;
  private static final int PAGE = 500;
  private static final String ACTOR = "recount";

  private final Directory directory;
  private final Recount recount;
  private final LaneStop stop;
  private final Counter differencesFound;
  private final Clock clock;
  private final ScheduledExecutorService timer = Executors
      .newSingleThreadScheduledExecutor(Thread.ofPlatform().daemon().name("recount").factory());
  private volatile boolean running;

  public NightlyRecount(Directory directory, Recount recount, LaneStop stop, MeterRegistry registry, Clock clock) {
    this.directory = directory;
    this.recount = recount;
    this.stop = stop;
    this.differencesFound = Counter.builder("bursar.recount.differences")
        .description("What the recount found otherwise than the books").register(registry);
    this.clock = clock;
  }

  /** Counts one tenant's books now; if there is any difference, its lane stands still afterwards. */
  public List<String> count(UUID tenantId) {
    var differences = recount.differences(tenantId);
    recount.note(tenantId, differences.size());
    if (!differences.isEmpty()) {
      differencesFound.increment(differences.size());
      LOG.error("the books of tenant {} do not add up, its lane is stopped: {}", tenantId, differences);
      stop.stop(tenantId,
          "the recount found " + differences.size() + " differences; the first: " + differences.getFirst(),
          ACTOR);
    }
    return differences;
  }

  private void look() {
    int hour = clock.instant().atZone(ZoneOffset.UTC).getHour();
    if (hour < FROM_HOUR || hour >= TO_HOUR) {
      return;
    }
    Optional<UUID> after = Optional.empty();
    do {
      var tenants = directory.tenants(new Page.Request(after, PAGE));
      for (var tenant : tenants.items()) {
        try {
          if (running && !recount.wasCounted(tenant.id(), ONCE_IN)) {
            count(tenant.id());
          }
        } catch (RuntimeException e) {
          LOG.error("the books of tenant {} could not be counted; it will be tried again", tenant.id(), e);
        }
      }
      after = tenants.nextAfter();
    } while (after.isPresent());
  }

  @Override
  public void start() {
    running = true;
    var _ = timer.scheduleWithFixedDelay(() -> {
      try {
        look();
      } catch (RuntimeException e) {
        LOG.warn("the recount could not begin; it will be tried again", e);
      }
    }, LOOK_EVERY.toMinutes(), LOOK_EVERY.toMinutes(), TimeUnit.MINUTES);
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
}
