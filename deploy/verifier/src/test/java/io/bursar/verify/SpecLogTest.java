package io.bursar.verify;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;

import org.junit.jupiter.api.Test;

import io.bursar.json.Json;
import io.bursar.log.NoteKey;

/** The test's own writer writes what the reference implementations write, and the verifier finds their log good. */
class SpecLogTest {
  private static final Json.Obj TESSERA = Vectors.read("tlog-tiles-tessera-log.json");

  private static byte[] file(String path) {
    return Base64.getDecoder().decode(Vectors.text(Vectors.object(TESSERA, "filesBase64"), path));
  }

  private static List<byte[]> entries(int size) {
    return Vectors.texts(TESSERA, "entriesUtf8").subList(0, size).stream()
        .map(text -> text.getBytes(StandardCharsets.UTF_8)).toList();
  }

  /** Ed25519 signs the same text always the same, so that even the checkpoints are equal. */
  @Test
  void writesTheExampleLogByteForByteAtEverySize() {
    var secret = Base64.getDecoder().decode(Vectors.text(TESSERA, "privateKeyText").split("\\+", 5)[4]);
    var vkey = Vectors.text(TESSERA, "vkey");
    var publicKey = Base64.getDecoder().decode(vkey.split("\\+", 3)[2]);
    for (int size = 0; size <= 15; size++) {
      var log = new SpecLog("example.com/log/testdata", Arrays.copyOfRange(secret, 1, 33),
          Arrays.copyOfRange(publicKey, 1, 33)).write(entries(size));
      assertThat(log.vkey()).isEqualTo(vkey);
      assertThat(log.files.get("checkpoint")).isEqualTo(file("checkpoint." + size));
      log.files.forEach((path, bytes) -> {
        if (!path.equals("checkpoint")) {
          assertThat(bytes).as(path).isEqualTo(file(path));
        }
      });
    }
  }

  @Test
  void theVerifierFindsTheExampleLogGoodAtEverySize() throws Exception {
    var key = NoteKey.parse(Vectors.text(TESSERA, "vkey"));
    for (int size = 0; size <= 15; size++) {
      var checkpoint = "checkpoint." + size;
      var report = new LogVerifier(
          (path,
              max) -> Vectors.object(TESSERA, "filesBase64").get(path.equals("checkpoint") ? checkpoint : path) == null
                  ? Optional.empty()
                  : Optional.of(file(path.equals("checkpoint") ? checkpoint : path)),
          key, LogVerifier.Options.DEFAULT).all(Optional.empty(), entries -> {});
      assertThat(report.entries()).isEqualTo(size);
      assertThat(report.checkpoint().size()).isEqualTo(size);
    }
  }

  @Test
  void makesTheRootsOfTheReferenceTrees() {
    var tree = Vectors.read("rfc6962-tree.json");
    var leaves = Vectors.texts(tree, "leafInputsHex").stream()
        .map(hex -> SpecLog.leafHash(HexFormat.of().parseHex(hex)))
        .toList();
    var roots = Vectors.texts(tree, "rootBySizeHex");
    for (int size = 0; size < roots.size(); size++) {
      assertThat(HexFormat.of().formatHex(SpecLog.root(leaves.subList(0, size)))).isEqualTo(roots.get(size));
    }
    var go = Vectors.object(Vectors.object(Vectors.read("go-sumdb-tlog.json"), "derived"), "rootBySize");
    go.members().forEach((size, root) -> {
      var hashes = new ArrayList<byte[]>();
      for (int i = 0; i < Integer.parseInt(size); i++) {
        hashes.add(SpecLog.leafHash(("leaf " + i).getBytes(StandardCharsets.UTF_8)));
      }
      assertThat(Base64.getEncoder().encodeToString(SpecLog.root(hashes))).isEqualTo(((Json.Str) root).value());
    });
  }

  /** Two levels of full tiles and a third, the size that the specification gives as its example. */
  @Test
  void hasTheTilesOfTheSpecificationsExample() {
    var entries = java.util.stream.IntStream.range(0, 70_000)
        .mapToObj(i -> ("entry " + i).getBytes(StandardCharsets.UTF_8)).toList();
    var log = SpecLog.withTestKey("example.com/70000").write(entries);
    assertThat(log.files).containsKeys("tile/0/272", "tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17",
        "tile/2/000.p/1", "tile/entries/273.p/112").doesNotContainKeys("tile/0/274", "tile/1/001", "tile/2/000");
    assertThat(log.files).hasSize(274 * 2 + 2 + 1 + 1);
  }
}
