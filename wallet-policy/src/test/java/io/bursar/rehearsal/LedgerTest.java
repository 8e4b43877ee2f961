package io.bursar.rehearsal;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;

import org.junit.jupiter.api.Test;

import io.bursar.json.JsonText;
import io.bursar.money.Address;
import io.bursar.money.Asset;
import io.bursar.policy.Policy;
import io.bursar.policy.PolicyJson;

class LedgerTest {
  private static final String PERMIT = "{'id': 'all', 'kind': 'permit', 'match': {'assets': ['USDC']}}";
  private static final String DAILY = "{'id': 'daily', 'kind': 'limit', 'match': {'assets': ['USDC']}, 'max': '100',"
      + " 'window': {'rolling': 'PT24H'}}";
  private static final String BIG = "{'id': 'big', 'kind': 'approval', 'match': {'assets': ['USDC'], 'amount': {'above': '50'}},"
      + " 'groups': [{'group': 'finance', 'threshold': 1}], 'expiresAfter': 'PT1H'}";

  static Policy policy(String... rules) {
    try {
      return PolicyJson.load(JsonText.parse(("{'name': 'test', 'rules': [" + String.join(",", rules) + "]}")
          .replace('\'', '"').getBytes(StandardCharsets.UTF_8)));
    } catch (JsonText.Malformed e) {
      throw new AssertionError(e);
    }
  }

  private static Ledger.Result play(String ledger, String... rules) {
    var usdc = new Asset("eip155:1", Address.of(new byte[20]), "USDC", 6, "USD");
    var lines = new ArrayList<Ledger.Line>();
    ledger.lines().forEach(line -> lines.add(new Ledger.Line(lines.size() + 1, line)));
    return Ledger.play(new Ledger.World(List.of(usdc),
        List.of(new Policy.InForce(new UUID(1, 1), policy(rules), Policy.Target.WALLET)), Map.of(),
        LocalDate.of(2026, 11, 23)), lines);
  }

  private static void allAsExpected(String ledger, String... rules) {
    var result = play(ledger, rules);
    assertThat(result.faults()).isEmpty();
    assertThat(result.lines()).allSatisfy(line -> assertThat(line.asExpected()).as("%s", line).isTrue());
  }

  @Test
  void countsWhatIsAllowedAndGivesBackWhatIsVoided() {
    allAsExpected("""
        at 10:00 spend 40 USDC to X as first → allow
        +1h spend 70 → deny LIMIT_EXCEEDED
        # an empty line and a comment do nothing

        11:30 void first
        +0s spend 50 -> allow max 100
        12:00 spend 51 → deny
        2026-11-24T11:30:01Z spend 50 → allow
        """, PERMIT, DAILY);
  }

  @Test
  void holdsWhatWaitsUntilItIsApprovedRejectedOrOver() {
    allAsExpected("""
        at 10:00 spend 60 as a → approval APPROVAL_REQUIRED
        10:01 spend 45 → deny LIMIT_EXCEEDED
        10:02 approve a → allow
        10:03 spend 45 → deny LIMIT_EXCEEDED
        10:04 void a
        10:05 spend 60 as b → approval
        10:06 reject b
        10:07 spend 60 as c → approval
        11:06:59 spend 50 → deny LIMIT_EXCEEDED max 40
        11:07 spend 50 → allow
        11:08 approve c → expired
        """, PERMIT, DAILY, BIG);
  }

  @Test
  void decidesAgainWhenAllHaveApproved() {
    allAsExpected("""
        at 10:00 spend 60 as a → approval
        10:01 freeze
        10:02 approve a → deny WALLET_FROZEN APPROVAL_REQUIRED
        10:03 unfreeze
        10:04 spend 50 → allow
        """, PERMIT, DAILY, BIG);
  }

  @Test
  void saysWhatWasDecidedWhereTheLedgerSaysOtherwise() {
    var result = play("""
        at 10:00 spend 40 → allow
        10:01 spend 70 → allow
        10:02 spend 1 → allow max 3
        10:03 approve nobody → allow
        """.replace("approve nobody → allow", "spend 1 as x → allow") + "09:00 void x\n10:05 reject x\n", PERMIT,
        DAILY);
    assertThat(result.isAsExpected()).isFalse();
    assertThat(result.lines().stream().map(Ledger.Played::asExpected)).containsExactly(true, false, false, true, false,
        false);
    assertThat(result.lines().get(1).decided()).isEqualTo("deny LIMIT_EXCEEDED");
    assertThat(result.lines().get(1).reasons()).containsExactly("`daily` would bring the last 24 h to 110 of 100 USDC");
    assertThat(result.lines().get(2).decided()).isEqualTo("allow max 60");
    assertThat(result.lines().get(4).reasons().getFirst()).startsWith("this is before the line before");
    assertThat(result.lines().get(5).reasons()).containsExactly("`x` does not wait for approval");
  }

  @Test
  void namesEveryLineThatCannotBeRead() {
    var result = play("""
        at 10:00 spend 40
        10 spend 4 → allow
        at 10:00 spend 1e3 → allow
        at 10:00 spend 1 to → allow
        at 10:00 pay 1 → allow
        at 10:00 spend 1 → maybe
        at 10:00 spend 1 → deny LIMIT
        at 10:00 void that
        at 10:00 spend 1 into X → allow
        at 10:00 spend 1 → allow max -1
        at
        at 10:00 freeze wallet now
        at 10:00 spend 1 to A to B → allow
        at 10:00 spend 1 → allow
        """, PERMIT);
    assertThat(result.lines()).isEmpty();
    assertThat(result.faults().stream().map(Ledger.Fault::line)).containsExactly(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
        13);
    assertThat(result.faults().get(1).message()).startsWith("`10` is not a time");
    assertThat(result.faults().get(6).message()).startsWith("`LIMIT` is not the code of a reason");
    assertThat(result.faults().get(7).message()).startsWith("no earlier spend is called `that`");
  }
}
