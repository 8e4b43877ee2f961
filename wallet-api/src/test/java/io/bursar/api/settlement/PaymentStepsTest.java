package io.bursar.api.settlement;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.math.BigInteger;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;

import org.junit.jupiter.api.Test;

import io.bursar.api.testing.SettlementFixture.Wallet;
import io.bursar.store.Fixture;
import io.bursar.store.Payment;
import io.bursar.store.PaymentState;
import io.bursar.store.PaymentState.Confirmed;

/** One payment stopped between any two of its steps, and what becomes of it. */
class PaymentStepsTest extends ChainAndSigner {
  private void settle(Payment.Key spend) {
    await().atMost(Duration.ofSeconds(20)).pollDelay(Duration.ZERO).pollInterval(Duration.ofMillis(50)).until(() -> {
      run(Effects.PLAIN);
      return fixture.state(spend) instanceof PaymentState.Final;
    });
  }

  private void assertPaidOnce(Wallet wallet, List<Payment.Key> spends, io.bursar.money.Address payee, String context) {
    int count = spends.size();
    assertThat(spends).as(context).extracting(fixture::state)
        .allSatisfy(state -> assertThat(state).isInstanceOf(Confirmed.class));
    assertThat(fixture.paid(payee)).as(context).isEqualTo(Fixture.units(Integer.toString(count)));
    assertThat(anvil.transfersFrom(wallet.address())).as(context).hasSize(count);
    assertThat(anvil.transactionCount(wallet.address())).as(context).isEqualTo(count);
    assertThat(fixture.store.counters.differences(fixture.store.tenant)).as(context).isEmpty();
  }

  @Test
  void transfersOnceWhereverItIsStopped() {
    assertThat(transfersOnceWhereverItIsStopped(1, () -> {}))
        .as("cuts: before and after four records, one signature, one send").isEqualTo(12 + 1);
  }

  @Test
  void transfersOnceWhereverItIsStoppedAndTheSignerWithIt() {
    assertThat(transfersOnceWhereverItIsStopped(1, signer::restart)).isEqualTo(12 + 1);
  }

  @Test
  void transfersEachOfSeveralOnceWhereverTheyAreStopped() {
    assertThat(transfersOnceWhereverItIsStopped(3, () -> {}))
        .as("cuts: before and after four records, three signatures, one send").isEqualTo(16 + 1);
  }

  /** How many cuts there were, the last of which none came to. */
  private int transfersOnceWhereverItIsStopped(int count, Runnable meanwhile) {
    int cut = 0;
    boolean died = true;
    while (died) {
      var wallet = fixture.fundedWallet("5");
      var payee = newPayee();
      var spends = fixture.spends(wallet, "1", payee, count);
      var cuts = new AtomicInteger();
      // A payment is confirmed in a later look at it, so the one that dies may need several runs to get there.
      var deadline = System.nanoTime() + Duration.ofSeconds(20).toNanos();
      do {
        died = run(dyingAt(cut, cuts));
      } while (!died && !(fixture.state(spends.getLast()) instanceof PaymentState.Final)
          && System.nanoTime() < deadline);
      if (died) {
        meanwhile.run();
      }
      spends.forEach(this::settle);
      assertPaidOnce(wallet, spends, payee, "stopped at cut " + cut);
      cut++;
    }
    return cut;
  }

  @Test
  void transfersOnceHoweverOftenItIsStopped() {
    for (long seed = 1; seed <= 12; seed++) {
      var random = new Random(seed);
      var wallet = fixture.fundedWallet("5");
      var payee = newPayee();
      var spend = fixture.spend(wallet, "1", payee);
      var died = new ArrayList<Integer>();
      for (int run = 0; run < 40 && !(fixture.state(spend) instanceof PaymentState.Final); run++) {
        int cut = random.nextInt(5);
        if (run(dyingAt(cut, new AtomicInteger()))) {
          died.add(cut);
        }
      }
      settle(spend);
      assertPaidOnce(wallet, List.of(spend), payee, "seed " + seed + ", died at " + died);
    }
  }

  @Test
  void sendsNoNonceBeforeAllLowerOnes() {
    var wallet = fixture.fundedWallet("5");
    var payee = newPayee();
    fixture.spends(wallet, "1", payee, 2);
    var steps = fixture.steps(Effects.PLAIN);
    var signed = new ArrayList<Payment>();
    for (var payment : fixture.payments.claim(1, 2, List.of()).getFirst()) {
      var prepared = ((Step.Moved) steps.step(payment)).payment();
      signed.add(((Step.Moved) steps.step(prepared)).payment());
    }
    assertThat(steps.step(signed.getLast())).isInstanceOf(Step.Wait.class);
    assertThat(fixture.paid(payee)).isEqualTo(BigInteger.ZERO);
    assertThat(anvil.rpc("txpool_status").toString()).contains("\"queued\":\"0x0\"");
    assertThat(steps.step(signed.getFirst())).isInstanceOf(Step.Moved.class);
    assertThat(steps.step(signed.getLast())).isInstanceOf(Step.Moved.class);
  }

  @Test
  void ofSentPaymentsThoseThatABlockHoldsAreConfirmedTogetherAndTheOthersWait() {
    var wallet = fixture.fundedWallet("5");
    anvil.rpc("evm_setAutomine", false);
    try {
      fixture.spends(wallet, "1", newPayee(), 3);
      var steps = fixture.steps(Effects.PLAIN);
      var taken = fixture.payments.claim(1, 3, List.of()).getFirst();
      steps.advance(taken.subList(0, 2), () -> true);
      anvil.rpc("evm_mine");
      steps.advance(taken.subList(2, 3), () -> true);
      fixture.store.test.asAdministrator("UPDATE payment SET due_at = now() WHERE state = 'broadcast'");
      var again = fixture.payments.claim(1, 3, List.of()).getFirst();
      steps.advance(again, () -> true);
      assertThat(again).extracting(payment -> fixture.state(payment.key()).text()).containsExactly("confirmed",
          "confirmed", "broadcast");
      assertThat(fixture.store.value("SELECT count(*) FROM payment WHERE state = 'broadcast' AND lease_until > now()"))
          .isEqualTo(0L);
    } finally {
      anvil.rpc("evm_setAutomine", true);
      anvil.rpc("evm_mine");
    }
  }
}
