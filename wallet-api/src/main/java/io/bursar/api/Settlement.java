package io.bursar.api;

import java.util.List;

import io.bursar.api.settlement.PaymentWorker;

/** The worker that settles payments, if this process has one. */
final class Settlement implements AutoCloseable {
  private final List<PaymentWorker> workers;

  Settlement(List<PaymentWorker> workers) {
    this.workers = List.copyOf(workers);
  }

  void start() {
    workers.forEach(PaymentWorker::start);
  }

  void wake() {
    workers.forEach(PaymentWorker::wake);
  }

  @Override
  public void close() {
    workers.forEach(PaymentWorker::close);
  }
}
