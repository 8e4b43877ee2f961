package io.bursar.signer;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.InstantSource;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

import org.jspecify.annotations.Nullable;

import io.bursar.permit.PermitKey;
import io.bursar.permit.SignerReply.Healthy;

/**
 * The real signer without a process of its own, so that it can end and begin in milliseconds: its keystore, journal, heads and socket,
 * put together as {@link SignerMain} does, in a home that outlives it.
 */
public final class SignerInProcess implements AutoCloseable {
  /** A world's minutes pass in seconds: no rate of requests is too high in it. */
  private static final RateAlarm.Bounds UNBOUNDED = new RateAlarm.Bounds(Integer.MAX_VALUE - 1, Integer.MAX_VALUE - 1);

  private final Path directory;
  private final SignerHome home;
  private @Nullable Running running;

  private record Running(FileLock lock, Fences fences, SignerServer server, Thread thread) {}

  /** A new signer without keys, not started yet, in a directory of its own below the one given. */
  public SignerInProcess(Path parent) {
    try {
      directory = Files.createTempDirectory(parent, "signer-",
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
      home = new SignerHome(directory.resolve("data"), false);
      home.initialize(permitKey(), Optional.empty(), Optional.of("simulated"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  public Path socket() {
    return directory.resolve("run").resolve("s");
  }

  /** The file of the API's private permit key. */
  public Path permitKey() {
    return directory.resolve("permit.key");
  }

  public boolean isRunning() {
    return running != null;
  }

  /** Begins to serve, with what an earlier one has left behind. */
  public void start() {
    try {
      var lock = home.lock();
      var keks = home.keks().open();
      var curve = Curve.SHARED;
      var logKey = LogKeyFile.read(home.logKey());
      var log = LogSigner.open(logKey.origin(), logKey.unwrap(keks), home.heads(), true);
      var fences = Fences.open(home, logKey.origin(), home.anchor(), UNBOUNDED, false);
      var signer = new Signer(new Signer.Permits(PermitKey.of(home.permitKey()), InstantSource.system()),
          Keystore.open(home.keys(), keks, curve), fences, log, new Healthy("simulated", curve.name(), List.of()));
      var server = SignerServer.bind(signer, socket(), home.user(), Optional.empty(), SignerServer.Limits.DEFAULT);
      running = new Running(lock, fences, server, Thread.ofPlatform().daemon().name("signer").start(server::run));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Ends; what it has not written down is forgotten. */
  public void stop() {
    if (running != null) {
      running.server.close();
      try {
        running.fences.close();
        running.lock.acquiredBy().close();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      running = null;
    }
  }

  private static final class Curve {
    static final Secp256k1 SHARED = load();

    private static Secp256k1 load() {
      try {
        return NativeSecp256k1.load(Files.createTempDirectory("curve-"));
      } catch (IOException notThere) {
        return new BouncyCastleSecp256k1();
      }
    }
  }

  @Override
  public void close() {
    stop();
    try (var files = Files.walk(directory)) {
      for (var file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
