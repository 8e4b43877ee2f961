package io.bursar.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.policy.Decision;
import io.bursar.policy.EntryBound;
import io.bursar.policy.Policy;
import io.bursar.policy.PolicyContext;
import io.bursar.policy.PolicyJson;
import io.bursar.policy.Replay;
import io.bursar.store.Lane.Outcome;

/** So many rules look at one spend that its entry has no room for what they say. */
class EntryBoundTest {
  private static final String PERMIT = """
      {"id":"any","kind":"permit"}""";

  private Fixture fixture;
  private Lane lane;

  @BeforeEach
  void open() {
    fixture = new Fixture();
    lane = fixture.lanes.open(fixture.tenant);
  }

  @AfterEach
  void close() {
    fixture.close();
  }

  private static String limits(int number) {
    return PERMIT + "," + IntStream.range(0, number).mapToObj(i -> """
        {"id":"limit-%d","kind":"limit","match":{"assets":["USDC"]},"max":"%d","window":{"rolling":"PT24H"}}"""
        .formatted(i, 100 + i)).collect(Collectors.joining(","));
  }

  private static String status(Outcome outcome) {
    return outcome instanceof Outcome.Decided(var spend) ? spend.status() : outcome.toString();
  }

  private byte[] entry(String key) {
    return (byte[]) Objects.requireNonNull(fixture.value("""
        SELECT a.payload FROM audit_entry a JOIN spend s ON s.tenant_id = a.tenant_id AND s.audit_seq = a.seq
        WHERE s.idempotency_key = ?""", key));
  }

  private Replay replay(PolicyStore.PolicyVersion version) {
    return new Replay(
        (id, of) -> Optional.of(fixture.policies.find(fixture.tenant, version.policyId(), version.version())
            .map(found -> Replay.policy(of, found.document())).orElseThrow()));
  }

  private void deniesAndDecidesAgain(int limits, boolean keepsReadings) throws Exception {
    var policy = fixture.attach(Policy.Target.WALLET, fixture.wallet, limits(limits));
    var other = fixture.newWallet();
    fixture.attach(Policy.Target.WALLET, other, PERMIT);
    var rehearsed = lane.rehearse(fixture.request("dry", "1")).decision();
    var outcomes = lane.decide(List.of(fixture.request(other, "before", "1", Fixture.PAYEE),
        fixture.request("many", "1"), fixture.request(other, "after", "1", Fixture.PAYEE)));
    assertThat(outcomes).map(EntryBoundTest::status).containsExactly("authorized", "denied", "authorized");
    assertThat(rehearsed.effect()).isEqualTo(Decision.Effect.DENY);
    assertThat(rehearsed.reasons()).singleElement().satisfies(reason -> {
      assertThat(reason.code()).isEqualTo(Decision.Code.EVALUATION_ERROR);
      assertThat(reason.message()).contains("more rules").contains("attach fewer");
    });
    var payload = entry("many");
    var entry = (Json.Obj) JsonText.parse(payload);
    assertThat(payload.length).isLessThanOrEqualTo(EntryBound.BYTES_MAX);
    var reasons = ((Json.Obj) Objects.requireNonNull(entry.get("decision"))).get("reasons");
    assertThat(String.valueOf(reasons)).contains("EVALUATION_ERROR").contains("attach fewer");
    assertThat(((Json.Arr) Objects.requireNonNull(entry.get("readings"))).items().isEmpty())
        .isEqualTo(!keepsReadings);
    assertThat(replay(policy).again(payload)).isEqualTo(new Replay.Same());
    assertThat(fixture.counters.differences(fixture.tenant)).isEmpty();
    assertThat(fixture.value("SELECT count(*) FROM payment")).isEqualTo(2L);
  }

  @Test
  void deniesWhatItsEntryHasNoRoomForAndLetsTheRestOfTheBatchGoOn() throws Exception {
    deniesAndDecidesAgain(350, true);
  }

  @Test
  void deniesWhereNotEvenWhatWasReadHasRoom() throws Exception {
    deniesAndDecidesAgain(900, false);
  }

  @Test
  void decidesInFullWhatHasRoom() throws Exception {
    var policy = fixture.attach(Policy.Target.WALLET, fixture.wallet, limits(200));
    assertThat(status(lane.decide(List.of(fixture.request("k", "1"))).getFirst())).isEqualTo("authorized");
    assertThat(replay(policy).again(entry("k"))).isEqualTo(new Replay.Same());
  }

  @Test
  void findsADenialThatClaimsToHaveHadNoRoom() throws Exception {
    fixture.attach(Policy.Target.WALLET, fixture.wallet, limits(900));
    lane.decide(List.of(fixture.request("many", "1")));
    var small = fixture.attach(Policy.Target.WALLET, fixture.wallet, limits(2));
    lane.decide(List.of(fixture.request("few", "1")));
    var many = (Json.Obj) Objects.requireNonNull(((Json.Obj) JsonText.parse(entry("many"))).get("decision"));
    var few = (Json.Obj) JsonText.parse(entry("few"));
    var claimed = Json.object();
    few.members().forEach(claimed::put);
    var decision = Json.object();
    many.members().forEach(decision::put);
    decision.put("policies", ((Json.Obj) Objects.requireNonNull(few.get("decision"))).get("policies"));
    claimed.put("decision", decision.build()).put("readings", new Json.Arr(List.of()));
    assertThat(replay(small).again(JsonText.canonical(claimed.build()))).isInstanceOf(Replay.Different.class);
  }

  @Test
  void validationWarnsOfAPolicyThatMayDoSo() {
    assertThat(warnings(limits(350))).anyMatch(warning -> warning.contains("may look at one spend of USDC"));
    assertThat(warnings(limits(20))).noneMatch(warning -> warning.contains("may look at one spend"));
    var apart = PERMIT + "," + IntStream.range(0, 500).mapToObj(i -> """
        {"id":"limit-%d","kind":"limit","match":{"assets":["USDC"],"payees":{"in":["%s"]}},"max":"9",\
        "window":{"rolling":"PT24H"}}""".formatted(i, Fixture.address(i))).collect(Collectors.joining(","));
    assertThat(warnings(apart)).noneMatch(warning -> warning.contains("may look at one spend"));
  }

  private List<String> warnings(String rules) {
    var document = Fixture.json("{\"name\":\"p\",\"rules\":[" + rules + "]}");
    var context = new PolicyContext(List.of(fixture.usdc.asset()), java.util.Map.of());
    return ((PolicyJson.Parsed) PolicyJson.parse(document, context)).warnings().stream()
        .map(PolicyJson.Warning::message).toList();
  }
}
