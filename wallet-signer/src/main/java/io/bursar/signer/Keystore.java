package io.bursar.signer;

import java.io.IOException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

import javax.crypto.AEADBadTagException;

import io.bursar.money.Address;

/**
 * The private keys at rest, one file of mode 0600 for each. A key is encrypted by AES-256-GCM under a data key of its
 * own, with {@code tenant|key id|algorithm|address|KEK id} as associated data, and the data key is wrapped by the newest key
 * of the {@link KekRing}, whose id is that KEK id: a file copied in the place of another, or edited, does not open.
 *
 * <p>
 * Layout of {@code <key id>.key}, big-endian: {@code BKEY} (4), version 2 (1), algorithm 1 = secp256k1 (1), tenant (16),
 * key (16), address (20), KEK id (1 + n), number of the key in the ring (4), wrapped data key (1 + n), GCM nonce (12),
 * encrypted key and tag (48). Version 1, which is still read, has no number, since there was one key only, and no length
 * of the wrapped data key, which had 40 bytes.
 *
 * @see <a href="https://nvlpubs.nist.gov/nistpubs/Legacy/SP/nistspecialpublication800-38d.pdf">NIST SP 800-38D, GCM</a>
 */
final class Keystore {
  /** The most keys that a store holds, so that whoever can ask for keys cannot fill the disk. */
  static final int MOST_KEYS = 200_000;

  private static final int MAGIC = 0x424b4559;
  private static final int VERSION = 2;
  private static final int VERSION_OF_ONE_KEK = 1;
  private static final int WRAPPED_BYTES_OF_ONE_KEK = 40;
  private static final int ALGORITHM_SECP256K1 = 1;
  private static final int SEALED_BYTES = SecretBytes.BYTES + OffHeapGcm.TAG_BYTES;
  private static final int MOST_FILE_BYTES = 512;
  private static final SecureRandom RANDOM = new SecureRandom();

  /** A key whose file was read; its private half is still sealed. */
  record Entry(UUID tenantId, UUID keyId, Address address, KekRing.Wrapped dataKey, byte[] nonce, byte[] sealed) {
    /** Names the key and says nothing else. */
    @Override
    public String toString() {
      return keyId.toString();
    }

    byte[] associatedData() {
      return String.join("|", tenantId.toString(), keyId.toString(), "secp256k1", address.toString(),
          dataKey.ring())
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

  /** What became of a key that came from elsewhere. */
  sealed interface Import {
    /** It is in the store, or was already. */
    record Done() implements Import {}

    /** It is not taken. */
    record Refused(String reason) implements Import {}
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
  private final KekRing keks;
  private final Secp256k1 curve;
  private final int most;
  private final OpenKeys open = new OpenKeys(OpenKeys.MOST, OpenKeys.IDLE, System::nanoTime);
  private int count;

  /** Opens a store, making its directory if it is not there, and clears away what an interrupted write left. */
  static Keystore open(Path directory, KekRing keks, Secp256k1 curve) throws IOException {
    SafeFiles.makeDirectory(directory);
    try (var files = Files.newDirectoryStream(directory, ".*.new")) {
      for (var file : files) {
        Files.delete(file);
      }
    }
    return new Keystore(directory, keks, curve, MOST_KEYS);
  }

  /** A store beside another process that writes to it: touches nothing that is half written. */
  static Keystore beside(Path directory, KekRing keks, Secp256k1 curve) throws IOException {
    return new Keystore(directory, keks, curve, MOST_KEYS);
  }

  Keystore(Path directory, KekRing keks, Secp256k1 curve, int most) throws IOException {
    this.directory = directory;
    this.keks = keks;
    this.curve = curve;
    this.most = most;
    SafeFiles.makeDirectory(directory);
    try (var files = Files.newDirectoryStream(directory, "*.key")) {
      for (var _ : files) {
        count++;
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
  SecretBytes unseal(Entry entry) throws IOException, UnreadableKeyException {
    var file = encode(entry);
    var known = open.find(entry.keyId(), file);
    if (known.isPresent()) {
      return known.get();
    }
    var secret = unseal(entry, dataKey(entry));
    open.keep(entry.tenantId(), entry.keyId(), file, secret);
    return secret;
  }

  /** The same for a key whose data key is at hand, which is erased. */
  static SecretBytes unseal(Entry entry, byte[] dataKey) throws UnreadableKeyException {
    var secret = SecretBytes.empty();
    try {
      OffHeapGcm.open(dataKey, entry.nonce(), entry.associatedData(), entry.sealed(), secret.memory());
      return secret;
    } catch (AEADBadTagException damaged) {
      secret.close();
      throw new UnreadableKeyException(entry.keyId(), "does not open: its file is damaged, or was altered or moved");
    } finally {
      Arrays.fill(dataKey, (byte) 0);
    }
  }

  /**
   * Brings a key's data key under the newest key encryption key; the private key stays sealed. The new file is on the
   * disk, but its name is for certain only after {@link #sync}; until then the disk has the old file or the new one.
   *
   * @return whether there was anything to do
   * @throws UnreadableKeyException if its data key does not open
   */
  boolean rewrap(UUID keyId) throws IOException, UnreadableKeyException {
    var found = find(keyId);
    if (found.isEmpty() || found.get().dataKey().version() == keks.newest().number()) {
      return false;
    }
    var entry = found.get();
    var dataKey = dataKey(entry);
    try {
      var rewrapped = new Entry(entry.tenantId(), entry.keyId(), entry.address(), keks.wrap(dataKey), entry.nonce(),
          entry.sealed());
      // INVARIANT: what opens is replaced only by what was seen to open.
      var again = dataKey(rewrapped);
      boolean same = MessageDigest.isEqual(again, dataKey);
      Arrays.fill(again, (byte) 0);
      if (!same) {
        throw new IOException(
            "the key encryption key `" + keks.newest().kek().id() + "` unwraps what it never wrapped");
      }
      SafeFiles.replaceUnsynced(file(keyId), encode(rewrapped));
      return true;
    } finally {
      Arrays.fill(dataKey, (byte) 0);
    }
  }

  /** Which key has an address. Reads every file. */
  Map<Address, UUID> addresses() throws IOException, UnreadableKeyException {
    var addresses = new HashMap<Address, UUID>();
    for (var keyId : keyIds()) {
      find(keyId).ifPresent(entry -> addresses.put(entry.address(), keyId));
    }
    return addresses;
  }

  /**
   * Whether a key that was made elsewhere could be taken in now.
   *
   * @param known the store's {@link #addresses}
   */
  synchronized Import refusal(KeyBundle.Key key, Map<Address, UUID> known) throws IOException, UnreadableKeyException {
    if (!curve.addressOf(key.secret()).equals(Optional.of(key.address()))) {
      return new Import.Refused("the private key is not that of the address `" + key.address() + "`");
    }
    var present = find(key.keyId());
    if (present.isPresent()) {
      var entry = present.get();
      return entry.tenantId().equals(key.tenantId()) && entry.address().equals(key.address())
          ? new Import.Done()
          : new Import.Refused("key `" + key.keyId() + "` is there already, with another address or of another tenant");
    }
    if (known.containsKey(key.address())) {
      return new Import.Refused("the address `" + key.address() + "` is there already, as key `"
          + known.get(key.address()) + "`; under two ids its nonces would be counted twice");
    }
    return count < most
        ? new Import.Done()
        : new Import.Refused("the signer holds " + count + " keys and takes no more");
  }

  /**
   * Takes in a key that was made elsewhere. It is on the disk for certain after {@link #sync}.
   *
   * @param key closed by the caller
   * @param known as for {@link #refusal}; brought up to date
   */
  synchronized Import put(KeyBundle.Key key, Map<Address, UUID> known) throws IOException, UnreadableKeyException {
    var outcome = refusal(key, known);
    if (outcome instanceof Import.Done && find(key.keyId()).isEmpty()) {
      SafeFiles.replaceUnsynced(file(key.keyId()),
          encode(seal(key.tenantId(), key.keyId(), key.address(), key.secret())));
      count++;
      known.put(key.address(), key.keyId());
    }
    return outcome;
  }

  /** Makes the names of all files durable. */
  void sync() throws IOException {
    SafeFiles.syncDirectory(directory.resolve("."));
  }

  /** The ids of all keys, in no order. A key that is made after this call is wrapped by the newest key of its time. */
  synchronized List<UUID> keyIds() throws IOException {
    var ids = new ArrayList<UUID>();
    try (var files = Files.newDirectoryStream(directory, "*.key")) {
      for (var file : files) {
        var name = String.valueOf(file.getFileName());
        try {
          ids.add(UUID.fromString(name.substring(0, name.length() - ".key".length())));
        } catch (IllegalArgumentException foreign) {
          throw new IOException("`" + file + "` is no key file; take it out of the directory");
        }
      }
    }
    return ids;
  }

  /** What a key is sealed under. The caller erases it. */
  byte[] dataKey(Entry entry) throws IOException, UnreadableKeyException {
    try {
      return keks.unwrap(entry.dataKey());
    } catch (Kek.DoesNotOpenException damaged) {
      throw new UnreadableKeyException(entry.keyId(), String.valueOf(damaged.getMessage()));
    }
  }

  /** The keys that are unsealed at the moment. */
  OpenKeys openKeys() {
    return open;
  }

  private Entry seal(UUID tenantId, UUID keyId, Address address, SecretBytes secret) throws IOException {
    var dataKey = new byte[Kek.DATA_KEY_BYTES];
    RANDOM.nextBytes(dataKey);
    var nonce = new byte[OffHeapGcm.NONCE_BYTES];
    RANDOM.nextBytes(nonce);
    try {
      var entry = new Entry(tenantId, keyId, address, keks.wrap(dataKey), nonce, new byte[SEALED_BYTES]);
      var sealed = OffHeapGcm.seal(dataKey, nonce, entry.associatedData(), secret.memory());
      System.arraycopy(sealed, 0, entry.sealed(), 0, SEALED_BYTES);
      return entry;
    } finally {
      Arrays.fill(dataKey, (byte) 0);
    }
  }

  private Path file(UUID keyId) {
    return directory.resolve(keyId + ".key");
  }

  private static byte[] encode(Entry entry) {
    var dataKey = entry.dataKey();
    var ring = dataKey.ring().getBytes(StandardCharsets.US_ASCII);
    var out = ByteBuffer.allocate(MOST_FILE_BYTES).putInt(MAGIC).put((byte) VERSION).put((byte) ALGORITHM_SECP256K1);
    out.putLong(entry.tenantId().getMostSignificantBits()).putLong(entry.tenantId().getLeastSignificantBits());
    out.putLong(entry.keyId().getMostSignificantBits()).putLong(entry.keyId().getLeastSignificantBits());
    out.put(entry.address().bytes()).put((byte) ring.length).put(ring).putInt(dataKey.version());
    out.put((byte) dataKey.bytes().length).put(dataKey.bytes()).put(entry.nonce()).put(entry.sealed());
    return Arrays.copyOf(out.array(), out.position());
  }

  private static Entry decode(UUID keyId, byte[] bytes) throws UnreadableKeyException {
    var in = ByteBuffer.wrap(bytes);
    try {
      int magic = in.getInt();
      int version = in.get();
      if (magic != MAGIC || version < VERSION_OF_ONE_KEK || version > VERSION || in.get() != ALGORITHM_SECP256K1) {
        throw new UnreadableKeyException(keyId, "has a file that is no key file of version 1 or 2");
      }
      var entry = new Entry(new UUID(in.getLong(), in.getLong()), new UUID(in.getLong(), in.getLong()),
          Address.of(take(in, Address.BYTES)), decodeDataKey(in, version), take(in, OffHeapGcm.NONCE_BYTES),
          take(in, SEALED_BYTES));
      if (in.hasRemaining()) {
        throw new UnreadableKeyException(keyId, "has a file with " + in.remaining() + " bytes too many");
      }
      return entry;
    } catch (BufferUnderflowException tooShort) {
      throw new UnreadableKeyException(keyId, "has a file that ends too early");
    }
  }

  private static KekRing.Wrapped decodeDataKey(ByteBuffer in, int version) {
    var ring = new String(take(in, in.get() & 0xff), StandardCharsets.US_ASCII);
    return version == VERSION_OF_ONE_KEK
        ? new KekRing.Wrapped(ring, 1, take(in, WRAPPED_BYTES_OF_ONE_KEK))
        : new KekRing.Wrapped(ring, in.getInt(), take(in, in.get() & 0xff));
  }

  private static byte[] take(ByteBuffer in, int length) {
    var bytes = new byte[length];
    in.get(bytes);
    return bytes;
  }
}
