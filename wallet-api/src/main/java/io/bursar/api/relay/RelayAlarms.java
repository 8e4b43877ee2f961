package io.bursar.api.relay;

import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReference;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.bursar.spend.Id;
import io.bursar.store.Alarms;
import io.bursar.store.Directory;
import io.bursar.store.RelayedPayment;
import io.bursar.store.Relayer;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.DistributionSummary;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;

/**
 * What can be seen of the relay from outside: {@code bursar.relay.alarms} by alarm, {@code bursar.relay.balance} by relayer, in the
 * chain's native coin, {@code bursar.relay.payments} and {@code bursar.relay.gas} of each batch.
 */
public final class RelayAlarms {
  /** What a person must look at. */
  public enum Alarm {
    /** Authorizations have waited for a transaction for minutes: no relayer takes them. */
    POOL_BEHIND,
    /** A relayer's lowest transaction has not come through for minutes; those above it wait for it. */
    BATCH_STUCK,
    /** A relayer cannot pay for many more batches: send native coin to it. */
    BALANCE_LOW,
    /** Gas is above the cap; batches wait until it falls. */
    FEE_CAP,
    /** The signer refuses for a reason that does not pass by itself. */
    SIGNER_REFUSED,
    /** The node refuses a batch for a reason that does not pass by itself. */
    NODE_REJECTED,
    /** The chain holds another transaction at a relayer's nonce: somebody else has its key. */
    FOREIGN_TRANSACTION,
    /** An authorization was used, but no event of the token says that the money moved as it says. */
    NO_TRANSFER_EVENT;

    private String text() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  private static final Logger LOG = LoggerFactory.getLogger("io.bursar.relay");
  private static final double WEI = 1e18;
  private static final String ACTOR = "relay";

  private final Map<Alarm, Counter> alarms = new EnumMap<>(Alarm.class);
  private final Map<Relayer, AtomicReference<Double>> balances = new ConcurrentHashMap<>();
  private final MeterRegistry registry;
  private final Alarms record;
  private final Directory directory;
  private final DistributionSummary payments;
  private final DistributionSummary gas;

  /**
   * The alarms.
   *
   * @param record where they are kept, and put on the record
   */
  public RelayAlarms(MeterRegistry registry, Alarms record, Directory directory) {
    this.registry = registry;
    this.record = record;
    this.directory = directory;
    for (var alarm : Alarm.values()) {
      alarms.put(alarm, Counter.builder("bursar.relay.alarms").tag("alarm", alarm.text()).register(registry));
    }
    this.payments = DistributionSummary.builder("bursar.relay.payments").register(registry);
    this.gas = DistributionSummary.builder("bursar.relay.gas").register(registry);
  }

  /**
   * Raises an alarm about a relayer. It is the operator's account and no tenant's, so it is on the record of the tenant
   * {@code default}, whose administrator the operator is, as {@code relay_} and the alarm's name.
   */
  void raise(Alarm alarm, Relayer relayer, String why) {
    var about = relayer.address().toString();
    count(alarm, about, why);
    operator().ifPresent(
        tenant -> record.raise(tenant, "relay_" + alarm.text(), relayer.keyId(), about, why, ACTOR));
  }

  /** The tenant on whose record it is what becomes of relayers. */
  Optional<UUID> operator() {
    return directory.tenantNamed(Directory.DEFAULT_TENANT).map(Directory.Tenant::id);
  }

  /** Raises an alarm about a payment, on its tenant's record. */
  void raise(Alarm alarm, RelayedPayment payment, String why) {
    var about = Id.SPEND.text(payment.spendId());
    count(alarm, about, why);
    record.raise(payment.tenantId(), alarm.text(), payment.spendId(), about, why, ACTOR);
  }

  private void count(Alarm alarm, String about, String why) {
    java.util.Objects.requireNonNull(alarms.get(alarm)).increment();
    LOG.atError().addKeyValue("alarm", alarm.text()).addKeyValue("about", about).log(why);
  }

  void balance(Relayer relayer, java.math.BigInteger wei) {
    balances.computeIfAbsent(relayer, of -> {
      var known = new AtomicReference<>(0.0);
      Gauge.builder("bursar.relay.balance", known, AtomicReference::get).tag("chain", of.chain())
          .tag("relayer", of.address().toString()).register(registry);
      return known;
    }).set(wei.doubleValue() / WEI);
  }

  void settled(int paid, long gasUsed) {
    payments.record(paid);
    gas.record((double) gasUsed);
  }

  /** How often an alarm was raised since the start. */
  public int count(Alarm alarm) {
    return (int) java.util.Objects.requireNonNull(alarms.get(alarm)).count();
  }
}
