package io.bursar.api.settlement;

import static io.bursar.api.testing.FaultProxy.error;
import static io.bursar.api.testing.FaultProxy.pass;
import static io.bursar.api.testing.FaultProxy.times;
import static io.bursar.api.testing.FaultProxy.whenSending;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.web3j.crypto.TransactionDecoder;

import io.bursar.api.chain.Chain;
import io.bursar.api.chain.ChainSettings;
import io.bursar.api.chain.FeePolicy;
import io.bursar.api.testing.AnvilProcess;
import io.bursar.api.testing.FaultProxy;
import io.bursar.api.testing.FaultProxy.Answer;
import io.bursar.store.Fixture;
import io.bursar.store.Payment;
import io.bursar.store.PaymentState.Confirmed;
import io.bursar.store.PaymentState.Final;
import tools.jackson.databind.json.JsonMapper;

/** Nodes that misbehave, and signers that come and go. */
class SettlementFaultsTest extends ChainAndSigner {
  private FaultProxy proxy;
  private Chain chain;

  SettlementFaultsTest() {
    super(AnvilProcess::start);
  }

  @BeforeEach
  void open() {
    proxy = new FaultProxy(anvil.endpoint());
    chain = new Chain(new ChainSettings(AnvilProcess.CHAIN, proxy.endpoint(), 1, FeePolicy.DEFAULT,
        Duration.ofMillis(1500)));
  }

  @AfterEach
  void close() {
    chain.close();
    proxy.close();
  }

  private PaymentWorker worker() {
    return fixture.worker(fixture.steps(fixture.metrics.timed(), chain));
  }

  private void awaitConfirmed(Payment.Key spend) {
    await().atMost(Duration.ofSeconds(40)).untilAsserted(
        () -> assertThat(fixture.state(spend)).as(fixture.failure(spend)).isInstanceOf(Confirmed.class));
  }

  @Test
  void anUnreachableNodeDelaysAndLosesNothing() {
    var wallet = fixture.fundedWallet("5");
    proxy.fault((request, node) -> new Answer.HangUp());
    try (var _ = worker()) {
      var spend = fixture.spend(wallet, "1", payee);
      await().atMost(Duration.ofSeconds(20)).until(() -> !fixture.failure(spend).isEmpty());
      assertThat(fixture.failure(spend)).contains("the node cannot be reached").doesNotContain("127.0.0.1");
      proxy.fault(FaultProxy::pass);
      awaitConfirmed(spend);
      assertThat(fixture.failure(spend)).isEmpty();
    }
    assertThat(anvil.transfersFrom(wallet.address())).hasSize(1);
  }

  @Test
  void aNodeOfAnotherChainIsNotAskedForAnything() {
    var wallet = fixture.fundedWallet("5");
    proxy.fault((request, node) -> {
      assertThat(request.path("method").asString("")).isEqualTo("eth_chainId");
      return FaultProxy.result(request, JsonMapper.shared().valueToTree("0x1"));
    });
    try (var _ = worker()) {
      var spend = fixture.spend(wallet, "1", payee);
      await().atMost(Duration.ofSeconds(20)).until(() -> fixture.failure(spend).contains("eip155:1"));
      await().atMost(Duration.ofSeconds(20)).until(() -> fixture.alarms(Alarm.WRONG_CHAIN) > 0);
      proxy.fault(FaultProxy::pass);
      awaitConfirmed(spend);
    }
  }

  @Test
  void waitsForASignerThatIsDownAndFindsItWhenItIsBack() {
    var wallet = fixture.fundedWallet("5");
    try (var _ = worker()) {
      var first = fixture.spend(wallet, "1", payee);
      awaitConfirmed(first);
      signer.kill();
      var second = fixture.spend(wallet, "1", payee);
      await().atMost(Duration.ofSeconds(20)).until(() -> fixture.failure(second).contains("signer"));
      signer.restart();
      awaitConfirmed(second);
    }
    assertThat(anvil.transfersFrom(wallet.address())).hasSize(2);
  }

  @Test
  void aRefusalOfTheSignerThatCannotPassStaysWithAnAlarm() {
    var stranger = fixture.unknownWallet(newPayee());
    anvil.fund(stranger.address(), Fixture.units("5"));
    try (var _ = worker()) {
      var spend = fixture.spend(stranger, "1", payee);
      await().atMost(Duration.ofSeconds(20)).until(() -> fixture.failure(spend).contains("UNKNOWN_KEY"));
      assertThat(fixture.state(spend).text()).isEqualTo("prepared");
      assertThat(fixture.alarms(Alarm.SIGNER_REFUSED)).isPositive();
    }
  }

  @Test
  void fiftyPaymentsOfOneWalletAreSentInTheOrderOfTheirNonces() {
    var wallet = fixture.fundedWallet("100");
    var everyThird = new AtomicInteger();
    proxy.fault(whenSending((request, node) -> everyThird.incrementAndGet() % 3 == 0
        ? new Answer.HangUp()
        : pass(request, node)));
    List<Payment.Key> spends;
    try (var worker = worker(); var second = worker()) {
      spends = fixture.spends(wallet, "1", payee, 50);
      worker.wake();
      second.wake();
      await().atMost(Duration.ofSeconds(90))
          .until(() -> spends.stream().allMatch(spend -> fixture.state(spend) instanceof Final));
    }
    assertThat(spends).allSatisfy(spend -> assertThat(fixture.state(spend)).isInstanceOf(Confirmed.class));
    var nonces = proxy.sent().stream().map(raw -> TransactionDecoder.decode(raw).getNonce()).toList();
    var first = nonces.stream().distinct().toList();
    assertThat(first).isSorted().hasSize(50).startsWith(BigInteger.ZERO).endsWith(BigInteger.valueOf(49));
    assertThat(anvil.transfersFrom(wallet.address())).hasSize(50);
    assertThat(fixture.paid(payee)).isEqualTo(Fixture.units("50"));
    assertThat(fixture.store.counters.differences(fixture.store.tenant)).isEmpty();
  }

  @Test
  void aReceiptWithoutTheTokensEventIsNotBelieved() {
    var wallet = fixture.fundedWallet("5");
    proxy.fault((request, node) -> {
      if (!request.path("method").asString("").equals("eth_getTransactionReceipt")) {
        return pass(request, node);
      }
      var text = new String(node.ask(request), StandardCharsets.UTF_8);
      return new Answer.Reply(200, text.replace(payee.toString().toLowerCase(java.util.Locale.ROOT).substring(2),
          "00".repeat(20)).getBytes(StandardCharsets.UTF_8));
    });
    try (var _ = worker()) {
      var spend = fixture.spend(wallet, "1", payee);
      await().atMost(Duration.ofSeconds(20)).until(() -> fixture.alarms(Alarm.NO_TRANSFER_EVENT) > 0);
      assertThat(fixture.state(spend).text()).isEqualTo("broadcast");
      proxy.fault(FaultProxy::pass);
      awaitConfirmed(spend);
    }
  }

  @Test
  void aTransactionThatTheNodeFindsTooCheapIsReplacedByTheSameTransferAtAHigherPrice() {
    var wallet = fixture.fundedWallet("5");
    proxy.fault(times(2, (request, node) -> error(request, "transaction underpriced")));
    try (var _ = worker()) {
      var spend = fixture.spend(wallet, "1", payee);
      awaitConfirmed(spend);
    }
    var sent = proxy.sent().stream().map(TransactionDecoder::decode).toList();
    assertThat(sent).hasSizeGreaterThanOrEqualTo(3).allSatisfy(transaction -> {
      assertThat(transaction.getNonce()).isEqualTo(BigInteger.ZERO);
      assertThat(transaction.getData()).isEqualTo(sent.getFirst().getData());
    });
    assertThat(anvil.transfersFrom(wallet.address())).hasSize(1);
  }
}
