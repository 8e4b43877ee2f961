package io.bursar.api.events;

import java.time.Duration;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.context.SmartLifecycle;

import io.bursar.spend.Id;
import io.bursar.store.events.EventFeed;
import io.bursar.store.events.Outbox;
import io.bursar.store.events.Outbox.Attempt;
import io.bursar.store.events.Outbox.Due;
import io.bursar.store.events.Outbox.Taken;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.TimeGauge;

/**
 * Sends what is due to webhooks, some webhooks at once and a few events of each. It keeps nothing that a restart would miss; any number
 * of processes can share the work, and none of it is on the way of a spend. Metrics: {@code bursar.webhook.attempts} by result,
 * {@code .backlog} (events not delivered), {@code .failing} (since when the worst fails) and {@code .disabled}.
 */
public final class WebhookWorker implements SmartLifecycle {
  private static final Logger LOG = LoggerFactory.getLogger(WebhookWorker.class);
  private static final Duration LOOK_EVERY = Duration.ofMillis(200);
  private static final Duration MEASURE_EVERY = Duration.ofSeconds(5);
  private static final Duration SWEEP_EVERY = Duration.ofHours(1);
  private static final Duration AFTER_FAILURE = Duration.ofSeconds(1);
  private static final Duration STOP_PATIENCE = Duration.ofSeconds(5);
  private static final int WEBHOOKS_AT_ONCE = 16;
  private static final int EVENTS_AT_ONCE = 8;

  private final Outbox outbox;
  private final EventFeed feed;
  private final WebhookSender sender;
  private final MeterRegistry registry;
  private final AtomicReference<Outbox.Backlog> backlog = new AtomicReference<>(
      new Outbox.Backlog(0, Duration.ZERO, 0));
  private final Semaphore free = new Semaphore(WEBHOOKS_AT_ONCE);
  private final ExecutorService threads = Executors.newThreadPerTaskExecutor(Thread.ofVirtual().name("webhook-", 1)
      .factory());
  private volatile boolean running;

  public WebhookWorker(Outbox outbox, EventFeed feed, WebhookSender sender, MeterRegistry registry) {
    this.outbox = outbox;
    this.feed = feed;
    this.sender = sender;
    this.registry = registry;
    Gauge.builder("bursar.webhook.backlog", backlog, last -> last.get().events())
        .description("Events that were not delivered yet").register(registry);
    Gauge.builder("bursar.webhook.disabled", backlog, last -> last.get().disabled())
        .description("Webhooks that nothing is sent to any more").register(registry);
    TimeGauge.builder("bursar.webhook.failing", backlog, TimeUnit.MILLISECONDS, last -> last.get().failing().toMillis())
        .description("Since when the webhook that fails longest fails").register(registry);
  }

  @Override
  public void start() {
    running = true;
    var _ = Thread.ofPlatform().daemon().name("webhooks").start(this::loop);
  }

  private void loop() {
    var nextAt = new ConcurrentHashMap<Duration, Long>();
    while (running) {
      try {
        takeWork();
        every(nextAt, MEASURE_EVERY, () -> backlog.set(outbox.backlog()));
        every(nextAt, SWEEP_EVERY, outbox::sweep);
        Thread.sleep(LOOK_EVERY);
      } catch (InterruptedException e) {
        return;
      } catch (RuntimeException e) {
        LOG.warn("webhooks cannot be looked at, and it is tried again: {}", e.toString());
        rest();
      }
    }
  }

  private static void every(ConcurrentHashMap<Duration, Long> nextAt, Duration pause, Runnable work) {
    long now = System.nanoTime();
    if (now - nextAt.getOrDefault(pause, now) >= 0) {
      nextAt.put(pause, now + pause.toNanos());
      work.run();
    }
  }

  private static void rest() {
    try {
      Thread.sleep(AFTER_FAILURE);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void takeWork() {
    int most = free.availablePermits();
    if (most == 0) {
      return;
    }
    for (var webhook : outbox.take(most)) {
      free.acquireUninterruptibly();
      threads.execute(() -> {
        try {
          work(webhook);
        } catch (RuntimeException e) {
          LOG.atWarn().addKeyValue("webhook", Id.WEBHOOK.text(webhook.webhookId()))
              .log("a webhook could not be worked on, and will be again: {}", e.toString());
        } finally {
          free.release();
        }
      });
    }
  }

  private void work(Taken webhook) {
    try {
      // One that has failed again and again is asked with one event, and no more until it takes it.
      int most = webhook.failures() >= Outbox.FAILURES_MAX ? 1 : EVENTS_AT_ONCE;
      boolean more = true;
      while (running && more && outbox.keep(webhook)) {
        boolean moreToLookAt = outbox.look(webhook);
        var due = outbox.due(webhook, most);
        send(webhook, due);
        more = most > 1 && (moreToLookAt || !due.isEmpty());
      }
    } finally {
      outbox.release(webhook);
    }
  }

  /** Of different subjects, so that their order among each other does not matter. */
  private void send(Taken webhook, Iterable<Due> due) {
    var attempts = new ConcurrentHashMap<Due, Future<Attempt>>();
    due.forEach(one -> attempts.put(one, threads.submit(() -> attempt(webhook, one))));
    attempts.forEach((one, attempt) -> note(webhook, one, attempt));
  }

  private Attempt attempt(Taken webhook, Due due) {
    return feed.find(webhook.tenantId(), due.seq()).map(event -> sender.send(webhook.url(), webhook.key(), event))
        .orElseThrow();
  }

  private void note(Taken webhook, Due due, Future<Attempt> future) {
    Attempt attempt;
    try {
      attempt = future.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return;
    } catch (ExecutionException e) {
      LOG.atWarn().addKeyValue("webhook", Id.WEBHOOK.text(webhook.webhookId()))
          .log("an event could not be sent, and will be again: {}", String.valueOf(e.getCause()));
      return;
    }
    boolean givenUp = outbox.note(webhook, due, attempt, ThreadLocalRandom.current().nextInt(101));
    registry.counter("bursar.webhook.attempts", "result",
        attempt.isDelivered() ? "delivered" : givenUp ? "given_up" : "failed").increment();
    if (!attempt.isDelivered()) {
      LOG.atInfo().addKeyValue("webhook", Id.WEBHOOK.text(webhook.webhookId())).log("{}", attempt.error());
    }
  }

  @Override
  public void stop() {
    running = false;
    threads.shutdown();
    try {
      if (!threads.awaitTermination(STOP_PATIENCE.toMillis(), TimeUnit.MILLISECONDS)) {
        threads.shutdownNow();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public boolean isRunning() {
    return running;
  }
}
