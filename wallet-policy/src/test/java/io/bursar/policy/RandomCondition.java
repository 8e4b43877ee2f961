package io.bursar.policy;

import java.math.BigDecimal;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Function;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.policy.Decision.ConditionOutcome;

/**
 * Random conditions, each twice: as CEL, and as what it means in plain Java, with an answer for what cannot be evaluated. The
 * same for the same seed; compiling takes a while, so there is one set of them for all tests.
 */
final class RandomCondition {
  /** All that a condition can see, and what it means. */
  record Seen(Condition.Inputs inputs, Function<String, @Nullable BigDecimal> spent) {}

  /** A condition with its meaning. */
  record Meant(When when, Function<Seen, ConditionOutcome> meaning) {}

  private record Part(String cel, Function<Seen, ConditionOutcome> meaning) {}

  static final List<Meant> ALL = all(300, 20261125);

  private final Random random;

  private RandomCondition(long seed) {
    random = new Random(seed);
  }

  private static List<Meant> all(int count, long seed) {
    var maker = new RandomCondition(seed);
    List<Meant> all = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      var part = maker.part(2);
      all.add(new Meant(new When(part.cel, java.util.Objects.requireNonNull(Scenario.ENVIRONMENT.conditions())
          .compile(part.cel, Scenario.ENVIRONMENT.sets())), part.meaning));
    }
    return List.copyOf(all);
  }

  private Part part(int depth) {
    if (depth == 0 || random.nextInt(3) == 0) {
      return leaf();
    }
    var first = part(depth - 1);
    var second = part(depth - 1);
    return switch (random.nextInt(3)) {
      case 0 -> new Part("(" + first.cel + " && " + second.cel + ")",
          seen -> and(first.meaning.apply(seen), second.meaning.apply(seen)));
      case 1 -> new Part("(" + first.cel + " || " + second.cel + ")",
          seen -> not(and(not(first.meaning.apply(seen)), not(second.meaning.apply(seen)))));
      default -> new Part("!(" + first.cel + ")", seen -> not(first.meaning.apply(seen)));
    };
  }

  private Part leaf() {
    int units = 1 + random.nextInt(60);
    var number = "decimal('" + units + "')";
    return switch (random.nextInt(12)) {
      case 0 -> new Part("spend.amount > " + number, seen -> of(amount(seen, units) > 0));
      case 1 -> new Part(number + " >= spend.amount", seen -> of(amount(seen, units) <= 0));
      case 2 -> new Part("spend.amount == " + number, seen -> of(amount(seen, units) == 0));
      case 3 -> new Part("spend.asset in ['USDC', 'POINT']",
          seen -> of(List.of("USDC", "POINT").contains(seen.inputs.facts().asset().symbol())));
      case 4 -> new Part("spend.category == 'x'", seen -> ofText(seen.inputs.facts().category(), "x"::equals));
      case 5 -> new Part("has(spend.host)", seen -> of(seen.inputs.facts().host() != null));
      case 6 -> new Part("spend.purpose.contains('re')",
          seen -> ofText(seen.inputs.facts().text().purpose(), text -> text.contains("re")));
      case 7 -> new Part("spend.metadata.n > 3", RandomCondition::numberAboveThree);
      case 8 -> new Part("now.getHours('UTC') < 12",
          seen -> of(seen.inputs.now().atZone(ZoneOffset.UTC).getHour() < 12));
      case 9 -> limit(number, units);
      case 10 -> new Part("inSet(spend.payee, 'vendors@2')",
          seen -> of(seen.inputs.facts().payee().equals(Scenario.payee("A"))));
      default -> new Part("spend.amount * decimal('2') > " + number,
          seen -> of(seen.inputs.amount().multiply(BigDecimal.TWO).compareTo(BigDecimal.valueOf(units)) > 0));
    };
  }

  private Part limit(String number, int units) {
    var limit = "r" + (1 + random.nextInt(4));
    return new Part("spent('" + limit + "') < " + number, seen -> {
      var spent = seen.spent.apply(limit);
      return spent == null ? ConditionOutcome.ERROR : of(spent.compareTo(BigDecimal.valueOf(units)) < 0);
    });
  }

  private static ConditionOutcome numberAboveThree(Seen seen) {
    var metadata = seen.inputs.facts().text().metadata();
    return metadata != null && metadata.get("n") instanceof Json.Num(long n) ? of(n > 3) : ConditionOutcome.ERROR;
  }

  private static int amount(Seen seen, int units) {
    return seen.inputs.amount().compareTo(BigDecimal.valueOf(units));
  }

  private static ConditionOutcome ofText(@Nullable String text, java.util.function.Predicate<String> test) {
    return text == null ? ConditionOutcome.ERROR : of(test.test(text));
  }

  private static ConditionOutcome of(boolean holds) {
    return holds ? ConditionOutcome.HOLDS : ConditionOutcome.FAILS;
  }

  /** What is false on one side is false, whatever the other side is. */
  private static ConditionOutcome and(ConditionOutcome first, ConditionOutcome second) {
    if (first == ConditionOutcome.FAILS || second == ConditionOutcome.FAILS) {
      return ConditionOutcome.FAILS;
    }
    return first == ConditionOutcome.ERROR ? first : second;
  }

  private static ConditionOutcome not(ConditionOutcome outcome) {
    return switch (outcome) {
      case HOLDS -> ConditionOutcome.FAILS;
      case FAILS -> ConditionOutcome.HOLDS;
      case ERROR -> ConditionOutcome.ERROR;
    };
  }
}
