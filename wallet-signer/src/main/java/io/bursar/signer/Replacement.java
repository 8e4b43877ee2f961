package io.bursar.signer;

import java.math.BigInteger;
import java.util.Optional;

import org.jspecify.annotations.Nullable;

import io.bursar.permit.AuthorizationCancellation;
import io.bursar.permit.AuthorizationIntent;
import io.bursar.permit.CancelAuthorizationIntent;
import io.bursar.permit.CancelIntent;
import io.bursar.permit.Intent;
import io.bursar.permit.RefillIntent;
import io.bursar.permit.RelayIntent;
import io.bursar.permit.TransactionIntent;
import io.bursar.permit.TransferIntent;
import io.bursar.signer.JournalMemory.Judgement;

/** What may still be signed where something was signed before: for the same nonce, or to cancel an authorization. */
final class Replacement {
  /** The same transfer may be signed again at up to this many times the fees it was first signed at. */
  static final BigInteger MOST_FEE_FACTOR = BigInteger.TEN;

  private Replacement() {}

  /**
   * INVARIANT: of all that is ever signed for one nonce, any two are the same payload and differ in their price alone; but after a
   * spend's transfer may come its cancellation, which moves nothing, and from then on nothing else does.
   *
   * @param first what was first signed for the nonce
   * @param canceled whether a cancellation was signed for it since
   */
  static Judgement judge(Intent first, TransactionIntent next, boolean canceled) {
    if (canceled && !(next instanceof CancelIntent)) {
      return new Judgement.Refused(new JournalOutcome.Canceled());
    }
    boolean same = switch (next) {
      case TransferIntent transfer -> first instanceof TransferIntent other && sameTransfer(other, transfer);
      case RelayIntent batch -> first instanceof RelayIntent other && other.isSameBatch(batch);
      case RefillIntent refill -> first instanceof RefillIntent other && other.isSameRefill(refill);
      case CancelIntent cancel -> first instanceof TransferIntent transfer && cancels(transfer, cancel);
    };
    if (!same || !(first instanceof TransactionIntent before)) {
      return new Judgement.Refused(
          next instanceof CancelIntent ? new JournalOutcome.NothingToCancel() : new JournalOutcome.OtherPayload());
    }
    return feesInBounds(before.gas(), next.gas())
        ? new Judgement.Agreed(Optional.empty())
        : new Judgement.Refused(new JournalOutcome.FeeOutOfBounds(before.gas()));
  }

  /** Whether a cancellation is that of the very authorization which was first signed for its spend. */
  static boolean cancels(@Nullable Intent first, CancelAuthorizationIntent next) {
    return first instanceof AuthorizationIntent signed && signed.keyId().equals(next.keyId())
        && AuthorizationCancellation.of(signed.authorization()).equals(next.cancellation());
  }

  private static boolean cancels(TransferIntent first, CancelIntent next) {
    return first.slot().equals(next.slot()) && first.tenantId().equals(next.tenantId())
        && first.spendId().equals(next.spendId()) && first.from().equals(next.from());
  }

  private static boolean sameTransfer(TransferIntent first, TransferIntent next) {
    return first.slot().equals(next.slot()) && first.tenantId().equals(next.tenantId())
        && first.spendId().equals(next.spendId()) && first.from().equals(next.from())
        && first.transfer().equals(next.transfer());
  }

  /**
   * A replacement must not offer less for each unit of gas than the first did, nor more than ten times as much, nor cost
   * more than ten times as much in all. So a caller can outbid a rising base fee, but not burn the account's coins.
   */
  private static boolean feesInBounds(TransferIntent.Gas first, TransferIntent.Gas next) {
    return next.maxFeePerGas().compareTo(first.maxFeePerGas()) >= 0
        && next.maxFeePerGas().compareTo(times(first.maxFeePerGas())) <= 0
        && next.maxCost().compareTo(times(first.maxCost())) <= 0;
  }

  private static BigInteger times(BigInteger fee) {
    return fee.multiply(MOST_FEE_FACTOR);
  }
}
