package io.bursar.approval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.List;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ApprovalTextTest {
  private static final String TEXT = """
      bursar spend approval v1
      verdict: approve
      tenant: ten_0199a1c27a2c70e88000000000000001
      spend: spd_0199a1c2801f7a04800000000000a1b2
      authorization: aut_0199a1c2801f7a04800000000000a1b2
      wallet: wal_0199a1c27b1174808000000000000003
      chain: eip155:8453
      asset: USDC
      contract: 0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913
      decimals: 6
      base-units: 24000000
      payee: 0x70997970C51812dc3A010C7d01b50e0d17dc79C8
      purpose: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
      policy: tenant pol_0199a1c27c0277148000000000000004 sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
      policy: wallet pol_0199a1c27c0277148000000000000005 sha256:5df6e0e2761359d30a8275058e299fcc0381534545f55cf43e41983f5d4c9456
      group: finance threshold 2 revision 1
      group: legal threshold 1 revision 12
      expires: 2026-11-23T13:00:00.123456Z
      """;

  @Test
  void isReadBackByteForByte() {
    var read = ApprovalText.parse(TEXT);
    assertThat(read.toString()).isEqualTo(TEXT);
    assertThat(read.bytes()).isEqualTo(TEXT.getBytes(StandardCharsets.UTF_8));
    assertThat(read.money().shown()).isEqualTo("24 USDC");
    assertThat(read.groups()).containsExactly(new ApprovalText.GroupLine("finance", 2, 1),
        new ApprovalText.GroupLine("legal", 1, 12));
    assertThat(read.hash()).isEqualTo(io.bursar.permit.Digest32.sha256(TEXT.getBytes(StandardCharsets.UTF_8)));
  }

  @Test
  void rejectingIsAnotherText() {
    var reject = ApprovalText.parse(TEXT).with(Verdict.REJECT);
    assertThat(reject.toString()).isEqualTo(TEXT.replace("verdict: approve", "verdict: reject"));
    assertThat(ApprovalText.parse(reject.toString())).isEqualTo(reject);
  }

  @Test
  void doesNotDependOnTheOrderInWhichPoliciesAndGroupsWereListed() {
    var read = ApprovalText.parse(TEXT);
    var turned = new ApprovalText(read.verdict(), read.tenantId(), read.spendId(), read.authorizationId(),
        read.walletId(), read.money(), read.payee(), read.purpose(), read.policies().reversed(),
        read.groups().reversed(), read.expiresAt());
    assertThat(turned.toString()).isEqualTo(TEXT);
  }

  @Test
  void everyChangedCharacterIsAnotherSpendOrNoText() {
    var original = ApprovalText.parse(TEXT);
    for (int i = 0; i < TEXT.length(); i++) {
      for (var other : List.of("0", "1", "a", "\n", " ", "é", "")) {
        var changed = TEXT.substring(0, i) + other + TEXT.substring(i + 1);
        if (changed.equals(TEXT)) {
          continue;
        }
        try {
          var read = ApprovalText.parse(changed);
          assertThat(read.toString()).isEqualTo(changed);
          assertThat(read).as("at %d: %s", i, changed).isNotEqualTo(original);
          assertThat(read.differsFrom(original)).isNotEmpty();
        } catch (IllegalArgumentException refused) {
          assertThat(refused.getMessage()).isNotEmpty();
        }
      }
    }
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', textBlock = """
      bursar spend approval v1   | bursar spend approval v2
      verdict: approve           | verdict: yes
      base-units: 24000000       | base-units: 024000000
      base-units: 24000000       | base-units: 0
      base-units: 24000000       | base-units: 2.4e7
      decimals: 6                | decimals: 06
      decimals: 6                | decimals: 19
      0x70997970C51812dc3A010C7d01b50e0d17dc79C8 | 0x70997970c51812dc3a010c7d01b50e0d17dc79c8
      13:00:00.123456Z           | 13:00:00.1234560Z
      13:00:00.123456Z           | 15:00:00.123456+02:00
      revision 1\\n              | revision 01\\n
      threshold 2                | threshold 0
      threshold 2                | threshold  2
      group: finance             | group: Finance
      asset: USDC                | asset: US DC
      chain: eip155:8453         | chain: eip155:08453
      expires: 2026              | expired: 2026
      """)
  void refusesWhatIsNotInItsOneForm(String right, String wrong) {
    var text = TEXT.replace(right.replace("\\n", "\n"), wrong.replace("\\n", "\n"));
    assertThat(text).isNotEqualTo(TEXT);
    assertThatThrownBy(() -> ApprovalText.parse(text)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void refusesLinesMoreOrLess() {
    var lines = TEXT.lines().toList();
    for (int i = 0; i < lines.size(); i++) {
      var missing = TEXT.replace(lines.get(i) + "\n", "");
      boolean oneOfSeveral = lines.get(i).startsWith("policy") || lines.get(i).startsWith("group");
      if (!oneOfSeveral) {
        assertThatThrownBy(() -> ApprovalText.parse(missing)).isInstanceOf(IllegalArgumentException.class);
      }
    }
    for (var wrong : List.of(TEXT + "\n", TEXT + "note: x\n", TEXT.strip(), TEXT.replace("\n", "\r\n"), "", "x")) {
      assertThatThrownBy(() -> ApprovalText.parse(wrong)).isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void noValueCanHoldALine() {
    var read = ApprovalText.parse(TEXT);
    var contract = read.money().contract();
    assertThatThrownBy(() -> new ApprovalText.Money("eip155:1", "USDC\npayee: 0x", contract, 6, BigInteger.ONE))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new ApprovalText.GroupLine("finance\ngroup: x", 1, 1))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
