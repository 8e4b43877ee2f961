package io.bursar.signer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.HashMap;
import java.util.Random;
import java.util.UUID;

import org.junit.jupiter.api.Test;

class FingerprintMapTest {
  @Test
  void holdsWhatAHashMapHolds() {
    long seed = 51;
    var random = new Random(seed);
    var map = new FingerprintMap();
    var model = new HashMap<UUID, Long>();
    for (int i = 0; i < 300_000; i++) {
      // Few distinct halves, so that fingerprints agree in one half and differ in the other.
      var key = new UUID(random.nextInt(500), random.nextInt(500));
      long number = 1 + random.nextLong(1_000);
      map.putIfAbsent(key.getMostSignificantBits(), key.getLeastSignificantBits(), number);
      model.putIfAbsent(key, number);
      if (i % 100_000 == 99_999) {
        map.removeIf(value -> value < 300);
        model.values().removeIf(value -> value < 300);
      }
    }
    assertThat(map.size()).isEqualTo(model.size());
    for (int high = 0; high < 500; high++) {
      for (int low = 0; low < 500; low++) {
        assertThat(map.get(high, low)).as("seed %d", seed).isEqualTo(model.getOrDefault(new UUID(high, low), 0L));
      }
    }
  }

  @Test
  void takesOnlyPositiveNumbers() {
    assertThatIllegalArgumentException().isThrownBy(() -> new FingerprintMap().putIfAbsent(1, 1, 0));
  }
}
