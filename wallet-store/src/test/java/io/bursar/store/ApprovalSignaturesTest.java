package io.bursar.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigInteger;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.Signature;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

import io.bursar.approval.ApprovalText;
import io.bursar.approval.ApproverKey;
import io.bursar.approval.Verdict;
import io.bursar.json.Json;
import io.bursar.permit.Bytes;
import io.bursar.policy.Policy;
import io.bursar.store.Approvals.Question;
import io.bursar.store.Approvals.Result;

/** A signature counts for one approver, one verdict and one spend as it stands, and for nothing else. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ApprovalSignaturesTest {
  private static final String RULES = """
      {"id":"any","kind":"permit"},
      {"id":"big","kind":"approval","match":{"assets":["USDC"],"amount":{"above":"20"}},
       "groups":[{"group":"finance","threshold":2},{"group":"legal","threshold":1}],"expiresAfter":"PT4H"}""";

  /** An approver with the private half of its key. */
  private record Person(UUID id, KeyPair pair) {}

  private final Fixture fixture = new Fixture();
  private final Lane lane = fixture.lanes.open(fixture.tenant);
  private Person ada = person("Ada");
  private Person bob = person("Bob");
  private Person eve = person("Eve");
  private UUID agent = fixture.agent;
  private UUID wallet = fixture.wallet;
  private UUID finance = fixture.agent;
  private int number;

  /** Everybody and everything anew, in one database: making one takes longer than all that is tried in it. */
  @BeforeEach
  void make() {
    number++;
    ada = person("Ada");
    bob = person("Bob");
    eve = person("Eve");
    finance = fixture.approvers.createGroup(fixture.tenant, "finance-" + number, List.of(ada.id, bob.id), "test")
        .orElseThrow().id();
    assertThat(fixture.approvers.createGroup(fixture.tenant, "legal-" + number, List.of(bob.id, eve.id), "test"))
        .isPresent();
    agent = fixture.directory.createAgent(fixture.tenant, "agent", "test").id();
    wallet = fixture.newWallet(agent);
    attach(RULES);
  }

  private void attach(String rules) {
    fixture.attach(Policy.Target.WALLET, wallet,
        rules.replace("finance", "finance-" + number).replace("legal", "legal-" + number));
  }

  @AfterAll
  void close() {
    assertThat(fixture.counters.differences(fixture.tenant)).isEmpty();
    fixture.close();
  }

  private static KeyPair newPair() {
    try {
      return KeyPairGenerator.getInstance("Ed25519").generateKeyPair();
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private static ApproverKey publicKey(KeyPair pair) {
    return ApproverKey.of(pair.getPublic());
  }

  private Person person(String name) {
    var pair = newPair();
    return new Person(fixture.approvers.create(fixture.tenant, name, publicKey(pair), "test").orElseThrow().id(), pair);
  }

  private Spend ask(String key, String amount) throws Exception {
    var like = fixture.request(wallet, key, amount, Fixture.PAYEE);
    var request = new Spend.Request(agent, wallet, key, like.fingerprint(), like.asset(), like.amount(), like.payee(),
        null,
        null, Spend.Text.NONE, null);
    return ((Lane.Outcome.Decided) lane.decide(List.of(request)).getFirst()).spend();
  }

  private ApprovalText text(Spend spend) {
    return ((Question.Asked) fixture.approvals.question(fixture.tenant, spend.id())).text();
  }

  private static Bytes sign(Person person, ApprovalText text) {
    try {
      var signer = Signature.getInstance("Ed25519");
      signer.initSign(person.pair.getPrivate());
      signer.update(text.bytes());
      return Bytes.of(signer.sign());
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private Result speak(Spend spend, Person person, Verdict verdict, @Nullable Bytes signature,
      @Nullable ApprovalText said) {
    return fixture.approvals.speak(
        new Approvals.Word(fixture.tenant, spend.id(), person.id, verdict, signature, said, null), "test");
  }

  private Result approve(Spend spend, Person person) {
    return speak(spend, person, Verdict.APPROVE, sign(person, text(spend)), null);
  }

  private String status(Spend spend) {
    return fixture.spends.find(fixture.tenant, spend.id()).orElseThrow().status();
  }

  @Test
  void goesOnWhenEveryGroupHasEnoughSignatures() throws Exception {
    var spend = ask("k", "60");
    assertThat(approve(spend, ada)).isInstanceOf(Result.Taken.class);
    assertThat(approve(spend, eve)).isInstanceOf(Result.Taken.class);
    assertThat(status(spend)).isEqualTo("awaiting_approval");
    assertThat(approve(spend, bob)).isInstanceOf(Result.Taken.class);
    assertThat(status(spend)).isEqualTo("authorized");
  }

  @Test
  void oneWhoIsInBothGroupsCountsInBoth() throws Exception {
    var spend = ask("k", "60");
    approve(spend, ada);
    approve(spend, bob);
    assertThat(status(spend)).isEqualTo("authorized");
  }

  @Test
  void theRecordLetsAnOutsiderCheckTheSignature() throws Exception {
    var spend = ask("k", "60");
    approve(spend, ada);
    var entry = SpendStore.entry((byte[]) Objects.requireNonNull(fixture.value(
        "SELECT payload FROM audit_entry WHERE tenant_id = ? AND kind = 'approval.given' AND subject = ?",
        fixture.tenant,
        spend.id())));
    var text = ((Json.Str) Objects.requireNonNull(entry.get("text"))).value();
    var signature = ApproverKey.signature(((Json.Str) Objects.requireNonNull(entry.get("signature"))).value());
    assertThat(ApprovalText.parse(text).money().baseUnits()).isEqualTo(BigInteger.valueOf(60_000_000));
    assertThat(publicKey(ada.pair).verifies(text.getBytes(java.nio.charset.StandardCharsets.US_ASCII), signature))
        .isTrue();
    assertThat(entry.get("key")).isEqualTo(new Json.Str(publicKey(ada.pair).thumbprint()));
  }

  @Test
  void refusesASignatureOfAnotherVerdict() throws Exception {
    var spend = ask("k", "60");
    var reject = sign(ada, text(spend).with(Verdict.REJECT));
    assertThat(speak(spend, ada, Verdict.APPROVE, reject, null))
        .isEqualTo(new Result.InvalidSignature("is over the verdict `reject`"));
    assertThat(speak(spend, ada, Verdict.REJECT, reject, null)).isInstanceOf(Result.Taken.class);
    assertThat(status(spend)).isEqualTo("rejected");
  }

  @Test
  void refusesTheSignatureOfAnotherApprover() throws Exception {
    var spend = ask("k", "60");
    assertThat(speak(spend, ada, Verdict.APPROVE, sign(bob, text(spend)), null))
        .isInstanceOf(Result.InvalidSignature.class);
    assertThat(speak(spend, ada, Verdict.APPROVE, null, null)).isInstanceOf(Result.Unsigned.class);
    assertThat(speak(spend, ada, Verdict.APPROVE, Bytes.of(new byte[64]), null))
        .isInstanceOf(Result.InvalidSignature.class);
  }

  @Test
  void refusesASignatureReplayedOnAnotherSpend() throws Exception {
    var first = ask("a", "60");
    var second = ask("b", "60");
    var signature = sign(ada, text(first));
    assertThat(speak(second, ada, Verdict.APPROVE, signature, text(first))).isInstanceOf(Result.OtherSpend.class);
    assertThat(speak(first, ada, Verdict.APPROVE, signature, null)).isInstanceOf(Result.Taken.class);
    assertThat(speak(second, ada, Verdict.APPROVE, signature, null)).isInstanceOf(Result.OtherSpend.class);
  }

  @Test
  void refusesAnAlteredAmountOrPayeeAndNamesIt() throws Exception {
    var spend = ask("a", "60");
    var text = text(spend);
    var less = ApprovalText.parse(text.toString().replace("base-units: 60000000", "base-units: 6000000"));
    assertThat(speak(spend, ada, Verdict.APPROVE, sign(ada, less), less))
        .isEqualTo(new Result.Altered(List.of("base-units")));
    var elsewhere = ApprovalText
        .parse(text.toString().replace(Fixture.PAYEE.toString(), Fixture.address(7).toString()));
    assertThat(speak(spend, ada, Verdict.APPROVE, sign(ada, elsewhere), elsewhere))
        .isEqualTo(new Result.Altered(List.of("payee")));
    // Without the text nobody can tell what was signed, only that it was not this.
    assertThat(speak(spend, ada, Verdict.APPROVE, sign(ada, less), null)).isInstanceOf(Result.InvalidSignature.class);
    assertThat(speak(spend, ada, Verdict.APPROVE, sign(ada, less), text)).isInstanceOf(Result.InvalidSignature.class);
    assertThat(status(spend)).isEqualTo("awaiting_approval");
  }

  @Test
  void refusesAnApproverWhoWasRemovedAndDismissesWhatWasGiven() throws Exception {
    var spend = ask("a", "60");
    var bobs = sign(bob, text(spend));
    var before = text(spend);
    approve(spend, ada);
    fixture.approvers.changeMembers(fixture.tenant, finance, List.of(bob.id, eve.id), "test");
    assertThat(fixture.spends.find(fixture.tenant, spend.id()).orElseThrow().approvals()).isEmpty();
    assertThat(approve(spend, ada)).isInstanceOf(Result.NotAsked.class);
    assertThat(speak(spend, bob, Verdict.APPROVE, bobs, null)).isInstanceOf(Result.DismissedByGroup.class);
    assertThat(speak(spend, bob, Verdict.APPROVE, bobs, before)).isInstanceOf(Result.DismissedByGroup.class);
    assertThat(approve(spend, bob)).isInstanceOf(Result.Taken.class);
    assertThat(approve(spend, eve)).isInstanceOf(Result.Taken.class);
    assertThat(status(spend)).isEqualTo("authorized");
  }

  @Test
  void aGroupThatChangedBeforeAnybodySpokeIsSeenInTheText() throws Exception {
    var spend = ask("a", "60");
    var before = text(spend);
    fixture.approvers.changeMembers(fixture.tenant, finance, List.of(ada.id, eve.id), "test");
    assertThat(speak(spend, ada, Verdict.APPROVE, sign(ada, before), before))
        .isInstanceOf(Result.DismissedByGroup.class);
    assertThat(speak(spend, ada, Verdict.APPROVE, sign(ada, before), null))
        .isInstanceOf(Result.InvalidSignature.class);
  }

  @Test
  void aNewKeyDismissesWhatTheOldOneSigned() throws Exception {
    var spend = ask("a", "60");
    approve(spend, ada);
    var pair = newPair();
    assertThat(fixture.approvers.setKey(fixture.tenant, ada.id, publicKey(pair), "test")).isPresent();
    assertThat(fixture.spends.find(fixture.tenant, spend.id()).orElseThrow().approvals()).isEmpty();
    assertThat(approve(spend, ada)).isInstanceOf(Result.InvalidSignature.class);
    assertThat(approve(spend, new Person(ada.id, pair))).isInstanceOf(Result.Taken.class);
  }

  @Test
  void aKeyBelongsToOneApproverForEver() {
    assertThat(fixture.approvers.create(fixture.tenant, "Twin", publicKey(ada.pair), "test")).isEmpty();
    assertThat(fixture.approvers.setKey(fixture.tenant, bob.id, publicKey(ada.pair), "test")).isEmpty();
    fixture.approvers.setKey(fixture.tenant, ada.id, publicKey(newPair()), "test");
    assertThat(fixture.approvers.setKey(fixture.tenant, ada.id, publicKey(ada.pair), "test")).isEmpty();
    assertThat(fixture.approvers.find(fixture.tenant, bob.id).orElseThrow().key()).isNotNull()
        .satisfies(key -> assertThat(key.thumbprint()).isEqualTo(publicKey(bob.pair).thumbprint()));
  }

  @Test
  void theInitiatorsOwnPrincipalsNeverCount() throws Exception {
    var spend = ask("a", "60");
    approve(spend, ada);
    fixture.directory.setPrincipals(fixture.tenant, agent, List.of(ada.id), "test");
    // Ada had spoken before she was named; her word does not count any more.
    approve(spend, bob);
    assertThat(status(spend)).isEqualTo("awaiting_approval");
    assertThat(approve(ask("b", "60"), ada)).isInstanceOf(Result.Initiator.class);
    var all = SpendStore.Filter.ALL;
    assertThat(fixture.spends.list(fixture.tenant, new SpendStore.Filter(all.agentId(), all.walletId(), all.status(),
        all.payee(), all.asset(), all.from(), all.to(), Optional.of(ada.id)),
        new Page.Request(Optional.empty(), 50)).items()).isEmpty();
  }

  @Test
  void whoHoldsTheKeyThatMadeTheAgentOrItsKeyIsAPrincipal() {
    var keys = new ApiKeys(fixture.database, fixture.audit);
    var adas = keys.issue(fixture.tenant, ApiKeys.Role.ADMIN, "Ada", null, ada.id, "test").key();
    var bobs = keys.issue(fixture.tenant, ApiKeys.Role.ADMIN, "Bob", null, bob.id, "test").key();
    var agent = fixture.directory.createAgent(fixture.tenant, "made", io.bursar.spend.Id.API_KEY.text(adas.id()));
    assertThat(agent.principals()).containsExactly(ada.id);
    keys.issue(fixture.tenant, ApiKeys.Role.AGENT, "k", agent.id(), null, io.bursar.spend.Id.API_KEY.text(bobs.id()));
    assertThat(fixture.directory.agent(fixture.tenant, agent.id()).orElseThrow().principals())
        .containsExactlyInAnyOrder(ada.id, bob.id);
  }

  @Test
  void refusesTwiceByOneApproverAlsoAfterTheQuorum() throws Exception {
    var spend = ask("a", "60");
    approve(spend, ada);
    assertThat(approve(spend, ada)).isInstanceOf(Result.AlreadySpoken.class);
    var last = sign(bob, text(spend));
    assertThat(speak(spend, bob, Verdict.APPROVE, last, null)).isInstanceOf(Result.Taken.class);
    assertThat(status(spend)).isEqualTo("authorized");
    assertThat(speak(spend, bob, Verdict.APPROVE, last, null)).isInstanceOf(Result.AlreadySpoken.class);
    assertThat(speak(spend, eve, Verdict.APPROVE, last, null)).isEqualTo(new Result.NotAwaiting("authorized"));
  }

  @Test
  void refusesAfterTheExpiryAlsoWhenItWasEndedMeanwhile() throws Exception {
    var spend = ask("a", "60");
    var signature = sign(ada, text(spend));
    fixture.test.asAdministrator(
        "UPDATE payment SET expires_at = now() - interval '1 second' WHERE spend_id = '" + spend.id() + "'");
    assertThat(speak(spend, ada, Verdict.APPROVE, signature, null)).isInstanceOf(Result.Expired.class);
    assertThat(status(spend)).isEqualTo("expired");
    assertThat(speak(spend, ada, Verdict.APPROVE, signature, null)).isInstanceOf(Result.Expired.class);
  }

  @Test
  void refusesWhatWasSignedBeforeAChangeOfThePolicy() throws Exception {
    var spend = ask("a", "60");
    var bobs = sign(bob, text(spend));
    approve(spend, ada);
    attach(RULES.replace("\"above\":\"20\"", "\"above\":\"30\""));
    assertThat(speak(spend, bob, Verdict.APPROVE, bobs, null)).isInstanceOf(Result.DismissedByPolicy.class);
    assertThat(status(spend)).isEqualTo("awaiting_approval");
    // And again, now that another round has begun.
    assertThat(speak(spend, bob, Verdict.APPROVE, bobs, null)).isInstanceOf(Result.DismissedByPolicy.class);
    assertThat(approve(spend, ada)).isInstanceOf(Result.Taken.class);
    assertThat(approve(spend, bob)).isInstanceOf(Result.Taken.class);
    assertThat(status(spend)).isEqualTo("authorized");
  }

  @Test
  void anApprovedSpendStillWaitsForItsDelayAndCanBeCanceledMeanwhile() throws Exception {
    attach(RULES.replace("\"expiresAfter\"", "\"delay\":\"PT1H\",\"expiresAfter\""));
    var payments = new PaymentStore(fixture.database, fixture.audit, fixture.reservations,
        PaymentStore.Settings.DEFAULT);
    var spend = ask("a", "60");
    approve(spend, ada);
    approve(spend, bob);
    var approved = Objects.requireNonNull(fixture.spends.find(fixture.tenant, spend.id()).orElseThrow().payment());
    assertThat(approved.state()).isEqualTo("authorized");
    assertThat(Objects.requireNonNull(approved.notBefore())).isEqualTo(approved.updatedAt().plusSeconds(3600));
    assertThat(payments.claim(100, 100, List.of()).stream().flatMap(List::stream).map(Payment::spendId))
        .doesNotContain(spend.id());
    // Even if it is taken up early, by whatever fault, it gets no nonce.
    fixture.test.asAdministrator("UPDATE payment SET due_at = now() WHERE spend_id = '" + spend.id() + "'");
    var taken = payments.claim(100, 100, List.of()).stream().flatMap(List::stream)
        .filter(payment -> payment.spendId().equals(spend.id())).findFirst().orElseThrow();
    assertThat(payments.move(taken, new PaymentEvent.Prepare(
        new io.bursar.permit.TransferIntent.Gas(60_000, BigInteger.TEN, BigInteger.ONE))))
        .isEqualTo(new PaymentMove.Held("its delay after the approval is not over"));
    assertThat(payments.cancel(fixture.tenant, spend.id(), "test")).isInstanceOf(PaymentMove.Cancel.Canceled.class);
    assertThat(status(spend)).isEqualTo("canceled");
  }

  @Test
  void withoutAKeyNobodyMayApproveWhereKeysAreRequired() throws Exception {
    var keyless = fixture.approvers.create(fixture.tenant, "Joe", null, "test").orElseThrow().id();
    fixture.approvers.changeMembers(fixture.tenant, finance, List.of(ada.id, keyless), "test");
    var spend = ask("a", "60");
    var word = new Approvals.Word(fixture.tenant, spend.id(), keyless, Verdict.APPROVE, null, null, null);
    var strict = new Approvals(fixture.database, fixture.audit, fixture.spends, fixture.reservations, fixture.counters,
        true);
    assertThat(strict.speak(word, "test")).isInstanceOf(Result.NoKey.class);
    assertThat(fixture.approvals.speak(word, "test")).isInstanceOf(Result.Taken.class);
    assertThat(fixture.spends.find(fixture.tenant, spend.id()).orElseThrow().approvals().getFirst().thumbprint())
        .isNull();
  }
}
