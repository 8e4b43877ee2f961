package io.bursar.signer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import io.bursar.permit.Bytes;
import io.bursar.permit.JournalMark;

/** A journal that was lost, or put back to an older copy of itself, signs nothing until a person has looked. */
class JournalLossTest {
  private static final UUID KEY = new UUID(1, 1);

  @TempDir
  Path home = Path.of(".");
  private Path path = Path.of(".");
  private Path anchor = Path.of(".");

  @BeforeEach
  void initialize() {
    assertThat(run("init", "--home", home.resolve("h").toString(), "--permit-key", home.resolve("p").toString()))
        .contains("the signer's home is");
    path = home.resolve("h").resolve("journal");
    anchor = home.resolve("h").resolve("anchor");
  }

  private static String run(String... args) {
    var out = new ByteArrayOutputStream();
    try (var stream = new PrintStream(out, true, StandardCharsets.UTF_8)) {
      SignerMain.run(args, Map.of(), stream, stream);
    }
    return out.toString(StandardCharsets.UTF_8);
  }

  private Journal open() throws IOException {
    return Journal.open(path, Optional.of(JournalAnchor.open(anchor)), Ceilings.NONE, Fixtures.NOW);
  }

  private static JournalOutcome record(Journal journal, long nonce) {
    var intent = Fixtures.intent(KEY, Fixtures.PAYEE, nonce);
    var permit = Fixtures.permit(intent, Fixtures.NOW);
    return journal.record(Fixtures.NOW, permit.sign(Fixtures.PERMIT_KEYS.getPrivate()), permit, intent,
        SpendApprovals.Result.Counted.NONE);
  }

  /** The journal as it was when it held so many records, while the anchor goes on. */
  private byte[] copyAfter(int records, int more) throws IOException {
    try (var journal = open()) {
      for (int nonce = 0; nonce < records; nonce++) {
        assertThat(record(journal, nonce)).isInstanceOf(JournalOutcome.Recorded.class);
      }
      var copy = Files.readAllBytes(path);
      for (int nonce = records; nonce < records + more; nonce++) {
        assertThat(record(journal, nonce)).isInstanceOf(JournalOutcome.Recorded.class);
      }
      return copy;
    }
  }

  @Test
  void aJournalThatWasPutBackOrLostDoesNotOpenUntilItIsAccepted() throws Exception {
    var older = copyAfter(2, 1);
    var whole = Files.readAllBytes(path);
    for (var lost : new byte[][]{older, {}}) {
      Files.write(path, lost);
      assertThatThrownBy(this::open).isInstanceOf(JournalAnchor.LostException.class)
          .hasMessageContaining("put back to an older copy").hasMessageContaining("accept-journal");
    }
    Files.write(path, whole);
    open().close();
    Files.write(path, older);
    assertThat(run("accept-journal", "--home", home.resolve("h").toString())).contains("is accepted");
    try (var journal = open()) {
      assertThat(journal.records()).isEqualTo(2);
      assertThat(record(journal, 2)).isInstanceOf(JournalOutcome.Recorded.class);
    }
  }

  @Test
  void aJournalThatTookAnotherWaySinceIsNoticedToo() throws Exception {
    Files.write(path, copyAfter(1, 3));
    var kept = Files.readAllBytes(anchor);
    Files.delete(anchor);
    try (var journal = open()) {
      for (int nonce = 10; nonce < 20; nonce++) {
        assertThat(record(journal, nonce)).isInstanceOf(JournalOutcome.Recorded.class);
      }
    }
    Files.write(anchor, kept);
    assertThatThrownBy(this::open).isInstanceOf(JournalAnchor.LostException.class);
  }

  @Test
  void anAnchorThatLagsBehindIsNoLossAndADamagedOneIsLookedAt() throws Exception {
    copyAfter(1, 0);
    var behind = Files.readAllBytes(anchor);
    copyAfterMore(5);
    Files.write(anchor, behind);
    open().close();
    for (int bit = 0; bit < 8 * 36; bit += 7) {
      var damaged = Files.readAllBytes(anchor);
      damaged[bit / 8] ^= (byte) (1 << bit % 8);
      var sound = Files.readAllBytes(anchor);
      Files.write(anchor, damaged);
      assertThatThrownBy(this::open).as("bit %d", bit).isInstanceOf(JournalAnchor.LostException.class);
      Files.write(anchor, sound);
    }
  }

  private void copyAfterMore(int nonce) throws IOException {
    try (var journal = open()) {
      assertThat(record(journal, nonce)).isInstanceOf(JournalOutcome.Recorded.class);
    }
  }

  @Test
  void aMarkThatSomebodyElseHasKeptShowsALossOfJournalAndAnchorTogether() throws Exception {
    var older = copyAfter(2, 0);
    var olderAnchor = Files.readAllBytes(anchor);
    JournalMark mark;
    try (var journal = open()) {
      record(journal, 2);
      mark = journal.mark(Fixtures.NOW);
      assertThat(journal.holds(mark)).isTrue();
      record(journal, 3);
      assertThat(journal.holds(mark)).isTrue();
    }
    Files.write(path, older);
    Files.write(anchor, olderAnchor);
    try (var journal = open()) {
      assertThat(record(journal, 7)).isInstanceOf(JournalOutcome.Recorded.class);
      assertThat(journal.holds(mark)).isFalse();
      assertThat(record(journal, 8)).isInstanceOf(JournalOutcome.Rewound.class);
    }
    assertThatThrownBy(this::open).as("also after a restart").isInstanceOf(JournalAnchor.LostException.class);
    assertThat(run("accept-journal", "--home", home.resolve("h").toString())).contains("is accepted");
    try (var journal = open()) {
      assertThat(journal.holds(mark)).as("looked at by a person").isTrue();
      assertThat(record(journal, 8)).isInstanceOf(JournalOutcome.Recorded.class);
      var later = new JournalMark(java.time.Instant.now().plus(Duration.ofDays(1)), 1_000_000,
          Bytes.of(new byte[JournalMark.CHECKSUM_BYTES]));
      assertThat(journal.holds(later)).isFalse();
    }
  }
}
