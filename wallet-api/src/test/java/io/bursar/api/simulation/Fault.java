package io.bursar.api.simulation;

import java.util.Locale;

/** What goes wrong in a simulated world. */
enum Fault {
  /** A process of the service is gone between two steps, before or after any effect. */
  PROCESS_KILLED,
  /** A statement or transaction fails, and nothing of it is there. */
  DATABASE_FAILED,
  /** A transaction is committed, and whoever asked for it is told that the connection is lost. */
  DATABASE_ANSWER_LOST,
  /** The signer ends, whatever it was asked, and is started again at once or later. */
  SIGNER_RESTARTED,
  /** The signer has signed, and the answer does not arrive. */
  SIGNER_ANSWER_LOST,
  /** The node fails before or after doing what it was asked, with a status, with garbage, or with another's answer. */
  NODE_FAILED,
  /** The node answers for a moment that is past: an old head, an old count, a receipt not there yet. */
  NODE_STALE,
  /** The node says what is not true: known, too low a nonce, refused, or a receipt without its event. */
  NODE_LIED,
  /** For a while the node answers nothing. */
  NODE_AWAY,
  /** The newest blocks are replaced. */
  REORGANIZED,
  /** A transaction of a block that was replaced is in no pool any more, or one was thrown out of the pool. */
  DROPPED,
  /** For a while gas costs more than may be offered. */
  FEE_SPIKE,
  /** All wall clocks are set forward by up to an hour, or back. */
  CLOCK_JUMPED,
  /** Somebody else pays from the wallet: its key has leaked. */
  FOREIGN_TRANSACTION;

  String text() {
    return name().toLowerCase(Locale.ROOT).replace('_', ' ');
  }
}
