package io.bursar.verify;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;

import io.bursar.log.EntryBundle;
import io.bursar.log.TilePath;
import io.bursar.permit.Digest32;

/** Reads tiles and bundles, some of them ahead of when they are needed. */
final class LogFiles implements AutoCloseable {
  private static final int TILE_BYTES_MAX = TilePath.FULL * Digest32.BYTES;
  private static final int BUNDLE_BYTES_MAX = TilePath.FULL * (2 + EntryBundle.ENTRY_MAX);
  private static final int AHEAD = 12;

  /** 256 entries, or fewer at the end of the log: their hashes, and themselves where this copy of the log has them. */
  record Piece(TilePath path, byte[] hashes, Optional<byte[]> bundle) {
    TilePath bundlePath() {
      return new TilePath(TilePath.ENTRIES, path.index(), path.width());
    }
  }

  private final LogSource source;
  private final AtomicLong read = new AtomicLong();
  private final ExecutorService readers = Executors.newVirtualThreadPerTaskExecutor();

  LogFiles(LogSource source) {
    this.source = source;
  }

  /** How many files were read. */
  long count() {
    return read.get();
  }

  /** A tile of hashes that the log must have, exactly as wide as asked. */
  byte[] tile(TilePath path) throws IOException, BadLog {
    int bytes = path.width() * Digest32.BYTES;
    var served = file(path, TILE_BYTES_MAX).orElseThrow(() -> new BadLog(-1, "`" + path.text() + "` is missing"));
    if (served.full() && served.bytes().length == TILE_BYTES_MAX) {
      return Arrays.copyOf(served.bytes(), bytes);
    }
    if (served.bytes().length != bytes) {
      throw new BadLog(-1, "`" + path.text() + "` has " + served.bytes().length + " bytes, not " + bytes);
    }
    return served.bytes();
  }

  private record Served(byte[] bytes, boolean full) {}

  /** A partial tile may be gone once the full one is there, and that begins with it. */
  private Optional<Served> file(TilePath path, int bytesMax) throws IOException {
    var exact = source.read(path.text(), bytesMax);
    if (exact.isPresent() || path.isFull()) {
      read.incrementAndGet();
      return exact.map(bytes -> new Served(bytes, false));
    }
    read.incrementAndGet();
    return source.read(new TilePath(path.level(), path.index(), TilePath.FULL).text(), bytesMax)
        .map(bytes -> new Served(bytes, true));
  }

  private Piece piece(TilePath path) throws IOException, BadLog {
    var bundle = file(new TilePath(TilePath.ENTRIES, path.index(), path.width()), BUNDLE_BYTES_MAX);
    return new Piece(path, tile(path), bundle.map(served -> served.full()
        ? cut(served.bytes(), path.width())
        : served.bytes()));
  }

  /** The first entries of a bundle; where it is malformed before they end, all of it. */
  private static byte[] cut(byte[] bundle, int width) {
    int at = 0;
    for (int i = 0; i < width && at + 2 <= bundle.length; i++) {
      at += 2 + (bundle[at] & 0xff) * 256 + (bundle[at + 1] & 0xff);
    }
    return at <= bundle.length ? Arrays.copyOf(bundle, at) : bundle;
  }

  /** The pieces of a log of this size, from the one that holds an entry on. */
  Pieces pieces(long fromEntry, long size) {
    return new Pieces(fromEntry / TilePath.FULL, size);
  }

  /** Reads on while what was read before is looked at. */
  final class Pieces {
    private final ArrayDeque<Future<Piece>> ahead = new ArrayDeque<>();
    private final long size;
    private long next;

    private Pieces(long first, long size) {
      this.next = first;
      this.size = size;
      fill();
    }

    private void fill() {
      while (ahead.size() < AHEAD && next * TilePath.FULL < size) {
        var path = TilePath.in(size, 0, next++);
        ahead.add(readers.submit(() -> piece(path)));
      }
    }

    boolean hasNext() {
      return !ahead.isEmpty();
    }

    Piece next() throws IOException, BadLog {
      try {
        var piece = ahead.remove().get();
        fill();
        return piece;
      } catch (ExecutionException e) {
        switch (e.getCause()) {
          case IOException failed -> throw failed;
          case BadLog bad -> throw bad;
          case null, default -> throw new IllegalStateException(e);
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IOException("interrupted", e);
      }
    }
  }

  @Override
  public void close() {
    readers.shutdownNow();
  }
}
