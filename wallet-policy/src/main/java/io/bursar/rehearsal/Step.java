package io.bursar.rehearsal;

import java.math.BigDecimal;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalTime;
import java.util.List;
import java.util.Optional;

import org.jspecify.annotations.Nullable;

import io.bursar.spend.SpendText;

/** What one line of a ledger says. */
sealed interface Step {
  /** The number of the line in its file, from 1. */
  int line();

  When when();

  /** When it happens. */
  sealed interface When {
    /** By the clocks of UTC on the first day. */
    record OfFirstDay(LocalTime time) implements When {}

    record At(Instant time) implements When {}

    /** So long after the line before. */
    record After(Duration time) implements When {}
  }

  /**
   * A request to spend.
   *
   * @param asset its symbol; absent for the first asset of the ledger
   * @param chain absent for the first chain that has the asset
   * @param text the agent's own words
   * @param label by which later lines call this spend
   */
  record Spend(int line, When when, BigDecimal amount, Optional<String> asset, Optional<String> chain, String payee,
      String agent, String wallet, @Nullable String host, @Nullable String category, SpendText text,
      Optional<String> label,
      Expected expected) implements Step {}

  /** All groups that were asked have approved a spend, which is then decided again. */
  record Approve(int line, When when, String label, Expected expected) implements Step {}

  /** An approver has said no. */
  record Reject(int line, When when, String label) implements Step {}

  /** A spend was canceled or failed; what it held is given back. */
  record GiveBack(int line, When when, String label) implements Step {}

  /** A wallet is frozen or not any more. */
  record Freeze(int line, When when, String wallet, boolean frozen) implements Step {}

  /** An agent is suspended or not any more. */
  record Suspend(int line, When when, String agent, boolean suspended) implements Step {}

  /**
   * What must be decided.
   *
   * @param effect {@code allow}, {@code deny}, {@code approval}, or {@code expired} for an approval that comes too late
   * @param codes exactly these reasons, the most important first; none for any
   * @param max the {@code maxAmountNow} of the answer, or {@code none}
   * @param retry the {@code retryAt} of the answer as a time, or {@code never}
   */
  record Expected(String effect, List<String> codes, Optional<String> max, Optional<String> retry) {
    public Expected {
      codes = List.copyOf(codes);
    }

    @Override
    public String toString() {
      return effect + (codes.isEmpty() ? "" : " " + String.join(" ", codes))
          + max.map(amount -> " max " + amount).orElse("") + retry.map(time -> " retry " + time).orElse("");
    }
  }
}
