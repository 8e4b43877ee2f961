package io.bursar.api.settlement;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import io.bursar.api.chain.Chain;
import io.bursar.api.testing.SettlementFixture.Wallet;
import io.bursar.api.treasury.FundingWorker;
import io.bursar.policy.Policy;
import io.bursar.store.Diagnosis;
import io.bursar.store.Fixture;
import io.bursar.store.FundingRules;
import io.bursar.store.FundingRules.Kind;
import io.bursar.store.FundingRules.Progress;
import io.bursar.store.FundingRules.Terms;
import io.bursar.store.Payment;
import io.bursar.store.PaymentState.Confirmed;
import io.bursar.store.Spend;

/** Rules that sweep a wallet to the treasury and top it up from there, by spends that are decided like any other. */
class FundingRulesTest extends ChainAndSigner {
  private static final FundingWorker.Settings PACE = new FundingWorker.Settings(Duration.ofMillis(50),
      Duration.ofMinutes(10), Duration.ofHours(1));

  private FundingRules rules;
  private Chain chain;
  private Wallet treasury;

  @BeforeEach
  void makeATreasury() {
    rules = new FundingRules(fixture.store.database, fixture.store.audit);
    chain = new Chain(anvil.settings(1));
    treasury = fixture.fundedWallet("100");
    anvil.rpc("evm_mine"); // money counts once its block is final
  }

  /** As a process that has just been started. */
  private FundingWorker worker() {
    var lane = fixture.store.lanes.open(fixture.store.tenant);
    return new FundingWorker(rules, fixture.store.directory, fixture.payments.funds(), (tenant, requests) -> {
      try {
        synchronized (lane) {
          return lane.decide(requests);
        }
      } catch (SQLException e) {
        throw new IllegalStateException(e);
      }
    }, Map.of(chain.name(), chain), PACE);
  }

  private void set(Wallet wallet, Kind kind, String threshold, String target) {
    rules.set(fixture.store.tenant, wallet.id(), List.of(terms(kind, threshold, target)), "test");
  }

  private Terms terms(Kind kind, String threshold, String target) {
    return new Terms(kind, fixture.usdc, Fixture.units(threshold), Fixture.units(target), treasury.id());
  }

  private Progress progress(Wallet wallet) {
    return rules.of(fixture.store.tenant, wallet.id()).getFirst().progress();
  }

  /** Looks at the rules until the one of a wallet has asked for so many spends. */
  private List<Spend> awaitAsked(FundingWorker worker, Wallet wallet, int count) {
    await().atMost(Duration.ofSeconds(20)).pollDelay(Duration.ZERO).pollInterval(Duration.ofMillis(50)).until(() -> {
      due();
      worker.work(chain);
      return progress(wallet).serial() >= count;
    });
    return asked();
  }

  private void due() {
    fixture.store.test
        .asAdministrator("UPDATE funding_rule SET due_at = now(), lease_until = '-infinity' WHERE note IS NULL");
  }

  /** Several looks, by the end of which whatever would be asked for has been. */
  private void look(FundingWorker worker, int times) {
    for (int i = 0; i < times; i++) {
      due();
      worker.work(chain);
    }
  }

  private List<Spend> asked() {
    return fixture.store.database.sql().sql("SELECT spend_id FROM spend WHERE category = 'funding' ORDER BY spend_id")
        .query(UUID.class).list().stream()
        .map(id -> fixture.store.spends.find(fixture.store.tenant, java.util.Objects.requireNonNull(id)).orElseThrow())
        .toList();
  }

  private void settle(Spend spend) {
    var key = new Payment.Key(fixture.store.tenant, spend.id());
    await().atMost(Duration.ofSeconds(20)).pollDelay(Duration.ZERO).pollInterval(Duration.ofMillis(50)).until(() -> {
      run(Effects.PLAIN);
      return fixture.state(key) instanceof Confirmed;
    });
    anvil.rpc("evm_mine");
  }

  @Test
  void aTopUpPaysExactlyWhatIsMissingOnceForEachNeed() {
    var wallet = fixture.fundedWallet("3");
    anvil.rpc("evm_mine");
    set(wallet, Kind.TOP_UP, "5", "8.5");
    var worker = worker();
    var first = awaitAsked(worker, wallet, 1);
    assertThat(first).hasSize(1);
    assertThat(first.getFirst().request().amount()).isEqualTo(Fixture.units("5.5"));
    assertThat(first.getFirst().request().walletId()).isEqualTo(treasury.id());
    look(worker, 5);
    look(worker(), 5);
    assertThat(asked()).as("one at a time").hasSize(1);
    settle(first.getFirst());
    look(worker, 10);
    assertThat(asked()).as("it is filled").hasSize(1);
    assertThat(anvil.balanceOf(wallet.address())).isEqualTo(Fixture.units("8.5"));
    settle(fixture.ask(wallet, "6", payee));
    var second = awaitAsked(worker, wallet, 2);
    assertThat(second.getLast().request().amount()).isEqualTo(Fixture.units("6"));
  }

  @Test
  void aSweepLeavesWhatItShouldAndCountsWhatIsReserved() {
    var wallet = fixture.fundedWallet("20");
    anvil.rpc("evm_mine");
    fixture.spend(wallet, "4", payee);
    fixture.spend(wallet, "2", payee);
    set(wallet, Kind.SWEEP, "14", "1");
    var worker = worker();
    look(worker, 10);
    assertThat(asked()).as("14 are available, and that is not more than 14").isEmpty();
    anvil.fund(wallet.address(), Fixture.units("0.5"));
    anvil.rpc("evm_mine");
    var swept = awaitAsked(worker, wallet, 1);
    assertThat(swept.getFirst().request().amount()).isEqualTo(Fixture.units("13.5"));
    assertThat(swept.getFirst().request().payee()).isEqualTo(treasury.address());
    settle(swept.getFirst());
    look(worker, 10);
    assertThat(asked()).hasSize(1);
  }

  @Test
  void twoProcessesAndOneThatWasKilledAfterAskingMakeOneSpend() throws Exception {
    var wallet = fixture.fundedWallet("1");
    anvil.rpc("evm_mine");
    set(wallet, Kind.TOP_UP, "2", "2");
    try (var threads = Executors.newFixedThreadPool(4)) {
      for (int round = 0; round < 5; round++) {
        var both = List.of(worker(), worker(), worker());
        List<Future<?>> done = new java.util.ArrayList<>();
        for (var worker : both) {
          done.add(threads.submit(() -> look(worker, 5)));
        }
        for (var each : done) {
          each.get();
        }
      }
    }
    awaitAsked(worker(), wallet, 1);
    assertThat(asked()).hasSize(1);
    // Killed between the decision and the note of it: what was missing has changed when the next process looks.
    fixture.store.test.asAdministrator("UPDATE funding_rule SET serial = 0, spend_id = NULL, open = false");
    fixture.store.test.asAdministrator("UPDATE payment SET state = 'failed', failure = 'test'");
    anvil.fund(wallet.address(), Fixture.units("0.25"));
    anvil.rpc("evm_mine");
    awaitAsked(worker(), wallet, 1);
    assertThat(asked()).as("its key finds what was asked for").hasSize(1);
    assertThat(progress(wallet).spendId()).isEqualTo(asked().getFirst().id());
  }

  @Test
  void whatPolicyDeniesIsAskedForSeldomEverMoreSeldomAndNeverPaid() {
    fixture.store.attach(Policy.Target.WALLET, treasury.id(), """
        {"id": "any", "kind": "permit"},
        {"id": "small", "kind": "limit", "match": {"assets": ["RUSDC"]}, "max": "1", "window": "spend"}""");
    var wallet = fixture.emptyWallet();
    set(wallet, Kind.TOP_UP, "5", "5");
    var worker = worker();
    assertThat(awaitAsked(worker, wallet, 1)).extracting(Spend::status).containsExactly("denied");
    look(worker, 10);
    assertThat(asked()).hasSize(1);
    assertThat(progress(wallet).note()).contains("was `denied`").contains("600 s later");
    assertThat(progress(wallet).dueAt()).isAfter(java.time.Instant.now().plusSeconds(500));
    fixture.store.test.asAdministrator("UPDATE funding_rule SET due_at = now()");
    worker.work(chain);
    assertThat(asked()).as("after the rest it asks again").hasSize(2);
    look(worker, 2);
    fixture.store.test.asAdministrator("UPDATE funding_rule SET due_at = now() WHERE open");
    worker.work(chain);
    assertThat(progress(wallet).note()).contains("1200 s later");
    assertThat(anvil.balanceOf(wallet.address())).isZero();
    fixture.store.test.asAdministrator("UPDATE funding_rule SET noted_at = now() - interval '5 minutes'");
    assertThat(new Diagnosis(fixture.store.database).findings()).extracting(Diagnosis.Finding::kind)
        .contains("funding_rule");
  }

  @Test
  void whatTheTreasuryLacksIsNotAskedForAndAFrozenWalletIsLeftAlone() {
    var wallet = fixture.emptyWallet();
    set(wallet, Kind.TOP_UP, "101", "101");
    var worker = worker();
    look(worker, 5);
    assertThat(asked()).isEmpty();
    assertThat(progress(wallet).note()).isEqualTo("the treasury has 100 of the 101 RUSDC that are missing");
    set(wallet, Kind.TOP_UP, "5", "5");
    fixture.store.directory.freeze(fixture.store.tenant, treasury.id(), true, "test");
    look(worker, 5);
    assertThat(asked()).isEmpty();
    assertThat(progress(wallet).note()).contains("is frozen");
  }

  @Test
  void aRuleThatWasDeletedOrChangedStopsAndOneThatStaysGoesOn() {
    var wallet = fixture.emptyWallet();
    var other = fixture.emptyWallet();
    set(wallet, Kind.TOP_UP, "5", "5");
    set(other, Kind.TOP_UP, "1", "1");
    var id = rules.of(fixture.store.tenant, other.id()).getFirst().id();
    rules.set(fixture.store.tenant, wallet.id(), List.of(), "test");
    rules.set(fixture.store.tenant, other.id(),
        List.of(terms(Kind.TOP_UP, "1", "1"), terms(Kind.SWEEP, "50", "20")), "test");
    assertThat(rules.of(fixture.store.tenant, other.id())).extracting(FundingRules.Rule::id).contains(id);
    var worker = worker();
    look(worker, 10);
    assertThat(asked()).extracting(spend -> spend.request().payee()).containsExactly(other.address());
    assertThat(fixture.store.value("SELECT count(*) FROM audit_entry WHERE kind = 'wallet.funding_rules_set'"))
        .isEqualTo(4L);
    rules.set(fixture.store.tenant, other.id(), List.of(terms(Kind.TOP_UP, "2", "2")), "test");
    look(worker, 5);
    assertThat(asked()).as("what the old rule has on its way is not asked for twice").hasSize(1);
  }
}
