package io.bursar.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.math.BigInteger;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.stream.LongStream;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import io.bursar.permit.Bytes;
import io.bursar.permit.Digest32;
import io.bursar.permit.TransferIntent.Gas;
import io.bursar.policy.Policy;
import io.bursar.store.PaymentMove.Cancel;
import io.bursar.store.PaymentMove.Held;
import io.bursar.store.PaymentMove.Lost;
import io.bursar.store.PaymentMove.Moved;
import io.bursar.store.PaymentState.Authorized;
import io.bursar.store.PaymentState.Broadcast;
import io.bursar.store.PaymentState.Mined;
import io.bursar.store.PaymentState.Prepared;
import io.bursar.store.PaymentState.Replacing;
import io.bursar.store.PaymentState.Signed;
import io.bursar.store.PaymentStore.Change;

class PaymentStoreTest {
  private static final Gas GAS = gas(100);
  private static final PaymentEvent PREPARE = new PaymentEvent.Prepare(GAS);

  private Fixture fixture;
  private PaymentStore payments;
  private int keys;

  @BeforeEach
  void open() {
    fixture = new Fixture();
    fixture.attach(Policy.Target.TENANT, fixture.tenant, "{\"id\":\"any\",\"kind\":\"permit\"}");
    payments = store(4);
  }

  @AfterEach
  void close() {
    fixture.close();
  }

  private PaymentStore store(int unconfirmedMax) {
    return new PaymentStore(fixture.database, fixture.audit, fixture.reservations,
        new PaymentStore.Settings(unconfirmedMax, Duration.ofSeconds(30)));
  }

  private static Gas gas(long maxFee) {
    return new Gas(60_000, BigInteger.valueOf(maxFee), BigInteger.ONE);
  }

  private static PaymentEvent.Sign sign(int number) {
    var raw = Bytes.of(new byte[]{2, (byte) number});
    return new PaymentEvent.Sign(raw, Digest32.sha256(raw.toByteArray()));
  }

  private void authorize(UUID wallet, int count) throws Exception {
    var requests = new ArrayList<Spend.Request>();
    for (int i = 0; i < count; i++) {
      requests.add(fixture.request(wallet, "k" + keys++, "1", Fixture.PAYEE));
    }
    fixture.lanes.open(fixture.tenant).decide(requests);
  }

  private Payment claimOne() {
    return payments.claim(1, 1, List.of()).getFirst().getFirst();
  }

  private Payment moved(Payment payment, PaymentEvent event) {
    return ((Moved) payments.move(payment, event)).payment();
  }

  private void forgetLeases() {
    fixture.test.asAdministrator("UPDATE payment SET lease_until = '-infinity', due_at = now()");
  }

  @Test
  void recordsEachStepAndReadsItBack() throws Exception {
    authorize(fixture.wallet, 1);
    var authorized = claimOne();
    assertThat(authorized.state()).isEqualTo(new Authorized());
    var prepared = moved(authorized, PREPARE);
    assertThat(prepared.state()).isEqualTo(new Prepared(0, GAS));
    var signed = moved(prepared, sign(1));
    var sent = moved(signed, new PaymentEvent.Send("accepted"));
    assertThat(payments.find(sent.key()).orElseThrow().state()).isEqualTo(sent.state()).isInstanceOf(Broadcast.class);
    var replacing = moved(sent, new PaymentEvent.Replace(gas(113), false));
    assertThat(payments.find(sent.key()).orElseThrow().state()).isEqualTo(replacing.state())
        .isInstanceOf(Replacing.class);
    var again = moved(replacing, sign(2));
    assertThat(payments.find(sent.key()).orElseThrow().state()).isEqualTo(again.state())
        .isInstanceOfSatisfying(Signed.class, state -> assertThat(state.attempts()).hasSize(2));
    var mined = new Mined(sign(1).hash(), 77, Digest32.sha256(new byte[]{9}));
    var confirmed = moved(again, new PaymentEvent.Confirm(mined));
    assertThat(payments.find(sent.key()).orElseThrow().state()).isEqualTo(confirmed.state())
        .isEqualTo(new PaymentState.Confirmed(0, mined));
    assertThat(fixture.database.sql().sql("SELECT kind FROM audit_entry WHERE subject = :id ORDER BY seq")
        .param("id", sent.spendId()).query(String.class).list()).containsSubsequence("payment.prepared",
            "payment.signed", "payment.broadcast", "payment.replaced", "payment.signed", "payment.confirmed");
  }

  /** Plans are made while there is next to nothing, and kept: one that reads all payments then does so when there are millions. */
  @Test
  void noStepIsPlannedToReadAllPayments() throws Exception {
    var before = wholeReads();
    authorize(fixture.wallet, 3);
    for (int i = 0; i < 3; i++) {
      pay(claimOne(), i);
    }
    assertThat(payments.claim(1, 1, List.of())).isEmpty();
    fixture.tellWhatWasRead();
    assertThat(wholeReads()).isEqualTo(before);
  }

  @Test
  void aPaymentsStepsReadNoMoreRowsWhereThereAreManyOthers() throws Exception {
    authorize(fixture.wallet, 3);
    pay(claimOne(), 0); // so that every step is planned while there is next to nothing
    var next = claimOne();
    long before = fixture.rowsRead();
    pay(next, 1);
    long amongFew = fixture.rowsRead() - before;
    authorize(fixture.wallet, 300);
    authorize(fixture.newWallet(), 300);
    fixture.test.asAdministrator("""
        INSERT INTO payment_attempt (tenant_id, spend_id, attempt, max_fee, priority_fee, prepared_at)
        SELECT tenant_id, spend_id, 2, 1, 1, now() FROM payment""");
    var last = claimOne();
    before = fixture.rowsRead();
    pay(last, 2);
    // The wallet's next ones are looked at, and no more of them than may be on their way at once.
    assertThat(fixture.rowsRead() - before).as("beside %d among few", amongFew).isLessThan(amongFew + 50);
  }

  @Test
  void noIndexButTheKeyCouldBePlannedToFindAPaymentsRowsAmongAllOfTheTenant() {
    assertThat(fixture.database.sql().sql("""
        SELECT o.indexrelid::regclass::text FROM pg_index k JOIN pg_index o ON o.indrelid = k.indrelid AND o.indkey[0] = k.indkey[0]
        WHERE k.indisprimary AND NOT o.indisprimary AND o.indpred IS NULL
          AND k.indrelid::regclass::text IN ('payment', 'payment_attempt', 'payment_authorization', 'relay_batch', 'relay_item')
        """).query(String.class).list()).isEmpty();
  }

  private void pay(Payment payment, int nonce) {
    var prepared = moved(payment, PREPARE);
    payments.renew(List.of(prepared));
    assertThat(payments.hold(prepared)).isEmpty();
    var signed = moved(prepared, sign(nonce));
    assertThat(payments.isNextToSend(signed, nonce)).isTrue();
    var sent = moved(signed, new PaymentEvent.Send("accepted"));
    moved(sent, new PaymentEvent.Confirm(new Mined(sign(nonce).hash(), 77, Digest32.sha256(new byte[]{9}))));
  }

  /** How often each table has been read whole, since it was made. */
  private List<@Nullable String> wholeReads() {
    return fixture.database.sql().sql("""
        SELECT relname || ' ' || seq_scan FROM pg_stat_user_tables
        WHERE relname IN ('payment', 'payment_attempt', 'spend', 'audit_entry', 'wallet') ORDER BY relname
        """).query(String.class).list();
  }

  @Test
  void aSentPaymentIsGivenBackByTheMoveItselfAndLookedAtAgainSoon() throws Exception {
    authorize(fixture.wallet, 1);
    var sent = moved(moved(moved(claimOne(), PREPARE), sign(1)), new PaymentEvent.Send("accepted"));
    assertThat(payments.claim(1, 1, List.of())).as("no block holds it yet").isEmpty();
    Thread.sleep(600);
    assertThat(claimOne().key()).isEqualTo(sent.key());
  }

  @Test
  void paymentsGivenBackTogetherAreDueTogetherAndOnlyThoseOfTheLease() throws Exception {
    authorize(fixture.wallet, 3);
    var taken = payments.claim(1, 3, List.of()).getFirst();
    payments.later(taken.subList(0, 2), Duration.ZERO, null);
    assertThat(payments.claim(1, 3, List.of())).as("one is held still").isEmpty();
    payments.later(taken.getLast(), Duration.ZERO, null);
    assertThat(payments.claim(1, 3, List.of()).getFirst()).hasSize(3);
    payments.later(taken, Duration.ZERO, null);
    assertThat(payments.claim(1, 3, List.of())).as("another one's lease").isEmpty();
  }

  @Test
  void expiresWhatIsOverByTheRecordWhereTheClockWasSetBackSince() throws Exception {
    authorize(fixture.wallet, 2);
    fixture.test.asAdministrator("UPDATE lane SET last_at = now() + interval '1 hour'");
    fixture.test.asAdministrator("""
        UPDATE payment SET request_expires_at = now() + interval '10 minutes'
        WHERE spend_id = (SELECT min(spend_id::text)::uuid FROM spend)""");
    var over = claimOne();
    assertThat(moved(over, PREPARE).state()).isInstanceOf(PaymentState.Expired.class);
    assertThat(fixture.counters.differences(fixture.tenant)).isEmpty();
    forgetLeases();
    assertThat(moved(claimOne(), PREPARE).state()).as("the wallet's next goes on, at the first nonce")
        .isInstanceOfSatisfying(PaymentState.Prepared.class, prepared -> assertThat(prepared.nonce()).isZero());
  }

  @Test
  void aMoveFromAStateThatIsNoLongerSoChangesNothing() throws Exception {
    authorize(fixture.wallet, 1);
    var authorized = claimOne();
    moved(moved(authorized, PREPARE), sign(1));
    var before = fixture.value("SELECT max(seq) FROM audit_entry");
    assertThat(payments.move(authorized, PREPARE)).isEqualTo(new Lost());
    assertThat(payments.move(authorized, new PaymentEvent.Expire())).isEqualTo(new Lost());
    assertThat(fixture.value("SELECT max(seq) FROM audit_entry")).isEqualTo(before);
    assertThat(fixture.value("SELECT audit_seq FROM lane")).isEqualTo(before);
    assertThat(fixture.value("SELECT next_nonce FROM wallet WHERE wallet_id = ?", fixture.wallet)).isEqualTo(1L);
  }

  @Test
  void aMoveUnderALeaseThatAnotherOneHasTakenOverChangesNothing() throws Exception {
    authorize(fixture.wallet, 1);
    var first = claimOne();
    forgetLeases();
    var second = claimOne();
    assertThat(payments.move(first, PREPARE)).isEqualTo(new Lost());
    assertThat(payments.move(second, PREPARE)).isInstanceOf(Moved.class);
  }

  @Test
  void anEventThatCannotHappenInAStateIsAFaultOfTheProgram() throws Exception {
    authorize(fixture.wallet, 1);
    var authorized = claimOne();
    assertThatThrownBy(() -> payments.move(authorized, sign(1))).isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("authorized");
    var prepared = moved(authorized, PREPARE);
    assertThatThrownBy(() -> payments.move(prepared, new PaymentEvent.Expire()))
        .isInstanceOf(IllegalStateException.class);
  }

  @Test
  void oneWalletIsWorkedOnByOneHolderAtATime() throws Exception {
    var second = fixture.newWallet();
    authorize(fixture.wallet, 3);
    authorize(second, 3);
    var mine = payments.claim(1, 1, List.of());
    assertThat(mine).hasSize(1);
    var others = payments.claim(9, 9, List.of());
    assertThat(others).hasSize(1);
    assertThat(others.getFirst()).hasSize(3)
        .noneMatch(payment -> payment.wallet().equals(mine.getFirst().getFirst().wallet()));
    assertThat(payments.claim(9, 9, List.of())).isEmpty();
    payments.later(mine.getFirst().getFirst(), Duration.ofMinutes(1), "a reason");
    assertThat(payments.claim(9, 9, List.of())).hasSize(1);
  }

  /** More payments of a wallet that somebody works on are due, and longer, than are looked at first. */
  @Test
  void aWalletThatAnotherHoldsDoesNotHideTheOthers() throws Exception {
    authorize(fixture.wallet, 120);
    assertThat(payments.claim(1, 5, List.of())).hasSize(1);
    var second = fixture.newWallet();
    authorize(second, 1);
    assertThat(payments.claim(1, 5, List.of()).getFirst()).hasSize(1)
        .allMatch(payment -> payment.wallet().walletId().equals(second));
    assertThat(payments.claim(1, 5, List.of())).isEmpty();
  }

  /** Each thread that becomes free asks for work: what it reads must not grow with what waits. */
  @Test
  void workIsFoundAmongTheFirstThatAreDue() throws Exception {
    assertThat(payments.claim(1, 1, List.of())).isEmpty(); // planned while there is nothing
    authorize(fixture.wallet, 20);
    authorize(fixture.newWallet(), 40);
    authorize(fixture.newWallet(), 600);
    assertThat(payments.claim(1, 1, List.of())).hasSize(1);
    long before = fixture.rowsRead();
    for (int i = 0; i < 4; i++) {
      payments.later(payments.claim(1, 1, List.of()).getFirst(), Duration.ZERO, null);
    }
    // The first that are due, and all that its wallet has to pay.
    assertThat(fixture.rowsRead() - before).isLessThan(4 * 150);
  }

  @Test
  void concurrentHoldersNeverShareAPayment() throws Exception {
    for (int i = 0; i < 20; i++) {
      authorize(fixture.newWallet(), 2);
    }
    try (var threads = Executors.newFixedThreadPool(8)) {
      var claims = new ArrayList<Callable<List<List<Payment>>>>();
      for (int i = 0; i < 40; i++) {
        claims.add(() -> payments.claim(2, 5, List.of()));
      }
      var claimed = new ArrayList<UUID>();
      for (var claim : threads.invokeAll(claims)) {
        claim.get().forEach(wallet -> wallet.forEach(payment -> claimed.add(payment.spendId())));
      }
      assertThat(claimed).doesNotHaveDuplicates().hasSize(40);
    }
  }

  @Test
  void noncesAreGaplessHoweverManyPrepareAtOnce() throws Exception {
    int count = 24;
    payments = store(count);
    authorize(fixture.wallet, count);
    var claimed = payments.claim(1, count, List.of()).getFirst();
    try (var threads = Executors.newFixedThreadPool(8)) {
      var moves = claimed.stream().map(payment -> (Callable<Boolean>) () -> {
        var move = payments.move(payment, PREPARE);
        while (move instanceof Held) { // one at a time is prepared and not yet signed
          move = payments.move(payment, PREPARE);
        }
        var number = (int) ((Prepared) ((Moved) move).payment().state()).nonce();
        return payments.move(((Moved) move).payment(), sign(number)) instanceof Moved;
      }).toList();
      for (var move : threads.invokeAll(moves)) {
        assertThat(move.get()).isTrue();
      }
    }
    assertThat(fixture.database.sql().sql("SELECT nonce FROM payment ORDER BY nonce").query(Long.class).list())
        .isEqualTo(LongStream.range(0, count).boxed().toList());
  }

  @Test
  void holdsWhatMayNotBePreparedAndTakesNoNonceForIt() throws Exception {
    payments = store(1);
    authorize(fixture.wallet, 2);
    var both = payments.claim(1, 2, List.of()).getFirst();
    fixture.directory.freeze(fixture.tenant, fixture.wallet, true, "test");
    assertThat(payments.move(both.getFirst(), PREPARE)).isEqualTo(new Held("the wallet is frozen"));
    fixture.directory.freeze(fixture.tenant, fixture.wallet, false, "test");
    fixture.directory.suspend(fixture.tenant, fixture.agent, true, "test");
    assertThat(payments.move(both.getFirst(), PREPARE)).isEqualTo(new Held("the agent is suspended"));
    assertThat(payments.hold(both.getFirst())).contains("the agent is suspended");
    fixture.directory.suspend(fixture.tenant, fixture.agent, false, "test");
    assertThat(fixture.value("SELECT next_nonce FROM wallet WHERE wallet_id = ?", fixture.wallet)).isEqualTo(0L);
    moved(moved(both.getFirst(), PREPARE), sign(1));
    assertThat(payments.move(both.getLast(), PREPARE)).isInstanceOf(Held.class);
  }

  private List<Change> preparing(List<Payment> of) {
    return of.stream().map(payment -> new Change(payment, PREPARE)).toList();
  }

  /** The nonces of the moves, in their order; of one that was not recorded, the kind of its answer. */
  private static List<String> nonces(List<PaymentMove> moves) {
    return moves.stream()
        .map(move -> move instanceof Moved(var payment) && payment.state() instanceof Prepared(var nonce, var _)
            ? Long.toString(nonce)
            : move.getClass().getSimpleName())
        .toList();
  }

  @Test
  void oneThatWasCanceledMeanwhileLeavesNoGapAmongThoseThatArePreparedTogether() throws Exception {
    authorize(fixture.wallet, 4);
    var taken = payments.claim(1, 4, List.of()).getFirst();
    payments.cancel(fixture.tenant, taken.get(1).spendId(), "test");
    fixture.test.asAdministrator(
        "UPDATE payment SET lease = gen_random_uuid() WHERE spend_id = '" + taken.get(2).spendId() + "'");
    assertThat(nonces(payments.move(preparing(taken)))).containsExactly("0", "Lost", "Lost", "1");
    assertThat(fixture.value("SELECT next_nonce FROM wallet WHERE wallet_id = ?", fixture.wallet)).isEqualTo(2L);
    assertThat(fixture.value("SELECT string_agg(nonce::text, ' ' ORDER BY spend_id) FROM payment")).isEqualTo("0 1");
  }

  @Test
  void preparesTogetherNoMoreThanMayBeUnconfirmedAndNothingWhileOneIsUnsigned() throws Exception {
    payments = store(3);
    authorize(fixture.wallet, 5);
    var taken = payments.claim(1, 5, List.of()).getFirst();
    var moves = payments.move(preparing(taken));
    assertThat(nonces(moves)).containsExactly("0", "1", "2", "Held", "Held");
    var prepared = moves.stream().limit(3).map(move -> ((Moved) move).payment()).toList();
    moved(moved(prepared.getFirst(), sign(1)), new PaymentEvent.Send("accepted"));
    payments = store(16);
    assertThat(nonces(payments.move(preparing(taken.subList(3, 5))))).containsExactly("Held", "Held");
    payments.move(List.of(new Change(prepared.get(1), sign(2)), new Change(prepared.get(2), sign(3))));
    assertThat(nonces(payments.move(preparing(taken.subList(3, 5))))).containsExactly("3", "4");
  }

  @Test
  void thosePreparedTogetherFillAGapFirst() throws Exception {
    authorize(fixture.wallet, 4);
    var taken = payments.claim(1, 4, List.of()).getFirst();
    moved(moved(taken.getFirst(), PREPARE), sign(1));
    fixture.test.asAdministrator("UPDATE payment SET nonce = 1 WHERE nonce = 0");
    fixture.test.asAdministrator("UPDATE wallet SET next_nonce = 0");
    assertThat(nonces(payments.move(preparing(taken.subList(1, 4))))).containsExactly("0", "2", "3");
    assertThat(fixture.value("SELECT next_nonce FROM wallet WHERE wallet_id = ?", fixture.wallet)).isEqualTo(4L);
  }

  @Test
  void aLaterNonceWaitsUntilTheEarlierOneIsSent() throws Exception {
    authorize(fixture.wallet, 2);
    var both = payments.claim(1, 2, List.of()).getFirst();
    var first = moved(moved(both.getFirst(), PREPARE), sign(1));
    var second = moved(moved(both.getLast(), PREPARE), sign(2));
    assertThat(payments.isNextToSend(second, 1)).isFalse();
    assertThat(payments.isNextToSend(first, 0)).isTrue();
    moved(first, new PaymentEvent.Send("accepted"));
    assertThat(payments.isNextToSend(second, 1)).isTrue();
    assertThat(payments.isLowest(second, 1)).isFalse();
  }

  @Test
  void renewsOnlyTheLeasesThatAreStillHeld() throws Exception {
    authorize(fixture.wallet, 2);
    var both = payments.claim(1, 2, List.of()).getFirst();
    payments.later(both.getFirst(), Duration.ZERO, null);
    payments.renew(both);
    assertThat(fixture.value("SELECT count(*) FROM payment WHERE lease_until > now()")).isEqualTo(1L);
  }

  @Test
  void cancelsOnlyWhatIsNotPreparedAndOnlyOnce() throws Exception {
    authorize(fixture.wallet, 2);
    var both = payments.claim(1, 2, List.of()).getFirst();
    moved(moved(both.getFirst(), PREPARE), sign(1));
    assertThat(payments.cancel(fixture.tenant, both.getFirst().spendId(), "test"))
        .isEqualTo(new Cancel.TooLate("signed"));
    assertThat(payments.cancel(fixture.tenant, both.getLast().spendId(), "test")).isEqualTo(new Cancel.Canceled());
    assertThat(payments.move(both.getLast(), PREPARE)).isEqualTo(new Lost());
    assertThat(payments.cancel(UUID.randomUUID(), both.getLast().spendId(), "test")).isEqualTo(new Cancel.NotFound());
    assertThat(fixture.counters.differences(fixture.tenant)).isEmpty();
  }

  @Test
  void saysHowMuchIsUnsettledAndWhenSomethingIsDue() throws Exception {
    assertThat(payments.backlog().unsettled()).isZero();
    assertThat(payments.untilDue(Duration.ofSeconds(5), List.of())).isEqualTo(Duration.ofSeconds(5));
    authorize(fixture.wallet, 2);
    assertThat(payments.backlog().unsettled()).isEqualTo(2);
    assertThat(payments.untilDue(Duration.ofSeconds(5), List.of())).isZero();
    assertThat(payments.untilDue(Duration.ofSeconds(5), List.of(fixture.wallet))).isEqualTo(Duration.ofSeconds(5));
    payments.laterWithFollowers(claimOne(), Duration.ofSeconds(2), null);
    assertThat(payments.untilDue(Duration.ofSeconds(5), List.of())).isBetween(Duration.ofMillis(500),
        Duration.ofSeconds(2));
  }

  @Test
  void movesRecordedTogetherSucceedAndFailEachForItself() throws Exception {
    var moves = new ArrayList<Callable<PaymentMove>>();
    for (int i = 0; i < 16; i++) {
      var wallet = fixture.newWallet();
      authorize(wallet, 1);
      fixture.directory.freeze(fixture.tenant, wallet, i % 4 == 1, "test");
    }
    for (var claimed : payments.claim(16, 1, List.of())) {
      var payment = claimed.getFirst();
      if (moves.size() % 4 == 2) {
        payments.cancel(fixture.tenant, payment.spendId(), "test");
      }
      moves.add(() -> payments.move(payment, PREPARE));
    }
    var results = new ArrayList<String>();
    try (var threads = Executors.newFixedThreadPool(16)) {
      for (var move : threads.invokeAll(moves)) {
        results.add(move.get().getClass().getSimpleName());
      }
    }
    assertThat(results).filteredOn("Held"::equals).hasSize(4);
    assertThat(results).filteredOn("Lost"::equals).hasSizeBetween(1, 4);
    assertThat(fixture.value("SELECT count(*) FROM payment WHERE state = 'prepared'"))
        .isEqualTo(results.stream().filter("Moved"::equals).count());
    assertThat(fixture.value("SELECT sum(next_nonce)::bigint FROM wallet"))
        .isEqualTo(results.stream().filter("Moved"::equals).count());
    assertThat(fixture.value("SELECT count(*) = max(seq) FROM audit_entry")).isEqualTo(true);
    assertThat(fixture.value("SELECT audit_seq FROM lane"))
        .isEqualTo(fixture.value("SELECT max(seq) FROM audit_entry"));
  }
}
