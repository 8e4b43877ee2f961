package io.bursar.api.witness;

import java.io.IOException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.bursar.log.AddCheckpoint;
import io.bursar.log.SignedNote;
import io.bursar.store.log.Cosigners;
import io.bursar.store.log.LogUnavailable;

/**
 * Shows every new head to the witnesses, all at once, and waits for as many signatures as the policy asks for. Without a quorum a
 * witness gets the time of one round trip, so that its signature is with the head unless it is slow.
 */
public final class WitnessClient implements Cosigners {
  private static final Logger LOG = LoggerFactory.getLogger(WitnessClient.class);
  private static final Duration PATIENCE = Duration.ofSeconds(3);
  private static final Duration PATIENCE_WITHOUT_QUORUM = Duration.ofMillis(100);
  private static final int REPLY_MAX = 16 * 1024;

  private final WitnessPolicy policy;
  private final HttpClient http = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(2)).build();
  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
  private final Map<String, Long> sizes = new ConcurrentHashMap<>();

  public WitnessClient(WitnessPolicy policy) {
    this.policy = policy;
  }

  private record Reply(WitnessPolicy.Witness witness, List<SignedNote.Signature> signatures) {}

  @Override
  public SignedNote cosign(UUID tenantId, SignedNote head, Growth proofs) throws LogUnavailable {
    var replies = new LinkedBlockingQueue<Reply>();
    for (var witness : policy.witnesses()) {
      threads.execute(() -> replies.add(new Reply(witness, ask(witness, tenantId, head, proofs))));
    }
    long deadline = System.nanoTime()
        + (policy.threshold() == 0 ? PATIENCE_WITHOUT_QUORUM : PATIENCE).toNanos();
    var cosigned = head;
    int counted = 0;
    try {
      for (int i = 0; i < policy.witnesses().size() && (policy.threshold() == 0 || counted < policy.threshold()); i++) {
        var reply = replies.poll(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
        if (reply == null) {
          break;
        }
        cosigned = cosigned.with(reply.signatures);
        if (!reply.signatures.isEmpty() && policy.quorum().contains(reply.witness.key())) {
          counted++;
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    if (counted < policy.threshold()) {
      throw LogUnavailable.forNow(
          "only " + counted + " of the " + policy.threshold() + " witnesses that a head needs have signed",
          new IOException("quorum"));
    }
    return cosigned;
  }

  /** The witness's signature over the head; none if it gave no valid one. */
  private List<SignedNote.Signature> ask(WitnessPolicy.Witness witness, UUID tenantId, SignedNote head, Growth proofs) {
    var seen = witness.key().name() + " " + tenantId;
    try {
      for (int attempt = 0; attempt < 2; attempt++) {
        long oldSize = sizes.getOrDefault(seen, 0L);
        var body = new AddCheckpoint(oldSize, oldSize == 0 ? List.of() : proofs.from(oldSize), head).encode();
        var answer = http.send(HttpRequest.newBuilder(witness.url().resolve("add-checkpoint")).timeout(PATIENCE)
            .POST(HttpRequest.BodyPublishers.ofByteArray(body)).build(), BodyHandlers.ofByteArray());
        if (answer.statusCode() == 409) {
          sizes.put(seen, Long.parseLong(new String(answer.body(), StandardCharsets.US_ASCII).strip()));
          continue;
        }
        if (answer.statusCode() != 200 || answer.body().length > REPLY_MAX) {
          LOG.warn("the witness `{}` did not sign a head: status {}", witness.key().name(), answer.statusCode());
          return List.of();
        }
        var lines = new ArrayList<SignedNote.Signature>();
        new String(answer.body(), StandardCharsets.UTF_8).lines().map(SignedNote.Signature::parse).forEach(lines::add);
        var valid = new SignedNote(head.text(), lines).verify(List.of(witness.key())).values();
        sizes.put(seen, io.bursar.log.Checkpoint.parse(head.text()).size());
        return List.copyOf(valid);
      }
    } catch (IOException | IllegalArgumentException e) {
      LOG.warn("the witness `{}` did not sign a head: {}", witness.key().name(), e.toString());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return List.of();
  }
}
