package io.bursar.api.settlement;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeEach;

import io.bursar.api.chain.ChainUnavailable;
import io.bursar.api.chain.Eip3009;
import io.bursar.api.dev.DevChain;
import io.bursar.api.relay.AuthorizationSteps;
import io.bursar.api.relay.BatchSteps;
import io.bursar.api.relay.RelayAlarms;
import io.bursar.api.signer.SignerUnreachable;
import io.bursar.api.testing.SettlementFixture.Wallet;
import io.bursar.permit.Digest32;
import io.bursar.permit.RelayIntent;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerRequest;
import io.bursar.store.Alarms;
import io.bursar.store.Fixture;
import io.bursar.store.Funds;
import io.bursar.store.Payment;
import io.bursar.store.PaymentState;
import io.bursar.store.RelayBatches;
import io.bursar.store.RelayStore;
import io.bursar.store.RelayedPayment;
import io.bursar.store.Relayer;
import io.bursar.store.Relayers;
import io.bursar.store.SettlementModes;

/** What a test of the relay stands on: an asset that takes authorizations, a relayer with coin, and what a started process does. */
abstract class RelayGround extends ChainAndSigner {
  static final Duration LEASE = Duration.ofMillis(1);

  final ExecutorService threads = Executors.newFixedThreadPool(4);
  RelayStore store;
  Relayers pool;
  RelayBatches batches;
  Relayer relayer;
  Alarms record;
  RelayAlarms alarms;

  @BeforeEach
  void settleByAuthorization() throws Exception {
    DevChain.of(anvil.chain()).ensureMulticall();
    var modes = new SettlementModes(fixture.store.database, fixture.store.audit);
    var domain = Eip3009.domain(anvil.chain(), anvil.usdc()).orElseThrow();
    modes.relay(fixture.store.tenant, fixture.usdc.id(), new RelayedPayment.Token(domain.name(), domain.version()),
        "test");
    store = new RelayStore(fixture.store.database, fixture.store.audit, fixture.store.reservations, LEASE);
    pool = new Relayers(fixture.store.database, Duration.ofMinutes(1));
    batches = new RelayBatches(fixture.store.database, fixture.store.audit, store, pool);
    record = new Alarms(fixture.store.database, fixture.store.audit);
    alarms = new RelayAlarms(fixture.registry, record, fixture.store.directory);
    relayer = newRelayer();
  }

  @AfterAll
  void stopThreads() {
    threads.shutdownNow();
  }

  final Relayer newRelayer() throws SignerUnreachable {
    return newRelayer(UUID.randomUUID(), BigInteger.TEN.pow(21));
  }

  final Relayer newRelayer(UUID key, BigInteger wei) throws SignerUnreachable {
    var made = (SignerReply.KeyCreated) signer.client().ask(new SignerRequest.CreateKey(RelayIntent.TENANT, key));
    anvil.rpc("anvil_setBalance", made.address().toString(), "0x" + wei.toString(16));
    var account = new Relayer("eip155:31337", key, made.address());
    pool.enroll(account, anvil.transactionCount(made.address()));
    return account;
  }

  /** Everything as a process that has just been started would find it. */
  final class Started {
    final AuthorizationSteps authorizations;
    final BatchSteps steps;
    final UUID lease = UUID.randomUUID();
    private final Relayer relays;

    Started(Duration validFor, Duration fundsWait) {
      this(relayer, validFor, fundsWait);
    }

    Started(Relayer account) {
      this(account, Duration.ofHours(1), Duration.ofSeconds(60));
    }

    private Started(Relayer account, Duration validFor, Duration fundsWait) {
      relays = account;
      fixture.store.test.asAdministrator("UPDATE relayer SET lease_until = '-infinity'");
      var transfers = signer.transfers(fixture.log);
      authorizations = new AuthorizationSteps(store, fixture.payments, transfers, alarms, Clock.systemUTC(),
          new AuthorizationSteps.Settings(validFor, fundsWait));
      steps = new BatchSteps(batches, authorizations, transfers, alarms,
          new BatchSteps.Settings(100, Duration.ZERO, 4, Duration.ofMillis(200), Duration.ofSeconds(60),
              Duration.ofMillis(1)));
      assertThat(pool.take(account, lease)).isTrue();
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
      authorizations.signCancellations(anvil.chain(), threads);
    }

    /** As one that was killed before anything was signed. */
    void prepareOnly(Payment.Key spend) throws ChainUnavailable {
      var claimed = store.claimUnsigned("eip155:31337", 10);
      long until = Eip3009.time(anvil.chain(), anvil.chain().head()) + 3600;
      var plenty = new HashMap<Funds.Account, BigInteger>();
      claimed.forEach(payment -> plenty.put(payment.account(), Fixture.units("10")));
      var prepared = store.prepare(claimed, new RelayStore.Balances(0, plenty), payment -> new RelayedPayment.Terms(
          Digest32.sha256(payment.spendId().toString().getBytes(StandardCharsets.UTF_8)), until, 0, null));
      assertThat(prepared.prepared()).extracting(RelayedPayment::key).contains(spend);
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
        steps.work(anvil.chain(), relays, lease);
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

  final void assertPaidOnce(Wallet wallet, List<Payment.Key> spends, String context) {
    assertThat(spends).as(context)
        .allSatisfy(spend -> assertThat(fixture.state(spend)).isInstanceOf(PaymentState.Confirmed.class));
    assertThat(anvil.transfersFrom(wallet.address())).as(context).hasSize(spends.size());
    assertThat(anvil.transactionCount(wallet.address())).as(context).isZero();
    assertThat(fixture.store.counters.differences(fixture.store.tenant)).as(context).isEmpty();
  }

  final Wallet walletWithoutCoin(String amount) {
    var wallet = fixture.fundedWallet(amount);
    anvil.rpc("anvil_setBalance", wallet.address().toString(), "0x0");
    return wallet;
  }
}
