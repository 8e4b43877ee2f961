package io.bursar.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.regex.Pattern;

import org.junit.jupiter.api.Test;

/** A lane's statements are planned once, often when the tables are still empty: the plan must be the one for full tables. */
class LanePlanTest {
  private static final Pattern SPEND_SCAN = Pattern.compile("Scan.* on spend s");

  @Test
  void searchesUsedKeysByKeyThoughTheTablesAreEmpty() throws Exception {
    var plan = plan(DecisionBatch.STATEMENT);
    var scans = plan.stream().filter(line -> SPEND_SCAN.matcher(line).find()).toList();
    assertThat(scans).as("in %s", plan)
        .isEqualTo(List.of("->  Index Only Scan using spend_tenant_id_agent_id_idempotency_key_key on spend s"));
    assertThat(plan.get(plan.indexOf(scans.getFirst()) + 1)).startsWith("Index Cond: ").contains("tenant_id = ",
        "agent_id = ", "idempotency_key >= ", "idempotency_key <= ");
    assertThat(plan).as("the batch is read by no scan of spends").noneMatch(line -> line.startsWith("Join Filter"));
  }

  @Test
  void readsNoMoreSlotsThanItAsksForThoughTheTablesAreEmpty() throws Exception {
    var plan = plan(LaneCounters.READ);
    var scan = plan.indexOf("->  Index Scan using limit_bucket_pkey on limit_bucket");
    assertThat(scan).as("in %s", plan).isPositive();
    assertThat(plan.get(scan + 1)).startsWith("Index Cond: ").contains("tenant_id = ", "counter_no = ", "key = ",
        "slot_seconds = ", "slot >= ", "slot < ");
    assertThat(plan).noneMatch(line -> line.startsWith("Join Filter") || line.startsWith("Filter"));
  }

  private static List<String> plan(String sql) throws SQLException {
    var plan = new ArrayList<String>();
    var parameters = Collections.nCopies((int) sql.chars().filter(c -> c == '?').count(), "NULL");
    try (var fixture = new Fixture();
        var connection = fixture.database.lanes().getConnection();
        var statement = connection.createStatement()) {
      statement.execute("PREPARE asked AS " + numbered(sql));
      try (var lines = statement
          .executeQuery("EXPLAIN (COSTS OFF) EXECUTE asked(" + String.join(",", parameters) + ")")) {
        while (lines.next()) {
          plan.add(lines.getString(1).strip());
        }
      }
    }
    return plan;
  }

  private static String numbered(String sql) {
    var next = new int[1];
    return Pattern.compile("\\?").matcher(sql).replaceAll(match -> "\\$" + ++next[0]);
  }
}
