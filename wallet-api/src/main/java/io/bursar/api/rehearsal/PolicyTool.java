package io.bursar.api.rehearsal;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

import io.bursar.rehearsal.Ledger;
import io.bursar.rehearsal.PolicyText;

/**
 * {@code deploy/bursar policy …}: rehearses policies from files, with no server. Exits with 0 if all is well, 1 if a scenario
 * did not go as expected or a policy is not valid, 2 if it could not be tried at all.
 */
public final class PolicyTool {
  private static final int OK = 0;
  private static final int NOT_WELL = 1;
  private static final int NOT_TRIED = 2;

  private static final String USAGE = """
      usage: deploy/bursar policy COMMAND FILE...

        test FILE...      play the scenarios of YAML files against their policies
        validate FILE...  say all that is wrong with policy documents (JSON), and what is odd about them
        explain FILE...   policy documents as plain English sentences

      Exit code 0 if all is well, 1 if a scenario did not go as written or a policy is not valid, 2 if something could not
      be read. No server is needed. Unless a file of scenarios lists `assets`, `groups` and `sets`, those that the
      policies name are taken to exist; the service checks them against its own.

      A file of scenarios:

        policy: procurement.json
        names: {shop: "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"}
        scenarios:
          - name: spends up to the limit of a day
            ledger: |
              at 10:00 spend 40 USDC to shop → allow
              +1h spend 70 to shop → deny LIMIT_EXCEEDED

      deploy/policies/README.md says what else a ledger may hold, and has examples.
      """;

  private final PrintStream out;
  private final PrintStream err;

  PolicyTool(PrintStream out, PrintStream err) {
    this.out = out;
    this.err = err;
  }

  public static void main(String[] args) {
    var out = new PrintStream(new FileOutputStream(FileDescriptor.out), false, StandardCharsets.UTF_8);
    var err = new PrintStream(new FileOutputStream(FileDescriptor.err), true, StandardCharsets.UTF_8);
    int code = new PolicyTool(out, err).run(List.of(args));
    out.flush();
    System.exit(code);
  }

  int run(List<String> arguments) {
    if (arguments.contains("--help") || arguments.contains("-h") || arguments.equals(List.of("help"))) {
      out.print(USAGE);
      return OK;
    }
    if (arguments.size() < 2) {
      return badUsage(arguments.isEmpty() ? "give a command" : "give a file");
    }
    var files = arguments.subList(1, arguments.size()).stream().map(Path::of).toList();
    return switch (arguments.getFirst()) {
      case "test" -> test(files);
      case "validate" -> validate(files);
      case "explain" -> explain(files);
      default -> badUsage("there is no command `" + arguments.getFirst() + "`");
    };
  }

  private int badUsage(String what) {
    err.println("bursar policy: " + what);
    err.print(USAGE);
    return NOT_TRIED;
  }

  private int test(List<Path> files) {
    int code = OK;
    int lines = 0;
    int scenarios = 0;
    int failed = 0;
    for (var path : files) {
      List<String> faults = new ArrayList<>();
      var file = ScenarioFile.read(path, faults);
      faults.forEach(err::println);
      if (file.isEmpty()) {
        code = NOT_TRIED;
        continue;
      }
      out.println(path);
      file.get().warnings().forEach(warning -> out.println("  warning: " + warning));
      for (var scenario : file.get().scenarios()) {
        var result = Ledger.play(file.get().world(), scenario.ledger());
        result.faults().forEach(fault -> err.println(path + ":" + fault.line() + ": " + fault.message()));
        show(scenario, result);
        scenarios++;
        lines += result.lines().size();
        failed += (int) result.lines().stream().filter(line -> !line.asExpected()).count();
        code = result.faults().isEmpty() ? Math.max(code, result.isAsExpected() ? OK : NOT_WELL) : NOT_TRIED;
      }
    }
    out.println();
    out.println(lines + (lines == 1 ? " line in " : " lines in ") + scenarios
        + (scenarios == 1 ? " scenario, " : " scenarios, ")
        + (code == NOT_TRIED
            ? "and something could not be read"
            : failed == 0
                ? "all as written"
                : failed + " not as written"));
    return code;
  }

  /** A scenario as a ledger: time, what happened, what was decided. */
  private void show(ScenarioFile.Scenario scenario, Ledger.Result result) {
    out.println();
    out.println("  " + scenario.name());
    int widest = result.lines().stream().mapToInt(line -> line.what().length()).max().orElse(0);
    for (var line : result.lines()) {
      var arrow = line.decided().isEmpty() ? "" : "→ " + line.decided();
      out.println(("    %-4s  %s  %-" + Math.max(1, widest) + "s  %s").formatted(line.asExpected() ? "ok" : "FAIL",
          line.at(), line.what(), arrow).stripTrailing());
      if (!line.asExpected()) {
        out.println("          line " + line.line()
            + (line.expected().isEmpty() ? "" : " expects " + line.expected() + ", but it is " + line.decided()));
      }
      if (!line.asExpected() || !line.decided().startsWith("allow")) {
        line.reasons().forEach(reason -> out.println("          because " + reason));
      }
    }
  }

  private int validate(List<Path> files) {
    int code = OK;
    for (var path : files) {
      List<String> faults = new ArrayList<>();
      var read = PolicyFile.read(path, Optional.empty(), Optional.empty(), Optional.empty(), faults);
      if (read.isEmpty()) {
        out.println(path + ": not valid");
        faults.forEach(fault -> out.println("  " + fault));
        code = NOT_WELL;
      } else {
        var policy = read.get().policy();
        out.println(path + ": valid, " + policy.rules().size() + (policy.rules().size() == 1 ? " rule, " : " rules, ")
            + policy.version());
        read.get().warnings().forEach(warning -> out.println("  warning: " + warning));
      }
    }
    return code;
  }

  private int explain(List<Path> files) {
    int code = OK;
    for (var path : files) {
      List<String> faults = new ArrayList<>();
      var read = PolicyFile.read(path, Optional.empty(), Optional.empty(), Optional.empty(), faults);
      faults.forEach(err::println);
      read.ifPresent(policy -> out.println(PolicyText.of(policy.policy())));
      code = read.isPresent() ? code : NOT_WELL;
    }
    return code;
  }
}
