package io.bursar.policy;

import java.math.BigInteger;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

import org.jspecify.annotations.Nullable;

/**
 * What one key of a counter holds in one rolling window, kept in memory in two levels of slots.
 *
 * <p>With {@code s} the whole seconds of {@code now}, {@code W} the window's length, {@code f} and {@code g} its fine and
 * coarse slot sizes: the window counts from {@code lo = floor((s − W) / f) · f}. The coarse slot that {@code lo} lies in,
 * the edge, is counted by its fine slots from {@code lo} on; every later slot is counted whole. Since {@code lo ≤ now − W},
 * nothing that the exact window holds is left out; since {@code lo > s − W − f}, a spend leaves at most one fine slot late.
 *
 * <p>Who must tell whom:
 * <ul>
 * <li>Every call carries the time of the batch that is being decided. All calls of one batch carry the same time, and a
 * later batch a later one. Time never goes back.
 * <li>{@link SlotSource} answers with what was committed before this batch and with nothing of this batch. It is asked on
 * the first call, when the edge moves on to the next coarse slot, and by {@link #fitsAt} for one coarse slot at most.
 * {@link #needs} says beforehand what the first call of a batch will ask, so that the rows for many counters can be read in
 * one statement.
 * <li>Whoever adds or removes here writes the same change to the fine and the coarse slot of the same time in the database,
 * within the batch. If the batch does not commit, or if anyone else has written, this object must be thrown away.
 * </ul>
 *
 * <p>Not for use by several threads at once.
 */
public final class RollingUsage {
  /** Reads the slots of one counter and key from where they are kept. */
  public interface SlotSource {
    /** The slots of the range that hold anything, in any order. */
    List<Slot> slots(SlotRange range);
  }

  /**
   * What one slot holds.
   *
   * @param slot whole seconds since 1970 divided by the slot size, rounded down
   */
  public record Slot(long slot, BigInteger sum, long count) {}

  /** Slots of one size, {@code [from, to)}. */
  public record SlotRange(int slotSeconds, long from, long to) {}

  private final Window.Rolling window;
  private final SlotSource source;
  private final int fine;
  private final int coarse;

  /** What this batch has changed, which the source does not know yet. */
  private final List<Change> unwritten = new ArrayList<>();

  private @Nullable Instant last;
  private long lo;
  private SlotSums whole = new SlotSums();
  private SlotSums edge = new SlotSums();

  /** The fine slots of the coarse slot that was last looked into, kept up to date. */
  private @Nullable Detail detail;

  private record Change(long fineSlot, BigInteger sum, long count) {}

  private record Detail(long coarseSlot, SlotSums slots) {}

  public RollingUsage(Window.Rolling window, SlotSource source) {
    this.window = window;
    this.source = source;
    this.fine = window.fineSeconds();
    this.coarse = window.coarseSeconds();
  }

  /** The slot that a time lies in. */
  public static long slot(Instant at, int slotSeconds) {
    return Math.floorDiv(at.getEpochSecond(), (long) slotSeconds);
  }

  /** The first slot of a size that the window may still ask for at {@code now} or later; older ones can be deleted. */
  public static long oldestSlot(Window.Rolling window, Instant now, int slotSeconds) {
    return Math.floorDiv(lo(window, now) * window.fineSeconds(), (long) slotSeconds);
  }

  /** The ranges that the next call, at {@code now}, will ask the source for; empty where memory suffices. */
  public List<SlotRange> needs(Instant now) {
    long next = lo(window, now);
    if (last == null) {
      var ranges = new ArrayList<SlotRange>();
      ranges.add(new SlotRange(coarse, firstWhole(next), Long.MAX_VALUE));
      if (coarse != fine) {
        ranges.add(edgeRange(next));
      }
      return List.copyOf(ranges);
    }
    if (coarse == fine || edgeSlot(next) == edgeSlot(lo)
        || (detail != null && detail.coarseSlot == edgeSlot(next))) {
      return List.of();
    }
    return List.of(edgeRange(next));
  }

  /** What the window that ends at {@code now} holds. */
  public Counters.Usage at(Instant now) {
    advance(now);
    return new Counters.Usage(edge.sum().add(whole.sum()), edge.count() + whole.count());
  }

  /** Counts a spend that is made at {@code now}. */
  public void add(Instant now, BigInteger sum) {
    advance(now);
    whole.change(slot(now, coarse), sum, 1);
    changed(now, sum, 1);
  }

  /**
   * Gives back a spend that was counted at the time {@code at}; one that has left the window changes nothing.
   *
   * @throws IllegalStateException if the slot does not hold that much: memory and database have come apart
   */
  public void remove(Instant now, Instant at, BigInteger sum) {
    advance(now);
    long fineSlot = slot(at, fine);
    if (fineSlot < lo) {
      return;
    }
    if (slot(at, coarse) >= firstWhole(lo)) {
      whole.change(slot(at, coarse), sum.negate(), -1);
    } else {
      edge.change(fineSlot, sum.negate(), -1);
    }
    changed(at, sum.negate(), -1);
  }

  /**
   * The earliest time at or after {@code now} at which the window holds at most {@code sumMax} and {@code countMax}, if
   * nothing else is counted; empty where a bound is negative.
   */
  public Optional<Instant> fitsAt(Instant now, BigInteger sumMax, long countMax) {
    var usage = at(now);
    if (sumMax.signum() < 0 || countMax < 0) {
      return Optional.empty();
    }
    var left = new Remaining(usage.sum(), usage.count(), sumMax, countMax);
    if (left.fits()) {
      return Optional.of(now);
    }
    if (left.drop(edge)) {
      return Optional.of(leaves(left.slot));
    }
    for (int i = 0; i < whole.size(); i++) {
      if (left.fitsWithout(whole, i)) {
        return Optional.of(leavesWithin(left, whole.slot(i)));
      }
      left.drop(whole, i);
    }
    throw new IllegalStateException("the slots do not add up to what the window holds");
  }

  private Instant leavesWithin(Remaining left, long coarseSlot) {
    if (coarse == fine) {
      return leaves(coarseSlot);
    }
    // Where the fine slots do not add up to the coarse one, the end of the coarse slot is late but never early.
    return left.drop(detail(coarseSlot)) ? leaves(left.slot) : leaves((coarseSlot + 1) * (coarse / fine) - 1);
  }

  /** When a fine slot leaves the window: the first second at which {@code lo} lies behind it. */
  private Instant leaves(long fineSlot) {
    return Instant.ofEpochSecond((fineSlot + 1) * fine + window.seconds());
  }

  private void advance(Instant now) {
    if (now.equals(last)) {
      return;
    }
    if (last != null && now.isBefore(last)) {
      throw new IllegalArgumentException("time goes back from " + last + " to " + now);
    }
    // Everything is read before anything is changed, so that a source that fails leaves this object as it was.
    unwritten.clear();
    long next = lo(window, now);
    if (last == null) {
      var loaded = read(new SlotRange(coarse, firstWhole(next), Long.MAX_VALUE));
      edge = coarse == fine ? new SlotSums() : read(edgeRange(next));
      whole = loaded;
    } else if (next != lo) {
      if (coarse != fine) {
        edge = edgeAt(next);
        edge.dropBefore(next);
      }
      whole.dropBefore(firstWhole(next));
    }
    if (detail != null && detail.coarseSlot < firstWhole(next)) {
      detail = null; // it is the edge now, or past
    }
    lo = next;
    last = now;
  }

  private SlotSums edgeAt(long next) {
    if (edgeSlot(next) == edgeSlot(lo)) {
      return edge;
    }
    return detail != null && detail.coarseSlot == edgeSlot(next) ? detail.slots : read(edgeRange(next));
  }

  private void changed(Instant at, BigInteger sum, long count) {
    long fineSlot = slot(at, fine);
    unwritten.add(new Change(fineSlot, sum, count));
    if (detail != null && detail.coarseSlot == slot(at, coarse)) {
      detail.slots.change(fineSlot, sum, count);
    }
  }

  /** The fine slots of a coarse slot. */
  private SlotSums detail(long coarseSlot) {
    if (detail != null && detail.coarseSlot == coarseSlot) {
      return detail.slots;
    }
    int each = coarse / fine;
    var slots = read(new SlotRange(fine, coarseSlot * each, (coarseSlot + 1) * each));
    for (var change : unwritten) {
      if (Math.floorDiv(change.fineSlot, (long) each) == coarseSlot) {
        slots.change(change.fineSlot, change.sum, change.count);
      }
    }
    detail = new Detail(coarseSlot, slots);
    return slots;
  }

  private SlotSums read(SlotRange range) {
    var slots = new SlotSums();
    for (var slot : source.slots(range)) {
      if (slot.slot() >= range.from() && slot.slot() < range.to()) {
        slots.change(slot.slot(), slot.sum(), slot.count());
      }
    }
    return slots;
  }

  /** The first fine slot that counts. */
  private static long lo(Window.Rolling window, Instant now) {
    return Math.floorDiv(now.getEpochSecond() - window.seconds(), (long) window.fineSeconds());
  }

  /** The coarse slot that the first counted fine slot lies in. */
  private long edgeSlot(long first) {
    return Math.floorDiv(first * fine, (long) coarse);
  }

  private long firstWhole(long first) {
    return coarse == fine ? first : edgeSlot(first) + 1;
  }

  /** The fine slots of the edge that count. */
  private SlotRange edgeRange(long first) {
    int each = coarse / fine;
    return new SlotRange(fine, first, (edgeSlot(first) + 1) * each);
  }

  /** What is left of a window's content as slots leave it one after the other. */
  private static final class Remaining {
    private BigInteger sum;
    private long count;
    private final BigInteger sumMax;
    private final long countMax;
    private long slot;

    Remaining(BigInteger sum, long count, BigInteger sumMax, long countMax) {
      this.sum = sum;
      this.count = count;
      this.sumMax = sumMax;
      this.countMax = countMax;
    }

    boolean fits() {
      return count <= countMax && sum.compareTo(sumMax) <= 0;
    }

    boolean fitsWithout(SlotSums slots, int i) {
      return count - slots.count(i) <= countMax && sum.subtract(slots.sum(i)).compareTo(sumMax) <= 0;
    }

    void drop(SlotSums slots, int i) {
      sum = sum.subtract(slots.sum(i));
      count -= slots.count(i);
      slot = slots.slot(i);
    }

    /** Whether the rest fits once some of these have left; {@link #slot} is then the last that had to. */
    boolean drop(SlotSums slots) {
      for (int i = 0; i < slots.size(); i++) {
        drop(slots, i);
        if (fits()) {
          return true;
        }
      }
      return false;
    }
  }
}
