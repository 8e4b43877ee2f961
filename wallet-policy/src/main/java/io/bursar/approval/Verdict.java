package io.bursar.approval;

import java.util.Locale;

/** What an approver says. */
public enum Verdict {
  APPROVE,
  REJECT;

  public String text() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * The verdict that a text names.
   *
   * @throws IllegalArgumentException with a message for the client if it names none
   */
  public static Verdict parse(String text) {
    return switch (text) {
      case "approve" -> APPROVE;
      case "reject" -> REJECT;
      default -> throw new IllegalArgumentException("must be `approve` or `reject`");
    };
  }

  /** The other one. */
  public Verdict other() {
    return this == APPROVE ? REJECT : APPROVE;
  }
}
