package io.bursar.signer;

import java.io.IOException;
import java.io.PrintStream;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.logging.LogManager;

import io.bursar.permit.PermitKey;
import io.bursar.permit.SignerReply.Healthy;
import io.bursar.spend.Id;

/** The signer's command line: {@code init} makes a home, {@code serve} runs in it. */
public final class SignerMain {
  private static final int OK = 0;
  private static final int FAILED = 1;
  private static final int USAGE = 2;
  private static final long STOP_SECONDS = 8;
  private static final Set<String> SERVE = Set.of("--home", "--socket", "--allow-user", "--backend", "--log-proof",
      "--require-hardening", "--anchor", "--requests-per-second", "--refusals-per-minute");
  /** Options without a value. */
  private static final Set<String> FLAGS = Set.of("--require-hardening");
  private static final String HELP = """
      usage: wallet-signer init  --home DIR --permit-key FILE [KEK] [--origin NAME]
                                 [--root-set FILE] [--ceilings FILE]
             wallet-signer serve --home DIR --socket PATH [--allow-user NAME] [--backend auto|native|bouncycastle]
                                 [--log-proof required|off] [--anchor FILE] [--requests-per-second N]
                                 [--refusals-per-minute N] [--require-hardening]
             wallet-signer log-key     --home DIR --tenant ID
             wallet-signer forget-head --home DIR --tenant ID
             wallet-signer order-text  --home DIR --order NAME --subject ID|all [--content FILE] [--valid PT12H]
             wallet-signer order       --socket PATH --text FILE --signatures FILE [--content FILE]
             wallet-signer freeze      --socket PATH --scope all|wal_…|ten_… [--why TEXT]
             wallet-signer unfreeze    --home DIR --socket PATH --scope all|wal_…|ten_…
             wallet-signer accept-journal  --home DIR [--anchor FILE]
             wallet-signer compact-journal --home DIR [--anchor FILE]
             wallet-signer --help | --version

      init   makes what is missing and never overwrites: the directory DIR, the key encryption key, the key of the log,
             and the pair of permit keys, whose private half goes to FILE for the API to read
        --origin NAME           what the logs are called, such as wallets.example.com/log; without one, a name made of
                                the log's key
        --root-set FILE         the keys whose holders together give orders to this signer, such as who approves spends:
                                {"threshold": 2, "keys": [JSON Web Key, …]}. Production needs one, of 2 or more
        --ceilings FILE         what is signed at the most, whatever the API says; production needs them
      serve  signs what permits allow, on a Unix socket, until it is told to stop
        --socket PATH           in a directory to which only this user may write
        --allow-user NAME       let this user connect too; otherwise only the signer's own user and root may
        --backend NAME          native: libsecp256k1; bouncycastle: plain Java; auto: native where it loads
        --log-proof off         sign without proof that the payment was authorized on the record; for development,
                                refused if BURSAR_MODE is production
        --anchor FILE           where to keep how far the journal has come, best on another disk (default DIR/anchor)
        --requests-per-second N, --refusals-per-minute N
                                freeze a key that is asked for more often, or refused more often (default 1000, 300)
        --require-hardening     do not start unless every measure that keeps others out of this process is in force
      log-key      prints the public key of a tenant's log, as verifiers take it
      forget-head  forgets the last head that was signed for a tenant's log, so that a log which was rewritten is signed
                   again. Every verifier and witness will see the break. Stop the signer first
      order-text   prints what the holders of root keys sign to have something done: `approvers` to a tenant's id, with its roll
                   as the content; `root` or `ceilings` to `all`, with the next ones; `unfreeze` to what is frozen
      order        hands a signed order to the running signer; FILE holds one signature a line
      freeze       has the running signer sign nothing more for a key, a tenant, or at all, also after a restart
      unfreeze     lifts that, where there is no root set; with one it takes an order
      accept-journal
                   takes a journal that was lost or put back as it is, after a person has looked. Stop the signer first
      compact-journal
                   puts a journal of about half the length in its place that refuses all that it refuses, and leaves the old one
                   beside it for the archive. Stop the signer first
      """;

  /** A log manager that goes on writing while the process stops, so that the last lines are seen. */
  public static final class StayingLogManager extends LogManager {
    @Override
    public void reset() {
      // called by the platform's own shutdown hook, at the same time as ours
    }
  }

  /** A command line that says something else than the help does. */
  static final class UsageException extends Exception {
    private static final long serialVersionUID = 1L;

    UsageException(String message) {
      super(message);
    }
  }

  private SignerMain() {}

  /** Runs one command and ends the process with 0, with 1 if the command failed, or with 2 if it was not understood. */
  public static void main(String[] args) {
    System.setProperty("java.util.logging.manager", StayingLogManager.class.getName());
    LogLines.install();
    System.exit(run(args, System.getenv(), System.out, System.err));
  }

  /** The same, with the environment and the streams given, and the exit status returned. */
  static int run(String[] args, Map<String, String> environment, PrintStream out, PrintStream err) {
    try {
      var command = args.length == 0 ? "" : args[0];
      var rest = args.length == 0 ? args : Arrays.copyOfRange(args, 1, args.length);
      boolean production = "production".equals(environment.get("BURSAR_MODE"));
      switch (command) {
        case "--help" -> out.print(HELP + KeyCommands.HELP);
        case "--version" -> out.println("wallet-signer " + version());
        case "init" -> {
          var known = KeyCommands.withKek("--home", "--permit-key", "--origin", "--root-set", "--ceilings");
          init(options(rest, known), production, out);
        }
        case "serve" -> serve(options(rest, SERVE), production, environment);
        case "log-key" -> {
          var options = options(rest, Set.of("--home", "--tenant"));
          var home = new SignerHome(Path.of(required(options, "--home")), production);
          out.println(LogKeyFile.read(home.logKey()).key(tenant(options)).text());
        }
        case "order-text" -> {
          var options = options(rest, Set.of("--home", "--order", "--subject", "--content", "--valid"));
          OrderCommands.text(new SignerHome(Path.of(required(options, "--home")), production), options, out);
        }
        case "freeze" -> OrderCommands.freeze(options(rest, Set.of("--socket", "--scope", "--why")), out);
        case "unfreeze" -> {
          var options = options(rest, Set.of("--home", "--socket", "--scope"));
          OrderCommands.unfreeze(new SignerHome(Path.of(required(options, "--home")), production), options, out);
        }
        case "accept-journal" -> {
          var options = options(rest, Set.of("--home", "--anchor"));
          OrderCommands.acceptJournal(new SignerHome(Path.of(required(options, "--home")), production), options, out);
        }
        case "compact-journal" -> {
          var options = options(rest, Set.of("--home", "--anchor"));
          OrderCommands.compactJournal(new SignerHome(Path.of(required(options, "--home")), production), options, out);
        }
        case "order" ->
          OrderCommands.send(options(rest, Set.of("--socket", "--text", "--signatures", "--content")), out);
        case "forget-head" -> forgetHead(options(rest, Set.of("--home", "--tenant")), production, out);
        default -> KeyCommands.run(command, rest, production, out);
      }
      return OK;
    } catch (UsageException misused) {
      err.println("wallet-signer: " + misused.getMessage() + "; see --help");
      return USAGE;
    } catch (IOException | RuntimeException failed) {
      err.println("wallet-signer: " + describe(failed));
      return FAILED;
    }
  }

  private static void init(Map<String, String> options, boolean production, PrintStream out)
      throws IOException, UsageException {
    var home = Path.of(required(options, "--home"));
    var permitKey = Path.of(required(options, "--permit-key"));
    var source = KeyCommands.kekSource(options);
    var made = new SignerHome(home, production);
    made.initialize(permitKey, source, Optional.ofNullable(options.get("--origin")));
    if (options.containsKey("--root-set")) {
      Quorum.install(made.approvers(), SafeFiles.read(Path.of(required(options, "--root-set")), RootSet.MOST_BYTES));
    }
    if (options.containsKey("--ceilings")) {
      Ceilings.install(made.ceilings(), SafeFiles.read(Path.of(required(options, "--ceilings")), Ceilings.MOST_BYTES));
    }
    out.println("the signer's home is `" + home + "`; the API's permit key is `" + permitKey + "`");
  }

  private static UUID tenant(Map<String, String> options) throws UsageException {
    var text = required(options, "--tenant");
    return Id.TENANT.parse(text)
        .orElseThrow(() -> new UsageException("--tenant is the tenant's id, `ten_` and 32 hexadecimal digits"));
  }

  private static void forgetHead(Map<String, String> options, boolean production, PrintStream out)
      throws IOException, UsageException {
    var home = new SignerHome(Path.of(required(options, "--home")), production);
    var head = LogSigner.file(home.heads(), tenant(options));
    try (var _ = home.lock()) {
      if (!Files.exists(head)) {
        throw new IOException("no head was signed for this tenant's log");
      }
      var kept = head.resolveSibling(head.getFileName() + ".forgotten-" + Instant.now().getEpochSecond());
      Files.move(head, kept);
      SafeFiles.syncDirectory(kept);
      out.println(
          "the last head is forgotten and kept as `" + kept + "`; the next head of this log is signed as it is");
    }
  }

  private static boolean logProofRequired(Map<String, String> options, boolean production)
      throws IOException, UsageException {
    return switch (options.getOrDefault("--log-proof", "required")) {
      case "required" -> true;
      case "off" -> {
        if (production) {
          throw new IOException("--log-proof off is for development; in production nothing is signed off the record");
        }
        yield false;
      }
      default -> throw new UsageException("--log-proof is `required` or `off`");
    };
  }

  private static void serve(Map<String, String> options, boolean production, Map<String, String> environment)
      throws IOException, UsageException {
    long started = System.nanoTime();
    var home = new SignerHome(Path.of(required(options, "--home")), production);
    var socket = Path.of(required(options, "--socket"));
    var hardening = new Hardening(environment);
    var stopped = new CountDownLatch(1);
    boolean logProof = logProofRequired(options, production);
    try (var _ = home.lock(); var curve = curve(options.getOrDefault("--backend", "auto"), home)) {
      var keks = home.keks().open();
      var keystore = Keystore.open(home.keys(), keks, curve);
      var logKey = LogKeyFile.read(home.logKey());
      var seed = logKey.unwrap(keks);
      var log = LogSigner.open(logKey.origin(), seed, home.heads(), logProof); // which has a copy of its own
      Arrays.fill(seed, (byte) 0);
      if (keystore.size() > 0 && !Files.exists(home.journal())) {
        throw new IOException("the journal `" + home.journal() + "` is missing, though there are keys; restore it, "
            + "for without it a second transfer could be signed for a nonce");
      }
      try (var fences = Fences.open(home, logKey.origin(), OrderCommands.anchor(home, options), bounds(options),
          production)) {
        fences.alsoObey(quorum -> new KeyOrders(home, keks, keystore, quorum).deeds());
        var journal = fences.journal();
        keystore.openKeys().startClosing(journal::isFrozen);
        if (journal.cutBytes() > 0) {
          log().log(Level.WARNING, "cut an unfinished write of " + journal.cutBytes() + " bytes off the journal");
        }
        hardening.finish(curve, options.containsKey("--require-hardening")); // the last step before anybody can connect
        var facts = new ArrayList<>(hardening.facts());
        facts.add("log-proof=" + (logProof ? "required" : "off"));
        var signer = new Signer(new Signer.Permits(PermitKey.of(home.permitKey()), InstantSource.system()), keystore,
            fences, log,
            new Healthy(version(), curve.name(), facts));
        try (var rotation = new KekRotation(home, keks, keystore, _ -> {});
            var server = SignerServer.bind(signer, socket, home.user(),
                Optional.ofNullable(options.get("--allow-user")), SignerServer.Limits.DEFAULT)) {
          log().log(Level.INFO, "ready socket=" + socket + " backend=" + curve.name() + " keys=" + keystore.size()
              + " records=" + journal.records() + " " + String.join(" ", facts) + " "
              + String.join(" ", fences.facts()) + " started-in-ms="
              + (System.nanoTime() - started) / 1_000_000);
          Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(server, stopped), "stop"));
          rotation.start();
          server.run();
        }
        keystore.openKeys().close((tenantId, keyId) -> true);
      }
      log().log(Level.INFO, "stopped");
    } finally {
      stopped.countDown();
    }
  }

  private static RateAlarm.Bounds bounds(Map<String, String> options) throws UsageException {
    return new RateAlarm.Bounds(
        number(options, "--requests-per-second", RateAlarm.Bounds.DEFAULT.requestsPerSecond()),
        number(options, "--refusals-per-minute", RateAlarm.Bounds.DEFAULT.refusalsPerMinute()));
  }

  private static int number(Map<String, String> options, String name, int absent) throws UsageException {
    var text = options.get(name);
    if (text != null && !text.matches("[1-9][0-9]{0,8}")) {
      throw new UsageException(name + " is a whole number from 1");
    }
    return text == null ? absent : Integer.parseInt(text);
  }

  /** On SIGTERM: lets what was asked be answered, then waits until the journal is closed. */
  private static void stop(SignerServer server, CountDownLatch stopped) {
    server.close();
    try {
      if (!stopped.await(STOP_SECONDS, TimeUnit.SECONDS)) {
        log().log(Level.WARNING, "did not stop in time");
      }
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private static Secp256k1 curve(String backend, SignerHome home) throws IOException, UsageException {
    return switch (backend) {
      case "native" -> NativeSecp256k1.load(home.nativeLibraries());
      case "bouncycastle" -> new BouncyCastleSecp256k1();
      case "auto" -> {
        try {
          yield NativeSecp256k1.load(home.nativeLibraries());
        } catch (IOException notThere) {
          log().log(Level.WARNING, "signing in plain Java, since " + notThere.getMessage());
          yield new BouncyCastleSecp256k1();
        }
      }
      default -> throw new UsageException("there is no backend `" + backend + "`");
    };
  }

  static Map<String, String> options(String[] arguments, Set<String> known) throws UsageException {
    var options = new HashMap<String, String>();
    for (int i = 0; i < arguments.length; i++) {
      var name = arguments[i];
      if (!known.contains(name)) {
        throw new UsageException("there is no option `" + name + "`");
      }
      boolean flag = FLAGS.contains(name);
      if (!flag && (i + 1 == arguments.length || arguments[i + 1].isEmpty())) {
        throw new UsageException(name + " needs a value");
      }
      if (options.put(name, flag ? "" : arguments[++i]) != null) {
        throw new UsageException(name + " is given twice");
      }
    }
    return options;
  }

  static String required(Map<String, String> options, String name) throws UsageException {
    var value = options.get(name);
    if (value == null) {
      throw new UsageException(name + " is missing");
    }
    return value;
  }

  /** Not a constant: {@link #main} sets the log manager before the first logger is made. */
  private static Logger log() {
    return System.getLogger("io.bursar.signer");
  }

  private static String version() throws IOException {
    try (var in = Objects.requireNonNull(SignerMain.class.getResourceAsStream("version.txt"))) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8).strip();
    }
  }

  private static String describe(Exception failed) {
    return switch (failed) {
      case NoSuchFileException absent -> "there is no file `" + absent.getFile() + "`";
      case AccessDeniedException denied -> "the file `" + denied.getFile() + "` may not be used by this user";
      case FileAlreadyExistsException present -> "the file `" + present.getFile() + "` is there already";
      default -> String.valueOf(failed.getMessage());
    };
  }
}
