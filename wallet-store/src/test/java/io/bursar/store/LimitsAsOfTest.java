package io.bursar.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigInteger;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

import org.junit.jupiter.api.Test;

import io.bursar.policy.Policy;

/** What was used of a limit at a time in the past. */
class LimitsAsOfTest {
  @Test
  void countsWhatWasChargedThenAndNotWhatCameLaterOrWasGivenBack() throws Exception {
    try (var fixture = new Fixture()) {
      var limits = new LimitsAsOf(fixture.database);
      fixture.attach(Policy.Target.AGENT, fixture.agent, """
          {"id":"any","kind":"permit"},
          {"id":"daily","kind":"limit","match":{"assets":["USDC"]},"max":"10","window":{"rolling":"PT24H"},"per":["wallet"]},
          {"id":"each","kind":"limit","match":{"assets":["USDC"]},"max":"9","window":"spend"},
          {"id":"pace","kind":"limit","maxCount":5,"window":"lifetime"}""");
      var before = now(fixture);
      var lane = fixture.lanes.open(fixture.tenant);
      lane.decide(List.of(fixture.request("a", "4"), fixture.request("b", "3"), fixture.request("c", "8")));
      var then = now(fixture);
      fixture.test.asAdministrator(
          "UPDATE payment SET state = 'canceled', updated_at = clock_timestamp() WHERE spend_id = (SELECT spend_id FROM spend WHERE idempotency_key = 'a')");
      var afterwards = now(fixture);
      Thread.sleep(100); // the lane's clock may lie some milliseconds behind the database's
      lane.decide(List.of(fixture.request("d", "1")));
      fixture.policies.detach(fixture.tenant, Policy.Target.AGENT, fixture.agent, "test");

      assertThat(used(limits, fixture, before)).containsExactly("daily", "pace");
      assertThat(used(limits, fixture, then)).containsExactly("daily 7 in 2", "pace 0 in 2");
      assertThat(used(limits, fixture, afterwards)).containsExactly("daily 3 in 1", "pace 0 in 1");
      assertThat(used(limits, fixture, now(fixture))).isEmpty();
      assertThat(limits.at(fixture.tenant, Optional.of(fixture.newWallet(
          fixture.directory.createAgent(fixture.tenant, "other", "test").id())), then)).isEmpty();
    }
  }

  private static Instant now(Fixture fixture) {
    return fixture.database.sql().sql("SELECT clock_timestamp() AS at").query((row, n) -> Directory.instant(row, "at"))
        .single();
  }

  private static List<String> used(LimitsAsOf limits, Fixture fixture, Instant at) {
    return limits.at(fixture.tenant, Optional.of(fixture.wallet), at).stream().map(state -> state.limit().id()
        + (state.counts().isEmpty()
            ? ""
            : " " + state.counts().getFirst().sum().divide(BigInteger.TEN.pow(18))
                + " in " + state.counts().getFirst().spends()))
        .toList();
  }
}
