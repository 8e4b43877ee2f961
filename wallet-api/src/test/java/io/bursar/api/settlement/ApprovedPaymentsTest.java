package io.bursar.api.settlement;

import static org.assertj.core.api.Assertions.assertThat;

import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.Signature;
import java.util.List;
import java.util.UUID;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import io.bursar.approval.ApproverKey;
import io.bursar.approval.Proof;
import io.bursar.approval.Verdict;
import io.bursar.json.Json;
import io.bursar.permit.Bytes;
import io.bursar.permit.SignerRefusal;
import io.bursar.policy.Policy;
import io.bursar.store.Approvals;
import io.bursar.store.Approvals.Question;
import io.bursar.store.Approvers.NewKey;
import io.bursar.store.Payment;
import io.bursar.store.PaymentState.Signed;
import io.bursar.store.Spend;

/** What approvers have signed goes to the signer with the payment, and only what they have signed is paid. */
class ApprovedPaymentsTest extends ChainAndSigner {
  private final KeyPair ada = pair();
  private UUID adaId = UUID.randomUUID();
  private UUID bobId = UUID.randomUUID();

  @BeforeEach
  void makeApprovers() {
    adaId = fixture.store.approvers
        .create(fixture.store.tenant, "Ada", NewKey.of(ApproverKey.of(ada.getPublic())), "test").orElseThrow().id();
    bobId = fixture.store.approvers.create(fixture.store.tenant, "Bob", null, "test").orElseThrow().id();
    for (var group : List.of("finance", "others")) {
      assertThat(fixture.store.approvers.createGroup(fixture.store.tenant, group, List.of(adaId, bobId), "test"))
          .isPresent();
    }
  }

  private Payment approved() {
    var wallet = fixture.fundedWallet("100");
    fixture.store.attach(Policy.Target.WALLET, wallet.id(), """
        {"id":"any","kind":"permit"},
        {"id":"people","kind":"approval","groups":[{"group":"finance","threshold":2}]}""");
    var spend = fixture.ask(wallet, "5", payee);
    assertThat(spend.status()).isEqualTo("awaiting_approval");
    speak(spend, adaId, ada);
    speak(spend, bobId, null);
    return fixture.payment(new Payment.Key(fixture.store.tenant, spend.id()));
  }

  private void speak(Spend spend, UUID approver, @Nullable KeyPair pair) {
    var text = ((Question.Asked) fixture.store.approvals.question(fixture.store.tenant, spend.id())).text();
    var proof = pair == null ? null : new Proof.OverText(sign(pair, text.bytes()));
    assertThat(fixture.store.approvals.speak(
        new Approvals.Word(fixture.store.tenant, spend.id(), approver, Verdict.APPROVE, proof, null, null), "test"))
        .isInstanceOf(Approvals.Result.Taken.class);
  }

  private Step signed(Payment payment) {
    var steps = fixture.steps(Effects.PLAIN);
    var claimed = fixture.payments.claim(1, 1, List.of()).getFirst().getFirst();
    assertThat(claimed.spendId()).isEqualTo(payment.spendId());
    return steps.step(((Step.Moved) steps.step(claimed)).payment());
  }

  @Test
  void anApprovedPaymentIsSignedWithWhatItsApproversSaid() {
    assertThat(signed(approved())).isInstanceOfSatisfying(Step.Moved.class,
        moved -> assertThat(moved.payment().state()).isInstanceOf(Signed.class));
    assertThat(recordedGroups()).as("the group that was not asked had approved nothing")
        .isEqualTo(Json.strings(List.of("finance")));
  }

  private @Nullable Json recordedGroups() {
    var payload = (byte[]) fixture.store.value("""
        SELECT payload FROM audit_entry WHERE kind = 'authorization' ORDER BY seq DESC LIMIT 1""");
    return io.bursar.store.Fixture.json(new String(payload, java.nio.charset.StandardCharsets.UTF_8))
        .get("approvedBy");
  }

  @Test
  void aSignatureThatWasPutIntoTheDatabaseIsNotPaid() {
    var payment = approved();
    fixture.store.test.asAdministrator("ALTER TABLE approval DISABLE TRIGGER ALL");
    fixture.store.test.asAdministrator("UPDATE approval SET signature = '" + ApproverKey.base64url(
        sign(pair(), "something else".getBytes(java.nio.charset.StandardCharsets.UTF_8)))
        + "' WHERE signature IS NOT NULL");
    refused(payment, SignerRefusal.APPROVAL_INVALID);
  }

  @Test
  void anApprovalThatWasTakenAwayIsMissed() {
    var payment = approved();
    fixture.store.test.asAdministrator("ALTER TABLE approval DISABLE TRIGGER ALL");
    fixture.store.test.asAdministrator("DELETE FROM approval WHERE signature IS NULL");
    refused(payment, SignerRefusal.APPROVALS_MISSING);
  }

  private void refused(Payment payment, SignerRefusal reason) {
    assertThat(signed(payment)).isInstanceOfSatisfying(Step.Wait.class,
        wait -> assertThat(wait.why()).contains("(" + reason + ")"));
    assertThat(anvil.balanceOf(payee)).isZero();
  }

  private static KeyPair pair() {
    try {
      return KeyPairGenerator.getInstance("Ed25519").generateKeyPair();
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private static Bytes sign(KeyPair pair, byte[] message) {
    try {
      var signature = Signature.getInstance("Ed25519");
      signature.initSign(pair.getPrivate());
      signature.update(message);
      return Bytes.of(signature.sign());
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }
}
