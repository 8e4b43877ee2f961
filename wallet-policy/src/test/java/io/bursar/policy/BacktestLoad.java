package io.bursar.policy;

import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.UUID;

import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.rehearsal.Backtest;
import io.bursar.spend.Id;
import io.bursar.spend.SpendFacts;

/**
 * Tries ten rules on a million recorded requests of thirty days and a hundred wallets, each read from the bytes of its entry, and
 * says how much of one core that took and what memory holds on the way. Reading the entries from a database is not in it.
 */
public final class BacktestLoad {
  private static final int REQUESTS = 1_000_000;
  private static final int BATCH = 1_000;
  private static final int WALLETS = 100;
  private static final Instant FIRST = Instant.parse("2026-10-01T08:00:00Z");

  private BacktestLoad() {}

  public static void main(String[] args) throws JsonText.Malformed {
    var out = new PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.out), true, StandardCharsets.UTF_8);
    var random = new Random(1);
    var policy = PolicyEngineBenchmark.tenRules();
    var backtest = new Backtest((id, version) -> Optional.empty(),
        new Backtest.Candidate(new UUID(1, 1), policy, Policy.Target.TENANT, Scenario.TENANT), FIRST);
    var threads = ManagementFactory.getThreadMXBean();
    long spent = 0;
    for (int i = 0; i < REQUESTS; i += BATCH) {
      var payloads = new byte[BATCH][];
      for (int j = 0; j < BATCH; j++) {
        payloads[j] = entry(random, FIRST.plusMillis((i + j) * 2_592L), i + j);
      }
      long began = threads.getCurrentThreadCpuTime();
      for (var payload : payloads) {
        backtest.add(recorded(payload));
      }
      spent += threads.getCurrentThreadCpuTime() - began;
      if ((i + BATCH) % (REQUESTS / 4) == 0) {
        System.gc();
        long used = Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
        out.printf("%,9d requests after %5.1f s of one core, %,d KiB in memory%n", i + BATCH, spent / 1e9, used / 1024);
      }
    }
    var report = backtest.report();
    out.printf("%,d unchanged, %d kinds of change%n", report.unchanged(), report.changes().size());
  }

  private static Backtest.Recorded recorded(byte[] payload) throws JsonText.Malformed {
    var entry = (Json.Obj) JsonText.parse(payload);
    return new Backtest.Recorded(new UUID(9, 9), DecisionJson.instant(DecisionJson.text(entry, "at")),
        DecisionJson.facts(Scenario.TENANT, DecisionJson.object(entry.get("facts"), "facts")), Decision.Effect.ALLOW,
        DecisionJson.policies(DecisionJson.object(entry.get("decision"), "decision")), null);
  }

  /** An entry as the service writes it, of about 2 KB. */
  private static byte[] entry(Random random, Instant at, int number) {
    var facts = new SpendFacts(Scenario.TENANT, Scenario.agent(random.nextInt(WALLETS)),
        Scenario.wallet(random.nextInt(WALLETS)), Scenario.asset(Scenario.CHAIN, "USDC"),
        BigInteger.valueOf(1 + random.nextInt(60_000_000)), Scenario.payee("B"), SpendFacts.TRANSFER, null, null, false,
        false);
    return JsonText.canonical(Json.object().put("schema", 1).put("kind", "authorization").put("at", at.toString())
        .put("tenant", Id.TENANT.text(facts.tenantId())).put("actor", Id.AGENT.text(facts.agentId()))
        .put("authorization", Id.AUTHORIZATION.text(new UUID(9, number)))
        .put("spend", Id.SPEND.text(new UUID(9, number)))
        .put("facts", DecisionJson.facts(facts)).put("decision", DECISION).put("readings", READINGS).build());
  }

  private static final Json DECISION;
  private static final Json READINGS;

  static {
    var inForce = List.of(new Policy.InForce(new UUID(1, 1), PolicyEngineBenchmark.tenRules(), Policy.Target.TENANT));
    var facts = new SpendFacts(Scenario.TENANT, Scenario.agent(1), Scenario.wallet(1),
        Scenario.asset(Scenario.CHAIN, "USDC"), BigInteger.valueOf(12_500_000), Scenario.payee("B"),
        SpendFacts.TRANSFER,
        null, null, false, false);
    var decision = PolicyEngine.decide(inForce, facts, new LoggedCounters(), FIRST);
    DECISION = DecisionJson.decision(decision, Advice.NONE);
    READINGS = DecisionJson.readings(decision, Advice.NONE);
  }
}
