package io.bursar.signer;

import java.io.IOException;
import java.io.StringReader;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Properties;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * Brings everything in a home under its newest key encryption key, while the signer signs. Only data keys are unwrapped and
 * wrapped again; no private key is opened. What was done is seen from the files themselves, so a rotation that was killed
 * goes on where it stood. One key counts as the old one or the new one at any moment, and both open until the last is done;
 * then the old key's configuration is retired.
 */
final class KekRotation implements AutoCloseable {
  private static final Logger LOG = System.getLogger("io.bursar.signer");
  /** Files that wait for one sync of their directory. */
  private static final int BATCH = 128;
  /** Writers at once; each waits for the disk most of the time. */
  private static final int WRITERS = 8;
  private static final long LOOK_EVERY_MILLIS = 500;

  /** How a rotation stands. */
  enum State {
    /** It goes on. */
    RUNNING,
    /** Everything is under the newest key. */
    DONE,
    /** Something could not be brought over; the log says what, and the old key stays in use. */
    FAILED
  }

  /**
   * How far a rotation is.
   *
   * @param version number of the newest key
   * @param done keys under it
   * @param total keys there are
   */
  record Progress(State state, int version, int done, int total) {}

  private final SignerHome home;
  private final KekRing ring;
  private final Keystore keystore;
  private final Consumer<Progress> listener;
  private final Thread thread;
  private final CountDownLatch closed = new CountDownLatch(1);

  /**
   * @param ring the ring that the keystore uses; new keys are taken into it
   * @param listener told after each few hundred keys and at the end
   */
  KekRotation(SignerHome home, KekRing ring, Keystore keystore, Consumer<Progress> listener) {
    this.home = home;
    this.ring = ring;
    this.keystore = keystore;
    this.listener = listener;
    this.thread = Thread.ofPlatform().name("kek-rotation").daemon().unstarted(this::watch);
  }

  /** Looks for a new key every half second, in a thread of its own, and rotates to it until {@link #close}. */
  void start() {
    thread.start();
  }

  /**
   * Rotates, if there is an older key in use than the newest.
   *
   * @return how it ended, or nothing if there was nothing to do
   * @throws IOException if the home cannot be read or written, or the new key cannot be had
   */
  Optional<Progress> run() throws IOException {
    var versions = home.keks().versions();
    int newest = versions.getLast();
    if (newest != ring.newest().number()) {
      ring.add(home.keks().open(newest));
    }
    return versions.size() == 1 ? Optional.empty() : Optional.of(rotate(newest));
  }

  private Progress rotate(int newest) throws IOException {
    LOG.log(Level.INFO, "rotating to version=" + newest + " kek=" + ring.newest().kek().id());
    LogKeyFile.rewrap(home.logKey(), ring);
    ImportKeyFile.rewrap(home.importKey(), ring);
    var keys = keystore.keyIds();
    int done = 0;
    int failed = 0;
    try (var writers = Executors.newFixedThreadPool(WRITERS)) {
      for (int at = 0; at < keys.size() && !isClosed(); at += BATCH) {
        var batch = keys.subList(at, Math.min(at + BATCH, keys.size()));
        int bad = rewrap(batch, writers);
        keystore.sync();
        failed += bad;
        done += batch.size() - bad;
        write(new Progress(State.RUNNING, newest, done, keys.size()));
      }
    }
    var end = new Progress(isClosed() ? State.RUNNING : failed > 0 ? State.FAILED : State.DONE, newest, done,
        keys.size());
    if (end.state() == State.DONE) {
      home.keks().retireOlderThan(newest);
      LOG.log(Level.INFO, "rotated keys=" + done + " version=" + newest);
    } else if (end.state() == State.FAILED) {
      LOG.log(Level.ERROR, "the rotation left " + failed + " keys behind; the older key encryption key stays in use");
    }
    write(end);
    return end;
  }

  /** @return how many could not be brought over */
  private int rewrap(List<UUID> batch, ExecutorService writers) throws IOException {
    var work = new ArrayList<Callable<Boolean>>();
    for (var keyId : batch) {
      work.add(() -> keystore.rewrap(keyId));
    }
    int failed = 0;
    try {
      for (var result : writers.invokeAll(work)) {
        try {
          result.get();
        } catch (ExecutionException bad) {
          failed++;
          LOG.log(Level.ERROR, String.valueOf(bad.getCause() == null ? bad : bad.getCause().getMessage()));
        }
      }
    } catch (InterruptedException stopped) {
      Thread.currentThread().interrupt();
      throw new IOException("the rotation was interrupted", stopped);
    }
    return failed;
  }

  private void watch() {
    int tried = 0; // one try for each key and each start of the signer
    try {
      do {
        try {
          int newest = home.keks().versions().getLast();
          if (tried != newest) {
            tried = newest;
            run();
          }
        } catch (IOException | RuntimeException failed) {
          LOG.log(Level.ERROR, "the rotation failed: " + failed.getMessage());
          writeFailure();
        }
      } while (!closed.await(LOOK_EVERY_MILLIS, TimeUnit.MILLISECONDS));
    } catch (InterruptedException stopped) {
      Thread.currentThread().interrupt();
    }
  }

  private boolean isClosed() {
    return closed.getCount() == 0;
  }

  private void writeFailure() {
    try {
      write(new Progress(State.FAILED, home.keks().versions().getLast(), 0, keystore.size()));
    } catch (IOException | RuntimeException unwritable) { // without its versions it still looks again later
      LOG.log(Level.ERROR, "the rotation's progress cannot be written: " + unwritable);
    }
  }

  private void write(Progress progress) throws IOException {
    SafeFiles.replaceUnsynced(home.rotationProgress(), """
        state = %s
        version = %d
        done = %d
        total = %d
        """.formatted(progress.state(), progress.version(), progress.done(), progress.total())
        .getBytes(StandardCharsets.US_ASCII));
    listener.accept(progress);
  }

  /** What a rotation last said of itself. */
  static Optional<Progress> read(Path file) throws IOException {
    if (!Files.exists(file)) {
      return Optional.empty();
    }
    var conf = new Properties();
    conf.load(new StringReader(new String(SafeFiles.read(file, 4096), StandardCharsets.US_ASCII)));
    try {
      return Optional.of(new Progress(State.valueOf(conf.getProperty("state", "")), number(conf, "version"),
          number(conf, "done"), number(conf, "total")));
    } catch (IllegalArgumentException damaged) {
      throw new IOException("`" + file + "` is damaged; remove it, it says only how far a rotation is");
    }
  }

  private static int number(Properties conf, String name) {
    return Integer.parseInt(conf.getProperty(name, ""));
  }

  /** Stops after the batch at hand; the next start goes on. */
  @Override
  public void close() {
    closed.countDown();
    try {
      thread.join(); // at once if it was never started
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
