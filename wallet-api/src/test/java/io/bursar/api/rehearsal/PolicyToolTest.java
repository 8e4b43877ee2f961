package io.bursar.api.rehearsal;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The tool as a team's own CI runs it, and the examples that come with it. */
class PolicyToolTest {
  private static final Path EXAMPLES = Path.of("../deploy/policies");

  @TempDir
  Path folder = Path.of("");

  private record Ran(int code, String out, String err) {}

  private static Ran run(String... arguments) {
    var out = new ByteArrayOutputStream();
    var err = new ByteArrayOutputStream();
    int code = new PolicyTool(new PrintStream(out, true, StandardCharsets.UTF_8),
        new PrintStream(err, true, StandardCharsets.UTF_8)).run(List.of(arguments));
    return new Ran(code, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
  }

  private static List<Path> examples(String ending) throws IOException {
    try (Stream<Path> files = Files.list(EXAMPLES)) {
      return files.filter(file -> file.toString().endsWith(ending)).sorted().toList();
    }
  }

  private String write(String name, String text) throws IOException {
    return Files.writeString(folder.resolve(name), text).toString();
  }

  @Test
  void everyExampleDoesWhatItsScenariosSay() throws IOException {
    var tests = examples(".test.yaml");
    var ran = run(Stream.concat(Stream.of("test"), tests.stream().map(Path::toString)).toArray(String[]::new));
    assertThat(ran.out()).as(ran.err()).doesNotContain("FAIL", "warning").contains("all as written");
    assertThat(ran.err()).isEmpty();
    assertThat(ran.code()).isZero();
  }

  @Test
  void everyExampleHasScenariosAndIsValidWithoutWarnings() throws IOException {
    var policies = examples(".json");
    assertThat(policies).hasSize(10).allSatisfy(policy -> assertThat(
        Path.of(policy.toString().replace(".json", ".test.yaml"))).exists());
    var ran = run(Stream.concat(Stream.of("validate"), policies.stream().map(Path::toString)).toArray(String[]::new));
    assertThat(ran.code()).isZero();
    assertThat(ran.out()).doesNotContain("warning").contains("valid, 5 rules, sha256:");
    assertThat(Files.readString(EXAMPLES.resolve("README.md")))
        .contains(policies.stream().map(policy -> "(" + policy.getFileName() + ")").toList());
  }

  private static final String POLICY = """
      {"name": "small", "rules": [
        {"id": "all", "kind": "permit", "match": {"assets": ["USDC"]}},
        {"id": "daily", "kind": "limit", "match": {"assets": ["USDC"]}, "max": "100", "window": {"rolling": "PT24H"}}
      ]}
      """;

  @Test
  void saysWhichLineWasDecidedOtherwiseAndWhy() throws IOException {
    write("small.json", POLICY);
    var ran = run("test", write("t.yaml", """
        policy: small.json
        scenarios:
          - name: two spends
            ledger: |
              at 10:00 spend 40 USDC to X → allow

              +1h spend 70 → allow
        """));
    assertThat(ran.code()).isEqualTo(1);
    assertThat(ran.out()).contains("ok    2026-11-23T10:00:00Z  at 10:00 spend 40 USDC to X  → allow",
        "FAIL  2026-11-23T11:00:00Z", "line 7 expects allow, but it is deny LIMIT_EXCEEDED",
        "because `daily` would bring the last 24 h to 110 of 100 USDC", "2 lines in 1 scenario, 1 not as written");
  }

  @Test
  void namesFileAndLineOfWhateverCannotBeRead() throws IOException {
    write("small.json", POLICY);
    var file = write("t.yaml", """
        policy: small.json
        polices: []
        day: yesterday
        names: {shop: nowhere}
        scenarios:
          - name: one
            ledger: spend it all
          - ledger: |
              at 10:00 spend 1 → allow
        """);
    var ran = run("test", file);
    assertThat(ran.code()).isEqualTo(2);
    assertThat(ran.err()).contains(file + ":2: `polices` is not known", file + ":3: `yesterday` is not a day",
        file + ":4: `nowhere` is neither an account", file + ":7: `ledger` must be a block",
        file + ":8: `name` is missing");

    var lines = write("u.yaml", """
        policy: small.json
        scenarios:
          - name: one
            ledger: |
              at 10:00 spend 1 → allow
              at 10:00 spend one → allow
        """);
    ran = run("test", lines);
    assertThat(ran.code()).isEqualTo(2);
    assertThat(ran.err()).contains(lines + ":6: the amount `one` must be a plain decimal number");

    ran = run("test", write("v.yaml", "policy: absent.json\nscenarios: [{name: a, ledger: [at 1 x]}]\n"),
        write("w.yaml", "policy: [\n"), folder.resolve("x.yaml").toString());
    assertThat(ran.code()).isEqualTo(2);
    assertThat(ran.err()).contains("absent.json: there is no such file", "w.yaml:2: is not YAML",
        "x.yaml: there is no such file");
  }

  @Test
  void saysAllThatIsWrongWithAPolicyAtTheLineWhereItIs() throws IOException {
    var file = write("bad.json", """
        {"name": "bad", "rules": [
          {"id": "all", "kind": "permit", "matches": {}},
          {"id": "all", "kind": "limit", "match": {"assets": ["USDC"]},
           "max": "1.1234567", "window": "spend"}
        ]}
        """);
    var ran = run("validate", file);
    assertThat(ran.code()).isEqualTo(1);
    assertThat(ran.out()).contains(file + ": not valid", file + ":2: /rules/0/matches is not a known field",
        file + ":4: /rules/1/max has 7 decimal places", file + ":3: /rules/1/id `all` is the id of another rule");
    var idle = write("idle.json", """
        {"name": "idle", "rules": [
          {"id": "all", "kind": "permit"},
          {"id": "day", "kind": "limit", "match": {"assets": ["USDC"]}, "max": "10", "window": {"rolling": "PT24H"}},
          {"id": "hour", "kind": "limit", "match": {"assets": ["USDC"]}, "max": "10", "window": {"rolling": "PT1H"}}
        ]}
        """);
    assertThat(run("validate", idle).out()).contains("warning: " + idle + ":4: /rules/2 this limit is idle");
    assertThat(run("explain", idle).out()).contains("[hour] Limits spends of USDC to 10 USDC in any 1 hour.");
  }

  @Test
  void saysTheMostThatCanLeaveAndWhatAnotherVersionNewlyPermits() throws IOException {
    var small = write("small.json", POLICY);
    var ran = run("analyse", small);
    assertThat(ran.code()).isZero();
    assertThat(ran.out().lines().filter(line -> line.contains("USD")).findFirst().orElseThrow().strip().split(" +"))
        .containsExactly("USD", "without", "approvers", "100", "100", "100", "3000");
    var larger = write("larger.json", POLICY.replace("\"100\"", "\"101\""));
    assertThat(run("compare", small, larger).out()).contains("deny → allow, such as 100.000001 USDC");
    assertThat(run("compare", larger, small).out()).contains("Nothing that the old policy does not permit");
    assertThat(run("compare", small).code()).isEqualTo(2);
    assertThat(run("analyse", EXAMPLES.resolve("customer-refunds.json").toString()).out())
        .contains("conditions of orders-only were not seen through");
  }

  @Test
  void saysHowItIsUsed() {
    assertThat(run("--help").code()).isZero();
    assertThat(run("test", "--help").out()).startsWith("usage: deploy/bursar policy");
    assertThat(run().code()).isEqualTo(2);
    assertThat(run("test").err()).contains("give a file");
    assertThat(run("play", "x").err()).contains("there is no command `play`");
  }
}
