package io.bursar.signer;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

import io.bursar.signer.KekRotation.Progress;
import io.bursar.signer.SignerMain.UsageException;

/** The commands that have to do with keys and not with signing: where they go, and those on the key encryption key. */
final class KeyCommands {
  private static final Set<String> KEK_OPTIONS = Set.of("--kek-file", "--passphrase-file", "--pkcs11-library",
      "--pkcs11-slot", "--pkcs11-pin-file");
  private static final Duration PATIENCE = Duration.ofSeconds(30);
  private static final long LOOK_EVERY_MILLIS = 200;

  /** What the commands are; follows what {@link SignerMain} says of its own. */
  static final String HELP = """

      Keys:  wallet-signer rotate-kek    --home DIR [KEK]
             wallet-signer kek-status    --home DIR
             wallet-signer import-key    --home DIR
             wallet-signer keygen        --for KEY --tenant ID --count NUMBER --out FILE
             wallet-signer seal-key      --for KEY --tenant ID --out FILE (--raw-key-file FILE |
                                         --keystore FILE --password-file FILE | --hd-file FILE --hd-path PATH)
             wallet-signer recipient-key --secret FILE
             wallet-signer open-keys     --bundle FILE --secret FILE --password-file FILE --out DIR
             wallet-signer recovery-key  --threshold NUMBER --shares NUMBER --out DIR
             wallet-signer backup        --home DIR --out FILE
             wallet-signer restore       --home DIR --backup FILE --shares FILE,FILE… --text FILE --signatures FILE

      KEK is one of these, and says where the key encryption key is:
        --kek-file FILE         unencrypted in FILE (default DIR/kek.key); for development, refused if BURSAR_MODE is
                                production
        --passphrase-file FILE  made from the passphrase in FILE by Argon2id
        --pkcs11-library FILE --pkcs11-slot NUMBER --pkcs11-pin-file FILE
                                in an HSM, which makes it and never lets it out
      rotate-kek   makes a new key encryption key, where the last one is if nothing else is said, and brings all keys
                   under it, also while the signer runs; run it again to go on with a rotation that was stopped
      kek-status   says which key encryption keys are in use and how far a rotation is
      import-key   prints the public key that keys for this signer are sealed to, and its fingerprint
      keygen       makes private keys, on a machine without network, and seals them to a signer; KEY is what import-key
                   printed, or a file with it. Nothing but the sealed file has them. The order `import` to `all`, with
                   that file as its content, takes them in
      seal-key     does the same with a key that another wallet made, from a Web3 keystore (version 3), a file with 64
                   hexadecimal digits, or a seed or `xprv` with a path such as m/44'/60'/0'/0/0 (BIP-32)
      recipient-key  makes the key that a signer seals keys to that it gives out; its secret half goes to FILE. The order
                   `export` to a key's id, with the public half as its content, has the signer write DIR/exports
      open-keys    opens what a signer gave out, and writes each key as a Web3 keystore under a password
      recovery-key makes the key that backups are sealed to, on a machine without network: prints its public half and
                   writes its secret half in shares, of which --threshold give it back. The order `recovery` to `all`, with
                   the public half as its content, has the signer use it
      backup       writes all keys, sealed to the recovery key; also while the signer runs
      restore      takes the keys of a backup into a home, with enough shares and the order `restore` whose content is
                   the backup: to `all`, where the journal is there too, or to `all-without-journal`
      """;

  private KeyCommands() {}

  /** Runs one of the commands. */
  static void run(String command, String[] rest, boolean production, PrintStream out)
      throws IOException, UsageException {
    switch (command) {
      case "rotate-kek" -> rotate(SignerMain.options(rest, withKek("--home")), production, out);
      case "kek-status" -> status(SignerMain.options(rest, Set.of("--home")), production, out);
      case "import-key" -> importKey(SignerMain.options(rest, Set.of("--home")), production, out);
      case "keygen" -> CeremonyCommands
          .keygen(SignerMain.options(rest, Set.of("--for", "--tenant", "--count", "--out")), out);
      case "seal-key" -> CeremonyCommands.sealKey(SignerMain.options(rest, Set.of("--for", "--tenant", "--keystore",
          "--password-file", "--raw-key-file", "--hd-file", "--hd-path", "--out")), out);
      case "recipient-key" -> CeremonyCommands.recipientKey(SignerMain.options(rest, Set.of("--secret")), out);
      case "open-keys" -> CeremonyCommands
          .openKeys(SignerMain.options(rest, Set.of("--bundle", "--secret", "--password-file", "--out")), out);
      case "recovery-key" -> CeremonyCommands
          .recoveryKey(SignerMain.options(rest, Set.of("--threshold", "--shares", "--out")), out);
      case "backup" -> BackupCommands.backup(SignerMain.options(rest, Set.of("--home", "--out")), production, out);
      case "restore" -> BackupCommands.restore(SignerMain.options(rest,
          Set.of("--home", "--backup", "--shares", "--text", "--signatures")), production, out);
      default -> throw new UsageException(
          command.isEmpty() ? "a command is missing" : "there is no command `" + command + "`");
    }
  }

  /** The names of options, and those that say where a key encryption key is. */
  static Set<String> withKek(String... names) {
    var all = new HashSet<>(KEK_OPTIONS);
    all.addAll(List.of(names));
    return all;
  }

  /** What the options say about a key encryption key, if they say anything. */
  static Optional<KekSource> kekSource(Map<String, String> options) throws UsageException {
    var sources = new ArrayList<KekSource>();
    if (options.containsKey("--kek-file")) {
      sources.add(new KekSource.KeyFile(Path.of(SignerMain.required(options, "--kek-file"))));
    }
    if (options.containsKey("--passphrase-file")) {
      sources.add(new KekSource.PassphraseFile(Path.of(SignerMain.required(options, "--passphrase-file"))));
    }
    if (options.keySet().stream().anyMatch(name -> name.startsWith("--pkcs11-"))) {
      sources.add(new KekSource.Token(Path.of(SignerMain.required(options, "--pkcs11-library")).toAbsolutePath(),
          slot(SignerMain.required(options, "--pkcs11-slot")),
          Path.of(SignerMain.required(options, "--pkcs11-pin-file")).toAbsolutePath()));
    }
    if (sources.size() > 1) {
      throw new UsageException("--kek-file, --passphrase-file and --pkcs11-library exclude each other");
    }
    return sources.stream().findFirst();
  }

  private static long slot(String text) throws UsageException {
    try {
      return Long.parseUnsignedLong(text);
    } catch (NumberFormatException malformed) {
      throw new UsageException("--pkcs11-slot is the number of a slot, as the HSM's own tool shows it");
    }
  }

  /** Says which keys are in use and how far a rotation is. */
  private static void status(Map<String, String> options, boolean production, PrintStream out)
      throws IOException, UsageException {
    var home = new SignerHome(Path.of(SignerMain.required(options, "--home")), production);
    var versions = versions(home);
    out.println("newest key encryption key: version " + versions.getLast() + ", "
        + KekFiles.describe(home.keks().newestSource()));
    if (versions.size() > 1) {
      out.println("still in use beside it: versions " + versions.subList(0, versions.size() - 1));
    }
    var progress = KekRotation.read(home.rotationProgress());
    progress.ifPresent(last -> out.println("last rotation: " + line(last)));
  }

  /**
   * Makes a new key, unless a rotation waits to be finished, and sees to it that everything comes under it: by the signer
   * that runs, or in this process if none does. Ends when it is done.
   */
  private static void rotate(Map<String, String> options, boolean production, PrintStream out)
      throws IOException, UsageException {
    var home = new SignerHome(Path.of(SignerMain.required(options, "--home")), production);
    var wanted = kekSource(options);
    var versions = versions(home);
    int newest = versions.getLast();
    if (versions.size() == 1 || wanted.isPresent()) {
      var source = wanted.isPresent() ? wanted.get() : switch (home.keks().newestSource()) {
        case KekSource.KeyFile _ -> home.defaultKeyFile(newest + 1);
        case KekSource same -> same;
      };
      int version = home.keks().add(source);
      out.println("made version " + version + " of the key encryption key: " + KekFiles.describe(source));
      follow(home, version, out);
    } else {
      out.println("going on with the rotation to version " + newest);
      follow(home, newest, out);
    }
    out.println("the older key encryption keys open nothing here any more. Destroy them when no backup needs them");
  }

  /** Prints what keys for this signer are sealed to. */
  private static void importKey(Map<String, String> options, boolean production, PrintStream out)
      throws IOException, UsageException {
    var home = new SignerHome(Path.of(SignerMain.required(options, "--home")), production);
    if (!Files.exists(home.importKey())) {
      throw new IOException("this home has no key for imports yet; `init` makes it");
    }
    var key = ImportKeyFile.read(home.importKey()).publicKey();
    out.println(RecipientKey.text(key));
    out.println("fingerprint " + RecipientKey.fingerprint(key));
  }

  private static List<Integer> versions(SignerHome home) throws IOException {
    var versions = home.keks().versions();
    if (versions.isEmpty()) {
      throw new IOException("this is no signer's home; make one with `init`");
    }
    return versions;
  }

  private static void follow(SignerHome home, int version, PrintStream out) throws IOException {
    var shown = Optional.<Progress>empty();
    long moved = System.nanoTime();
    while (true) {
      try (var lock = tryLock(home)) {
        if (lock.isPresent()) {
          end(rotateHere(home, out));
          return;
        }
      }
      var now = KekRotation.read(home.rotationProgress()).filter(progress -> progress.version() >= version);
      if (!now.equals(shown)) {
        shown = now;
        moved = System.nanoTime();
        now.ifPresent(progress -> out.println(line(progress)));
      }
      if (now.isPresent() && now.get().state() != KekRotation.State.RUNNING) {
        end(now.get());
        return;
      }
      if (System.nanoTime() - moved > PATIENCE.toNanos()) {
        throw new IOException(
            "the signer runs but does not rotate; its log says why. It tries again when it is started");
      }
      pause();
    }
  }

  /** A lock that closes, or nothing if a signer runs. */
  private record Lock(Optional<FileLock> held) implements AutoCloseable {
    boolean isPresent() {
      return held.isPresent();
    }

    @Override
    public void close() throws IOException {
      if (held.isPresent()) {
        held.get().acquiredBy().close();
      }
    }
  }

  private static Lock tryLock(SignerHome home) {
    try {
      return new Lock(Optional.of(home.lock()));
    } catch (IOException runs) {
      return new Lock(Optional.empty());
    }
  }

  private static Progress rotateHere(SignerHome home, PrintStream out) throws IOException {
    try (var ring = home.keks().open();
        var rotation = new KekRotation(home, ring, Keystore.open(home.keys(), ring, new BouncyCastleSecp256k1()),
            progress -> out.println(line(progress)))) {
      return rotation.run().orElseThrow(() -> new IOException("there is nothing to rotate to"));
    }
  }

  private static void end(Progress progress) throws IOException {
    if (progress.state() == KekRotation.State.FAILED) {
      throw new IOException("not everything could be brought under version " + progress.version()
          + "; the signer's log names the keys. The older key encryption key stays in use; run this again once it is put right");
    }
  }

  private static String line(Progress progress) {
    return switch (progress.state()) {
      case RUNNING -> "under version " + progress.version() + ": " + progress.done() + " of " + progress.total()
          + " keys";
      case DONE -> "done: all " + progress.total() + " keys are under version " + progress.version();
      case FAILED -> "failed: " + progress.done() + " of " + progress.total() + " keys are under version "
          + progress.version();
    };
  }

  private static void pause() throws IOException {
    try {
      Thread.sleep(LOOK_EVERY_MILLIS);
    } catch (InterruptedException stopped) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted; the rotation goes on in the signer", stopped);
    }
  }
}
