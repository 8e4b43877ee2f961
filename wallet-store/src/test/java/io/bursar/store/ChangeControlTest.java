package io.bursar.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

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

import io.bursar.approval.ApproverKey;
import io.bursar.approval.ChangeText;
import io.bursar.approval.Proof;
import io.bursar.approval.Verdict;
import io.bursar.permit.Bytes;
import io.bursar.policy.Policy;
import io.bursar.store.Approvers.NewKey;
import io.bursar.store.Change.Scope;
import io.bursar.store.ChangeControl.Request;
import io.bursar.store.ChangeControl.Requester;
import io.bursar.store.ChangeControl.Result;

/** What is under control changes only by its quorum, or a day later in sight of it. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ChangeControlTest {
  private static final String RULES = "{\"id\":\"any\",\"kind\":\"permit\"}";

  private record Person(UUID id, KeyPair pair) {}

  private final Fixture fixture = new Fixture();
  private final ChangeControl changes = new ChangeControl(fixture.database, fixture.audit, fixture.policies,
      fixture.approvers, fixture.directory, true);
  private UUID tenant = fixture.tenant;
  private Person ada = new Person(tenant, newPair());
  private Person bob = ada;
  private Person eve = ada;
  private UUID holders = tenant;
  private int number;

  /** A tenant of its own for each test: control is the tenant's. */
  @BeforeEach
  void make() {
    number++;
    tenant = fixture.directory.createTenant("t" + number, "test").orElseThrow().id();
    ada = person("Ada");
    bob = person("Bob");
    eve = person("Eve");
    holders = fixture.approvers.createGroup(tenant, "holders", List.of(ada.id, bob.id), "test").orElseThrow().id();
  }

  @AfterAll
  void close() {
    fixture.close();
  }

  private static KeyPair newPair() {
    try {
      return KeyPairGenerator.getInstance("Ed25519").generateKeyPair();
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private Person person(String name) {
    var pair = newPair();
    return new Person(
        fixture.approvers.create(tenant, name, NewKey.of(ApproverKey.of(pair.getPublic())), "test").orElseThrow().id(),
        pair);
  }

  private static Requester admin() {
    return new Requester("operator", null);
  }

  private void control(Scope scope, int threshold) {
    assertThat(changes.set(tenant, new Change.Control(scope, holders, threshold), admin())).isEmpty();
  }

  private PolicyStore.PolicyVersion published(String rules) {
    var document = Fixture.json("{\"name\":\"p\",\"rules\":[" + rules + "]}");
    var draft = fixture.policies.create(tenant, "p", document, "test");
    return fixture.policies.publish(tenant, draft.policyId(), draft.version(), "test").orElseThrow();
  }

  private Change attach(PolicyStore.PolicyVersion policy) {
    return new Change.Attach(Policy.Target.TENANT, tenant, policy.policyId(), policy.version());
  }

  private @Nullable String attached() {
    return fixture.policies.attachment(tenant, Policy.Target.TENANT, tenant).map(PolicyStore.Attachment::version)
        .orElse(null);
  }

  private Result speak(Request request, Person person, Verdict verdict, ChangeText signed) {
    try {
      var signer = Signature.getInstance("Ed25519");
      signer.initSign(person.pair.getPrivate());
      signer.update(signed.bytes());
      return changes.speak(new ChangeControl.Word(tenant, request.id(), person.id, verdict,
          new Proof.OverText(Bytes.of(signer.sign())), null), "test");
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private Result approve(Request request, Person person) {
    return speak(request, person, Verdict.APPROVE, changes.text(tenant, request));
  }

  private String status(Request request) {
    return changes.find(tenant, request.id()).orElseThrow().status();
  }

  @Test
  void whatIsNotUnderControlIsLeftToTheCaller() {
    assertThat(changes.ask(tenant, attach(published(RULES)), admin())).isEmpty();
  }

  @Test
  void isDoneWhenTheQuorumHasSignedItAndNotBefore() {
    control(Scope.ATTACHMENTS, 2);
    var policy = published(RULES);
    var request = changes.ask(tenant, attach(policy), admin()).orElseThrow();
    assertThat(approve(request, ada)).isInstanceOf(Result.Taken.class);
    assertThat(approve(request, ada)).isInstanceOf(Result.AlreadySpoken.class);
    assertThat(approve(request, eve)).isInstanceOf(Result.NotAsked.class);
    assertThat(attached()).isNull();
    assertThat(approve(request, bob)).isInstanceOf(Result.Taken.class);
    assertThat(attached()).isEqualTo(policy.version());
    assertThat(status(request)).isEqualTo("executed");
    assertThat(approve(request, bob)).isEqualTo(new Result.NotPending("executed"));
  }

  @Test
  void showsTheDifferenceOfTheDocuments() {
    var before = published(
        "{\"id\":\"daily\",\"kind\":\"limit\",\"match\":{\"currency\":\"USD\"},\"max\":\"100\",\"window\":\"spend\"}");
    fixture.policies.attach(tenant, Policy.Target.TENANT, tenant, before.policyId(), before.version(), "test");
    control(Scope.ATTACHMENTS, 1);
    var after = published(
        "{\"id\":\"daily\",\"kind\":\"limit\",\"match\":{\"currency\":\"USD\"},\"max\":\"900\",\"window\":\"spend\"}");
    var request = changes.ask(tenant, attach(after), admin()).orElseThrow();
    assertThat(changes.diff(tenant, request)).contains("- /document/rules/daily/max: \"100\"",
        "+ /document/rules/daily/max: \"900\"", "- /version: \"" + before.version() + "\"");
  }

  @Test
  void aSignatureCountsForOneChangeAndOneVerdictOnly() {
    control(Scope.ATTACHMENTS, 1);
    var policy = published(RULES);
    var first = changes.ask(tenant, attach(policy), admin()).orElseThrow();
    var second = changes.ask(tenant, attach(policy), admin()).orElseThrow();
    assertThat(speak(second, ada, Verdict.APPROVE, changes.text(tenant, first)))
        .isInstanceOf(Result.InvalidSignature.class);
    assertThat(speak(second, ada, Verdict.APPROVE, changes.text(tenant, second).with(Verdict.REJECT)))
        .isInstanceOf(Result.InvalidSignature.class);
    assertThat(changes.speak(new ChangeControl.Word(tenant, first.id(), ada.id, Verdict.APPROVE, null, null), "test"))
        .isInstanceOf(Result.Unsigned.class);
  }

  @Test
  void oneRejectionEndsIt() {
    control(Scope.ATTACHMENTS, 2);
    var request = changes.ask(tenant, attach(published(RULES)), admin()).orElseThrow();
    approve(request, ada);
    assertThat(speak(request, bob, Verdict.REJECT, changes.text(tenant, request).with(Verdict.REJECT)))
        .isInstanceOf(Result.Taken.class);
    assertThat(status(request)).isEqualTo("rejected");
    assertThat(attached()).isNull();
  }

  @Test
  void isNotDoneWhenItWouldChangeSomethingElseThanWasSigned() {
    var first = published(RULES);
    control(Scope.ATTACHMENTS, 1);
    var one = changes.ask(tenant, attach(first), admin()).orElseThrow();
    var other = changes.ask(tenant, attach(published("{\"id\":\"none\",\"kind\":\"deny\"}")), admin()).orElseThrow();
    approve(one, ada);
    assertThat(attached()).isEqualTo(first.version());
    approve(other, ada);
    assertThat(status(other)).isEqualTo("outdated");
    assertThat(attached()).isEqualTo(first.version());
  }

  @Test
  void takingTheControlAwayNeedsTheSameQuorum() {
    control(Scope.ATTACHMENTS, 2);
    var release = changes.set(tenant, new Change.Control(Scope.ATTACHMENTS, null, 1), admin()).orElseThrow();
    var weaken = changes.set(tenant, new Change.Control(Scope.ATTACHMENTS, holders, 1), admin()).orElseThrow();
    assertThat(changes.controls(tenant)).singleElement()
        .satisfies(control -> assertThat(control.threshold()).isEqualTo(2));
    approve(weaken, ada);
    assertThat(changes.controls(tenant).getFirst().threshold()).isEqualTo(2);
    approve(release, ada);
    approve(release, bob);
    assertThat(changes.controls(tenant)).isEmpty();
  }

  @Test
  void whatWasAskedForUnderAWeakerControlIsNotDoneUnderAStrongerOne() {
    control(Scope.ATTACHMENTS, 1);
    var early = changes.ask(tenant, attach(published(RULES)), admin()).orElseThrow();
    approve(changes.set(tenant, new Change.Control(Scope.ATTACHMENTS, holders, 2), admin()).orElseThrow(), ada);
    assertThat(changes.controls(tenant).getFirst().threshold()).isEqualTo(2);
    approve(early, bob);
    assertThat(status(early)).isEqualTo("outdated");
    assertThat(attached()).isNull();
  }

  @Test
  void theGroupThatHoldsTheControlCannotBeChangedPastIt() {
    control(Scope.ATTACHMENTS, 2);
    var takeOver = changes.ask(tenant, new Change.Members(holders, List.of(eve.id)), admin()).orElseThrow();
    var newKey = changes.ask(tenant, new Change.Key(ada.id, NewKey.of(ApproverKey.of(newPair().getPublic()))), admin());
    assertThat(newKey).isPresent();
    assertThat(changes.ask(tenant, new Change.Key(eve.id, NewKey.of(ApproverKey.of(newPair().getPublic()))), admin()))
        .isEmpty();
    approve(takeOver, ada);
    approve(takeOver, bob);
    assertThat(fixture.approvers.group(tenant, holders).orElseThrow().members()).containsExactly(eve.id);
  }

  @Test
  void theStrictestOfAGroupsControlsGuardsItsMembersAndTheirKeys() {
    control(Scope.POLICIES, 1);
    control(Scope.ATTACHMENTS, 2);
    var members = changes.ask(tenant, new Change.Members(holders, List.of(eve.id)), admin()).orElseThrow();
    var key = changes.ask(tenant, new Change.Key(ada.id, NewKey.of(ApproverKey.of(newPair().getPublic()))), admin())
        .orElseThrow();
    assertThat(List.of(members.threshold(), key.threshold())).containsExactly(2, 2);
    approve(members, ada);
    assertThat(status(members)).isEqualTo("pending");
  }

  @Test
  void aKeyThatIsTakenFailsItsChangeAndNothingElse() {
    control(Scope.ATTACHMENTS, 1);
    var taken = changes.ask(tenant, new Change.Key(ada.id, NewKey.of(ApproverKey.of(eve.pair.getPublic()))), admin())
        .orElseThrow();
    assertThat(approve(taken, bob)).isInstanceOf(Result.Taken.class);
    assertThat(status(taken)).isEqualTo("failed");
    assertThat(fixture.approvers.find(tenant, ada.id).orElseThrow().key()).isNotNull()
        .satisfies(key -> assertThat(key.thumbprint()).isEqualTo(ApproverKey.of(ada.pair.getPublic()).thumbprint()));
  }

  @Test
  void aChangeOfTheGroupDismissesWhatWasSigned() {
    control(Scope.ATTACHMENTS, 2);
    var request = changes.ask(tenant, attach(published(RULES)), admin()).orElseThrow();
    approve(request, ada);
    var old = changes.text(tenant, request);
    fixture.approvers.changeMembers(tenant, holders, List.of(ada.id, bob.id, eve.id), "past the control, for the test");
    assertThat(changes.given(tenant, request)).isEmpty();
    assertThat(speak(request, bob, Verdict.APPROVE, old)).isInstanceOf(Result.InvalidSignature.class);
    approve(request, bob);
    assertThat(status(request)).isEqualTo("pending");
    approve(request, ada);
    assertThat(status(request)).isEqualTo("executed");
  }

  @Test
  void whoAsksDoesNotCount() {
    control(Scope.ATTACHMENTS, 1);
    var request = changes.ask(tenant, attach(published(RULES)), new Requester("operator", ada.id)).orElseThrow();
    assertThat(approve(request, ada)).isInstanceOf(Result.Initiator.class);
    assertThat(approve(request, bob)).isInstanceOf(Result.Taken.class);
    assertThat(status(request)).isEqualTo("executed");
  }

  @Test
  void expiresWithoutAQuorum() {
    control(Scope.ATTACHMENTS, 2);
    var request = changes.ask(tenant, attach(published(RULES)), admin()).orElseThrow();
    asAdministrator("expires_at", request);
    assertThat(speak(request, ada, Verdict.APPROVE, changes.text(tenant, request)))
        .isEqualTo(new Result.NotPending("expired"));
    changes.settleDue();
    assertThat(status(request)).isEqualTo("expired");
    assertThat(changes.breakGlass(tenant, request.id(), "operator").orElseThrow().breakGlassAt()).isNull();
  }

  private void asAdministrator(String column, Request request) {
    fixture.test.asAdministrator("UPDATE change_request SET " + column
        + " = clock_timestamp() - interval '1 second' WHERE change_id = '" + request.id() + "'");
  }

  @Test
  void breakGlassIsDoneADayLaterUnlessAMemberStopsIt() {
    control(Scope.ATTACHMENTS, 2);
    var policy = published(RULES);
    var stopped = changes.ask(tenant, attach(policy), admin()).orElseThrow();
    approve(stopped, ada);
    var started = changes.breakGlass(tenant, stopped.id(), "operator").orElseThrow();
    assertThat(Objects.requireNonNull(started.breakGlassAt())).isEqualTo(started.updatedAt().plusSeconds(86_400));
    changes.settleDue();
    assertThat(status(stopped)).isEqualTo("pending");
    // Also who had approved may stop it.
    assertThat(speak(stopped, ada, Verdict.REJECT, changes.text(tenant, stopped).with(Verdict.REJECT)))
        .isInstanceOf(Result.Taken.class);
    assertThat(status(stopped)).isEqualTo("rejected");

    var let = changes.ask(tenant, attach(policy), admin()).orElseThrow();
    changes.breakGlass(tenant, let.id(), "operator");
    asAdministrator("break_glass_at", let);
    changes.settleDue();
    assertThat(status(let)).isEqualTo("executed");
    assertThat(attached()).isEqualTo(policy.version());
    assertThat(fixture.value("SELECT count(*) FROM audit_entry WHERE tenant_id = ? AND kind = 'change.break_glass'",
        tenant)).isEqualTo(2L);
  }

  @Test
  void breakGlassCanBeStoppedUntilItIsDoneThoughTheTimeForAQuorumIsOver() {
    control(Scope.ATTACHMENTS, 2);
    var asked = changes.ask(tenant, attach(published(RULES)), admin()).orElseThrow();
    changes.breakGlass(tenant, asked.id(), "operator");
    asAdministrator("expires_at", asked);
    var late = changes.find(tenant, asked.id()).orElseThrow();
    assertThat(approve(late, bob)).isEqualTo(new Result.NotPending("expired"));
    assertThat(speak(late, ada, Verdict.REJECT, changes.text(tenant, late).with(Verdict.REJECT)))
        .isInstanceOf(Result.Taken.class);
    assertThat(status(late)).isEqualTo("rejected");
  }

  @Test
  void readsBackEveryKindOfChange() {
    var policy = published(RULES);
    for (var change : List.of(new Change.Publish(policy.policyId(), policy.version()), attach(policy),
        new Change.Detach(Policy.Target.WALLET, fixture.wallet), new Change.Members(holders, List.of(ada.id)),
        new Change.Principals(fixture.agent, List.of()),
        new Change.Key(ada.id, new NewKey(ApproverKey.of(ada.pair.getPublic()), Bytes.of(new byte[]{1}))),
        new Change.Control(Scope.GROUPS, null, 1), new Change.Control(Scope.GROUPS, holders, 3))) {
      assertThat(Change.parse(change.toJson())).isEqualTo(change);
    }
    assertThatThrownBy(() -> changes.ask(tenant, new Change.Detach(Policy.Target.TENANT, tenant), admin())
        .or(() -> {
          control(Scope.ATTACHMENTS, 1);
          return changes.ask(tenant, new Change.Detach(Policy.Target.TENANT, tenant), admin());
        })).isInstanceOf(Directory.NothingThere.class);
    assertThat(changes.list(tenant, new Page.Request(Optional.empty(), 10)).items()).isEmpty();
  }
}
