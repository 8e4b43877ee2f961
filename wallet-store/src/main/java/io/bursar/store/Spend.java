package io.bursar.store;

import java.math.BigInteger;
import java.time.Instant;
import java.util.List;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.money.Address;
import io.bursar.spend.SpendFacts;
import io.bursar.spend.SpendText;

/**
 * An agent's request to move money, the decision on it, and what became of it.
 *
 * @param authorization the decision that holds now: the first one, or the one made again when approvers had spoken
 * @param payment what became of it; absent where the first decision was a denial
 */
public record Spend(UUID tenantId, UUID id, Request request, Authorization authorization, Instant decidedAt,
    @Nullable Payment payment,
    List<Approval> approvals) {

  /**
   * What was asked for.
   *
   * @param fingerprint SHA-256 over the canonical request: the same key with another fingerprint is another request
   * @param expiresAt the request's own deadline: not signed by then, it expires
   */
  public record Request(UUID agentId, UUID walletId, String idempotencyKey, byte[] fingerprint,
      Directory.RegisteredAsset asset,
      BigInteger amount, Address payee, @Nullable String category, @Nullable String host, Text text,
      @Nullable Instant expiresAt) {

    SpendFacts facts(UUID tenantId, boolean walletFrozen, boolean agentSuspended) {
      return new SpendFacts(tenantId, agentId, walletId, asset.asset(), amount, payee, SpendFacts.TRANSFER, category,
          host, walletFrozen, agentSuspended, new SpendText(text.purpose(), text.reference(), text.metadata()));
    }
  }

  /** Free text of the agent's; the record holds only a commitment to it. */
  public record Text(@Nullable String purpose, @Nullable String reference, Json.@Nullable Obj metadata) {
    public static final Text NONE = new Text(null, null, null);

    boolean isEmpty() {
      return purpose == null && reference == null && metadata == null;
    }
  }

  /**
   * The record of one decision.
   *
   * @param id the spend's own identifier for its first decision
   * @param leafHash hash of the entry in the record
   * @param index of the leaf in the tenant's log, counted from 0; absent until a signed head covers it
   * @param entry the entry itself; its {@code decision} member says what was decided and why
   */
  public record Authorization(UUID id, byte[] leafHash, @Nullable Long index, Json.Obj entry) {
    /** What was decided and why. */
    public Json.Obj decision() {
      return (Json.Obj) java.util.Objects.requireNonNull(entry.get("decision"));
    }
  }

  /**
   * What became of an allowed or pending spend.
   *
   * @param state as {@code payment.state} has it
   * @param expiresAt until when approvers may speak, while it waits for them
   * @param notBefore until when an approved spend still waits, and can be canceled
   * @param failure why it does not go on, or failed
   * @param shortage what failed it, if it was a want of money
   * @param cancelRequestedAt when it was asked to be canceled on the chain, as it may have been signed
   */
  public record Payment(String state, @Nullable Instant expiresAt, @Nullable Instant notBefore, @Nullable Long nonce,
      byte @Nullable [] transactionHash,
      @Nullable Long blockNumber, int attempts, @Nullable String failure, @Nullable Shortage shortage,
      @Nullable Instant cancelRequestedAt, Instant updatedAt) {

    /**
     * That a wallet could not pay.
     *
     * @param code stable
     * @param observed base units that were left
     * @param bound base units that were to be paid
     */
    public record Shortage(String code, BigInteger observed, BigInteger bound) {}

    /** Whether approvers may still speak at a time. */
    boolean waitsBeyond(Instant at) {
      return expiresAt != null && expiresAt.isAfter(at);
    }
  }

  /**
   * One approver's verdict.
   *
   * @param thumbprint of the key that signed it; absent where no signature was asked for
   */
  public record Approval(UUID approverId, String verdict, @Nullable String thumbprint, @Nullable String comment,
      Instant at) {}

  /** {@code denied}, or the state of the payment. */
  public String status() {
    return payment == null ? "denied" : payment.state();
  }
}
