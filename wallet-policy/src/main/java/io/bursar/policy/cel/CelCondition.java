package io.bursar.policy.cel;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

import org.jspecify.annotations.Nullable;

import dev.cel.common.values.NullValue;
import dev.cel.runtime.CelEvaluationException;
import dev.cel.runtime.CelRuntime;
import io.bursar.json.Json;
import io.bursar.policy.Condition;
import io.bursar.spend.Id;
import io.bursar.spend.SpendFacts;

/** One condition in CEL. */
final class CelCondition implements Condition {
  /**
   * How much looking through texts one evaluation may cost: characters times characters for {@code contains}, characters times
   * instructions for {@code matches}. It is counted and not measured, so that a decision made again comes to the same.
   */
  private static final long WORK_MAX = 4_000_000;

  /** What the functions of the expression that this thread evaluates are to see; CEL hands them their arguments only. */
  private static final ThreadLocal<Evaluation> CURRENT = new ThreadLocal<>();

  private final CelRuntime.Program program;
  private final CelTree.Found found;

  CelCondition(CelRuntime.Program program, CelTree.Found found) {
    this.program = program;
    this.found = found;
  }

  @Override
  public Reads reads() {
    return found.reads();
  }

  @Override
  public boolean holds(Inputs inputs) {
    CURRENT.set(new Evaluation(found, inputs.spent()));
    try {
      return (Boolean) program.eval(variables(inputs));
    } catch (CelEvaluationException e) {
      throw new IllegalStateException("the condition could not be evaluated", e);
    } finally {
      CURRENT.remove();
    }
  }

  /** Those variables that the expression looks at. */
  private Map<String, Object> variables(Inputs inputs) {
    Map<String, Object> variables = new HashMap<>();
    for (var variable : found.variables()) {
      variables.put(variable, switch (variable) {
        case "spend" -> spend(inputs);
        case "agent" -> Map.of("id", Id.AGENT.text(inputs.facts().agentId()));
        case "wallet" ->
          Map.of("id", Id.WALLET.text(inputs.facts().walletId()), "chain", inputs.facts().asset().chain());
        case "now" -> inputs.now();
        default -> throw new IllegalStateException("`" + variable + "` is not a variable");
      });
    }
    return variables;
  }

  /** Those parts of the request that the expression looks at and that are there. */
  private Map<String, Object> spend(Inputs inputs) {
    Map<String, Object> spend = new HashMap<>();
    for (var field : found.spendFields()) {
      var value = value(field, inputs.facts(), inputs.amount());
      if (value != null) {
        spend.put(field, value);
      }
    }
    return spend;
  }

  private static @Nullable Object value(String field, SpendFacts facts, BigDecimal amount) {
    return switch (field) {
      case "asset" -> facts.asset().symbol();
      case "currency" -> facts.asset().currency();
      case "chain" -> facts.asset().chain();
      case "amount" -> new Decimal(amount);
      case "payee" -> facts.payee().toString();
      case "method" -> facts.method();
      case "category" -> facts.category();
      case "host" -> facts.host();
      case "purpose" -> facts.text().purpose();
      case "reference" -> facts.text().reference();
      case "metadata" -> facts.text().metadata() == null ? null : value(facts.text().metadata());
      default -> throw new IllegalStateException("`" + field + "` is not a part of a request");
    };
  }

  private static Object value(Json json) {
    return switch (json) {
      case Json.Obj object -> {
        Map<String, Object> members = new HashMap<>();
        object.members().forEach((name, member) -> members.put(name, value(member)));
        yield members;
      }
      case Json.Arr array -> {
        List<Object> items = new ArrayList<>(array.items().size());
        array.items().forEach(item -> items.add(value(item)));
        yield items;
      }
      case Json.Str text -> text.value();
      case Json.Num number -> number.value();
      case Json.Bool bool -> bool.value();
      case Json.Null none -> NullValue.NULL_VALUE;
    };
  }

  /** The evaluation that this thread is at. */
  static Evaluation current() {
    return Objects.requireNonNull(CURRENT.get(), "nothing is being evaluated");
  }

  /** What the functions of one evaluation can see, and the work that they have done. */
  static final class Evaluation {
    private final CelTree.Found found;
    private final Map<String, BigDecimal> spent;
    private long work;

    private Evaluation(CelTree.Found found, Map<String, BigDecimal> spent) {
      this.found = found;
      this.spent = spent;
    }

    Decimal spent(String limit) {
      return new Decimal(Objects.requireNonNull(spent.get(limit), "what was spent is not known"));
    }

    boolean isInSet(String value, String set) {
      return Objects.requireNonNull(found.sets().get(set), "the set is not known").contains(value);
    }

    boolean contains(String text, String part) {
      work((long) text.length() * Math.max(1, part.length()));
      return text.contains(part);
    }

    boolean matches(String text, String pattern) {
      var compiled = Objects.requireNonNull(found.patterns().get(pattern), "the regular expression is not known");
      work((long) text.length() * compiled.programSize());
      return compiled.matcher(text).find();
    }

    private void work(long more) {
      work += more;
      if (work > WORK_MAX) {
        throw new IllegalStateException("the condition looks through too much text");
      }
    }
  }
}
