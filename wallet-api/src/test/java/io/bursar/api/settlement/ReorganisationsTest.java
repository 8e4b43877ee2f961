package io.bursar.api.settlement;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.math.BigInteger;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

import io.bursar.api.chain.Chain;
import io.bursar.api.chain.ChainSettings;
import io.bursar.api.chain.Confirmation;
import io.bursar.api.chain.FeePolicy;
import io.bursar.api.testing.AnvilProcess;
import io.bursar.api.testing.SettlementFixture.Wallet;
import io.bursar.money.Address;
import io.bursar.store.Fixture;
import io.bursar.store.Payment;
import io.bursar.store.PaymentState.Broadcast;
import io.bursar.store.PaymentState.Confirmed;
import io.bursar.store.PaymentState.Failed;
import io.bursar.store.PaymentState.Final;

/** Blocks that were there and then are not, with the transfers that were in them. */
class ReorganisationsTest extends ChainAndSigner {
  private static final int DEPTH = 70;
  private static final PaymentSteps.Settings HASTE = new PaymentSteps.Settings(Duration.ofMillis(300),
      Duration.ofSeconds(60), Duration.ofMillis(500));

  /** What the new blocks do with a transfer that was in the old ones. */
  private enum Fate {
    KEPT,
    DROPPED,
    NONCE_TAKEN_BY_SOMEBODY_ELSE
  }

  private record Case(int blocks, Fate fate, Wallet wallet, Payment.Key spend, Address payee) {}

  @AfterEach
  void mineAtOnce() {
    anvil.rpc("evm_setAutomine", true);
  }

  private Chain chain(Confirmation confirmation) {
    return new Chain(new ChainSettings(AnvilProcess.CHAIN, List.of(anvil.endpoint()), confirmation,
        FeePolicy.DEFAULT, Duration.ofSeconds(5)));
  }

  @TestFactory
  Stream<DynamicTest> aTransferHappensOnceOrProvablyNotWhateverAReorganisationDoesWithIt() {
    var cases = new ArrayList<Case>();
    try (var chain = chain(new Confirmation.Depth(DEPTH))) {
      var steps = fixture.steps(Effects.PLAIN, chain, HASTE);
      for (int blocks : List.of(64, 12, 3, 1)) {
        cases.addAll(reorganised(blocks, steps));
        anvil.rpc("anvil_mine", "0x41");
      }
      try (var _ = fixture.worker(steps, 12)) {
        await().atMost(Duration.ofSeconds(60)).pollInterval(Duration.ofMillis(500)).until(() -> {
          anvil.rpc("anvil_mine", "0x48");
          return cases.stream().allMatch(one -> fixture.state(one.spend) instanceof Final);
        });
      }
    }
    assertThat(fixture.store.counters.differences(fixture.store.tenant)).isEmpty();
    return cases.stream().map(one -> DynamicTest.dynamicTest(one.blocks + " blocks, " + one.fate, () -> check(one)));
  }

  /** A spend for each fate, mined together and then thrown off the chain by a reorganisation of so many blocks. */
  private List<Case> reorganised(int blocks, PaymentSteps steps) {
    var cases = Stream.of(Fate.values()).map(fate -> {
      var wallet = fixture.fundedWallet("5");
      var to = newPayee();
      return new Case(blocks, fate, wallet, fixture.spend(wallet, "2", to), to);
    }).toList();
    anvil.rpc("evm_setAutomine", false);
    await().atMost(Duration.ofSeconds(30)).pollInterval(Duration.ofMillis(50)).until(() -> {
      fixture.payments.claim(cases.size(), 1, List.of()).forEach(payments -> steps.advance(payments, () -> true));
      return cases.stream().allMatch(one -> fixture.state(one.spend) instanceof Broadcast);
    });
    anvil.rpc("anvil_mine", "0x" + Integer.toHexString(blocks));
    var kept = ((Broadcast) fixture.state(cases.getFirst().spend)).attempts().getFirst().raw();
    anvil.rpc("anvil_reorg", blocks, List.of(List.of("0x" + kept, 0)));
    takeNonce(cases.getLast().wallet, 0);
    anvil.rpc("evm_setAutomine", true);
    assertThat(cases).extracting(one -> fixture.paid(one.payee).signum()).containsExactly(1, 0, 0);
    return cases;
  }

  /** A transaction that is not ours, by somebody who has the wallet's key. */
  private void takeNonce(Wallet wallet, long nonce) {
    var address = wallet.address().toString();
    anvil.rpc("anvil_impersonateAccount", address);
    anvil.rpc("eth_sendTransaction", anvil.chain().newObject().put("from", address).put("to", address)
        .put("nonce", "0x" + Long.toHexString(nonce)).put("value", "0x1"));
    anvil.rpc("evm_mine");
  }

  private void check(Case one) {
    var state = fixture.state(one.spend);
    boolean frozen = fixture.store.directory.wallet(fixture.store.tenant, one.wallet.id()).orElseThrow().frozen();
    assertThat(anvil.transactionCount(one.wallet.address())).isEqualTo(1);
    switch (one.fate) {
      case KEPT, DROPPED -> {
        assertThat(state).isInstanceOf(Confirmed.class);
        assertThat(anvil.transfersFrom(one.wallet.address())).hasSize(1);
        assertThat(fixture.paid(one.payee)).isEqualTo(Fixture.units("2"));
        assertThat(frozen).isFalse();
      }
      case NONCE_TAKEN_BY_SOMEBODY_ELSE -> {
        assertThat(state).isInstanceOfSatisfying(Failed.class, it -> assertThat(it.why()).contains("not one of ours"));
        assertThat(anvil.transfersFrom(one.wallet.address())).isEmpty();
        assertThat(fixture.paid(one.payee)).isEqualTo(BigInteger.ZERO);
        assertThat(frozen).isTrue();
        assertThat(fixture.alarms(Alarm.FOREIGN_TRANSACTION)).isPositive();
        assertThat(fixture.store.value("SELECT count(*) FROM audit_entry WHERE kind = 'wallet.frozen' AND subject = ?",
            one.wallet.id())).isEqualTo(1L);
      }
    }
  }

  @Test
  void countsAsSettledWhenTheChainSaysThatItIsFinal() {
    var wallet = fixture.fundedWallet("5");
    try (var chain = chain(new Confirmation.Finalized());
        var _ = fixture.worker(fixture.steps(Effects.PLAIN, chain, HASTE))) {
      var spend = fixture.spend(wallet, "1", payee);
      await().atMost(Duration.ofSeconds(20)).until(() -> fixture.paid(payee).signum() > 0);
      await().during(Duration.ofSeconds(1)).atMost(Duration.ofSeconds(3))
          .until(() -> fixture.state(spend) instanceof Broadcast || fixture.state(spend).text().equals("signed"));
      anvil.rpc("anvil_mine", "0x80");
      await().atMost(Duration.ofSeconds(20)).until(() -> fixture.state(spend) instanceof Confirmed);
    }
  }

  @Test
  void aReorganisationDeeperThanTheDepthIsAnAlarmAndThePaymentIsOnItsWayAgainAndPaidOnce() throws Exception {
    var wallet = fixture.fundedWallet("5");
    anvil.rpc("anvil_mine", "0x2"); // so that the money stays where it is
    try (var chain = chain(new Confirmation.Depth(1));
        var reconciler = fixture.reconciler(chain)) {
      var steps = fixture.steps(Effects.PLAIN, chain, HASTE);
      Payment.Key spend;
      try (var _ = fixture.worker(steps)) {
        spend = fixture.spend(wallet, "1", payee);
        await().atMost(Duration.ofSeconds(20)).until(() -> fixture.state(spend) instanceof Confirmed);
      }
      reconciler.reconcile(chain);
      assertThat(fixture.state(spend)).as("nothing is undone while the block is there").isInstanceOf(Confirmed.class);
      anvil.rpc("anvil_reorg", 2, List.of());
      reconciler.reconcile(chain);
      assertThat(fixture.alarms(Alarm.DEEP_REORGANISATION)).isEqualTo(1);
      assertThat(fixture.state(spend)).isInstanceOf(Broadcast.class);
      assertThat(fixture.store.counters.differences(fixture.store.tenant)).isEmpty();
      try (var _ = fixture.worker(steps)) {
        await().atMost(Duration.ofSeconds(20)).until(() -> fixture.state(spend) instanceof Confirmed);
      }
    }
    assertThat(anvil.transfersFrom(wallet.address())).hasSize(1);
    assertThat(fixture.paid(payee)).isEqualTo(Fixture.units("1"));
  }

  @Test
  void aForeignTransactionOfAWalletThatPaysNothingFreezesItAndItsNonceIsNeverUsedByUs() throws Exception {
    var wallet = fixture.fundedWallet("5");
    var tenant = fixture.store.tenant;
    try (var chain = chain(new Confirmation.Depth(1));
        var reconciler = fixture.reconciler(chain);
        var _ = fixture.worker(fixture.steps(Effects.PLAIN, chain, HASTE))) {
      var first = fixture.spend(wallet, "1", payee);
      await().atMost(Duration.ofSeconds(20)).until(() -> fixture.state(first) instanceof Confirmed);
      takeNonce(wallet, 1);
      anvil.rpc("anvil_mine", "0x3");
      // The newest block that a chain says is up to a tenth of a second old, and the transaction is to be there for good.
      long newest = Long.decode(anvil.rpc("eth_blockNumber").asString());
      await().atMost(Duration.ofSeconds(5)).pollInterval(Duration.ofMillis(20)).until(() -> chain.head() >= newest);
      reconciler.reconcile(chain);
      assertThat(fixture.store.directory.wallet(tenant, wallet.id()).orElseThrow().frozen()).isTrue();
      assertThat(fixture.alarms(Alarm.FOREIGN_TRANSACTION)).isEqualTo(1);
      reconciler.reconcile(chain);
      assertThat(fixture.alarms(Alarm.FOREIGN_TRANSACTION)).isEqualTo(1);
      fixture.store.directory.freeze(tenant, wallet.id(), false, "test");
      var second = fixture.spend(wallet, "1", payee);
      await().atMost(Duration.ofSeconds(20)).until(() -> fixture.state(second) instanceof Confirmed);
      assertThat(((Confirmed) fixture.state(second)).nonce()).isEqualTo(2);
    }
  }

  /** As when the database was put back to an older state and the wallet's next nonce with it set too far. */
  @Test
  void aNonceGapIsFilledByTheNextPaymentAndBlocksNobodyForEver() throws Exception {
    var wallet = fixture.fundedWallet("5");
    fixture.store.test.asAdministrator("UPDATE wallet SET next_nonce = 1 WHERE wallet_id = '" + wallet.id() + "'");
    try (var chain = chain(new Confirmation.Depth(1));
        var reconciler = fixture.reconciler(chain);
        var _ = fixture.worker(fixture.steps(Effects.PLAIN, chain, HASTE))) {
      var stranded = fixture.spend(wallet, "1", payee);
      await().atMost(Duration.ofSeconds(20)).until(() -> fixture.state(stranded) instanceof Broadcast);
      reconciler.reconcile(chain);
      assertThat(fixture.alarms(Alarm.NONCE_GAP)).isEqualTo(1);
      var gaps = fixture.registry.get("bursar.settlement.nonce.gaps").gauge();
      assertThat(gaps.value()).isEqualTo(1);
      var next = fixture.spend(wallet, "2", payee);
      await().atMost(Duration.ofSeconds(20)).until(() -> fixture.state(next) instanceof Confirmed
          && fixture.state(stranded) instanceof Confirmed);
      var later = fixture.spend(wallet, "1", payee);
      await().atMost(Duration.ofSeconds(20)).until(() -> fixture.state(later) instanceof Confirmed);
      assertThat(((Confirmed) fixture.state(next)).nonce()).isZero();
      assertThat(((Confirmed) fixture.state(later)).nonce()).isEqualTo(2);
      reconciler.reconcile(chain);
      assertThat(gaps.value()).isZero();
    }
    assertThat(fixture.paid(payee)).isEqualTo(Fixture.units("4"));
  }
}
