package io.bursar.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.dao.DataAccessException;

import io.bursar.policy.Policy;

/** What the role of the API process cannot do, whatever the API process has become. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class AppendOnlyTest {
  private final Fixture fixture = new Fixture();

  @AfterAll
  void close() {
    fixture.close();
  }

  @ParameterizedTest
  @ValueSource(strings = {"UPDATE audit_entry SET kind = 'x'", "UPDATE audit_entry SET payload = payload",
      "DELETE FROM audit_entry",
      "TRUNCATE audit_entry", "TRUNCATE audit_entry CASCADE", "DROP TABLE audit_entry",
      "ALTER TABLE audit_entry DISABLE TRIGGER ALL",
      "ALTER TABLE audit_entry DISABLE TRIGGER append_only_row", "DROP TRIGGER append_only_row ON audit_entry",
      "SET session_replication_role = replica",
      "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
      "SET ROLE bursar_owner", "CREATE TABLE mine (n int)", "UPDATE spend SET amount = 1", "DELETE FROM spend",
      "DELETE FROM payment",
      "UPDATE policy_version SET document = ''", "UPDATE api_key SET hash = ''",
      "UPDATE approval SET verdict = 'approve'",
      "GRANT bursar_owner TO bursar_app"})
  void theApplicationRoleIsRefused(String statement) {
    assertThatThrownBy(() -> fixture.database.sql().sql(statement).update()).isInstanceOf(DataAccessException.class)
        .rootCause()
        .hasMessageMatching("(?s).*(permission denied|must be owner|append-only|not permitted|permission).*");
  }

  @ParameterizedTest
  @ValueSource(strings = {"UPDATE audit_entry SET kind = 'x'", "DELETE FROM audit_entry", "TRUNCATE audit_entry"})
  void evenAnAdministratorMustSwitchTheTriggersOffFirst(String statement) {
    assertThatThrownBy(() -> fixture.test.asAdministrator(statement)).rootCause().hasMessageContaining("append-only");
    assertThatThrownBy(() -> fixture.test.asAdministrator("SET session_replication_role = replica; " + statement))
        .rootCause()
        .hasMessageContaining("append-only");
  }

  @Test
  void anEntryWithAnotherHashIsRefused() {
    assertThatThrownBy(() -> fixture.database.sql().sql("""
        INSERT INTO audit_entry (tenant_id, seq, at, kind, payload, leaf_hash) VALUES (:tenant, 1000, now(), 'x', '{}', sha256('{}'))
        """).param("tenant", fixture.tenant).update()).rootCause().hasMessageContaining("violates check constraint");
  }

  /** A plan that is made on an empty table must not become a sequential scan of a full one. */
  @Test
  void theLanesStatementsNeverScanATable() throws Exception {
    fixture.attach(Policy.Target.WALLET, fixture.wallet, """
        {"id":"any","kind":"permit"},
        {"id":"daily","kind":"limit","match":{"assets":["USDC"]},"max":"10","window":{"rolling":"PT24H"}}""");
    var lane = fixture.lanes.open(fixture.tenant);
    lane.decide(List.of(fixture.request("a", "1")));
    var before = scans();
    for (int i = 0; i < 20; i++) {
      lane.decide(List.of(fixture.request("k" + i, "0.1"), fixture.request("k" + i, "0.1"), fixture.request("a", "1")));
    }
    assertThat(scans()).isEqualTo(before);
  }

  private @Nullable Object scans() throws InterruptedException {
    Thread.sleep(2_500); // a session hands over its counts when it has been idle for a while
    return fixture.value("""
        SELECT string_agg(relname || ' ' || seq_scan, ', ' ORDER BY relname) FROM pg_stat_user_tables
        WHERE relname IN ('spend', 'payment', 'audit_entry', 'limit_bucket')
        """);
  }
}
