package io.bursar.policy;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import java.util.function.Supplier;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.money.Amount;
import io.bursar.money.Asset;
import io.bursar.spend.SpendFacts;
import io.bursar.spend.SpendText;

/** Random policies, requests and spends of the past, small enough to meet each other often; the same for the same seed. */
final class RandomWorld {
  static final Instant START = Instant.parse("2026-10-24T22:30:00Z"); // the clocks of Europe go back in the night after

  final Random random;
  final List<Policy.InForce> policies = new ArrayList<>();
  final LoggedCounters counters = new LoggedCounters();
  final List<NaiveInterpreter.Past> past = new ArrayList<>();
  private final boolean conditions;
  SpendFacts facts;
  Instant now = START;

  RandomWorld(long seed) {
    this(seed, false);
  }

  /** @param conditions whether rules have conditions, and some policies only observe */
  RandomWorld(long seed, boolean conditions) {
    this.conditions = conditions;
    random = new Random(seed);
    int layers = 1 + random.nextInt(3);
    for (int i = 0; i < layers; i++) {
      policies.add(inForce(i, rules()));
    }
    facts = facts();
    int spends = random.nextInt(30);
    for (int i = 0; i < spends; i++) {
      now = now.plusNanos(1000L * random.nextLong(3_600_000_000L * (random.nextInt(4) == 0 ? 24 : 1)));
      var other = facts();
      var decision = PolicyEngine.decide(policies, other, counters, now);
      counters.charge(decision, other, now);
      if (decision.effect() != Decision.Effect.DENY) {
        past.add(new NaiveInterpreter.Past(other, now));
      }
    }
    now = now.plusNanos(1000L * random.nextLong(3_600_000_000L));
  }

  private Policy.InForce inForce(int layer, List<Rule> rules) {
    // Which policies observe follows from the rules, so that the same rules in another order are the same policy.
    boolean observes = conditions && layer > 0 && rules.size() % 4 == 0;
    return new Policy.InForce(new UUID(3, layer), new Policy("p" + layer, rules, "sha256:" + layer,
        observes ? Policy.Mode.OBSERVE : Policy.Mode.ENFORCE), List.of(Policy.Target.values()).get(layer));
  }

  /** The same policies with one more rule in one of them. */
  List<Policy.InForce> with(Rule rule) {
    var more = new ArrayList<>(policies);
    int i = random.nextInt(more.size());
    var rules = new ArrayList<>(more.get(i).policy().rules());
    rules.add(random.nextInt(rules.size() + 1), rule);
    more.set(i, inForce(i, rules));
    return more;
  }

  /** The same policies, and their rules, in another order. */
  List<Policy.InForce> shuffled() {
    List<Policy.InForce> shuffled = new ArrayList<>();
    for (int i = 0; i < policies.size(); i++) {
      var rules = new ArrayList<>(policies.get(i).policy().rules());
      java.util.Collections.shuffle(rules, random);
      shuffled.add(inForce(i, rules));
    }
    java.util.Collections.shuffle(shuffled, random);
    return shuffled;
  }

  SpendFacts facts() {
    var asset = oneOf(Scenario.ASSETS);
    return new SpendFacts(Scenario.TENANT, Scenario.agent(random.nextInt(2)), Scenario.wallet(random.nextInt(2)), asset,
        amount(asset), Scenario.payee(oneOf(List.of("A", "B"))), SpendFacts.TRANSFER,
        maybe(2, () -> oneOf(List.of("x", "y"))),
        maybe(2, () -> oneOf(List.of("a.com", "api.b.com"))), random.nextInt(60) == 0, random.nextInt(60) == 0, text());
  }

  private SpendText text() {
    return conditions
        ? new SpendText(maybe(2, () -> oneOf(List.of("a refund", "books"))), null,
            maybe(2, () -> Json.object().put("n", random.nextInt(8)).build()))
        : SpendText.NONE;
  }

  private @Nullable When when() {
    return conditions ? maybe(2, () -> oneOf(RandomCondition.ALL).when()) : null;
  }

  BigInteger amount(Asset asset) {
    var unit = BigInteger.TEN.pow(asset.decimals());
    return switch (random.nextInt(10)) {
      case 0 -> BigInteger.ONE;
      case 1 -> random.nextInt(3) > 0 ? unit : Amount.MAX.subtract(BigInteger.valueOf(random.nextInt(2)));
      case 2 -> new BigInteger(1 + random.nextInt(255), random).add(BigInteger.ONE);
      case 3, 4 -> unit.multiply(BigInteger.valueOf(1 + random.nextInt(60)))
          .add(BigInteger.valueOf(random.nextInt(3) - 1)).max(BigInteger.ONE);
      default -> unit.multiply(BigInteger.valueOf(1 + random.nextInt(30)));
    };
  }

  private List<Rule> rules() {
    List<Rule> rules = new ArrayList<>();
    int size = 1 + random.nextInt(6);
    boolean limitsOnly = random.nextInt(3) == 0; // several limits that refuse at once, for different times
    for (int i = 0; i < size; i++) {
      rules.add(i == 0 && random.nextInt(8) > 0
          ? new Rule.Permit("r0", match(16), Rule.Schedule.ALWAYS, random.nextBoolean() ? null : when())
          : limitsOnly ? limit("r" + i, Rule.Schedule.ALWAYS) : rule("r" + i));
    }
    return rules;
  }

  Rule rule(String id) {
    return random.nextInt(3) == 0 ? new Rule.Permit(id, match(4), schedule(), when()) : restricting(id);
  }

  Rule restricting(String id) {
    var schedule = schedule();
    return switch (random.nextInt(10)) {
      case 0 -> new Rule.Deny(id, match(2), schedule, when());
      case 1 ->
        new Rule.Approval(id, match(5), schedule, List.of(new Rule.GroupThreshold("finance", 1)), Duration.ofHours(1),
            Duration.ZERO, when());
      default -> limit(id, schedule);
    };
  }

  private Rule limit(String id, Rule.Schedule schedule) {
    var window = window();
    var max = window instanceof Window.Spend || random.nextInt(4) > 0 ? units(120) : null;
    var count = window instanceof Window.Spend || (max != null && random.nextInt(3) > 0)
        ? null
        : Long.valueOf(1 + random.nextInt(5));
    var min = random.nextInt(5) == 0 ? units(8) : null;
    return new Rule.Limit(id, match(3), schedule, min, max, count, window, per(window), when());
  }

  private Set<Counter.Dimension> per(Window window) {
    if (window instanceof Window.Spend || random.nextBoolean()) {
      return Set.of();
    }
    return new HashSet<>(List.of(oneOf(List.of(Counter.Dimension.values())),
        oneOf(List.of(Counter.Dimension.TENANT, Counter.Dimension.AGENT, Counter.Dimension.WALLET))));
  }

  private Window window() {
    return switch (random.nextInt(6)) {
      case 0 -> new Window.Spend();
      case 1 -> new Window.Lifetime();
      case 2 -> new Window.Calendar(oneOf(List.of(Window.Calendar.Unit.values())), zone());
      default -> new Window.Rolling(Duration.ofSeconds(oneOf(List.of(1L, 60L, 3_600L, 86_400L, 90_000L, 604_800L))));
    };
  }

  private BigDecimal units(int most) {
    return BigDecimal.valueOf(1 + random.nextInt(most)).add(
        random.nextInt(3) == 0 ? BigDecimal.ONE.movePointLeft(oneOf(List.of(2, 6, 18))) : BigDecimal.ZERO);
  }

  /** A match of which each part is there once in so many times. */
  private Match match(int rarity) {
    boolean asset = random.nextInt(rarity) == 0;
    return new Match(asset ? Set.of(oneOf(List.of("USDC", "DAI", "USDT"))) : null, maybe(rarity * 2, () -> "USD"),
        maybe(rarity * 3, () -> Set.of(Scenario.CHAIN)),
        maybe(rarity, () -> new Match.Payees(random.nextBoolean(), Set.of(Scenario.payee("A")))),
        maybe(rarity, this::range),
        maybe(rarity * 3, () -> Set.of(SpendFacts.TRANSFER)),
        maybe(rarity * 8, () -> oneOf(List.of(Set.of("a.com", "*.b.com"), Set.of("a.com")))),
        maybe(rarity * 8, () -> Set.of("x")), maybe(rarity * 3, () -> Set.of(Scenario.agent(0))),
        maybe(rarity * 3, () -> Set.of(Scenario.wallet(0))));
  }

  private Match.AmountRange range() {
    boolean above = random.nextBoolean();
    return new Match.AmountRange(above ? null : maybe(2, () -> units(40)), maybe(2, () -> units(60)),
        above ? units(40) : null);
  }

  private Rule.Schedule schedule() {
    return random.nextInt(5) > 1 ? Rule.Schedule.ALWAYS : new Rule.Schedule(maybe(2, this::span), maybe(2, this::span));
  }

  private TimeSpan span() {
    return new TimeSpan(
        new Cron(oneOf(
            List.of("0 9 * * MON-FRI", "30 2 * * *", "*/20 1-3 * * *", "0 0 1 * *", "0 0 * * *", "15 22 * * SAT,SUN"))),
        Duration.ofMinutes(oneOf(List.of(1L, 10L, 20L, 480L, 1_440L, 3_000L))), zone());
  }

  private ZoneId zone() {
    return ZoneId.of(oneOf(List.of("UTC", "Europe/Berlin", "America/New_York")));
  }

  private <T> T oneOf(List<T> values) {
    return values.get(random.nextInt(values.size()));
  }

  private <T> @Nullable T maybe(int rarity, Supplier<T> value) {
    return random.nextInt(rarity) == 0 ? value.get() : null;
  }
}
