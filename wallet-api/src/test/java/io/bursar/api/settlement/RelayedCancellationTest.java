package io.bursar.api.settlement;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.math.BigInteger;
import java.time.Duration;
import java.util.List;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

import io.bursar.api.testing.SettlementFixture.Wallet;
import io.bursar.money.Address;
import io.bursar.permit.CancelAuthorizationIntent;
import io.bursar.permit.SignerRefusal;
import io.bursar.permit.SignerReply;
import io.bursar.store.Fixture;
import io.bursar.store.Payment;
import io.bursar.store.PaymentMove.Cancel;
import io.bursar.store.PaymentState;
import io.bursar.store.PaymentState.Annulled;
import io.bursar.store.PaymentState.Confirmed;
import io.bursar.store.PaymentState.Relayed;
import io.bursar.store.Relayer;

/** Payments by authorization that may be signed and are to be canceled: whichever the token sees first counts. */
class RelayedCancellationTest extends RelayGround {
  @AfterEach
  void mineAgain() {
    anvil.rpc("evm_setAutomine", true);
  }

  private Cancel ask(Payment.Key spend) {
    return fixture.payments.requestCancel(spend.tenantId(), spend.spendId(), "test");
  }

  private void awaitFinal(List<Started> started, Payment.Key spend) {
    await().atMost(Duration.ofSeconds(30)).pollDelay(Duration.ZERO).pollInterval(Duration.ofMillis(50)).until(() -> {
      started.forEach(each -> {
        each.sign();
        each.relay();
      });
      return fixture.state(spend) instanceof PaymentState.Final;
    });
  }

  private long count(String select, Object... parameters) {
    return (Long) java.util.Objects.requireNonNull(fixture.store.value(select, parameters));
  }

  /** How many transactions hold the cancellation, and how many the authorization. */
  private long inTransactions(Payment.Key spend, boolean cancels) {
    return count("SELECT count(*) FROM relay_item WHERE spend_id = ? AND cancels = ?", spend.spendId(), cancels);
  }

  private boolean isCancelSent(Payment.Key spend) {
    return count("""
        SELECT count(*) FROM payment_authorization z JOIN relay_batch b ON b.batch_id = z.cancel_batch_id
        WHERE z.spend_id = ? AND b.state = 'broadcast'""", spend.spendId()) == 1;
  }

  private void assertReserved(Wallet wallet, String context) {
    assertThat(fixture.store.reservations.unsettled(fixture.store.tenant, wallet.id())).as(context)
        .containsEntry(fixture.usdc.id(), Fixture.units("1"));
    assertThat(fixture.store.counters.differences(fixture.store.tenant)).as(context).isEmpty();
  }

  private void assertCanceled(Wallet wallet, Payment.Key spend, Address payee, String context) {
    assertThat(fixture.state(spend)).as(context).isInstanceOf(Annulled.class);
    assertThat(fixture.paid(payee)).as(context).isEqualTo(BigInteger.ZERO);
    assertThat(anvil.transfersFrom(wallet.address())).as(context).isEmpty();
    assertThat(fixture.store.reservations.unsettled(fixture.store.tenant, wallet.id())).as(context).isEmpty();
    assertThat(fixture.store.counters.differences(fixture.store.tenant)).as(context).isEmpty();
    assertThat(fixture.store.value("""
        SELECT count(*) FROM audit_entry WHERE kind = 'payment.canceled' AND subject = ?""", spend.spendId()))
        .as(context).isEqualTo(1L);
    assertThat(ask(spend)).as(context).isEqualTo(new Cancel.TooLate("canceled"));
  }

  @Test
  void whatWasNotSentIsCanceledAndItsAuthorizationNeverSent() {
    var wallet = walletWithoutCoin("5");
    var spend = fixture.spend(wallet, "1", payee);
    var started = new Started();
    started.signAll(List.of(spend));
    assertThat(ask(spend)).isEqualTo(new Cancel.Requested());
    assertThat(ask(spend)).isEqualTo(new Cancel.Requested());
    assertThat(fixture.store.value("SELECT count(*) FROM audit_entry WHERE kind = 'payment.cancel_requested'"))
        .isEqualTo(1L);
    anvil.rpc("evm_setAutomine", false);
    await().atMost(Duration.ofSeconds(20)).pollInterval(Duration.ofMillis(50)).until(() -> {
      started.sign();
      started.relay();
      return isCancelSent(spend);
    });
    assertReserved(wallet, "sent, and not mined");
    anvil.rpc("evm_setAutomine", true);
    anvil.rpc("evm_mine");
    awaitFinal(List.of(started), spend);
    assertCanceled(wallet, spend, payee, "canceled");
    assertThat(inTransactions(spend, false)).isZero();
    var next = fixture.spend(wallet, "5", payee);
    started.settle(List.of(next));
    assertThat(fixture.paid(payee)).as("what was held is free again").isEqualTo(Fixture.units("5"));
  }

  @Test
  void oneOfManyIsCanceledAndTheOthersOfItsTransactionArePaid() {
    var wallet = walletWithoutCoin("5");
    var spends = fixture.spends(wallet, "1", payee, 3);
    var started = new Started();
    started.signAll(spends);
    ask(spends.get(1));
    started.sign();
    started.settle(spends);
    assertThat(spends).extracting(fixture::state).extracting(Object::getClass).extracting(Class::getSimpleName)
        .containsExactly("Confirmed", "Annulled", "Confirmed");
    assertThat(fixture.paid(payee)).isEqualTo(Fixture.units("2"));
    assertThat(fixture.store.value("SELECT count(DISTINCT batch_id) FROM relay_item")).as("in one transaction")
        .isEqualTo(1L);
    assertThat(fixture.store.counters.differences(fixture.store.tenant)).isEmpty();
  }

  /** Both are on their way, each by a relayer of its own, and the chain mines what it is told to. */
  private final class Race {
    private final Wallet wallet = walletWithoutCoin("5");
    private final Payment.Key spend = fixture.spend(wallet, "1", payee);
    private final Started pays = new Started();
    private final Relayer other;
    private final Started cancels;

    Race() throws Exception {
      other = newRelayer();
      pays.signAll(List.of(spend));
      anvil.rpc("evm_setAutomine", false);
      pays.relay();
      assertThat(fixture.state(spend)).isEqualTo(new Relayed("broadcast"));
      assertThat(ask(spend)).isEqualTo(new Cancel.Requested());
      pays.sign();
      pays.relay();
      assertThat(inTransactions(spend, true)).as("behind the payment it would come too late").isZero();
      cancels = new Started(other);
      assertThat(pool.take(relayer, pays.lease)).isTrue();
      cancels.relay();
      assertThat(isCancelSent(spend)).isTrue();
      assertReserved(wallet, "both on their way");
    }

    /** Drops the transaction of one of them, has the other one mined, and lets the first come after it. */
    void mineFirst(Relayer first, Relayer second) {
      var late = raw(second);
      anvil.rpc("anvil_dropTransaction", hash(second));
      anvil.rpc("evm_mine");
      assertThat(anvil.transactionCount(first.address())).isEqualTo(1);
      anvil.rpc("eth_sendRawTransaction", late);
      anvil.rpc("evm_mine");
      anvil.rpc("evm_setAutomine", true);
      awaitFinal(List.of(pays, cancels), spend);
      await().atMost(Duration.ofSeconds(20)).pollInterval(Duration.ofMillis(50)).until(() -> {
        pays.relay();
        cancels.relay();
        return count("SELECT count(*) FROM relay_batch WHERE state <> 'settled'") == 0;
      });
    }

    private String raw(Relayer of) {
      return String.valueOf(fixture.store.value("""
          SELECT '0x' || encode(a.raw_transaction, 'hex') FROM relay_attempt a JOIN relay_batch b USING (batch_id)
          WHERE b.key_id = ?""", of.keyId()));
    }

    private String hash(Relayer of) {
      return String.valueOf(fixture.store.value("""
          SELECT '0x' || encode(a.transaction_hash, 'hex') FROM relay_attempt a JOIN relay_batch b USING (batch_id)
          WHERE b.key_id = ?""", of.keyId()));
    }
  }

  @Test
  void whereTheCancellationIsMinedFirstThePaymentComesTooLate() throws Exception {
    var race = new Race();
    race.mineFirst(race.other, relayer);
    assertCanceled(race.wallet, race.spend, payee, "canceled in flight");
  }

  @Test
  void whereThePaymentIsMinedFirstTheSpendIsConfirmedInSpiteOfTheCancellation() throws Exception {
    var race = new Race();
    race.mineFirst(relayer, race.other);
    assertThat(fixture.state(race.spend)).isInstanceOf(Confirmed.class);
    assertPaidOnce(race.wallet, List.of(race.spend), "paid in flight");
    assertThat(fixture.store.reservations.unsettled(fixture.store.tenant, race.wallet.id())).isEmpty();
    assertThat(ask(race.spend)).isEqualTo(new Cancel.TooLate("confirmed"));
  }

  @Test
  void cancelsOnceWhereverItIsCutShort() throws Exception {
    for (int cut = 0; cut < 6; cut++) {
      relayer = newRelayer();
      var wallet = walletWithoutCoin("5");
      var payee = newPayee();
      var spend = fixture.spend(wallet, "1", payee);
      if (cut == 0) { // asked for while the payment's own signature was not recorded
        new Started().prepareOnly(spend);
      } else {
        new Started().signAll(List.of(spend));
      }
      ask(spend);
      cutShort(cut, spend);
      assertReserved(wallet, "cut " + cut);
      awaitFinal(List.of(new Started()), spend);
      assertCanceled(wallet, spend, payee, "cut " + cut);
    }
  }

  /** Leaves the world as a process that was killed there would. */
  private void cutShort(int cut, Payment.Key spend) throws Exception {
    if (cut == 0) {
      return;
    }
    var transfers = signer.transfers(fixture.log);
    var payment = store.read(List.of(spend)).getFirst();
    var signature = (SignerReply.AuthorizationSigned) transfers.sign(payment.cancelIntent(),
        java.util.Objects.requireNonNull(payment.canceling()).entry(),
        transfers.cancellation(spend.tenantId(), spend.spendId())); // signed, and the answer never recorded
    if (cut == 1) {
      return;
    }
    store.cancellations().sign(java.util.Map.of(payment, signature.signature()));
    var started = new Started();
    if (cut == 2) {
      return;
    }
    var gas = anvil.chain().quote().offer().gas(600_000);
    var batch = batches.fix(relayer, started.lease, 100, 0, count -> gas).orElseThrow(); // a nonce is taken, nothing is signed
    if (cut >= 4) {
      var signed = (SignerReply.Signed) transfers.sign(batch.intent(batches.members(batch), gas));
      batches.sign(batch, signed.rawTransaction(), signed.transactionHash());
      if (cut >= 5) { // sent, and the answer never recorded
        var _ = anvil.chain().send(signed.rawTransaction());
      }
    }
  }

  @Test
  void theSignerCancelsNothingThatIsNotOnTheRecordAsCanceled() throws Exception {
    var spend = fixture.spend(walletWithoutCoin("5"), "1", payee);
    new Started().signAll(List.of(spend));
    var payment = store.read(List.of(spend)).getFirst();
    CancelAuthorizationIntent intent = payment.cancelIntent();
    var transfers = signer.transfers(fixture.log);
    var reply = transfers.sign(intent, payment.order().authorizationHash(),
        transfers.evidence(spend.tenantId(), spend.spendId()));
    assertThat(reply).isInstanceOfSatisfying(SignerReply.Refused.class,
        refused -> assertThat(refused.reason()).isEqualTo(SignerRefusal.AUTHORIZATION_MISMATCH));
  }
}
