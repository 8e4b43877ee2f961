package io.bursar.api.settlement;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.math.BigInteger;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import io.bursar.api.chain.Chain;
import io.bursar.api.chain.ChainSettings;
import io.bursar.api.chain.FeePolicy;
import io.bursar.api.testing.AnvilProcess;
import io.bursar.api.testing.SettlementFixture;
import io.bursar.api.testing.SignerProcess;
import io.bursar.money.Address;
import io.bursar.store.Fixture;
import io.bursar.store.Payment;
import io.bursar.store.PaymentState;
import io.bursar.store.PaymentState.Attempt;
import io.bursar.store.PaymentState.Broadcast;
import io.bursar.store.PaymentState.Confirmed;

/** Transactions that are not mined, are mined at another price, or are mined and then not. */
class StuckPaymentsTest {
  private static final AtomicInteger PAYEES = new AtomicInteger(0x4000);
  private AnvilProcess anvil;
  private SignerProcess signer;
  private SettlementFixture fixture;
  private Address payee;

  @BeforeEach
  void open() {
    anvil = AnvilProcess.startMiningAtOnce();
    signer = SignerProcess.start();
    fixture = new SettlementFixture(anvil, signer);
    payee = Fixture.address(PAYEES.incrementAndGet());
  }

  @AfterEach
  void close() {
    fixture.close();
    signer.close();
    anvil.close();
  }

  private PaymentWorker worker(int confirmations, BigInteger maxFeeCap) {
    var policy = new FeePolicy(maxFeeCap, maxFeeCap, FeePolicy.DEFAULT.priorityFeeFloor(),
        FeePolicy.DEFAULT.gasLimitCap());
    return fixture.worker(fixture.steps(fixture.metrics.timed(), new Chain(new ChainSettings(AnvilProcess.CHAIN,
        anvil.endpoint(), confirmations, policy, Duration.ofSeconds(5)))));
  }

  private PaymentWorker worker(int confirmations) {
    return worker(confirmations, FeePolicy.DEFAULT.maxFeeCap());
  }

  private List<Attempt> attempts(Payment.Key spend) {
    return fixture.state(spend) instanceof Broadcast(var _, var attempts) ? attempts : List.of();
  }

  private void awaitConfirmed(Payment.Key spend) {
    await().atMost(Duration.ofSeconds(30)).untilAsserted(
        () -> assertThat(fixture.state(spend)).as(fixture.failure(spend)).isInstanceOf(Confirmed.class));
  }

  @Test
  void whatIsNotMinedIsOfferedAnEighthMoreAndWhicheverIsMinedCounts() {
    var wallet = fixture.fundedWallet("5");
    anvil.rpc("evm_setAutomine", false);
    try (var _ = worker(1)) {
      var spend = fixture.spend(wallet, "1", payee);
      await().atMost(Duration.ofSeconds(40)).untilAsserted(
          () -> assertThat(attempts(spend)).as(fixture.state(spend) + fixture.failure(spend)).hasSize(2));
      var attempts = attempts(spend);
      var first = attempts.getFirst().gas();
      var second = attempts.getLast().gas();
      var eight = BigInteger.valueOf(8);
      var nine = BigInteger.valueOf(9);
      assertThat(second.maxFeePerGas().multiply(eight)).isGreaterThanOrEqualTo(first.maxFeePerGas().multiply(nine));
      assertThat(second.maxPriorityFeePerGas().multiply(eight))
          .isGreaterThanOrEqualTo(first.maxPriorityFeePerGas().multiply(nine));
      // The cheaper one is mined all the same, as by a producer that never saw the other one.
      anvil.rpc("anvil_dropTransaction", "0x" + attempts.getLast().hash());
      anvil.rpc("eth_sendRawTransaction", "0x" + attempts.getFirst().raw());
      anvil.rpc("evm_mine");
      awaitConfirmed(spend);
      assertThat(((Confirmed) fixture.state(spend)).mined().transactionHash()).isEqualTo(attempts.getFirst().hash());
    }
    assertThat(anvil.transfersFrom(wallet.address())).hasSize(1);
    assertThat(fixture.paid(payee)).isEqualTo(Fixture.units("1"));
  }

  @Test
  void atTheCapNothingMoreIsOfferedAndTheSameBytesAreSentAgain() {
    var wallet = fixture.fundedWallet("5");
    anvil.rpc("evm_setAutomine", false);
    anvil.rpc("anvil_setNextBlockBaseFeePerGas", "0x3b9aca00");
    anvil.rpc("evm_mine");
    try (var _ = worker(1, BigInteger.valueOf(1_800_000_000))) {
      var spend = fixture.spend(wallet, "1", payee);
      await().atMost(Duration.ofSeconds(40)).untilAsserted(() -> assertThat(fixture.alarms(Alarm.FEE_CAP))
          .as(fixture.state(spend) + fixture.failure(spend)).isPositive());
      anvil.rpc("anvil_dropAllTransactions");
      assertThat(attempts(spend)).allSatisfy(
          attempt -> assertThat(attempt.gas().maxFeePerGas()).isLessThanOrEqualTo(BigInteger.valueOf(1_800_000_000)));
      anvil.rpc("evm_setIntervalMining", 1);
      awaitConfirmed(spend);
    }
    assertThat(anvil.transfersFrom(wallet.address())).hasSize(1);
  }

  @Test
  void aFeeSpikeAboveTheCapIsWaitedOut() {
    var wallet = fixture.fundedWallet("5");
    anvil.rpc("anvil_setNextBlockBaseFeePerGas", "0x174876e800");
    anvil.rpc("evm_mine");
    try (var _ = worker(1, BigInteger.valueOf(50_000_000_000L))) {
      var spend = fixture.spend(wallet, "1", payee);
      await().atMost(Duration.ofSeconds(20)).until(() -> fixture.failure(spend).contains("above the cap"));
      assertThat(fixture.state(spend).text()).isEqualTo("authorized");
      anvil.rpc("anvil_setNextBlockBaseFeePerGas", "0x3b9aca00");
      anvil.rpc("evm_mine");
      awaitConfirmed(spend);
    }
  }

  @Test
  void isConfirmedOnlyAtItsDepth() {
    var wallet = fixture.fundedWallet("5");
    try (var _ = worker(4)) {
      var spend = fixture.spend(wallet, "1", payee);
      await().atMost(Duration.ofSeconds(20)).until(() -> fixture.paid(payee).signum() > 0);
      anvil.rpc("anvil_mine", "0x2");
      await().during(Duration.ofSeconds(2)).atMost(Duration.ofSeconds(4))
          .untilAsserted(
              () -> assertThat(fixture.state(spend)).as(fixture.failure(spend)).isInstanceOf(Broadcast.class));
      anvil.rpc("anvil_mine", "0x1");
      awaitConfirmed(spend);
    }
  }

  @Test
  void aReorganisationThatDropsTheTransferIsFollowedByTheSameTransferOnce() {
    var wallet = fixture.fundedWallet("5");
    try (var _ = worker(6)) {
      var spend = fixture.spend(wallet, "1", payee);
      await().atMost(Duration.ofSeconds(20)).until(() -> fixture.paid(payee).signum() > 0);
      anvil.rpc("anvil_mine", "0x2");
      anvil.rpc("anvil_reorg", 3, List.of());
      assertThat(fixture.paid(payee)).as("after the reorganisation").isEqualTo(BigInteger.ZERO);
      await().atMost(Duration.ofSeconds(20)).until(() -> fixture.paid(payee).signum() > 0);
      anvil.rpc("anvil_mine", "0x6");
      awaitConfirmed(spend);
      assertThat(((Confirmed) fixture.state(spend)).nonce()).isZero();
    }
    assertThat(anvil.transfersFrom(wallet.address())).hasSize(1);
    assertThat(fixture.paid(payee)).isEqualTo(Fixture.units("1"));
  }

  @Test
  void whatTheChainForgotBelowTheDepthIsGivenToItAgainSoThatLaterPaymentsPass() {
    var wallet = fixture.fundedWallet("5");
    try (var _ = worker(1)) {
      var first = fixture.spend(wallet, "1", payee);
      awaitConfirmed(first);
      anvil.rpc("anvil_reorg", 1, List.of());
      assertThat(anvil.transactionCount(wallet.address())).isZero();
      var second = fixture.spend(wallet, "2", payee);
      awaitConfirmed(second);
    }
    assertThat(fixture.paid(payee)).isEqualTo(Fixture.units("3"));
    assertThat(anvil.transfersFrom(wallet.address())).hasSize(2);
  }

  @Test
  void aNonceTakenBySomebodyElseIsAnAlarmAndNeverASecondTransfer() {
    var wallet = fixture.fundedWallet("5");
    anvil.rpc("anvil_setNonce", wallet.address().toString(), "0x1");
    var spend = fixture.spend(wallet, "1", payee);
    try (var _ = worker(1)) {
      await().atMost(Duration.ofSeconds(20)).until(() -> fixture.failure(spend).contains("nonce is used"));
      fixture.store.test.asAdministrator("UPDATE payment SET updated_at = now() - interval '40 seconds'");
      await().atMost(Duration.ofMinutes(1)).until(() -> fixture.alarms(Alarm.FOREIGN_TRANSACTION) > 0);
    }
    assertThat(fixture.state(spend)).isInstanceOf(PaymentState.Signed.class);
    assertThat(anvil.transfersFrom(wallet.address())).isEmpty();
  }
}
