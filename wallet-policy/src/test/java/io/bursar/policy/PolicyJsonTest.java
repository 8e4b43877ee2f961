package io.bursar.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.ZoneId;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import io.bursar.json.Json;
import io.bursar.json.JsonReader.Fault;
import io.bursar.json.JsonText;
import io.bursar.policy.PolicyJson.Parsed;
import io.bursar.policy.PolicyJson.Refused;

class PolicyJsonTest {
  private static final String PERMIT = "{'id':'any','kind':'permit'}";
  private static final String FULL = """
      {'name': 'research-agent', 'description': 'what the research agent may spend', 'rules': [
        {'id': 'vendors', 'kind': 'permit', 'match': {'assets': ['USDC'], 'chains': ['eip155:31337'], 'payees': {'in': ['%s']},
          'methods': ['transfer'], 'hosts': ['*.example.com', 'localhost:8080'], 'categories': ['data'],
          'agents': ['agt_01920000000070008000000000000101'], 'wallets': ['wal_01920000000070008000000000000201']}},
        {'id': 'each', 'kind': 'limit', 'match': {'assets': ['USDC']}, 'min': '0.01', 'max': '25', 'window': 'spend'},
        {'id': 'daily', 'kind': 'limit', 'match': {'currency': 'USD'}, 'max': '100', 'window': {'rolling': 'PT24H'}, 'per': ['wallet']},
        {'id': 'month', 'kind': 'limit', 'match': {'currency': 'USD'}, 'max': '900', 'window': {'calendar': 'month', 'zone': 'Europe/Berlin'}},
        {'id': 'ever', 'kind': 'limit', 'match': {'currency': 'USD'}, 'max': '9000', 'window': 'lifetime', 'per': ['agent', 'payee']},
        {'id': 'pace', 'kind': 'limit', 'maxCount': 10, 'window': {'rolling': 'PT1M'}, 'per': ['agent']},
        {'id': 'big', 'kind': 'approval', 'match': {'currency': 'USD', 'amount': {'above': '20'}},
          'groups': [{'group': 'finance', 'threshold': 2}], 'expiresAfter': 'PT4H'},
        {'id': 'hours', 'kind': 'deny', 'unless': {'cron': '0 9 * * MON-FRI', 'for': 'PT9H', 'zone': 'Europe/Berlin'}}
      ]}""".formatted(Scenario.payee("A"));

  @Test
  void readsTheWholeLanguage() {
    var parsed = parsed(FULL);

    assertThat(parsed.warnings()).isEmpty();
    var policy = parsed.policy();
    assertThat(policy.name()).isEqualTo("research-agent");
    var usd = new Match(null, "USD", null, null, null, null, null, null, null, null);
    var always = Rule.Schedule.ALWAYS;
    assertThat(policy.rules()).containsExactly(
        new Rule.Permit("vendors",
            new Match(Set.of("USDC"), null, Set.of(Scenario.CHAIN), new Match.Payees(true, Set.of(Scenario.payee("A"))),
                null,
                Set.of("transfer"), Set.of("*.example.com", "localhost:8080"), Set.of("data"),
                Set.of(Scenario.agent(1)),
                Set.of(Scenario.wallet(1))),
            always),
        new Rule.Limit("each", new Match(Set.of("USDC"), null, null, null, null, null, null, null, null, null), always,
            new BigDecimal("0.01"), new BigDecimal("25"), null, new Window.Spend(), Set.of()),
        new Rule.Limit("daily", usd, always, null, new BigDecimal("100"), null,
            new Window.Rolling(Duration.ofHours(24)),
            Set.of(Counter.Dimension.WALLET)),
        new Rule.Limit("month", usd, always, null, new BigDecimal("900"), null,
            new Window.Calendar(Window.Calendar.Unit.MONTH, ZoneId.of("Europe/Berlin")), Set.of()),
        new Rule.Limit("ever", usd, always, null, new BigDecimal("9000"), null, new Window.Lifetime(),
            Set.of(Counter.Dimension.AGENT, Counter.Dimension.PAYEE)),
        new Rule.Limit("pace", Match.ALL, always, null, null, 10L, new Window.Rolling(Duration.ofMinutes(1)),
            Set.of(Counter.Dimension.AGENT)),
        new Rule.Approval("big",
            new Match(null, "USD", null, null, new Match.AmountRange(null, null, new BigDecimal("20")), null, null,
                null, null,
                null),
            always, List.of(new Rule.GroupThreshold("finance", 2)), Duration.ofHours(4)),
        new Rule.Deny("hours", Match.ALL, new Rule.Schedule(null,
            new TimeSpan(new Cron("0 9 * * MON-FRI"), Duration.ofHours(9), ZoneId.of("Europe/Berlin")))));
  }

  @Test
  void approvalsExpireAfterADayUnlessSaidOtherwise() {
    var rule = parsed(document("{'id':'a','kind':'approval','groups':[{'group':'legal','threshold':1}]}")).policy()
        .rules().get(0);

    assertThat(((Rule.Approval) rule).expiresAfter()).isEqualTo(Duration.ofHours(24));
    assertThat(((Rule.Approval) rule).delay()).isZero();
  }

  @Test
  void aPublishedPolicyStaysWhatItIsWhenAssetsAndGroupsGo() {
    var policy = parsed(FULL).policy();

    assertThat(PolicyJson.load(Scenario.json(FULL))).isEqualTo(policy);
    assertThat(PolicyJson.parse(Scenario.json(FULL), new PolicyContext(List.of(), java.util.Map.of())))
        .isInstanceOf(Refused.class);
    assertThatThrownBy(() -> PolicyJson.load(Scenario.json("{'name': 'x', 'rules': [], 'more': 1}")))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void theVersionIsTheHashOfTheCanonicalBytes() {
    var reordered = Scenario.json("{'rules':[{'kind':'permit','id':'any'}],'name':'n'}");
    var version = PolicyJson.version(Scenario.json("{ 'name' : 'n', 'rules' : [ {'id':'any', 'kind':'permit'} ] }"));

    // printf '{"name":"n","rules":[{"id":"any","kind":"permit"}]}' | sha256sum
    assertThat(version).isEqualTo("sha256:0a7ec5073759bfec8c539b5f7b542005c338382d82011888c3c68239b7b86b8e");
    assertThat(PolicyJson.version(reordered)).isEqualTo(version);
    assertThat(parsed("{'rules':[{'kind':'permit','id':'any'}],'name':'n'}").policy().version()).isEqualTo(version);
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
      1                                   | ``                  | must be an object
      {}                                  | /name               | is required
      {}                                  | /rules              | is required
      {'name':'','rules':[P]}             | /name               | must have 1 to 64
      {'name':7,'rules':[P]}              | /name               | must be a text
      {'name':'n','rules':{}}             | /rules              | must be an array
      {'name':'n','rules':[]}             | /rules              | must have 1 to 10000
      {'name':'n','rules':[1]}            | /rules/0            | must be an object
      {'name':'n','rules':[P,P]}          | /rules/1/id         | is the id of another rule
      {'name':'n','rules':[P],'mode':'off'}     | /mode         | must be `enforce` or `observe`
      {'name':'n','rules':[P],'changeGroup':'g'} | /changeGroup | is not a known field
      {'name':'n','rules':[P],'description':null} | /description | must not be null
      {'name':'n','rules':[P],'description':7} | /description   | must be a text
      """)
  void refusesDocuments(String document, String pointer, String message) {
    assertFault(document.replace("P", PERMIT), pointer, message);
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
      {'kind':'permit'}                                  | /id       | is required
      {'id':'A','kind':'permit'}                         | /id       | must be 1 to 64 of
      {'id':'-a','kind':'permit'}                        | /id       | begin with a letter
      {'id':'x'}                                         | /kind     | is required
      {'id':'x','kind':'allow'}                          | /kind     | must be `permit`, `limit`, `approval` or `deny`
      {'id':'x','kind':7}                                | /kind     | must be a text
      {'id':'x','kind':'permit','when':'spend.amount'}   | /when     | expected type 'bool'
      {'id':'x','kind':'permit','max':'1'}               | /max      | is not a known field
      {'id':'x','kind':'deny','groups':[]}               | /groups   | is not a known field
      {'id':'x','kind':'deny','delay':'PT1H'}            | /delay    | is not a known field
      {'id':'x','kind':'approval','groups':[{'group':'finance','threshold':1}],'window':'spend'} | /window | is not a known field
      {'id':'x','kind':'permit','mode':'observe'}        | /mode     | is not a known field
      {'id':'x','kind':'permit','match':[]}              | /match    | must be an object
      {'id':'x','kind':'permit','match':null}            | /match    | must not be null
      {'id':'x','kind':'permit','active':1}              | /active   | must be an object
      {'id':'x','kind':'permit','active':{}}             | /active/cron | is required
      {'id':'x','kind':'permit','active':{}}             | /active/for  | is required
      {'id':'x','kind':'permit','active':{}}             | /active/zone | is required
      {'id':'x','kind':'permit','active':{'cron':'0 25 * * *','for':'PT1H','zone':'UTC'}} | /active/cron | is not within 0-23
      {'id':'x','kind':'permit','unless':{'cron':'0 0 30 2 *','for':'PT1H','zone':'UTC'}} | /unless/cron | never comes
      {'id':'x','kind':'permit','unless':{'cron':'0 9 * * *','for':'P8D','zone':'UTC'}} | /unless/for | from 1 minute to 7 days
      {'id':'x','kind':'permit','unless':{'cron':'0 9 * * *','for':'P1M','zone':'UTC'}} | /unless/for | must be a duration
      {'id':'x','kind':'permit','unless':{'cron':'0 9 * * *','for':'PT1H','zone':'Mars/Olympus'}} | /unless/zone | is not a time zone
      {'id':'x','kind':'permit','unless':{'cron':'0 9 * * *','for':'PT1H','zone':'+02:00'}} | /unless/zone | is not a time zone
      {'id':'x','kind':'permit','unless':{'cron':'0 9 * * *','for':'PT1H','zone':'UTC','x':1}} | /unless/x | is not a known field
      """)
  void refusesRules(String rule, String pointer, String message) {
    assertFault(document(rule), "/rules/0" + pointer, message);
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
      {'assets':['XYZ']}                    | /assets/0     | is not a registered asset
      {'assets':['USDC','US DC']}           | /assets/1     | must be the symbol
      {'assets':'USDC'}                     | /assets       | must be an array
      {'assets':[]}                         | /assets       | must have 1 to 100
      {'currency':'GBP'}                    | /currency     | is not the currency of any registered asset
      {'currency':'usd'}                    | /currency     | must be 3 to 8 capital letters
      {'currency':['USD']}                  | /currency     | must be a text
      {'chains':['8453']}                   | /chains/0     | must be a CAIP-2 name
      {'payees':'vendors@3'}                | /payees       | must be an object
      {'payees':{}}                         | /payees/in    | or else `notIn` must be there
      {'payees':{'in':'vendors@3'}}         | /payees/in    | is not a version of a set
      {'payees':{'in':'vendors'}}           | /payees/in    | such as `vendors@3`
      {'payees':{'in':'sites@1'}}           | /payees/in    | is not a set of addresses
      {'payees':{'notIn':'vendors@0'}}      | /payees/notIn | such as `vendors@3`
      {'payees':{'notIn':7}}                | /payees/notIn | must be a list of addresses
      {'payees':{'in':['vendors@3']}}       | /payees/in/0  | 40 hexadecimal digits
      {'payees':{'in':['0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed']}} | /payees/in/0 | wrong EIP-55 checksum
      {'payees':{'in':['A'],'notIn':['A']}} | /payees/in    | not both
      {'payees':{'except':[]}}              | /payees/except | is not a known field
      {'amount':{'above':'5'}}              | /amount/above | exactly one asset or one currency
      {'assets':['USDC','DAI'],'amount':{'to':'5'}} | /amount/to | exactly one asset or one currency
      {'assets':['USDC'],'amount':{}}       | /amount/from  | or else `to` or `above` must be there
      {'assets':['USDC'],'amount':{'from':'1','above':'1'}} | /amount/above | exclude each other
      {'assets':['USDC'],'amount':{'from':5}}     | /amount/from | must be a text
      {'assets':['USDC'],'amount':{'from':'-1'}}  | /amount/from | must be a plain decimal
      {'assets':['USDC'],'amount':{'from':'1e3'}} | /amount/from | must be a plain decimal
      {'assets':['USDC'],'amount':{'from':'0.0000001'}} | /amount/from | at most 6
      {'assets':['USDC'],'amount':{'under':'1'}}  | /amount/under | is not a known field
      {'methods':['send']}                  | /methods/0    | must be `transfer`
      {'hosts':['API.example.com']}         | /hosts/0      | must be a host in lower case
      {'hosts':['https://a.com']}           | /hosts/0      | must be a host in lower case
      {'hosts':['*']}                       | /hosts/0      | must be a host in lower case
      {'hosts':['a.*.com']}                 | /hosts/0      | must be a host in lower case
      {'categories':['']}                   | /categories/0 | must be a text of 1 to 64
      {'agents':['wal_01920000000070008000000000000101']} | /agents/0 | must be the identifier of an agent
      {'wallets':['x']}                     | /wallets/0    | must be the identifier of a wallet
      {'recipients':[]}                     | /recipients   | is not a known field
      """)
  void refusesMatches(String match, String pointer, String message) {
    assertFault(document("{'id':'x','kind':'permit','match':" + match + "}"), "/rules/0/match" + pointer, message);
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
      'match':USDC                                                   | /max      | a limit must limit something
      'match':USDC,'max':'5'                                         | /window   | is required with `max`
      'maxCount':5                                                | /window   | is required with `max`
      'max':'5','window':'lifetime'                               | /max      | exactly one asset or one currency
      'match':{'currency':'USD','chains':['x']},'max':'5','window':'lifetime' | /match/chains/0 | CAIP-2
      'min':'5'                                                   | /min      | exactly one asset or one currency
      'match':{'assets':['USDC','DAI']},'max':'5','window':'spend' | /max     | exactly one asset or one currency
      'match':USDC,'max':'0.0000001','window':'spend'                | /max      | at most 6
      'match':{'assets':['USDT']},'max':'0.0000001','window':'spend' | /max   | at most 6
      'match':{'assets':['DAI']},'max':'0.0000000000000000001','window':'spend' | /max | at most 18
      'match':USDC,'max':5,'window':'spend'                          | /max      | must be a text
      'match':USDC,'max':'0','window':'spend'                        | /max      | must be more than zero
      'match':USDC,'max':'-1','window':'spend'                       | /max      | must be a plain decimal
      'match':USDC,'max':'1e3','window':'spend'                      | /max      | must be a plain decimal
      'match':USDC,'max':'0x10','window':'spend'                     | /max      | must be a plain decimal
      'match':{'assets':['POINT']},'max':'115792089237316195423570985008687907853269984665640564039457584007913129639936','window':'spend' | /max | 2^256
      'match':USDC,'min':'2','max':'1','window':'spend'              | /min      | is more than `max`
      'match':USDC,'min':'2','max':'1','window':'lifetime'           | /min      | is more than `max`
      'match':USDC,'min':'1','window':'lifetime'                     | /window   | is of no use
      'match':USDC,'min':'1','window':{'rolling':'PT1H'}             | /window   | is of no use
      'maxCount':0,'window':'lifetime'                            | /maxCount | from 1 to 1000000000
      'maxCount':'5','window':'lifetime'                          | /maxCount | from 1 to 1000000000
      'maxCount':5,'window':'spend'                               | /maxCount | needs a window
      'match':USDC,'max':'5','window':'spend','per':['wallet']       | /per      | is of no use
      'match':USDC,'min':'5','per':['wallet']                        | /per      | is of no use
      'maxCount':5,'window':'lifetime','per':['galaxy']           | /per/0    | must be `tenant`
      'maxCount':5,'window':'lifetime','per':[]                   | /per      | must have 1 to 6
      'maxCount':5,'window':'lifetime','per':'wallet'             | /per      | must be an array
      'maxCount':5,'window':'day'                                 | /window   | must be `spend`, `lifetime`
      'maxCount':5,'window':7                                     | /window   | must be `spend`, `lifetime`
      'maxCount':5,'window':{}                                    | /window/rolling | is required
      'maxCount':5,'window':{'rolling':'24h'}                     | /window/rolling | must be a duration
      'maxCount':5,'window':{'rolling':'P1M'}                     | /window/rolling | must be a duration
      'maxCount':5,'window':{'rolling':'P1Y'}                     | /window/rolling | must be a duration
      'maxCount':5,'window':{'rolling':'P'}                       | /window/rolling | must be a duration
      'maxCount':5,'window':{'rolling':'PT'}                      | /window/rolling | must be a duration
      'maxCount':5,'window':{'rolling':'P1DT'}                    | /window/rolling | must be a duration
      'maxCount':5,'window':{'rolling':'-PT1H'}                   | /window/rolling | must be a duration
      'maxCount':5,'window':{'rolling':'PT0.5S'}                  | /window/rolling | must be a duration
      'maxCount':5,'window':{'rolling':'PT0S'}                    | /window/rolling | from 1 second to 366 days
      'maxCount':5,'window':{'rolling':'P367D'}                   | /window/rolling | from 1 second to 366 days
      'maxCount':5,'window':{'rolling':3600}                      | /window/rolling | must be a text
      'maxCount':5,'window':{'rolling':'PT1H','zone':'UTC'}       | /window/zone | is not a known field
      'maxCount':5,'window':{'calendar':'year','zone':'UTC'}      | /window/calendar | must be `hour`, `day`
      'maxCount':5,'window':{'calendar':'day'}                    | /window/zone | is required
      'maxCount':5,'window':{'calendar':'day','zone':'UTC','rolling':'PT1H'} | /window/rolling | is not a known field
      'maxCount':5,'window':'lifetime','overdraft':'1'            | /overdraft | is not a known field
      """)
  void refusesLimits(String fields, String pointer, String message) {
    assertFault(document("{'id':'x','kind':'limit'," + fields.replace(":USDC", ":{'assets':['USDC']}") + "}"),
        "/rules/0" + pointer, message);
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
      ``                                                        | /groups               | is required
      ,'groups':[]                                              | /groups               | must have 1 to 100
      ,'groups':['finance']                                     | /groups/0             | must be an object
      ,'groups':[{'threshold':1}]                               | /groups/0/group       | is required
      ,'groups':[{'group':'finance'}]                           | /groups/0/threshold   | is required
      ,'groups':[{'group':'nobody','threshold':1}]              | /groups/0/group       | is not an approver group
      ,'groups':[{'group':'finance','threshold':4}]             | /groups/0/threshold   | is more than the 3 members
      ,'groups':[{'group':'finance','threshold':0}]             | /groups/0/threshold   | from 1 to 100
      ,'groups':[{'group':'legal','threshold':1},{'group':'legal','threshold':2}] | /groups/1/group | is named twice
      ,'groups':[{'group':'legal','threshold':1,'quorum':1}]    | /groups/0/quorum      | is not a known field
      ,'groups':[{'group':'legal','threshold':1}],'expiresAfter':'PT59S' | /expiresAfter | from 1 minute to 30 days
      ,'groups':[{'group':'legal','threshold':1}],'expiresAfter':'P31D'  | /expiresAfter | from 1 minute to 30 days
      ,'groups':[{'group':'legal','threshold':1}],'expiresAfter':3600    | /expiresAfter | must be a text
      ,'groups':[{'group':'legal','threshold':1}],'delay':'PT0S'         | /delay | from 1 second to 30 days
      ,'groups':[{'group':'legal','threshold':1}],'delay':'PT721H'       | /delay | from 1 second to 30 days
      ,'groups':[{'group':'legal','threshold':1}],'delay':60             | /delay | must be a text
      """)
  void refusesApprovals(String fields, String pointer, String message) {
    assertFault(document("{'id':'x','kind':'approval'" + fields + "}"), "/rules/0" + pointer, message);
  }

  @Test
  void namesAllFaultsAtOnceAndNoneTwice() {
    var refused = (Refused) parse(
        """
        {'rules': [{'id': 'X', 'kind': 'limit', 'match': {'assets': ['NOPE'], 'x': 1}, 'max': '1e3', 'window': 'day'},
                   {'id': 'y', 'kind': 'permit', 'unless': {'cron': '*'}}, {'kind': 'never', 'max': '1'}], 'more': 1}""");

    assertThat(refused.faults()).extracting(Fault::pointer).containsExactlyInAnyOrder("/name", "/rules/0/id",
        "/rules/0/match/assets/0", "/rules/0/match/x", "/rules/0/max", "/rules/0/window", "/rules/1/unless/cron",
        "/rules/1/unless/for", "/rules/1/unless/zone", "/rules/2/id", "/rules/2/kind", "/more");
  }

  @ParameterizedTest
  @ValueSource(strings = {"'match':{'assets':['USDT'],'chains':['eip155:56']},'max':'0.0000001','window':'spend'",
      "'match':{'currency':'USD'},'max':'0.0000001','window':'spend'", "'match':{'assets':['USDC']},'min':'1'",
      "'match':{'assets':['USDC','DAI'],'currency':'USD'},'max':'1','window':'lifetime'",
      "'maxCount':1,'window':{'rolling':'P1DT1H1M1S'}", "'maxCount':1,'window':{'rolling':'P366D'}"})
  void acceptsWhatIsJustWithinBounds(String fields) {
    assertThat(parse(document("{'id':'x','kind':'limit'," + fields + "}"))).isInstanceOf(Parsed.class);
  }

  @Test
  void boundsEveryList() {
    var addresses = IntStream.range(0, 1_001).mapToObj(i -> "'0x%040x'".formatted(i + 1)).toList();
    var rule = "{'id':'x','kind':'permit','match':{'payees':{'in':[%s]}}}";
    assertThat(parse(document(rule.formatted(String.join(",", addresses.subList(0, 1_000))))))
        .isInstanceOf(Parsed.class);
    assertFault(document(rule.formatted(String.join(",", addresses))), "/rules/0/match/payees/in",
        "must have 1 to 1000");
    var rules = IntStream.range(0, 10_001).mapToObj(i -> "{'id':'r" + i + "','kind':'permit'}").toList();
    assertThat(parse(document(String.join(",", rules.subList(0, 10_000))))).isInstanceOf(Parsed.class);
    assertFault(document(String.join(",", rules)), "/rules", "must have 1 to 10000");
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
      {'id':'a','kind':'deny'}                                                                | /rules | permits nothing
      P,{'id':'a','kind':'deny','match':{'assets':['USDC'],'amount':{'from':'2','to':'1'}}}   | /rules/1/match/amount | can never match
      P,{'id':'a','kind':'deny','match':{'assets':['USDC'],'amount':{'above':'1','to':'1'}}}  | /rules/1/match/amount | can never match
      P,{'id':'a','kind':'deny','match':{'assets':['EURC'],'currency':'USD'}}                 | /rules/1/match | can never match
      P,{'id':'a','kind':'deny','match':{'chains':['eip155:1']}}                              | /rules/1/match | can never match
      P,D100,D200                                                                             | /rules/2 | is idle: `d100`
      P,D200,D100                                                                             | /rules/1 | is idle: `d100`
      P,W100,D100                                                                             | /rules/2 | is idle: `w100`
      P,W100,S100                                                                             | /rules/2 | is idle: `w100`
      """)
  void warnsOfWhatCanHardlyBeMeant(String rules, String pointer, String message) {
    assertThat(parsed(document(expanded(rules))).warnings()).singleElement()
        .satisfies(warning -> assertThat(warning.pointer()).isEqualTo(pointer))
        .satisfies(warning -> assertThat(warning.message()).contains(message));
  }

  @ParameterizedTest
  @ValueSource(strings = {"P,D100,W200", "P,D200,S100",
      "P,D100,{'id':'x','kind':'limit','match':{'assets':['USDC']},'max':'200','window':'lifetime'}",
      "P,D100,{'id':'x','kind':'limit','match':{'assets':['USDC']},'max':'200','maxCount':5,'window':{'rolling':'P1D'}}",
      "P,D100,{'id':'x','kind':'limit','match':{'assets':['USDC']},'min':'1','max':'200','window':{'rolling':'P1D'}}",
      "P,D100,{'id':'x','kind':'limit','match':{'assets':['USDC']},'max':'200','window':{'rolling':'P1D'},'per':['tenant']}",
      "P,D100,{'id':'x','kind':'limit','match':{'assets':['DAI']},'max':'200','window':{'rolling':'P1D'}}"})
  void doesNotWarnOfLimitsThatMatter(String rules) {
    assertThat(parsed(document(expanded(rules))).warnings()).isEmpty();
  }

  private static String expanded(String rules) {
    return rules.replaceAll("\\bP\\b", PERMIT)
        .replaceAll("\\b([DWS])(\\d00)\\b",
            "{'id':'$1$2','kind':'limit','match':{'assets':['USDC']},'max':'$2','window':$1w}")
        .replace("Dw", "{'rolling':'P1D'}").replace("Ww", "{'rolling':'P7D'}").replace("Sw", "'spend'")
        .replace("'id':'D", "'id':'d")
        .replace("'id':'W", "'id':'w").replace("'id':'S", "'id':'s");
  }

  @Test
  void mutatedDocumentsAreReadOrRefusedAndNothingElse() {
    var bytes = FULL.replace('\'', '"').getBytes(StandardCharsets.UTF_8);
    for (long seed = 1; seed <= 5_000; seed++) {
      var random = new Random(seed);
      var mutated = bytes.clone();
      for (int i = 0; i <= random.nextInt(3); i++) {
        int at = random.nextInt(mutated.length);
        mutated[at] = random.nextBoolean() ? (byte) (32 + random.nextInt(95)) : mutated[random.nextInt(mutated.length)];
      }
      Json document;
      try {
        document = JsonText.parse(mutated);
      } catch (JsonText.Malformed e) {
        continue;
      }
      var result = PolicyJson.parse(document, Scenario.CONTEXT);
      if (result instanceof Parsed parsed) {
        assertThat(PolicyJson.load(document)).as("seed %d", seed).isEqualTo(parsed.policy());
      }
    }
  }

  private static PolicyJson.Result parse(String document) {
    return PolicyJson.parse(Scenario.json(document), Scenario.CONTEXT);
  }

  private static Parsed parsed(String document) {
    var result = parse(document);
    assertThat(result).as(document).isInstanceOf(Parsed.class);
    return (Parsed) result;
  }

  private static String document(String rules) {
    return "{'name':'n','rules':[" + rules + "]}";
  }

  private static void assertFault(String document, String pointer, String message) {
    var result = parse(document);
    assertThat(result).as(document).isInstanceOf(Refused.class);
    assertThat(((Refused) result).faults()).as(document)
        .anyMatch(fault -> fault.pointer().equals(pointer) && fault.message().contains(message))
        .allMatch(fault -> !fault.message().endsWith("."));
  }
}
