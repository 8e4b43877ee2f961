package io.bursar.signer;

import java.io.IOException;
import java.io.StringReader;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Optional;
import java.util.Properties;

import io.bursar.permit.PermitKeys;

/**
 * The directory that holds everything a signer must not lose: {@code kek.conf} (how the key encryption key is had),
 * {@code kek.key} (that key itself, in development), {@code permit.pub}, {@code keys/}, {@code journal}, {@code log.conf} (the
 * key of the log, wrapped), {@code heads/}, and what it can make again: {@code native/}, {@code lock}.
 */
final class SignerHome {
  private static final int MOST_PASSPHRASE_BYTES = 1024;
  private static final int LEAST_PASSPHRASE_BYTES = 12;
  private static final int MOST_TEXT_BYTES = 4096;
  private static final String KEY_FILE = "key-file";
  private static final String PASSPHRASE_FILE = "passphrase-file";

  /** Where the key encryption key comes from. */
  sealed interface KekSource {
    /** A file that holds the key unencrypted, as 64 hexadecimal digits. For development. */
    record KeyFile(Path path) implements KekSource {}

    /** A file that holds a passphrase of 12 to 1,024 bytes. */
    record PassphraseFile(Path path) implements KekSource {}
  }

  private final Path directory;
  private final boolean production;

  /**
   * @param directory made by {@link #initialize} if it is not there
   * @param production whether what is for development only is refused
   */
  SignerHome(Path directory, boolean production) {
    this.directory = directory.toAbsolutePath().normalize();
    this.production = production;
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

  private Path kekConfiguration() {
    return directory.resolve("kek.conf");
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
    Kek kek;
    if (Files.exists(kekConfiguration())) {
      requireSameSource(wanted);
      kek = openKek(); // throws if the key is not to be had any more
    } else {
      kek = makeKek(wanted.orElse(new KekSource.KeyFile(directory.resolve("kek.key"))));
    }
    makePermitKeys(permitKey.toAbsolutePath());
    LogKeyFile.initialize(logKey(), kek, origin);
  }

  /** The key of the log and what the log is called. */
  Path logKey() {
    return directory.resolve("log.conf");
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
    if (!Files.exists(kekConfiguration())) {
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

  /**
   * The key encryption key that this home was made with.
   *
   * @throws IOException if it cannot be had, is another one, or may not be used in production
   */
  Kek openKek() throws IOException {
    var conf = new Properties();
    conf.load(new StringReader(text(SafeFiles.read(kekConfiguration(), MOST_TEXT_BYTES))));
    var path = directory.resolve(required(conf, "path"));
    var provider = required(conf, "provider");
    Kek kek;
    try {
      kek = switch (provider) {
        case KEY_FILE -> kekOf(new KekSource.KeyFile(path));
        case PASSPHRASE_FILE -> Kek.ofPassphrase(passphrase(path), HexFormat.of().parseHex(required(conf, "salt")),
            new Kek.Argon2Cost(Integer.parseInt(required(conf, "memory-kib")),
                Integer.parseInt(required(conf, "passes")), Integer.parseInt(required(conf, "lanes"))));
        default -> throw new IOException("`" + kekConfiguration() + "` names the unknown provider `" + provider + "`");
      };
    } catch (IllegalArgumentException malformed) {
      throw new IOException("`" + kekConfiguration() + "` is damaged: " + malformed.getMessage());
    }
    if (!kek.id().equals(required(conf, "id"))) {
      throw new IOException("`" + path + "` gives the key encryption key `" + kek.id() + "`, but this home needs `"
          + required(conf, "id") + "`");
    }
    return kek;
  }

  private Kek kekOf(KekSource.KeyFile source) throws IOException {
    if (production) {
      throw new IOException("BURSAR_MODE is `production`, which refuses the unencrypted key file `" + source.path()
          + "`; make a home with `init --passphrase-file`");
    }
    try {
      return Kek.ofKey(HexFormat.of().parseHex(text(SafeFiles.readSecret(source.path(), 2 * Kek.BYTES + 1)).strip()));
    } catch (IllegalArgumentException notHex) {
      throw new IOException("`" + source.path() + "` must hold 64 hexadecimal digits and nothing else");
    }
  }

  private static byte[] passphrase(Path path) throws IOException {
    var bytes = SafeFiles.readSecret(path, MOST_PASSPHRASE_BYTES + 1);
    int length = bytes.length;
    while (length > 0 && (bytes[length - 1] == '\n' || bytes[length - 1] == '\r')) {
      length--;
    }
    var passphrase = Arrays.copyOf(bytes, length);
    Arrays.fill(bytes, (byte) 0);
    if (length < LEAST_PASSPHRASE_BYTES || length > MOST_PASSPHRASE_BYTES) {
      throw new IOException("the passphrase in `" + path + "` must have 12 to 1024 bytes, not " + length);
    }
    return passphrase;
  }

  private Kek makeKek(KekSource source) throws IOException {
    if (Files.exists(keys())) {
      throw new IOException("`" + kekConfiguration() + "` is missing, though there are keys in `" + keys()
          + "`; restore it, for a new one would not open them");
    }
    var conf = new StringBuilder("# how the key encryption key is had; written once by init\n");
    Kek kek;
    Path path;
    switch (source) {
      case KekSource.KeyFile file -> {
        path = file.path();
        if (!Files.exists(path) && !production) {
          var key = new byte[Kek.BYTES];
          new SecureRandom().nextBytes(key);
          SafeFiles.create(path, (HexFormat.of().formatHex(key) + "\n").getBytes(StandardCharsets.US_ASCII));
          Arrays.fill(key, (byte) 0);
        }
        kek = kekOf(file);
        conf.append("provider = " + KEY_FILE + "\n");
      }
      case KekSource.PassphraseFile file -> {
        path = file.path();
        var salt = new byte[32];
        new SecureRandom().nextBytes(salt);
        var cost = Kek.Argon2Cost.RECOMMENDED;
        kek = Kek.ofPassphrase(passphrase(path), salt, cost);
        conf.append("provider = " + PASSPHRASE_FILE + "\nsalt = " + HexFormat.of().formatHex(salt) + "\nmemory-kib = "
            + cost.memoryKib() + "\npasses = " + cost.passes() + "\nlanes = " + cost.lanes() + "\n");
      }
    }
    conf.append("path = " + stored(path) + "\nid = " + kek.id() + "\n");
    SafeFiles.create(kekConfiguration(), conf.toString().getBytes(StandardCharsets.UTF_8));
    return kek;
  }

  /** Relative where the file is in the home, so that the home can be moved. */
  private String stored(Path path) {
    var absolute = path.toAbsolutePath().normalize();
    var text = absolute.startsWith(directory) ? directory.relativize(absolute) : absolute;
    return text.toString().replace("\\", "\\\\");
  }

  private void requireSameSource(Optional<KekSource> wanted) throws IOException {
    if (wanted.isEmpty()) {
      return;
    }
    var conf = new Properties();
    conf.load(new StringReader(text(SafeFiles.read(kekConfiguration(), MOST_TEXT_BYTES))));
    var has = required(conf, "provider") + " " + directory.resolve(required(conf, "path"));
    var wants = switch (wanted.get()) {
      case KekSource.KeyFile(var path) -> KEY_FILE + " " + path.toAbsolutePath().normalize();
      case KekSource.PassphraseFile(var path) -> PASSPHRASE_FILE + " " + path.toAbsolutePath().normalize();
    };
    if (!has.equals(wants)) {
      throw new IOException("this home was made with the " + has + " and cannot change to the " + wants);
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

  private String required(Properties conf, String name) throws IOException {
    var value = conf.getProperty(name);
    if (value == null) {
      throw new IOException("`" + kekConfiguration() + "` lacks `" + name + "`");
    }
    return value;
  }

  private static String text(byte[] bytes) {
    return new String(bytes, StandardCharsets.UTF_8);
  }
}
