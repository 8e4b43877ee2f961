package io.bursar.approval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;

import org.junit.jupiter.api.Test;

class ChangeTextTest {
  private static final String TEXT = """
      bursar change approval v1
      verdict: approve
      tenant: ten_0199a1c27a2c70e88000000000000001
      change: chg_0199a1c2801f7a04800000000000a1b2
      kind: attach
      content: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
      requested-by: key_0199a1c27a2c73a88000000000000002
      group: finance threshold 2 revision 1
      expires: 2026-11-23T13:00:00.123456Z
      """;

  @Test
  void isReadBackByteForByteAndToldFromASpendsText() {
    assertThat(ChangeText.parse(TEXT).toString()).isEqualTo(TEXT);
    assertThat(ChangeText.parse(TEXT).with(Verdict.REJECT).toString())
        .isEqualTo(TEXT.replace("verdict: approve", "verdict: reject"));
    assertThat(Signable.parse(TEXT)).isInstanceOf(ChangeText.class);
    assertThatThrownBy(() -> ApprovalText.parse(TEXT)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void everyChangedCharacterIsAnotherChangeOrNoText() {
    var original = ChangeText.parse(TEXT);
    for (int i = 0; i < TEXT.length(); i++) {
      for (var other : List.of("0", "1", "a", "\n", " ", "")) {
        var changed = TEXT.substring(0, i) + other + TEXT.substring(i + 1);
        if (!changed.equals(TEXT)) {
          try {
            assertThat(ChangeText.parse(changed)).isNotEqualTo(original).hasToString(changed);
          } catch (IllegalArgumentException refused) {
            assertThat(refused.getMessage()).isNotEmpty();
          }
        }
      }
    }
  }
}
