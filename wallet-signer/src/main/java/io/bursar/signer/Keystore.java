package io.bursar.signer;

import java.io.IOException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.Optional;
import java.util.UUID;

import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;

import org.bouncycastle.crypto.InvalidCipherTextException;

import io.bursar.money.Address;

/**
 * The private keys at rest, one file of mode 0600 for each. A key is encrypted by AES-256-GCM under a data key of its
 * own, with {@code tenant|key id|algorithm|address|KEK id} as associated data, and the data key is wrapped by the
 * {@link Kek}: a file copied in the place of another, or edited, does not open.
 *
 * <p>
 * Layout of {@code <key id>.key}, big-endian: {@code BKEY} (4), version 1 (1), algorithm 1 = secp256k1 (1), tenant (16),
 * key (16), address (20), KEK id (1 + n), wrapped data key (40), GCM nonce (12), encrypted key and tag (48).
 *
 * @see <a href="https://nvlpubs.nist.gov/nistpubs/Legacy/SP/nistspecialpublication800-38d.pdf">NIST SP 800-38D, GCM</a>
 */
final class Keystore {
  /** The most keys that a store holds, so that whoever can ask for keys cannot fill the disk. */
  static final int MOST_KEYS = 200_000;

  private static final int MAGIC = 0x424b4559;
  private static final int VERSION = 1;
  private static final int ALGORITHM_SECP256K1 = 1;
  private static final int NONCE_BYTES = 12;
  private static final int TAG_BITS = 128;
  private static final int SEALED_BYTES = SecretBytes.BYTES + TAG_BITS / 8;
  private static final int MOST_FILE_BYTES = 512;
  private static final SecureRandom RANDOM = new SecureRandom();

  /** A key whose file was read; its private half is still sealed. */
  record Entry(UUID tenantId, UUID keyId, Address address, String kekId, byte[] wrapped, byte[] nonce, byte[] sealed) {
    /** Names the key and says nothing else. */
    @Override
    public String toString() {
      return keyId.toString();
    }

    byte[] associatedData() {
      return String.join("|", tenantId.toString(), keyId.toString(), "secp256k1", address.toString(), kekId)
          .getBytes(StandardCharsets.UTF_8);
    }
  }

  /** A key file that does not open. The message names the key and the reason, and never shows a byte of it. */
  static final class UnreadableKeyException extends Exception {
    private static final long serialVersionUID = 1L;

    UnreadableKeyException(UUID keyId, String reason) {
      super("key `" + keyId + "` " + reason);
    }
  }

  /** What became of a request for a new key. */
  sealed interface Creation {
    /** There is such a key, new or not. */
    record Available(Entry entry) implements Creation {}

    /** The id belongs to another tenant. */
    record TakenByOtherTenant() implements Creation {}

    /** The store is full. */
    record LimitReached() implements Creation {}
  }

  private final Path directory;
  private final Kek kek;
  private final Secp256k1 curve;
  private final int most;
  private int count;

  /** Opens a store, making its directory if it is not there, and clears away what an interrupted write left. */
  static Keystore open(Path directory, Kek kek, Secp256k1 curve) throws IOException {
    return new Keystore(directory, kek, curve, MOST_KEYS);
  }

  Keystore(Path directory, Kek kek, Secp256k1 curve, int most) throws IOException {
    this.directory = directory;
    this.kek = kek;
    this.curve = curve;
    this.most = most;
    SafeFiles.makeDirectory(directory);
    try (var files = Files.newDirectoryStream(directory)) {
      for (var file : files) {
        var name = String.valueOf(file.getFileName());
        if (name.endsWith(".key")) {
          count++;
        } else if (name.startsWith(".") && name.endsWith(".new")) {
          Files.delete(file);
        }
      }
    }
  }

  /** The arithmetic of the keys. */
  Secp256k1 curve() {
    return curve;
  }

  /** How many keys there are. */
  synchronized int size() {
    return count;
  }

  /**
   * The key of this id, still sealed.
   *
   * @throws UnreadableKeyException if its file is not what this store writes
   */
  Optional<Entry> find(UUID keyId) throws IOException, UnreadableKeyException {
    byte[] bytes;
    try {
      bytes = SafeFiles.read(file(keyId), MOST_FILE_BYTES);
    } catch (NoSuchFileException absent) {
      return Optional.empty();
    }
    var entry = decode(keyId, bytes);
    if (!entry.keyId().equals(keyId)) {
      throw new UnreadableKeyException(keyId, "has the file of key `" + entry.keyId() + "`");
    }
    return Optional.of(entry);
  }

  /**
   * The key of this id, made now if it is not there: random, and on the disk when this returns.
   *
   * @throws UnreadableKeyException if there is a file, but it is not what this store writes
   */
  synchronized Creation create(UUID tenantId, UUID keyId) throws IOException, UnreadableKeyException {
    var known = find(keyId);
    if (known.isPresent()) {
      return known.get().tenantId().equals(tenantId)
          ? new Creation.Available(known.get())
          : new Creation.TakenByOtherTenant();
    }
    if (count >= most) {
      return new Creation.LimitReached();
    }
    while (true) {
      try (var secret = SecretBytes.random()) {
        var address = curve.addressOf(secret);
        if (address.isPresent()) {
          var entry = seal(tenantId, keyId, address.get(), secret);
          SafeFiles.replace(file(keyId), encode(entry));
          count++;
          return new Creation.Available(entry);
        }
      }
    }
  }

  /**
   * The private key. The caller closes it.
   *
   * @throws UnreadableKeyException if the file was sealed under another KEK, moved, or altered
   */
  SecretBytes unseal(Entry entry) throws UnreadableKeyException {
    if (!entry.kekId().equals(kek.id())) {
      throw new UnreadableKeyException(entry.keyId(),
          "is sealed under `" + entry.kekId() + "`, but this signer has `" + kek.id() + "`");
    }
    byte[] dataKey;
    try {
      dataKey = kek.unwrap(entry.wrapped());
    } catch (InvalidCipherTextException damaged) {
      throw new UnreadableKeyException(entry.keyId(), "has a data key that does not unwrap");
    }
    var secret = SecretBytes.empty();
    try {
      var cipher = cipher(Cipher.DECRYPT_MODE, dataKey, entry.nonce());
      cipher.updateAAD(entry.associatedData());
      cipher.doFinal(ByteBuffer.wrap(entry.sealed()), secret.buffer());
      return secret;
    } catch (GeneralSecurityException damaged) {
      secret.close();
      throw new UnreadableKeyException(entry.keyId(), "does not open: its file is damaged, or was altered or moved");
    } finally {
      Arrays.fill(dataKey, (byte) 0);
    }
  }

  private Entry seal(UUID tenantId, UUID keyId, Address address, SecretBytes secret) {
    var dataKey = new byte[Kek.BYTES];
    RANDOM.nextBytes(dataKey);
    var nonce = new byte[NONCE_BYTES];
    RANDOM.nextBytes(nonce);
    try {
      var entry = new Entry(tenantId, keyId, address, kek.id(), kek.wrap(dataKey), nonce, new byte[SEALED_BYTES]);
      var cipher = cipher(Cipher.ENCRYPT_MODE, dataKey, nonce);
      cipher.updateAAD(entry.associatedData());
      cipher.doFinal(secret.buffer(), ByteBuffer.wrap(entry.sealed()));
      return entry;
    } catch (GeneralSecurityException impossible) {
      throw new IllegalStateException("every Java platform has AES-256-GCM", impossible);
    } finally {
      Arrays.fill(dataKey, (byte) 0);
    }
  }

  private static Cipher cipher(int mode, byte[] key, byte[] nonce) throws GeneralSecurityException {
    var cipher = Cipher.getInstance("AES/GCM/NoPadding");
    cipher.init(mode, new SecretKeySpec(key, "AES"), new GCMParameterSpec(TAG_BITS, nonce));
    return cipher;
  }

  private Path file(UUID keyId) {
    return directory.resolve(keyId + ".key");
  }

  private static byte[] encode(Entry entry) {
    var kekId = entry.kekId().getBytes(StandardCharsets.US_ASCII);
    var out = ByteBuffer.allocate(MOST_FILE_BYTES).putInt(MAGIC).put((byte) VERSION).put((byte) ALGORITHM_SECP256K1);
    out.putLong(entry.tenantId().getMostSignificantBits()).putLong(entry.tenantId().getLeastSignificantBits());
    out.putLong(entry.keyId().getMostSignificantBits()).putLong(entry.keyId().getLeastSignificantBits());
    out.put(entry.address().bytes()).put((byte) kekId.length).put(kekId);
    out.put(entry.wrapped()).put(entry.nonce()).put(entry.sealed());
    return Arrays.copyOf(out.array(), out.position());
  }

  private static Entry decode(UUID keyId, byte[] bytes) throws UnreadableKeyException {
    var in = ByteBuffer.wrap(bytes);
    try {
      if (in.getInt() != MAGIC || in.get() != VERSION || in.get() != ALGORITHM_SECP256K1) {
        throw new UnreadableKeyException(keyId, "has a file that is no key file of version 1");
      }
      var entry = new Entry(new UUID(in.getLong(), in.getLong()), new UUID(in.getLong(), in.getLong()),
          Address.of(take(in, Address.BYTES)), new String(take(in, in.get() & 0xff), StandardCharsets.US_ASCII),
          take(in, Kek.WRAPPED_BYTES), take(in, NONCE_BYTES), take(in, SEALED_BYTES));
      if (in.hasRemaining()) {
        throw new UnreadableKeyException(keyId, "has a file with " + in.remaining() + " bytes too many");
      }
      return entry;
    } catch (BufferUnderflowException tooShort) {
      throw new UnreadableKeyException(keyId, "has a file that ends too early");
    }
  }

  private static byte[] take(ByteBuffer in, int length) {
    var bytes = new byte[length];
    in.get(bytes);
    return bytes;
  }
}
