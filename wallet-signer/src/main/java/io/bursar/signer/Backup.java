package io.bursar.signer;

import java.io.IOException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;

import io.bursar.money.Address;
import io.bursar.permit.Bytes;
import io.bursar.signer.Keystore.UnreadableKeyException;
import io.bursar.signer.SealedFile.UnreadableException;

/**
 * All keys of a signer, so that they can be opened without its key encryption key: sealed to a recovery key whose secret half exists
 * in {@link RecoveryShares} only. Each private key stays sealed under its data key, as it lies in the store; the data keys
 * lie beside them, so that making a backup opens no private key.
 *
 * <p>Inside, big-endian: version 1 (1); milliseconds since 1970 (8); the logs' name (2 + n), their public key (32) and secret key
 * (32); the ring that the keys are bound to (1 + n); the number of keys (4); and for each the tenant (16), id (16), address (20),
 * data key (32), GCM nonce (12), sealed key (48).
 */
record Backup(Instant madeAt, LogKey logKey, List<Item> items) implements AutoCloseable {
  private static final int VERSION = 1;
  private static final int ITEM_BYTES = 16 + 16 + Address.BYTES + Kek.DATA_KEY_BYTES + 12 + 48;
  /** The longest sealed backup, in bytes. */
  static final int MOST_BYTES = 1024 + Keystore.MOST_KEYS * ITEM_BYTES;

  /** The key that signs heads, which auditors know. */
  record LogKey(String origin, Bytes publicKey, byte[] seed) {
    /** Names the key and shows nothing of it. */
    @Override
    public String toString() {
      return origin;
    }
  }

  /**
   * One key.
   *
   * @param entry as it lay in the store; what wrapped its data key is of no use any more
   * @param dataKey what opens it
   */
  record Item(Keystore.Entry entry, byte[] dataKey) {
    /** Names the key and says nothing else. */
    @Override
    public String toString() {
      return entry.toString();
    }
  }

  /**
   * Makes a backup of what is in a store at this time.
   *
   * @throws UnreadableKeyException if a key's data key does not open: a backup is whole or is not
   */
  static byte[] make(Keystore store, LogKey logKey, Bytes recovery, Instant now)
      throws IOException, UnreadableKeyException {
    var items = new ArrayList<Item>();
    byte[] plain = new byte[0];
    try {
      var ring = "";
      for (var keyId : store.keyIds()) {
        var entry = store.find(keyId)
            .orElseThrow(() -> new IOException("key `" + keyId + "` went away while the backup was made"));
        ring = entry.dataKey().ring();
        items.add(new Item(entry, store.dataKey(entry)));
      }
      plain = encode(now, logKey, ring, items);
      return SealedFile.seal(SealedFile.Kind.BACKUP, recovery, plain);
    } finally {
      Arrays.fill(plain, (byte) 0);
      items.forEach(item -> Arrays.fill(item.dataKey(), (byte) 0));
    }
  }

  private static byte[] encode(Instant now, LogKey logKey, String ring, List<Item> items) {
    var origin = logKey.origin().getBytes(StandardCharsets.UTF_8);
    var ringId = ring.getBytes(StandardCharsets.US_ASCII);
    var out = ByteBuffer
        .allocate(1 + 8 + 2 + origin.length + 64 + 1 + ringId.length + 4 + items.size() * ITEM_BYTES)
        .put((byte) VERSION).putLong(now.toEpochMilli()).putShort((short) origin.length).put(origin)
        .put(logKey.publicKey().toByteArray()).put(logKey.seed()).put((byte) ringId.length).put(ringId)
        .putInt(items.size());
    for (var item : items) {
      var entry = item.entry();
      out.putLong(entry.tenantId().getMostSignificantBits()).putLong(entry.tenantId().getLeastSignificantBits());
      out.putLong(entry.keyId().getMostSignificantBits()).putLong(entry.keyId().getLeastSignificantBits());
      out.put(entry.address().bytes()).put(item.dataKey()).put(entry.nonce()).put(entry.sealed());
    }
    return out.array();
  }

  /**
   * Opens a backup with the recovery key that the shares gave.
   *
   * @throws UnreadableException with the reason
   */
  static Backup open(byte[] file, RecipientKey recovery) throws UnreadableException {
    var plain = SealedFile.open(SealedFile.Kind.BACKUP, recovery, file);
    try {
      var in = ByteBuffer.wrap(plain);
      if (in.get() != VERSION) {
        throw new UnreadableException("is a backup of another version than " + VERSION);
      }
      var madeAt = Instant.ofEpochMilli(in.getLong());
      var origin = new String(take(in, in.getShort() & 0xffff), StandardCharsets.UTF_8);
      var logKey = new LogKey(origin, Bytes.of(take(in, 32)), take(in, 32));
      var ring = new String(take(in, in.get() & 0xff), StandardCharsets.US_ASCII);
      int count = in.getInt();
      if (count < 0 || count > Keystore.MOST_KEYS || in.remaining() != count * ITEM_BYTES) {
        throw new UnreadableException("does not have the length that it should");
      }
      var items = new ArrayList<Item>();
      for (int i = 0; i < count; i++) {
        items.add(item(in, ring));
      }
      return new Backup(madeAt, logKey, items);
    } catch (BufferUnderflowException | IllegalArgumentException malformed) {
      throw new UnreadableException("is no backup, though it opens");
    } finally {
      Arrays.fill(plain, (byte) 0);
    }
  }

  private static Item item(ByteBuffer in, String ring) {
    var tenantId = new UUID(in.getLong(), in.getLong());
    var keyId = new UUID(in.getLong(), in.getLong());
    var address = Address.of(take(in, Address.BYTES));
    var dataKey = take(in, Kek.DATA_KEY_BYTES);
    return new Item(new Keystore.Entry(tenantId, keyId, address, new KekRing.Wrapped(ring, 0, new byte[0]),
        take(in, 12), take(in, 48)), dataKey);
  }

  private static byte[] take(ByteBuffer in, int length) {
    var bytes = new byte[length];
    in.get(bytes);
    return bytes;
  }

  /**
   * Puts every key into a store, under its key encryption key. A key that is there already stays.
   *
   * @return the addresses that were put in
   * @throws UnreadableKeyException if a key does not open or is not that of its address; those before it are in
   */
  List<Address> restoreInto(Keystore store) throws IOException, UnreadableKeyException {
    var restored = new ArrayList<Address>();
    var known = store.addresses();
    for (var item : items) {
      var entry = item.entry();
      try (var secret = Keystore.unseal(entry, item.dataKey().clone())) {
        var key = new KeyBundle.Key(entry.tenantId(), entry.keyId(), entry.address(), secret);
        if (store.put(key, known) instanceof Keystore.Import.Refused(var reason)) {
          throw new UnreadableKeyException(entry.keyId(), "is not restored: " + reason);
        }
        restored.add(entry.address());
      }
    }
    store.sync();
    return restored;
  }

  @Override
  public void close() {
    Arrays.fill(logKey.seed(), (byte) 0);
    items.forEach(item -> Arrays.fill(item.dataKey(), (byte) 0));
  }
}
