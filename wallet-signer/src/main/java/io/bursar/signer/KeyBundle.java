package io.bursar.signer;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.UUID;

import io.bursar.money.Address;
import io.bursar.permit.Bytes;
import io.bursar.signer.SealedFile.UnreadableException;

/**
 * Private keys on their way: made offline or taken from elsewhere and going into a signer, or going out of one. Sealed
 * to who shall have them; inside, big-endian: the number of keys (4), and for each its tenant (16), id (16), address (20) and
 * the key (32). Used by the thread that made it.
 */
record KeyBundle(List<Key> keys) implements AutoCloseable {
  /** The most keys of one bundle, so that it fits into an order to the signer. */
  static final int MOST_KEYS = 500;
  /** The longest sealed bundle, in bytes. */
  static final int MOST_BYTES = 60_000;

  private static final int KEY_BYTES = 16 + 16 + Address.BYTES + SecretBytes.BYTES;

  /** One key with the wallet's identity that it has or shall have. */
  record Key(UUID tenantId, UUID keyId, Address address, SecretBytes secret) {
    /** Names the key and says nothing else. */
    @Override
    public String toString() {
      return keyId.toString();
    }
  }

  KeyBundle {
    keys = List.copyOf(keys);
    if (keys.isEmpty() || keys.size() > MOST_KEYS) {
      throw new IllegalArgumentException("a bundle has 1 to " + MOST_KEYS + " keys, not " + keys.size());
    }
  }

  /** Seals the bundle to a recipient. */
  byte[] seal(Bytes recipient) {
    var plain = new byte[4 + KEY_BYTES * keys.size()];
    var out = ByteBuffer.wrap(plain).putInt(keys.size());
    for (var key : keys) {
      out.putLong(key.tenantId().getMostSignificantBits()).putLong(key.tenantId().getLeastSignificantBits());
      out.putLong(key.keyId().getMostSignificantBits()).putLong(key.keyId().getLeastSignificantBits());
      out.put(key.address().bytes()).put(key.secret().memory().asByteBuffer());
    }
    try {
      return SealedFile.seal(SealedFile.Kind.KEYS, recipient, plain);
    } finally {
      Arrays.fill(plain, (byte) 0);
    }
  }

  /**
   * Opens a bundle. Every address is derived from its key and compared.
   *
   * @throws UnreadableException with the reason, and nothing of any key
   */
  static KeyBundle open(byte[] file, RecipientKey recipient, Secp256k1 curve) throws UnreadableException {
    var plain = SealedFile.open(SealedFile.Kind.KEYS, recipient, file);
    var keys = new ArrayList<Key>();
    boolean whole = false;
    try {
      var in = ByteBuffer.wrap(plain);
      int count = in.getInt();
      if (count < 1 || count > MOST_KEYS || in.remaining() != count * KEY_BYTES) {
        throw new UnreadableException("does not hold 1 to " + MOST_KEYS + " keys");
      }
      var ids = new HashSet<UUID>();
      for (int i = 0; i < count; i++) {
        var key = read(in);
        keys.add(key);
        if (!curve.addressOf(key.secret()).filter(key.address()::equals).isPresent()) {
          throw new UnreadableException("has a key for `" + key.keyId() + "` that is not the one of its address `"
              + key.address() + "`");
        }
        if (!ids.add(key.keyId())) {
          throw new UnreadableException("has the key `" + key.keyId() + "` twice");
        }
      }
      whole = true;
      return new KeyBundle(keys);
    } catch (BufferUnderflowException tooShort) {
      throw new UnreadableException("ends too early");
    } finally {
      Arrays.fill(plain, (byte) 0);
      if (!whole) {
        keys.forEach(key -> key.secret().close());
      }
    }
  }

  private static Key read(ByteBuffer in) {
    var tenantId = new UUID(in.getLong(), in.getLong());
    var keyId = new UUID(in.getLong(), in.getLong());
    var address = new byte[Address.BYTES];
    in.get(address);
    var secret = new byte[SecretBytes.BYTES];
    in.get(secret);
    return new Key(tenantId, keyId, Address.of(address), SecretBytes.takeFrom(secret));
  }

  @Override
  public void close() {
    keys.forEach(key -> key.secret().close());
  }
}
