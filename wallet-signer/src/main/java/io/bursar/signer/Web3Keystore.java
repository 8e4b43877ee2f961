package io.bursar.signer;

import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.UUID;

import javax.crypto.Cipher;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;

import org.bouncycastle.crypto.digests.SHA256Digest;
import org.bouncycastle.crypto.generators.PKCS5S2ParametersGenerator;
import org.bouncycastle.crypto.generators.SCrypt;
import org.bouncycastle.crypto.params.KeyParameter;
import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.json.JsonReader;
import io.bursar.json.JsonText;
import io.bursar.money.Address;

/**
 * Web3 Secret Storage, version 3: the JSON files that Ethereum wallets keep a private key in, under a password. For keys on
 * their way in and out only: its cipher is not bound to what the key is for.
 *
 * @see <a href="https://ethereum.org/en/developers/docs/data-structures-and-encoding/web3-secret-storage/">Web3 Secret
 *      Storage Definition</a>
 * @see <a href="https://www.rfc-editor.org/rfc/rfc7914">RFC 7914, scrypt</a>
 */
final class Web3Keystore {
  /** The longest file, in bytes. */
  static final int MOST_BYTES = 16 * 1024;
  /** The most rounds of PBKDF2 that are computed for a file: 38 times what is usual. */
  static final int MOST_ROUNDS = 10_000_000;
  /** The most memory that scrypt may take for a file, in bytes: what is usual. */
  static final long MOST_SCRYPT_MEMORY = 256L << 20;
  /** The most work, as n · r · p: four times what is usual. */
  static final long MOST_SCRYPT_WORK = 1L << 23;

  private static final int DERIVED_BYTES = 32;
  private static final SecureRandom RANDOM = new SecureRandom();

  /** A file that gives no key, with the reason. */
  static final class UnreadableException extends Exception {
    private static final long serialVersionUID = 1L;

    UnreadableException(String message) {
      super(message);
    }
  }

  /** How the password is stretched. */
  private sealed interface Stretching {
    record Pbkdf2(int rounds, byte[] salt) implements Stretching {}

    record Scrypt(int n, int r, int p, byte[] salt) implements Stretching {}
  }

  private record Sealed(@Nullable Address address, byte[] iv, byte[] ciphertext, Stretching stretching, byte[] mac) {}

  private Web3Keystore() {}

  /**
   * The private key in a file. Where the file names an address, it is compared with that of the key.
   *
   * @param password its bytes in UTF-8
   * @throws UnreadableException if the file is none, the password is wrong, or opening it would cost too much
   */
  static SecretBytes open(byte[] file, byte[] password, Secp256k1 curve) throws UnreadableException {
    var sealed = parse(file);
    var derived = derive(sealed.stretching, password);
    try {
      if (!MessageDigest.isEqual(mac(derived, sealed.ciphertext), sealed.mac)) {
        throw new UnreadableException("does not open: the password is wrong, or the file is damaged");
      }
      var secret = SecretBytes.takeFrom(aes(derived, sealed.iv, sealed.ciphertext));
      var address = curve.addressOf(secret);
      if (address.isEmpty() || (sealed.address != null && !address.get().equals(sealed.address))) {
        secret.close();
        throw new UnreadableException(address.isEmpty()
            ? "holds a number that is no private key"
            : "says that its address is `" + sealed.address + "`, but the key's is `" + address.get() + "`");
      }
      return secret;
    } finally {
      Arrays.fill(derived, (byte) 0);
    }
  }

  /**
   * A file with a private key, under scrypt with n = 262,144, r = 8, p = 1.
   *
   * @param password its bytes in UTF-8
   */
  static byte[] seal(SecretBytes secret, Address address, byte[] password) {
    return seal(secret, address, password, 1 << 18);
  }

  /** The same at another cost. */
  static byte[] seal(SecretBytes secret, Address address, byte[] password, int n) {
    var salt = random(32);
    var iv = random(16);
    var derived = derive(new Stretching.Scrypt(n, 8, 1, salt), password);
    var plain = secret.copy();
    try {
      var ciphertext = aes(derived, iv, plain);
      var hex = HexFormat.of();
      var kdf = Json.object().put("dklen", DERIVED_BYTES).put("n", n).put("p", 1).put("r", 8)
          .put("salt", hex.formatHex(salt)).build();
      var crypto = Json.object().put("cipher", "aes-128-ctr")
          .put("cipherparams", Json.object().put("iv", hex.formatHex(iv)).build())
          .put("ciphertext", hex.formatHex(ciphertext)).put("kdf", "scrypt").put("kdfparams", kdf)
          .put("mac", hex.formatHex(mac(derived, ciphertext))).build();
      return JsonText.canonical(Json.object().put("address", hex.formatHex(address.bytes())).put("crypto", crypto)
          .put("id", UUID.randomUUID().toString()).put("version", 3).build());
    } finally {
      Arrays.fill(derived, (byte) 0);
      Arrays.fill(plain, (byte) 0);
    }
  }

  private static Sealed parse(byte[] file) throws UnreadableException {
    if (file.length > MOST_BYTES) {
      throw new UnreadableException("has more than " + MOST_BYTES + " bytes, which no keystore has");
    }
    var faults = new ArrayList<JsonReader.Fault>();
    try {
      var sealed = read(JsonReader.of(JsonText.parse(file), "", faults));
      if (sealed != null && faults.isEmpty()) {
        return sealed;
      }
    } catch (JsonText.Malformed malformed) {
      throw new UnreadableException("is no JSON: " + malformed.getMessage());
    }
    throw new UnreadableException("is no Web3 Secret Storage of version 3 that can be opened: "
        + String.join("; ",
            faults.stream().limit(5).map(fault -> "`" + fault.pointer() + "` " + fault.message()).toList()));
  }

  private static @Nullable Sealed read(JsonReader file) {
    if (file.present("version")) {
      file.number("version", 3, 3);
    }
    var address = file.parsed("address", 42, text -> Address.parse(
        (text.startsWith("0x") ? text : "0x" + text).toLowerCase(Locale.ROOT)));
    var crypto = file.object(file.has("Crypto") ? "Crypto" : "crypto");
    if (crypto == null) {
      file.fault("crypto", "is required");
      return null;
    }
    crypto.requiredParsed("cipher", 32, text -> only("aes-128-ctr", text));
    var cipher = crypto.object("cipherparams");
    var kdf = crypto.object("kdfparams");
    var ciphertext = crypto.requiredParsed("ciphertext", 64, text -> hex(text, SecretBytes.BYTES));
    var mac = crypto.requiredParsed("mac", 64, text -> hex(text, 32));
    var name = crypto.requiredText("kdf", 32);
    if (cipher == null || kdf == null || name == null) {
      crypto.fault("", "needs `cipherparams`, `kdfparams` and `kdf`");
      return null;
    }
    var iv = cipher.requiredParsed("iv", 32, text -> hex(text, 16));
    var stretching = stretching(crypto, kdf, name);
    return iv == null || ciphertext == null || mac == null || stretching == null
        ? null
        : new Sealed(address, iv, ciphertext, stretching, mac);
  }

  private static @Nullable Stretching stretching(JsonReader crypto, JsonReader kdf, String name) {
    if (kdf.present("dklen")) {
      kdf.number("dklen", DERIVED_BYTES, DERIVED_BYTES);
    }
    var salt = kdf.requiredParsed("salt", 256, text -> hex(text, text.length() / 2));
    return switch (name) {
      case "pbkdf2" -> {
        kdf.requiredParsed("prf", 32, text -> only("hmac-sha256", text));
        var rounds = kdf.present("c") ? kdf.number("c", 1, MOST_ROUNDS) : null;
        yield rounds == null || salt == null ? null : new Stretching.Pbkdf2(rounds.intValue(), salt);
      }
      case "scrypt" -> {
        var n = kdf.present("n") ? kdf.number("n", 2, 1 << 30) : null;
        var r = kdf.present("r") ? kdf.number("r", 1, 1 << 10) : null;
        var p = kdf.present("p") ? kdf.number("p", 1, 1 << 10) : null;
        if (n == null || r == null || p == null || salt == null) {
          yield null;
        }
        costFaults(n, r, p).forEach(fault -> kdf.fault("n", fault));
        yield new Stretching.Scrypt(n.intValue(), r.intValue(), p.intValue(), salt);
      }
      default -> {
        crypto.fault("kdf", "must be `pbkdf2` or `scrypt`");
        yield null;
      }
    };
  }

  private static List<String> costFaults(long n, long r, long p) {
    var faults = new ArrayList<String>();
    if (Long.bitCount(n) != 1) {
      faults.add("must be a power of 2, not " + n);
    }
    if (r < 16 && n >= 1L << Math.min(62, 16 * r)) {
      faults
          .add("= " + n + " with r = " + r + " breaks scrypt's own rule that n is less than 2^(16 r) (RFC 7914), which "
              + "libraries refuse; open it with the wallet that made it and export it again");
    }
    if (128 * n * r > MOST_SCRYPT_MEMORY) {
      faults.add("= " + n + " with r = " + r + " takes " + ((128 * n * r) >> 20) + " MiB; at most "
          + (MOST_SCRYPT_MEMORY >> 20) + " MiB are spent on a file");
    }
    if (n * r * p > MOST_SCRYPT_WORK) {
      faults.add("· r · p = " + n * r * p + " takes too long; at most " + MOST_SCRYPT_WORK + " is spent on a file");
    }
    return faults;
  }

  private static byte[] derive(Stretching stretching, byte[] password) {
    return switch (stretching) {
      case Stretching.Scrypt(var n, var r, var p, var salt) ->
        SCrypt.generate(password, salt, n, r, p, DERIVED_BYTES);
      case Stretching.Pbkdf2(var rounds, var salt) -> {
        var generator = new PKCS5S2ParametersGenerator(new SHA256Digest());
        generator.init(password, salt, rounds);
        yield ((KeyParameter) generator.generateDerivedParameters(8 * DERIVED_BYTES)).getKey();
      }
    };
  }

  private static byte[] mac(byte[] derived, byte[] ciphertext) {
    var covered = Arrays.copyOf(Arrays.copyOfRange(derived, 16, 32), 16 + ciphertext.length);
    System.arraycopy(ciphertext, 0, covered, 16, ciphertext.length);
    try {
      return Address.keccak256(covered);
    } finally {
      Arrays.fill(covered, (byte) 0);
    }
  }

  /** AES-128-CTR, which is its own inverse. */
  private static byte[] aes(byte[] derived, byte[] iv, byte[] text) {
    try {
      var cipher = Cipher.getInstance("AES/CTR/NoPadding");
      cipher.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(derived, 0, 16, "AES"), new IvParameterSpec(iv));
      return Objects.requireNonNull(cipher.doFinal(text));
    } catch (GeneralSecurityException impossible) {
      throw new IllegalStateException("every Java platform has AES-128-CTR", impossible);
    }
  }

  private static String only(String wanted, String text) {
    if (!text.equals(wanted)) {
      throw new IllegalArgumentException("must be `" + wanted + "`");
    }
    return text;
  }

  private static byte[] hex(String text, int bytes) {
    try {
      var parsed = HexFormat.of().parseHex(text.startsWith("0x") ? text.substring(2) : text);
      if (parsed.length == bytes && bytes > 0) {
        return parsed;
      }
    } catch (IllegalArgumentException notHex) {
      // Said below.
    }
    throw new IllegalArgumentException("must be " + bytes + " bytes in hexadecimal digits");
  }

  private static byte[] random(int length) {
    var bytes = new byte[length];
    RANDOM.nextBytes(bytes);
    return bytes;
  }
}
