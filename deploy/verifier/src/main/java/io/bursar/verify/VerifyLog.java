package io.bursar.verify;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.LongConsumer;

import io.bursar.log.LogProof;
import io.bursar.log.Merkle;
import io.bursar.log.NoteKey;
import io.bursar.log.SignedNote;

/** The command: {@code verify-log}. It exits with 0 if all is good, 1 if the log is bad, 2 if it was called wrongly, 3 if it could not read. */
public final class VerifyLog {
  static final String KEY_VARIABLE = "BURSAR_AUDITOR_KEY";

  private static final int GOOD = 0;
  private static final int BAD = 1;
  private static final int WRONG_USAGE = 2;
  private static final int UNREADABLE = 3;
  private static final long PROGRESS_NANOS = 2_000_000_000L;

  static final String USAGE = """
      usage: verify-log --url URL | --folder FOLDER  --vkey KEY  [--state FILE] [--replay] [--follow]
             verify-log --receipt FILE --entry FILE  --vkey KEY

      Checks a log with nothing but its public key: needs no database, and believes nothing that the server says.

        --url URL        where `checkpoint` and `tile/` are below, such as https://bursar.example/log/ten_…
        --folder FOLDER  the same files in a folder: a mirror, or an unpacked evidence pack
        --vkey KEY       the log's public key, <name>+<id>+<base64>, from somewhere that you trust
        --state FILE     keeps the last head that was good: the next check demands that the log has only grown
        --replay         also decides every authorization again, and checks which policies were in force
        --partial        bundles may be absent, as from the pack of a period; then only their hashes are checked
        --follow         keeps watching, and checks what is added; --every SECONDS (10)
        --quiet          says only what is wrong
        --receipt FILE   instead: checks one receipt (.tlog-proof) for the entry in --entry, offline

      BURSAR_AUDITOR_KEY in the environment is sent as the bearer key of an auditor.
      Exit code: 0 good, 1 bad (the first bad entry is named), 2 wrong usage, 3 cannot be read.
      """;

  private final PrintStream out;
  private final PrintStream errors;

  VerifyLog(PrintStream out, PrintStream errors) {
    this.out = out;
    this.errors = errors;
  }

  public static void main(String[] args) {
    System.exit(new VerifyLog(System.out, System.err).run(args, System.getenv()));
  }

  int run(String[] args, Map<String, String> environment) {
    if (args.length == 0 || args[0].equals("--help") || args[0].equals("-h")) {
      (args.length == 0 ? errors : out).print(USAGE);
      return args.length == 0 ? WRONG_USAGE : GOOD;
    }
    try {
      var arguments = Arguments.parse(args);
      if (arguments.path("--receipt").isPresent() || arguments.path("--entry").isPresent()) {
        return receipt(arguments);
      }
      var key = arguments.key();
      var source = arguments.source(Optional.ofNullable(environment.get(KEY_VARIABLE)).filter(text -> !text.isEmpty()));
      return log(arguments, key, source);
    } catch (Arguments.Wrong e) {
      errors.println("verify-log: " + e.getMessage() + "; `--help` says more");
      return WRONG_USAGE;
    } catch (BadLog e) {
      errors.println("BAD: " + e.getMessage());
      return BAD;
    } catch (IOException e) {
      errors.println("verify-log: nothing is known, the log cannot be read: " + reason(e));
      return UNREADABLE;
    } catch (InterruptedException e) {
      return UNREADABLE;
    } catch (LinkageError e) {
      errors.println("verify-log: nothing is known, the command lacks a part of itself: " + e
          + "; take bursar-verify-all.jar, which has them all");
      return UNREADABLE;
    }
  }

  private int log(Arguments arguments, NoteKey key, LogSource source)
      throws IOException, BadLog, Arguments.Wrong, InterruptedException {
    var every = arguments.every();
    var state = arguments.path("--state").map(SeenHead::new);
    Optional<SignedNote> seen = state.isPresent() ? state.get().read() : Optional.empty();
    var verifier = new LogVerifier(source, key,
        new LogVerifier.Options(arguments.has("--replay"), arguments.has("--partial")));
    var report = verifier.all(seen, progress(arguments));
    say(arguments, report, seen);
    keep(state, report);
    while (arguments.has("--follow")) {
      Thread.sleep(every);
      var last = report.note();
      try {
        if (!verifier.head().text().equals(last.text())) {
          report = verifier.grown(last, progress(arguments));
          say(arguments, report, Optional.of(last));
          keep(state, report);
        }
      } catch (IOException e) {
        errors.println("verify-log: cannot be read now, it will be tried again: " + reason(e));
      }
    }
    return GOOD;
  }

  private static void keep(Optional<SeenHead> state, Report report) throws IOException {
    if (state.isPresent()) {
      state.get().write(report.note());
    }
  }

  private void say(Arguments arguments, Report report, Optional<SignedNote> seen) {
    if (arguments.has("--quiet")) {
      return;
    }
    var head = report.checkpoint();
    out.printf(Locale.ROOT, "good: %s, %,d entries, root %s%n", head.origin(), head.size(), head.root());
    out.println("  signature   the log's key signed this head");
    out.println("  growth      " + (seen.isPresent()
        ? "it holds all that it held when it was last seen"
        : "no earlier head to compare with; keep one with --state"));
    out.printf(Locale.ROOT,
        "  entries     %,d from %,d on, each in its place; %,d files, every tile as made from them%n",
        report.entries(), report.from(), report.files());
    if (report.absent() > 0) {
      out.printf(Locale.ROOT, "  absent      %,d entries are not in this copy; only their hashes were checked%n",
          report.absent());
    }
    if (arguments.has("--replay")) {
      out.printf(Locale.ROOT, "  decisions   %,d decided again, all alike%n", report.replayed());
      if (report.undecided() > 0) {
        out.printf(Locale.ROOT,
            "  undecided   %,d could not be: the log has only digests of their sets or policies, and these are not beside it%n",
            report.undecided());
      }
    }
    long millis = Math.max(1, report.took().toMillis());
    out.printf(Locale.ROOT, "  took        %d.%03d s, %,d entries/s%n", millis / 1000, millis % 1000,
        (report.entries() + report.absent()) * 1000 / millis);
  }

  private LongConsumer progress(Arguments arguments) {
    var last = new long[]{System.nanoTime()};
    return entries -> {
      long now = System.nanoTime();
      if (now - last[0] >= PROGRESS_NANOS && !arguments.has("--quiet")) {
        last[0] = now;
        errors.printf(Locale.ROOT, "… %,d entries checked%n", entries);
      }
    };
  }

  private int receipt(Arguments arguments) throws IOException, BadLog, Arguments.Wrong {
    var receipt = arguments.path("--receipt");
    var entry = arguments.path("--entry");
    if (receipt.isEmpty() || entry.isEmpty()) {
      throw new Arguments.Wrong("`--receipt` and `--entry` belong together");
    }
    var key = arguments.key();
    try {
      var proof = LogProof.parse(read(receipt.get()));
      var head = proof.verify(Merkle.leafHash(read(entry.get())), key);
      out.printf(Locale.ROOT, "good: %s holds this entry at index %,d, in a log of %,d entries%n", head.origin(),
          proof.index(), head.size());
      return GOOD;
    } catch (IllegalArgumentException e) {
      throw new BadLog(-1, "the receipt: " + e.getMessage());
    }
  }

  private static byte[] read(Path file) throws IOException {
    if (Files.size(file) > 1 << 20) {
      throw new IOException("`" + file + "` is larger than any receipt or entry");
    }
    return Files.readAllBytes(file);
  }

  private static String reason(IOException e) {
    return e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
  }
}
