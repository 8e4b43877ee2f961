package io.bursar.api.http;

/** Every error that a client can meet: a stable code, its HTTP status and its title. */
public enum ProblemCode {
  INVALID_REQUEST(400, "The request is not valid"),
  BODY_TOO_LARGE(400, "The body is too large"),
  MALFORMED_JSON(400,
      "The body is not strict JSON"),
  IDEMPOTENCY_KEY_REQUIRED(400, "An Idempotency-Key is required"),
  ASSET_NOT_REGISTERED(400,
      "The asset is not registered"),
  POLICY_REFUSED(400, "The policy is not valid"),
  UNAUTHENTICATED(401,
      "A valid API key is required"),
  REQUEST_SIGNATURE_REQUIRED(401, "The request must be signed"),
  REQUEST_SIGNATURE_INVALID(401, "The signature is not of this request"),
  REQUEST_SIGNATURE_STALE(401, "The signature is not of this time"),
  REQUEST_SIGNATURE_USED(401, "The signature was used already"),
  FORBIDDEN(403, "The key may not do this"),
  APPROVER_NOT_ASKED(403, "The approver is not asked"),
  INITIATOR_MAY_NOT_APPROVE(403, "Nobody approves what is asked for in its own name"),
  APPROVER_HAS_NO_KEY(403, "The approver has no key to sign with"),
  SIGNATURE_REQUIRED(403, "The approver must sign"),
  SIGNATURE_INVALID(403, "The signature is not of this text"),
  PASSKEY_COUNTER_BEHIND(403, "The passkey may have been copied"),
  SIGNATURE_OF_ANOTHER_SPEND(403, "The signature is of another spend"),
  APPROVAL_TEXT_ALTERED(403, "The text that was signed is not this spend's"),
  NOT_FOUND(404,
      "There is no such thing"),
  METHOD_NOT_ALLOWED(405, "The method is not possible here"),
  NOT_ACCEPTABLE(406,
      "The answer is JSON"),
  REQUEST_TIMEOUT(408, "The request did not arrive in time"),
  CONFLICT(409, "The state does not allow this"),
  NAME_TAKEN(409,
      "The name is taken"),
  POLICY_NOT_PUBLISHED(409, "The policy version is not published"),
  NOT_AWAITING_APPROVAL(
      409, "The spend does not wait for approval"),
  ALREADY_SPOKEN(409,
      "The approver has spoken already"),
  APPROVAL_EXPIRED(409,
      "The time for approvals is over"),
  DISMISSED_BY_POLICY(409, "The policies in force have changed"),
  DISMISSED_BY_GROUP(409, "A group that is asked has changed"),
  DISMISSED_BY_DECISION(409, "Decided again, the spend needs others or more"),
  CHANGE_NOT_PENDING(409, "The change request does not wait"),
  PASSKEYS_NOT_SET_UP(409, "No passkeys are believed here"),
  KEY_TAKEN(409, "The key is or was somebody's"),
  NOT_CANCELABLE(409,
      "The spend can no longer be canceled"),
  KEY_NOT_IMPORTED(409, "The signer has not this key"),
  WALLET_NOT_ROTATED(409, "The wallet has no successor"),
  WALLET_NOT_EMPTY(409, "The wallet is not empty"),
  KEY_FROZEN(409, "The signer keeps the key frozen"),
  WALLET_ARCHIVED(409, "The wallet was replaced and put away"),
  UNSUPPORTED_MEDIA_TYPE(415,
      "The body must be JSON"),
  ANALYSIS_TOO_LARGE(422,
      "The policy is too large to be seen through"),
  IDEMPOTENCY_KEY_REUSED(422,
      "The Idempotency-Key was used for another request"),
  RATE_LIMITED(429,
      "Too many requests"),
  INTERNAL_ERROR(500,
      "Something went wrong here"),
  LANE_STOPPED(503, "Spending is stopped"),
  OVERLOADED(503,
      "Too much is waiting"),
  DATABASE_UNAVAILABLE(503,
      "The database cannot be reached"),
  LOG_UNAVAILABLE(503,
      "The log cannot be reached"),
  LOG_STOPPED(503,
      "The log is stopped, and with it all spending"),
  SIGNER_UNAVAILABLE(
      503,
      "The signer cannot be reached"),
  CHAIN_UNAVAILABLE(503,
      "The chain cannot be reached");

  private final int status;
  private final String title;

  ProblemCode(int status, String title) {
    this.status = status;
    this.title = title;
  }

  public int status() {
    return status;
  }

  public String title() {
    return title;
  }
}
