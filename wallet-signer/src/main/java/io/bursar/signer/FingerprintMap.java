package io.bursar.signer;

import java.security.SecureRandom;
import java.util.function.LongPredicate;

/**
 * A map from 128-bit fingerprints to positive numbers, in 24 bytes an entry at a load of at most one half, so that the
 * signer can remember millions of transactions in a small heap. Not safe for use by several threads.
 */
final class FingerprintMap {
  private static final int LONGS = 3;
  private static final int FIRST_CAPACITY = 1 << 10;
  private static final int LAST_CAPACITY = 1 << 29;

  /** Unpredictable, so that nobody can choose fingerprints that all land in one place. */
  private final long salt = new SecureRandom().nextLong();
  private long[] table = new long[FIRST_CAPACITY * LONGS];
  private int size;

  int size() {
    return size;
  }

  /** The number of a fingerprint, or 0 if there is none. */
  long get(long high, long low) {
    return table[slot(table, high, low) + 2];
  }

  /** Adds a fingerprint; an existing one keeps its number. */
  void putIfAbsent(long high, long low, long number) {
    if (number <= 0) {
      throw new IllegalArgumentException("a number must be positive, not `" + number + "`");
    }
    if (2 * (size + 1) > table.length / LONGS) {
      grow();
    }
    size += insert(table, high, low, number);
  }

  /** Drops every entry whose number passes the test. */
  void removeIf(LongPredicate test) {
    var kept = new long[table.length];
    int left = 0;
    for (int i = 0; i < table.length; i += LONGS) {
      if (table[i + 2] != 0 && !test.test(table[i + 2])) {
        left += insert(kept, table[i], table[i + 1], table[i + 2]);
      }
    }
    table = kept;
    size = left;
  }

  private void grow() {
    int capacity = table.length / LONGS * 2;
    if (capacity > LAST_CAPACITY) {
      throw new IllegalStateException("the map is full");
    }
    var larger = new long[capacity * LONGS];
    for (int i = 0; i < table.length; i += LONGS) {
      if (table[i + 2] != 0) {
        insert(larger, table[i], table[i + 1], table[i + 2]);
      }
    }
    table = larger;
  }

  private int insert(long[] into, long high, long low, long number) {
    int slot = slot(into, high, low);
    if (into[slot + 2] != 0) {
      return 0;
    }
    into[slot] = high;
    into[slot + 1] = low;
    into[slot + 2] = number;
    return 1;
  }

  /** Index of the fingerprint's entry, or of the free place where it would go. */
  private int slot(long[] in, long high, long low) {
    int mask = in.length / LONGS - 1;
    long hash = (high ^ salt) * 0x9e3779b97f4a7c15L;
    hash = (hash ^ hash >>> 32 ^ low ^ Long.rotateLeft(salt, 32)) * 0xbf58476d1ce4e5b9L;
    int index = (int) (hash ^ hash >>> 32) & mask;
    while (true) {
      int slot = index * LONGS;
      if (in[slot + 2] == 0 || (in[slot] == high && in[slot + 1] == low)) {
        return slot;
      }
      index = (index + 1) & mask;
    }
  }
}
