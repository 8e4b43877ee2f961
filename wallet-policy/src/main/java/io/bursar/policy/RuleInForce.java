package io.bursar.policy;

import java.math.BigInteger;
import java.math.RoundingMode;
import java.time.Instant;
import java.util.EnumSet;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;

import org.jspecify.annotations.Nullable;

import io.bursar.policy.Decision.RuleTrace.Outcome;
import io.bursar.spend.SpendFacts;

/** A rule of a policy that is attached to something, made ready for many requests. */
final class RuleInForce {
  final UUID policyId;
  final Rule rule;
  final Matcher matcher;
  final @Nullable Bounds bounds;

  /** Its condition, once {@link #bindCondition} has been called. */
  @Nullable
  ConditionInForce condition;

  private final @Nullable SpanMemo active;
  private final @Nullable SpanMemo unless;

  /** Each made when it is first asked for: a large policy has many rules, and most only ever come to one outcome. */
  private final Map<Outcome, Decision.RuleTrace> traces = new ConcurrentHashMap<>(2);

  /**
   * What a limit lets through.
   *
   * @param counter what it counts; null for the window that is this one request
   * @param min and {@code max}: parts of 10^-18
   */
  record Bounds(@Nullable Counter counter, @Nullable BigInteger min, @Nullable BigInteger max,
      @Nullable Long maxCount) {

    boolean belowMin(BigInteger parts) {
      return min != null && parts.compareTo(min) < 0;
    }

    boolean aboveMax(BigInteger sum) {
      return max != null && sum.compareTo(max) > 0;
    }

    boolean full(long count) {
      return maxCount != null && count >= maxCount;
    }
  }

  RuleInForce(UUID policyId, Rule rule, Policy.Target attachedTo) {
    this.policyId = policyId;
    this.rule = rule;
    this.matcher = new Matcher(rule.match());
    this.active = SpanMemo.of(rule.schedule().active());
    this.unless = SpanMemo.of(rule.schedule().unless());
    this.bounds = rule instanceof Rule.Limit limit ? bounds(limit, attachedTo) : null;
  }

  /** Makes its condition ready, which may look at the other rules of the policy. */
  void bindCondition(RuleInForce[] rules, Policy.Target attachedTo) {
    var when = rule.when();
    condition = when == null ? null : new ConditionInForce(this, when.condition(), rules, attachedTo);
  }

  Decision.RuleTrace trace(Outcome outcome) {
    return traces.computeIfAbsent(outcome,
        first -> new Decision.RuleTrace(policyId, rule.id(), kind(rule), first));
  }

  boolean scheduled() {
    return active != null || unless != null;
  }

  /** Whether the rule's schedule lets it speak at a time. */
  boolean inEffect(Instant now) {
    return (active == null || active.contains(now)) && (unless == null || !unless.contains(now));
  }

  /** A time after {@code now} before which {@link #inEffect} does not change; null for a rule that is always in effect. */
  @Nullable
  Instant nextChange(Instant now) {
    var first = active == null ? null : active.nextBoundary(now);
    var second = unless == null ? null : unless.nextBoundary(now);
    return first == null ? second : second == null || first.isBefore(second) ? first : second;
  }

  /** What a counting limit reads of its counter; reading less than nothing is an error. */
  static Counters.Usage usage(Counters counters, Counter counter, long key, Window window, Instant now) {
    var usage = counters.usage(counter, key, window, now);
    if (usage.sum().signum() < 0 || usage.count() < 0) {
      throw new IllegalStateException("a counter holds less than nothing");
    }
    return usage;
  }

  /** What a counting limit asks its counter: when is there room for one more spend. */
  record Question(BigInteger sumMax, long countMax) {}

  /** The question for a spend; null where no time would do. */
  @Nullable
  Question question(BigInteger parts) {
    var limit = Objects.requireNonNull(bounds);
    var sumMax = limit.max == null ? Counters.ANY_SUM : limit.max.subtract(parts);
    long countMax = limit.maxCount == null ? Long.MAX_VALUE : limit.maxCount - 1;
    return sumMax.signum() < 0 || countMax < 0 ? null : new Question(sumMax, countMax);
  }

  /** When a counting limit would let the spend through; empty where never. */
  Optional<Instant> fitsAt(Counters counters, Counter counter, Window window, SpendFacts facts, BigInteger parts,
      Instant now) {
    var question = question(parts);
    return question == null
        ? Optional.empty()
        : counters.fitsAt(counter, counter.key(facts), window, now, question.sumMax, question.countMax);
  }

  private static Bounds bounds(Rule.Limit limit, Policy.Target attachedTo) {
    var min = limit.min() == null ? null : Matcher.parts(limit.min(), RoundingMode.CEILING);
    var max = limit.max() == null ? null : Matcher.parts(limit.max(), RoundingMode.FLOOR);
    return new Bounds(counter(limit, attachedTo), min, max, limit.maxCount());
  }

  static @Nullable Counter counter(Rule.Limit limit, Policy.Target attachedTo) {
    var per = limit.per().isEmpty() ? EnumSet.of(dimension(attachedTo)) : limit.per();
    return counter(limit, per);
  }

  /** What a limit counts apart for each of {@code per}; null for one that looks at single spends. */
  static @Nullable Counter counter(Rule.Limit limit, Set<Counter.Dimension> per) {
    var unit = limit.max() == null ? Counter.Unit.NONE : Counter.Unit.AMOUNT;
    return switch (limit.window()) {
      case Window.Spend spend -> null;
      case Window.Rolling rolling -> Counter.of(limit.match(), per, unit, Optional.empty());
      case Window.Calendar calendar -> Counter.of(limit.match(), per, unit, Optional.of(calendar));
      case Window.Lifetime lifetime -> Counter.of(limit.match(), per, unit, Optional.of(lifetime));
    };
  }

  private static Counter.Dimension dimension(Policy.Target target) {
    return switch (target) {
      case TENANT -> Counter.Dimension.TENANT;
      case AGENT -> Counter.Dimension.AGENT;
      case WALLET -> Counter.Dimension.WALLET;
    };
  }

  private static String kind(Rule rule) {
    return switch (rule) {
      case Rule.Permit permit -> "permit";
      case Rule.Limit limit -> "limit";
      case Rule.Approval approval -> "approval";
      case Rule.Deny deny -> "deny";
    };
  }

  /** A time span that remembers the stretch it was last asked about: asking again within it costs two comparisons. */
  private static final class SpanMemo {
    private record Stretch(Instant from, Instant until, boolean inside) {}

    private final TimeSpan span;
    private volatile @Nullable Stretch last;

    private SpanMemo(TimeSpan span) {
      this.span = span;
    }

    static @Nullable SpanMemo of(@Nullable TimeSpan span) {
      return span == null ? null : new SpanMemo(span);
    }

    boolean contains(Instant time) {
      return stretch(time).inside;
    }

    Instant nextBoundary(Instant time) {
      return stretch(time).until;
    }

    private Stretch stretch(Instant time) {
      var known = last;
      if (known != null && !time.isBefore(known.from) && time.isBefore(known.until)) {
        return known;
      }
      var stretch = new Stretch(time, span.nextBoundary(time), span.contains(time));
      last = stretch;
      return stretch;
    }
  }
}
