package io.bursar.api.settlement;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.math.BigInteger;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import io.bursar.api.testing.SettlementFixture.Wallet;
import io.bursar.permit.SignerRefusal;
import io.bursar.permit.SignerReply;
import io.bursar.permit.TransferIntent.Gas;
import io.bursar.store.Fixture;
import io.bursar.store.Payment;
import io.bursar.store.PaymentMove.Cancel;
import io.bursar.store.PaymentState;
import io.bursar.store.PaymentState.Annulled;
import io.bursar.store.PaymentState.Attempt;
import io.bursar.store.PaymentState.Broadcast;
import io.bursar.store.PaymentState.Canceled;
import io.bursar.store.PaymentState.Confirmed;

/** Payments that may be signed and are to be canceled, on a chain that mines only when it is told to. */
class CancellationTest extends ChainAndSigner {
  @BeforeEach
  void mineNothing() {
    anvil.rpc("evm_setAutomine", false);
  }

  @AfterEach
  void mineAgain() {
    anvil.rpc("evm_setAutomine", true);
  }

  private Wallet wallet() {
    anvil.rpc("evm_setAutomine", true);
    var wallet = fixture.fundedWallet("5");
    anvil.rpc("evm_setAutomine", false);
    return wallet;
  }

  private Cancel ask(Payment.Key spend) {
    return fixture.payments.requestCancel(spend.tenantId(), spend.spendId(), "test");
  }

  private List<Attempt> sent(Payment.Key spend) {
    return fixture.state(spend) instanceof Broadcast(var _, var attempts) ? attempts : List.of();
  }

  private boolean isCancelSent(Payment.Key spend) {
    return !sent(spend).isEmpty() && sent(spend).getLast().cancels();
  }

  private void awaitFinal(Payment.Key spend) {
    await().atMost(Duration.ofSeconds(20)).pollDelay(Duration.ZERO).pollInterval(Duration.ofMillis(50)).until(() -> {
      run(Effects.PLAIN);
      return fixture.state(spend) instanceof PaymentState.Final;
    });
  }

  private void awaitCancelSent(Payment.Key spend) {
    await().atMost(Duration.ofSeconds(20)).pollDelay(Duration.ZERO).pollInterval(Duration.ofMillis(50)).until(() -> {
      run(Effects.PLAIN);
      return isCancelSent(spend) || fixture.state(spend) instanceof PaymentState.Final;
    });
  }

  private void assertCanceled(Wallet wallet, Payment.Key spend, io.bursar.money.Address payee, String context) {
    assertThat(fixture.state(spend)).as(context).isInstanceOf(Annulled.class);
    assertThat(fixture.paid(payee)).as(context).isEqualTo(BigInteger.ZERO);
    assertThat(anvil.transfersFrom(wallet.address())).as(context).isEmpty();
    assertThat(anvil.transactionCount(wallet.address())).as(context).isEqualTo(1);
    assertThat(fixture.store.counters.differences(fixture.store.tenant)).as(context).isEmpty();
    assertThat(fixture.store.reservations.unsettled(fixture.store.tenant, wallet.id())).as(context).isEmpty();
  }

  @Test
  void whereTheCancellationIsMinedTheBudgetComesBackThenAndNoSooner() {
    var wallet = wallet();
    var spend = fixture.spend(wallet, "1", payee);
    run(Effects.PLAIN);
    var first = sent(spend).getFirst();
    assertThat(ask(spend)).isEqualTo(new Cancel.Requested());
    assertThat(ask(spend)).isEqualTo(new Cancel.Requested());
    assertThat(fixture.store.value("SELECT count(*) FROM audit_entry WHERE kind = 'payment.cancel_requested'"))
        .isEqualTo(1L);
    awaitCancelSent(spend);
    var cancel = sent(spend).getLast();
    assertThat(cancel.gas().maxFeePerGas().multiply(BigInteger.valueOf(8)))
        .isGreaterThanOrEqualTo(first.gas().maxFeePerGas().multiply(BigInteger.valueOf(9)));
    assertThat(fixture.store.reservations.unsettled(fixture.store.tenant, wallet.id()).values())
        .containsExactly(Fixture.units("1"));
    assertThat(fixture.store.counters.differences(fixture.store.tenant)).isEmpty();
    anvil.rpc("evm_mine");
    awaitFinal(spend);
    assertCanceled(wallet, spend, payee, "canceled");
    assertThat(((Annulled) fixture.state(spend)).mined().transactionHash()).isEqualTo(cancel.hash());
    assertThat(ask(spend)).isEqualTo(new Cancel.TooLate("canceled"));
    anvil.rpc("evm_setAutomine", true);
    var next = fixture.spend(wallet, "2", payee);
    awaitFinal(next);
    assertThat(fixture.state(next)).isInstanceOf(Confirmed.class);
  }

  @Test
  void whereTheTransferIsMinedTheSpendIsConfirmedInSpiteOfTheCancellation() {
    var wallet = wallet();
    var spend = fixture.spend(wallet, "1", payee);
    run(Effects.PLAIN);
    var first = sent(spend).getFirst();
    assertThat(ask(spend)).isEqualTo(new Cancel.Requested());
    awaitCancelSent(spend);
    anvil.rpc("anvil_dropTransaction", "0x" + sent(spend).getLast().hash());
    anvil.rpc("eth_sendRawTransaction", "0x" + first.raw());
    anvil.rpc("evm_mine");
    awaitFinal(spend);
    assertThat(fixture.state(spend)).isInstanceOfSatisfying(Confirmed.class,
        confirmed -> assertThat(confirmed.mined().transactionHash()).isEqualTo(first.hash()));
    assertThat(ask(spend)).isEqualTo(new Cancel.TooLate("confirmed"));
    assertThat(fixture.paid(payee)).isEqualTo(Fixture.units("1"));
    assertThat(anvil.transactionCount(wallet.address())).isEqualTo(1);
    assertThat(fixture.store.counters.differences(fixture.store.tenant)).isEmpty();
  }

  @Test
  void cancelsOnceWhereverTheCancellationIsStopped() {
    int cut = 0;
    boolean died = true;
    while (died) {
      var wallet = wallet();
      var payee = newPayee();
      var spend = fixture.spend(wallet, "1", payee);
      run(Effects.PLAIN);
      ask(spend);
      var cuts = new AtomicInteger();
      died = run(dyingAt(cut, cuts));
      if (died && cut % 3 == 0) {
        signer.restart();
      }
      awaitCancelSent(spend);
      anvil.rpc("evm_mine");
      died |= run(dyingAt(cut, cuts));
      awaitFinal(spend);
      assertCanceled(wallet, spend, payee, "stopped at cut " + cut);
      cut++;
    }
    assertThat(cut).as("cuts: before and after four records, one signature, one send").isEqualTo(12 + 1);
  }

  @Test
  void cancelsWhereverThePaymentIsStopped() {
    int cut = 0;
    boolean died = true;
    while (died) {
      var wallet = wallet();
      var payee = newPayee();
      var spend = fixture.spend(wallet, "1", payee);
      died = run(dyingAt(cut, new AtomicInteger()));
      if (fixture.payments.cancel(spend.tenantId(), spend.spendId(), "test") instanceof Cancel.Canceled) {
        assertThat(fixture.state(spend)).isInstanceOf(Canceled.class);
      } else {
        assertThat(ask(spend)).isEqualTo(new Cancel.Requested());
        awaitCancelSent(spend);
        anvil.rpc("evm_mine");
        awaitFinal(spend);
        assertCanceled(wallet, spend, payee, "stopped at cut " + cut);
      }
      cut++;
    }
    assertThat(fixture.store.counters.differences(fixture.store.tenant)).isEmpty();
  }

  @Test
  void aReorganisationTakesTheCancellationBackAndItIsSentAgain() {
    var wallet = wallet();
    var spend = fixture.spend(wallet, "1", payee);
    run(Effects.PLAIN);
    ask(spend);
    awaitCancelSent(spend);
    var before = anvil.rpc("evm_snapshot").asString();
    anvil.rpc("evm_mine");
    anvil.rpc("evm_revert", before);
    await().atMost(Duration.ofSeconds(20)).pollInterval(Duration.ofMillis(200)).until(() -> {
      run(Effects.PLAIN);
      anvil.rpc("evm_mine");
      return fixture.state(spend) instanceof PaymentState.Final;
    });
    assertCanceled(wallet, spend, payee, "reorganised");
  }

  @Test
  void theSignerCancelsNothingWithoutTheRecordAndTransfersNothingAfterIt() throws Exception {
    var wallet = wallet();
    var spend = fixture.spend(wallet, "1", payee);
    run(Effects.PLAIN);
    var transfers = signer.transfers(fixture.log);
    var authorization = transfers.evidence(spend.tenantId(), spend.spendId());
    ask(spend);
    var payment = fixture.payment(spend);
    var gas = raised(sent(spend).getFirst().gas());
    var cancel = Signing.cancellation(payment, 0, gas);
    assertRefused(transfers.sign(cancel.intent(), payment.order().authorizationHash(), authorization),
        SignerRefusal.AUTHORIZATION_MISMATCH);
    awaitCancelSent(spend);
    var transfer = Signing.transfer(payment, 0, raised(gas));
    assertRefused(transfers.sign(transfer.intent(), transfer.entry(), authorization), SignerRefusal.NONCE_CONFLICT);
    anvil.rpc("evm_mine");
    awaitFinal(spend);
    assertCanceled(wallet, spend, payee, "canceled");
  }

  private static Gas raised(Gas gas) {
    return new Gas(gas.limit(), gas.maxFeePerGas().multiply(BigInteger.TWO),
        gas.maxPriorityFeePerGas().multiply(BigInteger.TWO));
  }

  private static void assertRefused(SignerReply reply, SignerRefusal reason) {
    assertThat(reply).isInstanceOfSatisfying(SignerReply.Refused.class,
        refused -> assertThat(refused.reason()).isEqualTo(reason));
  }
}
