package io.bursar.policy;

import java.math.BigDecimal;
import java.time.Duration;
import java.util.List;
import java.util.Set;

import org.jspecify.annotations.Nullable;

/** One rule of a policy. Only a {@link Permit} grants; the others only restrict. */
public sealed interface Rule {
  String id();

  Match match();

  Schedule schedule();

  /** The condition under which it speaks; null for one that always does. */
  @Nullable
  When when();

  /**
   * When a rule is in effect: within {@code active} if it is given, and outside {@code unless} if it is given.
   */
  record Schedule(@Nullable TimeSpan active, @Nullable TimeSpan unless) {
    public static final Schedule ALWAYS = new Schedule(null, null);
  }

  /** Grants what it matches. */
  record Permit(String id, Match match, Schedule schedule, @Nullable When when) implements Rule {
    /** One without a condition. */
    public Permit(String id, Match match, Schedule schedule) {
      this(id, match, schedule, null);
    }
  }

  /** Denies what it matches. */
  record Deny(String id, Match match, Schedule schedule, @Nullable When when) implements Rule {
    /** One without a condition. */
    public Deny(String id, Match match, Schedule schedule) {
      this(id, match, schedule, null);
    }
  }

  /**
   * Denies what would bring the spends that it matches above a maximum, or one spend below a minimum.
   *
   * @param min the least of one spend, in units of the asset or currency
   * @param max the most that all spends of the window may come to, in units of the asset or currency, inclusive
   * @param maxCount the most spends in the window, inclusive
   * @param per what the count is kept apart by; empty for the entity that the policy is attached to
   */
  record Limit(String id, Match match, Schedule schedule, @Nullable BigDecimal min, @Nullable BigDecimal max,
      @Nullable Long maxCount,
      Window window, Set<Counter.Dimension> per, @Nullable When when) implements Rule {
    public Limit {
      per = Set.copyOf(per);
    }

    /** One without a condition. */
    public Limit(String id, Match match, Schedule schedule, @Nullable BigDecimal min, @Nullable BigDecimal max,
        @Nullable Long maxCount, Window window, Set<Counter.Dimension> per) {
      this(id, match, schedule, min, max, maxCount, window, per, null);
    }
  }

  /**
   * Turns an allow into one that waits for people.
   *
   * @param groups all of them must reach their threshold
   * @param expiresAfter how long approvers have, 1 minute to 30 days
   * @param delay how long the spend still waits once they have approved, up to 30 days; zero for not at all
   */
  record Approval(String id, Match match, Schedule schedule, List<GroupThreshold> groups, Duration expiresAfter,
      Duration delay, @Nullable When when) implements Rule {
    public Approval {
      groups = List.copyOf(groups);
    }

    /** One without a condition that does not wait any longer when it has been approved. */
    public Approval(String id, Match match, Schedule schedule, List<GroupThreshold> groups, Duration expiresAfter) {
      this(id, match, schedule, groups, expiresAfter, Duration.ZERO, null);
    }
  }

  /**
   * How many different members of a group must approve.
   *
   * @param group the group's name
   * @param threshold 1 to 100
   */
  record GroupThreshold(String group, int threshold) {}
}
