package io.bursar.rehearsal;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.UUID;

import io.bursar.money.Address;
import io.bursar.permit.Digest32;

/** Who has only a name in a rehearsal, and is the same in every one: what stands for it is taken from the name's SHA-256. */
final class MadeUp {
  private MadeUp() {}

  static UUID id(String name) {
    var bytes = ByteBuffer.wrap(hash(name));
    return new UUID(bytes.getLong(), bytes.getLong());
  }

  static Address address(String name) {
    return Address.of(Arrays.copyOf(hash(name), Address.BYTES));
  }

  private static byte[] hash(String name) {
    return Digest32.sha256(name.getBytes(StandardCharsets.UTF_8)).bytes();
  }
}
