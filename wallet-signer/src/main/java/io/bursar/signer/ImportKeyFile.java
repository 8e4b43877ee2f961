package io.bursar.signer;

import java.io.IOException;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Properties;

import io.bursar.permit.Bytes;

/**
 * The file {@code import.conf}: the key that private keys on their way into this signer are sealed to, its secret half wrapped by
 * the key encryption key.
 *
 * @param kekVersion which of the key encryption keys wrapped it
 */
record ImportKeyFile(Bytes publicKey, int kekVersion, Bytes wrapped) {
  private static final int MOST_BYTES = 4096;

  /** Makes the file if it is not there. */
  static void initialize(Path file, KekRing keks) throws IOException {
    if (!Files.exists(file)) {
      try (var key = RecipientKey.generate()) {
        SafeFiles.create(file, wrap(key, keks).text());
      }
    }
  }

  private static ImportKeyFile wrap(RecipientKey key, KekRing keks) throws IOException {
    var secret = key.secret();
    try {
      var wrapped = keks.wrap(secret);
      return new ImportKeyFile(key.publicKey(), wrapped.version(), Bytes.of(wrapped.bytes()));
    } finally {
      Arrays.fill(secret, (byte) 0);
    }
  }

  static ImportKeyFile read(Path file) throws IOException {
    var conf = new Properties();
    conf.load(new StringReader(new String(SafeFiles.read(file, MOST_BYTES), StandardCharsets.UTF_8)));
    try {
      return new ImportKeyFile(RecipientKey.parse(conf.getProperty("public", "")),
          Integer.parseInt(conf.getProperty("kek-version", "")),
          Bytes.of(HexFormat.of().parseHex(conf.getProperty("wrapped", ""))));
    } catch (IllegalArgumentException damaged) {
      throw new IOException("`" + file + "` is damaged: " + damaged.getMessage());
    }
  }

  /** Brings the key under the newest key encryption key, on the disk. */
  static void rewrap(Path file, KekRing keks) throws IOException {
    if (Files.exists(file)) {
      var present = read(file);
      if (present.kekVersion != keks.newest().number()) {
        try (var key = present.open(keks)) {
          var rewrapped = wrap(key, keks);
          rewrapped.open(keks).close(); // INVARIANT: replaced only by what was seen to open
          SafeFiles.replace(file, rewrapped.text());
        }
      }
    }
  }

  /**
   * The pair of keys. The caller closes it.
   *
   * @throws IOException if it does not open or is not that of the public half
   */
  RecipientKey open(KekRing keks) throws IOException {
    try {
      var key = RecipientKey
          .ofSecret(keks.unwrap(new KekRing.Wrapped(keks.id(), kekVersion, wrapped.toByteArray())));
      if (key.publicKey().equals(publicKey)) {
        return key;
      }
      key.close();
    } catch (Kek.DoesNotOpenException damaged) {
      throw new IOException("the key for imports " + damaged.getMessage(), damaged);
    }
    throw new IOException("the key for imports is not that of its public half");
  }

  private byte[] text() {
    return """
        # what private keys on their way into this signer are sealed to
        public = %s
        kek-version = %d
        wrapped = %s
        """.formatted(RecipientKey.text(publicKey), kekVersion, wrapped).getBytes(StandardCharsets.UTF_8);
  }
}
