package io.bursar.verify;

import java.io.IOException;

/** Looks at an entry whose place in the log is right. */
@FunctionalInterface
interface EntryCheck {
  /** What came of looking at an entry that is not bad. */
  enum Outcome {
    /** It is no authorization, or was looked at before. */
    NOTHING_TO_DECIDE,
    /** It was decided again, alike. */
    DECIDED,
    /** It cannot be decided again from here. */
    UNDECIDED
  }

  /**
   * Looks at one entry.
   *
   * @param index of the entry, from 0
   * @throws BadLog if the entry is not what it must be
   * @throws IOException if what the entry rests on cannot be read, so that nothing is known
   */
  Outcome check(long index, byte[] entry) throws BadLog, IOException;

  /** Asks nothing: the entries may be anything. */
  EntryCheck NONE = (index, entry) -> Outcome.NOTHING_TO_DECIDE;
}
