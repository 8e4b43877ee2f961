package io.bursar.policy.cel;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;

import com.google.common.collect.ImmutableCollection;
import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableMap;
import com.google.common.collect.ImmutableSet;

import dev.cel.checker.CelStandardDeclarations;
import dev.cel.common.CelFunctionDecl;
import dev.cel.common.CelIssue;
import dev.cel.common.CelOptions;
import dev.cel.common.CelOverloadDecl;
import dev.cel.common.CelValidationException;
import dev.cel.common.types.CelType;
import dev.cel.common.types.CelTypeProvider;
import dev.cel.common.types.MapType;
import dev.cel.common.types.OpaqueType;
import dev.cel.common.types.SimpleType;
import dev.cel.common.types.StructType;
import dev.cel.compiler.CelCompiler;
import dev.cel.compiler.CelCompilerFactory;
import dev.cel.parser.CelStandardMacro;
import dev.cel.runtime.CelEvaluationException;
import dev.cel.runtime.CelFunctionBinding;
import dev.cel.runtime.CelRuntime;
import dev.cel.runtime.CelRuntimeFactory;
import io.bursar.policy.Condition;
import io.bursar.policy.PolicyEnvironment;
import io.bursar.policy.ValueSet;

/**
 * Conditions in CEL, checked against one fixed environment: {@code spend.*}, {@code agent.*}, {@code wallet.*}, {@code now},
 * {@code spent(limit)}, {@code decimal(text)}, {@code inSet(value, 'name@version')} and what CEL itself has, but for what could
 * grow without bound (joining texts and lists, {@code map}), what is not exact (floating point) and what hides from the check
 * ({@code dyn}).
 *
 * @see <a href="https://github.com/google/cel-spec/blob/master/doc/langdef.md">the definition of the language</a>
 */
public final class CelConditions implements PolicyEnvironment.Conditions {
  /** There is but one: it has no state, and making its environment takes a while. */
  public static final CelConditions INSTANCE = new CelConditions();

  private static final CelOptions BOUNDS = CelOptions.current()
      .maxExpressionCodePointSize(Condition.EXPRESSION_MAX)
      .maxParseRecursionDepth(32)
      .maxParseExpressionNodeCount(1_000)
      .comprehensionMaxIterations(1_000)
      .build();

  private static final OpaqueType DECIMAL = OpaqueType.create("decimal");

  /** What can be asked of a request. */
  private static final StructType SPEND = struct("Spend", ImmutableMap.<String, CelType>builder()
      .put("asset", SimpleType.STRING)
      .put("currency", SimpleType.STRING)
      .put("chain", SimpleType.STRING)
      .put("amount", DECIMAL)
      .put("payee", SimpleType.STRING)
      .put("method", SimpleType.STRING)
      .put("category", SimpleType.STRING)
      .put("host", SimpleType.STRING)
      .put("purpose", SimpleType.STRING)
      .put("reference", SimpleType.STRING)
      .put("metadata", MapType.create(SimpleType.STRING, SimpleType.DYN))
      .buildOrThrow());
  private static final StructType AGENT = struct("Agent", ImmutableMap.of("id", SimpleType.STRING));
  private static final StructType WALLET = struct("Wallet",
      ImmutableMap.of("id", SimpleType.STRING, "chain", SimpleType.STRING));

  /** Standard overloads that are left out: those that grow, those that are bounded here in another way, and those that hide. */
  private static final Set<String> LEFT_OUT = Set.of("add_string", "add_bytes", "add_list", "contains_string",
      "matches",
      "matches_string", "to_dyn", "type");

  private static final CelCompiler COMPILER = compiler();
  private static final CelRuntime RUNTIME = CelRuntimeFactory.legacyCelRuntimeBuilder().setOptions(BOUNDS)
      .addFunctionBindings(bindings()).build();

  private CelConditions() {}

  @Override
  public Condition compile(String expression, Function<String, Optional<ValueSet>> sets) {
    var checked = COMPILER.compile(expression);
    if (checked.hasError()) {
      throw new IllegalArgumentException(said(checked.getErrors()));
    }
    try {
      var tree = checked.getAst();
      var found = new CelTree(tree, sets).read();
      return new CelCondition(RUNTIME.createProgram(tree), found);
    } catch (CelValidationException | CelEvaluationException e) {
      throw new IllegalArgumentException("is not a condition that can be evaluated", e);
    }
  }

  private static String said(List<CelIssue> issues) {
    return issues.stream()
        .map(issue -> issue.getMessage() + " (at character " + (issue.getSourceLocation().getColumn() + 1) + ")")
        .collect(Collectors.joining("; "));
  }

  private static StructType struct(String name, ImmutableMap<String, CelType> fields) {
    return StructType.create(name, fields.keySet(), field -> Optional.ofNullable(fields.get(field)));
  }

  private static CelCompiler compiler() {
    var structs = ImmutableList.<CelType>of(SPEND, AGENT, WALLET);
    return CelCompilerFactory.standardCelCompilerBuilder().setOptions(BOUNDS)
        .setStandardEnvironmentEnabled(false)
        .setStandardDeclarations(CelStandardDeclarations.newBuilder()
            .filterFunctions((function, overload) -> isKept(overload.celOverloadDecl())).build())
        .setStandardMacros(CelStandardMacro.HAS, CelStandardMacro.ALL, CelStandardMacro.EXISTS,
            CelStandardMacro.EXISTS_ONE, CelStandardMacro.FILTER)
        .setTypeProvider(new CelTypeProvider() {
          @Override
          public ImmutableCollection<CelType> types() {
            return structs;
          }

          @Override
          public Optional<CelType> findType(String name) {
            return structs.stream().filter(type -> type.name().equals(name)).findFirst();
          }
        })
        .addVar("spend", SPEND).addVar("agent", AGENT).addVar("wallet", WALLET).addVar("now", SimpleType.TIMESTAMP)
        .addFunctionDeclarations(functions())
        .setResultType(SimpleType.BOOL)
        .build();
  }

  private static boolean isKept(CelOverloadDecl overload) {
    return !LEFT_OUT.contains(overload.overloadId()) && !overload.parameterTypes().contains(SimpleType.DOUBLE)
        && !overload.resultType().equals(SimpleType.DOUBLE);
  }

  private static List<CelFunctionDecl> functions() {
    List<CelFunctionDecl> functions = new ArrayList<>();
    functions.add(CelFunctionDecl.newFunctionDeclaration("decimal",
        CelOverloadDecl.newGlobalOverload("decimal_text", DECIMAL, SimpleType.STRING),
        CelOverloadDecl.newGlobalOverload("decimal_number", DECIMAL, SimpleType.INT)));
    functions.add(global("spent", "spent_limit", DECIMAL, SimpleType.STRING));
    functions.add(global("inSet", "in_set", SimpleType.BOOL, SimpleType.STRING, SimpleType.STRING));
    functions.add(global("_+_", "add_decimal", DECIMAL, DECIMAL, DECIMAL));
    functions.add(global("_-_", "subtract_decimal", DECIMAL, DECIMAL, DECIMAL));
    functions.add(global("_*_", "multiply_decimal", DECIMAL, DECIMAL, DECIMAL));
    functions.add(global("-_", "negate_decimal", DECIMAL, DECIMAL));
    functions.add(global("_<_", "less_decimal", SimpleType.BOOL, DECIMAL, DECIMAL));
    functions.add(global("_<=_", "less_equals_decimal", SimpleType.BOOL, DECIMAL, DECIMAL));
    functions.add(global("_>_", "greater_decimal", SimpleType.BOOL, DECIMAL, DECIMAL));
    functions.add(global("_>=_", "greater_equals_decimal", SimpleType.BOOL, DECIMAL, DECIMAL));
    functions.add(CelFunctionDecl.newFunctionDeclaration("contains", CelOverloadDecl
        .newMemberOverload("bounded_contains", SimpleType.BOOL, SimpleType.STRING, SimpleType.STRING)));
    functions.add(CelFunctionDecl.newFunctionDeclaration("matches", CelOverloadDecl
        .newMemberOverload("bounded_matches", SimpleType.BOOL, SimpleType.STRING, SimpleType.STRING)));
    return functions;
  }

  private static CelFunctionDecl global(String name, String overload, CelType result, CelType... arguments) {
    return CelFunctionDecl.newFunctionDeclaration(name,
        CelOverloadDecl.newGlobalOverload(overload, result, arguments));
  }

  private static ImmutableSet<CelFunctionBinding> bindings() {
    return ImmutableSet.of(
        CelFunctionBinding.from("decimal_text", String.class, Decimal::parse),
        CelFunctionBinding.from("decimal_number", Long.class, Decimal::of),
        CelFunctionBinding.from("spent_limit", String.class, limit -> CelCondition.current().spent(limit)),
        CelFunctionBinding.from("in_set", String.class, String.class,
            (value, set) -> CelCondition.current().isInSet(value, set)),
        CelFunctionBinding.from("add_decimal", Decimal.class, Decimal.class, Decimal::plus),
        CelFunctionBinding.from("subtract_decimal", Decimal.class, Decimal.class, Decimal::minus),
        CelFunctionBinding.from("multiply_decimal", Decimal.class, Decimal.class, Decimal::times),
        CelFunctionBinding.from("negate_decimal", Decimal.class, Decimal::negated),
        CelFunctionBinding.from("less_decimal", Decimal.class, Decimal.class, (a, b) -> a.compare(b) < 0),
        CelFunctionBinding.from("less_equals_decimal", Decimal.class, Decimal.class, (a, b) -> a.compare(b) <= 0),
        CelFunctionBinding.from("greater_decimal", Decimal.class, Decimal.class, (a, b) -> a.compare(b) > 0),
        CelFunctionBinding.from("greater_equals_decimal", Decimal.class, Decimal.class, (a, b) -> a.compare(b) >= 0),
        CelFunctionBinding.from("bounded_contains", String.class, String.class,
            (text, part) -> CelCondition.current().contains(text, part)),
        CelFunctionBinding.from("bounded_matches", String.class, String.class,
            (text, pattern) -> CelCondition.current().matches(text, pattern)));
  }

}
