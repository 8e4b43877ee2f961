package io.bursar.api.settlement;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;

import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

import io.bursar.api.chain.Chain;
import io.bursar.api.chain.ChainSettings;
import io.bursar.api.chain.FeePolicy;
import io.bursar.api.testing.AnvilProcess;
import io.bursar.api.testing.FaultProxy;
import io.bursar.api.testing.FaultProxy.Fault;
import io.bursar.api.testing.Faults;
import io.bursar.api.testing.SettlementFixture.Wallet;
import io.bursar.money.Address;
import io.bursar.store.Fixture;
import io.bursar.store.Payment;
import io.bursar.store.PaymentState.Confirmed;
import io.bursar.store.PaymentState.Final;

/** Whatever becomes of the answer to a send, the transfer happens once. */
class SendFaultsTest extends ChainAndSigner {
  private static final Duration PATIENCE = Duration.ofSeconds(1);

  private record Case(Wallet wallet, Payment.Key spend, Address payee) {}

  /** All of them at once, each for a wallet of its own. */
  @TestFactory
  Stream<DynamicTest> transfersOnceWhateverBecomesOfTheAnswerToASend() {
    var cases = new LinkedHashMap<String, Case>();
    Map<Address, Fault> faults = new LinkedHashMap<>();
    Faults.ofSending().forEach((name, fault) -> {
      var wallet = fixture.fundedWallet("5");
      var to = newPayee();
      faults.put(wallet.address(), fault);
      cases.put(name, new Case(wallet, fixture.spend(wallet, "1", to), to));
    });
    try (var proxy = new FaultProxy(anvil.endpoint());
        var chain = new Chain(
            new ChainSettings(AnvilProcess.CHAIN, proxy.endpoint(), 1, FeePolicy.DEFAULT, PATIENCE))) {
      proxy.fault(Faults.bySender(2, faults));
      var steps = fixture.steps(fixture.metrics.timed(), chain,
          new PaymentSteps.Settings(Duration.ofSeconds(1), Duration.ofSeconds(20)));
      try (var _ = fixture.worker(steps, 12); var _ = fixture.worker(steps, 4)) {
        await().atMost(Duration.ofSeconds(60)).pollInterval(Duration.ofMillis(200))
            .until(() -> cases.values().stream().allMatch(one -> fixture.state(one.spend) instanceof Final));
      }
    }
    return cases.entrySet().stream().map(entry -> DynamicTest.dynamicTest(entry.getKey(), () -> {
      var one = entry.getValue();
      assertThat(fixture.state(one.spend)).isInstanceOf(Confirmed.class);
      assertThat(anvil.transfersFrom(one.wallet.address())).hasSize(1);
      assertThat(anvil.transactionCount(one.wallet.address())).isEqualTo(1);
      assertThat(fixture.paid(one.payee)).isEqualTo(Fixture.units("1"));
    }));
  }
}
