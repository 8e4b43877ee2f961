package io.bursar.store.log;

import java.util.List;
import java.util.UUID;

import io.bursar.log.SignedNote;
import io.bursar.permit.Digest32;

/** Whoever signs heads beside the log: witnesses. */
public interface Cosigners {
  /** No witnesses: every head counts as the log signed it. */
  Cosigners NONE = (tenantId, head, proofs) -> head;

  /** Proofs that a head grew out of an older one. */
  @FunctionalInterface
  interface Growth {
    /** The proof of consistency from a size of 1 or more. */
    List<Digest32> from(long oldSize);
  }

  /**
   * Shows the witnesses a new head.
   *
   * @return the head with the signatures that it needs to count
   * @throws LogUnavailable if fewer witnesses have signed than must have
   */
  SignedNote cosign(UUID tenantId, SignedNote head, Growth proofs) throws LogUnavailable;
}
