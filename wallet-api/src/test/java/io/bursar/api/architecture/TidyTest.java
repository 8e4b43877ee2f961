package io.bursar.api.architecture;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The source as a reader meets it. */
class TidyTest {
  private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
  private static final List<String> MODULES = List.of("wallet-policy", "wallet-store", "wallet-signer", "wallet-api",
      "deploy/verifier");
  private static final int LINES_MAX = 600;

  private static Map<Path, String> sources(String below) {
    var sources = new TreeMap<Path, String>();
    for (var module : MODULES) {
      try (Stream<Path> files = Files.walk(ROOT.resolve(module).resolve(below))) {
        for (var file : files.filter(path -> path.toString().endsWith(".java")).toList()) {
          sources.put(ROOT.relativize(file), Files.readString(file));
        }
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
    return sources;
  }

  @Test
  void theTopLevelHoldsWhatWasAgreed() throws IOException {
    try (Stream<Path> files = Files.list(ROOT)) {
      assertThat(files.map(path -> path.getFileName().toString())
          .filter(name -> !name.startsWith(".") && !name.equals("target")))
          .containsExactlyInAnyOrder(
              "pom.xml", "wallet-api", "wallet-policy", "wallet-signer", "wallet-store", "deploy", "openapi",
              "README.md");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"README.md", "RATIONALE.md"})
  void everyModuleSaysHowAndWhy(String file) {
    assertThat(MODULES).allSatisfy(module -> assertThat(ROOT.resolve(module).resolve(file)).exists());
  }

  @Test
  void everyPackageSaysWhatItIsAndIsNullMarked() {
    var sources = sources("src/main/java");
    assertThat(sources.keySet().stream().map(Path::getParent).distinct()).allSatisfy(directory -> assertThat(
        sources.get(directory.resolve("package-info.java"))).as("%s", directory).startsWith("/** ")
        .contains("@NullMarked"));
  }

  @Test
  void noFileIsTooLong() {
    assertThat(sources("src"))
        .allSatisfy((file, text) -> assertThat(text.lines().count()).as("%s", file).isLessThanOrEqualTo(LINES_MAX));
  }

  @Test
  void thereIsNoDrawerForOddsAndEnds() {
    assertThat(sources("src").keySet())
        .noneMatch(file -> file.toString().matches(".*/(util|utils|common|helper|helpers|misc)/.*"));
  }

  @Test
  void nothingIsLeftForLater() {
    assertThat(sources("src")).allSatisfy((file, text) -> {
      if (!file.endsWith("TidyTest.java")) {
        assertThat(text).as("%s", file).doesNotContain("TODO", "FIXME", "@Disabled", "printStackTrace", "org.mockito",
            "lombok.");
      }
    });
  }

  @Test
  void noFloatingPointNearMoney() {
    for (var below : List.of("wallet-policy", "wallet-store")) {
      sources("src/main/java").forEach((file, text) -> {
        if (file.startsWith(below)) {
          assertThat(text).as("%s", file).doesNotContainPattern("\\b(double|float|Double|Float)\\b");
        }
      });
    }
  }

  @Test
  void noTwoMigrationsHaveOneNumber() throws IOException {
    try (Stream<Path> files = Files.list(ROOT.resolve("wallet-store/src/main/resources/db/migration"))) {
      var names = files.map(path -> path.getFileName().toString()).toList();
      assertThat(names).allMatch(name -> name.matches("V[0-9]{3}__[a-z_]+\\.sql"));
      assertThat(names.stream().map(name -> name.substring(0, 4))).doesNotHaveDuplicates();
    }
  }
}
