package io.bursar.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.ZoneOffset;
import java.util.List;
import java.util.UUID;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

import io.bursar.policy.Decision;
import io.bursar.spend.Id;

/** What is only counted in the record. */
class TallyTest {
  private final Fixture fixture = new Fixture();
  private Instant now = Instant.parse("2026-11-25T12:00:00Z");
  private final Clock clock = ((InstantSource) () -> now).withZone(ZoneOffset.UTC);
  private final Tally tally = new Tally(fixture.database, fixture.audit, fixture.directory, clock);
  private final ApiKeys keys = new ApiKeys(fixture.database, fixture.audit);

  @AfterEach
  void close() {
    fixture.close();
  }

  private List<String> entries(String kind) {
    return fixture.database.sql().sql("""
        SELECT convert_from(payload, 'UTF8')::json->>'counts' FROM audit_entry WHERE kind = :kind ORDER BY tenant_id, seq
        """).param("kind", kind).query((row, n) -> row.getString(1)).list();
  }

  @Test
  void dryRunsAreCountedByAgentAndEffectInOneEntryAMinute() {
    var other = fixture.directory.createAgent(fixture.tenant, "other", "test").id();
    tally.dryRun(fixture.tenant, fixture.agent, Decision.Effect.ALLOW);
    tally.writeDue();
    for (int i = 0; i < 1_000; i++) {
      tally.dryRun(fixture.tenant, fixture.agent, i % 4 == 0 ? Decision.Effect.DENY : Decision.Effect.ALLOW);
      tally.dryRun(fixture.tenant, other, Decision.Effect.REQUIRE_APPROVAL);
      tally.writeDue();
    }
    assertThat(entries("dry_run.counted")).as("within a minute").hasSize(1);
    now = now.plusSeconds(61);
    tally.writeDue();
    var agent = Id.AGENT.text(fixture.agent);
    assertThat(entries("dry_run.counted")).containsExactly("[{\"allow\":1,\"of\":\"" + agent + "\"}]",
        "[{\"allow\":750,\"deny\":250,\"of\":\"" + agent + "\"},{\"of\":\"" + Id.AGENT.text(other)
            + "\",\"require_approval\":1000}]");
  }

  /** A key that was revoked is its tenant's affair, one that nobody ever had the operator's. */
  @Test
  void failedLoginsAreCountedAndAFloodOfThemIsOneEntry() {
    fixture.directory.createTenant(Directory.DEFAULT_TENANT, "test");
    var issued = keys.issue(fixture.tenant, ApiKeys.Role.ADMIN, "left", null, null, "test");
    keys.revoke(fixture.tenant, issued.key().id(), "test");
    var revoked = keys.known(issued.secret().value()).orElseThrow();
    assertThat(revoked.revokedAt()).isNotNull();
    for (int i = 0; i < 5_000; i++) {
      tally.failedLogin(revoked);
      tally.failedLoginOfStranger();
      if (i % 100 == 0) {
        tally.writeDue();
        now = now.plus(Duration.ofMillis(10));
      }
    }
    assertThat(entries("login.failed")).hasSize(2);
    tally.close();
    assertThat(entries("login.failed")).containsExactlyInAnyOrder(
        "[{\"admin\":1,\"of\":\"" + Id.API_KEY.text(issued.key().id()) + "\"}]",
        "[{\"admin\":4999,\"of\":\"" + Id.API_KEY.text(issued.key().id()) + "\"}]",
        "[{\"of\":\"unknown\",\"unknown\":1}]", "[{\"of\":\"unknown\",\"unknown\":4999}]");
  }

  @Test
  void howeverManyAgentsAskTheEntryFits() {
    for (int i = 0; i < 2_000; i++) {
      for (var effect : Decision.Effect.values()) {
        tally.dryRun(fixture.tenant, new UUID(i, i), effect);
      }
    }
    tally.close();
    assertThat(entries("dry_run.counted")).singleElement().asString().contains("\"of\":\"others\"");
  }
}
