package io.bursar.api;

import java.time.Duration;
import java.util.List;
import java.util.Optional;

import io.bursar.api.funding.DepositWatcher;
import io.bursar.api.relay.RelayWorker;
import io.bursar.api.settlement.PaymentWorker;
import io.bursar.api.settlement.Reconciler;
import io.bursar.api.treasury.FundingWorker;

/** What settles payments, books deposits and holds the books against the chains, if this process does. */
final class Settlement implements AutoCloseable {
  private static final Duration RECONCILE_EVERY = Duration.ofSeconds(30);
  private static final Duration LOOK_FOR_DEPOSITS_EVERY = Duration.ofSeconds(2);

  private final Optional<PaymentWorker> worker;
  private final Optional<Reconciler> reconciler;
  private final List<RelayWorker> relays;
  private final Optional<DepositWatcher> deposits;
  private Optional<FundingWorker> funding = Optional.empty();

  /** Does nothing: payments are settled elsewhere. */
  Settlement() {
    this.worker = Optional.empty();
    this.reconciler = Optional.empty();
    this.relays = List.of();
    this.deposits = Optional.empty();
  }

  Settlement(PaymentWorker worker, Reconciler reconciler, List<RelayWorker> relays, DepositWatcher deposits) {
    this.worker = Optional.of(worker);
    this.reconciler = Optional.of(reconciler);
    this.relays = List.copyOf(relays);
    this.deposits = Optional.of(deposits);
  }

  /** Has somebody else see to the native coin of a chain's relayers. Before {@link #start}. */
  void topUpBy(String chain, RelayWorker.TopUp by) {
    relays.stream().filter(relay -> relay.chain().equals(chain)).forEach(relay -> relay.topUpBy(by));
  }

  /** Has funding rules looked at where payments are settled. Before {@link #start}. */
  void fundBy(FundingWorker by) {
    funding = worker.map(_ -> by);
  }

  void start() {
    worker.ifPresent(PaymentWorker::start);
    reconciler.ifPresent(found -> found.start(RECONCILE_EVERY));
    relays.forEach(RelayWorker::start);
    deposits.ifPresent(watcher -> watcher.start(LOOK_FOR_DEPOSITS_EVERY));
    funding.ifPresent(FundingWorker::start);
  }

  void wake() {
    worker.ifPresent(PaymentWorker::wake);
    relays.forEach(RelayWorker::wake);
  }

  @Override
  public void close() {
    funding.ifPresent(FundingWorker::close);
    deposits.ifPresent(DepositWatcher::close);
    reconciler.ifPresent(Reconciler::close);
    worker.ifPresent(PaymentWorker::close);
    relays.forEach(RelayWorker::close);
  }
}
