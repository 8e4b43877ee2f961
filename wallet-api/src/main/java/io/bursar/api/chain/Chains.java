package io.bursar.api.chain;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.locks.LockSupport;

/** The chains of this instance, by CAIP-2 name. */
public final class Chains implements AutoCloseable {
  private final Map<String, Chain> byName = new TreeMap<>();
  private final List<Thread> watchers = new ArrayList<>();

  public Chains(Collection<Chain> chains) {
    chains.forEach(chain -> byName.put(chain.name(), chain));
  }

  public Optional<Chain> find(String name) {
    return Optional.ofNullable(byName.get(name));
  }

  public List<String> names() {
    return List.copyOf(byName.keySet());
  }

  public Map<String, Chain> all() {
    return Map.copyOf(byName);
  }

  /** Begins to look at the nodes of every chain that has several, or that nobody asks; call it once. */
  public void watch(Duration every) {
    for (var chain : byName.values()) {
      // One thread each: a node that is silent holds up nobody else's.
      watchers.add(Thread.ofVirtual().name("watch-" + chain.name()).start(() -> {
        while (!Thread.currentThread().isInterrupted()) {
          chain.look();
          LockSupport.parkNanos(every.toNanos());
        }
      }));
    }
  }

  @Override
  public void close() {
    watchers.forEach(Thread::interrupt);
    byName.values().forEach(Chain::close);
  }
}
