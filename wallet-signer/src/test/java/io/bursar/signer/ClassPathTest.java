package io.bursar.signer;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;

import org.junit.jupiter.api.Test;

/** The build refuses other jars on the signer's run-time class path than {@code pom.xml} allows; here the README keeps to the same list. */
class ClassPathTest {
  private static final Pattern ALLOWED = Pattern.compile("<include>[^:<]+:([^:<]+)</include>");
  private static final Pattern ROW = Pattern.compile("(?m)^\\| ([a-z0-9-]+)(?: ([0-9.]+))? \\| ([0-9,]+|ours) \\|");
  private static final Pattern TOTAL = Pattern.compile("\\*\\*([0-9,]+) bytes\\*\\*");

  @Test
  void theReadmeNamesExactlyTheAllowedJarsWithTheirVersionsAndSizes() throws IOException {
    var allowed = ALLOWED.matcher(Files.readString(Path.of("pom.xml"))).results().map(jar -> jar.group(1)).toList();
    var section = section(Files.readString(Path.of("README.md")), "## Class path");
    var listed = new TreeMap<String, String>();
    long total = 0;
    for (var row : ROW.matcher(section).results().toList()) {
      var jar = row.group(1);
      listed.put(jar, row.group(3));
      if (row.group(2) != null) {
        long size = Files.size(jar(jar + "-" + row.group(2) + ".jar"));
        assertThat(number(row.group(3))).as(jar).isEqualTo(size);
        total += size;
      }
    }
    assertThat(listed.keySet()).containsExactlyInAnyOrderElementsOf(allowed);
    assertThat(listed).containsAllEntriesOf(Map.of("wallet-policy", "ours"));
    var said = TOTAL.matcher(section);
    assertThat(said.find()).isTrue();
    assertThat(number(said.group(1))).as("all that is not ours").isEqualTo(total);
  }

  @Test
  void whereverTheSignerIsStartedItIsStartedWithTheFlagsOfTheReadme() throws IOException {
    var deploy = Path.of("..", "deploy");
    var flags = Pattern.compile("(?m)^\\| `(-[^`]+)` \\|").matcher(Files.readString(Path.of("README.md"))).results()
        .flatMap(row -> Pattern.compile(" ").splitAsStream(row.group(1))).filter(flag -> flag.startsWith("-X")
            || flag.startsWith("--enable"))
        .toList();
    assertThat(flags).contains("-XX:+DisableAttachMechanism", "-XX:-HeapDumpOnOutOfMemoryError").hasSize(10);
    for (var place : new String[]{"lib/services.bash", "container/signer.Dockerfile",
        "systemd/bursar-signer.service"}) {
      assertThat(Files.readString(deploy.resolve(place))).as(place).contains(flags);
    }
  }

  private static String section(String text, String heading) {
    int from = text.indexOf(heading);
    return text.substring(from, text.indexOf("\n## ", from + 1));
  }

  private static Path jar(String name) {
    for (var entry : System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"))
        .split(File.pathSeparator)) {
      if (entry.endsWith(File.separator + name)) {
        return Path.of(entry);
      }
    }
    throw new AssertionError(name + " is not on the class path");
  }

  private static long number(String text) {
    return Long.parseLong(text.replace(",", ""));
  }
}
