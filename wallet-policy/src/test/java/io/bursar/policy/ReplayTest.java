package io.bursar.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Optional;
import java.util.UUID;

import org.junit.jupiter.api.Test;

import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.policy.Decision.Effect;
import io.bursar.spend.Id;
import io.bursar.spend.SpendFacts;

/** What was recorded is decided again from the record alone. */
class ReplayTest {
  private static final int WORLDS = 2_000;
  private static final UUID SPEND = new UUID(5, 1);

  /** The entry that a decision writes. */
  static byte[] entry(java.util.List<Policy.InForce> policies, SpendFacts facts, Counters counters,
      java.time.Instant now, UUID authorization) {
    var decision = PolicyEngine.decide(policies, facts, counters, now);
    var advice = authorization.equals(SPEND) && decision.effect() != Effect.ALLOW
        ? Advice.of(policies, facts, counters, now)
        : Advice.NONE;
    return JsonText.canonical(Json.object().put("schema", 1).put("kind", "authorization").put("at", now.toString())
        .put("tenant", Id.TENANT.text(facts.tenantId())).put("actor", Id.AGENT.text(facts.agentId()))
        .put("authorization", Id.AUTHORIZATION.text(authorization)).put("spend", Id.SPEND.text(SPEND))
        .put("facts", DecisionJson.facts(facts)).put("decision", DecisionJson.decision(decision, advice))
        .put("readings", DecisionJson.readings(decision, advice)).build());
  }

  private static byte[] entry(RandomWorld world, UUID authorization) {
    return entry(world.policies, world.facts, world.counters, world.now, authorization);
  }

  private static Replay replay(RandomWorld world) {
    return new Replay((policyId, version) -> world.policies.stream().map(Policy.InForce::policy)
        .filter(policy -> policy.version().equals(version)).findFirst());
  }

  @Test
  void decidesRandomAuthorizationsAgainToTheByte() {
    int advised = 0;
    for (long seed = 1; seed <= WORLDS; seed++) {
      var world = new RandomWorld(seed);
      var entry = entry(world, seed % 4 == 0 ? new UUID(5, 2) : SPEND);
      assertThat(replay(world).again(entry)).as("seed %d: %s", seed, text(entry)).isEqualTo(new Replay.Same());
      advised += text(entry).contains("\"maxAmountNow\"") || text(entry).contains("\"retryAt\"") ? 1 : 0;
    }
    assertThat(advised).isGreaterThan(WORLDS / 10);
  }

  @Test
  void findsEveryChangeOfADecision() throws JsonText.Malformed {
    for (long seed = 1; seed <= 100; seed++) {
      var world = new RandomWorld(seed);
      var entry = (Json.Obj) JsonText.parse(entry(world, SPEND));
      var decision = (Json.Obj) java.util.Objects.requireNonNull(entry.get("decision"));
      for (var name : decision.members().keySet()) {
        if (name.equals("policies") || name.equals("engine")) {
          continue; // what it is decided again with
        }
        var changed = with(entry, "decision", with(decision, name, new Json.Str("changed")));
        assertThat(replay(world).again(JsonText.canonical(changed))).as("seed %d, %s", seed, name)
            .isInstanceOfSatisfying(Replay.Different.class,
                different -> assertThat(different.pointer()).isEqualTo("/decision/" + name));
      }
      var more = with(entry, "decision", with(decision, "note", new Json.Str("x")));
      assertThat(replay(world).again(JsonText.canonical(more)))
          .isEqualTo(new Replay.Different("/decision/note", "\"x\"", "nothing"));
    }
  }

  @Test
  void findsAnAmountThatWasChangedAfterwards() throws JsonText.Malformed {
    var policy = Scenario.policy("{'id': 'all', 'kind': 'permit'}",
        "{'id': 'each', 'kind': 'limit', 'match': {'assets': ['USDC']}, 'max': '20', 'window': 'spend'}");
    var inForce = java.util.List.of(new Policy.InForce(new UUID(1, 1), policy, Policy.Target.WALLET));
    var world = new RandomWorld(1);
    var facts = new SpendFacts(Scenario.TENANT, Scenario.agent(1), Scenario.wallet(1),
        Scenario.asset(Scenario.CHAIN, "USDC"), java.math.BigInteger.valueOf(25_000_000), Scenario.payee("A"),
        SpendFacts.TRANSFER, null, null, false, false);
    var entry = (Json.Obj) JsonText.parse(entry(inForce, facts, world.counters, world.now, SPEND));
    var changed = with(entry, "facts", with((Json.Obj) java.util.Objects.requireNonNull(entry.get("facts")), "amount",
        new Json.Str("19000000")));
    assertThat(new Replay((id, version) -> Optional.of(policy)).again(JsonText.canonical(changed)))
        .isEqualTo(new Replay.Different("/decision/effect", "\"deny\"", "\"allow\""));
  }

  @Test
  void saysWhyAnEntryCannotBeDecidedAgain() throws JsonText.Malformed {
    var world = new RandomWorld(3);
    var entry = (Json.Obj) JsonText.parse(entry(world, SPEND));
    var decision = (Json.Obj) java.util.Objects.requireNonNull(entry.get("decision"));
    assertThat(why(world, JsonText.canonical(with(entry, "decision", with(decision, "engine", new Json.Str("0"))))))
        .isEqualTo("the decision is of engine `0`, which is not known here");
    assertThat(why(world, JsonText.canonical(with(entry, "kind", new Json.Str("key.made")))))
        .isEqualTo("the entry is not an authorization but `key.made`");
    assertThat(why(world, "[]".getBytes(java.nio.charset.StandardCharsets.UTF_8)))
        .isEqualTo("the entry is not an object");
    assertThat(why(world, new byte[]{'{'})).startsWith("the entry is not JSON: ");
    assertThat(why(world, JsonText.inOrder(entry.members().entrySet().stream().reduce(Json.object(),
        (object, member) -> object.put("z", 0).put(member.getKey(), member.getValue()), (a, b) -> a).build())))
        .isEqualTo("the entry is not in canonical form (RFC 8785)");
    assertThat(new Replay((id, version) -> Optional.empty()).again(JsonText.canonical(entry)))
        .isInstanceOfSatisfying(Replay.Impossible.class,
            impossible -> assertThat(impossible.why()).matches("the policy version `.*` is not known here"));
  }

  @Test
  void takesADocumentOnlyForTheVersionThatItIs() {
    var document = Scenario.json("{'name': 'test', 'rules': [{'id': 'all', 'kind': 'permit'}]}");
    var version = PolicyJson.version(document);
    assertThat(Replay.policy(version, document).version()).isEqualTo(version);
    assertThatThrownBy(() -> Replay.policy("sha256:00", document)).isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(version);
  }

  private static String why(RandomWorld world, byte[] payload) {
    return ((Replay.Impossible) replay(world).again(payload)).why();
  }

  private static Json.Obj with(Json.Obj object, String name, Json value) {
    var changed = Json.object();
    object.members().forEach(changed::put);
    return changed.put(name, value).build();
  }

  private static String text(byte[] entry) {
    return new String(entry, java.nio.charset.StandardCharsets.UTF_8);
  }
}
