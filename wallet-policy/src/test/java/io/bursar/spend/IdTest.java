package io.bursar.spend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Random;
import java.util.UUID;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class IdTest {
  @Test
  void readsBackWhatItWritesForEachKindAndNoOther() {
    var id = UUID.fromString("0192f0c1-2345-7678-9abc-def012345678");
    for (var kind : Id.values()) {
      for (var other : Id.values()) {
        assertThat(other.parse(kind.text(id)).isPresent()).as("%s as %s", kind, other).isEqualTo(kind == other);
      }
      assertThat(kind.parse(kind.text(id))).contains(id);
    }
    assertThat(Id.SPEND.text(id)).isEqualTo("spd_0192f0c1234576789abcdef012345678");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "spd_", "0192f0c1234576789abcdef012345678", "spd_0192f0c1234576789abcdef01234567",
      "spd_0192f0c1234576789abcdef0123456789", "spd_0192f0c1234576789abcdef01234567g",
      "SPD_0192f0c1234576789abcdef012345678",
      "spd_0192f0c1-2345-7678-9abc-def01234"})
  void refusesWhatIsNoIdentifier(String text) {
    assertThat(Id.SPEND.parse(text)).isEmpty();
  }

  @Test
  void version7SortsByTimeAndCounter() {
    var random = new Random(7);
    UUID last = null;
    long micros = 1_795_000_000_000_000L;
    for (int i = 0; i < 10_000; i++) {
      micros += random.nextInt(3) == 0 ? 0 : random.nextInt(2_000);
      var id = Id.version7(micros, i, random.nextLong());
      assertThat(id.version()).isEqualTo(7);
      assertThat(id.variant()).isEqualTo(2);
      assertThat(id.getMostSignificantBits() >>> 16).isEqualTo(micros / 1000);
      if (last != null) {
        assertThat(id.toString()).isGreaterThan(last.toString());
      }
      last = id;
    }
    assertThatThrownBy(() -> Id.version7(0, 0x10000, 0)).isInstanceOf(IllegalArgumentException.class);
  }
}
