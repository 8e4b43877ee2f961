package io.bursar.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;

import org.junit.jupiter.api.Test;

import io.bursar.policy.Policy;

/** A stopped lane authorizes nothing, and the recount finds what does not add up. */
class LaneStopTest {
  private static Fixture fixture() {
    var fixture = new Fixture();
    fixture.attach(Policy.Target.WALLET, fixture.wallet, """
        {"id":"any","kind":"permit"},
        {"id":"daily","kind":"limit","match":{"assets":["USDC"]},"max":"10","window":{"rolling":"PT24H"}}""");
    return fixture;
  }

  @Test
  void aStoppedLaneDecidesNothingInAnyProcessUntilItIsLifted() throws Exception {
    try (var fixture = fixture()) {
      var stop = new LaneStop(fixture.database, fixture.audit);
      var lane = fixture.lanes.open(fixture.tenant);
      var other = fixture.lanes.open(fixture.tenant);
      lane.decide(List.of(fixture.request("a", "1")));
      other.decide(List.of(fixture.request("b", "1")));
      assertThat(stop.stop(fixture.tenant, "something is wrong", "test").orElseThrow().reason())
          .isEqualTo("something is wrong");
      for (var stopped : List.of(lane, other, fixture.lanes.open(fixture.tenant))) {
        assertThatThrownBy(() -> stopped.decide(List.of(fixture.request("c", "1"))))
            .isInstanceOf(LaneStop.LaneStopped.class).hasMessage("something is wrong");
        assertThat(stopped.decide(List.of(fixture.request("a", "1")))).first()
            .isInstanceOf(Lane.Outcome.Replayed.class);
      }
      assertThat(stop.stop(fixture.tenant, "another reason", "test").orElseThrow().reason())
          .isEqualTo("something is wrong");
      assertThat(stop.lift(fixture.tenant, "looked into", "test")).isTrue();
      assertThat(stop.lift(fixture.tenant, "looked into", "test")).isFalse();
      assertThat(lane.decide(List.of(fixture.request("c", "1")))).first().isInstanceOf(Lane.Outcome.Decided.class);
      assertThat(fixture.value("SELECT string_agg(kind, ' ' ORDER BY seq) FROM audit_entry WHERE kind LIKE 'lane.%'"))
          .isEqualTo("lane.stopped lane.stopped lane.resumed");
    }
  }

  @Test
  void theRecountFindsACounterThatWasChanged() throws Exception {
    try (var fixture = fixture()) {
      var recount = new Recount(fixture.database, fixture.counters, tenant -> List.of());
      fixture.lanes.open(fixture.tenant).decide(List.of(fixture.request("a", "1"), fixture.request("b", "2")));
      assertThat(recount.differences(fixture.tenant)).isEmpty();
      fixture.test.asAdministrator("UPDATE limit_bucket SET amount = amount - 1");
      assertThat(recount.differences(fixture.tenant)).isNotEmpty().allMatch(line -> line.contains("holds"));
    }
  }

  /** What only a superuser can do, who switches the triggers and checks off first. */
  @Test
  void theRecountFindsEntriesThatWereChangedOrDeleted() throws Exception {
    try (var fixture = fixture()) {
      var recount = new Recount(fixture.database, fixture.counters, tenant -> List.of());
      fixture.lanes.open(fixture.tenant).decide(List.of(fixture.request("a", "1"), fixture.request("b", "2")));
      var last = fixture.value("SELECT max(seq) FROM audit_entry");
      fixture.test.asAdministrator("""
          ALTER TABLE audit_entry DISABLE TRIGGER ALL; ALTER TABLE audit_entry DROP CONSTRAINT audit_entry_check;
          UPDATE audit_entry SET payload = convert_to(replace(convert_from(payload, 'UTF8'), 'USDC', 'EURC'), 'UTF8') WHERE seq = 8;
          DELETE FROM audit_entry WHERE seq IN (2, %s)""".formatted(last));
      assertThat(recount.differences(fixture.tenant)).containsExactly("entries 2 to 2 of the record are missing",
          "entry 8 of the record is not what was hashed",
          "entries " + last + " to " + last + " of the record are missing");
    }
  }
}
