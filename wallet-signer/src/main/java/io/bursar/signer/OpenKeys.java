package io.bursar.signer;

import java.time.Duration;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Optional;
import java.util.UUID;
import java.util.function.BiPredicate;
import java.util.function.LongSupplier;

import org.jspecify.annotations.Nullable;

/**
 * Private keys that were unsealed lately, so that one in use is not unsealed for every signature: the most of them that may
 * be open at a time, each until it was not used for a while. A key is found only by the very file it was unsealed from, so
 * one whose file was removed, moved or altered is not found. Safe for use by several threads.
 */
final class OpenKeys {
  /** The most keys that are open at a time; half of the memory there is, the rest is for keys at work. */
  static final int MOST = LockedMemory.SLOTS / 2;
  /** How long a key stays open after its last use. */
  static final Duration IDLE = Duration.ofMinutes(1);

  private record Open(UUID tenantId, byte[] file, SecretBytes secret, long usedAt) {
    @Override
    public String toString() {
      return "REDACTED";
    }
  }

  private final int most;
  private final long idleNanos;
  private final LongSupplier nanoTime;
  /** In the order of their last use. */
  private final LinkedHashMap<UUID, Open> open = new LinkedHashMap<>();
  private BiPredicate<UUID, UUID> closed = (tenantId, keyId) -> false;

  /** @param nanoTime a clock for time spans, such as {@link System#nanoTime} */
  OpenKeys(int most, Duration idle, LongSupplier nanoTime) {
    this.most = most;
    this.idleNanos = idle.toNanos();
    this.nanoTime = nanoTime;
  }

  /** A copy of the key that was unsealed from this file, if it is open. The caller closes it. */
  synchronized Optional<SecretBytes> find(UUID keyId, byte[] file) {
    var found = open.remove(keyId);
    if (found == null) {
      return Optional.empty();
    }
    if (!Arrays.equals(found.file(), file)) {
      found.secret().close();
      return Optional.empty();
    }
    open.putLast(keyId, new Open(found.tenantId(), file, found.secret(), nanoTime.getAsLong()));
    return Optional.of(found.secret().duplicate());
  }

  /** Keeps a copy of a key that was unsealed from this file, in the place of the one that was not used for longest. */
  synchronized void keep(UUID tenantId, UUID keyId, byte[] file, SecretBytes secret) {
    if (closed.test(tenantId, keyId)) {
      return;
    }
    erase(open.remove(keyId));
    if (open.size() >= most) {
      erase(open.pollFirstEntry().getValue());
    }
    open.putLast(keyId, new Open(tenantId, file, secret.duplicate(), nanoTime.getAsLong()));
  }

  /**
   * Erases the keys that this holds of, and keeps none of them from now on; all others may be open again.
   *
   * @param which of a tenant's id and a key's id
   */
  synchronized void close(BiPredicate<UUID, UUID> which) {
    closed = which;
    open.entrySet().removeIf(entry -> {
      boolean holds = which.test(entry.getValue().tenantId(), entry.getKey());
      if (holds) {
        entry.getValue().secret().close();
      }
      return holds;
    });
  }

  /** Erases what was not used for long enough. */
  synchronized void closeIdle() {
    long now = nanoTime.getAsLong();
    while (!open.isEmpty() && now - open.firstEntry().getValue().usedAt() >= idleNanos) {
      erase(open.pollFirstEntry().getValue());
    }
  }

  /**
   * From now on, as long as the process lives, keeps no key that this holds of, and each second erases those and what was not
   * used for long enough.
   *
   * @param frozen of a tenant's id and a key's id, asked each time
   */
  void startClosing(BiPredicate<UUID, UUID> frozen) {
    close(frozen);
    Thread.ofPlatform().daemon().name("closing-keys").start(() -> {
      try {
        while (true) {
          Thread.sleep(1_000);
          close(frozen);
          closeIdle();
        }
      } catch (InterruptedException ended) {
        Thread.currentThread().interrupt();
      }
    });
  }

  /** How many keys are open. */
  synchronized int size() {
    return open.size();
  }

  private static void erase(@Nullable Open key) {
    if (key != null) {
      key.secret().close();
    }
  }
}
