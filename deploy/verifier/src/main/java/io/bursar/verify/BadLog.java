package io.bursar.verify;

/** Something in a log is wrong: what its operator signed is not what is there. The message names the first thing found. */
public final class BadLog extends Exception {
  private final long entry;

  /**
   * @param entry index of the first bad entry, from 0; −1 where no single entry is to blame
   * @param message what is wrong, and where
   */
  BadLog(long entry, String message) {
    super(message);
    this.entry = entry;
  }

  /** Index of the first bad entry, from 0; −1 where no single entry is to blame. */
  public long entry() {
    return entry;
  }
}
