package io.bursar.signer;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import io.bursar.money.Address;
import io.bursar.permit.Bytes;
import io.bursar.permit.Permit;
import io.bursar.permit.SignedPermit;
import io.bursar.permit.TransferIntent;
import io.bursar.permit.TransferIntent.Gas;
import io.bursar.permit.TransferIntent.NonceSlot;
import io.bursar.permit.TransferIntent.Transfer;

class JournalTest {
  private static final UUID KEY = UUID.fromString("0198f3a0-0000-7000-8000-0000000000c1");
  private static final Address FROM = Address.parse("0x00000000000000000000000000000000000000f1");
  private static final Gas GAS = Fixtures.gas(90_000, 1_000, 10);

  @TempDir
  Path directory = Path.of(".");
  private Path path = Path.of(".");

  @BeforeEach
  void name() {
    path = directory.resolve("journal");
  }

  @Test
  void refusesAnotherTransferForANonceAlsoAfterRestart() throws IOException {
    var first = intent(7, GAS);
    try (var journal = Fixtures.journal(path, Fixtures.NOW)) {
      assertThat(record(journal, first)).isInstanceOf(JournalOutcome.Recorded.class);
      assertOthersRefused(journal, first);
    }
    try (var journal = Fixtures.journal(path, Fixtures.NOW)) {
      assertThat(journal.records()).isEqualTo(1);
      assertOthersRefused(journal, first);
      assertThat(record(journal, first)).isInstanceOf(JournalOutcome.Recorded.class);
      assertThat(record(journal, intent(8, GAS))).isInstanceOf(JournalOutcome.Recorded.class);
    }
  }

  private static void assertOthersRefused(Journal journal, TransferIntent first) {
    var t = first.transfer();
    var other = Address.parse("0x00000000000000000000000000000000000000ee");
    for (var next : List.of(
        with(first, first.spendId(), new Transfer(t.token(), t.payee(), t.amount().add(BigInteger.ONE))),
        with(first, first.spendId(), new Transfer(t.token(), other, t.amount())),
        with(first, first.spendId(), new Transfer(other, t.payee(), t.amount())),
        with(first, UUID.randomUUID(), t),
        new TransferIntent(Fixtures.OTHER_TENANT, first.spendId(), first.slot(), first.from(), t, first.gas()),
        new TransferIntent(first.tenantId(), first.spendId(), first.slot(), other, t, first.gas()))) {
      assertThat(record(journal, next)).as("%s", next).isInstanceOf(JournalOutcome.OtherPayload.class);
    }
  }

  @Test
  void theSameNonceOfAnotherKeyOrChainIsFree() throws IOException {
    try (var journal = Fixtures.journal(path, Fixtures.NOW)) {
      var first = intent(7, GAS);
      assertThat(record(journal, first)).isInstanceOf(JournalOutcome.Recorded.class);
      for (var slot : List.of(new NonceSlot(8453, UUID.randomUUID(), 7), new NonceSlot(1, KEY, 7))) {
        var next = new TransferIntent(first.tenantId(), UUID.randomUUID(), slot, FROM, first.transfer(), GAS);
        assertThat(record(journal, next)).isInstanceOf(JournalOutcome.Recorded.class);
      }
    }
  }

  @Test
  void feesMayRiseToTenTimesTheFirstAndNoFurtherAlsoStepByStepAndAfterRestart() throws IOException {
    try (var journal = Fixtures.journal(path, Fixtures.NOW)) {
      for (long fee : new long[]{1_000, 1_100, 5_000, 10_000, 1_500}) {
        assertThat(record(journal, intent(7, Fixtures.gas(90_000, fee, 10)))).as("%d", fee)
            .isInstanceOf(JournalOutcome.Recorded.class);
      }
      assertFeesRefused(journal);
    }
    try (var journal = Fixtures.journal(path, Fixtures.NOW)) {
      assertFeesRefused(journal);
    }
  }

  private static void assertFeesRefused(Journal journal) {
    for (var gas : List.of(Fixtures.gas(90_000, 999, 10), Fixtures.gas(90_000, 10_001, 10),
        Fixtures.gas(90_001, 10_000, 10), Fixtures.gas(900_001, 1_000, 10))) {
      assertThat(record(journal, intent(7, gas))).as("%s", gas).isEqualTo(new JournalOutcome.FeeOutOfBounds(GAS));
    }
  }

  @Test
  void aPermitIsUsedOnceAlsoAfterRestartAndForAnotherIntent() throws IOException {
    var first = intent(7, GAS);
    var permit = Fixtures.permit(first, Fixtures.NOW);
    try (var journal = Fixtures.journal(path, Fixtures.NOW)) {
      assertThat(record(journal, permit, first)).isInstanceOf(JournalOutcome.Recorded.class);
      assertThat(record(journal, permit, first)).isInstanceOf(JournalOutcome.PermitUsed.class);
      assertThat(record(journal, permit, intent(8, GAS))).isInstanceOf(JournalOutcome.PermitUsed.class);
    }
    try (var journal = Fixtures.journal(path, Fixtures.NOW)) {
      assertThat(record(journal, permit, first)).isInstanceOf(JournalOutcome.PermitUsed.class);
    }
  }

  @Test
  void aRefusedRequestUsesNoPermitAndWritesNothing() throws IOException {
    try (var journal = Fixtures.journal(path, Fixtures.NOW)) {
      var first = intent(7, GAS);
      record(journal, first);
      var before = journal.mark(Fixtures.NOW);
      var conflicting = with(first, UUID.randomUUID(), first.transfer());
      assertThat(record(journal, conflicting)).isInstanceOf(JournalOutcome.OtherPayload.class);
      assertThat(journal.mark(Fixtures.NOW)).isEqualTo(before);
      assertThat(journal.records()).isEqualTo(1);
    }
  }

  @Test
  void permitsThatWereForgottenStayRefusedWhenTheClockGoesBack() throws IOException {
    var used = new ArrayList<Permit>();
    try (var journal = Fixtures.journal(path, Fixtures.NOW)) {
      recordMany(journal, JournalMemory.FORGET_AT_LEAST - 10, Fixtures.NOW, used);
      var later = Fixtures.NOW.plusSeconds(3_600);
      recordMany(journal, 20, later, new ArrayList<>()); // those above the bound make it forget what expired by then
      assertThat(record(journal, used.getFirst(), intent(1_000_000, GAS)))
          .isInstanceOf(JournalOutcome.PermitForgotten.class);
      var fresh = intent(1_000_001, GAS);
      assertThat(record(journal, Fixtures.permit(fresh, later), fresh)).isInstanceOf(JournalOutcome.Recorded.class);
    }
    try (var journal = Fixtures.journal(path, Fixtures.NOW)) {
      for (var permit : used.subList(0, 100)) {
        assertThat(record(journal, permit, intent(2_000_000, GAS))).isInstanceOf(JournalOutcome.PermitUsed.class);
      }
    }
  }

  @Test
  void ofManyThreadsWithAnotherTransferForOneNonceExactlyOneWins() throws Exception {
    try (var journal = Fixtures.journal(path, Fixtures.NOW); var threads = Executors.newFixedThreadPool(16)) {
      for (int nonce = 0; nonce < 40; nonce++) {
        var tasks = new ArrayList<Callable<JournalOutcome>>();
        for (int i = 0; i < 16; i++) {
          var rival = with(intent(nonce, GAS), UUID.randomUUID(),
              new Transfer(Fixtures.TOKEN, Fixtures.PAYEE, BigInteger.valueOf(i + 1)));
          tasks.add(() -> record(journal, rival));
        }
        int won = 0;
        for (var outcome : threads.invokeAll(tasks)) {
          won += outcome.get() instanceof JournalOutcome.Recorded ? 1 : 0;
        }
        assertThat(won).as("nonce %d", nonce).isEqualTo(1);
      }
    }
    try (var journal = Fixtures.journal(path, Fixtures.NOW)) {
      assertThat(journal.records()).isEqualTo(40);
    }
  }

  @Test
  void ofManyThreadsWithOnePermitExactlyOneWins() throws Exception {
    try (var journal = Fixtures.journal(path, Fixtures.NOW); var threads = Executors.newFixedThreadPool(16)) {
      for (int round = 0; round < 40; round++) {
        var intent = intent(round, GAS);
        var permit = Fixtures.permit(intent, Fixtures.NOW);
        var tasks = new ArrayList<Callable<JournalOutcome>>();
        for (int i = 0; i < 16; i++) {
          tasks.add(() -> record(journal, permit, intent));
        }
        int won = 0;
        for (var outcome : threads.invokeAll(tasks)) {
          won += outcome.get() instanceof JournalOutcome.Recorded ? 1 : 0;
        }
        assertThat(won).as("round %d", round).isEqualTo(1);
      }
    }
  }

  @Test
  void threadsThatQueueUpWhileOneWritesShareAnFsync() throws Exception {
    var channel = new FaultyChannel(SafeFiles.open(path));
    try (var journal = Fixtures.journal(path, channel, Fixtures.NOW); var threads = Executors.newCachedThreadPool()) {
      record(journal, intent(100, GAS)); // makes room
      int before = channel.forces();
      var gate = channel.hold();
      var outcomes = new ArrayList<Future<JournalOutcome>>();
      outcomes.add(threads.submit(() -> record(journal, intent(0, GAS))));
      await(() -> channel.held() == 1);
      var queued = new ConcurrentLinkedQueue<Thread>();
      for (int nonce = 1; nonce <= 20; nonce++) {
        var intent = intent(nonce, GAS);
        outcomes.add(threads.submit(() -> {
          queued.add(Thread.currentThread());
          return record(journal, intent);
        }));
      }
      await(() -> queued.size() == 20
          && queued.stream().allMatch(JournalTest::isHeldUp));
      gate.release(100);
      for (var outcome : outcomes) {
        assertThat(outcome.get()).isInstanceOf(JournalOutcome.Recorded.class);
      }
      assertThat(channel.forces() - before).as("one for the first, one for the twenty").isEqualTo(2);
    }
  }

  /** One writes and fails; another, queued behind it, must fail too, or a third could take the nonce of the second. */
  @Test
  void whoeverQueuedBehindAFailedWriteFailsWithIt() throws Exception {
    var channel = new FaultyChannel(SafeFiles.open(path));
    try (var journal = Fixtures.journal(path, channel, Fixtures.NOW); var threads = Executors.newCachedThreadPool()) {
      record(journal, intent(100, GAS)); // makes room
      var gate = channel.hold();
      var writing = threads.submit(() -> record(journal, intent(1, GAS)));
      await(() -> channel.held() == 1);
      var second = new AtomicReference<>(Thread.currentThread());
      var queued = threads.submit(() -> {
        second.set(Thread.currentThread());
        return record(journal, intent(5, GAS));
      });
      await(() -> isHeldUp(second.get()));
      channel.failNextForce();
      gate.release();
      assertThat(writing.get()).isInstanceOf(JournalOutcome.NotDurable.class);
      var rival = threads
          .submit(() -> record(journal, with(intent(5, GAS), UUID.randomUUID(), intent(5, GAS).transfer())));
      await(() -> channel.held() == 2);
      Thread.sleep(50); // whoever is not held by now waits behind the one who is
      gate.release(100);
      assertThat(rival.get()).isInstanceOf(JournalOutcome.Recorded.class);
      assertThat(queued.get()).isInstanceOf(JournalOutcome.NotDurable.class);
    }
  }

  /** Whether a thread waits for its turn to write, or for whoever writes. */
  private static boolean isHeldUp(Thread thread) {
    return thread.getState() == Thread.State.BLOCKED || thread.getState() == Thread.State.WAITING;
  }

  private static void await(BooleanSupplier condition) throws InterruptedException {
    long until = System.nanoTime() + 20_000_000_000L;
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).as("waited 20 s").isLessThan(until);
      Thread.sleep(1);
    }
  }

  /** Writers race for few nonces while the disk fails and heals: whatever was answered must agree with every reopening. */
  @Test
  void neverRecordsTwoTransfersForANonceWhileTheDiskFailsAndHeals() throws Exception {
    long seed = 71;
    var accepted = new HashMap<Long, Transfer>();
    for (int round = 0; round < 6; round++) {
      var channel = new FaultyChannel(SafeFiles.open(path));
      var conflicts = new AtomicInteger();
      try (var journal = Fixtures.journal(path, channel, Fixtures.NOW); var threads = Executors.newFixedThreadPool(9)) {
        var tasks = new ArrayList<Callable<Boolean>>();
        for (int thread = 0; thread < 8; thread++) {
          var random = new Random(seed * 1_000 + round * 10L + thread);
          tasks.add(() -> {
            for (int i = 0; i < 150; i++) {
              long nonce = random.nextInt(120);
              var intent = with(intent(nonce, GAS), new UUID(nonce, 99),
                  new Transfer(Fixtures.TOKEN, Fixtures.PAYEE, BigInteger.valueOf(1 + random.nextInt(3))));
              if (record(journal, intent) instanceof JournalOutcome.Recorded) {
                synchronized (accepted) {
                  var before = accepted.putIfAbsent(nonce, intent.transfer());
                  if (before != null && !before.equals(intent.transfer())) {
                    conflicts.incrementAndGet();
                  }
                }
              }
            }
            return true;
          });
        }
        var disk = new Random(seed + round);
        tasks.add(() -> {
          for (int i = 0; i < 60; i++) {
            channel.fail(disk.nextBoolean() ? FaultyChannel.Fault.FULL : FaultyChannel.Fault.FORCE);
            Thread.sleep(disk.nextInt(3));
            channel.heal();
            Thread.sleep(disk.nextInt(4));
          }
          return true;
        });
        for (var result : threads.invokeAll(tasks)) {
          result.get();
        }
      }
      assertThat(conflicts.get()).as("seed %d, round %d", seed, round).isZero();
      try (var journal = Fixtures.journal(path, Fixtures.NOW)) {
        for (var entry : accepted.entrySet()) {
          var t = entry.getValue();
          var rival = with(intent(entry.getKey(), GAS), new UUID(entry.getKey(), 99),
              new Transfer(t.token(), t.payee(), t.amount().add(BigInteger.TEN)));
          assertThat(record(journal, rival)).as("seed %d, round %d", seed, round)
              .isInstanceOf(JournalOutcome.OtherPayload.class);
        }
      }
    }
  }

  @Test
  void anAnswerMeansThatTheRecordSurvivesAndACutAtAnyByteLosesOnlyTheLast() throws IOException {
    var sizes = new ArrayList<Long>();
    try (var journal = Fixtures.journal(path, Fixtures.NOW)) {
      for (int nonce = 0; nonce < 4; nonce++) {
        record(journal, intent(nonce, GAS));
        sizes.add(journal.mark(Fixtures.NOW).length());
      }
    }
    var whole = Files.readAllBytes(path);
    for (int length = (int) (long) sizes.get(2); length < sizes.get(3); length += 3) {
      Files.write(path, Arrays.copyOf(Arrays.copyOf(whole, length), length % 2 == 0 ? length : whole.length));
      try (var journal = Fixtures.journal(path, Fixtures.NOW)) {
        assertThat(journal.records()).as("cut at %d", length).isEqualTo(3);
        for (int nonce = 0; nonce < 3; nonce++) {
          assertOthersRefused(journal, intent(nonce, GAS));
        }
        var another = with(intent(3, GAS), UUID.randomUUID(), intent(3, GAS).transfer());
        assertThat(record(journal, another)).as("the unanswered nonce is free")
            .isInstanceOf(JournalOutcome.Recorded.class);
      }
    }
  }

  @Test
  void isReadableByItsOwnerOnly() throws IOException {
    Fixtures.journal(path, Fixtures.NOW).close();
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path)))
        .isEqualTo("rw-------");
  }

  private static void recordMany(Journal journal, int count, Instant at, List<Permit> used) {
    try (var threads = Executors.newFixedThreadPool(32)) {
      for (int i = 0; i < count; i++) {
        var intent = intent(at.getEpochSecond() + i, GAS);
        var permit = Fixtures.permit(intent, at);
        used.add(permit);
        threads.execute(
            () -> assertThat(journal.record(at, signed(permit), permit, intent, SpendApprovals.Result.Counted.NONE))
                .isInstanceOf(JournalOutcome.Recorded.class));
      }
    }
  }

  private static JournalOutcome record(Journal journal, TransferIntent intent) {
    return record(journal, Fixtures.permit(intent, Fixtures.NOW), intent);
  }

  private static JournalOutcome record(Journal journal, Permit permit, TransferIntent intent) {
    return journal.record(Fixtures.NOW, signed(permit), permit, intent, SpendApprovals.Result.Counted.NONE);
  }

  private static SignedPermit signed(Permit permit) {
    return new SignedPermit(Bytes.of(permit.encode()),
        Bytes.of(new byte[SignedPermit.SIGNATURE_BYTES]));
  }

  private static TransferIntent intent(long nonce, Gas gas) {
    var plain = Fixtures.intent(KEY, FROM, nonce);
    return new TransferIntent(plain.tenantId(), plain.spendId(), plain.slot(), plain.from(), plain.transfer(), gas);
  }

  private static TransferIntent with(TransferIntent intent, UUID spendId, Transfer transfer) {
    return new TransferIntent(intent.tenantId(), spendId, intent.slot(), intent.from(), transfer, intent.gas());
  }
}
