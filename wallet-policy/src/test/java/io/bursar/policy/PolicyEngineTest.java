package io.bursar.policy;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;

import org.junit.jupiter.api.Test;

import io.bursar.policy.Decision.Code;
import io.bursar.policy.Decision.Effect;
import io.bursar.policy.Decision.RuleTrace.Outcome;
import io.bursar.policy.Policy.Target;
import io.bursar.spend.SpendFacts;

/** Ledgers that a person can read, for each kind of rule, window and error; and what an answer says of itself. */
class PolicyEngineTest {
  private static final String PERMIT = "{'id': 'any', 'kind': 'permit'}";
  private static final String DAILY = "{'id': 'daily', 'kind': 'limit', 'match': {'assets': ['USDC']}, 'max': '100',"
      + " 'window': {'rolling': 'PT24H'}}";
  private static final Instant NOW = Instant.parse("2026-11-23T10:00:00Z");

  @Test
  void deniesWithoutAnyPolicy() {
    Scenario.empty().play("10:00 spend 1 → deny NO_POLICY max none retry never");
  }

  @Test
  void permitsOnlyWhatAPermitMatches() {
    Scenario.of("{'id': 'a', 'kind': 'permit', 'match': {'assets': ['USDC'], 'payees': {'in': ['" + Scenario.payee("A")
        + "']}, 'amount': {'to': '50'}}}").play("""
                                                10:00 spend 50          → allow max 50 retry 10:00
                                                10:00 spend 50.000001   → deny NO_PERMIT max 50 retry never
                                                10:00 spend 1 to B      → deny NO_PERMIT max none retry never
                                                10:00 spend 1 DAI       → deny NO_PERMIT
                                                10:00 spend 1 on eip155:8453 → allow
                                                """);
  }

  @Test
  void eachPolicyMustPermit() {
    Scenario.empty().policy(Target.TENANT, PERMIT)
        .policy(Target.WALLET, "{'id': 'usdc', 'kind': 'permit', 'match': {'assets': ['USDC']}}")
        .play("""
              10:00 spend 1      → allow
              10:00 spend 1 DAI  → deny NO_PERMIT
              """);
  }

  @Test
  void matchesEveryField() {
    Scenario.of("{'id': 'not-b', 'kind': 'permit', 'match': {'currency': 'USD', 'chains': ['" + Scenario.CHAIN
        + "'], 'payees': {'notIn': ['" + Scenario.payee("B")
        + "']}, 'methods': ['transfer'], 'hosts': ['api.a.com', '*.b.com'],"
        + " 'categories': ['data'], 'agents': ['agt_" + hex(Scenario.agent(1)) + "'], 'wallets': ['wal_"
        + hex(Scenario.wallet(1)) + "']}}").play("""
                                                 10:00 spend 1 at api.a.com for data                 → allow
                                                 10:00 spend 1 at x.b.com for data                   → allow
                                                 10:00 spend 1 at x.y.b.com for data                 → allow
                                                 10:00 spend 1 at b.com for data                     → deny NO_PERMIT
                                                 10:00 spend 1 at xb.com for data                    → deny NO_PERMIT
                                                 10:00 spend 1 at b.api.a.com for data               → deny NO_PERMIT
                                                 10:00 spend 1 at api.a.com for toys                 → deny NO_PERMIT
                                                 10:00 spend 1 EURC at api.a.com for data            → deny NO_PERMIT
                                                 10:00 spend 1 POINT at api.a.com for data           → deny NO_PERMIT
                                                 10:00 spend 1 on eip155:8453 at api.a.com for data  → deny NO_PERMIT
                                                 10:00 spend 1 to B at api.a.com for data            → deny NO_PERMIT
                                                 10:00 spend 1 by 2 at api.a.com for data            → deny NO_PERMIT
                                                 10:00 spend 1 from 2 at api.a.com for data          → deny NO_PERMIT
                                                 """);
  }

  @Test
  void deniesWhatADenyMatchesWhateverIsPermitted() {
    Scenario.of(PERMIT, "{'id': 'no-b', 'kind': 'deny', 'match': {'payees': {'in': ['" + Scenario.payee("B") + "']}}}",
        "{'id': 'big', 'kind': 'approval', 'groups': [{'group': 'finance', 'threshold': 1}]}")
        .play("""
              10:00 spend 1       → approval APPROVAL_REQUIRED max none retry never
              10:00 spend 1 to B  → deny DENIED_BY_RULE APPROVAL_REQUIRED max none retry never
              """);
  }

  @Test
  void countsARollingWindowToTheLastBaseUnit() {
    Scenario.of(PERMIT, DAILY).play("""
                                    10:00 spend 40          → allow max 100
                                    11:00 spend 60.000001   → deny LIMIT_EXCEEDED max 60 retry 2026-11-24T10:00:01Z
                                    11:00 spend 60          → allow
                                    11:00 spend 0.000001    → deny LIMIT_EXCEEDED max none retry 2026-11-24T10:00:01Z
                                    11:00 spend 100         → deny LIMIT_EXCEEDED max none retry 2026-11-24T11:00:01Z
                                    11:00 spend 101         → deny LIMIT_EXCEEDED max none retry never
                                    11:00 spend 5 DAI       → allow
                                    2026-11-24T10:00:00Z spend 40 → deny LIMIT_EXCEEDED
                                    2026-11-24T10:00:01Z spend 40 → allow max 40
                                    """);
  }

  @Test
  void givesBackExactlyWhatAVoidedSpendHeld() {
    Scenario.of(PERMIT, DAILY).play("""
                                    10:00 spend 40   → allow
                                    11:00 spend 60   → allow
                                    12:00 void 1
                                    12:00 spend 40.000001 → deny LIMIT_EXCEEDED max 40 retry 2026-11-24T11:00:01Z
                                    12:00 spend 40   → allow
                                    """);
  }

  @Test
  void limitsOneSpend() {
    Scenario.of(PERMIT,
        "{'id': 'each', 'kind': 'limit', 'match': {'assets': ['USDC']}, 'min': '0.01', 'max': '25', 'window': 'spend'}")
        .play("""
              10:00 spend 25         → allow max 25
              10:00 spend 25.000001  → deny LIMIT_EXCEEDED max 25 retry never
              10:00 spend 0.01       → allow
              10:00 spend 0.009999   → deny BELOW_MINIMUM max 25 retry never
              10:00 spend 30 DAI     → allow
              """);
  }

  @Test
  void limitsTheRate() {
    Scenario
        .of(PERMIT, "{'id': 'pace', 'kind': 'limit', 'maxCount': 2, 'window': {'rolling': 'PT1M'}, 'per': ['agent']}")
        .play("""
              10:00:00 spend 1         → allow
              10:00:30 spend 1 EURC    → allow
              10:00:59 spend 1         → deny RATE_EXCEEDED max none retry 2026-11-23T10:01:01Z
              10:00:59 spend 1 by 2    → allow
              10:01:00 spend 1         → deny RATE_EXCEEDED
              10:01:01 spend 1         → allow
              """);
  }

  @Test
  void limitsAmountAndRateInOneRule() {
    Scenario.of(PERMIT, "{'id': 'both', 'kind': 'limit', 'match': {'currency': 'USD'}, 'max': '10', 'maxCount': 2,"
        + " 'window': {'rolling': 'PT1H'}}")
        .play("""
              10:00 spend 6     → allow
              10:01 spend 5     → deny LIMIT_EXCEEDED max 4 retry 2026-11-23T11:00:01Z
              10:01 spend 1     → allow
              10:02 spend 1     → deny RATE_EXCEEDED max none retry 2026-11-23T11:00:01Z
              10:02 spend 9     → deny LIMIT_EXCEEDED RATE_EXCEEDED max none retry 2026-11-23T11:00:01Z
              10:02 spend 10    → deny LIMIT_EXCEEDED RATE_EXCEEDED max none retry 2026-11-23T11:01:01Z
              """);
  }

  @Test
  void countsCalendarDaysByTheClocksOfTheirZone() {
    Scenario.of(PERMIT, "{'id': 'day', 'kind': 'limit', 'match': {'assets': ['USDC']}, 'max': '10',"
        + " 'window': {'calendar': 'day', 'zone': 'America/New_York'}}")
        .play("""
              10:00 spend 10   → allow
              10:00 spend 1    → deny LIMIT_EXCEEDED max none retry 2026-11-24T05:00:00Z
              2026-11-24T04:59:59.999999Z spend 1 → deny LIMIT_EXCEEDED
              2026-11-24T05:00:00Z spend 10 → allow
              """);
  }

  @Test
  void countsCalendarHoursWeeksAndMonths() {
    Scenario.of(PERMIT,
        "{'id': 'hour', 'kind': 'limit', 'match': {'assets': ['USDC']}, 'max': '10', 'window': {'calendar': 'hour', 'zone': 'UTC'}}",
        "{'id': 'week', 'kind': 'limit', 'match': {'assets': ['USDC']}, 'max': '20', 'window': {'calendar': 'week', 'zone': 'UTC'}}",
        "{'id': 'month', 'kind': 'limit', 'match': {'assets': ['USDC']}, 'max': '30', 'window': {'calendar': 'month', 'zone': 'UTC'}}")
        .play("""
              10:59 spend 10   → allow
              10:59 spend 1    → deny LIMIT_EXCEEDED retry 11:00
              11:00 spend 10   → allow
              12:00 spend 1    → deny LIMIT_EXCEEDED retry 2026-11-30T00:00:00Z
              2026-11-30T00:00:00Z spend 10 → allow
              2026-11-30T01:00:00Z spend 1  → deny LIMIT_EXCEEDED retry 2026-12-01T00:00:00Z
              2026-12-01T00:00:00Z spend 1  → allow
              """);
  }

  @Test
  void waitsForTheLastOfSeveralLimitsInAnyOrder() {
    var week = "{'id': 'week', 'kind': 'limit', 'match': {'assets': ['USDC']}, 'max': '20', 'window': {'rolling': 'P7D'}}";
    var day = "{'id': 'day', 'kind': 'limit', 'match': {'assets': ['USDC']}, 'max': '10', 'window': {'rolling': 'PT24H'}}";
    for (var scenario : List.of(Scenario.of(PERMIT, week, day), Scenario.of(PERMIT, day, week))) {
      scenario.play("""
          10:00 spend 10                  → allow
          2026-11-24T10:00:01Z spend 10   → allow
          2026-11-24T11:00:00Z spend 1    → deny LIMIT_EXCEEDED max none retry 2026-11-30T10:01:00Z
          """);
    }
  }

  @Test
  void countsALifetime() {
    Scenario.of(PERMIT,
        "{'id': 'ever', 'kind': 'limit', 'match': {'assets': ['USDC']}, 'max': '10', 'window': 'lifetime'}")
        .play("""
              10:00 spend 10   → allow
              2036-11-23T10:00:00Z spend 0.000001 → deny LIMIT_EXCEEDED max none retry never
              """);
  }

  @Test
  void sumsACurrencyOverAssetsOfDifferentDecimals() {
    Scenario
        .of(PERMIT, "{'id': 'usd', 'kind': 'limit', 'match': {'currency': 'USD'}, 'max': '10', 'window': 'lifetime'}")
        .play("""
              10:00 spend 4 USDC                    → allow
              10:00 spend 5.000000000000000001 DAI  → allow
              10:00 spend 1 USDC                    → deny LIMIT_EXCEEDED max 0.999999
              10:00 spend 1 DAI                     → deny LIMIT_EXCEEDED max 0.999999999999999999
              10:00 spend 11 EURC                   → allow
              10:00 spend 11 POINT                  → allow
              """);
  }

  @Test
  void sumsOneSymbolOverChainsOfDifferentDecimals() {
    Scenario
        .of(PERMIT, "{'id': 'usdt', 'kind': 'limit', 'match': {'assets': ['USDT']}, 'max': '10', 'window': 'lifetime'}")
        .play("""
              10:00 spend 4 USDT                  → allow
              10:00 spend 6.000001 USDT on eip155:56 → deny LIMIT_EXCEEDED max 6
              10:00 spend 6 USDT on eip155:56     → allow
              10:00 spend 0.000001 USDT           → deny LIMIT_EXCEEDED max none
              """);
  }

  @Test
  void keepsCountsApartByWhatTheRuleSays() {
    var limit = "{'id': 'each', 'kind': 'limit', 'match': {'assets': ['USDC']}, 'max': '10', 'window': 'lifetime', 'per': [%s]}";
    Scenario.of(PERMIT, limit.formatted("'payee'")).play("""
                                                         10:00 spend 10 to A          → allow
                                                         10:00 spend 10 to B from 2   → allow
                                                         10:00 spend 1 to A from 2    → deny LIMIT_EXCEEDED
                                                         """);
    Scenario.of(PERMIT, limit.formatted("'host', 'category'")).play("""
                                                                    10:00 spend 10 at a.com for x  → allow
                                                                    10:00 spend 10 at a.com for y  → allow
                                                                    10:00 spend 10 at b.com for x  → allow
                                                                    10:00 spend 10                 → allow
                                                                    10:00 spend 1 at a.com for x   → deny LIMIT_EXCEEDED
                                                                    10:00 spend 1                  → deny LIMIT_EXCEEDED
                                                                    """);
    Scenario.of(PERMIT, limit.formatted("'tenant'")).play("""
                                                          10:00 spend 10 by 1 from 1  → allow
                                                          10:00 spend 1 by 2 from 2   → deny LIMIT_EXCEEDED
                                                          """);
  }

  @Test
  void countsForWhatThePolicyIsAttachedToUnlessTheRuleSaysOtherwise() {
    Scenario.empty().policy(Target.AGENT, PERMIT, DAILY).play("""
                                                              10:00 spend 100 by 1 from 1  → allow
                                                              10:00 spend 1 by 1 from 2    → deny LIMIT_EXCEEDED
                                                              10:00 spend 100 by 2 from 3  → allow
                                                              """);
    Scenario.empty().policy(Target.TENANT, PERMIT, DAILY).play("""
                                                               10:00 spend 100 by 1 from 1  → allow
                                                               10:00 spend 1 by 2 from 2    → deny LIMIT_EXCEEDED
                                                               """);
    Scenario.empty().policy(Target.WALLET, PERMIT, DAILY).play("""
                                                               10:00 spend 100 by 1 from 1  → allow
                                                               10:00 spend 100 by 1 from 2  → allow
                                                               10:00 spend 1 by 1 from 2    → deny LIMIT_EXCEEDED
                                                               """);
  }

  @Test
  void countsOneSpendAgainstTenantAgentAndWalletAtOnce() {
    var limit = "{'id': 'all', 'kind': 'limit', 'match': {'assets': ['USDC']}, 'max': '%d', 'window': 'lifetime'}";
    Scenario.empty().policy(Target.TENANT, PERMIT, limit.formatted(30))
        .policy(Target.AGENT, PERMIT, limit.formatted(20))
        .policy(Target.WALLET, PERMIT, limit.formatted(10))
        .play("""
              10:00 spend 10 by 1 from 1  → allow
              10:00 spend 1 by 1 from 1   → deny LIMIT_EXCEEDED max none
              10:00 spend 10 by 1 from 2  → allow
              10:00 spend 1 by 1 from 3   → deny LIMIT_EXCEEDED
              10:00 spend 9 by 2 from 4   → allow
              10:00 spend 2 by 3 from 5   → deny LIMIT_EXCEEDED max 1
              """);
  }

  @Test
  void asksForApprovalInTiers() {
    Scenario.of(PERMIT,
        "{'id': 'big', 'kind': 'approval', 'match': {'currency': 'USD', 'amount': {'above': '20'}}, 'groups': [{'group': 'finance', 'threshold': 2}]}",
        "{'id': 'huge', 'kind': 'approval', 'match': {'currency': 'USD', 'amount': {'from': '1000'}}, 'groups': [{'group': 'legal', 'threshold': 1}, {'group': 'finance', 'threshold': 1}], 'expiresAfter': 'PT1H'}",
        DAILY.replace("'100'", "'2000'"))
        .play("""
              10:00 spend 20          → allow max 20
              10:00 spend 20.000001   → approval APPROVAL_REQUIRED max 20 retry never
              10:00 spend 1000        → approval APPROVAL_REQUIRED max 20
              10:00 spend 1000        → deny LIMIT_EXCEEDED APPROVAL_REQUIRED max 20 retry never
              """);
  }

  @Test
  void namesEveryGroupOfEveryTriggeredApprovalWithinTheShortestTimeAndAfterTheLongestDelay() {
    var policies = inForce(PERMIT,
        "{'id': 'a', 'kind': 'approval', 'groups': [{'group': 'finance', 'threshold': 2}], 'expiresAfter': 'PT4H', 'delay': 'PT10M'}",
        "{'id': 'b', 'kind': 'approval', 'groups': [{'group': 'legal', 'threshold': 1}, {'group': 'finance', 'threshold': 1}], 'delay': 'PT30M'}",
        "{'id': 'c', 'kind': 'approval', 'groups': [{'group': 'legal', 'threshold': 1}]}");

    var needed = PolicyEngine.decide(policies, facts(), new LoggedCounters(), NOW).approval();

    assertThat(needed).isEqualTo(new Decision.ApprovalNeeded(
        List.of(new Rule.GroupThreshold("finance", 2), new Rule.GroupThreshold("legal", 1)), Duration.ofHours(4),
        Duration.ofMinutes(30)));
  }

  @Test
  void deniesOutsideHours() {
    Scenario.of(PERMIT,
        "{'id': 'hours', 'kind': 'deny', 'unless': {'cron': '0 9 * * MON-FRI', 'for': 'PT9H', 'zone': 'Europe/Berlin'}}")
        .play("""
              07:59 spend 1 → deny OUTSIDE_HOURS max none retry 08:00
              08:00 spend 1 → allow
              16:59 spend 1 → allow
              17:00 spend 1 → deny OUTSIDE_HOURS retry 2026-11-24T08:00:00Z
              2026-11-27T17:00:00Z spend 1 → deny OUTSIDE_HOURS retry 2026-11-30T08:00:00Z
              """);
  }

  @Test
  void permitsOnlyWhileThePermitIsActive() {
    Scenario.of("{'id': 'night', 'kind': 'permit', 'active': {'cron': '0 22 * * *', 'for': 'PT4H', 'zone': 'UTC'}}")
        .play("""
              21:59 spend 1 → deny NO_PERMIT max none retry 22:00
              22:00 spend 1 → allow
              2026-11-24T01:59:59Z spend 1 → allow
              2026-11-24T02:00:00Z spend 1 → deny NO_PERMIT retry 2026-11-24T22:00:00Z
              """);
  }

  @Test
  void countsALimitAlsoWhileItIsNotActive() {
    Scenario.of(PERMIT, DAILY.replace("}}", "}, 'active': {'cron': '0 9 * * *', 'for': 'PT8H', 'zone': 'UTC'}}"))
        .play("""
              08:00 spend 80    → allow max %s
              09:00 spend 20.1  → deny LIMIT_EXCEEDED max 20 retry 17:00
              17:00 spend 500   → allow
              2026-11-24T09:00:00Z spend 1 → deny LIMIT_EXCEEDED max none retry 2026-11-24T17:00:00Z
              """.formatted(io.bursar.money.Amount.format(io.bursar.money.Amount.MAX, 6)));
  }

  @Test
  void aRuleMaySpeakWithinOneSpanAndOutsideAnother() {
    Scenario.of(PERMIT,
        "{'id': 'x', 'kind': 'deny', 'active': {'cron': '0 9 * * *', 'for': 'PT8H', 'zone': 'UTC'}, 'unless': {'cron': '0 12 * * *', 'for': 'PT1H', 'zone': 'UTC'}}")
        .play("""
              08:59 spend 1 → allow
              09:00 spend 1 → deny OUTSIDE_HOURS retry 12:00
              12:30 spend 1 → allow
              13:00 spend 1 → deny OUTSIDE_HOURS retry 17:00
              """);
  }

  @Test
  void deniesFrozenWalletsAndSuspendedAgents() {
    Scenario.of(PERMIT).frozen().play("10:00 spend 1 → deny WALLET_FROZEN max none retry never");
    Scenario.of(PERMIT).suspended().play("10:00 spend 1 → deny AGENT_SUSPENDED max none retry never");
    Scenario.empty().frozen().suspended().play("10:00 spend 1 → deny WALLET_FROZEN AGENT_SUSPENDED NO_POLICY");
  }

  @Test
  void aMissingHostOrCategoryTriggersWhatRestrictsAndFailsWhatGrants() {
    Scenario.of(PERMIT, "{'id': 'no-evil', 'kind': 'deny', 'match': {'hosts': ['*.evil.com']}}")
        .play("""
              10:00 spend 1 at www.evil.com → deny DENIED_BY_RULE
              10:00 spend 1 at good.com     → allow
              10:00 spend 1                 → deny EVALUATION_ERROR max none retry never
              """);
    Scenario.of(PERMIT,
        "{'id': 'ads', 'kind': 'limit', 'match': {'assets': ['USDC'], 'categories': ['ads']}, 'max': '5', 'window': 'lifetime'}")
        .play("""
              10:00 spend 6 for ads   → deny LIMIT_EXCEEDED max 5
              10:00 spend 6 for data  → allow
              10:00 spend 6           → deny EVALUATION_ERROR max none
              10:00 spend 6 DAI       → allow
              """);
    Scenario.of(PERMIT,
        "{'id': 'ask', 'kind': 'approval', 'match': {'hosts': ['a.com']}, 'groups': [{'group': 'finance', 'threshold': 1}]}")
        .play("10:00 spend 1 → approval EVALUATION_ERROR");
    Scenario.of("{'id': 'a', 'kind': 'permit', 'match': {'hosts': ['a.com']}}")
        .play("""
              10:00 spend 1 at a.com → allow
              10:00 spend 1 at b.com → deny NO_PERMIT
              10:00 spend 1          → deny EVALUATION_ERROR NO_PERMIT
              """);
    Scenario.of(PERMIT, "{'id': 'a', 'kind': 'permit', 'match': {'hosts': ['a.com']}}").play("10:00 spend 1 → allow");
  }

  @Test
  void counterThatFailsDeniesAndSaysSo() {
    var broken = new Counters() {
      @Override
      public Usage usage(Counter counter, long key, Window window, Instant now) {
        throw new ArithmeticException("no such slot");
      }

      @Override
      public Optional<Instant> fitsAt(Counter counter, long key, Window window, Instant now, BigInteger sumMax,
          long countMax) {
        throw new ArithmeticException("no such slot");
      }
    };
    var policies = inForce(PERMIT, DAILY);

    var decision = PolicyEngine.decide(policies, facts(), broken, NOW);

    assertThat(decision.effect()).isEqualTo(Effect.DENY);
    assertThat(decision.implicit()).isFalse();
    assertThat(decision.reasons()).extracting(Decision.Reason::code).containsExactly(Code.EVALUATION_ERROR);
    assertThat(decision.reasons().getFirst().message()).doesNotContain("slot");
    assertThat(decision.charges()).isEmpty();
    assertThat(Headroom.maxAmountNow(policies, facts(), broken, NOW)).isEmpty();
    assertThat(Headroom.retryAt(policies, facts(), broken, NOW)).isEmpty();
    assertThat(PolicyEngine.decide(policies, facts(), RecordedCounters.of(policies, facts(), decision.readings()), NOW))
        .isEqualTo(decision);
  }

  @Test
  void counterThatHoldsLessThanNothingDenies() {
    var negative = new Counters() {
      @Override
      public Usage usage(Counter counter, long key, Window window, Instant now) {
        return new Usage(BigInteger.ONE.shiftLeft(300).negate(), 0);
      }

      @Override
      public Optional<Instant> fitsAt(Counter counter, long key, Window window, Instant now, BigInteger sumMax,
          long countMax) {
        return Optional.of(now);
      }
    };

    assertThat(PolicyEngine.decide(inForce(PERMIT, DAILY), facts(), negative, NOW).effect()).isEqualTo(Effect.DENY);
    assertThat(Headroom.maxAmountNow(inForce(PERMIT, DAILY), facts(), negative, NOW)).isEmpty();
  }

  @Test
  void saysWhatWasObservedAndWhatIsLeft() {
    var policies = inForce(PERMIT, DAILY,
        "{'id': 'pace', 'kind': 'limit', 'maxCount': 1, 'window': {'rolling': 'PT1M'}}");
    var counters = new LoggedCounters();
    var first = facts().withAmount(BigInteger.valueOf(97_250_000));
    counters.charge(PolicyEngine.decide(policies, first, counters, NOW), first, NOW);

    var decision = PolicyEngine.decide(policies, facts().withAmount(BigInteger.valueOf(7_250_000)), counters, NOW);

    var policyId = policies.getFirst().policyId();
    assertThat(decision.reasons()).containsExactly(
        new Decision.Reason(Code.LIMIT_EXCEEDED, policyId, "daily", "would bring the last 24 h to 104.5 of 100 USDC",
            "104.5", "100", "2.75"),
        new Decision.Reason(Code.RATE_EXCEEDED, policyId, "pace", "would bring the last 1 min to 2 of 1 spends", "2",
            "1",
            "0"));
    assertThat(decision.trace()).extracting(Decision.RuleTrace::outcome).containsExactly(Outcome.MATCHED,
        Outcome.EXCEEDED, Outcome.EXCEEDED);
    assertThat(decision.readings()).extracting(Decision.Reading::fitsAt)
        .containsExactly(Instant.parse("2026-11-24T10:00:01Z"), Instant.parse("2026-11-23T10:01:01Z"));
  }

  @Test
  void chargesEqualCountersOnce() {
    var decision = PolicyEngine.decide(inForce(PERMIT, DAILY, DAILY.replace("daily", "tighter").replace("100", "50"),
        DAILY.replace("daily", "weekly").replace("PT24H", "P7D"),
        DAILY.replace("daily", "agent").replace("}}", "}, 'per': ['agent']}")),
        facts(), new LoggedCounters(), NOW);

    assertThat(decision.charges()).hasSize(2);
    assertThat(decision.readings()).hasSize(4);
  }

  @Test
  void tellsBeforehandWhichCountersItMayRead() {
    var policies = inForce(PERMIT, DAILY, DAILY.replace("daily", "weekly").replace("PT24H", "P7D"),
        "{'id': 'small', 'kind': 'limit', 'match': {'assets': ['USDC'], 'amount': {'to': '1'}}, 'maxCount': 5, 'window': 'lifetime',"
            + " 'active': {'cron': '0 0 1 1 *', 'for': 'PT1M', 'zone': 'UTC'}}",
        "{'id': 'dai', 'kind': 'limit', 'match': {'assets': ['DAI']}, 'max': '5', 'window': 'lifetime'}");

    assertThat(PolicyEngine.needs(policies, facts())).extracting(PolicyEngine.CounterNeed::window).containsExactly(
        new Window.Rolling(Duration.ofHours(24)), new Window.Rolling(Duration.ofDays(7)), new Window.Lifetime());
  }

  @Test
  void aPolicyAttachedTwiceIsDecidedAgainAlike() {
    var policy = Scenario.policy(PERMIT, DAILY);
    var id = new UUID(7, 7);
    var policies = List.of(new Policy.InForce(id, policy, Target.WALLET),
        new Policy.InForce(id, policy, Target.TENANT));
    var counters = new LoggedCounters();
    var other = new SpendFacts(Scenario.TENANT, Scenario.agent(2), Scenario.wallet(2), facts().asset(),
        BigInteger.valueOf(50_000_000), facts().payee(), "transfer", null, null, false, false);
    counters.charge(PolicyEngine.decide(policies, other, counters, NOW), other, NOW);
    var facts = facts().withAmount(BigInteger.valueOf(60_000_000));

    var decision = PolicyEngine.decide(policies, facts, counters, NOW);

    assertThat(decision.reasons()).hasSize(1);
    assertThat(decision.readings()).extracting(Decision.Reading::usage).doesNotHaveDuplicates().hasSize(2);
    var again = PolicyEngine.decide(policies.reversed(), facts,
        RecordedCounters.of(policies, facts, decision.readings()), NOW);
    assertThat(again).isEqualTo(decision);
    assertThat(again.toString()).isEqualTo(decision.toString());
  }

  @Test
  void anAllowedSpendOfAllThereIsDoesNotOverflow() {
    var facts = facts().withAmount(io.bursar.money.Amount.MAX);
    var counters = new LoggedCounters();
    var policies = inForce(PERMIT,
        "{'id': 'x', 'kind': 'limit', 'match': {'assets': ['USDC']}, 'max': '%s', 'window': 'lifetime'}"
            .formatted(io.bursar.money.Amount.format(io.bursar.money.Amount.MAX, 6)));
    var decision = PolicyEngine.decide(policies, facts, counters, NOW);
    assertThat(decision.effect()).isEqualTo(Effect.ALLOW);
    counters.charge(decision, facts, NOW);

    assertThat(PolicyEngine.decide(policies, facts, counters, NOW).effect()).isEqualTo(Effect.DENY);
    assertThat(Headroom.maxAmountNow(policies, facts, counters, NOW)).isEmpty();
  }

  @Test
  void aLimitMadeWithoutAUnitOfAmountsStillHolds() {
    var limit = new Rule.Limit("odd", Match.ALL, Rule.Schedule.ALWAYS, null, new BigDecimal("1e-30"), null,
        new Window.Lifetime(), Set.of());
    var permit = new Rule.Permit("any", Match.ALL, Rule.Schedule.ALWAYS);
    var policies = List
        .of(new Policy.InForce(new UUID(1, 1), new Policy("odd", List.of(permit, limit), "sha256:"), Target.WALLET));

    assertThat(PolicyEngine.decide(policies, facts().withAmount(BigInteger.ONE), new LoggedCounters(), NOW).effect())
        .isEqualTo(Effect.DENY);
  }

  private static List<Policy.InForce> inForce(String... rules) {
    return List.of(new Policy.InForce(new UUID(1, 1), Scenario.policy(rules), Target.WALLET));
  }

  private static SpendFacts facts() {
    return new SpendFacts(Scenario.TENANT, Scenario.agent(1), Scenario.wallet(1),
        Scenario.asset(Scenario.CHAIN, "USDC"),
        BigInteger.valueOf(1_000_000), Scenario.payee("A"), SpendFacts.TRANSFER, null, null, false, false);
  }

  private static String hex(UUID id) {
    return id.toString().replace("-", "");
  }
}
