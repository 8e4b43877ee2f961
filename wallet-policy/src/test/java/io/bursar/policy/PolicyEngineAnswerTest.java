package io.bursar.policy;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigInteger;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

import org.junit.jupiter.api.Test;

import io.bursar.policy.Decision.Code;
import io.bursar.policy.Decision.Effect;
import io.bursar.policy.Decision.Reason;
import io.bursar.policy.Decision.RuleTrace;
import io.bursar.policy.Decision.RuleTrace.Outcome;
import io.bursar.policy.Policy.Target;
import io.bursar.spend.SpendFacts;

/** What an answer says beside its effect: in words, rule by rule, and of policies with many rules. */
class PolicyEngineAnswerTest {
  private static final String PERMIT = "{'id': 'any', 'kind': 'permit'}";
  private static final Instant NOW = Instant.parse("2026-11-23T10:00:00Z");
  private static final int MANY = RuleIndex.RULES_MIN + 6;

  @Test
  void saysWhetherThereIsNoPolicyOrOneThatOnlyObserves() {
    var observing = new Policy("watch", Scenario.policy(PERMIT).rules(), "sha256:1", Policy.Mode.OBSERVE);

    assertThat(decide(List.of(), facts()).reasons()).extracting(Reason::message)
        .containsExactly("no policy is in force for the wallet, its agent or its tenant");
    assertThat(decide(List.of(new Policy.InForce(new UUID(1, 1), observing, Target.WALLET)), facts()).reasons())
        .extracting(Reason::message)
        .containsExactly("no policy is in force for the wallet, its agent or its tenant but such that only observe");
  }

  @Test
  void aDenialIsImplicitOnlyWhereNothingRefused() {
    var stranger = "{'id': 'one', 'kind': 'permit', 'match': {'payees': {'in': ['" + Scenario.payee("B") + "']}}}";

    assertThat(decide(inForce(stranger), facts()).implicit()).isTrue();
    assertThat(decide(inForce(stranger, "{'id': 'no', 'kind': 'deny'}"), facts()).implicit()).isFalse();
    assertThat(decide(inForce(PERMIT, "{'id': 'no', 'kind': 'deny'}"), facts()).implicit()).isFalse();
  }

  @Test
  void saysThatItWouldBePermittedAtAnotherTimeOnlyWhereItWould() {
    var night = "{'id': 'night', 'kind': 'permit', 'match': {'payees': {'in': ['%s']}},"
        + " 'active': {'cron': '0 22 * * *', 'for': 'PT4H', 'zone': 'UTC'}}";
    var deny = "{'id': 'no', 'kind': 'deny', 'active': {'cron': '0 22 * * *', 'for': 'PT4H', 'zone': 'UTC'}}";

    assertThat(decide(inForce(night.formatted(Scenario.payee("A"))), facts()).reasons()).extracting(Reason::message)
        .containsExactly("nothing in the policy `test` permits this at this time");
    assertThat(decide(inForce(night.formatted(Scenario.payee("B"))), facts()).reasons()).extracting(Reason::message)
        .containsExactly("nothing in the policy `test` permits this");
    assertThat(decide(inForce(deny), facts()).reasons()).extracting(Reason::message)
        .containsExactly("nothing in the policy `test` permits this");
    var hosts = night.formatted(Scenario.payee("A")).replace("}, 'active'", ", 'hosts': ['a.com']}, 'active'")
        .replace("'match': {", "'match': {");
    assertThat(decide(inForce(hosts), facts()).reasons()).extracting(Reason::message)
        .as("a permit that cannot be told to match").containsExactly("nothing in the policy `test` permits this");
  }

  @Test
  void saysWhyARuleCouldNotBeEvaluated() {
    var policies = inForce(PERMIT, "{'id': 'host', 'kind': 'deny', 'match': {'hosts': ['a.com']}}");

    assertThat(decide(policies, facts()).reasons()).extracting(Reason::code, Reason::message).containsExactly(
        org.assertj.core.groups.Tuple.tuple(Code.EVALUATION_ERROR,
            "looks at a host or category, which the request does not name"));
  }

  @Test
  void tracesWhatEachLimitOfASingleSpendSays() {
    var each = "{'id': 'each', 'kind': 'limit', 'match': {'assets': ['USDC']}, 'min': '0.5', 'max': '2', 'window': 'spend'}";

    assertThat(outcomes(each, "1")).containsExactly(Outcome.MATCHED, Outcome.WITHIN);
    assertThat(outcomes(each, "2.000001")).containsExactly(Outcome.MATCHED, Outcome.EXCEEDED);
    assertThat(outcomes(each, "0.499999")).containsExactly(Outcome.MATCHED, Outcome.EXCEEDED);
  }

  @Test
  void tracesALimitThatIsExceededByItsLeastAlone() {
    var daily = "{'id': 'daily', 'kind': 'limit', 'match': {'assets': ['USDC']}, 'min': '0.5', 'max': '2', 'window': {'rolling': 'PT24H'}}";

    assertThat(outcomes(daily, "1")).containsExactly(Outcome.MATCHED, Outcome.WITHIN);
    assertThat(outcomes(daily, "0.499999")).containsExactly(Outcome.MATCHED, Outcome.EXCEEDED);
  }

  private static List<Outcome> outcomes(String limit, String amount) {
    return decide(inForce(PERMIT, limit), facts().withAmount(io.bursar.money.Amount.parse(amount, 6))).trace().stream()
        .map(RuleTrace::outcome).toList();
  }

  @Test
  void tracesTheKindOfEachRule() {
    var policies = inForce(PERMIT, "{'id': 'no', 'kind': 'deny', 'match': {'assets': ['DAI']}}",
        "{'id': 'each', 'kind': 'limit', 'match': {'assets': ['USDC']}, 'max': '2', 'window': 'spend'}",
        "{'id': 'ask', 'kind': 'approval', 'groups': [{'group': 'finance', 'threshold': 1}]}");

    assertThat(decide(policies, facts()).trace()).extracting(RuleTrace::kind).containsExactly("permit", "deny", "limit",
        "approval");
  }

  @Test
  void chargesEveryCounterOfManyLimitsOnce() {
    List<String> rules = new ArrayList<>(List.of(PERMIT));
    for (int i = 0; i < 20; i++) {
      rules.add(("{'id': 'l%d', 'kind': 'limit', 'match': {'assets': ['USDC'], 'amount': {'to': '%d'}}, 'max': '1000',"
          + " 'window': {'rolling': 'PT24H'}}").formatted(i, 10 + i % 18));
    }
    var policies = inForce(rules.toArray(String[]::new));

    assertThat(decide(policies, facts()).charges()).hasSize(18).doesNotHaveDuplicates();
    assertThat(PolicyEngine.charges(policies, facts())).isEqualTo(decide(policies, facts()).charges());
  }

  @Test
  void namesTheCountersOfLimitsThatAConditionReads() {
    var policies = inForce(
        "{'id': 'some', 'kind': 'permit', 'when': 'spent(`other`) < decimal(`5`)'}",
        "{'id': 'other', 'kind': 'limit', 'match': {'assets': ['USDC'], 'payees': {'in': ['" + Scenario.payee("B")
            + "']}}, 'max': '9', 'window': 'lifetime'}");

    assertThat(PolicyEngine.needs(policies, facts())).extracting(PolicyEngine.CounterNeed::window)
        .containsExactly(new Window.Lifetime());
  }

  @Test
  void saysWhatOneLimitCounts() {
    var rules = Scenario
        .policy("{'id': 'daily', 'kind': 'limit', 'match': {'assets': ['USDC']}, 'max': '2', 'window': 'lifetime'}",
            "{'id': 'each', 'kind': 'limit', 'match': {'assets': ['USDC']}, 'max': '2', 'window': 'spend'}")
        .rules();

    assertThat(PolicyEngine.counter((Rule.Limit) rules.getFirst(), Target.WALLET)).contains(
        PolicyEngine.counted(
            Scenario.policy(
                "{'id': 'x', 'kind': 'limit', 'match': {'assets': ['USDC']}, 'max': '7', 'window': 'lifetime'}"),
            Target.WALLET).getFirst().counter());
    assertThat(PolicyEngine.counter((Rule.Limit) rules.getLast(), Target.WALLET)).isEmpty();
  }

  @Test
  void twoVersionsOfAPolicyAtOnePlaceAreDecidedInOneOrder() {
    var first = new Policy.InForce(new UUID(1, 1), Scenario.policy(PERMIT), Target.WALLET);
    var second = new Policy.InForce(new UUID(1, 1), Scenario.policy("{'id': 'all', 'kind': 'permit'}"), Target.WALLET);

    assertThat(decide(List.of(first, second), facts())).isEqualTo(decide(List.of(second, first), facts()));
  }

  /** More rules than are looked at one by one: those that are found by what they match must be all that match, in their order. */
  @Test
  void findsEveryRuleOfManyInTheirOrder() {
    List<String> rules = new ArrayList<>();
    var matches = List.of("'payees': {'in': ['" + Scenario.payee("A") + "']}", "'payees': {'in': 'vendors@1'}",
        "'payees': {'notIn': ['" + Scenario.payee("C") + "']}", "'wallets': ['wal_" + hex(Scenario.wallet(1)) + "']",
        "'agents': ['agt_" + hex(Scenario.agent(1)) + "']", "'hosts': ['a.com', 'b.com']", "'hosts': ['*.com']",
        "'categories': ['data']", "'assets': ['USDC']", "'chains': ['" + Scenario.CHAIN + "']", "'currency': 'USD'");
    for (int i = 0; i < MANY; i++) {
      rules.add("{'id': 'r%d', 'kind': 'permit', 'match': {%s}}".formatted(i, matches.get(i % matches.size())));
    }
    var policies = inForce(rules.toArray(String[]::new));
    var facts = new SpendFacts(Scenario.TENANT, Scenario.agent(1), Scenario.wallet(1),
        Scenario.asset(Scenario.CHAIN, "USDC"), BigInteger.ONE, Scenario.payee("A"), SpendFacts.TRANSFER, "data",
        "a.com", false, false);

    var trace = decide(policies, facts).trace();

    assertThat(trace).extracting(RuleTrace::rule)
        .containsExactlyElementsOf(java.util.stream.IntStream.range(0, MANY).mapToObj(i -> "r" + i).toList());
    assertThat(trace).extracting(RuleTrace::outcome).containsOnly(Outcome.MATCHED);
    assertThat(decide(policies, facts).effect()).isEqualTo(Effect.ALLOW);
  }

  private static Decision decide(List<Policy.InForce> policies, SpendFacts facts) {
    return PolicyEngine.decide(policies, facts, new LoggedCounters(), NOW);
  }

  private static List<Policy.InForce> inForce(String... rules) {
    return List.of(new Policy.InForce(new UUID(1, 1), Scenario.policy(rules), Target.WALLET));
  }

  private static SpendFacts facts() {
    return new SpendFacts(Scenario.TENANT, Scenario.agent(1), Scenario.wallet(1),
        Scenario.asset(Scenario.CHAIN, "USDC"), BigInteger.valueOf(1_000_000), Scenario.payee("A"), SpendFacts.TRANSFER,
        null, null, false, false);
  }

  private static String hex(UUID id) {
    return id.toString().replace("-", "");
  }
}
