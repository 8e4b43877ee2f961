package io.bursar.policy;

import java.math.BigDecimal;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.money.Address;

/**
 * Which spends a rule looks at: all given parts must hold, an absent one (null) matches everything.
 *
 * @param assets symbols
 * @param currency the peg of the asset
 * @param chains CAIP-2 names
 * @param methods such as {@code transfer}
 * @param hosts exact, or {@code *.suffix} for what lies below a domain; lower case
 */
public record Match(@Nullable Set<String> assets, @Nullable String currency, @Nullable Set<String> chains,
    @Nullable Payees payees,
    @Nullable AmountRange amount, @Nullable Set<String> methods, @Nullable Set<String> hosts,
    @Nullable Set<String> categories,
    @Nullable Set<UUID> agents, @Nullable Set<UUID> wallets) {

  public Match {
    assets = copy(assets);
    chains = copy(chains);
    methods = copy(methods);
    hosts = copy(hosts);
    categories = copy(categories);
    agents = copy(agents);
    wallets = copy(wallets);
  }

  private static <T> @Nullable Set<T> copy(@Nullable Set<T> values) {
    return values == null ? null : Set.copyOf(values);
  }

  /** Matches every spend. */
  public static final Match ALL = new Match(null, null, null, null, null, null, null, null, null, null);

  /**
   * Whom the money goes to: one of a list ({@code in}), or anyone but those ({@code notIn}).
   *
   * @param addresses the list; that of the set where one is named
   * @param set the set that the policy names, as {@code name@version}; null for a list of its own
   * @param known whether the list is known; a rule that names a set which nobody knows cannot be evaluated
   */
  public record Payees(boolean listed, Set<Address> addresses, @Nullable String set, boolean known) {
    public Payees {
      // A named set is immutable already, and built for many values.
      addresses = set == null ? Set.copyOf(addresses) : addresses;
    }

    /** A list that stands in the policy itself. */
    public Payees(boolean listed, Set<Address> addresses) {
      this(listed, addresses, null, true);
    }

    /** A named set is told by its name alone: its version never changes, and it may be large. */
    @Override
    public boolean equals(@Nullable Object other) {
      return other instanceof Payees payees && listed == payees.listed && Objects.equals(set, payees.set)
          && (set != null || addresses.equals(payees.addresses));
    }

    @Override
    public int hashCode() {
      return Objects.hash(listed, set == null ? addresses : set);
    }
  }

  /**
   * A range of amounts in units of the asset: at least {@code from}, at most {@code to}, more than {@code above}.
   */
  public record AmountRange(@Nullable BigDecimal from, @Nullable BigDecimal to, @Nullable BigDecimal above) {}
}
