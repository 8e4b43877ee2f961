package io.bursar.policy;

import java.math.BigInteger;
import java.util.Collections;
import java.util.Optional;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.money.Asset;
import io.bursar.spend.SpendFacts;

/**
 * What a limit counts, apart from how much it lets through: every spend that {@code match} takes in, apart for each
 * different value of {@code per}. Limits that count the same thing have equal counters and share their slots, and a new
 * version of a policy that changes only a maximum goes on from the same counts.
 *
 * @param id a stable identifier of what is counted: SHA-256 over a canonical description of the rest, in hexadecimal
 * @param match which spends count
 * @param per what the count is kept apart by; never empty
 * @param unit what is summed
 * @param period the calendar or lifetime window whose periods are counted; empty for a rolling window, whose slots fit any
 *        length
 */
public record Counter(String id, Match match, SortedSet<Dimension> per, Unit unit, Optional<Window> period) {
  /** What a count can be kept apart by. */
  public enum Dimension {
    TENANT(1),
    AGENT(2),
    WALLET(3),
    PAYEE(4),
    HOST(5),
    CATEGORY(6);

    /** Part of every stored key. */
    private final int number;

    Dimension(int number) {
      this.number = number;
    }
  }

  /** What is summed beside the number of spends. */
  public enum Unit {
    /** Nothing: only spends are counted. */
    NONE,
    /**
     * Parts of 10^-18 of a unit of the asset or currency. Base units would not do even for one asset: its symbol may stand
     * for contracts on several chains with different decimals.
     */
    AMOUNT
  }

  public Counter {
    per = Collections.unmodifiableSortedSet(new TreeSet<>(per));
    if (per.isEmpty()) {
      throw new IllegalArgumentException("a counter is kept per something");
    }
  }

  public static Counter of(Match match, Set<Dimension> per, Unit unit, Optional<Window> period) {
    var sorted = new TreeSet<>(per);
    var description = Json.object().put("match", PolicyJson.write(match))
        .put("per", Json.strings(sorted.stream().map(Dimension::name).toList())).put("unit", unit.name())
        .put("period", period.map(PolicyJson::write).orElse(null)).build();
    return new Counter(Digests.hex(JsonText.canonical(description)), match, sorted, unit, period);
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof Counter counter && id.equals(counter.id);
  }

  @Override
  public int hashCode() {
    return id.hashCode();
  }

  /**
   * The value by which this spend's count is kept apart. Starting from zero, each dimension of {@code per}, in the order of
   * {@link Dimension}, is folded in: {@code h = mix(h + n · 0x9e3779b97f4a7c15)} with its number {@code n} (1 to 6), then an
   * identifier by {@code h = mix(h ^ high)} and {@code h = mix(h ^ low)}, or a payee, host or category by
   * {@code h = mix(h ^ x)} with {@code x} the first eight bytes of the SHA-256 of its text (EIP-55 for a payee, empty for an
   * absent host or category). {@code mix} is the finalizer of SplitMix64, a bijection: two identifiers made in the same
   * microsecond never meet. Two values that meet by chance share a count, which can only make a limit stricter. Stored
   * counts are found again by this value: it can never change.
   *
   * @see <a href="https://doi.org/10.1145/2714064.2660195">Steele, Lea, Flood: Fast splittable pseudorandom number
   *     generators</a>
   */
  public long key(SpendFacts facts) {
    long h = 0;
    for (var dimension : per) {
      h = mix(h + dimension.number * 0x9e3779b97f4a7c15L);
      h = switch (dimension) {
        case TENANT -> mix(h, facts.tenantId());
        case AGENT -> mix(h, facts.agentId());
        case WALLET -> mix(h, facts.walletId());
        case PAYEE -> mix(h ^ Digests.first8(facts.payee().toString()));
        case HOST -> mix(h ^ Digests.first8(facts.host() == null ? "" : facts.host()));
        case CATEGORY -> mix(h ^ Digests.first8(facts.category() == null ? "" : facts.category()));
      };
    }
    return h;
  }

  private static long mix(long h, UUID id) {
    return mix(mix(h ^ id.getMostSignificantBits()) ^ id.getLeastSignificantBits());
  }

  private static long mix(long z) {
    z = (z ^ z >>> 30) * 0xbf58476d1ce4e5b9L;
    z = (z ^ z >>> 27) * 0x94d049bb133111ebL;
    return z ^ z >>> 31;
  }

  /** Whether a spend is counted, whatever a limit would say of it. */
  public boolean counts(SpendFacts facts) {
    return new Matcher(match).matches(facts, parts(facts.asset(), facts.amount())) != Matcher.Result.NO;
  }

  /** What one spend adds to the sum: its parts of 10^-18, below 2^316, or nothing. */
  public BigInteger weight(SpendFacts facts) {
    return switch (unit) {
      case NONE -> BigInteger.ZERO;
      case AMOUNT -> parts(facts.asset(), facts.amount());
    };
  }

  /** Base units of an asset as parts of 10^-18 of its unit. */
  static BigInteger parts(Asset asset, BigInteger baseUnits) {
    return baseUnits.multiply(PARTS[asset.decimals()]);
  }

  /** How many parts of 10^-18 one base unit is, by the decimals of the asset. */
  static BigInteger partsPerBaseUnit(Asset asset) {
    return PARTS[asset.decimals()];
  }

  private static final BigInteger[] PARTS = new BigInteger[Asset.DECIMALS_MAX + 1];

  static {
    for (int decimals = 0; decimals < PARTS.length; decimals++) {
      PARTS[decimals] = BigInteger.TEN.pow(Asset.DECIMALS_MAX - decimals);
    }
  }
}
