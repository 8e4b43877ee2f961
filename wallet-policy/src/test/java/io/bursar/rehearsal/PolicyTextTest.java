package io.bursar.rehearsal;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class PolicyTextTest {
  @Test
  void saysEveryKindOfRuleInASentence() {
    var policy = LedgerTest.policy(
        "{'id': 'vendors', 'kind': 'permit', 'match': {'assets': ['USDC'], 'payees': {'in': ['0x1111111111111111111111111111111111111111']}}}",
        "{'id': 'each', 'kind': 'limit', 'match': {'assets': ['USDC']}, 'min': '0.01', 'max': '25', 'window': 'spend'}",
        "{'id': 'daily', 'kind': 'limit', 'match': {'currency': 'USD'}, 'max': '100', 'window': {'rolling': 'PT24H'}, 'per': ['wallet', 'payee']}",
        "{'id': 'month', 'kind': 'limit', 'match': {'currency': 'USD'}, 'max': '900', 'window': {'calendar': 'month', 'zone': 'Europe/Berlin'}}",
        "{'id': 'pace', 'kind': 'limit', 'maxCount': 10, 'window': {'rolling': 'PT1M'}, 'per': ['agent']}",
        "{'id': 'big', 'kind': 'approval', 'match': {'currency': 'USD', 'amount': {'above': '20', 'to': '90'}}, 'groups': [{'group': 'finance', 'threshold': 2}, {'group': 'legal', 'threshold': 1}], 'expiresAfter': 'PT4H', 'delay': 'PT1H'}",
        "{'id': 'hours', 'kind': 'deny', 'unless': {'cron': '0 9 * * MON-FRI', 'for': 'PT9H', 'zone': 'Europe/Berlin'}}",
        "{'id': 'dates', 'kind': 'deny', 'match': {'hosts': ['a.example', '*.b.example'], 'categories': ['x']}, 'active': {'cron': '*/5 * 1 * *', 'for': 'PT90S', 'zone': 'UTC'}}");
    assertThat(PolicyText.of(policy)).isEqualTo("""
        Policy `test`, 8 rules, version %s

        It permits these spends, and denies all others:
          [vendors] Permits spends of USDC to 0x1111111111111111111111111111111111111111.

        What it permits is restricted; all of these hold at once, in no order:
          [each] Denies spends of USDC that are less than 0.01 USDC. Limits spends of USDC to 25 USDC in one spend.
          [daily] Limits spends of any asset in USD to 100 USD in any 24 hours, for each payee and wallet apart.
          [month] Limits spends of any asset in USD to 900 USD in each calendar month (Europe/Berlin).
          [pace] Limits every spend to 10 spends in any 1 minute, for each agent apart.
          [big] Asks 1 of the group `legal` and 2 of the group `finance` to approve spends of any asset in USD above 20 and at most 90, within 4 hours; then it still waits for 1 hour.
          [hours] Denies every spend, except for 9 hours from 09:00 Monday to Friday (Europe/Berlin).
          [dates] Denies spends for the host *.b.example or a.example in the category x, only for 90 seconds from each time of the cron expression `*/5 * 1 * *` (UTC).
        """
        .formatted(policy.version()));
  }

  @Test
  void saysThatAPolicyWithoutAPermitPermitsNothing() {
    assertThat(PolicyText.of(LedgerTest.policy("{'id': 'no', 'kind': 'deny'}"))).contains(
        "It permits nothing: every spend is denied.", "[no] Denies every spend.");
  }
}
