package io.bursar.signer;

import java.io.IOException;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/**
 * The key encryption keys of one home, numbered from 1. What is new is wrapped by the newest; older ones only open what they
 * wrapped, until a rotation has brought everything under the newest and the process has ended. The ring has one id for ever, that of its first key,
 * and private keys are sealed with it as associated data: so no rotation needs to open one. Safe for several threads.
 */
final class KekRing implements AutoCloseable {
  /** One key of the ring. */
  record Version(int number, Kek kek) {}

  /**
   * A secret as a key of the ring wrapped it.
   *
   * @param ring id of the ring
   * @param version which of its keys
   */
  record Wrapped(String ring, int version, byte[] bytes) {
    /** Names the key and says nothing else. */
    @Override
    public String toString() {
      return ring + "/" + version;
    }
  }

  private final String id;
  private volatile List<Version> versions; // newest first

  KekRing(String id, List<Version> versions) {
    if (versions.isEmpty()) {
      throw new IllegalArgumentException("a ring has a key");
    }
    this.id = id;
    this.versions = newestFirst(versions.stream());
  }

  /** A ring of one key, its first. */
  static KekRing of(Kek first) {
    return new KekRing(first.id(), List.of(new Version(1, first)));
  }

  String id() {
    return id;
  }

  /** The key that wraps what is new. */
  Version newest() {
    return versions.getFirst();
  }

  /** Takes a key in; from now on the newest wraps. */
  synchronized void add(Version version) {
    versions = newestFirst(Stream.concat(versions.stream(), Stream.of(version)));
  }

  private static List<Version> newestFirst(Stream<Version> versions) {
    return versions.sorted(Comparator.comparingInt(Version::number).reversed()).toList();
  }

  /** Wraps a secret of {@value Kek#DATA_KEY_BYTES} bytes by the newest key. */
  Wrapped wrap(byte[] secret) throws IOException {
    var newest = newest();
    return new Wrapped(id, newest.number(), newest.kek().wrap(secret));
  }

  /**
   * Unwraps a secret. The caller erases it.
   *
   * @throws Kek.DoesNotOpenException if it is another ring's, was wrapped by a key that was retired, or is damaged
   * @throws IOException if the key cannot be used now
   */
  byte[] unwrap(Wrapped wrapped) throws Kek.DoesNotOpenException, IOException {
    if (!wrapped.ring().equals(id)) {
      throw new Kek.DoesNotOpenException("is sealed under `" + wrapped.ring() + "`, but this signer has `" + id + "`");
    }
    for (var version : versions) {
      if (version.number() == wrapped.version()) {
        return version.kek().unwrap(wrapped.bytes());
      }
    }
    throw new Kek.DoesNotOpenException("is sealed under version " + Integer.toUnsignedString(wrapped.version())
        + " of the key encryption key, which this signer has not or no longer");
  }

  @Override
  public void close() {
    versions.forEach(version -> version.kek().close());
  }
}
