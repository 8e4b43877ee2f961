package io.bursar.api;

import java.time.Duration;
import java.util.List;
import java.util.Optional;

import io.bursar.api.relay.RelayWorker;
import io.bursar.api.settlement.PaymentWorker;
import io.bursar.api.settlement.Reconciler;

/** What settles payments and holds the books against the chains, if this process does. */
final class Settlement implements AutoCloseable {
  private static final Duration RECONCILE_EVERY = Duration.ofSeconds(30);

  private final Optional<PaymentWorker> worker;
  private final Optional<Reconciler> reconciler;
  private final List<RelayWorker> relays;

  /** Does nothing: payments are settled elsewhere. */
  Settlement() {
    this.worker = Optional.empty();
    this.reconciler = Optional.empty();
    this.relays = List.of();
  }

  Settlement(PaymentWorker worker, Reconciler reconciler, List<RelayWorker> relays) {
    this.worker = Optional.of(worker);
    this.reconciler = Optional.of(reconciler);
    this.relays = List.copyOf(relays);
  }

  /** Has somebody see to the relayers' native coin. Before {@link #start}. */
  void topUpBy(RelayWorker.TopUp by) {
    relays.forEach(relay -> relay.topUpBy(by));
  }

  void start() {
    worker.ifPresent(PaymentWorker::start);
    reconciler.ifPresent(found -> found.start(RECONCILE_EVERY));
    relays.forEach(RelayWorker::start);
  }

  void wake() {
    worker.ifPresent(PaymentWorker::wake);
    relays.forEach(RelayWorker::wake);
  }

  @Override
  public void close() {
    reconciler.ifPresent(Reconciler::close);
    worker.ifPresent(PaymentWorker::close);
    relays.forEach(RelayWorker::close);
  }
}
