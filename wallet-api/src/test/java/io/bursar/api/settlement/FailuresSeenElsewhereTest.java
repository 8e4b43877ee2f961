package io.bursar.api.settlement;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.math.BigInteger;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.web3j.crypto.TransactionDecoder;

import io.bursar.api.chain.Chain;
import io.bursar.api.chain.ChainSettings;
import io.bursar.api.chain.Confirmation;
import io.bursar.api.chain.FeePolicy;
import io.bursar.api.testing.AnvilProcess;
import io.bursar.api.testing.FaultProxy;
import io.bursar.api.testing.Faults;
import io.bursar.store.Fixture;
import io.bursar.store.Payment;
import io.bursar.store.PaymentMove.Cancel;
import io.bursar.store.PaymentState.Confirmed;
import io.bursar.store.PaymentState.Final;
import tools.jackson.databind.json.JsonMapper;

/** What has cost others' users money, tried on us; the README of this module says which test stands for which failure. */
class FailuresSeenElsewhereTest extends ChainAndSigner {
  private static final PaymentSteps.Settings HASTE = new PaymentSteps.Settings(Duration.ofMillis(300),
      Duration.ofSeconds(60), Duration.ofMillis(200));

  private FaultProxy first;
  private FaultProxy second;
  private Chain chain;

  @BeforeEach
  void open() {
    first = new FaultProxy(anvil.endpoint());
    second = new FaultProxy(anvil.endpoint());
    chain = new Chain(new ChainSettings(AnvilProcess.CHAIN, List.of(first.endpoint(), second.endpoint()),
        new Confirmation.Depth(1), FeePolicy.DEFAULT, Duration.ofSeconds(5)));
  }

  @AfterEach
  void close() {
    chain.close();
    first.close();
    second.close();
  }

  private PaymentWorker worker() {
    return fixture.worker(fixture.steps(Effects.PLAIN, chain, HASTE));
  }

  private void awaitFinal(List<Payment.Key> spends) {
    await().atMost(Duration.ofSeconds(60))
        .until(() -> spends.stream().allMatch(spend -> fixture.state(spend) instanceof Final));
  }

  @Test
  void cancelingQueuedSpendsStrandsNoLaterNonce() {
    var wallet = fixture.fundedWallet("100");
    var spends = fixture.spends(wallet, "1", payee, 50);
    int canceled = 0;
    try (var _ = worker()) {
      for (int i = 1; i < spends.size(); i += 3) {
        var answer = fixture.payments.cancel(fixture.store.tenant, spends.get(i).spendId(), "test");
        canceled += answer instanceof Cancel.Canceled ? 1 : 0;
      }
      awaitFinal(spends);
    }
    assertThat(canceled).isPositive();
    var nonces = spends.stream().map(fixture::state).filter(Confirmed.class::isInstance)
        .map(state -> ((Confirmed) state).nonce()).sorted().toList();
    assertThat(nonces).hasSize(50 - canceled).startsWith(0L).endsWith(49L - canceled);
    assertThat(fixture.paid(payee)).isEqualTo(Fixture.units(Integer.toString(50 - canceled)));
    assertThat(fixture.store.counters.differences(fixture.store.tenant)).isEmpty();
  }

  @Test
  void staleCountsOfANodeBehindALoadBalancerChangeNoNonceAndFreezeNobody() throws Exception {
    var wallet = fixture.fundedWallet("100");
    second.fault(Faults.behind(3));
    var every = new java.util.concurrent.atomic.AtomicInteger();
    // As a load balancer would: each question may meet the node that is behind.
    first.fault((request, node) -> every.incrementAndGet() % 2 == 0
        ? FaultProxy.pass(request, node)
        : Faults.behind(3).answer(request, node));
    var spends = new ArrayList<Payment.Key>();
    try (var _ = worker(); var reconciler = fixture.reconciler(chain)) {
      for (int i = 0; i < 8; i++) {
        spends.add(fixture.spend(wallet, "1", payee));
        reconciler.reconcile(chain);
      }
      await().atMost(Duration.ofSeconds(60)).until(() -> fixture.paid(payee).equals(Fixture.units("8")));
      anvil.rpc("anvil_mine", "0x5");
      awaitFinal(spends);
    }
    assertThat(spends).allSatisfy(spend -> assertThat(fixture.state(spend)).isInstanceOf(Confirmed.class));
    assertThat(anvil.transfersFrom(wallet.address())).hasSize(8);
    assertThat(fixture.alarms(Alarm.FOREIGN_TRANSACTION)).isZero();
    assertThat(fixture.alarms(Alarm.DEEP_REORGANISATION)).isZero();
    assertThat(fixture.store.directory.wallet(fixture.store.tenant, wallet.id()).orElseThrow().frozen()).isFalse();
  }

  @Test
  void receiptsThatFlickerConfirmOnceAndResendOnlyTheSameBytes() {
    long seed = 15;
    var random = new Random(seed);
    var wallet = fixture.fundedWallet("100");
    first.fault((request, node) -> request.path("method").asString("").equals("eth_getTransactionReceipt")
        && random.nextBoolean()
            ? FaultProxy.result(request, JsonMapper.shared().nullNode())
            : FaultProxy.pass(request, node));
    List<Payment.Key> spends;
    try (var _ = worker()) {
      spends = fixture.spends(wallet, "1", payee, 6);
      awaitFinal(spends);
    }
    assertThat(spends).as("seed " + seed)
        .allSatisfy(spend -> assertThat(fixture.state(spend)).isInstanceOf(Confirmed.class));
    assertThat(anvil.transfersFrom(wallet.address())).hasSize(6);
    assertThat(first.sent().stream().distinct().toList()).hasSize(6);
    assertThat(fixture.store.value("SELECT count(*) FROM audit_entry WHERE kind = 'payment.confirmed'")).isEqualTo(6L);
  }

  @Test
  void aTransactionThatWasIncludedIsNeverMarkedFatalByANodeOnAnotherFork() {
    var wallet = fixture.fundedWallet("5");
    // The second node knows nothing of our transactions, and counts other ones of the wallet.
    second.fault((request, node) -> switch (request.path("method").asString("")) {
      case "eth_getTransactionReceipt" -> FaultProxy.result(request, JsonMapper.shared().nullNode());
      case "eth_getTransactionCount" -> FaultProxy.result(request, JsonMapper.shared().valueToTree("0x9"));
      case "eth_sendRawTransaction" -> FaultProxy.error(request, "nonce too low");
      default -> FaultProxy.pass(request, node);
    });
    var down = new java.util.concurrent.atomic.AtomicBoolean(true);
    first.fault((request, node) -> down.get() ? new FaultProxy.Answer.HangUp() : FaultProxy.pass(request, node));
    try (var _ = worker()) {
      var spend = fixture.spend(wallet, "1", payee);
      await().atMost(Duration.ofSeconds(20)).until(() -> fixture.failure(spend).contains("nonce is used")
          || fixture.failure(spend).contains("cannot be reached"));
      await().during(Duration.ofSeconds(1)).atMost(Duration.ofSeconds(3))
          .until(() -> fixture.state(spend).text().equals("signed"));
      down.set(false);
      second.fault((request, node) -> new FaultProxy.Answer.HangUp());
      awaitFinal(List.of(spend));
      assertThat(fixture.state(spend)).isInstanceOf(Confirmed.class);
    }
    assertThat(fixture.store.directory.wallet(fixture.store.tenant, wallet.id()).orElseThrow().frozen()).isFalse();
    assertThat(anvil.transfersFrom(wallet.address())).hasSize(1);
  }

  @Test
  void twoProcessesThatSettleTheSameWalletsDoNotConflict() {
    var wallets = java.util.stream.Stream.generate(() -> fixture.fundedWallet("20")).limit(6).toList();
    var spends = new ArrayList<Payment.Key>();
    try (var _ = fixture.workerOfAnotherProcess(chain, HASTE); var _ = fixture.workerOfAnotherProcess(chain, HASTE)) {
      wallets.forEach(wallet -> spends.addAll(fixture.spends(wallet, "1", payee, 10)));
      awaitFinal(spends);
    }
    assertThat(spends).allSatisfy(spend -> assertThat(fixture.state(spend)).isInstanceOf(Confirmed.class));
    wallets.forEach(wallet -> {
      assertThat(anvil.transfersFrom(wallet.address())).hasSize(10);
      assertThat(anvil.transactionCount(wallet.address())).isEqualTo(10);
    });
    for (var kind : List.of("prepared", "signed", "broadcast", "confirmed")) {
      assertThat(fixture.store.value("SELECT count(*) FROM audit_entry WHERE kind = ?", "payment." + kind))
          .as(kind).isEqualTo(60L);
    }
    assertThat(fixture.store.counters.differences(fixture.store.tenant)).isEmpty();
  }

  @Test
  void aSlowNodeNeverLeadsToANewNonce() {
    var wallet = fixture.fundedWallet("5");
    first.fault(FaultProxy.whenSending((request, node) -> {
      var answer = FaultProxy.pass(request, node);
      Thread.sleep(1200);
      return answer;
    }));
    try (var _ = worker(); var _ = worker()) {
      var spends = fixture.spends(wallet, "1", payee, 3);
      awaitFinal(spends);
    }
    assertThat(first.sent().stream().map(raw -> TransactionDecoder.decode(raw).getNonce()).distinct().toList())
        .containsExactlyInAnyOrder(BigInteger.ZERO, BigInteger.ONE, BigInteger.TWO);
    assertThat(anvil.transfersFrom(wallet.address())).hasSize(3);
  }
}
