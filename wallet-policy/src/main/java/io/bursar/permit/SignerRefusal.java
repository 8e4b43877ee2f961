package io.bursar.permit;

import java.util.Arrays;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;

/** Why the signer did not do what it was asked. Names and numbers are stable: they are on the wire and in alerts. */
public enum SignerRefusal {
  /** The frame is not one that the signer knows: its length, version, type or fields. */
  BAD_FRAME(1, Remedy.STOP),
  /** The permit's signature is not by the permit key that the signer was set up with. */
  BAD_PERMIT_SIGNATURE(2, Remedy.STOP),
  /** The permit is signed, but its bytes are no permit. */
  BAD_PERMIT(3, Remedy.STOP),
  /** The permit's time is over. */
  PERMIT_EXPIRED(4, Remedy.NEW_PERMIT),
  /** The permit's time has not come; the two clocks disagree. */
  PERMIT_NOT_YET_VALID(5, Remedy.NEW_PERMIT),
  /** The permit was used before. */
  PERMIT_REUSED(6, Remedy.NEW_PERMIT),
  /** The intent is not the one that the permit names, or belongs to another spend. */
  INTENT_MISMATCH(7, Remedy.STOP),
  /** The permit names these bytes, but they are no intent. */
  BAD_INTENT(8, Remedy.STOP),
  /** The signer has no key of this id. */
  UNKNOWN_KEY(9, Remedy.STOP),
  /** The key belongs to another tenant. */
  WRONG_TENANT(10, Remedy.STOP),
  /** The intent's sender is not the address of its key. */
  WRONG_FROM_ADDRESS(11, Remedy.STOP),
  /** Another transfer was signed for this chain, key and nonce. */
  NONCE_CONFLICT(12, Remedy.STOP),
  /** The same transfer was signed for this nonce at a fee that this one undercuts, or exceeds by too much. */
  FEE_OUT_OF_BOUNDS(13, Remedy.STOP),
  /** The key id to be created is taken by another tenant. */
  KEY_EXISTS(14, Remedy.STOP),
  /** The signer holds as many keys as it may. */
  KEY_LIMIT_REACHED(15, Remedy.STOP),
  /** The key's file does not open: damaged, moved from elsewhere, or sealed under another key encryption key. */
  KEY_UNREADABLE(16, Remedy.STOP),
  /** All connections are taken. */
  BUSY(17, Remedy.RETRY),
  /** The signer cannot make its journal or key files durable, or is stopping. Nothing was signed. */
  UNAVAILABLE(18, Remedy.RETRY),
  /** There is no evidence, or it does not show, that the authorization is in the tenant's log. */
  NOT_LOGGED(40, Remedy.STOP),
  /** The authorization in the log says something else than the permit and the intent do, or does not allow the spend. */
  AUTHORIZATION_MISMATCH(41, Remedy.STOP),
  /** The head to be signed contradicts the one that was signed last: the log was rewritten. */
  LOG_FORKED(42, Remedy.STOP),
  /** Fewer approvers have signed for the spend than its decision, or the signer's own line, asks. */
  APPROVALS_MISSING(50, Remedy.STOP),
  /** What is given as an approval is not one of exactly this spend, by a key that the signer knows. */
  APPROVAL_INVALID(51, Remedy.STOP),
  /** The order is not signed by enough root keys, or is not the one that it is given for, or was obeyed before. */
  ORDER_REFUSED(52, Remedy.STOP),
  /** The key is frozen, or its tenant, or all are. */
  KEY_FROZEN(53, Remedy.STOP),
  /** The transfer would break a ceiling that the signer itself keeps. */
  OVER_CEILING(54, Remedy.STOP),
  /** The spend was signed for another nonce, where it may still be paid. */
  SPEND_CONFLICT(55, Remedy.STOP),
  /** The journal does not hold what it once held: it was lost, or put back to an older copy. */
  JOURNAL_REWOUND(56, Remedy.STOP),
  /** The freeze is not lifted by who asks, but by an order where there is a root set, and otherwise by the operator. */
  NOT_LIFTED(57, Remedy.STOP);

  /** What a caller can do about a refusal. */
  public enum Remedy {
    /** Ask again a little later; a request to sign needs a new permit even so. */
    RETRY,
    /** Ask again with a new permit for the same intent. */
    NEW_PERMIT,
    /** Do not ask again: something is wrong that a person must look at. */
    STOP
  }

  private static final Map<Integer, SignerRefusal> BY_CODE = Arrays.stream(values())
      .collect(Collectors.toUnmodifiableMap(SignerRefusal::code, Function.identity()));

  private final int code;
  private final Remedy remedy;

  SignerRefusal(int code, Remedy remedy) {
    this.code = code;
    this.remedy = remedy;
  }

  /** The number on the wire, 1 to 255. */
  public int code() {
    return code;
  }

  public Remedy remedy() {
    return remedy;
  }

  static SignerRefusal ofCode(int code) {
    var refusal = BY_CODE.get(code);
    if (refusal == null) {
      throw new IllegalArgumentException("no refusal has the code " + code);
    }
    return refusal;
  }
}
