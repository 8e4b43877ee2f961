package io.bursar.policy;

import java.math.BigInteger;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeUnit;

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

import io.bursar.money.Amount;
import io.bursar.policy.Policy.Target;
import io.bursar.spend.SpendFacts;

/** What it costs to decide one recorded authorization again, from its bytes to the comparison; ten typed rules. */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(1)
public class ReplayBenchmark {
  private static final Instant NOW = Instant.parse("2026-11-23T10:00:00Z");

  /** An amount that passes, one that needs approval, and one that breaks two limits. */
  @Param({"12.5", "24", "90"})
  public String amount = "";

  private byte[] entry = {};
  private Replay replay = new Replay((id, version) -> Optional.empty());

  @Setup
  public void setUp() {
    var policy = PolicyEngineBenchmark.tenRules();
    var policies = List.of(new Policy.InForce(new UUID(1, 1), policy, Target.WALLET));
    var facts = new SpendFacts(Scenario.TENANT, Scenario.agent(1), Scenario.wallet(1),
        Scenario.asset(Scenario.CHAIN, "USDC"), Amount.parse(amount, 6), Scenario.payee("B"), SpendFacts.TRANSFER, null,
        null, false, false);
    var counters = new Counters() {
      @Override
      public Usage usage(Counter counter, long key, Window window, Instant now) {
        return new Usage(BigInteger.TEN.pow(18).multiply(BigInteger.valueOf(20)), 7);
      }

      @Override
      public Optional<Instant> fitsAt(Counter counter, long key, Window window, Instant now, BigInteger sumMax,
          long countMax) {
        var usage = usage(counter, key, window, now);
        boolean fits = usage.sum().compareTo(sumMax) <= 0 && usage.count() <= countMax;
        return Optional.of(fits ? now : now.plusSeconds(3600));
      }
    };
    entry = ReplayTest.entry(policies, facts, counters, NOW, new UUID(5, 1));
    replay = new Replay((id, version) -> Optional.of(policy));
    if (!(again() instanceof Replay.Same)) {
      throw new IllegalStateException("not decided alike: " + again());
    }
  }

  @Benchmark
  public Replay.Result again() {
    return replay.again(entry);
  }
}
