package io.bursar.api.chain;

import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** The chains of this instance, by CAIP-2 name. */
public final class Chains implements AutoCloseable {
  private final Map<String, Chain> byName = new TreeMap<>();

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

  @Override
  public void close() {
    byName.values().forEach(Chain::close);
  }
}
