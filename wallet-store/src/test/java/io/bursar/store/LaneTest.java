package io.bursar.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.stream.Stream;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import io.bursar.policy.Policy;
import io.bursar.store.Lane.Outcome;
import io.bursar.store.SettlementModes.Mode;

class LaneTest {
  private static final String PERMIT = """
      {"id":"any","kind":"permit"}""";
  private static final String DAILY = """
      {"id":"daily","kind":"limit","match":{"assets":["USDC"]},"max":"10","window":{"rolling":"PT24H"}}""";

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

  private String decide(String key, String amount) throws Exception {
    return status(lane.decide(List.of(fixture.request(key, amount))).getFirst());
  }

  private static String status(Outcome outcome) {
    return switch (outcome) {
      case Outcome.Decided(var spend) -> spend.status();
      case Outcome.Replayed(var id) -> "replayed";
      case Outcome.KeyReused(var id) -> "key reused";
    };
  }

  @Test
  void deniesWithoutAnyPolicy() throws Exception {
    assertThat(decide("k", "1")).isEqualTo("denied");
  }

  @Test
  void deniesWhatWouldExceedTheLimitByOneUnit() throws Exception {
    fixture.attach(Policy.Target.WALLET, fixture.wallet, PERMIT + "," + DAILY);
    assertThat(decide("a", "4")).isEqualTo("authorized");
    assertThat(decide("b", "6.000001")).isEqualTo("denied");
    assertThat(decide("c", "6")).isEqualTo("authorized");
    assertThat(decide("d", "0.000001")).isEqualTo("denied");
    assertThat(fixture.counters.differences(fixture.tenant)).isEmpty();
  }

  @Test
  void spendsOfOneBatchSeeEachOther() throws Exception {
    fixture.attach(Policy.Target.WALLET, fixture.wallet, PERMIT + "," + DAILY);
    var outcomes = lane
        .decide(List.of(fixture.request("a", "6"), fixture.request("b", "6"), fixture.request("c", "4")));
    assertThat(outcomes).map(LaneTest::status).containsExactly("authorized", "denied", "authorized");
  }

  @Test
  void answersARepeatedKeyFromTheFirst() throws Exception {
    fixture.attach(Policy.Target.WALLET, fixture.wallet, PERMIT + "," + DAILY);
    assertThat(decide("k", "6")).isEqualTo("authorized");
    assertThat(decide("k", "6")).isEqualTo("replayed");
    assertThat(decide("k", "5")).isEqualTo("key reused");
    var both = lane.decide(List.of(fixture.request("n", "1"), fixture.request("n", "1"), fixture.request("n", "2"),
        fixture.request("k", "6")));
    assertThat(both).map(LaneTest::status).containsExactly("authorized", "replayed", "key reused", "replayed");
    assertThat(fixture.counters.differences(fixture.tenant)).isEmpty();
    assertThat(fixture.value("SELECT count(*) FROM spend")).isEqualTo(2L);
  }

  @Test
  void twoLanesOfOneTenantNeverSpendMoreThanOneCould() throws Exception {
    fixture.attach(Policy.Target.WALLET, fixture.wallet, PERMIT + "," + DAILY);
    var other = fixture.lanes.open(fixture.tenant);
    int authorized = 0;
    for (int i = 0; i < 30; i++) {
      var turn = i % 2 == 0 ? lane : other;
      if (status(turn.decide(List.of(fixture.request("k" + i, "1"))).getFirst()).equals("authorized")) {
        authorized++;
      }
    }
    assertThat(authorized).isEqualTo(10);
    assertThat(fixture.counters.differences(fixture.tenant)).isEmpty();
  }

  @Test
  void readsTheWindowsOfABatchTogether() throws Exception {
    fixture.attach(Policy.Target.TENANT, fixture.tenant,
        PERMIT + "," + DAILY.replace("\"max\"", "\"per\":[\"wallet\"],\"max\""));
    var batch = Stream.generate(fixture::newWallet).limit(40)
        .map(wallet -> fixture.request(wallet, wallet.toString(), "6", Fixture.PAYEE)).toList();
    long before = transactions();
    assertThat(lane.decide(batch)).extracting(LaneTest::status).containsOnly("authorized");
    assertThat(transactions() - before).isBetween(1L, 10L);
    var second = batch.stream().map(request -> fixture.request(request.walletId(), "2" + request.walletId(), "6",
        Fixture.PAYEE)).toList();
    assertThat(lane.decide(second)).extracting(LaneTest::status).containsOnly("denied");
  }

  /** All that there have been in the database, of which a lane makes one for each of its statements. */
  private long transactions() throws Exception {
    Thread.sleep(1_100); // a connection counts them together once a second at the most, and when it is used
    decide(UUID.randomUUID().toString(), "0.000001");
    return (Long) java.util.Objects.requireNonNull(
        fixture.value("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"));
  }

  @Test
  void countsWhatWasSpentBeforeTheLimitWasAttached() throws Exception {
    fixture.attach(Policy.Target.WALLET, fixture.wallet, PERMIT);
    assertThat(decide("a", "9")).isEqualTo("authorized");
    fixture.attach(Policy.Target.WALLET, fixture.wallet, PERMIT + "," + DAILY);
    assertThat(decide("b", "2")).isEqualTo("denied");
    assertThat(decide("c", "1")).isEqualTo("authorized");
    assertThat(fixture.counters.differences(fixture.tenant)).isEmpty();
  }

  @Test
  void aChangedMaximumGoesOnFromTheSameCounts() throws Exception {
    fixture.attach(Policy.Target.WALLET, fixture.wallet, PERMIT + "," + DAILY);
    assertThat(decide("a", "9")).isEqualTo("authorized");
    fixture.attach(Policy.Target.WALLET, fixture.wallet, PERMIT + "," + DAILY.replace("\"10\"", "\"12\""));
    assertThat(decide("b", "4")).isEqualTo("denied");
    assertThat(decide("c", "3")).isEqualTo("authorized");
  }

  @Test
  void aDetachedTargetLeavesTheCounterOfTheOthers() throws Exception {
    var perAgent = DAILY.replace("\"rolling\":\"PT24H\"}", "\"rolling\":\"PT24H\"},\"per\":[\"agent\"]");
    var second = fixture.newWallet();
    fixture.attach(Policy.Target.WALLET, fixture.wallet, PERMIT + "," + perAgent);
    fixture.attach(Policy.Target.WALLET, second, PERMIT + "," + perAgent);
    assertThat(decide("a", "4")).isEqualTo("authorized");
    assertThat(status(lane.decide(List.of(fixture.request(second, "b", "4", Fixture.PAYEE))).getFirst()))
        .isEqualTo("authorized");
    assertThat(decide("c", "4")).isEqualTo("denied");
    fixture.policies.detach(fixture.tenant, Policy.Target.WALLET, second, "test");
    assertThat(fixture.counters.differences(fixture.tenant)).isEmpty();
    assertThat(decide("d", "6")).isEqualTo("authorized");
  }

  @Test
  void auditEntriesAreGaplessAndHashed() throws Exception {
    fixture.attach(Policy.Target.WALLET, fixture.wallet, PERMIT + "," + DAILY);
    for (int i = 0; i < 5; i++) {
      decide("k" + i, "3");
    }
    assertThat(fixture.value("SELECT count(*) = max(seq) AND min(seq) = 1 FROM audit_entry WHERE tenant_id = ?",
        fixture.tenant))
        .isEqualTo(true);
    assertThat(fixture.value("SELECT audit_seq FROM lane WHERE tenant_id = ?", fixture.tenant))
        .isEqualTo(fixture.value("SELECT max(seq) FROM audit_entry WHERE tenant_id = ?", fixture.tenant));
    assertThat(fixture.value("SELECT count(*) FROM audit_entry WHERE leaf_hash <> sha256('\\x00'::bytea || payload)"))
        .isEqualTo(0L);
  }

  @Test
  void aFrozenWalletAndASuspendedAgentAreDeniedFromTheNextDecisionOn() throws Exception {
    fixture.attach(Policy.Target.WALLET, fixture.wallet, PERMIT);
    assertThat(decide("a", "1")).isEqualTo("authorized");
    fixture.directory.freeze(fixture.tenant, fixture.wallet, true, "test");
    assertThat(decide("b", "1")).isEqualTo("denied");
    fixture.directory.freeze(fixture.tenant, fixture.wallet, false, "test");
    assertThat(decide("c", "1")).isEqualTo("authorized");
    fixture.directory.suspend(fixture.tenant, fixture.agent, true, "test");
    assertThat(decide("d", "1")).isEqualTo("denied");
  }

  @Test
  void aSpendIsSettledAsItsAssetAndWalletSayWhenItIsDecidedInEveryLane() throws Exception {
    fixture.attach(Policy.Target.WALLET, fixture.wallet, PERMIT);
    var lanes = List.of(lane, fixture.lanes.open(fixture.tenant));
    var modes = new SettlementModes(fixture.database, fixture.audit);
    assertThat(modesOf(lanes, "first")).containsOnly("direct");
    modes.relay(fixture.tenant, fixture.usdc.id(), new RelayedPayment.Token("USD Coin", "2"), "test");
    assertThat(modesOf(lanes, "asset")).containsOnly("relayed");
    modes.setWallet(fixture.tenant, fixture.wallet, Optional.of(Mode.DIRECT), "test");
    assertThat(modesOf(lanes, "wallet")).containsOnly("direct");
    modes.setAsset(fixture.tenant, fixture.usdc.id(), Mode.DIRECT, "test");
    modes.setWallet(fixture.tenant, fixture.wallet, Optional.empty(), "test");
    assertThat(modesOf(lanes, "neither")).containsOnly("direct");
    modes.setWallet(fixture.tenant, fixture.wallet, Optional.of(Mode.RELAYED), "test");
    assertThat(modesOf(lanes, "its own")).containsOnly("relayed");
  }

  @Test
  void aTokenThatTakesNoAuthorizationsIsSettledDirectlyWhateverTheWalletSays() throws Exception {
    fixture.attach(Policy.Target.WALLET, fixture.wallet, PERMIT);
    new SettlementModes(fixture.database, fixture.audit).setWallet(fixture.tenant, fixture.wallet,
        Optional.of(Mode.RELAYED), "test");
    assertThat(modesOf(List.of(lane), "first")).containsOnly("direct");
  }

  /** How one spend of each lane is settled. */
  private List<Object> modesOf(List<Lane> lanes, String key) throws Exception {
    var modes = new ArrayList<Object>();
    for (var each : lanes) {
      var decided = (Outcome.Decided) each.decide(List.of(fixture.request(key + modes.size(), "1"))).getFirst();
      modes.add(fixture.value("SELECT mode FROM payment WHERE spend_id = ?", decided.spend().id()));
    }
    return modes;
  }

  @Test
  void readsBackWhatItAnswered() throws Exception {
    fixture.attach(Policy.Target.WALLET, fixture.wallet, PERMIT + "," + DAILY);
    var outcome = lane.decide(List.of(fixture.request("a", "11"))).getFirst();
    var decided = ((Outcome.Decided) outcome).spend();
    var read = fixture.spends.find(fixture.tenant, decided.id()).orElseThrow();
    assertThat(read.authorization().entry()).isEqualTo(decided.authorization().entry());
    assertThat(read.authorization().decision().get("maxAmountNow")).hasToString("Str[value=10]");
    assertThat(fixture.spends.find(UUID.randomUUID(), decided.id())).isEmpty();
  }
}
