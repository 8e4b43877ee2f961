package io.bursar.api;

import java.time.Clock;
import java.time.Duration;
import java.util.List;

import io.bursar.api.chain.Chains;
import io.bursar.api.relay.AuthorizationSteps;
import io.bursar.api.relay.BatchSteps;
import io.bursar.api.relay.RefillSteps;
import io.bursar.api.relay.RelayAlarms;
import io.bursar.api.relay.RelayWorker;
import io.bursar.api.signer.SignerClient;
import io.bursar.api.signer.TransferSigner;
import io.bursar.store.PaymentStore;
import io.bursar.store.Refills;
import io.bursar.store.RelayBatches;
import io.bursar.store.RelayStore;
import io.bursar.store.Relayers;

/** What the relay of every chain is made of. */
record Relays(Settings.Relay settings, Stores stores, RelayAlarms alarms) {
  /** Where all of it is kept. */
  record Stores(PaymentStore payments, RelayStore relayed, Relayers relayers, RelayBatches batches, Refills refills) {}

  /** A worker for each chain; none if there are no relayers. */
  List<RelayWorker> workers(Chains chains, SignerClient signer, TransferSigner transfers, Clock clock,
      Duration fundsWait) {
    if (settings.relayers() == 0) {
      return List.of();
    }
    var authorizations = new AuthorizationSteps(stores.relayed, stores.payments, transfers, alarms, clock,
        new AuthorizationSteps.Settings(Duration.ofMinutes(settings.validMinutes()), fundsWait));
    var pace = BatchSteps.Settings.DEFAULT;
    var steps = new BatchSteps(stores.batches, authorizations, transfers, alarms,
        new BatchSteps.Settings(settings.batch(),
            Duration.ofMillis(settings.delayMillis()), pace.openMax(), pace.resendAfter(), pace.replaceAfter(),
            pace.stuckAfter()));
    return chains.all().values().stream().map(chain -> {
      var worker = new RelayWorker(chain, settings.relayers(), signer, stores.relayers, authorizations, steps);
      worker.topUpBy(new RefillSteps(chain, stores.refills, alarms, settings.batch()));
      return worker;
    }).toList();
  }
}
