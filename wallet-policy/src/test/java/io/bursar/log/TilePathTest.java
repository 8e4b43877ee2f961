package io.bursar.log;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HashSet;
import java.util.Objects;
import java.util.stream.Collectors;

import org.junit.jupiter.api.Test;

class TilePathTest {
  private static final Vectors LAYOUT = Vectors.read("tlog-tiles-layout.json");

  @Test
  void spellsEveryPathOfTheVectorsAndReadsItBack() {
    for (var path : LAYOUT.get("derivedPaths").items()) {
      for (var tile : new TilePath[]{new TilePath(0, path.number("n"), 256), new TilePath(3, path.number("n"), 7),
          new TilePath(TilePath.ENTRIES, path.number("n"), 255)}) {
        assertThat(tile.text()).contains("/" + path.text("path"));
        assertThat(TilePath.parse(tile.text())).isEqualTo(tile);
      }
    }
    assertThat(new TilePath(0, 1234067, 256).text())
        .isEqualTo("tile/0/" + LAYOUT.get("specExamples").text("index1234067"));
    assertThat(new TilePath(0, 1234067, 256).text()).isEqualTo("tile/0/x001/x234/067");
    assertThat(new TilePath(TilePath.ENTRIES, 5, 9).text()).isEqualTo("tile/entries/005.p/9");
  }

  @Test
  void refusesEveryOtherSpelling() {
    assertThat(LAYOUT.get("rejectPaths").items()).isNotEmpty().allSatisfy(
        path -> assertThatThrownBy(() -> TilePath.parse(path.text())).isInstanceOf(IllegalArgumentException.class));
    for (var path : new String[]{"tile/0/x000/001", "tile/entries/000.p/256", "tile/0/x999/x999/x999/x999/x999/999",
        "tile/0/000/", "/tile/0/000", "tile/0/000\n", ""}) {
      assertThatThrownBy(() -> TilePath.parse(path)).as(path).isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void knowsFullTilesAndPartialWidthsOfEverySize() {
    var sizes = LAYOUT.get("derivedTileCounts").items();
    for (var counts : sizes) {
      holdsLevels(counts.number("size"), counts.get("levels"));
    }
    holdsLevels(70_000, LAYOUT.get("specExamples").get("treeSize70000"));
    holdsLevels(256, LAYOUT.get("specExamples").get("treeSize256"));
    assertThat(TilePath.fullTiles(8, Long.MAX_VALUE)).isZero();
    assertThat(TilePath.partialWidth(63, Long.MAX_VALUE)).isZero();
  }

  private static void holdsLevels(long size, Vectors levels) {
    for (var level : levels.items()) {
      assertThat(TilePath.fullTiles((int) level.number("level"), size)).isEqualTo(level.number("full"));
      assertThat(TilePath.partialWidth((int) level.number("level"), size)).isEqualTo(level.number("partialWidth"));
    }
  }

  @Test
  void growthInAnyStepsWritesTheSameFullTilesAndTheEdgeOfEveryStep() {
    var atOnce = TilePath.grown(0, 70_000).stream().filter(TilePath::isFull).collect(Collectors.toSet());
    var inSteps = new HashSet<TilePath>();
    long size = 0;
    for (long step = 1; size < 70_000; step = step * 7 % 1009) {
      long next = Math.min(size + step, 70_000);
      var grown = TilePath.grown(size, next);
      assertThat(grown).doesNotHaveDuplicates().contains(TilePath.in(next, 0, (next - 1) / 256));
      grown.stream().filter(TilePath::isFull).forEach(tile -> assertThat(inSteps.add(tile)).isTrue());
      size = next;
    }
    assertThat(inSteps).isEqualTo(atOnce);
    assertThat(TilePath.grown(70_000, 70_000)).isEmpty();
  }

  @Test
  void proofsFromTilesEqualThoseFromTheWholeTree() {
    int size = 660;
    var tree = Trees.of(size, "e");
    var files = tree.files(size);
    var proofs = new Proofs(new TileHashes(size, path -> Objects.requireNonNull(files.get(path.text()))));
    for (int index = 0; index < size; index += 13) {
      assertThat(proofs.inclusion(index, size)).isEqualTo(new Proofs(tree).inclusion(index, size));
      assertThat(proofs.consistency(index + 1L, size)).isEqualTo(new Proofs(tree).consistency(index + 1L, size));
    }
  }
}
