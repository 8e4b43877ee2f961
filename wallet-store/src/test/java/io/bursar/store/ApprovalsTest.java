package io.bursar.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.UUID;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import io.bursar.approval.Verdict;
import io.bursar.policy.Policy;
import io.bursar.store.Approvals.Result;

class ApprovalsTest {
  private static final String RULES = """
      {"id":"any","kind":"permit"},
      {"id":"daily","kind":"limit","match":{"assets":["USDC"]},"max":"100","window":{"rolling":"PT24H"}},
      {"id":"big","kind":"approval","match":{"assets":["USDC"],"amount":{"above":"20"}},
       "groups":[{"group":"finance","threshold":2}],"expiresAfter":"PT4H"}""";

  private Fixture fixture;
  private Lane lane;
  private UUID ada;
  private UUID bob;
  private UUID eve;

  @BeforeEach
  void open() {
    fixture = new Fixture();
    lane = fixture.lanes.open(fixture.tenant);
    ada = fixture.approvers.create(fixture.tenant, "Ada", null, "test").orElseThrow().id();
    bob = fixture.approvers.create(fixture.tenant, "Bob", null, "test").orElseThrow().id();
    eve = fixture.approvers.create(fixture.tenant, "Eve", null, "test").orElseThrow().id();
    assertThat(fixture.approvers.createGroup(fixture.tenant, "finance", List.of(ada, bob), "test")).isPresent();
    fixture.attach(Policy.Target.WALLET, fixture.wallet, RULES);
  }

  @AfterEach
  void close() {
    assertThat(fixture.counters.differences(fixture.tenant)).isEmpty();
    fixture.close();
  }

  private Spend ask(String key, String amount) throws Exception {
    return ((Lane.Outcome.Decided) lane.decide(List.of(fixture.request(key, amount))).getFirst()).spend();
  }

  private Result speak(Spend spend, UUID approver, Verdict verdict) {
    return fixture.approvals.speak(new Approvals.Word(fixture.tenant, spend.id(), approver, verdict, null, null, null),
        "test");
  }

  private String status(Spend spend) {
    return fixture.spends.find(fixture.tenant, spend.id()).orElseThrow().status();
  }

  @Test
  void goesOnOnlyWhenEnoughDifferentPeopleHaveApproved() throws Exception {
    var spend = ask("k", "60");
    assertThat(spend.status()).isEqualTo("awaiting_approval");
    assertThat(speak(spend, ada, Verdict.APPROVE)).isInstanceOf(Result.Taken.class);
    assertThat(speak(spend, ada, Verdict.APPROVE)).isInstanceOf(Result.AlreadySpoken.class);
    assertThat(status(spend)).isEqualTo("awaiting_approval");
    assertThat(speak(spend, eve, Verdict.APPROVE)).isInstanceOf(Result.NotAsked.class);
    assertThat(speak(spend, bob, Verdict.APPROVE)).isInstanceOf(Result.Taken.class);
    assertThat(status(spend)).isEqualTo("authorized");
    assertThat(speak(spend, bob, Verdict.REJECT)).isInstanceOf(Result.AlreadySpoken.class);
    var other = ask("o", "21");
    speak(other, ada, Verdict.REJECT);
    assertThat(speak(other, bob, Verdict.REJECT)).isEqualTo(new Result.NotAwaiting("rejected"));
  }

  @Test
  void aWaitingSpendTakesFromItsLimits() throws Exception {
    ask("a", "90");
    assertThat(ask("b", "11").status()).isEqualTo("denied");
    assertThat(ask("c", "10").status()).isEqualTo("authorized");
  }

  @Test
  void oneRejectionEndsItAndGivesTheBudgetBack() throws Exception {
    var spend = ask("a", "90");
    speak(spend, ada, Verdict.APPROVE);
    speak(spend, bob, Verdict.REJECT);
    assertThat(status(spend)).isEqualTo("rejected");
    assertThat(ask("b", "100").status()).isEqualTo("awaiting_approval");
  }

  @Test
  void anApprovedSpendIsNotCountedTwice() throws Exception {
    var spend = ask("a", "90");
    speak(spend, ada, Verdict.APPROVE);
    speak(spend, bob, Verdict.APPROVE);
    assertThat(ask("b", "10").status()).isEqualTo("authorized");
    assertThat(ask("c", "0.000001").status()).isEqualTo("denied");
  }

  @Test
  void aDenialAtQuorumWinsOverTheApprovals() throws Exception {
    var spend = ask("a", "60");
    speak(spend, ada, Verdict.APPROVE);
    fixture.directory.freeze(fixture.tenant, fixture.wallet, true, "test");
    speak(spend, bob, Verdict.APPROVE);
    assertThat(status(spend)).isEqualTo("denied");
    fixture.directory.freeze(fixture.tenant, fixture.wallet, false, "test");
    assertThat(ask("b", "100").status()).isEqualTo("awaiting_approval");
  }

  @Test
  void aChangeOfThePolicyDismissesWhatWasGiven() throws Exception {
    var spend = ask("a", "60");
    speak(spend, ada, Verdict.APPROVE);
    fixture.attach(Policy.Target.WALLET, fixture.wallet, RULES.replace("\"above\":\"20\"", "\"above\":\"30\""));
    assertThat(speak(spend, bob, Verdict.APPROVE)).isInstanceOf(Result.DismissedByPolicy.class);
    assertThat(status(spend)).isEqualTo("awaiting_approval");
    assertThat(fixture.spends.find(fixture.tenant, spend.id()).orElseThrow().approvals()).isEmpty();
    speak(spend, bob, Verdict.APPROVE);
    speak(spend, ada, Verdict.APPROVE);
    assertThat(status(spend)).isEqualTo("authorized");
  }

  @Test
  void nobodyCanApproveAfterTheTimeForIt() throws Exception {
    var spend = ask("a", "60");
    fixture.test.asAdministrator("UPDATE payment SET expires_at = now() - interval '1 second'");
    assertThat(speak(spend, ada, Verdict.APPROVE)).isInstanceOf(Result.Expired.class);
    assertThat(status(spend)).isEqualTo("expired");
    var other = ask("b", "100");
    fixture.test.asAdministrator(
        "UPDATE payment SET expires_at = now() - interval '1 second' WHERE state = 'awaiting_approval'");
    assertThat(fixture.approvals.expireDue(10)).isEqualTo(1);
    assertThat(status(other)).isEqualTo("expired");
  }

  @Test
  void listsWhatWaitsForAnApprover() throws Exception {
    var spend = ask("a", "60");
    var page = new Page.Request(java.util.Optional.empty(), 50);
    assertThat(waitingFor(ada, page)).containsExactly(spend.id());
    assertThat(waitingFor(eve, page)).isEmpty();
    speak(spend, ada, Verdict.APPROVE);
    assertThat(waitingFor(ada, page)).isEmpty();
    assertThat(waitingFor(bob, page)).containsExactly(spend.id());
  }

  private List<UUID> waitingFor(UUID approver, Page.Request page) {
    var all = SpendStore.Filter.ALL;
    return fixture.spends.list(fixture.tenant,
        new SpendStore.Filter(all.agentId(), all.walletId(), all.status(), all.payee(), all.asset(),
            all.from(), all.to(), java.util.Optional.of(approver)),
        page).items().stream().map(Spend::id).toList();
  }
}
