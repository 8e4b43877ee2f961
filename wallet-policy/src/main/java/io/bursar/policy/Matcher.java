package io.bursar.policy;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

import org.jspecify.annotations.Nullable;

import io.bursar.money.Asset;
import io.bursar.spend.SpendFacts;

/** A {@link Match} made ready for many requests. */
final class Matcher {
  enum Result {
    NO,
    YES,
    /** Everything else holds, but the request lacks what the match asks about. */
    LACKING,
    /** Everything else holds or is lacking, but nobody knows the set that the match names. */
    UNKNOWN_SET
  }

  private final Match match;

  /** Bounds of the amount in parts of 10^-18, both inclusive. */
  private final @Nullable BigInteger least;
  private final @Nullable BigInteger most;

  private final Set<String> hosts = new HashSet<>();
  private final List<String> hostEndings = new ArrayList<>();

  Matcher(Match match) {
    this.match = match;
    var amount = match.amount();
    this.least = amount == null ? null : least(amount);
    this.most = amount == null || amount.to() == null ? null : parts(amount.to(), RoundingMode.FLOOR);
    if (match.hosts() != null) {
      for (var host : match.hosts()) {
        if (host.startsWith("*.")) {
          hostEndings.add(host.substring(1));
        } else {
          hosts.add(host);
        }
      }
    }
  }

  /** Parts of 10^-18 of a number of units. */
  static BigInteger parts(BigDecimal units, RoundingMode rounding) {
    return units.setScale(Asset.DECIMALS_MAX, rounding).unscaledValue();
  }

  private static @Nullable BigInteger least(Match.AmountRange amount) {
    var from = amount.from() == null ? null : parts(amount.from(), RoundingMode.CEILING);
    var above = amount.above() == null ? null : parts(amount.above(), RoundingMode.FLOOR).add(BigInteger.ONE);
    return from == null ? above : above == null ? from : from.max(above);
  }

  /** Whether a spend of an amount, given in parts of 10^-18, is taken in. */
  Result matches(SpendFacts facts, BigInteger parts) {
    return takesAmount(parts) ? matchesApartFromAmount(facts) : Result.NO;
  }

  boolean takesAmount(BigInteger parts) {
    return (least == null || parts.compareTo(least) >= 0) && (most == null || parts.compareTo(most) <= 0);
  }

  Result matchesApartFromAmount(SpendFacts facts) {
    if (!has(match.assets(), facts.asset().symbol())
        || (match.currency() != null && !match.currency().equals(facts.asset().currency()))
        || !has(match.chains(), facts.asset().chain())
        || !has(match.methods(), facts.method())
        || !has(match.wallets(), facts.walletId())
        || !has(match.agents(), facts.agentId())
        || (match.payees() != null && match.payees().addresses().contains(facts.payee()) != match.payees().listed()
            && match.payees().known())) {
      return Result.NO;
    }
    var host = facts.host();
    var category = facts.category();
    if ((match.hosts() != null && host != null && !takesHost(host))
        || (match.categories() != null && category != null && !match.categories().contains(category))) {
      return Result.NO;
    }
    if (match.payees() != null && !match.payees().known()) {
      return Result.UNKNOWN_SET;
    }
    boolean lacking = (match.hosts() != null && host == null) || (match.categories() != null && category == null);
    return lacking ? Result.LACKING : Result.YES;
  }

  private static <T> boolean has(@Nullable Set<T> set, T value) {
    return set == null || set.contains(value);
  }

  private boolean takesHost(String host) {
    if (hosts.contains(host)) {
      return true;
    }
    for (int i = 0; i < hostEndings.size(); i++) {
      var ending = hostEndings.get(i);
      if (host.length() > ending.length() && host.endsWith(ending)) {
        return true;
      }
    }
    return false;
  }

  /** The least base units of an asset that the amount range takes in; at least 1. */
  BigInteger leastBaseUnits(Asset asset) {
    return least == null ? BigInteger.ONE : ceiling(least, Counter.partsPerBaseUnit(asset)).max(BigInteger.ONE);
  }

  /** The most base units of an asset that the amount range takes in; {@code unbounded} where it has no end. */
  BigInteger mostBaseUnits(Asset asset, BigInteger unbounded) {
    return most == null ? unbounded : most.divide(Counter.partsPerBaseUnit(asset)).min(unbounded);
  }

  /** Division of a number that is not negative, rounded up. */
  static BigInteger ceiling(BigInteger dividend, BigInteger divisor) {
    var result = dividend.divideAndRemainder(divisor);
    return result[1].signum() == 0 ? result[0] : result[0].add(BigInteger.ONE);
  }
}
