package io.bursar.signer;

import java.nio.file.Path;

/** Where a key encryption key comes from. */
sealed interface KekSource {
  /** A file that holds the key unencrypted, as 64 hexadecimal digits. For development. */
  record KeyFile(Path path) implements KekSource {}

  /** A file that holds a passphrase of 12 to 1,024 bytes, from which Argon2id makes the key. */
  record PassphraseFile(Path path) implements KekSource {}

  /**
   * A token, such as an HSM, that makes the key and never lets it out.
   *
   * @param library the vendor's PKCS#11 library
   * @param slot the id of the slot that the token is in
   * @param pinFile a file with the user's PIN, of mode 0600
   */
  record Token(Path library, long slot, Path pinFile) implements KekSource {}
}
