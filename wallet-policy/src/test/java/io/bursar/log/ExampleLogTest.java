package io.bursar.log;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;

import org.junit.jupiter.api.Test;

/** The log that Tessera wrote, at every size from 0 to 15: read, checked, and written again as the same bytes. */
class ExampleLogTest {
  private static final Vectors LOG = Vectors.read("tlog-tiles-tessera-log.json");
  private static final NoteKey KEY = NoteKey.parse(LOG.text("vkey"));
  private static final Trees TREE = new Trees(LOG.get("entriesUtf8").items().stream().map(Vectors::utf8).toList());

  private static SignedNote note(int size) {
    return SignedNote.parse(LOG.get("checkpointsBySize").at(size).utf8());
  }

  @Test
  void everyCheckpointIsSignedAndLeadsToTheNext() {
    var signer = NoteSigner.parseSecret(LOG.text("privateKeyText"));
    for (int size = 0; size <= 15; size++) {
      var checkpoint = Checkpoint.open(note(size), KEY);
      assertThat(checkpoint).isEqualTo(new Checkpoint(KEY.name(), size, TREE.root(0, size)));
      var again = new SignedNote(checkpoint.text(), List.of(signer.sign(checkpoint.text()))).encode();
      assertThat(again).isEqualTo(LOG.get("checkpointsBySize").at(size).utf8())
          .isEqualTo(LOG.get("filesBase64").get("checkpoint." + size).base64());
      for (int old = 1; old <= size; old++) {
        assertThat(Merkle.isConsistent(old, TREE.root(0, old), size, checkpoint.root(),
            new Proofs(TREE).consistency(old, size))).isTrue();
      }
    }
  }

  @Test
  void everyTileAndBundleComesOutAsTheSameBytes() {
    int files = 0;
    for (int size = 1; size <= 15; size++) {
      for (var file : TREE.files(size).entrySet()) {
        assertThat(file.getValue()).as(file.getKey()).isEqualTo(LOG.get("filesBase64").get(file.getKey()).base64());
        files++;
      }
      var bundle = LOG.get("filesBase64").get("tile/entries/000.p/" + size).base64();
      assertThat(EntryBundle.decode(bundle, size).getLast())
          .isEqualTo(LOG.get("entriesUtf8").at(size - 1).utf8());
    }
    assertThat(files).isEqualTo(LOG.get("filesBase64").names().stream().filter(name -> name.startsWith("tile/"))
        .count()).isEqualTo(30);
  }

  @Test
  void bundlesOfAnotherCountOrCutShortAreRefused() {
    var bundle = LOG.get("filesBase64").get("tile/entries/000.p/15").base64();
    assertThatThrownBy(() -> EntryBundle.decode(bundle, 14)).hasMessageContaining("more than 14");
    assertThatThrownBy(() -> EntryBundle.decode(bundle, 16)).hasMessageContaining("holds 15 entries, not 16");
    for (int cut = 1; cut < 9; cut++) {
      var shorter = java.util.Arrays.copyOf(bundle, bundle.length - cut);
      assertThatThrownBy(() -> EntryBundle.decode(shorter, 15)).isInstanceOf(IllegalArgumentException.class);
    }
    assertThatThrownBy(() -> EntryBundle.encode(List.of(new byte[65_536]))).hasMessageContaining("at most 65535");
  }

  @Test
  void aReceiptShowsItsEntryAndEveryFlippedBitOfItIsFound() {
    var proof = new LogProof(Optional.empty(), 9, new Proofs(TREE).inclusion(9, 15), note(15));
    var file = proof.encode();
    assertThat(new String(file, StandardCharsets.UTF_8)).startsWith("c2sp.org/tlog-proof@v1\nindex 9\n");
    assertThat(LogProof.parse(file)).isEqualTo(proof);
    assertThat(LogProof.parse(file).verify(TREE.leaf(9), KEY).size()).isEqualTo(15);
    assertThatThrownBy(() -> proof.verify(TREE.leaf(8), KEY)).hasMessageContaining("does not hold this entry");
    for (int bit = 0; bit < file.length * 8; bit++) {
      var flipped = file.clone();
      flipped[bit / 8] ^= (byte) (1 << bit % 8);
      assertThatThrownBy(() -> LogProof.parse(flipped).verify(TREE.leaf(9), KEY)).as("bit %d", bit)
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void aReceiptMayCarryExtraBytes() {
    var extra = Optional.of(io.bursar.permit.Bytes.of(new byte[]{1, 2, 3}));
    var proof = new LogProof(extra, 0, new Proofs(TREE).inclusion(0, 15), note(15));
    assertThat(LogProof.parse(proof.encode())).isEqualTo(proof);
  }

  @Test
  void aRequestToAWitnessIsReadBackAsWritten() {
    var request = new AddCheckpoint(7, new Proofs(TREE).consistency(7, 15), note(15));
    assertThat(AddCheckpoint.parse(request.encode())).isEqualTo(request);
    assertThat(new String(request.encode(), StandardCharsets.UTF_8)).startsWith("old 7\n");
    var first = new AddCheckpoint(0, List.of(), note(15));
    assertThat(AddCheckpoint.parse(first.encode())).isEqualTo(first);
    for (var wrong : List.of("", "old 7\n", "old 07\n\n", "old -1\n\n" + LOG.get("checkpointsBySize").at(1).text(),
        "size 1\n\n" + LOG.get("checkpointsBySize").at(1).text())) {
      assertThatThrownBy(() -> AddCheckpoint.parse(wrong.getBytes(StandardCharsets.UTF_8)))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }
}
