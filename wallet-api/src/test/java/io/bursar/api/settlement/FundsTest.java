package io.bursar.api.settlement;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;

import org.junit.jupiter.api.Test;

import io.bursar.api.chain.Chain;
import io.bursar.api.http.Caller;
import io.bursar.api.spends.SpendView;
import io.bursar.json.JsonText;
import io.bursar.store.Fixture;
import io.bursar.store.Payment;
import io.bursar.store.PaymentState.Confirmed;
import io.bursar.store.PaymentState.Failed;
import io.bursar.store.PaymentState.Final;
import io.bursar.store.SpendStore;

/** What becomes of payments by transactions of a wallet that has less than it is to pay. */
class FundsTest extends ChainAndSigner {
  private PaymentWorker worker(Duration fundsWait) {
    return fixture.worker(fixture.steps(Effects.PLAIN, new Chain(anvil.settings(1)),
        PaymentSteps.Settings.DEFAULT.withFundsWait(fundsWait)));
  }

  private void awaitFinal(List<Payment.Key> spends) {
    await().atMost(Duration.ofSeconds(40))
        .until(() -> spends.stream().allMatch(spend -> fixture.state(spend) instanceof Final));
  }

  private void assertNothingSignedFor(Payment.Key spend) {
    assertThat(fixture.store.value("SELECT count(*) FROM payment_attempt WHERE spend_id = ?", spend.spendId()))
        .isEqualTo(0L);
    assertThat(fixture.store.counters.differences(fixture.store.tenant)).isEmpty();
  }

  @Test
  void ofManyPaymentsAtOncePaysExactlyThoseThatTheWalletCanPayAndFailsTheOthers() {
    var wallet = fixture.fundedWallet("7");
    var spends = fixture.spends(wallet, "1", payee, 20);
    try (var _ = worker(Duration.ZERO)) {
      awaitFinal(spends);
    }
    assertThat(spends).filteredOn(spend -> fixture.state(spend) instanceof Confirmed).hasSize(7);
    var failed = spends.stream().filter(spend -> fixture.state(spend) instanceof Failed).toList();
    assertThat(failed).hasSize(13).allSatisfy(this::assertNothingSignedFor);
    assertThat(fixture.paid(payee)).isEqualTo(Fixture.units("7"));
    assertThat(fixture.store.value("SELECT count(*) FROM audit_entry WHERE kind = 'payment.failed'")).isEqualTo(13L);
  }

  @Test
  void aPaymentThatHasWaitedForADepositLongEnoughFailsAndSaysWhy() {
    var wallet = fixture.fundedWallet("2.5");
    var spend = fixture.spend(wallet, "4", payee);
    try (var _ = worker(Duration.ofSeconds(1))) {
      await().atMost(Duration.ofSeconds(10)).until(() -> fixture.failure(spend).contains("it fails 1 s after"));
      awaitFinal(List.of(spend));
    }
    assertNothingSignedFor(spend);
    var shown = new String(JsonText.inOrder(new SpendView(Map.of()).of(
        new SpendStore(fixture.store.database).find(fixture.store.tenant, spend.spendId()).orElseThrow(),
        new Caller(Caller.Role.AGENT, fixture.store.tenant, fixture.store.agent, null, "test"))),
        StandardCharsets.UTF_8);
    assertThat(shown).contains("\"status\":\"failed\"", "\"code\":\"INSUFFICIENT_FUNDS\"", "\"observed\":\"2.5\"",
        "\"bound\":\"4\"", "send 1.5 RUSDC or more to the wallet");
    var entry = String.valueOf(Objects.requireNonNull(fixture.store.value(
        "SELECT convert_from(payload, 'UTF8') FROM audit_entry WHERE kind = 'payment.failed' AND subject = ?",
        spend.spendId())));
    assertThat(entry).contains("\"reason\":{\"bound\":\"4\",\"code\":\"INSUFFICIENT_FUNDS\",\"observed\":\"2.5\"}");
  }

  @Test
  void whatIsSignedAndNotMinedYetIsNotCountedAsFree() {
    var wallet = fixture.fundedWallet("5");
    anvil.rpc("evm_setAutomine", false);
    try (var _ = worker(Duration.ZERO)) {
      var first = fixture.spend(wallet, "3", payee);
      await().atMost(Duration.ofSeconds(20)).until(() -> fixture.state(first).text().equals("broadcast"));
      var second = fixture.spend(wallet, "3", payee);
      awaitFinal(List.of(second));
      assertThat(fixture.failure(second)).contains("holds 5 RUSDC, of which 2 are not signed away");
      anvil.rpc("evm_setAutomine", true);
      anvil.rpc("evm_mine");
      awaitFinal(List.of(first));
    } finally {
      anvil.rpc("evm_setAutomine", true);
    }
    assertThat(fixture.paid(payee)).isEqualTo(Fixture.units("3"));
  }

  @Test
  void aWalletThatIsFrozenWaitsForThatAndNotForMoney() {
    var wallet = fixture.fundedWallet("1");
    var spend = fixture.spend(wallet, "4", payee);
    fixture.store.directory.freeze(fixture.store.tenant, wallet.id(), true, "test");
    try (var _ = worker(Duration.ZERO)) {
      await().atMost(Duration.ofSeconds(10)).until(() -> fixture.failure(spend).contains("are not signed away"));
      assertThat(fixture.state(spend).text()).isEqualTo("authorized");
    }
  }
}
