package io.bursar.api.settlement;

import java.time.Duration;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.bursar.spend.Id;
import io.bursar.store.Alarms;
import io.bursar.store.Payment;
import io.bursar.store.PaymentStore.Backlog;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.TimeGauge;
import io.micrometer.core.instrument.Timer;

/**
 * What can be seen of settlement from outside: {@code bursar.settlement.moves} by state, {@code .alarms} by alarm, {@code .effect}
 * by effect (timers), {@code .unsettled} and {@code .oldest} (age of the oldest unsettled payment), {@code .nonce.gaps} by chain.
 */
public final class SettlementMetrics {
  private static final Logger LOG = LoggerFactory.getLogger("io.bursar.settlement");

  private static final String ACTOR = "settlement";

  private final MeterRegistry registry;
  private final Alarms record;
  private final Map<Effects.Effect, Timer> timers = new EnumMap<>(Effects.Effect.class);
  private final Map<Alarm, Counter> alarms = new EnumMap<>(Alarm.class);
  private final Map<String, AtomicInteger> gaps = new ConcurrentHashMap<>();
  private final AtomicReference<Backlog> backlog = new AtomicReference<>(new Backlog(0, Duration.ZERO));

  /**
   * The metrics.
   *
   * @param record where alarms are kept, and put on the record
   */
  public SettlementMetrics(MeterRegistry registry, Alarms record) {
    this.registry = registry;
    this.record = record;
    for (var effect : Effects.Effect.values()) {
      timers.put(effect, Timer.builder("bursar.settlement.effect")
          .tag("effect", effect.name().toLowerCase(Locale.ROOT)).register(registry));
    }
    for (var alarm : Alarm.values()) {
      alarms.put(alarm, Counter.builder("bursar.settlement.alarms").tag("alarm", alarm.text()).register(registry));
    }
    Gauge.builder("bursar.settlement.unsettled", backlog, last -> last.get().unsettled()).register(registry);
    TimeGauge.builder("bursar.settlement.oldest", backlog, java.util.concurrent.TimeUnit.MILLISECONDS,
        last -> last.get().oldest().toMillis()).register(registry);
  }

  /** Effects that are timed. */
  public Effects timed() {
    return new Effects() {
      @Override
      public <T, X extends Exception> T run(Effect effect, Payment payment, Action<T, X> action) throws X {
        var sample = Timer.start(registry);
        try {
          return action.run();
        } finally {
          sample.stop(java.util.Objects.requireNonNull(timers.get(effect)));
        }
      }
    };
  }

  void moved(Payment payment) {
    registry.counter("bursar.settlement.moves", "state", payment.state().text()).increment();
    LOG.atInfo().addKeyValue("spend", Id.SPEND.text(payment.spendId())).log("payment is {}", payment.state().text());
  }

  void alarm(Payment payment, Alarm alarm, String why) {
    alarm(payment.tenantId(), Id.SPEND, payment.spendId(), alarm, why);
  }

  /**
   * Raises an alarm about something else than a payment.
   *
   * @param kind what {@code subject} is
   */
  void alarm(UUID tenantId, Id kind, UUID subject, Alarm alarm, String why) {
    java.util.Objects.requireNonNull(alarms.get(alarm)).increment();
    LOG.atError().addKeyValue("tenant", Id.TENANT.text(tenantId))
        .addKeyValue(kind.name().toLowerCase(Locale.ROOT), kind.text(subject)).addKeyValue("alarm", alarm.text())
        .log(why);
    record.raise(tenantId, alarm.text(), subject, kind.text(subject), why, ACTOR);
  }

  void backlog(Backlog now) {
    backlog.set(now);
  }

  /** How many wallets of a chain had a gap in their nonces when the chain was last held against the books. */
  void gaps(String chain, int wallets) {
    gaps.computeIfAbsent(chain, of -> {
      var known = new AtomicInteger();
      Gauge.builder("bursar.settlement.nonce.gaps", known, AtomicInteger::get).tag("chain", of).register(registry);
      return known;
    }).set(wallets);
  }
}
