package io.bursar.api.settlement;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.math.BigInteger;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import io.bursar.api.chain.ChainUnavailable;
import io.bursar.api.chain.Eip3009;
import io.bursar.api.dev.DevChain;
import io.bursar.api.relay.AuthorizationSteps;
import io.bursar.api.relay.BatchSteps;
import io.bursar.api.relay.RelayAlarms;
import io.bursar.api.signer.SignerUnreachable;
import io.bursar.api.testing.SettlementFixture.Wallet;
import io.bursar.permit.RelayIntent;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerRequest;
import io.bursar.store.Alarms;
import io.bursar.store.Directory;
import io.bursar.store.Fixture;
import io.bursar.store.Funds;
import io.bursar.store.Payment;
import io.bursar.store.PaymentState;
import io.bursar.store.RelayBatch;
import io.bursar.store.RelayBatch.Relayer;
import io.bursar.store.RelayBatches;
import io.bursar.store.RelayStore;
import io.bursar.store.RelayedPayment;
import io.bursar.store.SettlementModes;

/** Payments by authorization: wallets without native coin, batches, and what becomes of those that fail or are cut short. */
class RelayTest extends ChainAndSigner {
  private static final Duration LEASE = Duration.ofMillis(1);

  private final ExecutorService threads = Executors.newFixedThreadPool(4);
  private RelayStore store;
  private RelayBatches batches;
  private Relayer relayer;
  private Alarms record;
  private RelayAlarms alarms;

  @BeforeEach
  void settleByAuthorization() throws Exception {
    DevChain.of(anvil.chain()).ensureMulticall();
    var modes = new SettlementModes(fixture.store.database, fixture.store.audit);
    var domain = Eip3009.domain(anvil.chain(), anvil.usdc()).orElseThrow();
    modes.relay(fixture.store.tenant, fixture.usdc.id(), new RelayedPayment.Token(domain.name(), domain.version()),
        "test");
    store = new RelayStore(fixture.store.database, fixture.store.audit, fixture.store.reservations, LEASE);
    batches = new RelayBatches(fixture.store.database, fixture.store.audit, store, Duration.ofMinutes(1));
    record = new Alarms(fixture.store.database, fixture.store.audit);
    alarms = new RelayAlarms(fixture.registry, record, fixture.store.directory);
    relayer = newRelayer();
  }

  @AfterAll
  void stopThreads() {
    threads.shutdownNow();
  }

  private Relayer newRelayer() throws SignerUnreachable {
    var key = UUID.randomUUID();
    var made = (SignerReply.KeyCreated) signer.client().ask(new SignerRequest.CreateKey(RelayIntent.TENANT, key));
    anvil.rpc("anvil_setBalance", made.address().toString(), "0x" + BigInteger.TEN.pow(21).toString(16));
    var account = new Relayer("eip155:31337", key, made.address());
    batches.enroll(account, 0);
    return account;
  }

  /** Everything as a process that has just been started would find it. */
  private final class Started {
    private final AuthorizationSteps authorizations;
    private final BatchSteps steps;
    private final UUID lease = UUID.randomUUID();

    Started(Duration validFor, Duration fundsWait) {
      fixture.store.test.asAdministrator("UPDATE relayer SET lease_until = '-infinity'");
      var transfers = signer.transfers(fixture.log);
      authorizations = new AuthorizationSteps(store, fixture.payments, transfers, alarms, Clock.systemUTC(),
          new AuthorizationSteps.Settings(validFor, fundsWait));
      steps = new BatchSteps(batches, authorizations, transfers, alarms,
          new BatchSteps.Settings(100, Duration.ZERO, 4, Duration.ofMillis(200), Duration.ofSeconds(60),
              Duration.ofMillis(1)));
      assertThat(batches.take(relayer, lease)).isTrue();
    }

    Started(Duration validFor) {
      this(validFor, Duration.ofSeconds(60));
    }

    Started() {
      this(Duration.ofHours(1));
    }

    void sign() {
      fixture.store.test.asAdministrator("UPDATE payment SET due_at = now() WHERE state <> 'signed'");
      authorizations.signDue(anvil.chain(), threads);
    }

    /** Until all are signed: money counts once its block is final. */
    void signAll(List<Payment.Key> spends) {
      await().atMost(Duration.ofSeconds(10)).pollInterval(Duration.ofMillis(20)).until(() -> {
        sign();
        return spends.stream()
            .allMatch(spend -> fixture.state(spend).equals(new PaymentState.Relayed("signed")));
      });
    }

    void relay() {
      try {
        steps.work(anvil.chain(), relayer, lease);
      } catch (ChainUnavailable e) {
        throw new IllegalStateException(e);
      }
    }

    void settle(List<Payment.Key> spends) {
      await().atMost(Duration.ofSeconds(30)).pollInterval(Duration.ofMillis(20)).until(() -> {
        sign();
        relay();
        return spends.stream().allMatch(spend -> fixture.state(spend) instanceof PaymentState.Final);
      });
    }
  }

  private void assertPaidOnce(Wallet wallet, List<Payment.Key> spends, String context) {
    assertThat(spends).as(context)
        .allSatisfy(spend -> assertThat(fixture.state(spend)).isInstanceOf(PaymentState.Confirmed.class));
    assertThat(anvil.transfersFrom(wallet.address())).as(context).hasSize(spends.size());
    assertThat(anvil.transactionCount(wallet.address())).as(context).isZero();
    assertThat(fixture.store.counters.differences(fixture.store.tenant)).as(context).isEmpty();
  }

  private Wallet walletWithoutCoin(String amount) {
    var wallet = fixture.fundedWallet(amount);
    anvil.rpc("anvil_setBalance", wallet.address().toString(), "0x0");
    return wallet;
  }

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
    var snapshot = anvil.rpc("evm_snapshot").asString("");
    anvil.rpc("evm_increaseTime", 30);
    anvil.rpc("evm_mine");
    // The newest block is asked for anew only now and then.
    await().atMost(Duration.ofSeconds(5)).pollInterval(Duration.ofMillis(50)).untilAsserted(() -> {
      started.authorizations.endOutlived(anvil.chain());
      assertThat(fixture.state(spend)).isInstanceOf(PaymentState.Expired.class);
    });
    assertThat(fixture.store.reservations.unsettled(fixture.store.tenant, wallet.id())).isEmpty();
    assertThat(fixture.store.counters.differences(fixture.store.tenant)).isEmpty();
    anvil.rpc("evm_revert", snapshot);
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
    var _ = batches.fix(relayer, started.lease, 100, 0, count -> gas).orElseThrow(); // a nonce is taken, nothing is signed
    var batch = batches.open(relayer).getFirst();
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
