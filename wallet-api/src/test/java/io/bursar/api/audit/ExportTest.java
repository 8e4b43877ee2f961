package io.bursar.api.audit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.List;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

import io.bursar.api.testing.ApiProcess;
import io.bursar.policy.Policy;
import io.bursar.store.ApiKeys;
import io.bursar.store.Fixture;
import io.bursar.store.ManySpends;

/** An export of 20,000 decisions over HTTP. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ExportTest {
  private static final int MADE = 20_000;

  private final Fixture fixture = new Fixture();
  private final ApiProcess api = ApiProcess.on(fixture.test.settings());
  private final HttpClient http = HttpClient.newHttpClient();
  private String key = "";

  @BeforeAll
  void decide() throws Exception {
    fixture.attach(Policy.Target.WALLET, fixture.wallet, "{\"id\":\"any\",\"kind\":\"permit\"}");
    fixture.lanes.open(fixture.tenant).decide(List.of(fixture.request("a", "1")));
    ManySpends.multiply(fixture.test, "a", MADE, List.of(fixture.newWallet()));
    key = new ApiKeys(fixture.database, fixture.audit).issue(fixture.tenant, ApiKeys.Role.AUDITOR, "auditor", null,
        null, "test").secret().value();
    api.start();
  }

  @AfterAll
  void close() {
    api.close();
    fixture.close();
  }

  private BufferedReader export(String query) throws IOException, InterruptedException {
    HttpResponse<InputStream> response = http.send(
        HttpRequest.newBuilder(api.uri().resolve("/v1/authorizations/export" + query))
            .header("Authorization", "Bearer " + key).build(),
        HttpResponse.BodyHandlers.ofInputStream());
    assertThat(response.statusCode()).isEqualTo(200);
    return new BufferedReader(new InputStreamReader(response.body(), StandardCharsets.UTF_8));
  }

  @Test
  void hasEveryDecisionOnceInTheirOrder() throws Exception {
    try (var lines = export("?format=csv")) {
      var ids = lines.lines().skip(1).map(line -> line.substring(0, line.indexOf(','))).toList();
      assertThat(ids).hasSize(MADE + 1).isSorted().doesNotHaveDuplicates();
    }
  }

  /** The client reads a little and waits: meanwhile nobody holds a connection to the database for it. */
  @Test
  void aSlowClientHoldsNoConnection() throws Exception {
    try (var lines = export("?format=jsonl")) {
      assertThat(lines.readLine()).startsWith("{\"authorization\":\"aut_");
      Thread.sleep(1_000);
      assertThat(fixture.value("""
          SELECT count(*) FROM pg_stat_activity WHERE application_name = 'reading' AND state <> 'idle'
            AND datname = current_database()""")).isEqualTo(0L);
      assertThat(lines.lines().count()).isEqualTo(MADE);
    }
  }

  @Test
  void halfAnExportIsNeverTakenForAWholeOne() throws Exception {
    try (var lines = export("?format=jsonl&order=newest")) {
      assertThat(lines.readLine()).isNotNull();
      fixture.test.asAdministrator("ALTER TABLE spend_text RENAME TO gone");
      assertThatThrownBy(() -> lines.lines().count()).hasRootCauseInstanceOf(IOException.class);
    } finally {
      fixture.test.asAdministrator("ALTER TABLE gone RENAME TO spend_text");
    }
  }
}
