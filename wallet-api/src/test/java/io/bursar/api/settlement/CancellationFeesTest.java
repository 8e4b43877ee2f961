package io.bursar.api.settlement;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.math.BigInteger;
import java.time.Duration;
import java.util.List;
import java.util.function.BooleanSupplier;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import io.bursar.api.chain.Chain;
import io.bursar.api.chain.ChainSettings;
import io.bursar.api.chain.FeePolicy;
import io.bursar.api.testing.AnvilProcess;
import io.bursar.api.testing.SettlementFixture.Wallet;
import io.bursar.permit.TransferIntent.Gas;
import io.bursar.store.Fixture;
import io.bursar.store.Payment;
import io.bursar.store.PaymentMove.Cancel;
import io.bursar.store.PaymentState;
import io.bursar.store.PaymentState.Annulled;
import io.bursar.store.PaymentState.Attempt;
import io.bursar.store.PaymentState.Broadcast;
import io.bursar.store.PaymentState.Confirmed;

/** What a cancellation may cost while gas grows dearer, on a chain that mines only when it is told to. */
class CancellationFeesTest extends ChainAndSigner {
  private static final BigInteger BASE = BigInteger.valueOf(1_000_000_000);
  private static final BigInteger HUNDRED = BigInteger.valueOf(100);

  private Wallet wallet;

  @BeforeEach
  void mineNothing() {
    anvil.rpc("evm_setAutomine", true);
    wallet = fixture.fundedWallet("5");
    anvil.rpc("evm_setAutomine", false);
    baseFee(BASE);
  }

  /** Of the next block, which is mined; the one after it takes an eighth less. */
  private void baseFee(BigInteger wei) {
    anvil.rpc("anvil_setNextBlockBaseFeePerGas", "0x" + wei.toString(16));
    anvil.rpc("evm_mine");
  }

  /** The chain as a process with this cap sees it. */
  private Chain chain(BigInteger cap) {
    return new Chain(new ChainSettings(AnvilProcess.CHAIN, anvil.endpoint(), 1, new FeePolicy(cap, cap,
        FeePolicy.DEFAULT.priorityFeeFloor(), FeePolicy.DEFAULT.gasLimitCap()), Duration.ofSeconds(5)));
  }

  private void run(Chain chain) {
    fixture.store.test.asAdministrator("UPDATE payment SET lease_until = '-infinity', due_at = now()");
    var steps = fixture.steps(Effects.PLAIN, chain);
    fixture.payments.claim(1, 16, List.of()).forEach(payments -> steps.advance(payments, () -> true));
  }

  private void runUntil(Chain chain, BooleanSupplier reached) {
    await().atMost(Duration.ofSeconds(40)).pollDelay(Duration.ZERO).pollInterval(Duration.ofMillis(100)).until(() -> {
      run(chain);
      return reached.getAsBoolean();
    });
  }

  private List<Attempt> attempts(Payment.Key spend) {
    return fixture.state(spend) instanceof Broadcast(var _, var attempts) ? attempts : List.of();
  }

  private boolean isFinal(Payment.Key spend) {
    return fixture.state(spend) instanceof PaymentState.Final;
  }

  /** A payment on its way, and what it may cost. */
  private Gas send(Payment.Key spend) {
    var plenty = chain(FeePolicy.DEFAULT.maxFeeCap());
    runUntil(plenty, () -> !attempts(spend).isEmpty());
    return attempts(spend).getFirst().gas();
  }

  private static BigInteger percent(Gas of, long percent) {
    return of.maxFeePerGas().multiply(BigInteger.valueOf(percent)).divide(HUNDRED);
  }

  private void ask(Payment.Key spend) {
    assertThat(fixture.payments.requestCancel(spend.tenantId(), spend.spendId(), "test"))
        .isEqualTo(new Cancel.Requested());
  }

  @Test
  void aCancellationThatAFeeSpikeLeavesBehindIsOfferedMoreUntilItIsMined() {
    var spend = fixture.spend(wallet, "1", payee);
    var first = send(spend);
    ask(spend);
    var chain = chain(FeePolicy.DEFAULT.maxFeeCap());
    runUntil(chain, () -> attempts(spend).size() == 2);
    baseFee(percent(first, 200));
    runUntil(chain, () -> attempts(spend).size() == 3);
    var attempts = attempts(spend);
    assertThat(attempts).extracting(Attempt::cancels).as("once it is to be canceled, nothing else is offered")
        .containsExactly(false, true, true);
    assertThat(attempts.get(2).gas().maxFeePerGas().multiply(BigInteger.valueOf(8)))
        .isGreaterThanOrEqualTo(attempts.get(1).gas().maxFeePerGas().multiply(BigInteger.valueOf(9)))
        .isGreaterThan(percent(first, 200).multiply(BigInteger.valueOf(8)));
    assertThat(attempts.get(2).gas().maxPriorityFeePerGas().multiply(BigInteger.valueOf(8)))
        .isGreaterThanOrEqualTo(attempts.get(1).gas().maxPriorityFeePerGas().multiply(BigInteger.valueOf(9)));
    anvil.rpc("evm_mine");
    runUntil(chain, () -> isFinal(spend));
    assertThat(fixture.state(spend)).isInstanceOfSatisfying(Annulled.class,
        annulled -> assertThat(annulled.mined().transactionHash()).isEqualTo(attempts.get(2).hash()));
    assertThat(fixture.paid(payee)).isEqualTo(BigInteger.ZERO);
    assertThat(anvil.transactionCount(wallet.address())).isEqualTo(1);
    assertThat(fixture.store.counters.differences(fixture.store.tenant)).isEmpty();
  }

  @Test
  void atTheCapACancellationIsOfferedNoMoreAndItsBytesAreSentAgain() {
    var spend = fixture.spend(wallet, "1", payee);
    var first = send(spend);
    ask(spend);
    var capped = chain(percent(first, 120));
    runUntil(capped, () -> attempts(spend).size() == 2);
    baseFee(percent(first, 130));
    runUntil(capped, () -> fixture.alarms(Alarm.FEE_CAP) > 0);
    anvil.rpc("anvil_dropAllTransactions");
    assertThat(attempts(spend)).hasSize(2).allSatisfy(attempt -> assertThat(attempt.gas().maxFeePerGas())
        .isLessThanOrEqualTo(percent(first, 120)));
    assertThat(fixture.store.reservations.unsettled(fixture.store.tenant, wallet.id()).values()).as("still reserved")
        .containsExactly(Fixture.units("1"));
    baseFee(BASE);
    runUntil(capped, () -> {
      anvil.rpc("evm_mine");
      return isFinal(spend);
    });
    assertThat(fixture.state(spend)).isInstanceOf(Annulled.class);
    assertThat(fixture.paid(payee)).isEqualTo(BigInteger.ZERO);
  }

  @Test
  void aCancellationThatTheCapDoesNotAllowIsNotOfferedAndThePaymentGoesOn() {
    var spend = fixture.spend(wallet, "1", payee);
    var first = send(spend);
    ask(spend);
    var capped = chain(percent(first, 105));
    runUntil(capped, () -> fixture.alarms(Alarm.FEE_CAP) > 0);
    assertThat(attempts(spend)).as("an eighth more is above the cap").hasSize(1);
    anvil.rpc("evm_mine");
    runUntil(capped, () -> isFinal(spend));
    assertThat(fixture.state(spend)).isInstanceOf(Confirmed.class);
    assertThat(fixture.paid(payee)).isEqualTo(Fixture.units("1"));
    assertThat(fixture.store.counters.differences(fixture.store.tenant)).isEmpty();
  }
}
