package io.bursar.signer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.zip.CRC32C;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import io.bursar.signer.FaultyChannel.Fault;

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
  void groupsAreWrittenOverRoomThatIsThereAlready() throws IOException {
    long size = Files.size(path);
    assertThat(size).isGreaterThan(1 << 20);
    try (var journal = open(new ArrayList<>())) {
      assertThat(journal.length()).isEqualTo(ends.getLast().longValue());
      for (int i = 0; i < 3; i++) {
        var content = Fixtures.bytes(new Random(i), 300_000);
        journal.append(content);
        written.add(content);
      }
      assertThat(Files.size(path)).isEqualTo(size);
      var more = Fixtures.bytes(new Random(4), 300_000);
      journal.append(more);
      written.add(more);
      assertThat(Files.size(path)).isGreaterThan(size);
    }
    assertThat(reopened()).usingRecursiveComparison().isEqualTo(written);
  }

  @Test
  void aFileCutAtAnyByteKeepsEveryWholeGroupAndCanBeWrittenAgain() throws IOException {
    var whole = written();
    for (int length = 0; length < whole.length; length++) {
      Files.write(path, Arrays.copyOf(whole, length));
      assertCanBeWrittenAgain("cut at " + length, groupsWithin(length));
    }
  }

  @Test
  void aWriteThatBrokeOffAtAnyByteInFrontOfRoomKeepsEveryWholeGroup() throws IOException {
    var whole = written();
    for (int length = ends.getFirst(); length < whole.length; length++) {
      Files.write(path, Arrays.copyOf(Arrays.copyOf(whole, length), 5_000));
      assertCanBeWrittenAgain("broken off at " + length, groupsWithin(length));
    }
  }

  @Test
  void onlyWhatIsTornIsSaidToBeCut() throws IOException {
    var whole = written();
    var torn = Arrays.copyOf(Arrays.copyOf(whole, whole.length - 100), 1 << 20);
    Files.write(path, torn);
    try (var journal = open(new ArrayList<>())) {
      assertThat(journal.cutBytes()).isEqualTo(whole.length - 100 - ends.get(2));
    }
    Files.write(path, Arrays.copyOf(whole, 1 << 20));
    try (var journal = open(new ArrayList<>())) {
      assertThat(journal.cutBytes()).isZero();
    }
  }

  /** A last group that begins and ends anywhere in its sectors, whichever of them did not reach the disk. */
  @Test
  void aLastGroupWithSectorsThatNeverReachedTheDiskIsCutAway() throws IOException {
    for (int beginsBefore : new int[]{1, 3, 4, 5, 8, 9, 24, 25, 27, 28, 29, 300}) {
      for (int endsAfter : new int[]{1, 2, 16, 17, 18, 200, 512}) {
        Files.write(path, new byte[0]);
        int start;
        byte[] whole;
        var first = new byte[1024 - beginsBefore - ends.getFirst() - JournalGroup.size(0)];
        try (var journal = open(new ArrayList<>())) {
          Arrays.fill(first, (byte) 1);
          journal.append(first);
          start = (int) journal.length();
          journal.append(Fixtures.bytes(new Random(start), beginsBefore + 512 + endsAfter - JournalGroup.size(0)));
          whole = Arrays.copyOf(Files.readAllBytes(path), (int) journal.length());
        }
        assertThat(start).isEqualTo(1024 - beginsBefore);
        for (int missing = 1; missing < 8; missing++) {
          var torn = whole.clone();
          for (int sector = 0; sector < 3; sector++) {
            if ((missing & 1 << sector) != 0) {
              int from = sector == 0 ? start : 1024 + 512 * (sector - 1);
              Arrays.fill(torn, from, Math.min(torn.length, 1024 + 512 * sector), (byte) 0);
            }
          }
          for (int length : new int[]{torn.length, torn.length + 3_000}) {
            Files.write(path, Arrays.copyOf(torn, length));
            assertThat(reopened())
                .as("%d before, %d after, missing %d, length %d", beginsBefore, endsAfter, missing, length)
                .usingRecursiveComparison().isEqualTo(List.of(first));
          }
        }
      }
    }
  }

  @Test
  void anyFlippedBitOfWhatWasDurableIsNoticedAndNothingIsCut() throws IOException {
    var whole = written();
    for (int length : new int[]{whole.length, whole.length + 2_000}) {
      for (int at = 0; at < whole.length; at++) {
        var damaged = Arrays.copyOf(whole, length);
        damaged[at] ^= (byte) (1 << at % 8);
        assertDamaged("byte " + at, damaged);
      }
    }
  }

  @Test
  void aGroupWhoseChecksumEndsInZerosIsNotTakenForTornWhenABitOfItFlips() throws IOException {
    Files.write(path, new byte[0]);
    byte[] whole;
    try (var journal = open(new ArrayList<>())) {
      int last = 1;
      for (int i = 0; last != 0; i++) {
        journal.append(new byte[]{(byte) i, (byte) (i >> 8)});
        last = journal.mark(Fixtures.NOW).checksum().toByteArray()[JournalGroup.CHECKSUM_BYTES - 1];
      }
      whole = Arrays.copyOf(Files.readAllBytes(path), (int) journal.length() + 600);
    }
    int start = whole.length - 600 - JournalGroup.size(2);
    for (int at = start; at < whole.length - 600; at++) {
      var damaged = whole.clone();
      damaged[at] ^= 0x10;
      assertDamaged("byte " + at, damaged);
    }
  }

  @Test
  void whatFollowsATornGroupMustBeRoom() throws IOException {
    var torn = Arrays.copyOf(Arrays.copyOf(written(), ends.get(3) - 40), 5_000);
    for (int at = ends.get(3); at < torn.length; at += 61) {
      var more = torn.clone();
      more[at] = 1;
      assertDamaged("byte " + at, more);
    }
    var far = Arrays.copyOf(written(), 3 << 20);
    far[far.length - 1] = 1;
    assertDamaged("further away than one group reaches", far);
  }

  @Test
  void aFileOfGroupsWithoutAnEndGoesOnWithGroupsThatHaveOne() throws Exception {
    var old = withoutEnds();
    int lastStart = old.length - written.getLast().length - JournalGroup.size(0) + 1;
    for (int length = lastStart; length < old.length; length++) {
      Files.write(path, Arrays.copyOf(old, length));
      assertThat(reopened()).as("cut at %d", length).usingRecursiveComparison().isEqualTo(written.subList(0, 2));
    }
    for (int at = 0; at < old.length; at++) {
      for (int room : new int[]{0, 1_000}) {
        var damaged = Arrays.copyOf(old, old.length + room);
        damaged[at] ^= (byte) (1 << at % 8);
        assertDamaged("byte " + at, damaged);
      }
    }
    Files.write(path, old);
    try (var journal = open(new ArrayList<>())) {
      var mark = journal.mark(Fixtures.NOW);
      assertThat(mark.length()).isEqualTo(old.length);
      written.add(new byte[]{7});
      journal.append(new byte[]{7});
      assertThat(journal.holds(mark)).isTrue();
      assertThat(journal.holds(journal.mark(Fixtures.NOW))).isTrue();
    }
    assertThat(reopened()).usingRecursiveComparison().isEqualTo(written);
  }

  @Test
  void aGroupTakenOutOfTheMiddleOrPutTwiceIsNoticed() throws IOException {
    var whole = written();
    Files.write(path, concat(Arrays.copyOf(whole, ends.get(1)), Arrays.copyOfRange(whole, ends.get(2), whole.length)));
    assertThatThrownBy(this::reopened).isInstanceOf(JournalFile.DamagedException.class);
    Files.write(path, concat(whole, Arrays.copyOfRange(whole, ends.get(2), whole.length)));
    assertThatThrownBy(this::reopened).isInstanceOf(JournalFile.DamagedException.class);
  }

  @Test
  void zerosInFrontOfASoundGroupAreNoTornWrite() throws IOException {
    var whole = written();
    Arrays.fill(whole, ends.get(1), ends.get(2), (byte) 0);
    Files.write(path, whole);
    assertThatThrownBy(this::reopened).isInstanceOf(JournalFile.DamagedException.class)
        .hasMessageContaining("a sound group follows");
    assertThat(Files.readAllBytes(path)).isEqualTo(whole);
  }

  @Test
  void rubbishAfterTheEndIsNoTornWrite() throws IOException {
    var whole = written();
    Files.write(path, concat(whole, new byte[]{1, 2, 3}));
    assertThatThrownBy(this::reopened).isInstanceOf(JournalFile.DamagedException.class);
  }

  @Test
  void aFailedWriteLeavesNoTraceOnceTheDiskIsBack() throws IOException {
    var channel = new FaultyChannel(SafeFiles.open(path));
    var lost = Fixtures.bytes(new Random(62), 500);
    try (var journal = JournalFile.open(path, channel, (_, _, _) -> {})) {
      // The second of each finds no room.
      for (var fault : new FaultyChannel.Fault[]{Fault.FULL, Fault.FULL, Fault.FORCE, Fault.FORCE}) {
        channel.fail(fault);
        assertThatThrownBy(() -> journal.append(lost)).as("%s", fault).isInstanceOf(IOException.class);
        assertThatThrownBy(() -> journal.append(lost)).as("%s", fault).isInstanceOf(IOException.class);
        channel.heal();
        var content = fault.name().getBytes(StandardCharsets.US_ASCII);
        journal.append(content);
        written.add(content);
      }
    }
    assertThat(reopened()).usingRecursiveComparison().isEqualTo(written);
  }

  /** What was written, without the room behind it. */
  private byte[] written() throws IOException {
    return Arrays.copyOf(Files.readAllBytes(path), ends.getLast());
  }

  private int groupsWithin(int length) {
    int groups = 0;
    while (groups < 3 && ends.get(groups + 1) <= length) {
      groups++;
    }
    return groups;
  }

  private void assertCanBeWrittenAgain(String how, int groups) throws IOException {
    assertThat(reopened()).as(how).usingRecursiveComparison().isEqualTo(written.subList(0, groups));
    try (var journal = open(new ArrayList<>())) {
      assertThat(journal.cutBytes()).isZero();
      journal.append(new byte[]{9});
    }
    var expected = new ArrayList<>(written.subList(0, groups));
    expected.add(new byte[]{9});
    assertThat(reopened()).as(how).usingRecursiveComparison().isEqualTo(expected);
  }

  private void assertDamaged(String how, byte[] file) throws IOException {
    Files.write(path, file);
    assertThatThrownBy(this::reopened).as(how).isInstanceOf(JournalFile.DamagedException.class)
        .hasMessageContaining("damaged at byte");
    assertThat(Files.readAllBytes(path)).as(how).isEqualTo(file);
  }

  /** The same groups as they were written before there was room. */
  private byte[] withoutEnds() throws Exception {
    var file = ByteBuffer.allocate(10_000).put("bursar journal 1".getBytes(StandardCharsets.US_ASCII));
    var checksum = new byte[16];
    for (var content : written) {
      int start = file.position();
      file.put("BGRP".getBytes(StandardCharsets.US_ASCII)).putInt(content.length).put(checksum);
      var crc = new CRC32C();
      crc.update(file.array(), start, 24);
      file.putInt((int) crc.getValue()).put(content);
      var sha = MessageDigest.getInstance("SHA-256");
      sha.update(file.array(), start, file.position() - start);
      checksum = Arrays.copyOf(sha.digest(), 16);
      file.put(checksum);
    }
    return Arrays.copyOf(file.array(), file.position());
  }

  private JournalFile open(List<byte[]> groups) throws IOException {
    return JournalFile.open(path, SafeFiles.open(path), (content, offset, _) -> {
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
