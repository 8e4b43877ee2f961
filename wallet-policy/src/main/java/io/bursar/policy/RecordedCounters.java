package io.bursar.policy;

import java.math.BigInteger;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.policy.Policy.InForce;
import io.bursar.spend.SpendFacts;

/**
 * The counters of a decision that was made before, as its readings recorded them: deciding again from the same policies, facts
 * and time gives the same decision. A counter that was not read then cannot be read now.
 */
public final class RecordedCounters implements Counters {
  private record Key(Counter counter, long key, Window window) {}

  /** Equal counters may be asked for different bounds by different limits. */
  private record Question(Key key, BigInteger sumMax, long countMax) {}

  private record RuleName(UUID policyId, String rule) {}

  private final Map<Key, Usage> usages = new HashMap<>();
  private final Map<Question, Optional<Instant>> fits = new HashMap<>();

  private record ConditionName(UUID policyId, Policy.Target attachedTo, String rule) {}

  private final Map<ConditionName, Decision.ConditionReading> conditions = new HashMap<>();

  private RecordedCounters() {}

  /**
   * The counters as one decision read them.
   *
   * @param policies what was in force, in any order
   * @param facts what was asked for
   * @param readings of the decision
   * @param conditions of the decision
   */
  public static RecordedCounters of(List<InForce> policies, SpendFacts facts, List<Decision.Reading> readings,
      List<Decision.ConditionReading> conditions) {
    var recorded = of(policies, facts, readings);
    conditions.forEach(reading -> recorded.conditions
        .put(new ConditionName(reading.policyId(), reading.attachedTo(), reading.rule()), reading));
    return recorded;
  }

  /** As {@link #of(List, SpendFacts, List, List)}, for a decision in which no condition read anything beside the facts. */
  public static RecordedCounters of(List<InForce> policies, SpendFacts facts, List<Decision.Reading> readings) {
    Map<RuleName, List<Decision.Reading>> byRule = new HashMap<>();
    for (var reading : readings) {
      byRule.computeIfAbsent(new RuleName(reading.policyId(), reading.rule()), name -> new ArrayList<>())
          .add(reading);
    }
    var recorded = new RecordedCounters();
    for (var inForce : PolicyEngine.inOrder(policies)) {
      for (var rule : inForce.rules(facts)) {
        var counter = rule.bounds == null ? null : rule.bounds.counter();
        if (counter == null || !(rule.rule instanceof Rule.Limit limit)) {
          continue;
        }
        var found = byRule.get(new RuleName(rule.policyId, limit.id()));
        if (found != null && !found.isEmpty()) {
          // A policy that is attached twice is read twice, in the same order.
          recorded.note(rule, new Key(counter, counter.key(facts), limit.window()), facts, found.removeFirst());
        }
      }
    }
    return recorded;
  }

  private void note(RuleInForce rule, Key key, SpendFacts facts, Decision.Reading reading) {
    usages.put(key, reading.usage());
    var question = rule.question(Counter.parts(facts.asset(), facts.amount()));
    if (question != null) {
      fits.put(new Question(key, question.sumMax(), question.countMax()), Optional.ofNullable(reading.fitsAt()));
    }
  }

  @Override
  public Usage usage(Counter counter, long key, Window window, Instant now) {
    return found(usages.get(new Key(counter, key, window)));
  }

  @Override
  public Optional<Instant> fitsAt(Counter counter, long key, Window window, Instant now, BigInteger sumMax,
      long countMax) {
    var usage = usage(counter, key, window, now);
    if (usage.sum().compareTo(sumMax) <= 0 && usage.count() <= countMax) {
      return Optional.of(now);
    }
    return found(fits.get(new Question(new Key(counter, key, window), sumMax, countMax)));
  }

  @Override
  public Recorded recorded() {
    return (policyId, attachedTo, rule) -> found(conditions.get(new ConditionName(policyId, attachedTo, rule)));
  }

  private static <T> T found(@Nullable T value) {
    if (value == null) {
      throw new IllegalStateException("was not read when the decision was made");
    }
    return value;
  }
}
