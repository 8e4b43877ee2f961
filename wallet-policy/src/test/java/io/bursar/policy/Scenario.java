package io.bursar.policy;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.stream.Collectors;
import java.util.stream.Stream;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.money.Address;
import io.bursar.money.Amount;
import io.bursar.money.Asset;
import io.bursar.policy.cel.CelConditions;
import io.bursar.spend.SpendFacts;
import io.bursar.spend.SpendText;

/**
 * Plays a ledger against policies and compares what is decided. A line is
 *
 * <pre>
 * TIME spend AMOUNT [ASSET] [to PAYEE] [by AGENT] [from WALLET] [on CHAIN] [at HOST] [for CATEGORY] [saying PURPOSE]
 *     [about REFERENCE] [noting NUMBER] → EFFECT [CODE ...] [max AMOUNT|none] [retry TIME|never]
 * TIME void N
 * </pre>
 *
 * with TIME a time of the first day ({@code 10:00}), a whole one ({@code 2026-11-23T10:00:00Z}) or a step ({@code +1h}), and
 * N the number of a line that was allowed. A purpose has {@code _} for a blank; the number noted is {@code metadata.n}. Absent
 * words mean USDC, payee A, agent 1 and wallet 1 on the first chain. Spends
 * that are not denied are counted. Every decision is also decided again from its own readings, without the agent's words.
 */
final class Scenario {
  static final UUID TENANT = new UUID(0x0192_0000_0000_7000L, 0x8000_0000_0000_0001L);
  static final String CHAIN = "eip155:31337";
  static final List<Asset> ASSETS = List.of(asset(CHAIN, "USDC", 6, "USD"), asset("eip155:8453", "USDC", 6, "USD"),
      asset(CHAIN, "DAI", 18, "USD"), asset("eip155:56", "USDT", 18, "USD"), asset(CHAIN, "USDT", 6, "USD"),
      asset(CHAIN, "EURC", 6, "EUR"), asset(CHAIN, "POINT", 0, null));
  /** The sets {@code vendors@1} (A and B), {@code vendors@2} (A), {@code sites@1} and {@code words@1}. */
  static final PolicyEnvironment ENVIRONMENT = new PolicyEnvironment(
      reference -> Optional.ofNullable(switch (reference) {
        case "vendors@1" -> addresses(reference, "A", "B");
        case "vendors@2" -> addresses(reference, "A");
        case "sites@1" -> ValueSet.of(reference, ValueSet.Kind.HOSTS, List.of("a.com", "*.b.com"));
        case "words@1" -> ValueSet.of(reference, ValueSet.Kind.STRINGS, List.of("x", "y"));
        default -> null;
      }), CelConditions.INSTANCE);
  static final PolicyContext CONTEXT = new PolicyContext(ASSETS, Map.of("finance", 3, "legal", 2), ENVIRONMENT);

  private static final Instant DAY = Instant.parse("2026-11-23T00:00:00Z"); // a Monday

  private final List<Policy.InForce> policies = new ArrayList<>();
  private final LoggedCounters counters = new LoggedCounters();
  private final Map<Integer, Spent> spends = new HashMap<>();
  private Instant now = DAY;
  private boolean frozen;
  private boolean suspended;

  private record Spent(Decision decision, SpendFacts facts, Instant at) {}

  static Scenario of(String... rules) {
    var scenario = new Scenario();
    scenario.policy(Policy.Target.WALLET, rules);
    return scenario;
  }

  /** A scenario without any policy. */
  static Scenario empty() {
    return new Scenario();
  }

  Scenario policy(Policy.Target attachedTo, String... rules) {
    policies.add(new Policy.InForce(new UUID(7, policies.size() + 1L), policy(rules), attachedTo));
    return this;
  }

  Scenario frozen() {
    frozen = true;
    return this;
  }

  Scenario suspended() {
    suspended = true;
    return this;
  }

  /** A policy that only observes. */
  Scenario observing(Policy.Target attachedTo, String... rules) {
    var policy = policy(rules);
    policies.add(new Policy.InForce(new UUID(7, policies.size() + 1L),
        new Policy(policy.name(), policy.rules(), policy.version(), Policy.Mode.OBSERVE), attachedTo));
    return this;
  }

  /** How many spends the counter of the only limit with a counter has, for the one policy that is attached so. */
  long charged(Policy.Target attachedTo) {
    var policy = policies.stream().filter(inForce -> inForce.attachedTo() == attachedTo).findFirst().orElseThrow();
    var counted = PolicyEngine.counted(policy.policy(), attachedTo).getFirst();
    return counters
        .usage(counted.counter(), counted.counter().key(facts(new ArrayList<>(List.of("1")))), counted.window(),
            now)
        .count();
  }

  private static ValueSet addresses(String reference, String... letters) {
    return ValueSet.of(reference, ValueSet.Kind.ADDRESSES,
        Stream.of(letters).map(letter -> payee(letter).toString()).toList());
  }

  static Policy policy(String... rules) {
    var text = "{\"name\": \"test\", \"rules\": [" + String.join(",", rules) + "]}";
    var result = PolicyJson.parse(json(text), CONTEXT);
    assertThat(result).as(text).isInstanceOf(PolicyJson.Parsed.class);
    return ((PolicyJson.Parsed) result).policy();
  }

  /** JSON with single quotes for double ones, and back quotes for single ones. */
  static Json json(String text) {
    try {
      return JsonText.parse(text.replace('\'', '"').replace('`', '\'').getBytes(StandardCharsets.UTF_8));
    } catch (JsonText.Malformed e) {
      throw new AssertionError(text, e);
    }
  }

  Scenario play(String ledger) {
    int number = 0;
    for (var line : ledger.lines().map(String::strip).filter(text -> !text.isEmpty() && !text.startsWith("#"))
        .toList()) {
      number++;
      var words = new ArrayList<>(List.of(line.split("\\s+")));
      now = time(words.removeFirst());
      if (words.getFirst().equals("void")) {
        var spent = java.util.Objects.requireNonNull(spends.get(Integer.parseInt(words.get(1))), line);
        counters.giveBack(spent.decision, spent.facts, spent.at);
      } else {
        spend(number, line, words);
      }
    }
    return this;
  }

  private void spend(int number, String line, List<String> words) {
    int arrow = words.indexOf("→");
    assertThat(arrow).as(line).isPositive();
    var facts = facts(words.subList(1, arrow));
    var decision = PolicyEngine.decide(policies, facts, counters, now);
    var told = words.subList(arrow + 1, words.size());
    assertThat(text(decision, facts, told)).as("line " + number + ": " + line + "\n" + decision.reasons())
        .isEqualTo(String.join(" ", told));
    var wordless = facts.withText(SpendText.NONE);
    assertThat(PolicyEngine.decide(policies, wordless,
        RecordedCounters.of(policies, wordless, decision.readings(), decision.conditions()), now))
        .as("decided again: " + line).isEqualTo(decision);
    if (decision.effect() != Decision.Effect.DENY) {
      counters.charge(decision, facts, now);
      spends.put(number, new Spent(decision, facts, now));
    }
  }

  private String text(Decision decision, SpendFacts facts, List<String> told) {
    var text = new ArrayList<String>();
    text.add(switch (decision.effect()) {
      case ALLOW -> "allow";
      case DENY -> "deny";
      case REQUIRE_APPROVAL -> "approval";
    });
    text.addAll(
        decision.reasons().stream().map(reason -> reason.code().name()).distinct().collect(Collectors.toList()));
    if (told.contains("observed")) {
      text.add("observed");
      decision.observed().forEach(observation -> {
        text.add(observation.effect().name().toLowerCase(java.util.Locale.ROOT));
        observation.reasons().stream().map(reason -> reason.code().name()).distinct().forEach(text::add);
      });
    }
    if (told.contains("max")) {
      text.add("max");
      text.add(Headroom.maxAmountNow(policies, facts, counters, now)
          .map(units -> Amount.format(units, facts.asset().decimals())).orElse("none"));
    }
    if (told.contains("retry")) {
      text.add("retry");
      text.add(Headroom.retryAt(policies, facts, counters, now).map(Scenario::text).orElse("never"));
    }
    return String.join(" ", text);
  }

  /** A time of the first day as the hour, another one in full. */
  private static String text(Instant time) {
    var text = time.toString();
    return text.startsWith("2026-11-23T") && text.endsWith(":00Z") ? text.substring(11, 16) : text;
  }

  private Instant time(String text) {
    if (text.startsWith("+")) {
      return now.plus(Duration.parse(text.endsWith("d")
          ? "P" + text.substring(1).toUpperCase(java.util.Locale.ROOT)
          : "PT" + text.substring(1).toUpperCase(java.util.Locale.ROOT)));
    }
    return Instant.parse(text.length() > 8 ? text : "2026-11-23T" + (text.length() == 5 ? text + ":00" : text) + "Z");
  }

  private SpendFacts facts(List<String> words) {
    var named = new HashMap<String, String>();
    int next = words.size() > 1 && words.get(1).equals(words.get(1).toUpperCase(java.util.Locale.ROOT)) ? 2 : 1;
    for (int i = next; i + 1 < words.size(); i += 2) {
      named.put(words.get(i), words.get(i + 1));
    }
    var asset = asset(named.getOrDefault("on", CHAIN), next == 2 ? words.get(1) : "USDC");
    return facts(asset, Amount.parse(words.getFirst(), asset.decimals()), named.getOrDefault("to", "A"),
        Integer.parseInt(named.getOrDefault("by", "1")), Integer.parseInt(named.getOrDefault("from", "1")),
        named.get("for"), named.get("at")).withText(text(named));
  }

  private static SpendText text(Map<String, String> named) {
    var saying = named.get("saying");
    var number = named.get("noting");
    return new SpendText(saying == null ? null : saying.replace('_', ' '), named.get("about"),
        number == null ? null : Json.object().put("n", Long.parseLong(number)).build());
  }

  private SpendFacts facts(Asset asset, BigInteger amount, String payee, int agent, int wallet,
      @Nullable String category,
      @Nullable String host) {
    return new SpendFacts(TENANT, agent(agent), wallet(wallet), asset, amount, payee(payee), SpendFacts.TRANSFER,
        category,
        host, frozen, suspended);
  }

  static UUID agent(int number) {
    return new UUID(0x0192_0000_0000_7000L, 0x8000_0000_0000_0100L + number);
  }

  static UUID wallet(int number) {
    return new UUID(0x0192_0000_0000_7000L, 0x8000_0000_0000_0200L + number);
  }

  /** The account that a letter stands for. */
  static Address payee(String letter) {
    var bytes = new byte[Address.BYTES];
    java.util.Arrays.fill(bytes, (byte) letter.charAt(0));
    return Address.of(bytes);
  }

  static Asset asset(String chain, String symbol) {
    return ASSETS.stream().filter(asset -> asset.chain().equals(chain) && asset.symbol().equals(symbol)).findFirst()
        .orElseThrow();
  }

  private static Asset asset(String chain, String symbol, int decimals, @Nullable String currency) {
    return new Asset(chain, payee("$"), symbol, decimals, currency);
  }
}
