package io.bursar.store;

import java.time.Duration;
import java.time.Instant;
import java.util.List;

import org.jspecify.annotations.Nullable;

import io.bursar.permit.Bytes;
import io.bursar.permit.Digest32;
import io.bursar.permit.TransferIntent.Gas;

/**
 * Where a payment stands, and what is known there and nowhere earlier. The way forward is {@code authorized → prepared → signed
 * → broadcast → confirmed | reverted}; {@code canceled}, {@code expired}, {@code rejected} and {@code denied} are entered only
 * while no signature can exist.
 */
public sealed interface PaymentState {
  /** Approvers have to speak first. */
  record AwaitingApproval(Instant expiresAt) implements PaymentState {}

  /** It may be paid; nothing on the chain's side is fixed yet. */
  record Authorized() implements PaymentState {}

  /** The transaction is fixed to the last byte. A signature may exist even if it is not recorded: the signer's answer can be lost. */
  record Prepared(long nonce, Gas gas) implements PaymentState {}

  /** The newest transaction is signed and stored, and may or may not have reached a node. */
  record Signed(long nonce, List<Attempt> attempts) implements PaymentState {
    public Signed {
      attempts = List.copyOf(attempts);
    }
  }

  /** A node has taken it, or one like it; one of the attempts will be mined. */
  record Broadcast(long nonce, List<Attempt> attempts) implements PaymentState {
    public Broadcast {
      attempts = List.copyOf(attempts);
    }
  }

  /**
   * Another transaction at the same nonce is to be signed at a higher price. Any of the attempts may still be mined.
   *
   * @param cancels whether it is to move nothing; otherwise it is the same transfer
   */
  record Replacing(long nonce, List<Attempt> attempts, Gas next, boolean cancels) implements PaymentState {
    public Replacing {
      attempts = List.copyOf(attempts);
    }
  }

  /**
   * On its way by an authorization that the wallet signs and a relayer takes to the chain.
   *
   * @param stage {@code prepared}, {@code signed} or {@code broadcast}: in a relayer's transaction that a node has taken
   */
  record Relayed(String stage) implements PaymentState {}

  /** Nothing will happen any more. */
  sealed interface Final extends PaymentState {}

  /** The chain says that the payee has the money. A relayed payment takes no nonce of its wallet; it is 0 there. */
  record Confirmed(long nonce, Mined mined) implements Final {}

  /** The chain refused the transfer; the wallet paid gas and nothing else. */
  record Reverted(long nonce, Mined mined) implements Final {}

  /** An approver said no. */
  record Rejected() implements Final {}

  /** Its time was over before it was signed. */
  record Expired() implements Final {}

  /** Somebody took it back before it was signed. */
  record Canceled() implements Final {}

  /** The chain has a transaction of its nonce that moves nothing, made because somebody asked for that. */
  record Annulled(long nonce, Mined mined) implements Final {}

  /** Decided again after approval, and refused. */
  record Denied() implements Final {}

  /** It can never be paid. */
  record Failed(String why) implements Final {}

  /**
   * One signed transaction.
   *
   * @param number from 1
   * @param cancels whether it moves nothing; otherwise it is the transfer
   * @param gas what it may cost
   * @param raw as {@code eth_sendRawTransaction} takes it
   * @param hash Keccak-256 of {@code raw}
   * @param firstSentAt when a node first took it; null if none has
   * @param lastSentAt when a node last took it; null if none has
   */
  record Attempt(int number, boolean cancels, Gas gas, Bytes raw, Digest32 hash, @Nullable Instant firstSentAt,
      @Nullable Instant lastSentAt) {
    public boolean isSent() {
      return firstSentAt != null;
    }

    /** Whether a node first took it less than so long before {@code now}. */
    public boolean wasFirstSentWithin(Duration length, Instant now) {
      return firstSentAt != null && isWithin(firstSentAt, length, now);
    }

    /** Whether a node last took it less than so long before {@code now}. */
    public boolean wasSentWithin(Duration length, Instant now) {
      return lastSentAt != null && isWithin(lastSentAt, length, now);
    }

    /** What lies ahead was noted by a clock that has since been set back, and may be any time ago. */
    private static boolean isWithin(Instant at, Duration length, Instant now) {
      return !at.isAfter(now) && Duration.between(at, now).compareTo(length) < 0;
    }

    Attempt sentAt(Instant at) {
      return new Attempt(number, cancels, gas, raw, hash, firstSentAt == null ? at : firstSentAt, at);
    }
  }

  /** The transaction that was mined, and where. */
  record Mined(Digest32 transactionHash, long blockNumber, Digest32 blockHash) {}

  /** The state's name in the database and in the API. */
  default String text() {
    return switch (this) {
      case AwaitingApproval _ -> "awaiting_approval";
      case Authorized _ -> "authorized";
      case Prepared _ -> "prepared";
      case Signed _ -> "signed";
      case Broadcast _ -> "broadcast";
      case Replacing(var _, var attempts, var _, var _) -> attempts.stream().anyMatch(Attempt::isSent)
          ? "broadcast"
          : "signed";
      case Relayed(var stage) -> stage;
      case Confirmed _ -> "confirmed";
      case Reverted _ -> "reverted";
      case Rejected _ -> "rejected";
      case Expired _ -> "expired";
      case Canceled _,Annulled _ -> "canceled";
      case Denied _ -> "denied";
      case Failed _ -> "failed";
    };
  }
}
