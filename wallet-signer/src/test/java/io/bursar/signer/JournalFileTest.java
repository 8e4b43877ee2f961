package io.bursar.signer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JournalFileTest {
  @TempDir
  Path directory = Path.of(".");
  private Path path = Path.of(".");
  private final List<byte[]> written = new ArrayList<>();
  private final List<Integer> ends = new ArrayList<>();

  @BeforeEach
  void writeThreeGroups() throws IOException {
    path = directory.resolve("journal");
    var random = new Random(61);
    try (var journal = open(new ArrayList<>())) {
      ends.add((int) journal.length());
      for (int size : new int[]{1, 700, 378}) {
        var content = Fixtures.bytes(random, size);
        long offset = journal.append(content);
        assertThat(journal.read(offset, size)).isEqualTo(content);
        written.add(content);
        ends.add((int) journal.length());
      }
    }
  }

  @Test
  void readsBackWhatWasAppendedAndGoesOn() throws IOException {
    assertThat(reopened()).usingRecursiveComparison().isEqualTo(written);
    try (var journal = open(new ArrayList<>())) {
      written.add(new byte[]{7});
      journal.append(new byte[]{7});
    }
    assertThat(reopened()).usingRecursiveComparison().isEqualTo(written);
  }

  @Test
  void aFileCutAtAnyByteKeepsEveryWholeGroupAndCanBeWrittenAgain() throws IOException {
    var whole = Files.readAllBytes(path);
    for (int length = 0; length < whole.length; length++) {
      Files.write(path, Arrays.copyOf(whole, length));
      int groups = 0;
      while (groups < 3 && ends.get(groups + 1) <= length) {
        groups++;
      }
      assertThat(reopened()).as("cut at %d", length).usingRecursiveComparison().isEqualTo(written.subList(0, groups));
      try (var journal = open(new ArrayList<>())) {
        assertThat(journal.cutBytes()).isZero();
        journal.append(new byte[]{9});
      }
      var expected = new ArrayList<>(written.subList(0, groups));
      expected.add(new byte[]{9});
      assertThat(reopened()).as("cut at %d", length).usingRecursiveComparison().isEqualTo(expected);
    }
  }

  @Test
  void aLastGroupWithSectorsThatNeverReachedTheDiskIsCutAway() throws IOException {
    var whole = Files.readAllBytes(path);
    int start = ends.get(2);
    for (int from = start; from < whole.length - 16; from++) {
      if (from == start || from % 512 == 0) {
        var torn = whole.clone();
        Arrays.fill(torn, from, whole.length, (byte) 0);
        Files.write(path, torn);
        assertThat(reopened()).as("zero from %d", from).usingRecursiveComparison().isEqualTo(written.subList(0, 2));
      }
    }
  }

  @Test
  void anyFlippedBitOfWhatWasDurableIsNoticedAndNothingIsCut() throws IOException {
    var whole = Files.readAllBytes(path);
    for (int at = 0; at < whole.length; at++) {
      var damaged = whole.clone();
      damaged[at] ^= (byte) (1 << at % 8);
      Files.write(path, damaged);
      assertThatThrownBy(this::reopened).as("byte %d", at).isInstanceOf(JournalFile.DamagedException.class)
          .hasMessageContaining("damaged at byte");
      assertThat(Files.readAllBytes(path)).as("byte %d", at).isEqualTo(damaged);
    }
  }

  @Test
  void aGroupTakenOutOfTheMiddleOrPutTwiceIsNoticed() throws IOException {
    var whole = Files.readAllBytes(path);
    Files.write(path, concat(Arrays.copyOf(whole, ends.get(1)), Arrays.copyOfRange(whole, ends.get(2), whole.length)));
    assertThatThrownBy(this::reopened).isInstanceOf(JournalFile.DamagedException.class);
    Files.write(path, concat(whole, Arrays.copyOfRange(whole, ends.get(2), whole.length)));
    assertThatThrownBy(this::reopened).isInstanceOf(JournalFile.DamagedException.class);
  }

  @Test
  void rubbishAfterTheEndIsNoTornWrite() throws IOException {
    var whole = Files.readAllBytes(path);
    Files.write(path, concat(whole, new byte[]{1, 2, 3}));
    assertThatThrownBy(this::reopened).isInstanceOf(JournalFile.DamagedException.class);
  }

  @Test
  void aFailedWriteLeavesNoTraceOnceTheDiskIsBack() throws IOException {
    var channel = new FaultyChannel(SafeFiles.open(path));
    try (var journal = JournalFile.open(path, channel, (content, offset) -> {})) {
      for (var fault : FaultyChannel.Fault.values()) {
        channel.fail(fault);
        assertThatThrownBy(() -> journal.append(new byte[500])).as("%s", fault).isInstanceOf(IOException.class);
        assertThatThrownBy(() -> journal.append(new byte[500])).as("%s", fault).isInstanceOf(IOException.class);
        channel.heal();
        var content = fault.name().getBytes(StandardCharsets.US_ASCII);
        journal.append(content);
        written.add(content);
      }
    }
    assertThat(reopened()).usingRecursiveComparison().isEqualTo(written);
  }

  private JournalFile open(List<byte[]> groups) throws IOException {
    return JournalFile.open(path, SafeFiles.open(path), (content, offset) -> {
      var bytes = new byte[content.remaining()];
      content.get(bytes);
      groups.add(bytes);
    });
  }

  private List<byte[]> reopened() throws IOException {
    var groups = new ArrayList<byte[]>();
    open(groups).close();
    return groups;
  }

  private static byte[] concat(byte[] first, byte[] second) {
    var both = Arrays.copyOf(first, first.length + second.length);
    System.arraycopy(second, 0, both, first.length, second.length);
    return both;
  }
}
