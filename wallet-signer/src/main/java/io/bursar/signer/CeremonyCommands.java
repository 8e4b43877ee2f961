package io.bursar.signer;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.UUID;

import io.bursar.permit.Bytes;
import io.bursar.permit.Digest32;
import io.bursar.signer.SignerMain.UsageException;
import io.bursar.spend.Id;

/**
 * What people do with keys on a machine of their own, best one without a network: make keys for a signer, take keys of other
 * wallets along, make a recovery key and cut it into shares, open keys that a signer gave out. Nothing here
 * needs a home or a signer, and every secret is written to a file of mode 0600 or sealed.
 */
final class CeremonyCommands {
  private static final int MOST_TEXT_BYTES = 4096;

  private CeremonyCommands() {}

  /** Makes keys and seals them to a signer. */
  static void keygen(Map<String, String> options, PrintStream out) throws IOException, UsageException {
    var recipient = recipient(options, "--for");
    var tenantId = tenant(options);
    int count = number(options, "--count", 1, KeyBundle.MOST_KEYS);
    var curve = new BouncyCastleSecp256k1();
    var keys = new ArrayList<KeyBundle.Key>();
    while (keys.size() < count) {
      var secret = SecretBytes.random();
      curve.addressOf(secret).ifPresentOrElse(
          address -> keys.add(new KeyBundle.Key(tenantId, UUID.randomUUID(), address, secret)), secret::close);
    }
    writeBundle(keys, recipient, options, out);
  }

  /** Seals a key that another wallet made. */
  static void sealKey(Map<String, String> options, PrintStream out) throws IOException, UsageException {
    var recipient = recipient(options, "--for");
    var tenantId = tenant(options);
    var curve = new BouncyCastleSecp256k1();
    var given = List.of("--keystore", "--raw-key-file", "--hd-file").stream().filter(options::containsKey).toList();
    if (given.size() != 1) {
      throw new UsageException(
          "give one of --keystore with --password-file, --raw-key-file, and --hd-file with --hd-path");
    }
    var secret = switch (given.getFirst()) {
      case "--keystore" -> fromKeystore(options, curve);
      case "--raw-key-file" -> fromRaw(options);
      default -> fromHd(options);
    };
    var address = curve.addressOf(secret);
    if (address.isEmpty()) {
      secret.close();
      throw new IOException("the file holds a number that is no private key");
    }
    writeBundle(List.of(new KeyBundle.Key(tenantId, UUID.randomUUID(), address.get(), secret)), recipient, options,
        out);
  }

  private static SecretBytes fromKeystore(Map<String, String> options, Secp256k1 curve)
      throws IOException, UsageException {
    var file = Path.of(SignerMain.required(options, "--keystore"));
    var password = password(Path.of(SignerMain.required(options, "--password-file")));
    try {
      return Web3Keystore.open(SafeFiles.read(file, Web3Keystore.MOST_BYTES), password, curve);
    } catch (Web3Keystore.UnreadableException unreadable) {
      throw new IOException("`" + file + "` " + unreadable.getMessage(), unreadable);
    } finally {
      Arrays.fill(password, (byte) 0);
    }
  }

  private static SecretBytes fromRaw(Map<String, String> options) throws IOException, UsageException {
    var file = Path.of(SignerMain.required(options, "--raw-key-file"));
    var bytes = SafeFiles.readSecret(file, 2 * SecretBytes.BYTES + 4);
    try {
      var text = new String(bytes, StandardCharsets.US_ASCII).strip();
      return SecretBytes.takeFrom(HexFormat.of().parseHex(text.startsWith("0x") ? text.substring(2) : text));
    } catch (IllegalArgumentException notHex) {
      throw new IOException("`" + file + "` must hold 64 hexadecimal digits and nothing else");
    } finally {
      Arrays.fill(bytes, (byte) 0);
    }
  }

  private static SecretBytes fromHd(Map<String, String> options) throws IOException, UsageException {
    var file = Path.of(SignerMain.required(options, "--hd-file"));
    var path = SignerMain.required(options, "--hd-path");
    var bytes = SafeFiles.readSecret(file, 2 * 64 + 2);
    try {
      var text = new String(bytes, StandardCharsets.US_ASCII).strip();
      try (var root = text.startsWith("xprv") ? HdKey.parse(text) : HdKey.ofSeed(HexFormat.of().parseHex(text));
          var key = root.derive(path)) {
        return key.take();
      }
    } catch (IllegalArgumentException unfit) {
      throw new IOException("`" + file + "` with the path `" + path
          + "` gives no key: it must hold an extended private key "
          + "(`xprv…`) or the 32 to 128 hexadecimal digits of a seed, and the path must be such as `m/44'/60'/0'/0/0`");
    } finally {
      Arrays.fill(bytes, (byte) 0);
    }
  }

  private static void writeBundle(List<KeyBundle.Key> keys, Bytes recipient, Map<String, String> options,
      PrintStream out) throws IOException, UsageException {
    var file = Path.of(SignerMain.required(options, "--out"));
    try (var bundle = new KeyBundle(keys)) {
      var sealed = bundle.seal(recipient);
      SafeFiles.create(file, sealed);
      for (var key : bundle.keys()) {
        out.println("key " + key.keyId() + " address " + key.address());
      }
      out.println("`" + file + "` is sealed to the signer's key " + RecipientKey.fingerprint(recipient)
          + "; its hash is sha256:" + Digest32.sha256(sealed));
    }
  }

  /** Makes a pair of keys that a signer seals to when it gives keys out. */
  static void recipientKey(Map<String, String> options, PrintStream out) throws IOException, UsageException {
    var file = Path.of(SignerMain.required(options, "--secret"));
    try (var key = RecipientKey.generate()) {
      var secret = key.secret();
      SafeFiles.create(file,
          (Base64.getUrlEncoder().withoutPadding().encodeToString(secret) + "\n").getBytes(StandardCharsets.US_ASCII));
      Arrays.fill(secret, (byte) 0);
      out.println(RecipientKey.text(key.publicKey()));
      out.println("fingerprint " + RecipientKey.fingerprint(key.publicKey()));
    }
  }

  /** Opens a bundle and writes each key as a Web3 keystore under a password. */
  static void openKeys(Map<String, String> options, PrintStream out) throws IOException, UsageException {
    var bundle = Path.of(SignerMain.required(options, "--bundle"));
    var directory = Path.of(SignerMain.required(options, "--out"));
    var password = password(Path.of(SignerMain.required(options, "--password-file")));
    try (var key = secretKey(Path.of(SignerMain.required(options, "--secret")));
        var opened = KeyBundle.open(SafeFiles.read(bundle, KeyBundle.MOST_BYTES), key, new BouncyCastleSecp256k1())) {
      SafeFiles.makeDirectory(directory);
      for (var one : opened.keys()) {
        var file = directory.resolve(one.keyId() + ".json");
        SafeFiles.create(file, Web3Keystore.seal(one.secret(), one.address(), password));
        out.println("key " + one.keyId() + " address " + one.address() + " file " + file);
      }
    } catch (SealedFile.UnreadableException unreadable) {
      throw new IOException("`" + bundle + "` " + unreadable.getMessage(), unreadable);
    } finally {
      Arrays.fill(password, (byte) 0);
    }
  }

  /** Makes a recovery key, writes its shares, one file each, and forgets it. */
  static void recoveryKey(Map<String, String> options, PrintStream out) throws IOException, UsageException {
    int threshold = number(options, "--threshold", 2, RecoveryShares.MOST_SHARES);
    int count = number(options, "--shares", threshold, RecoveryShares.MOST_SHARES);
    var directory = Path.of(SignerMain.required(options, "--out"));
    SafeFiles.makeDirectory(directory);
    try (var key = RecipientKey.generate()) {
      var shares = RecoveryShares.split(key, threshold, count);
      RecoveryShares.combine(shares.subList(count - threshold, count)).close(); // seen to give it back
      for (var share : shares) {
        var file = directory.resolve("share-" + share.index() + ".txt");
        SafeFiles.create(file, share.text().getBytes(StandardCharsets.US_ASCII));
        out.println("`" + file + "` is for one person; " + threshold + " of " + count + " give the recovery key back");
      }
      out.println(RecipientKey.text(key.publicKey()));
      out.println("fingerprint " + RecipientKey.fingerprint(key.publicKey()));
    }
  }

  /** The recovery key that the files of shares give. */
  static RecipientKey recoveryKey(List<Path> files) throws IOException {
    var shares = new ArrayList<RecoveryShares.Share>();
    for (var file : files) {
      try {
        shares.add(
            RecoveryShares.parse(new String(SafeFiles.readSecret(file, MOST_TEXT_BYTES), StandardCharsets.US_ASCII)));
      } catch (IllegalArgumentException malformed) {
        throw new IOException("`" + file + "` " + malformed.getMessage(), malformed);
      }
    }
    try {
      return RecoveryShares.combine(shares);
    } catch (IllegalArgumentException unfit) {
      throw new IOException(unfit.getMessage(), unfit);
    }
  }

  private static RecipientKey secretKey(Path file) throws IOException {
    try {
      return RecipientKey.ofSecret(Base64.getUrlDecoder()
          .decode(new String(SafeFiles.readSecret(file, 64), StandardCharsets.US_ASCII).strip()));
    } catch (IllegalArgumentException malformed) {
      throw new IOException("`" + file + "` is no secret key that `recipient-key` wrote");
    }
  }

  /** A recipient's public key, in the option itself or in a file that it names. */
  static Bytes recipient(Map<String, String> options, String name) throws IOException, UsageException {
    var value = SignerMain.required(options, name);
    try {
      return RecipientKey.parse(value.contains(":")
          ? value
          : new String(SafeFiles.read(Path.of(value), MOST_TEXT_BYTES), StandardCharsets.US_ASCII).lines().findFirst()
              .orElse(""));
    } catch (IllegalArgumentException malformed) {
      throw new UsageException(name + ": " + malformed.getMessage());
    }
  }

  /** The bytes of a password file, without the line break at its end. */
  private static byte[] password(Path file) throws IOException {
    var bytes = SafeFiles.readSecret(file, MOST_TEXT_BYTES);
    int length = bytes.length;
    while (length > 0 && (bytes[length - 1] == '\n' || bytes[length - 1] == '\r')) {
      length--;
    }
    var password = Arrays.copyOf(bytes, length);
    Arrays.fill(bytes, (byte) 0);
    return password;
  }

  private static UUID tenant(Map<String, String> options) throws UsageException {
    return Id.TENANT.parse(SignerMain.required(options, "--tenant"))
        .orElseThrow(() -> new UsageException("--tenant is the tenant's id, `ten_` and 32 hexadecimal digits"));
  }

  private static int number(Map<String, String> options, String name, int least, int most) throws UsageException {
    try {
      int number = Integer.parseInt(SignerMain.required(options, name));
      if (number >= least && number <= most) {
        return number;
      }
    } catch (NumberFormatException malformed) {
      // Said below.
    }
    throw new UsageException(name + " is a number from " + least + " to " + most);
  }
}
