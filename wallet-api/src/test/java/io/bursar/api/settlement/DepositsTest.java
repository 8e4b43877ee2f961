package io.bursar.api.settlement;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.math.BigInteger;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Executors;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import io.bursar.api.chain.Arrivals;
import io.bursar.api.chain.Chain;
import io.bursar.api.chain.ChainUnavailable;
import io.bursar.api.chain.JsonRpc;
import io.bursar.api.chain.Rpc;
import io.bursar.api.chain.RpcReply;
import io.bursar.api.funding.DepositWatcher;
import io.bursar.api.testing.SettlementFixture.Wallet;
import io.bursar.store.Deposits;
import io.bursar.store.Deposits.Deposit;
import io.bursar.store.Fixture;
import io.bursar.store.Page;
import io.bursar.store.PaymentState;
import tools.jackson.databind.JsonNode;

/** What arrives at wallets: each deposit once, none missed, and none before its block is final. */
class DepositsTest extends ChainAndSigner {
  private Deposits deposits;

  @BeforeEach
  void openDeposits() {
    deposits = new Deposits(fixture.store.database, fixture.store.audit);
  }

  /** As a process that has just been started. */
  private void watch(Chain chain) throws ChainUnavailable {
    try (var watcher = new DepositWatcher(deposits, Map.of(chain.name(), chain))) {
      watcher.watch(chain);
    }
  }

  /** Until the wallet has so many deposits: a node's newest block is asked for anew only now and then. */
  private void watchUntil(Wallet wallet, int count) {
    await().atMost(Duration.ofSeconds(10)).pollInterval(Duration.ofMillis(50)).untilAsserted(() -> {
      watch(anvil.chain());
      assertThat(of(wallet)).hasSize(count);
    });
  }

  private java.util.List<Deposit> of(Wallet wallet) {
    return deposits.list(fixture.store.tenant, wallet.id(), new Page.Request(Optional.empty(), 100)).items();
  }

  @Test
  void booksEachDepositOnceHoweverManyLookAndHoweverOften() throws Exception {
    watch(anvil.chain());
    var wallets = new ArrayList<Wallet>();
    for (int i = 1; i <= 3; i++) {
      wallets.add(fixture.fundedWallet(i + ".5"));
    }
    anvil.fund(wallets.getFirst().address(), Fixture.units("7"));
    try (var threads = Executors.newFixedThreadPool(4)) {
      var looks = new ArrayList<java.util.concurrent.Future<?>>();
      for (int i = 0; i < 8; i++) {
        looks.add(threads.submit(() -> {
          watch(anvil.chain());
          return true;
        }));
      }
      for (var look : looks) {
        look.get();
      }
    }
    watchUntil(wallets.getFirst(), 2);
    assertThat(of(wallets.getFirst())).extracting(deposit -> deposit.arrival().amount())
        .containsExactly(Fixture.units("7"), Fixture.units("1.5"));
    assertThat(of(wallets.getLast())).extracting(deposit -> deposit.arrival().amount())
        .containsExactly(Fixture.units("3.5"));
    assertThat(fixture.store.value("SELECT count(*) FROM deposit")).isEqualTo(4L);
    assertThat(fixture.store.value("SELECT count(*) FROM audit_entry WHERE kind = 'deposit.received'")).isEqualTo(4L);
    var first = deposits.list(fixture.store.tenant, wallets.getFirst().id(), new Page.Request(Optional.empty(), 1));
    var second = deposits.list(fixture.store.tenant, wallets.getFirst().id(), new Page.Request(first.nextAfter(), 1));
    assertThat(second.items()).hasSize(1);
    assertThat(second.nextAfter()).isEmpty();
  }

  @Test
  void booksWhatCameWhileNobodyLookedAndWhatOneWalletPaidToAnother() throws Exception {
    watch(anvil.chain());
    var payer = fixture.fundedWallet("5");
    var payee = fixture.emptyWallet();
    var spend = fixture.spend(payer, "2", payee.address());
    try (var _ = fixture.worker(fixture.steps(Effects.PLAIN))) {
      await().atMost(Duration.ofSeconds(20)).until(() -> fixture.state(spend) instanceof PaymentState.Confirmed);
    }
    anvil.rpc("anvil_mine", "0x" + Integer.toHexString(40));
    watchUntil(payee, 1);
    assertThat(of(payer)).hasSize(1);
    assertThat(of(payee)).singleElement().satisfies(deposit -> {
      assertThat(deposit.arrival().payer()).isEqualTo(payer.address());
      assertThat(deposit.arrival().amount()).isEqualTo(Fixture.units("2"));
    });
  }

  @Test
  void booksNothingBeforeItsBlockIsFinalAndShowsItAsPendingUntilThen() throws Exception {
    try (var deep = new Chain(anvil.settings(4))) {
      watch(deep);
      var wallet = fixture.fundedWallet("5");
      anvil.rpc("anvil_mine", "0x1");
      watch(deep);
      assertThat(of(wallet)).isEmpty();
      // The newest block that a chain says is up to a tenth of a second old.
      await().atMost(Duration.ofSeconds(5)).pollInterval(Duration.ofMillis(20)).untilAsserted(
          () -> assertThat(pending(deep, wallet)).isEqualTo(Fixture.units("5")));
      anvil.rpc("anvil_mine", "0x3");
      await().atMost(Duration.ofSeconds(5)).untilAsserted(() -> {
        watch(deep);
        assertThat(of(wallet)).hasSize(1);
      });
      assertThat(pending(deep, wallet)).isZero();
    }
  }

  private BigInteger pending(Chain chain, Wallet wallet) throws ChainUnavailable {
    return Arrivals.between(chain, java.util.List.of(anvil.usdc()), java.util.List.of(wallet.address()),
        chain.settled() + 1, chain.head()).stream().map(Deposits.Arrival::amount)
        .reduce(BigInteger.ZERO, BigInteger::add);
  }

  @Test
  void asksANodeThatLimitsRangesForFewerBlocks() throws Exception {
    watch(anvil.chain());
    var wallet = fixture.fundedWallet("5");
    anvil.rpc("anvil_mine", "0x40");
    anvil.fund(wallet.address(), Fixture.units("1"));
    var json = new JsonRpc(anvil.endpoint(), Duration.ofSeconds(5));
    Rpc strict = (method, params) -> method.equals("eth_getLogs") && blocks((JsonNode) params[0]) > 10
        ? new RpcReply.Refusal(-32005, "query exceeds max block range 10")
        : json.call(method, params);
    try (var chain = new Chain(anvil.settings(1), strict)) {
      watch(chain);
    }
    assertThat(of(wallet)).hasSize(2);
  }

  private static long blocks(JsonNode filter) {
    return Long.decode(filter.path("toBlock").asString()) - Long.decode(filter.path("fromBlock").asString()) + 1;
  }
}
