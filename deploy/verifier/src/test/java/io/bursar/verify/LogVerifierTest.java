package io.bursar.verify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.IntStream;

import org.junit.jupiter.api.Test;

import io.bursar.log.LogProof;
import io.bursar.log.Merkle;
import io.bursar.log.NoteKey;
import io.bursar.log.SignedNote;

/** What the verifier finds. */
class LogVerifierTest {
  private static final String NAME = "bursar.example/ten_1";
  private static final NoteKey KEY = NoteKey.parse(SpecLog.withTestKey(NAME).vkey());
  private static final List<byte[]> ENTRIES = entries(300);

  private static List<byte[]> entries(int size) {
    return IntStream.range(0, size).mapToObj(i -> ("entry " + i).getBytes(StandardCharsets.UTF_8)).toList();
  }

  private static SpecLog log(List<byte[]> entries) {
    return SpecLog.withTestKey(NAME).write(entries);
  }

  private static Report verify(SpecLog log, Optional<SignedNote> seen) throws Exception {
    return new LogVerifier(log, KEY, LogVerifier.Options.DEFAULT).all(seen, entries -> {});
  }

  private static BadLog bad(SpecLog log) {
    return catchThrowableOfType(BadLog.class, () -> verify(log, Optional.empty()));
  }

  private static SignedNote head(SpecLog log) {
    return SignedNote.parse(Objects.requireNonNull(log.files.get("checkpoint")));
  }

  @Test
  void everySingleFlippedBitOfTheLogIsFound() {
    var log = log(ENTRIES);
    assertThat(log.files.keySet()).containsExactlyInAnyOrder("checkpoint", "tile/0/000", "tile/0/001.p/44",
        "tile/1/000.p/1", "tile/entries/000", "tile/entries/001.p/44");
    for (var path : log.files.keySet()) {
      int bits = Objects.requireNonNull(log.files.get(path)).length * 8;
      var missed = IntStream.range(0, bits).parallel().filter(bit -> isGood(log, path, bit)).boxed().toList();
      assertThat(missed).as("bits of %s that can change unseen", path).isEmpty();
    }
  }

  private static boolean isGood(SpecLog log, String flippedPath, int bit) {
    LogSource flipped = (path, max) -> log.read(path, max)
        .map(bytes -> path.equals(flippedPath) ? flip(bytes, bit) : bytes);
    try {
      new LogVerifier(flipped, KEY, LogVerifier.Options.DEFAULT).all(Optional.empty(), entries -> {});
      return true;
    } catch (BadLog found) {
      return false;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static byte[] flip(byte[] bytes, int bit) {
    var flipped = bytes.clone();
    flipped[bit / 8] ^= (byte) (1 << bit % 8);
    return flipped;
  }

  @Test
  void everySingleFlippedBitOfAReceiptIsFound() {
    allBitsCount(ENTRIES, 0, 255, 256, 299);
  }

  /** Where paths are longer, and of other shapes. */
  @Test
  void everySingleFlippedBitOfAReceiptOfALargerTreeIsFound() {
    allBitsCount(entries(4_097), 4_095, 4_096);
    allBitsCount(entries(66_000), 65_535, 65_999);
  }

  private static void allBitsCount(List<byte[]> entries, int... indices) {
    var log = SpecLog.withTestKey(NAME);
    for (int index : indices) {
      var receipt = log.receipt(index, entries);
      var leaf = Merkle.leafHash(entries.get(index));
      assertThat(LogProof.parse(receipt).verify(leaf, KEY).size()).isEqualTo(entries.size());
      var missed = IntStream.range(0, receipt.length * 8).parallel().filter(bit -> {
        try {
          LogProof.parse(flip(receipt, bit)).verify(leaf, KEY);
          return true;
        } catch (IllegalArgumentException found) {
          return false;
        }
      }).boxed().toList();
      assertThat(missed).as("bits of the receipt of %s", index).isEmpty();
    }
  }

  @Test
  void namesTheFirstEntryThatWasChanged() {
    for (int index : new int[]{0, 17, 255, 256, 299}) {
      var log = log(ENTRIES);
      var path = index < 256 ? "tile/entries/000" : "tile/entries/001.p/44";
      var edited = log(changed(list -> list.set(index, "edited".getBytes(StandardCharsets.UTF_8))));
      log.files.put(path, Objects.requireNonNull(edited.files.get(path)));
      var bad = bad(log);
      assertThat(bad.entry()).isEqualTo(index);
      assertThat(bad).hasMessageContaining("entry " + index + " ").hasMessageContaining("the entry was changed");
    }
  }

  private static List<byte[]> changed(Consumer<List<byte[]>> change) {
    var entries = new ArrayList<>(ENTRIES);
    change.accept(entries);
    return entries;
  }

  @Test
  void namesTheTileWhereTheTileWasChanged() {
    var log = log(ENTRIES);
    Objects.requireNonNull(log.files.get("tile/0/000"))[32 * 9]++;
    assertThat(bad(log)).hasMessageContaining("entry 9 ").hasMessageContaining("the tile was changed");
    var above = log(ENTRIES);
    Objects.requireNonNull(above.files.get("tile/1/000.p/1"))[0]++;
    assertThat(bad(above)).hasMessageContaining("tile/1/000.p/1");
  }

  /** An operator without the key changes rows and makes the tiles anew: the signature on the head no longer fits. */
  @Test
  void rowsChangedTogetherWithTheirTilesAreFoundByTheSignature() {
    var signed = Objects.requireNonNull(log(ENTRIES).files.get("checkpoint"));
    for (Consumer<List<byte[]>> change : CHANGES) {
      var log = log(changed(change));
      log.files.put("checkpoint", signed);
      assertThat(bad(log)).isNotNull();
    }
  }

  /** An operator who also has the key signs what he changed: the head that was seen before no longer fits. */
  @Test
  void rowsChangedAndSignedAgainAreFoundByTheHeadThatWasSeen() {
    var seen = Optional.of(head(log(ENTRIES)));
    for (Consumer<List<byte[]>> change : CHANGES) {
      assertThatThrownBy(() -> verify(log(changed(change)), seen)).isInstanceOf(BadLog.class);
    }
  }

  private static final List<Consumer<List<byte[]>>> CHANGES = List.of(
      list -> list.set(100, "edited".getBytes(StandardCharsets.UTF_8)), list -> list.remove(100),
      list -> list.add(100, "inserted".getBytes(StandardCharsets.UTF_8)), list -> Collections.swap(list, 100, 200),
      list -> list.subList(250, 300).clear(), list -> list.add(0, ENTRIES.getFirst()),
      list -> {
        list.remove(299);
        list.add("another last one".getBytes(StandardCharsets.UTF_8));
      });

  @Test
  void aLogThatWasPutBackToAnOlderCopyIsFound() throws Exception {
    var seen = head(log(ENTRIES));
    assertThatThrownBy(() -> verify(log(entries(299)), Optional.of(seen))).isInstanceOf(BadLog.class)
        .hasMessageContaining("put back").hasMessageContaining("299").hasMessageContaining("300");
    // Put back, and grown again another way.
    var other = new ArrayList<>(entries(280));
    IntStream.range(0, 400).forEach(i -> other.add(("other " + i).getBytes(StandardCharsets.UTF_8)));
    assertThatThrownBy(() -> verify(log(other), Optional.of(seen))).isInstanceOf(BadLog.class)
        .hasMessageContaining("rewritten");
  }

  @Test
  void aLogThatHasOnlyGrownIsGoodFromEverySize() throws Exception {
    var grown = log(entries(700));
    for (int size : new int[]{1, 2, 255, 256, 257, 511, 512, 699, 700}) {
      var seen = head(log(entries(size)));
      assertThat(verify(grown, Optional.of(seen)).entries()).isEqualTo(700);
      var report = new LogVerifier(grown, KEY, LogVerifier.Options.DEFAULT).grown(seen, entries -> {});
      assertThat(report.from()).isEqualTo(size - size % 256);
      assertThat(report.entries()).isEqualTo(700 - report.from());
    }
  }

  @Test
  void whatWasAddedIsCheckedLikeTheRest() {
    var seen = head(log(entries(257)));
    for (int index : new int[]{257, 300, 512, 699}) {
      var entries = new ArrayList<>(entries(700));
      entries.set(index, "edited".getBytes(StandardCharsets.UTF_8));
      var log = log(entries(700));
      var other = log(entries);
      other.files.forEach((path, bytes) -> {
        if (path.startsWith("tile/entries/")) {
          log.files.put(path, bytes);
        }
      });
      assertThatThrownBy(() -> new LogVerifier(log, KEY, LogVerifier.Options.DEFAULT).grown(seen, done -> {}))
          .isInstanceOfSatisfying(BadLog.class, bad -> assertThat(bad.entry()).isEqualTo(index));
    }
  }

  @Test
  void aBundleThatIsMissingIsNotPassedOver() throws Exception {
    var log = log(ENTRIES);
    log.files.remove("tile/entries/000");
    assertThat(bad(log)).hasMessageContaining("tile/entries/000` is missing");
    var report = new LogVerifier(log, KEY, new LogVerifier.Options(false, true)).all(Optional.empty(), entries -> {});
    assertThat(report.absent()).isEqualTo(256);
    assertThat(report.entries()).isEqualTo(44);
  }

  @Test
  void anotherKeyAndAnotherLogsHeadAreRefused() {
    var other = SpecLog.withTestKey("bursar.example/ten_2").write(ENTRIES);
    var log = log(ENTRIES);
    log.files.put("checkpoint", Objects.requireNonNull(other.files.get("checkpoint")));
    assertThat(bad(log)).hasMessageContaining("checkpoint");
  }

  /** A log may drop a partial tile once the full one is there. */
  @Test
  void aPartialTileMayBeReadFromTheFullOne() throws Exception {
    var log = log(entries(512));
    log.files.put("checkpoint", Objects.requireNonNull(log(ENTRIES).files.get("checkpoint")));
    log.files.put("tile/1/000.p/1",
        Arrays.copyOf(Objects.requireNonNull(log.files.get("tile/1/000.p/2")), 32));
    assertThat(verify(log, Optional.empty()).entries()).isEqualTo(300);
  }
}
