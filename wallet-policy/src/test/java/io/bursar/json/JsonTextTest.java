package io.bursar.json;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class JsonTextTest {
  @Test
  void writesTheStringsAndOrderOfTheSampleInRfc8785() throws Exception {
    // RFC 8785, sections 3.2.2 and 3.2.3, without the fractions that are not read here.
    var sample = """
        {
          "numbers": [333333333, 4, 2],
          "string": "\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\"\\/",
          "literals": [null, true, false]
        }
        """;

    assertThat(canonical(sample)).isEqualTo(
        "{\"literals\":[null,true,false],\"numbers\":[333333333,4,2],\"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}");
  }

  @Test
  void sortsNamesByUtf16CodeUnitsAsInRfc8785() throws Exception {
    var sample = "{\"\\u20ac\":\"Euro Sign\",\"\\r\":\"Carriage Return\",\"\\ufb33\":\"Hebrew Letter Dalet With Dagesh\",\"1\":\"One\","
        + "\"\\ud83d\\ude00\":\"Emoji: Grinning Face\",\"\\u0080\":\"Control\",\"\\u00f6\":\"Latin Small Letter O With Diaeresis\"}";

    assertThat(((Json.Obj) parse(canonical(sample))).members().values()).containsExactly(
        new Json.Str("Carriage Return"),
        new Json.Str("One"), new Json.Str("Control"), new Json.Str("Latin Small Letter O With Diaeresis"),
        new Json.Str("Euro Sign"), new Json.Str("Emoji: Grinning Face"),
        new Json.Str("Hebrew Letter Dalet With Dagesh"));
  }

  @Test
  void theCanonicalFormOfTheCanonicalFormIsItself() throws Exception {
    for (long seed = 1; seed <= 2_000; seed++) {
      var value = random(new Random(seed), 0);
      var bytes = JsonText.canonical(value);

      assertThat(JsonText.parse(bytes)).as("seed %d", seed).isEqualTo(value);
      assertThat(JsonText.canonical(JsonText.parse(bytes))).as("seed %d", seed).isEqualTo(bytes);
    }
  }

  private static Json random(Random random, int depth) {
    return switch (random.nextInt(depth > 4 ? 4 : 6)) {
      case 0 -> new Json.Num(random.nextLong(2 * Json.Num.MAX + 1) - Json.Num.MAX);
      case 1 -> new Json.Bool(random.nextBoolean());
      case 2 -> Json.NULL;
      case 3 -> new Json.Str(text(random));
      case 4 -> new Json.Arr(List.of(random(random, depth + 1), random(random, depth + 1)));
      default ->
        Json.object().put(text(random), random(random, depth + 1)).put(text(random), random(random, depth + 1)).build();
    };
  }

  private static String text(Random random) {
    return random.ints(random.nextInt(6), 0, Character.MAX_CODE_POINT + 1)
        .map(c -> random.nextInt(3) == 0 ? c : c % 0x80)
        .filter(c -> c < Character.MIN_SURROGATE || c > Character.MAX_SURROGATE)
        .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append).toString();
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
      {"a":1,"a":2}              | repeated
      {"a":1,"\\u0061":2}        | repeated
      {"x":{"a":1,"a":1}}        | repeated
      1e3                        | exponent
      1.0                        | fraction
      -0.5                       | fraction
      9007199254740992           | 2^53
      -9007199254740992          | 2^53
      123456789012345678901234567890 | 2^53
      "\\ud800"                  | surrogate
      "\\udc00\\ud800"           | surrogate
      {"\\ud83d":1}              | surrogate
      [1] 2                      | after
      {}}                        | well-formed
      [1,]                       | well-formed
      {"a":1,}                   | well-formed
      {a:1}                      | well-formed
      {'a':1}                    | well-formed
      0x10                       | well-formed
      01                         | well-formed
      +1                         | well-formed
      .5                         | well-formed
      NaN                        | well-formed
      Infinity                   | well-formed
      // a                       | well-formed
      tru                        | well-formed
      "a                         | well-formed
      {"a"                       | well-formed
      [                          | well-formed
      """)
  void refusesWhatIsNotStrictJson(String text, String says) {
    assertThatThrownBy(() -> parse(text)).isInstanceOf(JsonText.Malformed.class).hasMessageContaining(says);
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
      {"a":[{"b/c":1.5}]}        | /a/0/b~1c
      {"a":[0,12345678901234567]} | /a/1
      {"a":{"b":1,"b":2}}        | /a/b
      {"a":"\\udc00"}            | /a
      {"\\udc00":1}              | ``
      1.5                        | ``
      {"a":1,}                   | ``
      """)
  void saysWhichValueIsWrong(String text, String pointer) {
    assertThatThrownBy(() -> parse(text)).isInstanceOfSatisfying(JsonText.Malformed.class,
        malformed -> assertThat(malformed.fault().pointer()).isEqualTo(pointer));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", " ", "\n", "\uFEFF{}", "\"\u0001\"", "\"\\x41\"", "\"\t\""})
  void refusesEmptyTextsMarksAndControlCharacters(String text) {
    assertThatThrownBy(() -> parse(text)).isInstanceOf(JsonText.Malformed.class);
  }

  @ParameterizedTest
  @ValueSource(strings = {"22ff22", "22c32822", "22c0af22", "22eda08022", "22f490808022", "fffe22002200", "22e282"})
  void refusesBytesThatAreNotUtf8(String hex) {
    assertThatThrownBy(() -> JsonText.parse(HexFormat.of().parseHex(hex))).isInstanceOf(JsonText.Malformed.class);
  }

  @Test
  void whatWasPreparedIsWrittenAsIfItHadNotBeen() {
    for (long seed = 1; seed <= 2_000; seed++) {
      var value = random(new Random(seed), 0);
      var object = value instanceof Json.Obj made ? made : Json.object().put("z", value).put("a", "ü").build();
      var plain = Json.object().put("of", object).put("all", new Json.Arr(List.of(object, value))).build();
      var prepared = Json.object().put("of", object.prepared())
          .put("all", new Json.Arr(List.of(object.prepared(), value))).build();

      assertThat(JsonText.canonical(prepared)).as("seed %d", seed).isEqualTo(JsonText.canonical(plain));
      assertThat(prepared).isEqualTo(plain);
    }
  }

  @Test
  void refusesNestingBeyondTheLimitAndEndsSoon() throws Exception {
    assertThat(parse("[".repeat(JsonText.DEPTH_MAX) + "]".repeat(JsonText.DEPTH_MAX))).isInstanceOf(Json.Arr.class);
    assertThatThrownBy(() -> parse("[".repeat(JsonText.DEPTH_MAX + 1) + "]".repeat(JsonText.DEPTH_MAX + 1)))
        .isInstanceOf(JsonText.Malformed.class).hasMessageContaining("deeper");
    assertThatThrownBy(() -> parse("[".repeat(1_000_000))).isInstanceOf(JsonText.Malformed.class);
    assertThatThrownBy(() -> parse("{\"a\":".repeat(100_000))).isInstanceOf(JsonText.Malformed.class);
  }

  @Test
  void refusesNumbersAndNamesThatAreTooLong() {
    assertThatThrownBy(() -> parse("1".repeat(100_000))).isInstanceOf(JsonText.Malformed.class);
    assertThatThrownBy(() -> parse("{\"" + "a".repeat(100_000) + "\":1}")).isInstanceOf(JsonText.Malformed.class);
  }

  @Test
  void randomBytesAreReadOrRefusedAndNothingElse() {
    var random = new Random(20261123);
    var start = "{\"name\":\"a\",\"rules\":[{\"id\":\"x\",\"max\":\"1.5\",\"n\":-12,\"b\":true,\"z\":null}]}"
        .getBytes(StandardCharsets.UTF_8);
    for (int i = 0; i < 50_000; i++) {
      var bytes = start.clone();
      for (int j = 0; j <= random.nextInt(3); j++) {
        bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
      }
      try {
        var value = JsonText.parse(bytes);
        assertThat(JsonText.parse(JsonText.canonical(value))).isEqualTo(value);
      } catch (JsonText.Malformed e) {
        assertThat(e).hasMessageNotContaining("jackson");
      }
    }
  }

  private static Json parse(String text) throws JsonText.Malformed {
    return JsonText.parse(text.getBytes(StandardCharsets.UTF_8));
  }

  private static String canonical(String text) throws JsonText.Malformed {
    return new String(JsonText.canonical(parse(text)), StandardCharsets.UTF_8);
  }
}
