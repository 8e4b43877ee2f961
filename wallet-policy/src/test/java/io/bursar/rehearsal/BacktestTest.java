package io.bursar.rehearsal;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigInteger;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

import io.bursar.money.Address;
import io.bursar.money.Asset;
import io.bursar.policy.Decision;
import io.bursar.policy.Decision.Effect;
import io.bursar.policy.MemoryCounters;
import io.bursar.policy.Policy;
import io.bursar.policy.PolicyEngine;
import io.bursar.spend.SpendFacts;

class BacktestTest {
  private static final Asset USDC = new Asset("eip155:1", Address.of(new byte[20]), "USDC", 6, "USD");
  private static final UUID WALLET = new UUID(1, 2);
  private static final UUID OTHER_WALLET = new UUID(1, 3);
  private static final UUID POLICY = new UUID(4, 4);
  private static final Instant DAY = Instant.parse("2026-11-23T00:00:00Z");

  private static final String PERMIT = "{'id': 'all', 'kind': 'permit'}";

  private static Policy daily(int max) {
    return LedgerTest.policy(PERMIT, "{'id': 'daily', 'kind': 'limit', 'match': {'assets': ['USDC']}, 'max': '" + max
        + "', 'window': {'rolling': 'PT24H'}}");
  }

  private final List<Backtest.Recorded> record = new ArrayList<>();

  private BacktestTest spent(int hour, int amount, Effect effect, UUID wallet, @Nullable Integer givenBackHour) {
    var facts = new SpendFacts(new UUID(1, 0), new UUID(1, 1), wallet, USDC,
        BigInteger.valueOf(amount * 1_000_000L), Address.of(new byte[20]), SpendFacts.TRANSFER, null, null, false,
        false);
    record.add(new Backtest.Recorded(new UUID(9, record.size()), DAY.plusSeconds(hour * 3_600L), facts, effect,
        List.of(), givenBackHour == null ? null : DAY.plusSeconds(givenBackHour * 3_600L)));
    return this;
  }

  private BacktestTest allowed(int hour, int amount) {
    return spent(hour, amount, Effect.ALLOW, WALLET, null);
  }

  private Backtest.Report tried(Policy candidate, int fromHour) {
    var backtest = new Backtest((id, version) -> Optional.empty(),
        new Backtest.Candidate(POLICY, candidate, Policy.Target.WALLET, WALLET), DAY.plusSeconds(fromHour * 3_600L));
    record.forEach(backtest::add);
    return backtest.report();
  }

  @Test
  void findsWhatTurnsFromAllowToDenyAndBack() {
    var report = allowed(1, 60).allowed(2, 60).spent(3, 30, Effect.DENY, WALLET, null).tried(daily(100), 0);
    assertThat(report.requests()).isEqualTo(3);
    assertThat(report.unchanged()).isEqualTo(1);
    assertThat(report.changes()).hasSize(2);
    var denied = report.changes().getFirst();
    assertThat(List.of(denied.recorded(), denied.candidate())).containsExactly(Effect.ALLOW, Effect.DENY);
    assertThat(denied.sums()).containsExactly(java.util.Map.entry(USDC, BigInteger.valueOf(60_000_000)));
    assertThat(denied.examples().getFirst().spendId()).isEqualTo(new UUID(9, 1));
    // What the candidate denies leaves room for what comes after it.
    var permitted = report.changes().getLast();
    assertThat(List.of(permitted.recorded(), permitted.candidate())).containsExactly(Effect.DENY, Effect.ALLOW);
    assertThat(report.rules()).containsExactly(java.util.Map.entry("daily", 1L));
  }

  @Test
  void findsWhatTurnsToApproval() {
    var report = allowed(1, 60).tried(LedgerTest.policy(PERMIT,
        "{'id': 'big', 'kind': 'approval', 'match': {'assets': ['USDC'], 'amount': {'above': '50'}}, 'groups': [{'group': 'x', 'threshold': 1}]}"),
        0);
    assertThat(report.changes().getFirst().candidate()).isEqualTo(Effect.REQUIRE_APPROVAL);
  }

  @Test
  void countsWhatWasSpentBeforeThePeriodAsItWasDecided() {
    assertThat(allowed(1, 60).allowed(5, 60).tried(daily(100), 4).changes()).hasSize(1);
    assertThat(tried(daily(100), 6).requests()).isZero();
    assertThat(Backtest.countedFrom(daily(1), Policy.Target.WALLET, DAY)).isEqualTo(DAY.minusSeconds(86_401));
  }

  @Test
  void givesBackWhatWasGivenBack() {
    assertThat(spent(1, 60, Effect.ALLOW, WALLET, 3).allowed(4, 60).tried(daily(100), 0).changes()).isEmpty();
    record.clear();
    assertThat(spent(1, 60, Effect.ALLOW, WALLET, 5).allowed(4, 60).tried(daily(100), 0).changes()).hasSize(1);
  }

  @Test
  void leavesOtherTargetsAlone() {
    var report = spent(1, 600, Effect.DENY, OTHER_WALLET, null).allowed(2, 60).tried(daily(100), 0);
    assertThat(report.requests()).isEqualTo(1);
    assertThat(report.changes()).isEmpty();
  }

  @Test
  void findsNothingWhereTheCandidateIsWhatDecided() {
    var policy = daily(100);
    var inForce = List.of(new Policy.InForce(POLICY, policy, Policy.Target.WALLET));
    var counters = new MemoryCounters();
    inForce.forEach(counters::watch);
    var random = new java.util.Random(7);
    for (int i = 0; i < 5_000; i++) {
      allowed(i, 1 + random.nextInt(40));
      var asked = record.removeLast();
      var decision = PolicyEngine.decide(inForce, asked.facts(), counters, asked.at());
      if (decision.effect() != Effect.DENY) {
        counters.charge(decision.charges(), asked.facts(), asked.at());
      }
      record.add(new Backtest.Recorded(asked.spendId(), asked.at(), asked.facts(), decision.effect(),
          List.of(new Decision.PolicyVersion(POLICY, policy.version(), Policy.Target.WALLET)), null));
    }
    var report = tried(policy, 0);
    assertThat(report.unchanged()).isEqualTo(5_000);
    assertThat(report.changes()).isEmpty();
  }
}
