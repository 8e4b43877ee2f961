package io.bursar.policy;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;

import org.junit.jupiter.api.Test;

/** Several approval rules that differ in their amounts are tiers, and nobody means a gap between them. */
class TierWarningsTest {
  private static final String CAP = "{'id':'cap','kind':'limit','match':{'assets':['USDC']},'max':'100','window':'spend'}";

  private static String tier(String id, String amount) {
    return "{'id':'" + id + "','kind':'approval','match':{'assets':['USDC'],'amount':" + amount
        + "},'groups':[{'group':'finance','threshold':1}]}";
  }

  private static List<String> warnings(String... rules) {
    var document = "{'name':'n','rules':[{'id':'p','kind':'permit'}," + String.join(",", rules) + "]}";
    return ((PolicyJson.Parsed) PolicyJson.parse(Scenario.json(document), Scenario.CONTEXT)).warnings().stream()
        .map(warning -> warning.pointer() + " " + warning.message()).toList();
  }

  @Test
  void tiersThatMeetAreFine() {
    assertThat(warnings(tier("a", "{'above':'20','to':'50'}"), tier("b", "{'above':'50'}"))).isEmpty();
    assertThat(warnings(tier("b", "{'from':'50'}"), tier("a", "{'from':'20','to':'49.999999'}"))).isEmpty();
    assertThat(warnings(tier("a", "{'above':'20'}"))).isEmpty();
  }

  @Test
  void namesGapsAndOverlaps() {
    assertThat(warnings(tier("a", "{'above':'20','to':'50'}"), tier("b", "{'above':'60'}"))).singleElement().asString()
        .startsWith("/rules/2/match/amount there is a gap below this tier").contains("`a`, which ends at 50");
    assertThat(warnings(tier("a", "{'above':'20','to':'50'}"), tier("b", "{'from':'50.01'}"))).singleElement()
        .asString()
        .contains("gap");
    assertThat(warnings(tier("a", "{'from':'20','to':'50'}"), tier("b", "{'from':'50'}"))).singleElement().asString()
        .startsWith("/rules/2/match/amount this tier overlaps `a`").contains("from 50 on");
    assertThat(warnings(tier("a", "{'above':'20'}"), tier("b", "{'above':'60'}"))).singleElement().asString()
        .contains("overlaps `a`");
  }

  @Test
  void namesWhatTheLastTierLeavesOutUnlessALimitKeepsItOut() {
    var tiers = List.of(tier("a", "{'above':'20','to':'50'}"), tier("b", "{'above':'50','to':'100'}"));
    assertThat(warnings(tiers.get(0), tiers.get(1))).singleElement().asString()
        .startsWith("/rules/2/match/amount/to there is a gap above the last tier").contains("above 100");
    assertThat(warnings(tiers.get(0), tiers.get(1), CAP)).isEmpty();
  }

  @Test
  void rulesOnOtherSpendsAreNoTiers() {
    assertThat(warnings(tier("a", "{'above':'20','to':'50'}"),
        tier("b", "{'above':'60'}").replace("USDC", "DAI"))).isEmpty();
  }
}
