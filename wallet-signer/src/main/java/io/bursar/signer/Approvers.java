package io.bursar.signer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;

import io.bursar.approval.ApproverRoll;
import io.bursar.permit.SignerRequest.SignedOrder;
import io.bursar.spend.Id;

/**
 * Who may approve spends, as the signer knows it. With a root set it believes only rolls that came by an order; without one, for
 * development, it believes what the API says of an approver's groups and key, and an API key's word for one who has no key.
 *
 * <p>A directory holds the last roll of each tenant.
 */
final class Approvers {
  private static final String FILE = ".roll.json";
  private static final int MOST_TENANTS = 100_000;

  private final Path directory;
  private final Quorum quorum;
  private final ConcurrentHashMap<UUID, ApproverRoll> rolls = new ConcurrentHashMap<>();

  private Approvers(Path directory, Quorum quorum) {
    this.directory = directory;
    this.quorum = quorum;
  }

  /** @throws IOException if a roll cannot be read */
  static Approvers open(Path directory, Quorum quorum) throws IOException {
    SafeFiles.makeDirectory(directory);
    var approvers = new Approvers(directory, quorum);
    try (var files = Files.newDirectoryStream(directory, "*" + FILE)) {
      for (var file : files) {
        try {
          var roll = ApproverRoll.parse(SafeFiles.read(file, ApproverRoll.BYTES_MAX));
          if (!approvers.file(roll.tenantId()).equals(file)) {
            throw new IllegalArgumentException("it is another tenant's");
          }
          approvers.rolls.put(roll.tenantId(), roll);
        } catch (IllegalArgumentException damaged) {
          throw new IOException("`" + file + "` is damaged: " + damaged.getMessage());
        }
      }
    }
    return approvers;
  }

  /** Whether the API is believed about who approves; only where there is no root set. */
  boolean believesApi() {
    return !quorum.isThere();
  }

  /** The roll of a tenant, where one came by an order. */
  Optional<ApproverRoll> roll(UUID tenantId) {
    return Optional.ofNullable(rolls.get(tenantId));
  }

  /**
   * Learns a roll by an order of the kind {@code approvers} whose subject is the tenant.
   *
   * @return why not; empty if it is believed from now on
   */
  Optional<String> learn(SignedOrder order, byte[] content, Instant now) throws IOException {
    ApproverRoll roll;
    try {
      roll = ApproverRoll.parse(content);
    } catch (IllegalArgumentException malformed) {
      return Optional.of(String.valueOf(malformed.getMessage()));
    }
    if (!rolls.containsKey(roll.tenantId()) && rolls.size() >= MOST_TENANTS) {
      return Optional.of("the signer keeps the rolls of " + MOST_TENANTS + " tenants at most");
    }
    var refused = quorum.use(order, "approvers", Id.TENANT.text(roll.tenantId()), content, now);
    if (refused.isEmpty()) {
      SafeFiles.replace(file(roll.tenantId()), content);
      rolls.put(roll.tenantId(), roll);
    }
    return refused;
  }

  private Path file(UUID tenantId) {
    return directory.resolve(Id.TENANT.text(tenantId) + FILE);
  }
}
