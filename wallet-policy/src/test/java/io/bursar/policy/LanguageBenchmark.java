package io.bursar.policy;

import java.math.BigInteger;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeUnit;

import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

import io.bursar.json.Json;
import io.bursar.money.Address;
import io.bursar.spend.SpendFacts;
import io.bursar.spend.SpendText;

/**
 * What the ten rules of {@link PolicyEngineBenchmark} cost with three conditions beside them, and among ten thousand rules over as
 * many payees; and what checking and compiling a thousand rules costs, a hundred of them with a condition.
 */
@State(Scope.Thread)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(1)
public class LanguageBenchmark {
  private static final Instant NOW = Instant.parse("2026-11-23T10:00:00Z");

  /** How many rules, and how many of the ten have a condition. */
  @Param({"10", "13", "10000"})
  public int rules;

  private List<Policy.InForce> policies = List.of();
  private @Nullable SpendFacts facts;
  private @Nullable Json document;

  /** Counters that hold the same everywhere: what is measured is the language. */
  private static final class EvenCounters implements Counters {
    private static final Usage USAGE = new Usage(BigInteger.TEN.pow(18).multiply(BigInteger.valueOf(20)), 7);

    @Override
    public Usage usage(Counter counter, long key, Window window, Instant now) {
      return USAGE;
    }

    @Override
    public Optional<Instant> fitsAt(Counter counter, long key, Window window, Instant now, BigInteger sumMax,
        long countMax) {
      return Optional.of(now);
    }
  }

  private static Address payee(int number) {
    var bytes = new byte[Address.BYTES];
    bytes[0] = 1;
    bytes[18] = (byte) (number >> 8);
    bytes[19] = (byte) number;
    return Address.of(bytes);
  }

  @Setup
  public void setUp() {
    var ten = PolicyEngineBenchmark.tenRules().rules();
    List<Rule> all = new ArrayList<>(ten);
    if (rules == 13) {
      all.addAll(Scenario.policy(
          "{'id': 'c1', 'kind': 'deny', 'when': 'spend.purpose.contains(`refund`) && spend.amount > decimal(`5`)'}",
          "{'id': 'c2', 'kind': 'deny', 'when': 'now.getHours(`Europe/Berlin`) < 6 && spent(`daily`) > decimal(`90`)'}",
          "{'id': 'c3', 'kind': 'deny', 'when': 'has(spend.metadata.order) && spend.metadata.order.startsWith(`x`)'}",
          "{'id': 'daily', 'kind': 'limit', 'match': {'currency': 'USD'}, 'max': '100', 'window': {'rolling': 'PT24H'}}")
          .rules().subList(0, 3));
    }
    for (int i = 10; i < rules && rules > 13; i++) {
      var match = new Match(null, null, null, new Match.Payees(true, java.util.Set.of(payee(i))), null, null, null,
          null, null, null);
      all.add(i % 2 == 0
          ? new Rule.Permit("p" + i, match, Rule.Schedule.ALWAYS)
          : new Rule.Limit("l" + i, match, Rule.Schedule.ALWAYS, null, null, 10L,
              new Window.Rolling(java.time.Duration.ofHours(1)), java.util.Set.of()));
    }
    policies = List.of(new Policy.InForce(new UUID(1, 1), new Policy("p", all, "sha256:0"), Policy.Target.WALLET));
    facts = new SpendFacts(Scenario.TENANT, Scenario.agent(1), Scenario.wallet(1),
        Scenario.asset(Scenario.CHAIN, "USDC"), BigInteger.valueOf(12_500_000), Scenario.payee("B"),
        SpendFacts.TRANSFER, null, null, false, false,
        new SpendText("1000 API calls", null, Json.object().put("order", "o-7").build()));
    document = thousand();
    if (decide().effect() != Decision.Effect.ALLOW) {
      throw new IllegalStateException("not the decision that should be measured: " + decide());
    }
  }

  private static Json thousand() {
    List<Json> rules = new ArrayList<>();
    for (int i = 0; i < 1_000; i++) {
      var when = i % 10 == 0 ? ", 'when': 'spend.purpose.contains(`x`) && spend.amount > decimal(`" + i + "`)'" : "";
      rules.add(Scenario.json("{'id': 'r" + i + "', 'kind': '" + (i % 2 == 0 ? "permit" : "deny")
          + "', 'match': {'assets': ['USDC'], 'payees': {'in': ['" + payee(i) + "']}, 'amount': {'to': '" + (i + 1)
          + "'}}" + when + "}"));
    }
    return Json.object().put("name", "thousand").put("rules", new Json.Arr(rules)).build();
  }

  @Benchmark
  @BenchmarkMode({Mode.AverageTime, Mode.SampleTime})
  public Decision decide() {
    return PolicyEngine.decide(policies, java.util.Objects.requireNonNull(facts), new EvenCounters(), NOW);
  }

  @Benchmark
  @BenchmarkMode(Mode.AverageTime)
  @OutputTimeUnit(TimeUnit.MILLISECONDS)
  public Policy.InForce compileThousandRules() {
    var parsed = (PolicyJson.Parsed) PolicyJson.parse(java.util.Objects.requireNonNull(document), Scenario.CONTEXT);
    return new Policy.InForce(new UUID(1, 1), parsed.policy(), Policy.Target.WALLET);
  }
}
