package io.bursar.verify;

/** Looks at an entry whose place in the log is right. */
@FunctionalInterface
interface EntryCheck {
  /**
   * Looks at one entry.
   *
   * @param index of the entry, from 0
   * @return whether it was an authorization that was decided again
   * @throws BadLog if the entry is not what it must be
   */
  boolean check(long index, byte[] entry) throws BadLog;

  /** How many authorizations could not be decided again here. */
  default long undecided() {
    return 0;
  }

  /** Asks nothing: the entries may be anything. */
  EntryCheck NONE = (index, entry) -> false;
}
