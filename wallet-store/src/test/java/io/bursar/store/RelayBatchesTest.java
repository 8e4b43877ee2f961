package io.bursar.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigInteger;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.stream.Collectors;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import io.bursar.permit.Bytes;
import io.bursar.permit.Digest32;
import io.bursar.permit.TransferIntent.Gas;
import io.bursar.policy.Policy;
import io.bursar.store.RelayedPayment.Terms;
import io.bursar.store.Relayer;

final class RelayBatchesTest {
  private static final Duration LEASE = Duration.ofSeconds(30);
  private static final Gas GAS = new Gas(1_000_000, BigInteger.TEN, BigInteger.ONE);
  private static final int MANY = 300;

  private final UUID by = UUID.randomUUID();
  private final Relayer relayer = new Relayer(Fixture.CHAIN, UUID.randomUUID(), Fixture.address(0xee));
  private Fixture fixture;
  private RelayStore payments;
  private RelayBatches batches;

  @BeforeEach
  void open() {
    fixture = new Fixture();
    fixture.attach(Policy.Target.TENANT, fixture.tenant, "{\"id\":\"any\",\"kind\":\"permit\"}");
    new SettlementModes(fixture.database, fixture.audit).relay(fixture.tenant, fixture.usdc.id(),
        new RelayedPayment.Token("USDC", "2"), "test");
    payments = new RelayStore(fixture.database, fixture.audit, fixture.reservations, LEASE);
    var pool = new Relayers(fixture.database, LEASE);
    batches = new RelayBatches(fixture.database, fixture.audit, payments, pool);
    pool.enroll(relayer, 0);
    assertThat(pool.take(relayer, by)).isTrue();
  }

  @AfterEach
  void close() {
    fixture.close();
  }

  /** Decides spends and has them signed, by nobody in particular. */
  private void sign(int count) throws Exception {
    decide(count);
    for (var claimed = claim(); !claimed.isEmpty(); claimed = claim()) {
      var rich = claimed.stream()
          .collect(Collectors.toMap(RelayedPayment::account, of -> BigInteger.TEN.pow(18), (one, other) -> one));
      var prepared = payments.prepare(claimed, new RelayStore.Balances(1, rich),
          payment -> new Terms(Digest32.sha256(payment.spendId().toString().getBytes(
              java.nio.charset.StandardCharsets.US_ASCII)), 9_000_000_000L, 1, null));
      assertThat(prepared.poor()).isEmpty();
      payments.sign(prepared.prepared().stream()
          .collect(Collectors.toMap(payment -> payment, payment -> Bytes.of(new byte[65]))));
    }
  }

  private void decide(int count) throws Exception {
    var requests = new ArrayList<Spend.Request>();
    for (int i = 0; i < count; i++) {
      requests.add(fixture.request(UUID.randomUUID().toString(), "1"));
    }
    fixture.lanes.open(fixture.tenant).decide(requests);
  }

  private List<RelayedPayment> claim() {
    return payments.claimUnsigned(Fixture.CHAIN, 200);
  }

  private int fixed(int most) {
    return batches.fix(relayer, by, most, 0, count -> GAS).map(batch -> batches.members(batch).size()).orElse(0);
  }

  @Test
  void aBatchThatIsFixedIsTheOneThatIsOpenAndItsAttemptsComeInTheirOrder() throws Exception {
    sign(3);
    var fixed = batches.fix(relayer, by, 2, 0, count -> GAS).orElseThrow();
    var second = batches.fix(relayer, by, 2, 0, count -> GAS).orElseThrow();
    assertThat(batches.open(relayer)).usingRecursiveComparison().ignoringFields("since", "readAt")
        .isEqualTo(List.of(fixed, second));
    var raw = Bytes.of(new byte[]{1});
    batches.sign(fixed, raw, Digest32.sha256(raw.toByteArray()));
    var signed = batches.open(relayer).getFirst();
    assertThat(signed.next()).isNull();
    assertThat(signed.sent()).singleElement().satisfies(attempt -> assertThat(attempt.raw()).isEqualTo(raw));
    batches.replace(signed, GAS);
    var replacing = batches.open(relayer).getFirst();
    assertThat(replacing.next()).isEqualTo(GAS);
    assertThat(replacing.sent()).isEqualTo(signed.sent());
    var other = Bytes.of(new byte[]{2});
    batches.sign(replacing, other, Digest32.sha256(other.toByteArray()));
    assertThat(batches.open(relayer)).hasSize(2).first()
        .satisfies(both -> assertThat(both.sent()).extracting(PaymentState.Attempt::raw).containsExactly(raw, other));
  }

  @Test
  void looksForABatchWithoutReadingAllThatWaits() throws Exception {
    assertThat(batches.waiting(Fixture.CHAIN, 5).count()).isZero(); // so that it is planned while there is nothing
    assertThat(fixed(5)).isZero();
    sign(MANY);
    long before = fixture.rowsRead();
    assertThat(batches.waiting(Fixture.CHAIN, 5).count()).isEqualTo(5);
    assertThat(fixed(5)).isEqualTo(5);
    assertThat(fixture.rowsRead() - before).isLessThan(MANY / 2);
  }

  @Test
  void looksForWhatIsToBeSignedWithoutReadingAllThatIsOnItsWay() throws Exception {
    assertThat(claim()).isEmpty(); // so that it is planned while there is nothing
    sign(MANY);
    decide(5);
    long before = fixture.rowsRead();
    assertThat(claim()).hasSize(5);
    assertThat(fixture.rowsRead() - before).isLessThan(MANY / 2);
  }

  @Test
  void everySignedAuthorizationIsInOneBatchAndTheLongestWaitingFirst() throws Exception {
    sign(12);
    assertThat(fixed(5)).isEqualTo(5);
    assertThat(fixed(5)).isEqualTo(5);
    assertThat(fixed(5)).isEqualTo(2);
    assertThat(fixed(5)).isZero();
    var members = batches.open(relayer).stream().flatMap(batch -> batches.members(batch).stream())
        .map(member -> member.payment().spendId()).toList();
    assertThat(members).doesNotHaveDuplicates().hasSize(12).isSorted();
  }
}
