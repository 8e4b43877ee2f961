package io.bursar.log;

import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Up to 256 consecutive entries of a log as bytes: two bytes of length, big-endian, and the entry, repeated.
 *
 * @see <a href="https://c2sp.org/tlog-tiles">C2SP tlog-tiles</a>
 */
public final class EntryBundle {
  /** The longest entry that fits, in bytes. */
  public static final int ENTRY_MAX = 0xffff;

  private EntryBundle() {}

  /**
   * The bundle of these entries.
   *
   * @throws IllegalArgumentException if one is longer than {@link #ENTRY_MAX}
   */
  public static byte[] encode(List<byte[]> entries) {
    var out = new ByteArrayOutputStream(entries.size() * 512);
    for (var entry : entries) {
      if (entry.length > ENTRY_MAX) {
        throw new IllegalArgumentException("an entry has at most " + ENTRY_MAX + " bytes, not " + entry.length);
      }
      out.write(entry.length >>> 8);
      out.write(entry.length);
      out.writeBytes(entry);
    }
    return out.toByteArray();
  }

  /**
   * The entries of a bundle.
   *
   * @param width how many it must hold
   * @throws IllegalArgumentException if it does not hold exactly that many
   */
  public static List<byte[]> decode(byte[] bundle, int width) {
    var entries = new ArrayList<byte[]>(width);
    int at = 0;
    while (at < bundle.length) {
      int from = at + 2;
      int to = from > bundle.length ? Integer.MAX_VALUE : from + (bundle[at] & 0xff) * 256 + (bundle[at + 1] & 0xff);
      if (to > bundle.length) {
        throw new IllegalArgumentException("the bundle ends in the middle of entry " + entries.size());
      }
      if (entries.size() == width) {
        throw new IllegalArgumentException("the bundle holds more than " + width + " entries");
      }
      entries.add(Arrays.copyOfRange(bundle, from, to));
      at = to;
    }
    if (entries.size() != width) {
      throw new IllegalArgumentException("the bundle holds " + entries.size() + " entries, not " + width);
    }
    return entries;
  }
}
