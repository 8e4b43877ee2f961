package io.bursar.json;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;

import org.junit.jupiter.api.Test;

class JsonDiffTest {
  private static Json json(String text) {
    try {
      return JsonText.parse(text.replace('\'', '"').getBytes(StandardCharsets.UTF_8));
    } catch (JsonText.Malformed e) {
      throw new IllegalArgumentException(text, e);
    }
  }

  @Test
  void namesWhatGoesAndWhatComes() {
    assertThat(JsonDiff.lines(
        json("{'mode': 'enforce', 'rules': [{'id': 'daily', 'max': '100'}, {'id': 'hours', 'kind': 'deny'}]}"),
        json("{'rules': [{'id': 'vendors', 'payees': ['a', 'b']}, {'id': 'daily', 'max': '200'}]}")))
        .containsExactly("- /mode: \"enforce\"", "- /rules/daily/max: \"100\"", "+ /rules/daily/max: \"200\"",
            "- /rules/hours/id: \"hours\"", "- /rules/hours/kind: \"deny\"", "+ /rules/vendors/id: \"vendors\"",
            "+ /rules/vendors/payees: \"a\"", "+ /rules/vendors/payees: \"b\"");
  }

  @Test
  void anotherOrderIsNoDifference() {
    assertThat(JsonDiff.lines(json("{'a': ['x', 'y'], 'r': [{'id': '1'}, {'id': '2'}]}"),
        json("{'r': [{'id': '2'}, {'id': '1'}], 'a': ['y', 'x']}"))).isEmpty();
  }

  @Test
  void emptyAndMissingAreToldApart() {
    assertThat(JsonDiff.lines(json("{}"), json("{'a': []}"))).containsExactly("+ /a: []");
    assertThat(JsonDiff.lines(json("{'a': [1, 2]}"), json("{'a': [1]}"))).containsExactly("- /a/1: 2");
  }
}
