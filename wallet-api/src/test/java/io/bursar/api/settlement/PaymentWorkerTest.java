package io.bursar.api.settlement;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.time.Duration;

import org.junit.jupiter.api.Test;

import io.bursar.store.Fixture;
import io.bursar.store.PaymentState.Confirmed;

class PaymentWorkerTest extends ChainAndSigner {
  @Test
  void paysWhatWasAuthorized() {
    var wallet = fixture.fundedWallet("100");
    var payee = Fixture.address(0xa1);
    try (var worker = fixture.worker(fixture.steps(fixture.metrics.timed()))) {
      var spend = fixture.spend(wallet, "12.5", payee);
      worker.wake();
      await().atMost(Duration.ofSeconds(20)).untilAsserted(
          () -> assertThat(fixture.state(spend)).isInstanceOf(Confirmed.class));
    }
    assertThat(fixture.paid(payee)).isEqualTo(Fixture.units("12.5"));
    assertThat(anvil.transfersFrom(wallet.address())).hasSize(1);
    assertThat(fixture.store.database.sql()
        .sql("SELECT kind FROM audit_entry WHERE kind LIKE 'payment.%' ORDER BY seq").query(String.class).list())
        .containsExactly("payment.prepared", "payment.signed", "payment.broadcast", "payment.confirmed");
  }
}
