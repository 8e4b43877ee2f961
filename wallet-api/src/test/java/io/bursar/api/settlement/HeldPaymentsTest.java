package io.bursar.api.settlement;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.math.BigInteger;
import java.time.Duration;

import org.junit.jupiter.api.Test;

import io.bursar.api.testing.SettlementFixture;
import io.bursar.api.testing.SettlementFixture.Wallet;
import io.bursar.permit.Permit;
import io.bursar.store.Fixture;
import io.bursar.store.Payment;
import io.bursar.store.PaymentMove.Cancel;
import io.bursar.store.PaymentState.Confirmed;
import io.bursar.store.PaymentState.Expired;
import io.bursar.store.PaymentState.Reverted;

/** What waits, what ends without a transfer, and what each of them gives back. */
class HeldPaymentsTest extends ChainAndSigner {
  private PaymentWorker worker() {
    return fixture.worker(fixture.steps(fixture.metrics.timed()));
  }

  private void awaitFailure(Payment.Key spend, String text) {
    await().atMost(Duration.ofSeconds(20)).until(() -> fixture.failure(spend).contains(text));
  }

  private void awaitConfirmed(Payment.Key spend) {
    await().atMost(Duration.ofSeconds(20)).untilAsserted(
        () -> assertThat(fixture.state(spend)).as(fixture.failure(spend)).isInstanceOf(Confirmed.class));
  }

  private void assertNothingSent(Wallet wallet) {
    assertThat(anvil.transactionCount(wallet.address())).isZero();
    assertThat(fixture.store.counters.differences(fixture.store.tenant)).isEmpty();
  }

  @Test
  void aFrozenWalletPaysNothingUntilItIsThawed() {
    var wallet = fixture.fundedWallet("5");
    var spend = fixture.spend(wallet, "1", payee);
    fixture.store.directory.freeze(fixture.store.tenant, wallet.id(), true, "test");
    try (var _ = worker()) {
      awaitFailure(spend, "the wallet is frozen");
      assertThat(fixture.state(spend).text()).isEqualTo("authorized");
      assertNothingSent(wallet);
      fixture.store.directory.freeze(fixture.store.tenant, wallet.id(), false, "test");
      awaitConfirmed(spend);
    }
  }

  @Test
  void aSuspendedAgentsWalletPaysNothingUntilItIsResumed() {
    var wallet = fixture.fundedWallet("5");
    var spend = fixture.spend(wallet, "1", payee);
    fixture.store.directory.suspend(fixture.store.tenant, fixture.store.agent, true, "test");
    try (var _ = worker()) {
      awaitFailure(spend, "the agent is suspended");
      assertNothingSent(wallet);
      fixture.store.directory.suspend(fixture.store.tenant, fixture.store.agent, false, "test");
      awaitConfirmed(spend);
    }
  }

  @Test
  void aWalletWithoutGasWaitsForItAndSaysSo() {
    var wallet = fixture.emptyWallet();
    anvil.fund(wallet.address(), Fixture.units("5"));
    anvil.rpc("anvil_setBalance", wallet.address().toString(), "0x1");
    var spend = fixture.spend(wallet, "1", payee);
    try (var _ = worker()) {
      awaitFailure(spend, "the wallet holds 1 wei");
      assertNothingSent(wallet);
      anvil.rpc("anvil_setBalance", wallet.address().toString(), "0xde0b6b3a7640000");
      awaitConfirmed(spend);
    }
  }

  @Test
  void aWalletWithoutTheMoneyWaitsForItAndSaysSoAndLetsASmallerPaymentPass() {
    var wallet = fixture.fundedWallet("5");
    var large = fixture.spend(wallet, "7", payee);
    var small = fixture.spend(wallet, "2", payee);
    try (var _ = worker()) {
      awaitFailure(large, "the wallet holds");
      awaitConfirmed(small);
      assertThat(fixture.state(large).text()).isEqualTo("authorized");
      anvil.fund(wallet.address(), Fixture.units("4"));
      awaitConfirmed(large);
    }
    assertThat(fixture.paid(payee)).isEqualTo(Fixture.units("9"));
  }

  @Test
  void whatIsNotSignedInItsTimeExpiresAndGivesAllBack() {
    var wallet = fixture.fundedWallet("5");
    var spend = fixture.spend(wallet, "1", payee);
    fixture.store.test
        .asAdministrator("UPDATE payment SET request_expires_at = now() WHERE spend_id = '" + spend.spendId() + "'");
    try (var _ = worker()) {
      await().atMost(Duration.ofSeconds(20)).until(() -> fixture.state(spend) instanceof Expired);
    }
    assertNothingSent(wallet);
  }

  @Test
  void aCanceledSpendIsNeverPaidAndAPaidOneNeverCanceled() {
    var wallet = fixture.fundedWallet("5");
    var tenant = fixture.store.tenant;
    var canceled = fixture.spend(wallet, "1", payee);
    assertThat(fixture.payments.cancel(tenant, canceled.spendId(), "test")).isEqualTo(new Cancel.Canceled());
    assertThat(fixture.payments.cancel(tenant, canceled.spendId(), "test")).isEqualTo(new Cancel.TooLate("canceled"));
    assertThat(fixture.store.counters.differences(tenant)).isEmpty();
    var paid = fixture.spend(wallet, "2", payee);
    try (var _ = worker()) {
      awaitConfirmed(paid);
    }
    assertThat(fixture.payments.cancel(tenant, paid.spendId(), "test")).isEqualTo(new Cancel.TooLate("confirmed"));
    assertThat(fixture.payments.cancel(java.util.UUID.randomUUID(), paid.spendId(), "test"))
        .isEqualTo(new Cancel.NotFound());
    assertThat(fixture.paid(payee)).isEqualTo(Fixture.units("2"));
    assertThat(fixture.store.value("SELECT bool_and(n = 1) FROM (SELECT count(*) AS n FROM audit_entry "
        + "WHERE kind = 'payment.canceled' GROUP BY subject) AS c")).isEqualTo(true);
  }

  @Test
  void aCancelDuringAStepWinsOrLosesAsAWhole() {
    var wallet = fixture.fundedWallet("5");
    var spend = fixture.spend(wallet, "1", payee);
    var steps = fixture.steps(new Effects() {
      @Override
      public <T, X extends Exception> T run(Effect effect, Payment payment, Action<T, X> action) throws X {
        fixture.payments.cancel(fixture.store.tenant, spend.spendId(), "test");
        return action.run();
      }
    });
    fixture.payments.claim(1, 1, java.util.List.of()).forEach(payments -> steps.advance(payments, () -> true));
    assertThat(fixture.state(spend).text()).isEqualTo("canceled");
    assertNothingSent(wallet);
  }

  @Test
  void aTransferThatFailsOnTheChainGivesTheAmountBackAndIsNotTriedAgain() {
    var wallet = fixture.fundedWallet("5");
    var spend = fixture.spend(wallet, "5", payee);
    // The token's owner turns against the payee after the transfer was found to be possible.
    var steps = fixture.steps(new Effects() {
      @Override
      public <T, X extends Exception> T run(Effect effect, Payment payment, Action<T, X> action) throws X {
        if (effect == Effect.SEND) {
          anvil.blacklist(payee);
        }
        return action.run();
      }
    });
    try (var _ = fixture.worker(steps)) {
      await().atMost(Duration.ofSeconds(20)).until(() -> fixture.state(spend) instanceof Reverted);
    }
    assertThat(fixture.paid(payee)).isEqualTo(BigInteger.ZERO);
    assertThat(anvil.transactionCount(wallet.address())).isEqualTo(1);
    assertThat(fixture.store.counters.differences(fixture.store.tenant)).isEmpty();
  }

  @Test
  void noMorePaymentsOfAWalletAreUnconfirmedThanAllowed() {
    try (var bounded = new SettlementFixture(anvil, signer, 3)) {
      var wallet = bounded.fundedWallet("50");
      var spends = bounded.spends(wallet, "1", payee, 10);
      anvil.rpc("evm_setAutomine", false);
      try (var _ = bounded.worker(bounded.steps(Effects.PLAIN))) {
        await().atMost(Duration.ofSeconds(20)).until(() -> inFlight(bounded) == 3);
        await().during(Duration.ofSeconds(2)).atMost(Duration.ofSeconds(4)).until(() -> inFlight(bounded) <= 3);
        anvil.rpc("evm_setAutomine", true);
        anvil.rpc("evm_mine");
        await().atMost(Duration.ofSeconds(30))
            .until(() -> spends.stream().allMatch(spend -> bounded.state(spend) instanceof Confirmed));
      } finally {
        anvil.rpc("evm_setAutomine", true);
      }
    }
  }

  private static long inFlight(SettlementFixture fixture) {
    return (Long) java.util.Objects.requireNonNull(fixture.store
        .value("SELECT count(*) FROM payment WHERE state IN ('prepared', 'signed', 'broadcast')"));
  }

  @Test
  void aPermitLivesLessLongThanTheSignerAllows() {
    assertThat(io.bursar.api.signer.PermitIssuer.LIFE).isLessThanOrEqualTo(Duration.ofMinutes(1))
        .isLessThan(Permit.MAX_LIFE);
  }
}
