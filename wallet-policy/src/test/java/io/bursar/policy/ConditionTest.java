package io.bursar.policy;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

import org.junit.jupiter.api.Test;

import io.bursar.policy.Decision.Code;
import io.bursar.policy.Decision.ConditionOutcome;
import io.bursar.policy.Decision.Effect;
import io.bursar.policy.Policy.Target;
import io.bursar.policy.cel.CelConditions;
import io.bursar.spend.SpendFacts;
import io.bursar.spend.SpendText;

/** Ledgers of rules with conditions, and what is said and recorded of them. */
class ConditionTest {
  private static final String PERMIT = "{'id': 'any', 'kind': 'permit'}";
  private static final String DAILY = "{'id': 'daily', 'kind': 'limit', 'match': {'assets': ['USDC']}, 'max': '100',"
      + " 'window': {'rolling': 'PT24H'}}";
  private static final Instant NOW = Instant.parse("2026-11-23T10:00:00Z");

  private static String deny(String when) {
    return "{'id': 'no', 'kind': 'deny', " + when(when) + "}";
  }

  private static String when(String expression) {
    return "'when': '" + expression.replace('\'', '`') + "'";
  }

  @Test
  void deniesWhereTheConditionHoldsAndKnowsTheMostThatWouldPass() {
    Scenario.of(PERMIT, deny("spend.purpose.contains('refund') && spend.amount > decimal('5')"))
        .play("""
              10:00 spend 5.000001 saying your_refund → deny DENIED_BY_RULE max 5 retry never
              10:00 spend 5 saying your_refund        → allow max 5 retry 10:00
              10:00 spend 6 saying thanks             → allow max 115792089237316195423570985008687907853269984665640564039457584007913129.639935
              """);
  }

  @Test
  void tellsTheAmountItselfFromThoseBelowAndAbove() {
    Scenario.of(PERMIT, deny("spend.purpose == 'x' && (spend.amount >= decimal('5') || spend.amount == decimal('3'))"))
        .play("""
              10:00 spend 5 saying x         → deny DENIED_BY_RULE max 4.999999
              10:00 spend 4.999999 saying x  → allow max 4.999999
              10:00 spend 3.000001 saying x  → allow
              10:00 spend 3 saying x         → deny DENIED_BY_RULE
              10:00 spend 2.999999 saying x  → allow
              10:00 spend 5 saying y         → allow
              """);
  }

  @Test
  void whatCannotBeEvaluatedRestrictsAndDoesNotGrant() {
    Scenario.of(PERMIT, deny("spend.purpose.contains('refund')"))
        .play("10:00 spend 1 → deny EVALUATION_ERROR max none retry never");
    Scenario.of(PERMIT, "{'id': 'l', 'kind': 'limit', 'match': {'assets': ['USDC']}, 'max': '9', 'window': 'spend',"
        + " 'when': 'spend.metadata.n > 4'}")
        .play("""
              10:00 spend 10           → deny EVALUATION_ERROR
              10:00 spend 10 noting 4  → allow
              10:00 spend 10 noting 5  → deny LIMIT_EXCEEDED max 9
              """);
    Scenario.of(PERMIT, "{'id': 'a', 'kind': 'approval', 'groups': [{'group': 'finance', 'threshold': 1}],"
        + " 'when': 'spend.host == spend.category'}").play("10:00 spend 1 → approval EVALUATION_ERROR max none");
    Scenario.of("{'id': 'p', 'kind': 'permit', " + when("spend.reference.startsWith('order-')") + "}")
        .play("""
              10:00 spend 1                → deny EVALUATION_ERROR NO_PERMIT max none
              10:00 spend 1 about order-7  → allow
              10:00 spend 1 about invoice  → deny NO_PERMIT
              """);
    Scenario.of(PERMIT, deny("1 / (spend.metadata.n - 4) == 1"))
        .play("10:00 spend 1 noting 4 → deny EVALUATION_ERROR");
  }

  @Test
  void asksWhetherSomethingIsThere() {
    Scenario.of(PERMIT, deny("!has(spend.purpose) || !has(spend.metadata.n)"))
        .play("""
              10:00 spend 1                     → deny DENIED_BY_RULE
              10:00 spend 1 saying hello        → deny EVALUATION_ERROR
              10:00 spend 1 saying hello noting 1 → allow
              """);
  }

  @Test
  void countsWhatTheMatchTakesInWhateverTheConditionSays() {
    Scenario.of(PERMIT, "{'id': 'day', 'kind': 'limit', 'match': {'assets': ['USDC']}, 'max': '10',"
        + " 'window': {'rolling': 'PT24H'}, " + when("spend.payee == '" + Scenario.payee("A") + "'") + "}")
        .play("""
              10:00 spend 8 to B    → allow
              10:00 spend 8 to A    → deny LIMIT_EXCEEDED max 2 retry 2026-11-24T10:00:01Z
              10:00 spend 8 to B    → allow max 115792089237316195423570985008687907853269984665640564039457584007913129.639935
              """);
  }

  @Test
  void readsWhatWasSpentOfALimit() {
    Scenario.of(PERMIT, DAILY, "{'id': 'late', 'kind': 'approval', 'groups': [{'group': 'finance', 'threshold': 1}],"
        + when("spent('daily') + spend.amount > decimal('50')") + "}")
        .play("""
              10:00 spend 30   → allow
              10:00 spend 21   → approval APPROVAL_REQUIRED
              10:00 void 2
              10:00 spend 20   → allow
              10:00 spend 0.000001 → approval APPROVAL_REQUIRED max none retry never
              """);
  }

  @Test
  void saysNothingOfAnAmountThatNobodyCanSee() {
    // The most that the typed rules let through is asked about itself; if the condition objects, nobody knows another.
    Scenario.of(PERMIT, DAILY, deny("spend.amount * decimal('2') == decimal('200')"))
        .play("""
              10:00 spend 100  → deny DENIED_BY_RULE max none
              10:00 spend 10   → allow
              10:00 spend 100  → deny DENIED_BY_RULE LIMIT_EXCEEDED max 90
              """);
    Scenario.of(PERMIT, DAILY, deny("spend.purpose == 'x' && spend.amount * decimal('2') > decimal('20')"))
        .play("10:00 spend 200 saying y → deny LIMIT_EXCEEDED max none");
  }

  @Test
  void knowsTheMostBetweenTheAmountsOfAnyTiers() {
    Scenario.of(PERMIT, DAILY,
        deny("spend.amount >= decimal('20') && spend.amount < decimal('100') || spend.amount == decimal('12.5')"))
        .play("""
              10:00 spend 50    → deny DENIED_BY_RULE max 100
              10:00 spend 12.5  → deny DENIED_BY_RULE max 100
              10:00 spend 0.5   → allow
              10:00 spend 50    → deny DENIED_BY_RULE max 19.999999
              """);
  }

  @Test
  void knowsWhenOnlyWhereTimeCannotChangeTheAnswer() {
    Scenario.of(PERMIT, DAILY, deny("now.getHours('Europe/Berlin') >= 12"))
        .play("""
              09:00 spend 100  → allow
              10:00 spend 1    → deny LIMIT_EXCEEDED retry 2026-11-24T09:00:01Z
              11:00 spend 1    → deny DENIED_BY_RULE LIMIT_EXCEEDED retry 2026-11-24T09:00:01Z
              """);
    Scenario.of(PERMIT, DAILY, deny("now.getHours('Europe/Berlin') < 12"))
        .play("10:00 spend 1 → deny DENIED_BY_RULE retry never");
    Scenario.of(PERMIT, DAILY, deny("spent('daily') > decimal('90')"))
        .play("""
              09:00 spend 95   → allow
              10:00 spend 1    → deny DENIED_BY_RULE max none retry never
              """);
  }

  @Test
  void looksValuesUpInSets() {
    Scenario.of("{'id': 'v', 'kind': 'permit', 'match': {'payees': {'in': 'vendors@1'}}}",
        "{'id': 'n', 'kind': 'deny', 'match': {'payees': {'notIn': 'vendors@2'}, 'assets': ['DAI']}}")
        .play("""
              10:00 spend 1 to A      → allow
              10:00 spend 1 to B      → allow
              10:00 spend 1 to C      → deny NO_PERMIT
              10:00 spend 1 DAI to A  → allow
              10:00 spend 1 DAI to B  → deny DENIED_BY_RULE
              """);
    Scenario.of(PERMIT, deny("!inSet(spend.payee, 'vendors@1') || !inSet(spend.host, 'sites@1')"))
        .play("""
              10:00 spend 1 to A at a.com       → allow
              10:00 spend 1 to A at x.y.b.com   → allow
              10:00 spend 1 to A at b.com       → deny DENIED_BY_RULE
              10:00 spend 1 to C at a.com       → deny DENIED_BY_RULE
              10:00 spend 1 to A                → deny EVALUATION_ERROR
              """);
    Scenario.of(PERMIT, deny("inSet(spend.reference, 'vendors@1')"))
        .play("10:00 spend 1 about nobody → deny EVALUATION_ERROR");
  }

  @Test
  void aSetThatNobodyKnowsAnyMoreRestricts() {
    var document = Scenario.json("{'name': 'n', 'rules': [" + PERMIT
        + ", {'id': 'v', 'kind': 'deny', 'match': {'payees': {'in': 'vendors@1'}, 'assets': ['USDC']}}]}");
    var forgetful = new PolicyEnvironment(reference -> Optional.empty(), CelConditions.INSTANCE);
    var policy = PolicyJson.load(document, forgetful);
    var inForce = List.of(new Policy.InForce(new UUID(1, 1), policy, Target.WALLET));

    var decision = PolicyEngine.decide(inForce, facts("C", SpendText.NONE), new LoggedCounters(), NOW);

    assertThat(decision.effect()).isEqualTo(Effect.DENY);
    assertThat(decision.reasons()).extracting(Decision.Reason::code).containsExactly(Code.EVALUATION_ERROR);
    assertThat(Headroom.maxAmountNow(inForce, facts("C", SpendText.NONE), new LoggedCounters(), NOW)).isEmpty();
  }

  @Test
  void aConditionThatIsNotUnderstoodAnyMoreRestricts() {
    var document = Scenario.json("{'name': 'n', 'rules': [" + PERMIT + ", " + deny("spend.tomorrow == 1") + "]}");
    var policy = PolicyJson.load(document, Scenario.ENVIRONMENT);

    var decision = PolicyEngine.decide(List.of(new Policy.InForce(new UUID(1, 1), policy, Target.WALLET)),
        facts("A", SpendText.NONE), new LoggedCounters(), NOW);

    assertThat(decision.reasons()).extracting(Decision.Reason::code).containsExactly(Code.EVALUATION_ERROR);
  }

  @Test
  void recordsWhatBecameOfTheWordsAndNotTheWords() {
    var inForce = List.of(new Policy.InForce(new UUID(1, 1), Scenario.policy(PERMIT, DAILY,
        deny("spend.purpose.contains('refund') && spend.amount > decimal('5') && spent('daily') >= decimal('0')")),
        Target.WALLET));

    var decision = PolicyEngine.decide(inForce, facts("A", new SpendText("a refund", null, null)), new LoggedCounters(),
        NOW);

    assertThat(decision.conditions()).singleElement().satisfies(reading -> {
      assertThat(reading.outcomes()).containsExactly(ConditionOutcome.FAILS, ConditionOutcome.FAILS,
          ConditionOutcome.HOLDS);
      assertThat(reading.spent()).containsEntry("daily", java.math.BigInteger.ZERO);
    });
    assertThat(decision.toString()).doesNotContain("a refund");
    assertThat(DecisionJson.conditions(DecisionJson.conditions(decision))).isEqualTo(decision.conditions());
  }

  @Test
  void observesWithoutASay() {
    Scenario.of(PERMIT, DAILY).observing(Target.TENANT, "{'id': 'usd', 'kind': 'permit', 'match': {'currency': 'USD'}}",
        "{'id': 'small', 'kind': 'limit', 'match': {'currency': 'USD'}, 'max': '50', 'window': {'rolling': 'PT24H'}}",
        "{'id': 'ask', 'kind': 'approval', 'match': {'currency': 'USD', 'amount': {'above': '20'}}, 'groups': [{'group': 'finance', 'threshold': 1}]}")
        .play("""
              10:00 spend 15       → allow observed allow max 100
              10:00 spend 30       → allow observed require_approval APPROVAL_REQUIRED
              10:00 spend 15       → allow observed deny LIMIT_EXCEEDED
              10:00 spend 1 EURC   → allow observed deny NO_PERMIT
              10:00 spend 50       → deny LIMIT_EXCEEDED observed deny LIMIT_EXCEEDED APPROVAL_REQUIRED max 40
              """);
  }

  @Test
  void aPolicyThatOnlyObservesPermitsNothing() {
    Scenario.empty().observing(Target.WALLET, PERMIT)
        .play("10:00 spend 1 → deny NO_POLICY observed allow max none retry never");
  }

  @Test
  void theLimitsOfAnObserverCountSoThatTheyHoldWhenEnforced() {
    var scenario = Scenario.of(PERMIT).observing(Target.TENANT, PERMIT, DAILY);
    scenario.play("""
        10:00 spend 99  → allow observed allow
        10:00 spend 2   → allow observed deny LIMIT_EXCEEDED
        """);
    assertThat(scenario.charged(Target.TENANT)).isEqualTo(2);
  }

  private static SpendFacts facts(String payee, SpendText text) {
    return new SpendFacts(Scenario.TENANT, Scenario.agent(1), Scenario.wallet(1),
        Scenario.asset(Scenario.CHAIN, "USDC"), java.math.BigInteger.valueOf(10_000_000), Scenario.payee(payee),
        SpendFacts.TRANSFER, null, null, false, false, text);
  }
}
