package io.bursar.api.settlement;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.math.BigInteger;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.web3j.crypto.TransactionDecoder;
import org.web3j.crypto.transaction.type.Transaction1559;

import io.bursar.api.chain.Chain;
import io.bursar.api.chain.ChainSettings;
import io.bursar.api.chain.FeePolicy;
import io.bursar.api.testing.AnvilProcess;
import io.bursar.api.testing.FaultProxy;
import io.bursar.api.testing.StrictNode;
import io.bursar.store.Fixture;
import io.bursar.store.Payment;
import io.bursar.store.PaymentState.Confirmed;

/** Settlement on a node with the rules of geth, which are stricter than those of the development chain. */
class StrictNodesTest extends ChainAndSigner {
  private static final PaymentSteps.Settings HASTE = new PaymentSteps.Settings(Duration.ofMillis(500),
      Duration.ofMillis(1500));

  private FaultProxy proxy;
  private Chain chain;

  @BeforeEach
  void open() {
    proxy = new FaultProxy(anvil.endpoint());
    proxy.fault(new StrictNode());
    chain = capped(FeePolicy.DEFAULT.maxFeeCap());
  }

  @AfterEach
  void close() {
    chain.close();
    proxy.close();
    anvil.rpc("evm_setAutomine", true);
  }

  private Chain capped(BigInteger maxFee) {
    return new Chain(new ChainSettings(AnvilProcess.CHAIN, proxy.endpoint(), 1, new FeePolicy(maxFee, maxFee,
        FeePolicy.DEFAULT.priorityFeeFloor(), FeePolicy.DEFAULT.gasLimitCap()), Duration.ofSeconds(5)));
  }

  private void awaitConfirmed(Payment.Key spend) {
    await().atMost(Duration.ofSeconds(30)).untilAsserted(
        () -> assertThat(fixture.state(spend)).as(fixture.failure(spend)).isInstanceOf(Confirmed.class));
  }

  private void baseFee(String wei) {
    anvil.rpc("anvil_setNextBlockBaseFeePerGas", wei);
    anvil.rpc("evm_mine");
  }

  @Test
  void everyReplacementIsEnoughForANodeThatAsksForATenthMore() {
    var wallet = fixture.fundedWallet("5");
    anvil.rpc("evm_setAutomine", false);
    try (var _ = fixture.worker(fixture.steps(Effects.PLAIN, chain, HASTE))) {
      var spend = fixture.spend(wallet, "1", payee);
      await().atMost(Duration.ofSeconds(30)).until(() -> fixture.payment(spend).state().text().equals("broadcast")
          && distinctFees() >= 3);
      anvil.rpc("evm_setAutomine", true);
      anvil.rpc("evm_mine");
      awaitConfirmed(spend);
    }
    assertThat(anvil.transfersFrom(wallet.address())).hasSize(1);
  }

  private long distinctFees() {
    return proxy.sent().stream().distinct().count();
  }

  /** The fee rises while the transaction is signed. */
  private Effects feeRisesBeforeTheFirstSend(String wei) {
    var risen = new AtomicBoolean();
    return new Effects() {
      @Override
      public <T, X extends Exception> T run(Effect effect, Payment payment, Action<T, X> action) throws X {
        if (effect == Effect.SEND && risen.compareAndSet(false, true)) {
          baseFee(wei);
        }
        return action.run();
      }
    };
  }

  @Test
  void whatStaysPendingBelowTheBaseFeeIsReplacedByTheSameTransferAtTheMarketsPrice() {
    var wallet = fixture.fundedWallet("5");
    baseFee("0x3b9aca00");
    try (var _ = fixture.worker(fixture.steps(feeRisesBeforeTheFirstSend("0x1dcd65000"), chain, HASTE))) {
      var spend = fixture.spend(wallet, "1", payee);
      awaitConfirmed(spend);
      assertThat(((Confirmed) fixture.state(spend)).nonce()).isZero();
    }
    var sent = proxy.sent().stream().map(TransactionDecoder::decode).toList();
    assertThat(sent).extracting(transaction -> transaction.getData()).containsOnly(sent.getFirst().getData());
    assertThat(anvil.transfersFrom(wallet.address())).hasSize(1);
    baseFee("0x3b9aca00");
  }

  /** More than ten times the first offer is not signed: a payment must not be fixed at such a price, and wait for ever. */
  @Test
  void aFeeSpikeAboveWhatTheSignerAllowsIsWaitedOutAsOneAboveTheCap() {
    var wallet = fixture.fundedWallet("5");
    baseFee("0x3b9aca00");
    try (var _ = fixture.worker(fixture.steps(feeRisesBeforeTheFirstSend("0x174876e800"), chain, HASTE))) {
      var spend = fixture.spend(wallet, "1", payee);
      await().atMost(Duration.ofSeconds(30)).until(() -> fixture.alarms(Alarm.FEE_CAP) > 0);
      baseFee("0x3b9aca00");
      awaitConfirmed(spend);
    }
    assertThat(fixture.alarms(Alarm.SIGNER_REFUSED)).isZero();
    assertThat(anvil.transfersFrom(wallet.address())).hasSize(1);
  }

  @Test
  void aFeeSpikeAboveTheCapAlarmsAndIsWaitedOutAndThePaymentPassesWhenItFalls() {
    var wallet = fixture.fundedWallet("5");
    baseFee("0x3b9aca00");
    try (var capped = capped(BigInteger.valueOf(5_000_000_000L));
        var _ = fixture.worker(fixture.steps(feeRisesBeforeTheFirstSend("0x174876e800"), capped, HASTE))) {
      var spend = fixture.spend(wallet, "1", payee);
      await().atMost(Duration.ofSeconds(30)).until(() -> fixture.alarms(Alarm.FEE_CAP) > 0);
      assertThat(fixture.state(spend).text()).isEqualTo("broadcast");
      assertThat(fixture.paid(payee)).isEqualTo(BigInteger.ZERO);
      baseFee("0x3b9aca00");
      awaitConfirmed(spend);
    }
    assertThat(proxy.sent()).allSatisfy(raw -> assertThat(
        ((Transaction1559) TransactionDecoder.decode(raw).getTransaction()).getMaxFeePerGas())
        .isLessThanOrEqualTo(BigInteger.valueOf(5_000_000_000L)));
    assertThat(anvil.transfersFrom(wallet.address())).hasSize(1);
  }

  @Test
  void whatAReorganisationDropsAndTheNodeTakesBackIsPaidOnce() {
    var wallet = fixture.fundedWallet("5");
    try (var deep = new Chain(new ChainSettings(AnvilProcess.CHAIN, proxy.endpoint(), 4, FeePolicy.DEFAULT,
        Duration.ofSeconds(5))); var _ = fixture.worker(fixture.steps(Effects.PLAIN, deep, HASTE))) {
      var spend = fixture.spend(wallet, "1", payee);
      await().atMost(Duration.ofSeconds(20)).until(() -> fixture.paid(payee).signum() > 0);
      anvil.rpc("anvil_reorg", 1, List.of());
      await().atMost(Duration.ofSeconds(20)).until(() -> fixture.paid(payee).signum() > 0);
      anvil.rpc("anvil_mine", "0x4");
      awaitConfirmed(spend);
    }
    assertThat(anvil.transfersFrom(wallet.address())).hasSize(1);
    assertThat(fixture.paid(payee)).isEqualTo(Fixture.units("1"));
  }
}
