package io.bursar.store.log;

/** The log cannot say anything just now: its signer does not answer, others hold its lease for long, or it is stopped. */
public final class LogUnavailable extends Exception {
  private static final long serialVersionUID = 1;

  private final boolean stopped;

  private LogUnavailable(String message, boolean stopped, Throwable cause) {
    super(message, cause);
    this.stopped = stopped;
  }

  /** It will pass by itself. */
  public static LogUnavailable forNow(String message, Throwable cause) {
    return new LogUnavailable(message, false, cause);
  }

  /** Nothing goes on until a person has acted. */
  static LogUnavailable stopped(String why) {
    return new LogUnavailable("the log is stopped: " + why, true, new IllegalStateException(why));
  }

  public boolean isStopped() {
    return stopped;
  }
}
