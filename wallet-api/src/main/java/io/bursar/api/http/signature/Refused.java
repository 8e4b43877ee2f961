package io.bursar.api.http.signature;

/** A request is not signed as it must be. The message is for the client: what is wrong, and what to do. */
public final class Refused extends Exception {
  /** What is wrong, in kind. */
  public enum Why {
    /** There is no signature. */
    MISSING,
    /** It cannot be read, does not cover what it must, or is of something else. */
    INVALID,
    /** It is of another time. */
    STALE
  }

  private final Why why;

  Refused(Why why, String message) {
    super(message, null, false, false);
    this.why = why;
  }

  static Refused invalid(String message) {
    return new Refused(Why.INVALID, message);
  }

  public Why why() {
    return why;
  }
}
