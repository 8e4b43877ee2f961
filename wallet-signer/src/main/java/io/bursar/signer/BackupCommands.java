package io.bursar.signer;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Arrays;
import java.util.Map;

import io.bursar.permit.Digest32;
import io.bursar.signer.SignerMain.UsageException;

/** Writing a backup of a home's keys, and taking one into another home. */
final class BackupCommands {
  private static final String RESTORE = "restore";
  private static final String WITHOUT_JOURNAL = "all-without-journal";

  private BackupCommands() {}

  /** Writes all keys, sealed to the recovery key that an order has named. No private key is opened. */
  static void backup(Map<String, String> options, boolean production, PrintStream out)
      throws IOException, UsageException {
    var home = new SignerHome(Path.of(SignerMain.required(options, "--home")), production);
    var file = Path.of(SignerMain.required(options, "--out"));
    if (!Files.exists(home.recoveryKey())) {
      throw new IOException(
          "this home has no recovery key; make one with `recovery-key` and give the order `recovery`");
    }
    try (var ring = home.keks().open()) {
      var recovery = RecipientKey
          .parse(new String(SafeFiles.read(home.recoveryKey(), 4096), StandardCharsets.US_ASCII));
      var store = Keystore.beside(home.keys(), ring, new BouncyCastleSecp256k1());
      var logKey = LogKeyFile.read(home.logKey());
      var seed = logKey.unwrap(ring);
      byte[] sealed;
      try {
        sealed = Backup.make(store, new Backup.LogKey(logKey.origin(), logKey.publicKey(), seed), recovery,
            Instant.now().truncatedTo(ChronoUnit.MILLIS));
      } finally {
        Arrays.fill(seed, (byte) 0);
      }
      SafeFiles.create(file, sealed);
      out.println("`" + file + "` has " + store.size() + " keys, sealed to the recovery key "
          + RecipientKey.fingerprint(recovery) + "; its hash is sha256:" + Digest32.sha256(sealed));
    } catch (Keystore.UnreadableKeyException damaged) {
      throw new IOException(damaged.getMessage() + "; a backup is whole or is not", damaged);
    }
  }

  /**
   * Takes the keys of a backup, and the key of the log, into a home that no signer runs in. Needs enough recovery shares and
   * an order that names the backup.
   */
  static void restore(Map<String, String> options, boolean production, PrintStream out)
      throws IOException, UsageException {
    var home = new SignerHome(Path.of(SignerMain.required(options, "--home")), production);
    var file = Path.of(SignerMain.required(options, "--backup"));
    var sealed = SafeFiles.read(file, Backup.MOST_BYTES);
    var shares = Arrays.stream(SignerMain.required(options, "--shares").split(",")).map(Path::of).toList();
    var order = OrderCommands.signed(options);
    var lock = home.lock();
    try (var recovery = CeremonyCommands.recoveryKey(shares);
        var backup = Backup.open(sealed, recovery);
        var ring = home.keks().open()) {
      var subject = Quorum.text(order).subject();
      boolean journalIsThere = Files.exists(home.journal());
      if (journalIsThere == subject.equals(WITHOUT_JOURNAL)) {
        throw new IOException(journalIsThere
            ? "the journal is there, so the order must be to `all`"
            : "the journal is missing: put the newest copy of it into the home, or, if there is none, give the order to `"
                + WITHOUT_JOURNAL + "`, after every payment that was under way is settled or void");
      }
      refuseOtherLog(home, backup);
      var store = Keystore.open(home.keys(), ring, new BouncyCastleSecp256k1());
      var quorum = Quorum.open(home.approvers(), LogKeyFile.read(home.logKey()).origin());
      var refused = quorum.use(order, RESTORE, journalIsThere ? "all" : WITHOUT_JOURNAL, sealed, Instant.now());
      if (refused.isPresent()) {
        throw new IOException("the order does not stand: " + refused.get());
      }
      if (!journalIsThere) {
        // The order has accepted the loss, so what the anchor says of the lost one counts no more.
        try (var journal = JournalFile.open(home.journal(), SafeFiles.open(home.journal()), (_, _, _) -> {});
            var anchor = JournalAnchor.open(home.anchor())) {
          anchor.accept(journal, Instant.now());
        }
      }
      var restored = backup.restoreInto(store);
      LogKeyFile.restore(home.logKey(), ring, backup.logKey().origin(), backup.logKey().seed());
      restored.forEach(address -> out.println("restored " + address));
      out.println("restored " + restored.size() + " keys of the backup that was made at " + backup.madeAt()
          + ", and the key of the logs `" + backup.logKey().origin() + "`");
    } catch (SealedFile.UnreadableException unreadable) {
      throw new IOException("`" + file + "` " + unreadable.getMessage(), unreadable);
    } catch (Keystore.UnreadableKeyException damaged) {
      throw new IOException(damaged.getMessage(), damaged);
    } catch (IllegalArgumentException noOrder) {
      throw new IOException("--text: " + noOrder.getMessage(), noOrder);
    } finally {
      lock.acquiredBy().close();
    }
  }

  /** A home that has signed heads of another log would sign two histories under one name. */
  private static void refuseOtherLog(SignerHome home, Backup backup) throws IOException {
    if (LogKeyFile.read(home.logKey()).publicKey().equals(backup.logKey().publicKey())) {
      return;
    }
    if (Files.isDirectory(home.heads())) {
      try (var heads = Files.newDirectoryStream(home.heads(), "*.head")) {
        if (heads.iterator().hasNext()) {
          throw new IOException(
              "this home has signed heads with another key than the backup's; restore into a new home");
        }
      }
    }
  }
}
