package io.bursar.api.relay;

import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;

import io.bursar.store.RelayBatch;
import io.bursar.store.RelayBatch.Member;
import io.bursar.store.RelayBatches;
import io.bursar.store.Relayer;

/**
 * What is in batches that are not settled, read once for each. A batch is fixed for ever, so that only the payments' states are not those
 * of now: they are as they were read.
 */
final class Members {
  private final RelayBatches batches;
  private final Map<UUID, Map<UUID, List<Member>>> byRelayer = new ConcurrentHashMap<>();

  Members(RelayBatches batches) {
    this.batches = batches;
  }

  List<Member> of(RelayBatch batch) {
    var known = byRelayer.computeIfAbsent(batch.relayer().keyId(), _ -> new ConcurrentHashMap<>());
    var members = known.get(batch.batchId());
    if (members == null) {
      members = batches.members(batch);
      known.put(batch.batchId(), members);
    }
    return members;
  }

  /** Forgets a relayer's batches but for those that are open still. */
  void keepOnly(Relayer relayer, List<RelayBatch> open) {
    var known = byRelayer.get(relayer.keyId());
    if (known != null) {
      known.keySet().retainAll(open.stream().map(RelayBatch::batchId).collect(Collectors.toSet()));
    }
  }
}
