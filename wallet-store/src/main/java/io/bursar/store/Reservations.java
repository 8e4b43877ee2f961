package io.bursar.store;

import java.util.UUID;

/**
 * What allowed and pending spends hold against the limits that count them. A reservation is given back only before a
 * signature exists, or after the chain has proved that the signature can no longer take effect.
 */
public final class Reservations {
  /** How much of a reservation goes back. */
  public enum GiveBack {
    /** Nothing was or will be paid: amount and count. */
    ALL,
    /** It was tried on the chain and failed there: the amount, but not the count. */
    AMOUNT
  }

  private final Database database;

  public Reservations(Database database) {
    this.database = database;
  }

  /**
   * Takes a spend out of every counter that counts it, at the time it was charged. Call it in a transaction that holds the
   * lane by {@link AuditEntries#nextChanging} with {@code money}.
   */
  public void giveBack(AuditEntries.Slot slot, UUID spendId, GiveBack what) {
    throw new IllegalStateException(database + " " + slot + spendId + what);
  }
}
