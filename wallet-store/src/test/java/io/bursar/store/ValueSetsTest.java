package io.bursar.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.UUID;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.policy.Policy;
import io.bursar.policy.PolicyContext;
import io.bursar.policy.PolicyJson;
import io.bursar.policy.Replay;
import io.bursar.policy.ValueSet.Kind;

/** Sets of values in versions, and policies that name them, have conditions or only observe, as a lane decides them. */
class ValueSetsTest {
  private static final String VENDORS = """
      {"id":"vendors","kind":"permit","match":{"payees":{"in":"vendors@%d"}}}""";

  private Fixture fixture;
  private ValueSets sets;

  @BeforeEach
  void open() {
    fixture = new Fixture();
    sets = new ValueSets(fixture.database, fixture.audit);
  }

  @AfterEach
  void close() {
    fixture.close();
  }

  private static SortedSet<String> addresses(int... numbers) {
    var addresses = new TreeSet<String>();
    for (int number : numbers) {
      addresses.add(Fixture.address(number).toString());
    }
    return addresses;
  }

  private void attach(Policy.Target target, UUID targetId, String rules) {
    fixture.attach(target, targetId, rules);
  }

  private Spend ask(Spend.Request request) throws Exception {
    var outcome = fixture.lanes.open(fixture.tenant).decide(List.of(request)).getFirst();
    return ((Lane.Outcome.Decided) outcome).spend();
  }

  @Test
  void aVersionNeverChangesAndAPolicyStaysWithItsOwn() throws Exception {
    sets.create(fixture.tenant, "vendors", Kind.ADDRESSES, addresses(0xbeef), "test");
    attach(Policy.Target.WALLET, fixture.wallet, VENDORS.formatted(1));
    assertThat(ask(fixture.request("a", "1")).status()).isEqualTo("authorized");

    var second = sets.addVersion(fixture.tenant, "vendors", addresses(7), "test");
    assertThat(second.reference()).isEqualTo("vendors@2");
    assertThat(ask(fixture.request("b", "1")).status()).isEqualTo("authorized");

    attach(Policy.Target.WALLET, fixture.wallet, VENDORS.formatted(2));
    assertThat(ask(fixture.request("c", "1")).status()).isEqualTo("denied");
    assertThat(ask(fixture.request(fixture.wallet, "d", "1", Fixture.address(7))).status()).isEqualTo("authorized");
    assertThatThrownBy(() -> fixture.database.sql().sql("UPDATE value_set_version SET version = 9").update())
        .rootCause().hasMessageContaining("permission denied");
  }

  @Test
  void theSameValuesAgainAreTheSameVersionAndANameIsTakenOnce() {
    var first = sets.create(fixture.tenant, "v", Kind.STRINGS, new TreeSet<>(List.of("b", "a")), "test").orElseThrow();
    assertThat(sets.addVersion(fixture.tenant, "v", new TreeSet<>(List.of("a", "b")), "test").version()).isEqualTo(1);
    assertThat(sets.create(fixture.tenant, "v", Kind.HOSTS, new TreeSet<>(List.of("a.com")), "test")).isEmpty();
    assertThat(sets.versions(fixture.tenant, "v")).containsExactly(first);
    assertThat(first.digest()).isEqualTo(PolicyJson.version(Json.strings(List.of("a", "b"))));
    assertThat(
        fixture.value("SELECT string_agg(kind, ',' ORDER BY seq) FROM audit_entry WHERE kind LIKE 'value_set.%'"))
        .isEqualTo("value_set.version_created,value_set.version_repeated");
  }

  @Test
  void aHundredThousandValuesAreKeptPagedAndLookedUp() throws Exception {
    var many = new TreeSet<String>();
    for (int i = 0; i < 100_000; i++) {
      many.add(Fixture.address(i).toString());
    }
    assertThat(sets.create(fixture.tenant, "vendors", Kind.ADDRESSES, many, "test").orElseThrow().size())
        .isEqualTo(100_000);
    var read = new TreeSet<String>();
    var page = new Page.Request(Optional.empty(), 500);
    for (int i = 0; i < 3; i++) {
      var values = sets.values(fixture.tenant, "vendors", 1, page).orElseThrow();
      read.addAll(values.items());
      page = new Page.Request(values.nextAfter(), 500);
    }
    assertThat(read).containsExactlyElementsOf(many.stream().limit(1_500).toList());
    attach(Policy.Target.WALLET, fixture.wallet, VENDORS.formatted(1));
    assertThat(ask(fixture.request(fixture.wallet, "a", "1", Fixture.address(99_999))).status())
        .isEqualTo("authorized");
    assertThat(ask(fixture.request(fixture.wallet, "b", "1", Fixture.address(100_000))).status()).isEqualTo("denied");
  }

  @Test
  void theSameDocumentMeansTheSetOfItsOwnTenant() throws Exception {
    sets.create(fixture.tenant, "vendors", Kind.ADDRESSES, addresses(0xbeef), "test");
    attach(Policy.Target.WALLET, fixture.wallet, VENDORS.formatted(1));
    assertThat(ask(fixture.request("a", "1")).status()).isEqualTo("authorized");

    var other = fixture.directory.createTenant("other", "test").orElseThrow().id();
    var agent = fixture.directory.createAgent(other, "buyer", "test").id();
    var usdc = fixture.directory.registerAsset(other, fixture.usdc.asset(), "test").orElseThrow();
    var wallet = fixture.directory.createWallet(other, UUID.randomUUID(), agent, Fixture.CHAIN, Fixture.address(5), "w",
        "test").id();
    sets.create(other, "vendors", Kind.ADDRESSES, addresses(7), "test");
    var draft = fixture.policies.create(other, "p",
        Fixture.json("{\"name\":\"p\",\"rules\":[" + VENDORS.formatted(1) + "]}"), "test");
    fixture.policies.publish(other, draft.policyId(), draft.version(), "test");
    fixture.policies.attach(other, Policy.Target.WALLET, wallet, draft.policyId(), draft.version(), "test");
    var mine = fixture.request("a", "1");
    var theirs = new Spend.Request(agent, wallet, "a", mine.fingerprint(), usdc, mine.amount(), mine.payee(), null,
        null,
        Spend.Text.NONE, null);

    assertThat(((Lane.Outcome.Decided) fixture.lanes.open(other).decide(List.of(theirs)).getFirst()).spend().status())
        .isEqualTo("denied");
    assertThat(sets.versions(other, "vendors")).hasSize(1);
  }

  @Test
  void aPolicyThatNamesAnUnknownVersionIsRefused() {
    sets.create(fixture.tenant, "vendors", Kind.ADDRESSES, addresses(7), "test");
    var context = new PolicyContext(List.of(fixture.usdc.asset()), java.util.Map.of(),
        fixture.policies.environment(fixture.tenant));
    var document = "{\"name\":\"p\",\"rules\":[" + VENDORS + ",{\"id\":\"d\",\"kind\":\"deny\",\"when\":"
        + "\"inSet(spend.payee, 'vendors@%1$d')\"}]}";

    assertThat(PolicyJson.parse(Fixture.json(document.formatted(1)), context)).isInstanceOf(PolicyJson.Parsed.class);
    assertThat(PolicyJson.parse(Fixture.json(document.formatted(2)), context))
        .isInstanceOfSatisfying(PolicyJson.Refused.class, refused -> assertThat(refused.faults())
            .extracting(fault -> fault.pointer())
            .containsExactlyInAnyOrder("/rules/0/match/payees/in", "/rules/1/when"));
  }

  @Test
  void whatAConditionReadsOfTheWordsIsReplayedWithoutThem() throws Exception {
    attach(Policy.Target.WALLET, fixture.wallet, """
        {"id":"any","kind":"permit"},
        {"id":"daily","kind":"limit","match":{"assets":["USDC"]},"max":"100","window":{"rolling":"PT24H"}},
        {"id":"scam","kind":"deny","when":"spend.purpose.contains('refund') && spend.amount > decimal('5')"}""");
    attach(Policy.Target.TENANT, fixture.tenant, """
        {"id":"any","kind":"permit"}""");
    var plain = fixture.request("a", "6");
    var request = new Spend.Request(plain.agentId(), plain.walletId(), "a", plain.fingerprint(), plain.asset(),
        plain.amount(), plain.payee(), null, null, new Spend.Text("a refund of yours", null, null), null);

    var spend = ask(request);

    assertThat(spend.status()).isEqualTo("denied");
    assertThat(spend.authorization().decision().get("maxAmountNow")).isEqualTo(new Json.Str("5"));
    var payload = (byte[]) java.util.Objects
        .requireNonNull(fixture.value("SELECT payload FROM audit_entry WHERE kind = 'authorization'"));
    assertThat(new String(payload, java.nio.charset.StandardCharsets.UTF_8)).doesNotContain("refund of yours")
        .contains("\"outcomes\":[\"fails\",\"fails\",\"holds\"]");
    var replay = new Replay((policyId, version) -> fixture.policies.find(fixture.tenant, policyId, version)
        .map(found -> PolicyDocuments.load(fixture.database, fixture.tenant, found.document())));
    assertThat(replay.again(payload)).isInstanceOf(Replay.Same.class);
    assertThat(JsonText.parse(payload)).isEqualTo(spend.authorization().entry());
  }

  @Test
  void aPolicyThatObservesIsRecordedAndHasNoSay() throws Exception {
    attach(Policy.Target.WALLET, fixture.wallet, """
        {"id":"any","kind":"permit"}""");
    var draft = fixture.policies.create(fixture.tenant, "p", Fixture.json("""
        {"name":"p","mode":"observe","rules":[{"id":"any","kind":"permit"},
          {"id":"small","kind":"limit","match":{"assets":["USDC"]},"max":"10","window":{"rolling":"PT24H"}}]}"""),
        "test");
    fixture.policies.publish(fixture.tenant, draft.policyId(), draft.version(), "test");
    fixture.policies.attach(fixture.tenant, Policy.Target.TENANT, fixture.tenant, draft.policyId(), draft.version(),
        "test");

    assertThat(ask(fixture.request("a", "8")).status()).isEqualTo("authorized");
    var spend = ask(fixture.request("b", "8"));

    assertThat(spend.status()).isEqualTo("authorized");
    assertThat(spend.authorization().decision().get("observed")).asString().contains("LIMIT_EXCEEDED");
    assertThat(fixture.counters.differences(fixture.tenant)).isEmpty();
  }
}
