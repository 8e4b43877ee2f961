package io.bursar.api;

import java.time.Duration;
import java.util.Optional;

import io.bursar.api.settlement.PaymentWorker;
import io.bursar.api.settlement.Reconciler;

/** What settles payments and holds the books against the chains, if this process does. */
final class Settlement implements AutoCloseable {
  private static final Duration RECONCILE_EVERY = Duration.ofSeconds(30);

  private final Optional<PaymentWorker> worker;
  private final Optional<Reconciler> reconciler;

  /** Does nothing: payments are settled elsewhere. */
  Settlement() {
    this.worker = Optional.empty();
    this.reconciler = Optional.empty();
  }

  Settlement(PaymentWorker worker, Reconciler reconciler) {
    this.worker = Optional.of(worker);
    this.reconciler = Optional.of(reconciler);
  }

  void start() {
    worker.ifPresent(PaymentWorker::start);
    reconciler.ifPresent(found -> found.start(RECONCILE_EVERY));
  }

  void wake() {
    worker.ifPresent(PaymentWorker::wake);
  }

  @Override
  public void close() {
    reconciler.ifPresent(Reconciler::close);
    worker.ifPresent(PaymentWorker::close);
  }
}
