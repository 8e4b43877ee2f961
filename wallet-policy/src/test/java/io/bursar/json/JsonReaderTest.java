package io.bursar.json;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;

import org.junit.jupiter.api.Test;

import io.bursar.json.JsonReader.Fault;

class JsonReaderTest {
  private final List<Fault> faults = new ArrayList<>();

  @Test
  void namesEveryFaultWithItsPointer() {
    var reader = reader(
        Json.object().put("text", 1).put("long", "abcd").put("empty", "").put("bell", "a\u0007").put("number", "1")
            .put("big", 11).put("list", "x").put("full", Json.strings(List.of("a", "b", "c")))
            .put("texts", new Json.Arr(List.of(new Json.Num(1), new Json.Str("y"))))
            .put("object", 1).put("a/b~c", 1).build());

    assertThat(reader.text("text", 3)).isNull();
    assertThat(reader.text("long", 3)).isNull();
    assertThat(reader.text("empty", 3)).isNull();
    assertThat(reader.text("bell", 3)).isNull();
    assertThat(reader.number("number", 1, 10)).isNull();
    assertThat(reader.number("big", 1, 10)).isNull();
    assertThat(reader.array("list", 2)).isNull();
    assertThat(reader.array("full", 2)).isNull();
    assertThat(reader.texts("texts", 2, 5, JsonReaderTest::refuse)).isEmpty();
    assertThat(reader.object("object")).isNotNull();
    assertThat(reader.requiredText("absent", 3)).isNull();
    reader.refuseUnknown();

    assertThat(faults).extracting(Fault::pointer).containsExactly("/text", "/long", "/empty", "/bell", "/number",
        "/big",
        "/list", "/full", "/texts/0", "/texts/1", "/object", "/absent", "/a~1b~0c");
    assertThat(faults).extracting(Fault::message).contains("no `y` here", "is required", "is not a known field");
  }

  private static String refuse(String text) {
    throw new IllegalArgumentException("no `" + text + "` here");
  }

  @Test
  void readsWhatIsWithinBounds() {
    var reader = reader(Json.object().put("text", "äö😀").put("number", 10).put("absent", Json.NULL)
        .put("texts", Json.strings(List.of("1", "2"))).build());

    assertThat(reader.text("text", 3)).isEqualTo("äö😀");
    assertThat(reader.number("number", 1, 10)).isEqualTo(10);
    assertThat(reader.text("absent", 3)).isNull();
    assertThat(reader.texts("texts", 2, 1, Integer::valueOf)).containsExactly(1, 2);
    assertThat(reader.parsed("text", 3, String::length)).isEqualTo(4);
    reader.refuseUnknown();
    assertThat(faults).isEmpty();
  }

  private JsonReader reader(Json value) {
    return JsonReader.of(value, "", faults);
  }
}
