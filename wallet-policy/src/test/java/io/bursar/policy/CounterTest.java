package io.bursar.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.Duration;
import java.time.ZoneId;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.UUID;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

import io.bursar.policy.Counter.Dimension;
import io.bursar.policy.Counter.Unit;
import io.bursar.spend.Id;
import io.bursar.spend.SpendFacts;

class CounterTest {
  /** What is stored under these must be found again by every later version: these values can never change. */
  @Test
  void identifiersAndKeysAreWhatTheyHaveAlwaysBeen() {
    var usdc = Counter.of(match(Set.of("USDC"), null), EnumSet.of(Dimension.WALLET), Unit.AMOUNT, Optional.empty());
    var usd = Counter.of(match(null, "USD"), EnumSet.of(Dimension.TENANT, Dimension.PAYEE), Unit.AMOUNT,
        Optional.of(new Window.Calendar(Window.Calendar.Unit.DAY, ZoneId.of("Europe/Berlin"))));
    var all = Counter.of(Match.ALL, EnumSet.allOf(Dimension.class), Unit.NONE, Optional.of(new Window.Lifetime()));

    assertThat(List.of(usdc.id(), usd.id(), all.id())).containsExactly(
        "61c998d6a4ac953bdd8f98302c846d27e69c80380431f79798279dec91383e20",
        "e69e23412a13153311b766757a75a517c218da04fa9a98da8a7a3e06850c126b",
        "f1167cff0fc6b27cc7c9a4df15abb8db39ca59005c5a875d5db045b467aadec1");
    assertThat(List.of(usdc.key(facts(1, 1)), usd.key(facts(1, 1)), all.key(facts(1, 1)))).containsExactly(
        -2915938422335755418L, 3880716957893608738L, -6561557269115756386L);
  }

  @Test
  void equalMatchesHaveEqualCountersHoweverTheyWereWritten() {
    var first = match(new LinkedHashSet<>(List.of("USDC", "DAI")), "USD", new BigDecimal("5"));
    var second = match(new LinkedHashSet<>(List.of("DAI", "USDC")), "USD", new BigDecimal("5.00"));

    assertThat(counter(first)).isEqualTo(counter(second)).hasSameHashCodeAs(counter(second));
  }

  @Test
  void whatIsCountedDifferentlyHasAnotherCounter() {
    var day = new Window.Calendar(Window.Calendar.Unit.DAY, ZoneId.of("UTC"));
    var counters = List.of(counter(match(Set.of("USDC"), null)), counter(match(Set.of("DAI"), null)),
        counter(match(Set.of("USDC"), "USD")), counter(match(Set.of("USDC"), null, BigDecimal.ONE)), counter(Match.ALL),
        Counter.of(Match.ALL, Set.of(Dimension.AGENT), Unit.AMOUNT, Optional.empty()),
        Counter.of(Match.ALL, Set.of(Dimension.AGENT, Dimension.WALLET), Unit.AMOUNT, Optional.empty()),
        Counter.of(Match.ALL, Set.of(Dimension.WALLET), Unit.NONE, Optional.empty()),
        Counter.of(Match.ALL, Set.of(Dimension.WALLET), Unit.AMOUNT, Optional.of(day)),
        Counter.of(Match.ALL, Set.of(Dimension.WALLET), Unit.AMOUNT, Optional.of(new Window.Lifetime())),
        Counter.of(Match.ALL, Set.of(Dimension.WALLET), Unit.AMOUNT,
            Optional.of(new Window.Calendar(Window.Calendar.Unit.DAY, ZoneId.of("Europe/Berlin")))));

    assertThat(new HashSet<>(counters)).hasSameSizeAs(counters);
  }

  @Test
  void rollingWindowsOfAnyLengthShareACounter() {
    var policy = Scenario.policy(
        "{'id': 'day', 'kind': 'limit', 'match': {'assets': ['USDC']}, 'max': '1', 'window': {'rolling': 'P1D'}}",
        "{'id': 'week', 'kind': 'limit', 'match': {'assets': ['USDC']}, 'max': '9', 'window': {'rolling': 'P7D'}}");

    assertThat(PolicyEngine.counted(policy, Policy.Target.WALLET)).extracting(PolicyEngine.Counted::counter)
        .allMatch(counter(match(Set.of("USDC"), null))::equals).hasSize(2);
    assertThat(PolicyEngine.counted(policy, Policy.Target.WALLET)).extracting(PolicyEngine.Counted::window)
        .containsExactly(new Window.Rolling(Duration.ofHours(24)), new Window.Rolling(Duration.ofDays(7)));
  }

  @Test
  void walletsMadeInTheSameMomentNeverShareAKey() {
    var counter = counter(Match.ALL);
    var random = new Random(20261123);
    Set<Long> keys = new HashSet<>();
    for (int micros = 0; micros < 200; micros++) {
      long noise = random.nextLong();
      for (int i = 0; i < 1_000; i++) {
        keys.add(counter
            .key(facts(Id.version7(1_795_000_000_000_000L + micros, i, i % 2 == 0 ? 0 : noise), Scenario.agent(1))));
      }
    }
    for (int i = 1; i <= 100_000; i++) {
      keys.add(counter.key(facts(new UUID(i, 0), Scenario.agent(1))));
      keys.add(counter.key(facts(new UUID(0, i), Scenario.agent(1))));
    }

    assertThat(keys).hasSize(400_000);
  }

  @Test
  void walletAndAgentOfTheSameNumberAreApart() {
    var id = Scenario.wallet(1);
    var facts = facts(id, id);

    assertThat(Counter.of(Match.ALL, Set.of(Dimension.WALLET), Unit.NONE, Optional.empty()).key(facts))
        .isNotEqualTo(Counter.of(Match.ALL, Set.of(Dimension.AGENT), Unit.NONE, Optional.empty()).key(facts));
  }

  @Test
  void weighsInPartsOfAUnitWhateverTheDecimals() {
    var counter = counter(Match.ALL);

    assertThat(counter.weight(facts(1, 1))).isEqualTo(BigInteger.TEN.pow(18));
    assertThat(counter.counts(facts(1, 1))).isTrue();
    assertThat(counter(match(Set.of("DAI"), null)).counts(facts(1, 1))).isFalse();
    assertThat(Counter.of(Match.ALL, Set.of(Dimension.WALLET), Unit.NONE, Optional.empty()).weight(facts(1, 1)))
        .isZero();
  }

  @Test
  void isAlwaysKeptPerSomething() {
    assertThatThrownBy(() -> Counter.of(Match.ALL, Set.of(), Unit.NONE, Optional.empty()))
        .isInstanceOf(IllegalArgumentException.class);
  }

  private static Counter counter(Match match) {
    return Counter.of(match, Set.of(Dimension.WALLET), Unit.AMOUNT, Optional.empty());
  }

  private static Match match(@Nullable Set<String> assets, @Nullable String currency) {
    return new Match(assets, currency, null, null, null, null, null, null, null, null);
  }

  private static Match match(Set<String> assets, @Nullable String currency, BigDecimal above) {
    return new Match(assets, currency, null, null, new Match.AmountRange(null, null, above), null, null, null, null,
        null);
  }

  private static SpendFacts facts(int agent, int wallet) {
    return facts(Scenario.wallet(wallet), Scenario.agent(agent));
  }

  private static SpendFacts facts(UUID wallet, UUID agent) {
    return new SpendFacts(Scenario.TENANT, agent, wallet, Scenario.asset(Scenario.CHAIN, "USDC"),
        BigInteger.valueOf(1_000_000), Scenario.payee("A"), SpendFacts.TRANSFER, "data", "api.example.com", false,
        false);
  }
}
