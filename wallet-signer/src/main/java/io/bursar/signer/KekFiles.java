package io.bursar.signer;

import java.io.IOException;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Properties;
import java.util.regex.Pattern;

/**
 * The files that say how the key encryption keys of a home are had: {@code kek.conf} for the first, {@code kek-2.conf} for
 * the second, and so on. Each is written once. When a rotation has left nothing under a key, its file is renamed to
 * {@code kek-1.retired}, and kept for backups that need it.
 */
final class KekFiles {
  private static final int MOST_PASSPHRASE_BYTES = 1024;
  private static final int LEAST_PASSPHRASE_BYTES = 12;
  private static final int MOST_TEXT_BYTES = 4096;
  private static final int MOST_VERSIONS = 999_999;
  private static final String KEY_FILE = "key-file";
  private static final String PASSPHRASE_FILE = "passphrase-file";
  private static final String TOKEN = "pkcs11";
  private static final Pattern NAME = Pattern.compile("kek(?:-([1-9][0-9]{0,5}))?\\.conf");

  private final Path directory;
  private final boolean production;

  /**
   * @param directory the signer's home
   * @param production whether an unencrypted key file is refused
   */
  KekFiles(Path directory, boolean production) {
    this.directory = directory;
    this.production = production;
  }

  /** The numbers of the keys that are in use, ascending; none in a directory that is no home. */
  List<Integer> versions() throws IOException {
    if (!Files.isDirectory(directory)) {
      return List.of();
    }
    var versions = new ArrayList<Integer>();
    try (var files = Files.newDirectoryStream(directory, "kek*.conf")) {
      for (var file : files) {
        var name = NAME.matcher(String.valueOf(file.getFileName()));
        if (name.matches()) {
          versions.add(name.group(1) == null ? 1 : Integer.parseInt(name.group(1)));
        }
      }
    }
    versions.sort(null);
    return List.copyOf(versions);
  }

  /**
   * Every key in use.
   *
   * @throws IOException if one cannot be had, is another one, or may not be used in production
   */
  KekRing open() throws IOException {
    var opened = new ArrayList<KekRing.Version>();
    var ring = "";
    for (int version : versions()) {
      var conf = read(version);
      var its = conf.getProperty("ring", required(conf, version, "id"));
      if (!ring.isEmpty() && !ring.equals(its)) {
        throw new IOException("`" + file(version) + "` belongs to `" + its + "` and not to `" + ring + "`");
      }
      ring = its;
      opened.add(open(version));
    }
    if (opened.isEmpty()) {
      throw new IOException("`" + directory + "` has no `kek.conf`");
    }
    return new KekRing(ring, opened);
  }

  /** One key in use. */
  KekRing.Version open(int version) throws IOException {
    var conf = read(version);
    var source = source(conf, version);
    var id = required(conf, version, "id");
    Kek kek;
    try {
      kek = switch (source) {
        case KekSource.KeyFile file -> ofKeyFile(file);
        case KekSource.PassphraseFile(var path) ->
          AesKek.ofPassphrase(passphrase(path), HexFormat.of().parseHex(required(conf, version, "salt")),
              new AesKek.Argon2Cost(number(conf, version, "memory-kib"), number(conf, version, "passes"),
                  number(conf, version, "lanes")));
        case KekSource.Token token -> Pkcs11Kek.open(token, id);
      };
    } catch (IllegalArgumentException malformed) {
      throw new IOException("`" + file(version) + "` is damaged: " + malformed.getMessage());
    }
    if (!kek.id().equals(id)) {
      throw new IOException("`" + describe(source) + "` gives the key encryption key `" + kek.id()
          + "`, but this home needs `" + id + "`");
    }
    return new KekRing.Version(version, kek);
  }

  /** Makes the first key. */
  KekRing create(KekSource source) throws IOException {
    return KekRing.of(make(source, 1, ""));
  }

  /**
   * Makes the next key. Nothing is under it yet.
   *
   * @return its number
   */
  int add(KekSource source) throws IOException {
    int newest = versions().getLast();
    if (newest == MOST_VERSIONS) {
      throw new IOException("there were " + MOST_VERSIONS + " key encryption keys, which is all there can be");
    }
    var conf = read(newest);
    make(source, newest + 1, conf.getProperty("ring", required(conf, newest, "id"))).close();
    return newest + 1;
  }

  /** Puts the files of all keys but the newest aside. For when nothing is left under them. */
  void retireOlderThan(int newest) throws IOException {
    for (int version : versions()) {
      if (version < newest) {
        Files.move(file(version), directory.resolve("kek-" + version + ".retired"));
      }
    }
    SafeFiles.syncDirectory(file(newest));
  }

  /** Where the newest key comes from. */
  KekSource newestSource() throws IOException {
    int newest = versions().getLast();
    return source(read(newest), newest);
  }

  /** In words, for an operator. */
  static String describe(KekSource source) {
    return switch (source) {
      case KekSource.KeyFile(var path) -> KEY_FILE + " " + path.toAbsolutePath().normalize();
      case KekSource.PassphraseFile(var path) -> PASSPHRASE_FILE + " " + path.toAbsolutePath().normalize();
      case KekSource.Token(var library, var slot, var _) -> TOKEN + " " + library + " slot " + slot;
    };
  }

  private Kek make(KekSource source, int version, String ring) throws IOException {
    var conf = new StringBuilder("# how a key encryption key is had; written once\n");
    Kek kek;
    switch (source) {
      case KekSource.KeyFile file -> {
        if (!Files.exists(file.path()) && !production) {
          var key = new byte[AesKek.BYTES];
          new SecureRandom().nextBytes(key);
          SafeFiles.create(file.path(), (HexFormat.of().formatHex(key) + "\n").getBytes(StandardCharsets.US_ASCII));
          Arrays.fill(key, (byte) 0);
        }
        kek = ofKeyFile(file);
        conf.append("provider = " + KEY_FILE + "\npath = " + stored(file.path()) + "\n");
      }
      case KekSource.PassphraseFile(var path) -> {
        var salt = new byte[32];
        new SecureRandom().nextBytes(salt);
        var cost = AesKek.Argon2Cost.RECOMMENDED;
        kek = AesKek.ofPassphrase(passphrase(path), salt, cost);
        conf.append("provider = " + PASSPHRASE_FILE + "\npath = " + stored(path) + "\nsalt = "
            + HexFormat.of().formatHex(salt) + "\nmemory-kib = " + cost.memoryKib() + "\npasses = " + cost.passes()
            + "\nlanes = " + cost.lanes() + "\n");
      }
      case KekSource.Token token -> {
        kek = Pkcs11Kek.generate(token);
        conf.append("provider = " + TOKEN + "\nlibrary = " + stored(token.library()) + "\nslot = " + token.slot()
            + "\npin-file = " + stored(token.pinFile()) + "\n");
      }
    }
    conf.append("id = " + kek.id() + "\n").append(ring.isEmpty() ? "" : "ring = " + ring + "\n");
    SafeFiles.create(file(version), conf.toString().getBytes(StandardCharsets.UTF_8));
    return kek;
  }

  private AesKek ofKeyFile(KekSource.KeyFile source) throws IOException {
    if (production) {
      throw new IOException("BURSAR_MODE is `production`, which refuses the unencrypted key file `" + source.path()
          + "`; use a token (--pkcs11-library) or name a passphrase (--passphrase-file)");
    }
    try {
      return AesKek
          .ofKey(HexFormat.of().parseHex(text(SafeFiles.readSecret(source.path(), 2 * AesKek.BYTES + 1)).strip()));
    } catch (IllegalArgumentException notHex) {
      throw new IOException("`" + source.path() + "` must hold 64 hexadecimal digits and nothing else");
    }
  }

  /** The bytes of a passphrase file, without the line break at its end. */
  static byte[] passphrase(Path path) throws IOException {
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

  private KekSource source(Properties conf, int version) throws IOException {
    var provider = required(conf, version, "provider");
    return switch (provider) {
      case KEY_FILE -> new KekSource.KeyFile(directory.resolve(required(conf, version, "path")));
      case PASSPHRASE_FILE -> new KekSource.PassphraseFile(directory.resolve(required(conf, version, "path")));
      case TOKEN -> new KekSource.Token(directory.resolve(required(conf, version, "library")),
          slot(conf, version), directory.resolve(required(conf, version, "pin-file")));
      default -> throw new IOException("`" + file(version) + "` names the unknown provider `" + provider + "`");
    };
  }

  private Path file(int version) {
    return directory.resolve(version == 1 ? "kek.conf" : "kek-" + version + ".conf");
  }

  private Properties read(int version) throws IOException {
    var conf = new Properties();
    conf.load(new StringReader(text(SafeFiles.read(file(version), MOST_TEXT_BYTES))));
    return conf;
  }

  /** Relative where the file is in the home, so that the home can be moved. */
  private String stored(Path path) {
    var absolute = path.toAbsolutePath().normalize();
    var text = absolute.startsWith(directory) ? directory.relativize(absolute) : absolute;
    return text.toString().replace("\\", "\\\\");
  }

  private String required(Properties conf, int version, String name) throws IOException {
    var value = conf.getProperty(name);
    if (value == null) {
      throw new IOException("`" + file(version) + "` lacks `" + name + "`");
    }
    return value;
  }

  private int number(Properties conf, int version, String name) throws IOException {
    var text = required(conf, version, name);
    try {
      return Integer.parseInt(text);
    } catch (NumberFormatException malformed) {
      throw new IOException("`" + file(version) + "` has `" + name + "` = `" + text + "`, which is no number");
    }
  }

  private long slot(Properties conf, int version) throws IOException {
    try {
      return Long.parseLong(required(conf, version, "slot"));
    } catch (NumberFormatException malformed) {
      throw new IOException("`" + file(version) + "` names a slot that is no number");
    }
  }

  private static String text(byte[] bytes) {
    return new String(bytes, StandardCharsets.UTF_8);
  }
}
