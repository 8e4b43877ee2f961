package io.bursar.api.endtoend;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigDecimal;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

import io.bursar.api.testing.ApiProcess;
import io.bursar.json.Json;
import io.bursar.policy.Policy;
import io.bursar.store.TestDatabase;

/** Budgets and idempotency with two service processes on one database, over HTTP. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ConcurrencyTest {
  private static final int THREADS = 64;
  private static final BigDecimal STEP = new BigDecimal("0.37");
  private static final BigDecimal LIMIT = new BigDecimal("100");

  private final TestDatabase test = TestDatabase.create();
  private final ApiProcess first = ApiProcess.on(test.settings());
  private final ApiProcess second = ApiProcess.on(test.settings());

  @BeforeAll
  void start() {
    first.launch();
    second.launch();
    first.await();
    second.await();
  }

  @AfterAll
  void stop() {
    first.close();
    second.close();
    test.close();
  }

  private static String limit(String per) {
    return """
        {"id":"budget","kind":"limit","match":{"assets":["USDC"]},"max":"100","window":{"rolling":"PT24H"},"per":["%s"]}"""
        .formatted(per);
  }

  @Test
  void manyThreadsOnOneWalletUseTheWholeBudgetAndNotAUnitMore() throws Exception {
    var tenancy = new Tenancy(test.database(), 1);
    tenancy.attach(Policy.Target.WALLET, tenancy.wallets.getFirst(), Tenancy.PERMIT + "," + limit("wallet"));
    assertThatBudgetIsUsedExactly(tenancy);
  }

  @Test
  void manyWalletsUnderOneTenantLimitUseTheWholeBudgetAndNotAUnitMore() throws Exception {
    var tenancy = new Tenancy(test.database(), 40);
    tenancy.attach(Policy.Target.TENANT, tenancy.tenantId, Tenancy.PERMIT + "," + limit("tenant"));
    assertThatBudgetIsUsedExactly(tenancy);
  }

  private void assertThatBudgetIsUsedExactly(Tenancy tenancy) throws Exception {
    var payee = Tenancy.randomAddress();
    // Every thread spends until it is denied twice, so that the budget is certain to have been used up.
    var counts = together(THREADS, thread -> {
      var client = (thread % 2 == 0 ? first : second).client();
      int authorized = 0;
      for (int denied = 0; denied < 2;) {
        var wallet = tenancy.wallets.get((thread * 7 + authorized) % tenancy.wallets.size());
        var answer = client.post("/v1/spends", tenancy.agentKey, tenancy.spend(wallet, STEP.toPlainString(), payee),
            "Idempotency-Key",
            UUID.randomUUID().toString());
        assertThat(answer.status()).as(answer.body().toString()).isEqualTo(201);
        if (answer.text("status").equals("authorized")) {
          authorized++;
        } else {
          assertThat(answer.text("decision.reasons.0.code")).isEqualTo("LIMIT_EXCEEDED");
          denied++;
        }
      }
      return authorized;
    });
    var total = STEP.multiply(BigDecimal.valueOf(counts.stream().mapToInt(Integer::intValue).sum()));
    assertThat(total).isLessThanOrEqualTo(LIMIT).isGreaterThan(LIMIT.subtract(STEP));
    assertThat(tenancy.differences()).isEmpty();
  }

  @Test
  void aThousandKeysSentThreeTimesAtOnceMakeOneSpendEach() throws Exception {
    var tenancy = new Tenancy(test.database(), 1);
    tenancy.attach(Policy.Target.TENANT, tenancy.tenantId,
        Tenancy.PERMIT + "," + limit("tenant").replace("\"100\"", "\"100000\""));
    var wallet = tenancy.wallets.getFirst();
    var payee = Tenancy.randomAddress();
    int keys = 1_000;
    var answers = together(30, thread -> {
      var client = (thread % 2 == 0 ? first : second).client();
      var ids = new ArrayList<String>();
      // Threads in threes send the same keys in the same order, so that three meet.
      for (int i = thread / 3; i < keys; i += 10) {
        var answer = client.post("/v1/spends", tenancy.agentKey, tenancy.spend(wallet, "0.01", payee),
            "Idempotency-Key", "key-" + i);
        assertThat(answer.status()).as(answer.body().toString()).isIn(200, 201);
        assertThat(answer.replayed()).isEqualTo(answer.status() == 200);
        ids.add("key-" + i + "=" + answer.text("id"));
      }
      return ids;
    });
    assertThat(answers.stream().flatMap(List::stream).distinct()).hasSize(keys);
    assertThat(test.database().sql().sql("SELECT count(*) FROM spend WHERE tenant_id = :tenant")
        .param("tenant", tenancy.tenantId)
        .query(Long.class).single()).isEqualTo(keys);
    assertThat(tenancy.differences()).isEmpty();

    var other = first.client().post("/v1/spends", tenancy.agentKey, tenancy.spend(wallet, "0.02", payee),
        "Idempotency-Key", "key-7");
    assertThat(other.status()).isEqualTo(422);
    assertThat(other.text("code")).isEqualTo("IDEMPOTENCY_KEY_REUSED");
  }

  private interface Work<T> {
    T run(int thread) throws Exception;
  }

  /** Runs the same work in many threads that begin at the same moment. */
  private static <T> List<T> together(int threads, Work<T> work) throws Exception {
    var begin = new CountDownLatch(1);
    try (var pool = Executors.newFixedThreadPool(threads)) {
      List<Future<T>> running = new ArrayList<>();
      for (int i = 0; i < threads; i++) {
        int thread = i;
        Callable<T> task = () -> {
          begin.await();
          return work.run(thread);
        };
        running.add(pool.submit(task));
      }
      begin.countDown();
      var results = new ArrayList<T>();
      for (var each : running) {
        results.add(each.get());
      }
      return results;
    }
  }

  @Test
  void aRevokedKeyIsRefusedByEveryProcessWithinASecondOrSo() throws Exception {
    var admin = first.client();
    var made = admin.post("/v1/api-keys", ApiProcess.ADMIN_KEY,
        Json.object().put("role", "auditor").put("name", "a").build());
    var secret = made.text("secret");
    assertThat(second.client().get("/v1/authorizations", secret).status()).isEqualTo(200);
    test.asAdministrator("UPDATE api_key SET revoked_at = now() WHERE name = 'a'");
    Awaitility.await().atMost(Duration.ofSeconds(3))
        .until(() -> second.client().get("/v1/authorizations", secret).status() == 401);
  }
}
