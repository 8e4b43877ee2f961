package io.bursar.policy.cel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import io.bursar.json.Json;
import io.bursar.money.Address;
import io.bursar.money.Asset;
import io.bursar.policy.Condition;
import io.bursar.policy.ValueSet;
import io.bursar.spend.SpendFacts;
import io.bursar.spend.SpendText;

/** What a condition may say, what it comes to, and that none of them can take long. */
class CelConditionsTest {
  private static final Address PAYEE = Address.parse("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed");
  private static final Asset USDC = new Asset("eip155:8453", Address.of(new byte[20]), "USDC", 6, "USD");
  private static final Json.Obj METADATA = Json.object().put("n", 7).put("tags", Json.strings(List.of("a", "b")))
      .put("deep", Json.object().put("ok", true).build()).build();
  private static final SpendFacts FACTS = new SpendFacts(new UUID(1, 1), new UUID(1, 2), new UUID(1, 3), USDC,
      BigInteger.valueOf(12_500_000), PAYEE, SpendFacts.TRANSFER, "data", null, false, false,
      new SpendText("1000 API calls", "order-77", METADATA));
  private static final Instant NOW = Instant.parse("2026-11-23T10:00:00Z");

  private static Condition compile(String expression) {
    return CelConditions.INSTANCE.compile(expression, reference -> reference.equals("words@1")
        ? Optional.of(ValueSet.of(reference, ValueSet.Kind.STRINGS, List.of("data", "toys")))
        : Optional.empty());
  }

  private static boolean holds(String expression) {
    return compile(expression)
        .holds(new Condition.Inputs(FACTS, new BigDecimal("12.5"), NOW, Map.of("daily", new BigDecimal("40.1"))));
  }

  @ParameterizedTest
  @ValueSource(strings = {"spend.asset == 'USDC'", "spend.currency == 'USD'", "spend.chain == 'eip155:8453'",
      "spend.amount == decimal('12.50')", "spend.payee == '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed'",
      "spend.method == 'transfer'", "spend.category == 'data'", "!has(spend.host)", "spend.purpose.endsWith('calls')",
      "spend.purpose.matches('^[0-9]+ API')", "spend.reference.startsWith('order-')", "spend.metadata.n == 7",
      "spend.metadata.tags.exists(tag, tag == 'b')", "spend.metadata.deep.ok", "!has(spend.metadata.none)",
      "agent.id == 'agt_00000000000000010000000000000002'", "wallet.id == 'wal_00000000000000010000000000000003'",
      "wallet.chain == spend.chain", "now.getHours('Europe/Berlin') == 11", "now.getDayOfWeek() == 1",
      "now - duration('1h') < now", "spent('daily') + spend.amount <= decimal('52.6')",
      "decimal('0.1') + decimal('0.2') == decimal('0.3')", "-decimal('1') < decimal('0')",
      "decimal('115792089237316195423570985008687907853269984665640564039457584007913129639935') * decimal('2') "
          + "- decimal('1') == decimal('231584178474632390847141970017375815706539969331281128078915168015826259279869')",
      "decimal(spend.metadata.n) > decimal(6)", "inSet(spend.category, 'words@1')", "spend.asset in ['DAI', 'USDC']",
      "size(spend.purpose) == 14", "spend.amount > decimal('5') ? true : false"})
  void sees(String expression) {
    assertThat(holds(expression)).isTrue();
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '~', textBlock = """
      spend.amount                                   | expected type 'bool'
      spend.amount > 5                               | no matching overload for '_>_'
      spend.amount > 5.0                             | no matching overload
      1.5 == 1.5                                     | write `decimal('1.5')`
      spend.amout > decimal('5')                     | undefined field 'amout'
      spent.amount > decimal('5')                    | undeclared reference to 'spent'
      spend.amount > decimal('five')                 | `five` is not a decimal number
      spend.amount > decimal('1e9')                  | `1e9` is not a decimal number
      spend.amount > spent(spend.purpose)            | needs the id of a limit
      inSet(spend.payee, spend.purpose)              | needs one version of a set
      inSet(spend.payee, 'words')                    | needs one version of a set
      inSet(spend.payee, 'words@2')                  | `words@2` is not a version of a set
      spend.purpose.matches('(')                     | is not a regular expression
      spend.purpose.matches(spend.reference)         | needs a regular expression, written out
      spend.purpose.matches('(a{1,300}){1,3}')       | is too large
      spend.purpose + 'x' == 'y'                     | no matching overload for '_+_'
      [1] + [2] == [1, 2]                            | no matching overload for '_+_'
      [1].map(x, x) == [1]                           | undeclared reference to 'map'
      dyn(spend) == spend                            | undeclared reference to 'dyn'
      spend == spend                                 | can only be asked for its fields
      Spend{asset: 'x'}.asset == 'x'                 | cannot make a `Spend`
      [1].all(now, now > 0)                          | has a meaning already
      spend.amount >                                 | mismatched input
      nothing(1)                                     | undeclared reference to 'nothing'
      """)
  void refuses(String expression, String message) {
    assertThatThrownBy(() -> compile(expression)).isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(message);
  }

  @Test
  void namesAllThatIsWrongAtOnce() {
    assertThatThrownBy(() -> compile("inSet(spend.payee, 'a@1') && inSet(spend.payee, 'b@1') && spend == spend"))
        .hasMessageContaining("a@1").hasMessageContaining("b@1").hasMessageContaining("its fields");
  }

  @Test
  void refusesWhatIsTooLongOrTooDeep() {
    assertThatThrownBy(() -> compile("true" + " && true".repeat(600))).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> compile("(".repeat(40) + "true" + ")".repeat(40)))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> compile("1" + "+1".repeat(1_500) + " > 0")).isInstanceOf(IllegalArgumentException.class);
  }

  @ParameterizedTest
  @ValueSource(strings = {"spend.host == 'a'", "spend.metadata.none == 1", "spend.metadata.n",
      "decimal(spend.purpose) > decimal(1)",
      "spent('weekly') > decimal('0')", "9223372036854775807 + spend.metadata.n > 0", "spend.metadata.n / 0 == 1",
      "spend.metadata.n > decimal('1')", "now.getHours('Nowhere') == 1", "spend.metadata.tags > 1"})
  void anErrorIsAnException(String expression) {
    var condition = compile(expression);

    assertThatThrownBy(() -> condition
        .holds(new Condition.Inputs(FACTS, new BigDecimal("12.5"), NOW, Map.of("daily", BigDecimal.ONE))))
        .isInstanceOf(RuntimeException.class);
  }

  @Test
  void stopsLoopsAndSearchesThatWouldTakeLong() {
    var many = new Json.Arr(java.util.stream.IntStream.range(0, 200).<Json>mapToObj(Json.Num::new).toList());
    var facts = FACTS.withText(new SpendText("a".repeat(512), null,
        Json.object().put("list", many).put("long", "a".repeat(3_000)).build()));
    for (var expression : List.of("spend.metadata.list.all(x, spend.metadata.list.all(y, x + y >= 0))",
        "spend.metadata.list.all(x, spend.metadata.long.contains(spend.metadata.long))",
        "spend.metadata.list.all(x, spend.metadata.long.matches('(a|b|ab)*c') == false)",
        "[decimal('" + "9".repeat(200) + "')].all(a, a * a * a * a * a * a > a)")) {
      var condition = compile(expression);
      var started = System.nanoTime();

      assertThatThrownBy(() -> condition.holds(new Condition.Inputs(facts, BigDecimal.ONE, NOW, Map.of())))
          .as(expression).isInstanceOf(RuntimeException.class);
      assertThat(System.nanoTime() - started).as(expression).isLessThan(2_000_000_000L);
    }
  }

  @Test
  void tellsWhatAnExpressionLooksAt() {
    assertThat(compile("spend.asset == 'USDC'").reads())
        .isEqualTo(new Condition.Reads(false, false, java.util.Set.of(), List.of()));
    assertThat(compile("has(spend.reference)").reads().text()).isTrue();
    assertThat(compile("now.getHours() > 3").reads().time()).isTrue();
    assertThat(compile("spent('daily') < spent('weekly')").reads().limits()).containsExactlyInAnyOrder("daily",
        "weekly");
    assertThat(compile("spend.amount > decimal('5') && decimal('2.50') <= spend.amount || spend.amount == decimal(5)")
        .reads().amounts()).containsExactly(new BigDecimal("2.5"), new BigDecimal("5"));
    for (var unseen : List.of("spend.amount > spent('daily')", "spend.amount + decimal(1) > decimal(5)",
        "spend.amount in [decimal(5)]", "has(spend.amount)", "spend.amount > decimal(spend.purpose)")) {
      assertThat(compile(unseen).reads().amounts()).as(unseen).isNull();
    }
  }
}
