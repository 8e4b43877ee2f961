package io.bursar.api.settlement;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.math.BigDecimal;
import java.time.Duration;

import org.junit.jupiter.api.Test;

import io.bursar.api.relay.BatchSteps;
import io.bursar.api.relay.RelayAlarms.Alarm;
import io.bursar.store.PaymentState;

/** What is offered for a relayer's transaction that is not mined. */
class RelayFeesTest extends RelayGround {
  private static final long BASE_FEE = 1_000_000_000;
  private static final Duration REPLACE_AFTER = Duration.ofSeconds(1);

  private void nextBaseFee(long wei) {
    anvil.rpc("anvil_setNextBlockBaseFeePerGas", "0x" + Long.toHexString(wei));
    anvil.rpc("evm_mine");
  }

  @Test
  void aFeeSpikeAboveWhatTheSignerAllowsIsWaitedOutAndTheBatchPassesWhenItFalls() throws Exception {
    nextBaseFee(BASE_FEE);
    var started = new Started();
    var spends = fixture.spends(walletWithoutCoin("5"), "1", payee, 2);
    started.signAll(spends);
    var impatient = new BatchSteps(batches, started.authorizations, signer.transfers(fixture.log), alarms,
        new BatchSteps.Settings(100, Duration.ZERO, 4, Duration.ofMillis(1), REPLACE_AFTER, Duration.ofMinutes(5)));
    anvil.rpc("evm_setAutomine", false);
    try {
      impatient.work(anvil.chain(), relayer, started.lease);
      nextBaseFee(40 * BASE_FEE);
      Thread.sleep(REPLACE_AFTER);
      for (int i = 0; i < 4; i++) {
        impatient.work(anvil.chain(), relayer, started.lease);
        nextBaseFee(40 * BASE_FEE);
      }
      assertThat(fixture.store.value("SELECT count(*) FROM relay_attempt WHERE raw_transaction IS NOT NULL"))
          .isEqualTo(2L);
      assertThat((BigDecimal) fixture.store.value("SELECT max(max_fee) / min(max_fee) FROM relay_attempt"))
          .isEqualByComparingTo(BigDecimal.TEN);
      assertThat(alarms.count(Alarm.SIGNER_REFUSED)).as("it is never asked for more than it signs").isZero();
      await().atMost(Duration.ofSeconds(20)).pollInterval(Duration.ofMillis(20)).until(() -> {
        nextBaseFee(BASE_FEE);
        impatient.work(anvil.chain(), relayer, started.lease);
        return batches.open(relayer).isEmpty();
      });
    } finally {
      anvil.rpc("evm_setAutomine", true);
    }
    assertThat(spends)
        .allSatisfy(spend -> assertThat(fixture.state(spend)).isInstanceOf(PaymentState.Confirmed.class));
  }
}
