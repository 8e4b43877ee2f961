package io.bursar.policy;

import java.math.BigInteger;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
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

import io.bursar.policy.Policy.Target;
import io.bursar.spend.SpendFacts;

/**
 * What one decision over ten typed rules costs, with counters in memory: a permit for a list of payees, five limits over amounts
 * and counts, a tier for approval, a payee that is refused, and business hours.
 */
@State(Scope.Thread)
@BenchmarkMode({Mode.AverageTime, Mode.SampleTime})
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(1)
public class PolicyEngineBenchmark {
  private static final Instant NOW = Instant.parse("2026-11-23T10:00:00Z");

  /** What is asked for: an amount that passes, or one that breaks two limits. */
  @Param({"12.5", "90"})
  public String amount = "";

  private List<Policy.InForce> policies = List.of();
  private @Nullable SpendFacts facts;
  private final MapCounters counters = new MapCounters();

  /** Counters as a lane keeps them: looked up by counter, key and window. */
  private static final class MapCounters implements Counters {
    private record Key(Counter counter, long key, Window window) {}

    private final Map<Key, Usage> usages = new HashMap<>();

    @Override
    public Usage usage(Counter counter, long key, Window window, Instant now) {
      return usages.getOrDefault(new Key(counter, key, window), Usage.NONE);
    }

    @Override
    public Optional<Instant> fitsAt(Counter counter, long key, Window window, Instant now, BigInteger sumMax,
        long countMax) {
      return Optional.of(now.plusSeconds(3600));
    }
  }

  static Policy tenRules() {
    return Scenario.policy(
        """
        {"id": "vendors", "kind": "permit", "match": {"assets": ["USDC"], "payees": {"in": ["%s", "%s", "%s"]}}}
        """.formatted(Scenario.payee("A"), Scenario.payee("B"), Scenario.payee("C")),
        """
        {"id": "each", "kind": "limit", "match": {"assets": ["USDC"]}, "min": "0.01", "max": "80", "window": "spend"}
        """,
        """
        {"id": "daily", "kind": "limit", "match": {"currency": "USD"}, "max": "100", "window": {"rolling": "PT24H"}}
        """, """
             {"id": "weekly", "kind": "limit", "match": {"currency": "USD"}, "max": "500", "window": {"rolling": "P7D"}}
             """,
        """
        {"id": "month", "kind": "limit", "match": {"currency": "USD"}, "max": "1000", "window": {"calendar": "month", "zone": "UTC"}}
        """,
        """
        {"id": "pace", "kind": "limit", "maxCount": 1000, "window": {"rolling": "PT1M"}, "per": ["agent"]}
        """,
        """
        {"id": "tenant", "kind": "limit", "match": {"currency": "USD"}, "max": "100000", "window": {"rolling": "PT24H"}, "per": ["tenant"]}
        """,
        """
        {"id": "big", "kind": "approval", "match": {"currency": "USD", "amount": {"above": "20"}}, "groups": [{"group": "finance", "threshold": 2}]}
        """,
        """
        {"id": "not-z", "kind": "deny", "match": {"payees": {"in": ["%s"]}}}
        """.formatted(Scenario.payee("Z")),
        """
        {"id": "hours", "kind": "deny", "unless": {"cron": "0 9 * * MON-FRI", "for": "PT9H", "zone": "Europe/Berlin"}}
        """);
  }

  @Setup
  public void setUp() {
    var policy = tenRules();
    policies = List.of(new Policy.InForce(new UUID(1, 1), policy, Target.WALLET));
    var asset = Scenario.asset(Scenario.CHAIN, "USDC");
    facts = new SpendFacts(Scenario.TENANT, Scenario.agent(1), Scenario.wallet(1), asset,
        io.bursar.money.Amount.parse(amount, 6), Scenario.payee("B"), SpendFacts.TRANSFER, null, null, false, false);
    for (var need : PolicyEngine.needs(policies, facts)) {
      counters.usages.put(new MapCounters.Key(need.counter(), need.key(), need.window()),
          new Counters.Usage(BigInteger.TEN.pow(18).multiply(BigInteger.valueOf(20)), 7));
    }
    var decision = PolicyEngine.decide(policies, facts, counters, NOW);
    if (decision.trace().size() != 10 || decision.readings().size() != 5) {
      throw new IllegalStateException("not the decision that should be measured: " + decision);
    }
  }

  @Benchmark
  public Decision decide() {
    return PolicyEngine.decide(policies, java.util.Objects.requireNonNull(facts), counters, NOW);
  }

  @Benchmark
  public Optional<BigInteger> maxAmountNow() {
    return Headroom.maxAmountNow(policies, java.util.Objects.requireNonNull(facts), counters, NOW);
  }

  @Benchmark
  public Optional<Instant> retryAt() {
    return Headroom.retryAt(policies, java.util.Objects.requireNonNull(facts), counters, NOW);
  }
}
