package io.bursar.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.math.BigInteger;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;

import org.junit.jupiter.api.Test;

class SlotSumsTest {
  private final SlotSums slots = new SlotSums();

  /** Slots come in any order, the oldest are dropped, and the room is used again. */
  @Test
  void holdsWhatAMapWouldHold() {
    var random = new Random(1);
    var map = new TreeMap<Long, BigInteger>();
    long first = 0;
    for (int i = 0; i < 5_000; i++) {
      if (random.nextInt(6) == 0) {
        first += random.nextInt(12);
        slots.dropBefore(first);
        map.headMap(first).clear();
      } else {
        long slot = first + random.nextInt(40);
        var sum = BigInteger.valueOf(random.nextInt(100));
        slots.change(slot, sum, 1);
        map.merge(slot, sum, BigInteger::add);
      }
      assertThat(held()).as("step %d", i).isEqualTo(List.copyOf(map.entrySet()).toString());
      assertThat(slots.sum()).as("step %d", i)
          .isEqualTo(map.values().stream().reduce(BigInteger.ZERO, BigInteger::add));
    }
  }

  private String held() {
    var held = new TreeMap<Long, BigInteger>();
    for (int i = 0; i < slots.size(); i++) {
      held.put(slots.slot(i), slots.sum(i));
      assertThat(i == 0 || slots.slot(i - 1) < slots.slot(i)).as("in order").isTrue();
    }
    assertThat(held).as("each slot once").hasSize(slots.size());
    return List.copyOf(held.entrySet()).toString();
  }

  @Test
  void takesASlotBetweenTwoAndKeepsWhatTheOthersCount() {
    slots.change(10, BigInteger.ONE, 1);
    slots.change(30, BigInteger.TEN, 3);
    slots.change(20, BigInteger.TWO, 2);

    assertThat(List.of(slots.count(0), slots.count(1), slots.count(2))).containsExactly(1L, 2L, 3L);
    assertThat(slots.count()).isEqualTo(6);
  }

  @Test
  void refusesLessThanNothingAndStaysAsItWas() {
    slots.change(10, BigInteger.TWO, 1);

    assertThatThrownBy(() -> slots.change(10, BigInteger.valueOf(-3), 0)).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> slots.change(10, BigInteger.ZERO, -2)).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> slots.change(11, BigInteger.valueOf(-1), 0)).isInstanceOf(IllegalStateException.class);
    assertThat(slots.size()).isEqualTo(1);
    assertThat(slots.sum()).isEqualTo(BigInteger.TWO);
  }
}
