package io.bursar.signer;

import java.io.IOException;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Optional;
import java.util.Properties;
import java.util.UUID;

import io.bursar.log.NoteKey;
import io.bursar.log.NoteSigner;
import io.bursar.permit.Bytes;

/**
 * The file {@code log.conf}: what the instance's logs are called, the public key, and the secret key wrapped by the key encryption
 * key. Auditors hold the public key for ever, so it is made once; only the wrapping changes.
 *
 * @param origin the name that every log's name begins with
 * @param publicKey Ed25519, 32 bytes
 * @param kekVersion which of the key encryption keys wrapped it
 */
record LogKeyFile(String origin, Bytes publicKey, int kekVersion, Bytes wrapped) {
  private static final int MOST_BYTES = 4096;
  private static final int SEED_BYTES = 32;

  /**
   * Makes the file if it is not there.
   *
   * @throws IOException if it is there with another origin
   */
  static void initialize(Path file, KekRing keks, Optional<String> origin) throws IOException {
    if (Files.exists(file)) {
      var present = read(file);
      if (origin.isPresent() && !origin.get().equals(present.origin)) {
        throw new IOException("the logs of this home are called `" + present.origin + "` and cannot be renamed to `"
            + origin.get() + "`");
      }
      return;
    }
    var seed = new byte[SEED_BYTES];
    new SecureRandom().nextBytes(seed);
    var publicKey = NoteSigner.of("bursar", NoteKey.Kind.ED25519, seed).key().publicKey();
    var name = origin.orElse("bursar-" + publicKey.toString().substring(0, 12));
    try {
      var _ = NoteSigner.of(LogSigner.name(name, new UUID(0, 0)), NoteKey.Kind.ED25519, seed); // as a name of a key
    } catch (IllegalArgumentException malformed) {
      throw new IOException("the origin `" + name + "` cannot be used: " + malformed.getMessage());
    }
    var wrapped = keks.wrap(seed);
    Arrays.fill(seed, (byte) 0);
    SafeFiles.create(file, new LogKeyFile(name, publicKey, wrapped.version(), Bytes.of(wrapped.bytes())).text());
  }

  /** Brings the key under the newest key encryption key, on the disk. */
  static void rewrap(Path file, KekRing keks) throws IOException {
    var present = read(file);
    if (present.kekVersion != keks.newest().number()) {
      var seed = present.unwrap(keks);
      var wrapped = keks.wrap(seed);
      Arrays.fill(seed, (byte) 0);
      var rewrapped = new LogKeyFile(present.origin, present.publicKey, wrapped.version(), Bytes.of(wrapped.bytes()));
      Arrays.fill(rewrapped.unwrap(keks), (byte) 0); // INVARIANT: replaced only by what was seen to open
      SafeFiles.replace(file, rewrapped.text());
    }
  }

  /** Puts another key in the place of the one there, from a backup. */
  static void restore(Path file, KekRing keks, String origin, byte[] seed) throws IOException {
    var wrapped = keks.wrap(seed);
    SafeFiles.replace(file,
        new LogKeyFile(origin, NoteSigner.of("bursar", NoteKey.Kind.ED25519, seed).key().publicKey(), wrapped.version(),
            Bytes.of(wrapped.bytes())).text());
  }

  private byte[] text() {
    return """
        # what the logs are called, and the key that signs their heads; the key is made once
        origin = %s
        public = %s
        kek-version = %d
        wrapped = %s
        """.formatted(origin, publicKey, kekVersion, wrapped).getBytes(StandardCharsets.UTF_8);
  }

  static LogKeyFile read(Path file) throws IOException {
    var conf = new Properties();
    conf.load(new StringReader(new String(SafeFiles.read(file, MOST_BYTES), StandardCharsets.UTF_8)));
    try {
      return new LogKeyFile(required(conf, "origin"), hex(conf, "public"),
          Integer.parseInt(conf.getProperty("kek-version", "1")), hex(conf, "wrapped"));
    } catch (IllegalArgumentException damaged) {
      throw new IOException("`" + file + "` is damaged: " + damaged.getMessage());
    }
  }

  /**
   * The secret key.
   *
   * @throws IOException if it does not open or is not that of the public key
   */
  byte[] unwrap(KekRing keks) throws IOException {
    try {
      var seed = keks.unwrap(new KekRing.Wrapped(keks.id(), kekVersion, wrapped.toByteArray()));
      if (seed.length == SEED_BYTES
          && NoteSigner.of("bursar", NoteKey.Kind.ED25519, seed).key().publicKey().equals(publicKey)) {
        return seed;
      }
    } catch (Kek.DoesNotOpenException damaged) {
      throw new IOException("the key of the log does not open", damaged);
    }
    throw new IOException("the key of the log is not that of its public key");
  }

  /** What verifies the heads of a tenant's log. */
  NoteKey key(UUID tenantId) {
    return new NoteKey(LogSigner.name(origin, tenantId), NoteKey.Kind.ED25519, publicKey);
  }

  private static Bytes hex(Properties conf, String name) {
    return Bytes.of(HexFormat.of().parseHex(required(conf, name)));
  }

  private static String required(Properties conf, String name) {
    var value = conf.getProperty(name);
    if (value == null) {
      throw new IllegalArgumentException("it lacks `" + name + "`");
    }
    return value;
  }
}
