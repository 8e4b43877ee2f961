package io.bursar.api.simulation;

import java.time.Duration;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/** Plays many seeds and prints what came of them; {@code deploy/bench/simulate} runs it. */
final class Simulate {
  private Simulate() {}

  /**
   * Totals of many seeds.
   *
   * @param findings of the seeds where there were any
   */
  record Totals(int seeds, long steps, long spends, Map<Fault, Integer> faults, Duration slowestRecovery, long slowest,
      Map<Long, List<String>> findings) {
    static final Totals NONE = new Totals(0, 0, 0, Map.of(), Duration.ZERO, 0, Map.of());

    Totals and(Simulation.Outcome outcome) {
      var sum = new EnumMap<Fault, Integer>(Fault.class);
      sum.putAll(faults);
      outcome.faults().forEach((fault, count) -> sum.merge(fault, count, Integer::sum));
      boolean slower = outcome.recovery().compareTo(slowestRecovery) > 0;
      var found = new java.util.TreeMap<>(findings);
      if (!outcome.findings().isEmpty()) {
        found.put(outcome.seed(), outcome.findings());
      }
      return new Totals(seeds + 1, steps + outcome.steps(), spends + outcome.spends(), sum,
          slower ? outcome.recovery() : slowestRecovery, slower ? outcome.seed() : slowest, found);
    }

    String text() {
      var text = new StringBuilder();
      text.append("seeds ").append(seeds).append(", steps ").append(steps).append(", spends ").append(spends)
          .append(", broken invariants ").append(findings.size()).append('\n');
      faults.forEach((fault, count) -> text.append("  ").append(fault.text()).append(": ").append(count).append('\n'));
      text.append("slowest recovery ").append(slowestRecovery.toSeconds()).append(" s of simulated time (seed ")
          .append(slowest).append(")\n");
      findings.forEach((seed, found) -> text.append("seed ").append(seed).append(":\n  ")
          .append(String.join("\n  ", found)).append('\n'));
      return text.toString();
    }
  }

  /** Plays seeds one after the other until the time is over or something is found. */
  static Totals play(Stage stage, long first, int count, Duration atMost) {
    long deadline = System.nanoTime() + atMost.toNanos();
    var totals = Totals.NONE;
    for (long seed = first; seed < first + count && totals.findings.isEmpty() && System.nanoTime() < deadline; seed++) {
      totals = totals.and(Simulation.play(seed, stage));
    }
    return totals;
  }

  /**
   * Plays seeds.
   *
   * @param args how many, and the first
   */
  public static void main(String[] args) {
    int count = Integer.parseInt(args[0]);
    long first = Long.parseLong(args[1]);
    long began = System.nanoTime();
    Totals totals;
    try (var stage = new Stage()) {
      totals = play(stage, first, count, Duration.ofDays(1));
    }
    System.out.print(totals.text());
    System.out.println("in " + Duration.ofNanos(System.nanoTime() - began).toSeconds() + " s; again with --seeds "
        + totals.seeds + " --from " + first);
    System.exit(totals.findings.isEmpty() ? 0 : 1);
  }
}
