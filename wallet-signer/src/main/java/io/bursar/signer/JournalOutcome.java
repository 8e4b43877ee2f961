package io.bursar.signer;

import java.io.IOException;
import java.util.List;

import io.bursar.permit.FreezeScope;
import io.bursar.permit.TransferIntent;
import io.bursar.policy.Rule.GroupThreshold;

/** What became of a request to record. Only after {@link Recorded} may the intent be signed. */
sealed interface JournalOutcome {
  /** It may be signed, and the record of it is durable. */
  record Recorded() implements JournalOutcome {}

  /** The permit was used before. */
  record PermitUsed() implements JournalOutcome {}

  /** The permit expired before permits that are forgotten by now: the clock went back. */
  record PermitForgotten() implements JournalOutcome {}

  /** Another payload has this nonce. */
  record OtherPayload() implements JournalOutcome {}

  /** For this nonce no transfer of the spend was signed that could be canceled. */
  record NothingToCancel() implements JournalOutcome {}

  /** A cancellation of the spend was signed for this nonce: its transfer is not signed again. */
  record Canceled() implements JournalOutcome {}

  /** The spend was signed for another nonce, or in another way. */
  record OtherPayment() implements JournalOutcome {}

  /** The same payload was first signed at {@code first}, which allows no such fees. */
  record FeeOutOfBounds(TransferIntent.Gas first) implements JournalOutcome {}

  /** A freeze holds the key. */
  record Frozen(FreezeScope scope, String why) implements JournalOutcome {}

  /** A ceiling would be broken. */
  record OverCeiling(String why) implements JournalOutcome {}

  /** It is above a line of the ceilings, and these groups have not signed. */
  record Unapproved(List<GroupThreshold> missing) implements JournalOutcome {}

  /** Somebody has shown that this journal once held more. */
  record Rewound() implements JournalOutcome {}

  /** The disk refused; nothing may be signed. */
  record NotDurable(IOException cause) implements JournalOutcome {}
}
