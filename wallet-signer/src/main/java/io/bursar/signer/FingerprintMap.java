package io.bursar.signer;

import java.security.SecureRandom;
import java.util.Arrays;
import java.util.function.LongPredicate;

/**
 * A map from 128-bit fingerprints to positive numbers, in 32 to 64 bytes an entry, so that the signer can remember
 * millions of transactions in a small heap. Many small tables rather than a large one, so that growing never needs twice
 * the memory at once. Not safe for use by several threads.
 */
final class FingerprintMap {
  private static final int TABLES = 64;
  private static final int LONGS = 3;
  private static final int FIRST_CAPACITY = 16;
  private static final int LAST_CAPACITY = 1 << 28;

  /** Unpredictable, so that nobody can choose fingerprints that all land in one place. */
  private final long salt = new SecureRandom().nextLong();
  private final long[][] tables = new long[TABLES][FIRST_CAPACITY * LONGS];
  private final int[] sizes = new int[TABLES];

  int size() {
    return Arrays.stream(sizes).sum();
  }

  /** The number of a fingerprint, or 0 if there is none. */
  long get(long high, long low) {
    long hash = hash(high, low);
    var table = tables[table(hash)];
    return table[slot(table, hash, high, low) + 2];
  }

  /** Adds a fingerprint; an existing one keeps its number. */
  void putIfAbsent(long high, long low, long number) {
    if (number <= 0) {
      throw new IllegalArgumentException("a number must be positive, not `" + number + "`");
    }
    int index = table(hash(high, low));
    int capacity = tables[index].length / LONGS;
    if (4L * (sizes[index] + 1) > 3L * capacity) {
      if (capacity == LAST_CAPACITY) {
        throw new IllegalStateException("the map is full");
      }
      rebuild(index, 2 * capacity, any -> false);
    }
    sizes[index] += insert(tables[index], high, low, number);
  }

  /** Drops every entry whose number passes the test. */
  void removeIf(LongPredicate test) {
    for (int index = 0; index < TABLES; index++) {
      rebuild(index, tables[index].length / LONGS, test);
    }
  }

  private void rebuild(int index, int capacity, LongPredicate drop) {
    var from = tables[index];
    var into = new long[capacity * LONGS];
    int size = 0;
    for (int i = 0; i < from.length; i += LONGS) {
      if (from[i + 2] != 0 && !drop.test(from[i + 2])) {
        size += insert(into, from[i], from[i + 1], from[i + 2]);
      }
    }
    tables[index] = into;
    sizes[index] = size;
  }

  private int insert(long[] into, long high, long low, long number) {
    int slot = slot(into, hash(high, low), high, low);
    if (into[slot + 2] != 0) {
      return 0;
    }
    into[slot] = high;
    into[slot + 1] = low;
    into[slot + 2] = number;
    return 1;
  }

  /** Index of the fingerprint's entry, or of the free place where it would go. */
  private static int slot(long[] table, long hash, long high, long low) {
    int capacity = table.length / LONGS;
    int index = (int) hash & (capacity - 1);
    while (true) {
      int slot = index * LONGS;
      if (table[slot + 2] == 0 || (table[slot] == high && table[slot + 1] == low)) {
        return slot;
      }
      index = (index + 1) & (capacity - 1);
    }
  }

  private static int table(long hash) {
    return (int) (hash >>> 58);
  }

  private long hash(long high, long low) {
    long hash = (high ^ salt) * 0x9e3779b97f4a7c15L;
    hash = (hash ^ hash >>> 32 ^ low ^ Long.rotateLeft(salt, 32)) * 0xbf58476d1ce4e5b9L;
    return hash ^ hash >>> 32;
  }
}
