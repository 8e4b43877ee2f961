package io.bursar.policy;

import java.math.BigInteger;
import java.util.Arrays;

/**
 * Sums and counts by slot in ascending order, with their totals: three plain arrays whose front moves on as old slots are
 * dropped. Appending and dropping take constant time on average, changing an older slot a binary search.
 */
final class SlotSums {
  private static final int SIZE_FIRST = 8;

  private long[] slots = new long[SIZE_FIRST];
  private BigInteger[] sums = new BigInteger[SIZE_FIRST];
  private long[] counts = new long[SIZE_FIRST];
  private int start;
  private int end;
  private BigInteger sum = BigInteger.ZERO;
  private long count;

  int size() {
    return end - start;
  }

  long slot(int i) {
    return slots[start + i];
  }

  BigInteger sum(int i) {
    return sums[start + i];
  }

  long count(int i) {
    return counts[start + i];
  }

  BigInteger sum() {
    return sum;
  }

  long count() {
    return count;
  }

  /**
   * Adds to a slot.
   *
   * @throws IllegalStateException if the slot would hold less than nothing
   */
  void change(long slot, BigInteger bySum, long byCount) {
    int i = end > start && slots[end - 1] == slot ? end - 1 : Arrays.binarySearch(slots, start, end, slot);
    var newSum = i < 0 ? bySum : sums[i].add(bySum);
    long newCount = i < 0 ? byCount : Math.addExact(counts[i], byCount);
    if (newSum.signum() < 0 || newCount < 0) {
      throw new IllegalStateException("a slot would hold less than nothing");
    }
    if (i < 0) {
      i = insert(-i - 1);
      slots[i] = slot;
    }
    sums[i] = newSum;
    counts[i] = newCount;
    sum = sum.add(bySum);
    count = Math.addExact(count, byCount);
  }

  void dropBefore(long slot) {
    while (start < end && slots[start] < slot) {
      sum = sum.subtract(sums[start]);
      count -= counts[start];
      start++;
    }
  }

  /** Makes room at a place and says where it is now. */
  private int insert(int at) {
    int place = at - start;
    if (end == slots.length) {
      int size = size();
      // Half of the room is dropped slots: move up; otherwise grow. Either way the cost is spread over many appends.
      int room = start > size ? slots.length : Math.max(SIZE_FIRST, size * 2);
      slots = Arrays.copyOfRange(slots, start, start + room);
      sums = Arrays.copyOfRange(sums, start, start + room);
      counts = Arrays.copyOfRange(counts, start, start + room);
      start = 0;
      end = size;
    }
    int i = start + place;
    System.arraycopy(slots, i, slots, i + 1, end - i);
    System.arraycopy(sums, i, sums, i + 1, end - i);
    System.arraycopy(counts, i, counts, i + 1, end - i);
    end++;
    return i;
  }
}
