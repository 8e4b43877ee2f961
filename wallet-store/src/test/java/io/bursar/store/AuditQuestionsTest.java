package io.bursar.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Optional;
import java.util.UUID;

import org.junit.jupiter.api.Test;

import io.bursar.json.Json;
import io.bursar.permit.Digest32;
import io.bursar.policy.Policy;

class AuditQuestionsTest {
  @Test
  void findsWhatPeopleDidAmongWhatSpendsDid() throws Exception {
    try (var fixture = new Fixture()) {
      var questions = new AuditQuestions(fixture.database);
      fixture.attach(Policy.Target.WALLET, fixture.wallet, "{\"id\":\"any\",\"kind\":\"permit\"}");
      fixture.lanes.open(fixture.tenant).decide(List.of(fixture.request("a", "1")));
      fixture.directory.freeze(fixture.tenant, fixture.wallet, true, "test");
      var all = questions.changes(fixture.tenant, Optional.empty(), Optional.empty(), 0, "", 100);
      assertThat(all.stream().map(AuditQuestions.Entry::kind)).contains("policy.attached", "wallet.frozen")
          .doesNotContain("authorization");
      assertThat(questions.changes(fixture.tenant, Optional.empty(), Optional.empty(), 0, "policy", 100).stream()
          .map(AuditQuestions.Entry::kind))
          .containsExactly("policy.version_created", "policy.published", "policy.attached");
      assertThat(questions.changesAbout(fixture.tenant, fixture.agent, Optional.empty(), Optional.empty()).stream()
          .map(AuditQuestions.Entry::kind)).containsExactly("agent.created", "wallet.created", "wallet.frozen");
      assertThat(questions.unbroadcast(fixture.tenant, Optional.empty(), Optional.empty(),
          new Page.Request(Optional.empty(), 10)).items()).hasSize(1);
    }
  }

  @Test
  void knowsWhoApprovedAChange() {
    try (var fixture = new Fixture()) {
      var change = UUID.randomUUID();
      fixture.database.inTransaction(() -> fixture.audit.write(fixture.audit.next(fixture.tenant), "change.approved",
          change, "test", Json.object().put("approver", "apr_1").build()));
      assertThat(new AuditQuestions(fixture.database).approversOf(fixture.tenant, change)).containsExactly("apr_1");
    }
  }

  @Test
  void aTransactionThatNobodyAuthorizedIsTold() {
    try (var fixture = new Fixture()) {
      var questions = new AuditQuestions(fixture.database);
      var unknown = Digest32.sha256(new byte[]{1});
      assertThat(questions.withoutAuthorization(fixture.tenant, List.of(unknown))).containsExactly(unknown);
      assertThat(questions.noncesWithoutPayment(fixture.tenant, fixture.wallet, 2)).containsExactly(0L, 1L);
      assertThat(questions.noncesWithoutPayment(fixture.tenant, fixture.wallet, 0)).isEmpty();
    }
  }
}
