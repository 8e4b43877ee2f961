package io.bursar.api.settlement;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.math.BigInteger;
import java.time.Duration;
import java.util.List;
import java.util.UUID;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import io.bursar.api.chain.ChainUnavailable;
import io.bursar.api.relay.RefillSteps;
import io.bursar.store.Directory;
import io.bursar.store.Fixture;
import io.bursar.store.Refills;
import io.bursar.store.RelayBatch;
import io.bursar.store.Relayer;

/** Native coin from a chain's first relayer to the others. */
class RefillTest extends RelayGround {
  private static final int BATCH = 100;
  /** What a full batch may use, in units of gas. */
  private static final long GAS_OF_BATCH = 60_000 + 130_000 * BATCH;

  private final UUID secondsLease = UUID.randomUUID();
  private Refills refills;
  private UUID operator = new UUID(0, 0);
  private Relayer first;
  private Relayer second;
  private Started started;

  @BeforeEach
  void aPoolOfTwo() throws Exception {
    refills = new Refills(fixture.store.database, fixture.store.audit, pool, batches);
    operator = fixture.store.directory.createTenant(Directory.DEFAULT_TENANT, "test").orElseThrow().id();
    first = newRelayer(Relayer.keyId(Fixture.CHAIN, 0), BigInteger.TEN.pow(21));
    second = newRelayer(Relayer.keyId(Fixture.CHAIN, 1), BigInteger.ZERO);
    started = new Started(first);
    assertThat(pool.take(second, secondsLease)).isTrue();
  }

  private void see(Relayer relayer, UUID lease) throws ChainUnavailable {
    new RefillSteps(anvil.chain(), refills, alarms, BATCH).see(relayer, lease);
  }

  private BigInteger fullBatches(int count) throws ChainUnavailable {
    return anvil.chain().quote().offer().gas(GAS_OF_BATCH).maxCost().multiply(BigInteger.valueOf(count));
  }

  private void holds(Relayer relayer, BigInteger wei) {
    anvil.rpc("anvil_setBalance", relayer.address().toString(), "0x" + wei.toString(16));
  }

  private BigInteger balance(Relayer relayer) throws ChainUnavailable {
    return anvil.chain().balance(relayer.address());
  }

  private void relayUntilSettled() {
    await().atMost(Duration.ofSeconds(30)).pollInterval(Duration.ofMillis(20)).until(() -> {
      started.relay();
      return batches.open(first).isEmpty();
    });
  }

  @Test
  void anEmptyRelayerIsFilledOnceAndThatIsOnTheOperatorsRecord() throws Exception {
    var wanted = fullBatches(100);
    for (int i = 0; i < 3; i++) {
      see(first, started.lease);
    }
    assertThat(batches.open(first)).as("no second one while the first is on its way").hasSize(1)
        .extracting(RelayBatch::refill).doesNotContainNull();
    relayUntilSettled();
    var filled = balance(second);
    assertThat(filled).isEqualTo(wanted);
    see(first, started.lease);
    assertThat(batches.open(first)).isEmpty();
    assertThat(fixture.store.value("SELECT convert_from(payload, 'UTF8')::jsonb->>'wei' FROM audit_entry"
        + " WHERE tenant_id = ? AND kind = 'relayer.refilled'", operator)).isEqualTo(filled.toString());
  }

  @Test
  void aRefillTakesItsTurnAmongBatchesAndIsTakenUpAgainByWhoeverIsNext() throws Exception {
    var wallet = walletWithoutCoin("5");
    var spends = fixture.spends(wallet, "1", payee, 3);
    started.signAll(spends);
    see(first, started.lease); // and killed before it was signed
    started = new Started(first);
    started.settle(spends);
    relayUntilSettled();
    assertThat(balance(second)).isPositive();
    assertPaidOnce(wallet, spends, "beside a refill");
  }

  @Test
  void nobodyIsFilledWhoHasEnoughOrIsNotWorkedOnOrByAnyoneButTheFirst() throws Exception {
    holds(second, fullBatches(42));
    see(first, started.lease);
    holds(second, BigInteger.TEN.pow(21));
    holds(first, BigInteger.ZERO);
    see(second, secondsLease);
    holds(first, BigInteger.TEN.pow(21));
    holds(second, BigInteger.ZERO);
    see(first, UUID.randomUUID()); // whose lease it is not
    fixture.store.test.asAdministrator("UPDATE relayer SET lease_until = '-infinity' WHERE key_id = '%s'"
        .formatted(second.keyId()));
    see(first, started.lease);
    assertThat(batches.open(first)).isEmpty();
    assertThat(batches.open(second)).isEmpty();
    assertThat(fixture.store.value("SELECT count(*) FROM audit_entry WHERE kind = 'relayer.refilled'")).isEqualTo(0L);
  }

  @Test
  void theGiverKeepsWhatItNeedsItselfAlsoWithSeveralToFill() throws Exception {
    holds(first, fullBatches(50));
    see(first, started.lease);
    assertThat(batches.open(first)).isEmpty();
    var third = newRelayer(Relayer.keyId(Fixture.CHAIN, 2), BigInteger.ZERO);
    assertThat(pool.take(third, UUID.randomUUID())).isTrue();
    var full = fullBatches(1); // before the base fee falls
    holds(first, fullBatches(165)); // for one whole refill, and a part of the other
    see(first, started.lease);
    relayUntilSettled();
    assertThat(balance(first).divide(full)).isBetween(BigInteger.valueOf(39), BigInteger.valueOf(40));
    assertThat(List.of(balance(second).divide(full), balance(third).divide(full)))
        .containsExactlyInAnyOrder(BigInteger.valueOf(100), BigInteger.valueOf(24));
  }
}
