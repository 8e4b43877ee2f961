package io.bursar.policy;

import java.math.BigInteger;
import java.util.Collections;
import java.util.Optional;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;

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
    TENANT, AGENT, WALLET, PAYEE, HOST, CATEGORY
  }

  /** What is summed beside the number of spends. */
  public enum Unit {
    /** Nothing: only spends are counted. */
    NONE,
    /** Base units of one asset. */
    ASSET,
    /** 10^-18 parts of a currency, over all its assets. */
    CURRENCY
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
   * The value by which this spend's count is kept apart: eight bytes of a SHA-256 over the values of {@code per}. Two values
   * that collide share a count, which can only make a limit stricter.
   */
  public long key(SpendFacts facts) {
    var text = new StringBuilder(80);
    for (var dimension : per) {
      text.append(dimension.name()).append('=').append(value(dimension, facts)).append('\n');
    }
    return Digests.first8(text.toString());
  }

  private static String value(Dimension dimension, SpendFacts facts) {
    return switch (dimension) {
      case TENANT -> facts.tenantId().toString();
      case AGENT -> facts.agentId().toString();
      case WALLET -> facts.walletId().toString();
      case PAYEE -> facts.payee().toString();
      case HOST -> facts.host() == null ? "" : facts.host();
      case CATEGORY -> facts.category() == null ? "" : facts.category();
    };
  }

  /** What one spend adds to the sum: its base units, its parts of the currency, or nothing. */
  public BigInteger weight(SpendFacts facts) {
    return weight(facts.asset(), facts.amount());
  }

  BigInteger weight(Asset asset, BigInteger amount) {
    return switch (unit) {
      case NONE -> BigInteger.ZERO;
      case ASSET -> amount;
      case CURRENCY ->
        amount.multiply(BigInteger.TEN.pow(Asset.DECIMALS_MAX - asset.decimals()));
    };
  }
}
