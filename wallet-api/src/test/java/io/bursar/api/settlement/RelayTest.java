package io.bursar.api.settlement;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.math.BigInteger;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;

import org.junit.jupiter.api.Test;

import io.bursar.api.chain.ChainUnavailable;
import io.bursar.api.chain.Eip3009;
import io.bursar.api.signer.SignerUnreachable;
import io.bursar.api.testing.SettlementFixture.Wallet;
import io.bursar.permit.SignerReply;
import io.bursar.store.Alarms;
import io.bursar.store.Directory;
import io.bursar.store.Fixture;
import io.bursar.store.Funds;
import io.bursar.store.Payment;
import io.bursar.store.PaymentState;
import io.bursar.store.RelayBatch;
import io.bursar.store.RelayStore;
import io.bursar.store.RelayedPayment;
import io.bursar.store.Spend;

/** Payments by authorization: wallets without native coin, batches, and what becomes of those that fail or are cut short. */
class RelayTest extends RelayGround {
  @Test
  void paysFromWalletsWithoutNativeCoinManyInOneTransaction() throws IOException {
    var wallets = new ArrayList<Wallet>();
    var spends = new ArrayList<List<Payment.Key>>();
    for (int i = 0; i < 4; i++) {
      wallets.add(walletWithoutCoin("10"));
      spends.add(fixture.spends(wallets.getLast(), "0.5", payee, 20));
    }
    var all = spends.stream().flatMap(List::stream).toList();
    var started = new Started();
    started.signAll(all);
    started.settle(all);
    assertThat(fixture.paid(payee)).isEqualTo(Fixture.units("40"));
    for (int i = 0; i < 4; i++) {
      assertPaidOnce(wallets.get(i), spends.get(i), "wallet " + i);
    }
    assertThat(anvil.transactionCount(relayer.address())).as("80 payments in one transaction").isEqualTo(1);
    assertThat(fixture.payment(spends.getFirst().getFirst()).state()).isInstanceOf(PaymentState.Confirmed.class);
    assertThat(fixture.store.spends.find(fixture.store.tenant, all.getFirst().spendId()).orElseThrow().payment())
        .as("as the payer sees it").extracting(Spend.Payment::attempts).isEqualTo(1);
  }

  @Test
  void oneThatTheTokenRefusesDoesNotTouchTheOthersAndStaysReserved() {
    var wallet = walletWithoutCoin("10");
    var good = new ArrayList<>(fixture.spends(wallet, "1", payee, 3));
    var barred = newPayee();
    anvil.blacklist(barred);
    var bad = fixture.spend(wallet, "1", barred);
    var started = new Started();
    started.settle(good);
    assertPaidOnce(wallet, good, "beside a refused one");
    assertThat(fixture.state(bad)).isEqualTo(new PaymentState.Relayed("signed"));
    assertThat(fixture.failure(bad)).contains("the token refused the transfer");
    assertThat(fixture.store.reservations.unsettled(fixture.store.tenant, wallet.id())).as("still reserved")
        .containsEntry(fixture.usdc.id(), Fixture.units("1"));
  }

  @Test
  void aClockThatWasSetBackHoldsUpNeitherRelayersNorPayments() {
    var wallet = walletWithoutCoin("10");
    var spend = fixture.spend(wallet, "1", payee);
    var started = new Started();
    started.signAll(List.of(spend));
    fixture.store.test.asAdministrator("""
        UPDATE relayer SET lease = gen_random_uuid(), lease_until = now() + interval '50 minutes';
        UPDATE payment SET lease_until = now() + interval '50 minutes', due_at = now() + interval '50 minutes',
          updated_at = now() + interval '50 minutes' WHERE state = 'signed'""");
    assertThat(pool.take(relayer, started.lease)).as("a lease that ends later than any can").isTrue();
    fixture.payments.distrustFuture();
    assertThat(batches.waiting("eip155:31337", 100)).satisfies(waiting -> {
      assertThat(waiting.count()).isEqualTo(1);
      assertThat(waiting.isRipe(Duration.ofMinutes(1))).as("nobody knows how long it has waited").isTrue();
    });
    started.settle(List.of(spend));
    assertPaidOnce(wallet, List.of(spend), "after the clock was set back");
  }

  @Test
  void givesBackOnlyWhenTheFinalBlockIsPastTheAuthorization() throws ChainUnavailable {
    var wallet = walletWithoutCoin("10");
    var spend = fixture.spend(wallet, "1", payee);
    var started = new Started(Duration.ofSeconds(10));
    started.signAll(List.of(spend));
    started.relay();
    assertThat(anvil.transactionCount(relayer.address())).as("over too soon to be worth its gas").isZero();
    started.authorizations.endOutlived(anvil.chain());
    assertThat(fixture.state(spend)).as("the chain's time is not past it")
        .isEqualTo(new PaymentState.Relayed("signed"));
    var snapshot = endAfter(30, started, spend, PaymentState.Expired.class);
    assertThat(fixture.failure(spend)).contains("is over by the chain's final time");
    assertThat(fixture.store.reservations.unsettled(fixture.store.tenant, wallet.id())).isEmpty();
    assertThat(fixture.store.counters.differences(fixture.store.tenant)).isEmpty();
    anvil.rpc("evm_revert", snapshot);
  }

  @Test
  void confirmsWhatWasPaidInTimeThoughNobodyHasLookedSince() {
    var wallet = walletWithoutCoin("10");
    var spend = fixture.spend(wallet, "1", payee);
    var started = new Started(Duration.ofSeconds(40));
    started.signAll(List.of(spend));
    started.relay();
    await().atMost(Duration.ofSeconds(10)).until(() -> anvil.transactionCount(relayer.address()) == 1);
    var snapshot = endAfter(60, started, spend, PaymentState.Final.class);
    assertPaidOnce(wallet, List.of(spend), "its time is over, and its budget is spent");
    anvil.rpc("evm_revert", snapshot);
  }

  /** Ends what is over when the chain's time has gone on so long; the snapshot that is returned was taken before. */
  private String endAfter(int seconds, Started started, Payment.Key spend, Class<? extends PaymentState> end) {
    var snapshot = anvil.rpc("evm_snapshot").asString("");
    anvil.rpc("evm_increaseTime", seconds);
    anvil.rpc("evm_mine");
    // The newest block is asked for anew only now and then.
    await().atMost(Duration.ofSeconds(5)).pollInterval(Duration.ofMillis(50)).untilAsserted(() -> {
      started.authorizations.endOutlived(anvil.chain());
      assertThat(fixture.state(spend)).isInstanceOf(end);
    });
    return snapshot;
  }

  @Test
  void paysOnceWhereverItIsCutShort() throws Exception {
    for (int cut = 0; cut < 5; cut++) {
      relayer = newRelayer();
      var wallet = walletWithoutCoin("10");
      var spends = fixture.spends(wallet, "1", payee, 3);
      cutShort(cut, spends);
      new Started().settle(spends);
      assertPaidOnce(wallet, spends, "cut " + cut);
    }
  }

  /** Leaves the world as a process that was killed there would. */
  private void cutShort(int cut, List<Payment.Key> spends) throws Exception {
    var started = new Started();
    var transfers = signer.transfers(fixture.log);
    if (cut == 0) { // signed, and the answer never recorded
      var claimed = store.claimUnsigned("eip155:31337", 10);
      long until = Eip3009.time(anvil.chain(), anvil.chain().head()) + 3600;
      var plenty = new HashMap<Funds.Account, BigInteger>();
      claimed.forEach(payment -> plenty.put(payment.account(), Fixture.units("10")));
      var prepared = store.prepare(claimed, new RelayStore.Balances(0, plenty), payment -> new RelayedPayment.Terms(
          io.bursar.permit.Digest32
              .sha256(payment.spendId().toString().getBytes(java.nio.charset.StandardCharsets.UTF_8)),
          until, 0,
          null));
      for (var payment : prepared.prepared()) {
        assertThat(transfers.sign(payment.intent(), payment.order().authorizationHash(),
            transfers.evidence(payment.tenantId(), payment.spendId())))
            .isInstanceOf(SignerReply.AuthorizationSigned.class);
      }
      return;
    }
    started.signAll(spends);
    var gas = anvil.chain().quote().offer().gas(600_000);
    var batch = batches.fix(relayer, started.lease, 100, 0, count -> gas).orElseThrow(); // a nonce is taken, nothing is signed
    if (cut >= 2) { // signed, and the answer never recorded
      var signed = sign(batch);
      if (cut >= 3) { // recorded, and not sent
        batches.sign(batch, signed.rawTransaction(), signed.transactionHash());
      }
      if (cut >= 4) { // sent, and the answer never recorded
        var _ = anvil.chain().send(signed.rawTransaction());
      }
    }
  }

  private SignerReply.Signed sign(RelayBatch batch) throws SignerUnreachable {
    return (SignerReply.Signed) signer.transfers(fixture.log)
        .sign(batch.intent(batches.members(batch), java.util.Objects.requireNonNull(batch.next())));
  }

  @Test
  void aRelayerThatIsLowAndAPoolThatIsBehindAreAlarmsOfTheOperatorOnTheRecord() throws Exception {
    var operator = fixture.store.directory.createTenant(Directory.DEFAULT_TENANT, "test").orElseThrow().id();
    var started = new Started();
    started.steps.watch(anvil.chain(), relayer);
    assertThat(record.lasting(10)).isEmpty();
    anvil.rpc("anvil_setBalance", relayer.address().toString(), "0x1");
    started.signAll(fixture.spends(walletWithoutCoin("5"), "1", payee, 1));
    for (int i = 0; i < 2; i++) {
      started.steps.watch(anvil.chain(), relayer);
    }
    assertThat(record.lasting(10)).allSatisfy(raised -> {
      assertThat(raised.tenantId()).isEqualTo(operator);
      assertThat(raised.subjectText()).isEqualTo(relayer.address().toString());
    }).extracting(Alarms.Raised::alarm).containsExactlyInAnyOrder("relay_balance_low", "relay_pool_behind");
    assertThat(fixture.store.value("SELECT count(*) FROM audit_entry WHERE tenant_id = ? AND kind = 'alarm.raised'",
        operator)).as("once for as long as it lasts").isEqualTo(2L);
  }

  @Test
  void waitsWithoutASignatureWhileTheWalletIsFrozenOrPoor() {
    var poor = fixture.emptyWallet();
    var waiting = fixture.spend(poor, "1", payee);
    var frozen = walletWithoutCoin("10");
    var held = fixture.spend(frozen, "1", payee);
    fixture.store.directory.freeze(fixture.store.tenant, frozen.id(), true, "test");
    var started = new Started();
    started.sign();
    assertThat(fixture.state(waiting)).isInstanceOf(PaymentState.Authorized.class);
    assertThat(fixture.failure(waiting)).contains("fewer than the 1000000 to be paid; it fails 60 s after");
    assertThat(fixture.state(held)).isInstanceOf(PaymentState.Authorized.class);
    assertThat(fixture.failure(held)).isEqualTo("the wallet is frozen");
    fixture.store.directory.freeze(fixture.store.tenant, frozen.id(), false, "test");
    anvil.fund(poor.address(), Fixture.units("1"));
    started.settle(List.of(waiting, held));
  }

  @Test
  void ofManyPaymentsAtOncePaysExactlyThoseThatTheWalletCanPayAndFailsTheOthers() {
    var wallet = walletWithoutCoin("5");
    anvil.rpc("evm_mine");
    var spends = fixture.spends(wallet, "1", payee, 12);
    new Started(Duration.ofHours(1), Duration.ZERO).settle(spends);
    assertThat(spends).filteredOn(spend -> fixture.state(spend) instanceof PaymentState.Confirmed).hasSize(5);
    assertThat(spends).filteredOn(spend -> fixture.state(spend) instanceof PaymentState.Failed).hasSize(7);
    assertThat(fixture.paid(payee)).isEqualTo(Fixture.units("5"));
    assertThat(fixture.store.counters.differences(fixture.store.tenant)).isEmpty();
    assertThat(fixture.store.value("SELECT count(*) FROM payment_authorization")).as("none signed for the others")
        .isEqualTo(5L);
  }

  @Test
  void processesThatSignAtOncePromiseNoMoreThanTheWalletHolds() throws Exception {
    var wallet = walletWithoutCoin("10");
    anvil.rpc("evm_mine");
    fixture.spends(wallet, "1", payee, 30);
    var ours = new Started();
    var theirs = new Started();
    for (int round = 0; round < 5; round++) {
      var other = threads.submit(theirs::sign);
      ours.sign();
      other.get();
    }
    assertThat(fixture.store.value("SELECT count(*) FROM payment WHERE state = 'signed'")).isEqualTo(10L);
    assertThat(fixture.store.value("SELECT count(*) FROM payment WHERE state = 'authorized'")).isEqualTo(20L);
  }
}
