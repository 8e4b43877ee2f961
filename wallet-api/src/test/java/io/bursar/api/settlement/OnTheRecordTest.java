package io.bursar.api.settlement;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;

import org.junit.jupiter.api.Test;

import io.bursar.api.testing.SettlementFixture;
import io.bursar.permit.SignerRefusal;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerRequest.Evidence;
import io.bursar.permit.TransferIntent;
import io.bursar.store.Fixture;
import io.bursar.store.Payment;
import io.bursar.store.PaymentState.Broadcast;
import io.bursar.store.PaymentState.Prepared;

/** Nothing is signed that is not on the record, and as it stands there: a real signer and a database that was tampered with. */
class OnTheRecordTest extends ChainAndSigner {
  private Payment prepared() {
    fixture.spend(fixture.fundedWallet("100"), "5", payee);
    var payment = fixture.payments.claim(1, 1, List.of()).getFirst().getFirst();
    var step = fixture.steps(Effects.PLAIN).step(payment);
    assertThat(step).isInstanceOf(Step.Moved.class);
    return ((Step.Moved) step).payment();
  }

  /** As only the owner of the tables could: the entry of a payment of 5 says another amount, and its hash is made to fit. */
  private void alterEntry() {
    fixture.store.test.asAdministrator("ALTER TABLE audit_entry DISABLE TRIGGER ALL");
    fixture.store.test.asAdministrator("""
        UPDATE audit_entry SET payload = p, leaf_hash = sha256('\\x00'::bytea || p)
        FROM (SELECT seq AS altered, convert_to(replace(convert_from(payload, 'UTF8'), '"amount":"5000000"',
          '"amount":"6000000"'), 'UTF8') AS p FROM audit_entry WHERE kind = 'authorization') AS a
        WHERE seq = altered""");
  }

  private void isRefused(Payment payment, SignerRefusal reason) {
    var step = fixture.steps(Effects.PLAIN).step(fixture.payments.find(payment.key()).orElseThrow());
    assertThat(step).isInstanceOfSatisfying(Step.Wait.class,
        wait -> assertThat(wait.why()).contains("(" + reason + ")"));
    assertThat(fixture.alarms(Alarm.SIGNER_REFUSED)).isEqualTo(1);
    assertThat(fixture.store.value("SELECT count(*) FROM audit_entry WHERE kind = 'signer.refused'")).isEqualTo(1L);
    assertThat(anvil.balanceOf(payee)).isZero();
  }

  @Test
  void anEntryAlteredBeforeItWasSequencedIsNotPaid() {
    var payment = prepared();
    alterEntry();
    isRefused(payment, SignerRefusal.AUTHORIZATION_MISMATCH);
  }

  @Test
  void anEntryAlteredAfterItWasSequencedIsNotPaid() throws Exception {
    var payment = prepared();
    fixture.log.catchUp(fixture.store.tenant);
    alterEntry();
    isRefused(payment, SignerRefusal.NOT_LOGGED);
  }

  @Test
  void ofSeveralThatGoTogetherOneThatIsRefusedHoldsUpThoseAfterItAndNotThoseBefore() {
    var wallet = fixture.fundedWallet("100");
    var spends = List.of(fixture.spend(wallet, "4", payee), fixture.spend(wallet, "5", payee),
        fixture.spend(wallet, "7", payee));
    alterEntry();
    var taken = fixture.payments.claim(1, 16, List.of()).getFirst();
    fixture.steps(Effects.PLAIN).advance(taken, () -> true);
    assertThat(spends).extracting(spend -> fixture.state(spend).text()).containsExactly("broadcast", "prepared",
        "prepared");
    assertThat(fixture.failure(spends.get(1))).contains(SignerRefusal.AUTHORIZATION_MISMATCH.name());
    assertThat(fixture.alarms(Alarm.SIGNER_REFUSED)).isEqualTo(1);
    assertThat(fixture.store.value("SELECT count(*) FROM audit_entry WHERE kind = 'signer.refused'")).isEqualTo(1L);
    assertThat(fixture.store.value("SELECT count(*) FROM payment WHERE lease_until > now()")).isEqualTo(0L);
    assertThat(anvil.balanceOf(payee)).isEqualTo(Fixture.units("4"));
  }

  @Test
  void theReceiptOfAnotherTenantsLogPaysNothing() throws Exception {
    var payment = prepared();
    var mine = fixture.log.evidence(payment.tenantId(), payment.spendId(), Duration.ofSeconds(5));
    try (var other = new SettlementFixture(anvil, signer)) {
      other.spend(other.fundedWallet("100"), "5", payee);
      var theirs = other.payments.claim(1, 1, List.of()).getFirst().getFirst();
      var foreign = other.log.evidence(theirs.tenantId(), theirs.spendId(), Duration.ofSeconds(5));
      for (var evidence : List.of(foreign, new Evidence(mine.entry(), foreign.proof()),
          new Evidence(foreign.entry(), mine.proof()))) {
        var reply = signer.transfers(fixture.log).sign(intent(payment), payment.order().authorizationHash(), evidence);
        assertThat(reply).isInstanceOfSatisfying(SignerReply.Refused.class,
            refused -> assertThat(refused.reason()).isEqualTo(SignerRefusal.NOT_LOGGED));
      }
    }
    assertThat(signer.transfers(fixture.log).sign(intent(payment), payment.order().authorizationHash(), mine))
        .isInstanceOf(SignerReply.Signed.class);
  }

  private static TransferIntent intent(Payment payment) {
    return switch (payment.state()) {
      case Prepared(var nonce, var gas) -> new TransferIntent(payment.tenantId(), payment.spendId(),
          new TransferIntent.NonceSlot(31337, payment.wallet().walletId(), nonce), payment.wallet().address(),
          new TransferIntent.Transfer(payment.order().token(), payment.order().payee(), payment.order().amount()), gas);
      default -> throw new IllegalStateException(payment.state().text());
    };
  }

  @Test
  void aPaymentPullsItsReceiptForward() {
    var payment = prepared();
    assertThat(fixture.log.state(fixture.store.tenant).checkpoint()).isEmpty();
    var steps = fixture.steps(Effects.PLAIN);
    var signed = (Step.Moved) steps.step(payment);
    assertThat(((Step.Moved) steps.step(signed.payment())).payment().state()).isInstanceOf(Broadcast.class);
  }
}
