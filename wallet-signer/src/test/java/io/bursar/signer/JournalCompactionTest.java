package io.bursar.signer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.UUID;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import io.bursar.permit.Authorization;
import io.bursar.permit.AuthorizationCancellation;
import io.bursar.permit.AuthorizationIntent;
import io.bursar.permit.Bytes;
import io.bursar.permit.CancelAuthorizationIntent;
import io.bursar.permit.CancelIntent;
import io.bursar.permit.Digest32;
import io.bursar.permit.FreezeScope;
import io.bursar.permit.Intent;
import io.bursar.permit.JournalMark;
import io.bursar.permit.Permit;
import io.bursar.permit.PermitSigningKey;
import io.bursar.permit.RelayIntent;
import io.bursar.permit.TransferIntent;
import io.bursar.permit.TransferIntent.NonceSlot;
import io.bursar.permit.TransferIntent.Transfer;

/** A compacted journal answers everything as the whole one does, is known by the same marks, and is shorter. */
class JournalCompactionTest {
  private static final UUID KEY = new UUID(1, 1);
  private static final Ceilings CEILINGS = Ceilings.parse(
      """
      {"assets": [{"chain": "eip155:8453", "contract": "%s", "symbol": "USDC", "decimals": 6, "currency": "USD"}],
       "key": {"name": "key", "rules": [{"id": "any", "kind": "permit"},
         {"id": "hour", "kind": "limit", "match": {"currency": "USD"}, "max": "0.0002", "window": {"rolling": "PT1H"}}]}}"""
          .formatted(Fixtures.TOKEN).getBytes(StandardCharsets.UTF_8));

  @TempDir
  Path directory = Path.of(".");

  /** A journal with its anchor. */
  private record Home(Path directory) {
    Path path() {
      return directory.resolve("journal");
    }

    Journal open(Instant now) throws IOException {
      return Journal.open(path(), Optional.of(JournalAnchor.open(directory.resolve("anchor"))), CEILINGS, now);
    }

    JournalCompaction.Result compact(Instant now) throws IOException {
      try (var anchor = JournalAnchor.open(directory.resolve("anchor"))) {
        return JournalCompaction.compact(path(), anchor, now);
      }
    }

    Home copy(Path to) throws IOException {
      Files.createDirectory(to);
      for (var name : List.of("journal", "anchor")) {
        Files.copy(directory.resolve(name), to.resolve(name));
      }
      return new Home(to);
    }
  }

  private Home home(String name) throws IOException {
    return new Home(Files.createDirectory(directory.resolve(name)));
  }

  /** Requests about few nonces and spends, so that most meet what was signed before. */
  private record Requests(Random random) {
    Intent next() {
      long nonce = random.nextInt(40);
      return switch (random.nextInt(10)) {
        case 0, 1 -> authorization(nonce);
        case 2 -> new CancelAuthorizationIntent(Fixtures.TENANT, new UUID(nonce, 77), KEY,
            AuthorizationCancellation.of(authorization(nonce).authorization()));
        case 3 ->
          new CancelIntent(Fixtures.TENANT, new UUID(nonce, 99), new NonceSlot(8453, KEY, nonce), Fixtures.PAYEE,
              gas());
        case 4, 5 -> new RelayIntent(new UUID(nonce, 4), new NonceSlot(8453, KEY, 1_000 + nonce), Fixtures.PAYEE,
            List.of(new RelayIntent.Payment(KEY,
                new Authorization.Signed(authorization(random.nextInt(3)).authorization(), Bytes.of(new byte[65])))),
            gas());
        default -> new TransferIntent(Fixtures.TENANT, new UUID(random.nextInt(20) == 0 ? 1 : nonce, 99),
            new NonceSlot(8453, KEY, nonce), Fixtures.PAYEE,
            new Transfer(Fixtures.TOKEN, Fixtures.PAYEE, BigInteger.valueOf(1 + random.nextInt(8) / 7)), gas());
      };
    }

    private AuthorizationIntent authorization(long nonce) {
      return new AuthorizationIntent(Fixtures.TENANT, new UUID(nonce, 77), KEY,
          new Authorization(new Authorization.Domain(8453, "USD Coin", "2"), Fixtures.PAYEE,
              new Transfer(Fixtures.TOKEN, Fixtures.PAYEE, BigInteger.TEN), Fixtures.NOW.getEpochSecond() + 3600,
              Digest32.sha256(new byte[]{(byte) nonce})));
    }

    private TransferIntent.Gas gas() {
      return Fixtures.gas(90_000, 1_000 + random.nextInt(3), 10);
    }
  }

  /** Under a permit that was signed alone, or as one of many. */
  private static JournalOutcome record(Journal journal, Permit permit, Intent intent, Instant now) {
    var key = PermitSigningKey.of(Fixtures.PERMIT_KEYS.getPrivate());
    var signed = permit.permitId().getLeastSignificantBits() % 2 == 0
        ? permit.sign(key)
        : Permit.sign(List.of(permit, permit), key).getLast();
    return journal.record(now, signed, permit, intent, SpendApprovals.Result.Counted.NONE);
  }

  private static JournalOutcome transfer(Journal journal, long nonce, long amount, Instant now) {
    var intent = Fixtures.intent(KEY, Fixtures.PAYEE, nonce, BigInteger.valueOf(amount));
    return record(journal, Fixtures.permit(intent, now), intent, now);
  }

  /** Agrees to so many transfers, of the nonces from 0. */
  private static void pay(Home home, int count) throws IOException {
    try (var journal = home.open(Fixtures.NOW)) {
      for (int nonce = 0; nonce < count; nonce++) {
        transfer(journal, nonce, 1, Fixtures.NOW);
      }
    }
  }

  @Test
  void answersEveryRequestAsTheWholeOneDoesAlsoWhenItIsCompactedAgain() throws Exception {
    for (long seed = 1; seed <= 12; seed++) {
      var where = "seed " + seed;
      var random = new Random(seed);
      var requests = new Requests(random);
      var whole = home("whole-" + seed);
      var now = Fixtures.NOW;
      var permits = new ArrayList<Permit>();
      try (var journal = whole.open(now)) {
        for (int i = 0; i < 400; i++) {
          now = now.plusMillis(random.nextInt(20_000));
          var intent = requests.next();
          var permit = Fixtures.permit(intent, now);
          if (record(journal, permit, intent, now) instanceof JournalOutcome.Recorded) {
            permits.add(permit);
          }
        }
        journal.freeze(FreezeScope.parse("hold:wal_00000000000000000000000000000009"), "looked at", now);
        journal.freeze(FreezeScope.parse("wal_00000000000000000000000000000008"), "lifted", now);
        journal.lift(FreezeScope.parse("wal_00000000000000000000000000000008"), now);
      }
      var compacted = whole.copy(directory.resolve("compacted-" + seed));
      for (int turn = 1; turn <= 3; turn++) {
        var result = compacted.compact(now);
        assertThat(result.bytesAfter()).as(where).isLessThan(result.bytesBefore());
        assertThat(Files.size(result.before())).as(where).isGreaterThanOrEqualTo(result.bytesBefore());
        try (var first = whole.open(now); var second = compacted.open(now)) {
          assertThat(second.records()).as(where).isEqualTo(first.records()).isEqualTo(result.records());
          assertThat(second.frozen()).as(where).isEqualTo(first.frozen()).hasSize(1);
          for (var used : permits) {
            var intent = requests.next();
            var again = new Permit(used.permitId(), intent.subjectId(), Digest32.sha256(), intent.hash(), now,
                used.expiresAt().isAfter(now) ? used.expiresAt() : now.plusSeconds(60));
            if (used.expiresAt().isAfter(now)) {
              assertThat(record(second, again, intent, now)).as(where).isInstanceOf(JournalOutcome.PermitUsed.class);
            }
          }
          for (int i = 0; i < 300; i++) {
            now = now.plusMillis(random.nextInt(20_000));
            var intent = requests.next();
            var permit = Fixtures.permit(intent, now);
            var expected = record(first, permit, intent, now);
            assertThat(record(second, permit, intent, now)).as("%s, turn %d, %s", where, turn, intent)
                .isEqualTo(expected);
          }
        }
      }
    }
  }

  @Test
  void everyMarkOfTheLastWritesIsStillHeldAndNoOther() throws Exception {
    var home = home("h");
    var marks = new ArrayList<JournalMark>();
    for (int turn = 0; turn < 3; turn++) {
      try (var journal = home.open(Fixtures.NOW)) {
        for (int i = 0; i < 30; i++) {
          assertThat(transfer(journal, 100 * turn + i, 1, Fixtures.NOW)).isInstanceOf(JournalOutcome.Recorded.class);
          marks.add(journal.mark(Fixtures.NOW));
        }
      }
      home.compact(Fixtures.NOW);
      try (var journal = home.open(Fixtures.NOW)) {
        marks.add(journal.mark(Fixtures.NOW));
        for (var mark : marks) {
          assertThat(journal.holds(mark)).as("%s", mark).isTrue();
        }
      }
      assertThat(marks).extracting(JournalMark::length).isSorted().doesNotHaveDuplicates();
    }
    for (int i = 0; i < marks.size(); i += 7) {
      try (var journal = home.copy(directory.resolve("other-" + i)).open(Fixtures.NOW)) {
        var mark = marks.get(i);
        var checksum = mark.checksum().toByteArray();
        checksum[i % 16] ^= 1;
        assertThat(journal.holds(new JournalMark(mark.at(), mark.length(), Bytes.of(checksum)))).isFalse();
      }
    }
  }

  @Test
  void anOlderCopyIsNoticedWhetherItIsFromBeforeOrAfter() throws Exception {
    var home = home("h");
    pay(home, 20);
    var before = Files.readAllBytes(home.path());
    home.compact(Fixtures.NOW);
    var after = Files.readAllBytes(home.path());
    try (var journal = home.open(Fixtures.NOW)) {
      assertThat(transfer(journal, 20, 1, Fixtures.NOW)).isInstanceOf(JournalOutcome.Recorded.class);
    }
    var newest = Files.readAllBytes(home.path());
    for (var older : List.of(before, after)) {
      Files.write(home.path(), older);
      assertThatThrownBy(() -> home.open(Fixtures.NOW)).isInstanceOf(JournalAnchor.LostException.class);
      assertThatThrownBy(() -> home.compact(Fixtures.NOW)).isInstanceOf(JournalAnchor.LostException.class);
      assertThat(Files.readAllBytes(home.path())).isEqualTo(older);
    }
    Files.write(home.path(), newest);
    try (var journal = home.open(Fixtures.NOW)) {
      assertThat(transfer(journal, 20, 2, Fixtures.NOW)).isInstanceOf(JournalOutcome.OtherPayload.class);
    }
  }

  @Test
  void aPermitThatIsLeftOutStaysUsedWhenTheClockGoesBackAndNoOtherIsForgotten() throws Exception {
    var home = home("h");
    var intent = Fixtures.intent(KEY, Fixtures.PAYEE, 1, BigInteger.ONE);
    var permit = Fixtures.permit(intent, Fixtures.NOW);
    try (var journal = home.open(Fixtures.NOW)) {
      assertThat(record(journal, permit, intent, Fixtures.NOW)).isInstanceOf(JournalOutcome.Recorded.class);
      for (int nonce = 2; nonce < 20; nonce++) {
        transfer(journal, nonce, 1, Fixtures.NOW);
      }
    }
    home.compact(Fixtures.NOW.plus(Duration.ofDays(3650))); // by a clock that is wrong
    try (var journal = home.open(Fixtures.NOW)) {
      assertThat(record(journal, permit, intent, Fixtures.NOW)).isInstanceOf(JournalOutcome.PermitForgotten.class);
      assertThat(transfer(journal, 20, 1, Fixtures.NOW.plusSeconds(1))).isInstanceOf(JournalOutcome.Recorded.class);
    }
  }

  @Test
  void anAnchorThatLagsIsMovedSoThatTheWholeOneIsNotTakenForLostLater() throws Exception {
    var home = home("h");
    var anchor = home.directory.resolve("anchor");
    byte[] behind;
    byte[] older;
    try (var journal = home.open(Fixtures.NOW)) {
      transfer(journal, 0, 1, Fixtures.NOW);
      behind = Files.readAllBytes(anchor);
      transfer(journal, 1, 1, Fixtures.NOW);
      older = Files.readAllBytes(home.path());
      for (int nonce = 2; nonce < 20; nonce++) {
        transfer(journal, nonce, 1, Fixtures.NOW);
      }
    }
    Files.write(anchor, behind);
    home.compact(Fixtures.NOW);
    home.open(Fixtures.NOW).close();
    Files.write(home.path(), older);
    assertThatThrownBy(() -> home.open(Fixtures.NOW)).isInstanceOf(JournalAnchor.LostException.class);
  }

  @Test
  void moreFreezesThanCanBeToldApartStayInTheirOrder() throws Exception {
    var home = home("h");
    try (var journal = home.open(Fixtures.NOW)) {
      for (int i = 0; i < 10_005; i++) {
        journal.freeze(new FreezeScope.Key(new UUID(4, i)), "w".repeat(200), Fixtures.NOW);
      }
    }
    var whole = frozen(home);
    home.compact(Fixtures.NOW);
    assertThat(frozen(home)).isEqualTo(whole).hasSizeGreaterThan(10_000);
  }

  private static List<FreezeScope> frozen(Home home) throws IOException {
    try (var journal = home.open(Fixtures.NOW)) {
      return List.copyOf(journal.frozen().keySet());
    }
  }

  @Test
  void oneBitOfWhatIsKeptAndItDoesNotOpen() throws Exception {
    var home = home("h");
    pay(home, 12);
    int bytes = (int) home.compact(Fixtures.NOW.plus(Duration.ofHours(1))).bytesAfter();
    var sound = Files.readAllBytes(home.path());
    for (int bit = 0; bit < 8 * bytes; bit += 29) {
      var damaged = sound.clone();
      damaged[bit / 8] ^= (byte) (1 << bit % 8);
      Files.write(home.path(), damaged);
      assertThatThrownBy(() -> home.open(Fixtures.NOW)).as("bit %d", bit).isInstanceOf(IOException.class);
    }
    for (int cut = 0; cut < bytes; cut += 5) {
      Files.write(home.path(), Arrays.copyOf(sound, cut));
      assertThatThrownBy(() -> home.open(Fixtures.NOW)).as("cut at %d", cut).isInstanceOf(IOException.class);
    }
  }

  @Test
  void whatWasLeftByAnAttemptThatWasCutOffDoesNoHarm() throws Exception {
    var home = home("h");
    pay(home, 20);
    var other = home.copy(directory.resolve("other"));
    other.compact(Fixtures.NOW);
    var made = Files.readAllBytes(other.path());
    for (int cut = 0; cut <= made.length; cut += 1 + made.length / 50) {
      Files.write(home.directory.resolve("journal.compacted"), Arrays.copyOf(made, cut));
      try (var journal = home.open(Fixtures.NOW)) {
        assertThat(transfer(journal, 3, 2, Fixtures.NOW)).isInstanceOf(JournalOutcome.OtherPayload.class);
      }
    }
    assertThat(home.compact(Fixtures.NOW).records()).isEqualTo(20);
    assertThat(home.directory.resolve("journal.compacted")).doesNotExist();
  }

  @Test
  void anEmptyOneAndOneThatCannotGetShorterAreLeftAsTheyAre() throws Exception {
    var home = home("h");
    home.open(Fixtures.NOW).close();
    assertThatThrownBy(() -> home.compact(Fixtures.NOW)).hasMessageContaining("nothing is in the journal");
    pay(home, 20);
    home.compact(Fixtures.NOW);
    var once = Files.readAllBytes(home.path());
    assertThatThrownBy(() -> home.compact(Fixtures.NOW)).hasMessageContaining("nothing would be gained");
    assertThat(Files.readAllBytes(home.path())).isEqualTo(once);
  }
}
