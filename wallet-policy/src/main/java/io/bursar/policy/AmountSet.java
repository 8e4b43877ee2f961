package io.bursar.policy;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

import org.jspecify.annotations.Nullable;

/** A set of whole amounts as ranges that neither overlap nor touch, in ascending order. */
final class AmountSet {
  private record Range(BigInteger from, BigInteger to) {}

  private final List<Range> ranges;

  private AmountSet(List<Range> ranges) {
    this.ranges = ranges;
  }

  /** The largest amount of the set that is not above a given one; null where there is none. */
  @Nullable
  BigInteger largestUpTo(BigInteger amount) {
    var range = lastFrom(amount);
    return range == null ? null : range.to.min(amount);
  }

  /** The largest amount outside the set that is not above a given one; less than zero or zero where all are within. */
  BigInteger largestOutside(BigInteger amount) {
    var range = lastFrom(amount);
    return range == null || range.to.compareTo(amount) < 0 ? amount : range.from.subtract(BigInteger.ONE);
  }

  /** The last range that begins at or below an amount. */
  private @Nullable Range lastFrom(BigInteger amount) {
    int low = 0;
    int high = ranges.size();
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (ranges.get(middle).from.compareTo(amount) <= 0) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low == 0 ? null : ranges.get(low - 1);
  }

  /** A set that is being put together from ranges in any order. */
  static final class Builder {
    private final List<Range> ranges = new ArrayList<>();

    /** Adds all amounts from one to another, both included; none where the first is the larger. */
    void add(BigInteger from, BigInteger to) {
      if (from.compareTo(to) <= 0) {
        ranges.add(new Range(from, to));
      }
    }

    AmountSet build() {
      ranges.sort(Comparator.comparing(Range::from));
      List<Range> merged = new ArrayList<>(ranges.size());
      for (var range : ranges) {
        var last = merged.isEmpty() ? null : merged.getLast();
        if (last == null || range.from.compareTo(last.to.add(BigInteger.ONE)) > 0) {
          merged.add(range);
        } else if (range.to.compareTo(last.to) > 0) {
          merged.set(merged.size() - 1, new Range(last.from, range.to));
        }
      }
      return new AmountSet(merged);
    }
  }
}
