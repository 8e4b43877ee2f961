package io.bursar.log;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

import org.junit.jupiter.api.Test;

import io.bursar.permit.Digest32;

class MerkleTest {
  @Test
  void decidesAll98InclusionProbesAsTheirAuthorsDo() {
    var cases = Vectors.read("rfc6962-inclusion-probes.json").get("cases").items();
    assertThat(cases).hasSize(98).allSatisfy(probe -> assertThat(
        !probe.get("root").isEmpty()
            && Merkle.includes(probe.number("leafIdx"), probe.number("treeSize"), probe.get("leafHash").digest(),
                Vectors.digests(probe.get("proof").items()), probe.get("root").digest()))
        .as("%s", probe.text("file")).isEqualTo(!probe.flag("wantErr")));
  }

  @Test
  void decidesAll98ConsistencyProbesAsTheirAuthorsDo() {
    var cases = Vectors.read("rfc6962-consistency-probes.json").get("cases").items();
    assertThat(cases).hasSize(98).allSatisfy(probe -> assertThat(
        Merkle.isConsistent(probe.number("size1"), probe.get("root1").digest(), probe.number("size2"),
            probe.get("root2").digest(), Vectors.digests(probe.get("proof").items())))
        .as("%s", probe.text("file")).isEqualTo(!probe.flag("wantErr")));
  }

  @Test
  void hashesTheReferenceTree() {
    var tree = Vectors.read("rfc6962-tree.json");
    for (var hash : tree.get("hasher").items()) {
      var got = switch (hash.text("op")) {
        case "emptyRoot" -> Merkle.emptyRoot();
        case "leafHash" -> Merkle.leafHash(hash.has("inputHex")
            ? HexFormat.of().parseHex(hash.text("inputHex"))
            : hash.get("inputUtf8").utf8());
        default -> Digest32.sha256(new byte[]{1}, hash.get("leftUtf8").utf8(), hash.get("rightUtf8").utf8());
      };
      assertThat(got.toString()).as("%s", hash.text("desc")).isEqualTo(hash.text("want"));
    }
    var leaves = new Trees(
        tree.get("leafInputsHex").items().stream().map(hex -> HexFormat.of().parseHex(hex.text())).toList());
    var levels = tree.get("nodeHashesByLevelHex").items();
    for (int level = 0; level < levels.size(); level++) {
      var hashes = levels.get(level).items();
      for (int i = 0; i < hashes.size(); i++) {
        assertThat(leaves.hash(level, i)).hasToString(hashes.get(i).text());
      }
    }
    var range = new CompactRange();
    for (var root : tree.get("rootBySizeHex").items()) {
      assertThat(range.root()).hasToString(root.text());
      if (range.size() < 8) {
        range.append(leaves.leaf((int) range.size()));
      }
    }
  }

  @Test
  void makesTheRootsAndProofsOfGoSumdb() {
    var derived = Vectors.read("go-sumdb-tlog.json").get("derived");
    int largest = derived.get("rootBySize").names().stream().mapToInt(Integer::parseInt).max().orElseThrow();
    var leaves = Trees.of(largest, "leaf ");
    for (var size : derived.get("rootBySize").names()) {
      var range = CompactRange.of(Long.parseLong(size), leaves);
      assertThat(range.root()).as("size %s", size).isEqualTo(derived.get("rootBySize").get(size).digest());
    }
    var proofs = new Proofs(leaves);
    for (var proof : derived.get("inclusion").items()) {
      assertThat(proofs.inclusion(proof.number("index"), proof.number("size")))
          .isEqualTo(Vectors.digests(proof.get("proof").items()));
    }
    for (var proof : derived.get("consistency").items()) {
      assertThat(proofs.consistency(proof.number("old"), proof.number("new")))
          .isEqualTo(Vectors.digests(proof.get("proof").items()));
    }
  }

  @Test
  void everyProofOfEveryTreeUpToSeventyLeavesHoldsAndNoOtherDoes() {
    var leaves = Trees.of(70, "entry ");
    var proofs = new Proofs(leaves);
    for (int size = 1; size <= 70; size++) {
      var root = leaves.root(0, size);
      assertThat(CompactRange.of(size, leaves).root()).isEqualTo(root);
      for (int index = 0; index < size; index++) {
        var proof = proofs.inclusion(index, size);
        assertThat(Merkle.includes(index, size, leaves.leaf(index), proof, root)).isTrue();
        assertThat(Merkle.includes(index, size, leaves.leaf((index + 1) % 70), proof, root)).isFalse();
        assertThat(Merkle.includes(index + 1L, size, leaves.leaf(index), proof, root)).isFalse();
        assertThat(Merkle.includes(index, size, leaves.leaf(index), withOneMore(proof), root)).isFalse();
      }
      for (int old = 1; old <= size; old++) {
        var proof = proofs.consistency(old, size);
        assertThat(Merkle.isConsistent(old, leaves.root(0, old), size, root, proof)).isTrue();
        assertThat(Merkle.isConsistent(old, leaves.root(0, old - 1), size, root, proof)).isFalse();
        assertThat(Merkle.isConsistent(old, leaves.root(0, old), size, leaves.leaf(0), proof)).isEqualTo(size == 1);
        assertThat(Merkle.isConsistent(old, leaves.root(0, old), size, root, withOneMore(proof))).isFalse();
      }
    }
  }

  private static List<Digest32> withOneMore(List<Digest32> proof) {
    var longer = new ArrayList<>(proof);
    longer.add(Merkle.emptyRoot());
    return longer;
  }

  @Test
  void refusesWhatNoTreeHas() {
    var proofs = new Proofs(Trees.of(3, ""));
    assertThatThrownBy(() -> proofs.inclusion(3, 3)).hasMessageContaining("no leaf `3`");
    assertThatThrownBy(() -> proofs.consistency(0, 3)).hasMessageContaining("nothing leads from");
    assertThatThrownBy(() -> new CompactRange(3, List.of())).hasMessageContaining("has 2 hashes, not 0");
    assertThat(Merkle.isConsistent(0, Merkle.emptyRoot(), 3, Merkle.emptyRoot(), List.of())).isFalse();
    assertThat(Merkle.includes(-1, 3, Merkle.emptyRoot(), List.of(), Merkle.emptyRoot())).isFalse();
  }
}
