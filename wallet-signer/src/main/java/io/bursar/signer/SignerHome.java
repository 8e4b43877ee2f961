package io.bursar.signer;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.Optional;

import io.bursar.permit.PermitKeys;

/**
 * The directory that holds everything a signer must not lose: {@code kek.conf} (how the key encryption key is had; {@link KekFiles}),
 * {@code kek.key} (that key itself, in development), {@code permit.pub}, {@code keys/}, {@code journal}, {@code log.conf} (the
 * key of the log, wrapped), {@code heads/}, {@code approvers/}, {@code import.conf}, {@code recovery.pub}, {@code exports/}, and what it can make again: {@code native/}, {@code lock}.
 */
final class SignerHome {
  private static final int MOST_TEXT_BYTES = 4096;
  private final Path directory;
  private final KekFiles keks;

  /**
   * @param directory made by {@link #initialize} if it is not there
   * @param production whether what is for development only is refused
   */
  SignerHome(Path directory, boolean production) {
    this.directory = directory.toAbsolutePath().normalize();
    this.keks = new KekFiles(this.directory, production);
  }

  Path keys() {
    return directory.resolve("keys");
  }

  Path journal() {
    return directory.resolve("journal");
  }

  Path nativeLibraries() {
    return directory.resolve("native");
  }

  private Path permitPublicKey() {
    return directory.resolve("permit.pub");
  }

  /** How the key encryption keys are had. */
  KekFiles keks() {
    return keks;
  }

  /** What keys on their way into this signer are sealed to. */
  Path importKey() {
    return directory.resolve("import.conf");
  }

  /** What backups are sealed to, once an order has said so. */
  Path recoveryKey() {
    return directory.resolve("recovery.pub");
  }

  /** Keys that were given out by an order, each sealed to who shall have it. */
  Path exports() {
    return directory.resolve("exports");
  }

  /** Where a running rotation says how far it is. */
  Path rotationProgress() {
    return directory.resolve("rotation");
  }

  /** Where a new key file goes that nobody named: {@code kek.key}, {@code kek-2.key} and so on. */
  KekSource.KeyFile defaultKeyFile(int version) {
    return new KekSource.KeyFile(directory.resolve(version == 1 ? "kek.key" : "kek-" + version + ".key"));
  }

  /**
   * Makes what is missing: the directory, the key encryption key and the pair of permit keys. What is there stays.
   *
   * @param permitKey where the private permit key is, or goes; the API reads it
   * @param wanted where the key encryption key shall come from, or nothing for {@code kek.key} in the directory
   * @param origin what the instance's logs are called, or nothing for a name made of their key
   * @throws IOException if what is there does not fit together, with what to do in the message
   */
  void initialize(Path permitKey, Optional<KekSource> wanted, Optional<String> origin) throws IOException {
    SafeFiles.makeDirectory(directory);
    KekRing ring;
    if (!keks.versions().isEmpty()) {
      requireSameSource(wanted);
      ring = keks.open(); // throws if a key is not to be had any more
    } else if (Files.exists(keys())) {
      throw new IOException("`" + directory.resolve("kek.conf") + "` is missing, though there are keys in `" + keys()
          + "`; restore it, for a new one would not open them");
    } else {
      ring = keks.create(wanted.orElse(defaultKeyFile(1)));
    }
    makePermitKeys(permitKey.toAbsolutePath());
    LogKeyFile.initialize(logKey(), ring, origin);
    ImportKeyFile.initialize(importKey(), ring);
  }

  /** The key of the log and what the log is called. */
  Path logKey() {
    return directory.resolve("log.conf");
  }

  /** The root set, the number of the last order, and who approves in each tenant. */
  Path approvers() {
    return directory.resolve("approvers");
  }

  /** What is signed at the most, if that is limited. */
  Path ceilings() {
    return directory.resolve("ceilings.json");
  }

  /** Where it is kept how far the journal had come, unless another place is named. */
  Path anchor() {
    return directory.resolve("anchor");
  }

  /** What shows that somebody may read this directory: 32 random bytes in hexadecimal, made if they are not there. */
  byte[] operatorKey() throws IOException {
    var file = directory.resolve("operator.key");
    if (!Files.exists(file)) {
      var key = new byte[32];
      new SecureRandom().nextBytes(key);
      SafeFiles.create(file, (HexFormat.of().formatHex(key) + "\n").getBytes(StandardCharsets.US_ASCII));
    }
    try {
      return HexFormat.of().parseHex(text(SafeFiles.readSecret(file, MOST_TEXT_BYTES)).strip());
    } catch (IllegalArgumentException damaged) {
      throw new IOException("`" + file + "` is damaged; remove it, and another one is made");
    }
  }

  /** The last head that was signed for each tenant's log. */
  Path heads() {
    return directory.resolve("heads");
  }

  /**
   * Keeps every other signer away from this directory until the lock is released or the process ends.
   *
   * @throws IOException if the directory was not initialized, or another signer has it
   */
  FileLock lock() throws IOException {
    if (keks.versions().isEmpty()) {
      throw new IOException("`" + directory + "` is no signer's home; make one with `init`");
    }
    SafeFiles.makeDirectory(directory);
    FileChannel channel = SafeFiles.open(directory.resolve("lock"));
    FileLock lock;
    try {
      lock = channel.tryLock();
    } catch (OverlappingFileLockException inThisProcess) {
      lock = null;
    }
    if (lock == null) {
      channel.close();
      throw new IOException("another signer runs in `" + directory + "`");
    }
    return lock;
  }

  /** The user who owns the directory's files, as the operating system names them: this process's own. */
  String user() throws IOException {
    return Files.getOwner(directory.resolve("lock")).getName();
  }

  /** The key that permits must be signed by. */
  PublicKey permitKey() throws IOException {
    return PermitKeys.parsePublic(text(SafeFiles.read(permitPublicKey(), MOST_TEXT_BYTES)));
  }

  private void requireSameSource(Optional<KekSource> wanted) throws IOException {
    if (wanted.isPresent()) {
      var has = KekFiles.describe(keks.newestSource());
      var wants = KekFiles.describe(wanted.get());
      if (!has.equals(wants)) {
        throw new IOException("this home has the " + has + " and `init` cannot change it to the " + wants
            + "; `rotate-kek` can");
      }
    }
  }

  private void makePermitKeys(Path privateKey) throws IOException {
    var publicKey = permitPublicKey();
    if (Files.exists(privateKey)) {
      var derived = PermitKeys
          .publicKeyOf(PermitKeys.parsePrivate(text(SafeFiles.readSecret(privateKey, MOST_TEXT_BYTES))));
      if (!Files.exists(publicKey)) {
        SafeFiles.create(publicKey, PermitKeys.toPem(derived).getBytes(StandardCharsets.US_ASCII));
      } else if (!derived.equals(permitKey())) {
        throw new IOException("`" + privateKey + "` is not the private half of `" + publicKey + "`");
      }
    } else if (Files.exists(publicKey)) {
      throw new IOException("`" + publicKey + "` is there, but its private half `" + privateKey
          + "` is not; name the right file, or remove the public one to make a new pair");
    } else {
      var pair = PermitKeys.generate();
      SafeFiles.create(privateKey, PermitKeys.toPem(pair.getPrivate()).getBytes(StandardCharsets.US_ASCII));
      SafeFiles.create(publicKey, PermitKeys.toPem(pair.getPublic()).getBytes(StandardCharsets.US_ASCII));
    }
  }

  private static String text(byte[] bytes) {
    return new String(bytes, StandardCharsets.UTF_8);
  }
}
