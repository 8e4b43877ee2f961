package io.bursar.policy.cel;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;

import org.jspecify.annotations.Nullable;

import com.google.re2j.Pattern;
import com.google.re2j.PatternSyntaxException;

import dev.cel.common.CelAbstractSyntaxTree;
import dev.cel.common.ast.CelConstant;
import dev.cel.common.ast.CelExpr;
import dev.cel.common.ast.CelExpr.ExprKind.Kind;
import dev.cel.common.navigation.CelNavigableAst;
import dev.cel.common.navigation.CelNavigableExpr;
import io.bursar.policy.Condition;
import io.bursar.policy.ValueSet;

/** Reads from a checked expression what it looks at, and refuses what the types alone would let pass. */
final class CelTree {
  /** The largest program that a regular expression may come to, in instructions. */
  private static final int PATTERN_MAX = 500;

  private static final Set<String> VARIABLES = Set.of("spend", "agent", "wallet", "now");
  private static final Set<String> TEXTS = Set.of("purpose", "reference", "metadata");
  private static final Set<String> COMPARISONS = Set.of("_<_", "_<=_", "_>_", "_>=_", "_==_", "_!=_");

  private final CelAbstractSyntaxTree tree;
  private final Function<String, Optional<ValueSet>> resolver;
  private final List<String> faults = new ArrayList<>();

  private final Set<String> variables = new HashSet<>();
  private final Set<String> spendFields = new HashSet<>();
  private final Set<String> limits = new HashSet<>();
  private final Map<String, ValueSet> sets = new HashMap<>();
  private final Map<String, Pattern> patterns = new HashMap<>();

  /** The fixed amounts that the amount is compared with, and whether it is looked at in any other way. */
  private final TreeSet<BigDecimal> amounts = new TreeSet<>();
  private boolean amountOtherwise;

  /**
   * What was found in an expression.
   *
   * @param variables those of {@code spend}, {@code agent}, {@code wallet} and {@code now} that it looks at
   * @param spendFields the parts of the request that it looks at
   * @param sets and {@code patterns}: by the text that stands in the expression
   */
  record Found(Condition.Reads reads, Set<String> variables, Set<String> spendFields, Map<String, ValueSet> sets,
      Map<String, Pattern> patterns) {}

  CelTree(CelAbstractSyntaxTree tree, Function<String, Optional<ValueSet>> resolver) {
    this.tree = tree;
    this.resolver = resolver;
  }

  /**
   * Reads the expression.
   *
   * @throws IllegalArgumentException with all that is wrong with it
   */
  Found read() {
    CelNavigableAst.fromAst(tree).getRoot().allNodes().forEach(this::read);
    if (!faults.isEmpty()) {
      throw new IllegalArgumentException(String.join("; ", faults));
    }
    boolean text = spendFields.stream().anyMatch(TEXTS::contains);
    var reads = new Condition.Reads(text, variables.contains("now"), limits,
        amountOtherwise ? null : List.copyOf(amounts));
    return new Found(reads, Set.copyOf(variables), Set.copyOf(spendFields), Map.copyOf(sets), Map.copyOf(patterns));
  }

  private void read(CelNavigableExpr node) {
    var expression = node.expr();
    switch (node.getKind()) {
      case IDENT -> readName(node, expression.ident().name());
      case CALL -> readCall(expression.call());
      case CONSTANT -> {
        if (expression.constant().getKind() == CelConstant.Kind.DOUBLE_VALUE) {
          faults.add("write `decimal('1.5')` for a number with a fraction");
        }
      }
      case STRUCT -> faults.add("cannot make a `" + expression.struct().messageName() + "`");
      case COMPREHENSION -> {
        var variable = expression.comprehension().iterVar();
        if (VARIABLES.contains(variable)) {
          faults.add("`" + variable + "` has a meaning already; name the variable otherwise");
        }
      }
      case SELECT, LIST, MAP, NOT_SET -> {
      }
    }
  }

  private void readName(CelNavigableExpr node, String name) {
    if (!VARIABLES.contains(name)) {
      return;
    }
    variables.add(name);
    if (!name.equals("now")) {
      var parent = node.parent().filter(above -> above.getKind() == Kind.SELECT);
      if (parent.isEmpty()) {
        faults.add("`" + name + "` can only be asked for its fields, such as `" + name
            + (name.equals("spend") ? ".amount`" : ".id`"));
      } else if (name.equals("spend")) {
        readField(parent.get());
      }
    }
  }

  private void readField(CelNavigableExpr field) {
    var name = field.expr().select().field();
    spendFields.add(name);
    if (name.equals("amount")) {
      var compared = field.parent().map(above -> comparedWith(above.expr(), field.id())).orElse(null);
      if (compared == null) {
        amountOtherwise = true;
      } else {
        amounts.add(compared);
      }
    }
  }

  /** The fixed number that a comparison compares one of its sides with; null for anything else. */
  private static @Nullable BigDecimal comparedWith(CelExpr expression, long side) {
    if (expression.getKind() != Kind.CALL || !COMPARISONS.contains(expression.call().function())) {
      return null;
    }
    var sides = expression.call().args();
    var other = sides.get(0).id() == side ? sides.get(1) : sides.get(0);
    if (other.getKind() != Kind.CALL || !other.call().function().equals("decimal")) {
      return null;
    }
    var number = other.call().args().getFirst();
    if (number.getKind() != Kind.CONSTANT) {
      return null;
    }
    return switch (number.constant().getKind()) {
      case STRING_VALUE -> parse(number.constant().stringValue());
      case INT64_VALUE -> BigDecimal.valueOf(number.constant().int64Value());
      case NOT_SET, NULL_VALUE, BOOLEAN_VALUE, UINT64_VALUE, DOUBLE_VALUE, BYTES_VALUE, TIMESTAMP_VALUE,
          DURATION_VALUE ->
        null;
    };
  }

  private static @Nullable BigDecimal parse(String number) {
    try {
      return Decimal.parse(number).value();
    } catch (IllegalArgumentException e) {
      return null;
    }
  }

  private void readCall(CelExpr.CelCall call) {
    switch (call.function()) {
      case "decimal" -> {
        var text = text(call.args().getFirst());
        if (text != null && parse(text) == null) {
          faults.add("`" + text + "` is not a decimal number such as `12.50`");
        }
      }
      case "spent" -> {
        var limit = text(call.args().getFirst());
        if (limit == null) {
          faults.add("`spent` needs the id of a limit, written out");
        } else {
          limits.add(limit);
        }
      }
      case "inSet" -> readSet(text(call.args().get(1)));
      case "matches" -> readPattern(text(call.args().getFirst()));
      default -> {
      }
    }
  }

  private void readSet(@Nullable String reference) {
    if (reference == null || !ValueSet.REFERENCE.matcher(reference).matches()) {
      faults.add("`inSet` needs one version of a set, written out, such as `'vendors@3'`");
      return;
    }
    resolver.apply(reference).ifPresentOrElse(set -> sets.put(reference, set),
        () -> faults.add("`" + reference + "` is not a version of a set"));
  }

  private void readPattern(@Nullable String pattern) {
    if (pattern == null) {
      faults.add("`matches` needs a regular expression, written out");
      return;
    }
    try {
      var compiled = Pattern.compile(pattern);
      if (compiled.programSize() > PATTERN_MAX) {
        faults.add("the regular expression `" + pattern + "` is too large");
      }
      patterns.put(pattern, compiled);
    } catch (PatternSyntaxException e) {
      faults.add("`" + pattern + "` is not a regular expression as RE2 knows them: " + e.getDescription());
    }
  }

  private static @Nullable String text(CelExpr expression) {
    return expression.getKind() == Kind.CONSTANT && expression.constant().getKind() == CelConstant.Kind.STRING_VALUE
        ? expression.constant().stringValue()
        : null;
  }
}
