package io.bursar.signer;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Arrays;
import java.util.Optional;
import java.util.UUID;

import io.bursar.permit.Bytes;
import io.bursar.permit.FreezeScope;
import io.bursar.permit.Intent;
import io.bursar.permit.Permit;
import io.bursar.permit.SignedPermit;

/**
 * What the signer has bound itself to. In the groups of {@link JournalFile}, big-endian: its length after these two bytes (2), kind
 * (1), time in milliseconds since 1970 (8), and
 *
 * <pre>
 * 1 sign    permit (113), its signature (64), intent (the rest)
 * 2 freeze  scope (2 + n): all, or the identifier of a wallet or tenant; why (2 + n)
 * 3 lift    scope (2 + n)
 * 7 sign    under one permit of many: permit (2 + n), their signature (64), intent (the rest)
 * </pre>
 *
 * A {@linkplain JournalCompaction compacted} journal begins with these in their place:
 *
 * <pre>
 * 4 kept       intent (the rest); the time is that at which it was agreed to
 * 5 permit     its id (16), when it expires in milliseconds since 1970 (8)
 * 6 compacted  how many were agreed to before (8), permits that expired until then are not listed: milliseconds since 1970 (8)
 * </pre>
 */
sealed interface JournalRecord {
  /** Where what a kind has of its own begins in an encoded record, its length included. */
  int FIELDS_AT = 2 + 1 + 8;
  /** Length of what stands before the intent under a permit of its own. */
  int PERMIT_BYTES = Permit.ENCODED_BYTES + SignedPermit.SIGNATURE_BYTES;

  /** When, in whole milliseconds. */
  Instant at();

  /** An intent was agreed to, under a permit. */
  record Sign(Instant at, SignedPermit signed, Permit permit, Intent intent) implements JournalRecord {}

  /** Nothing more is signed for these keys. */
  record Freeze(Instant at, FreezeScope scope, String why) implements JournalRecord {}

  /** Keys that were frozen may sign again. */
  record Lift(Instant at, FreezeScope scope) implements JournalRecord {}

  /** An intent was agreed to, under a permit that is not kept. */
  record Kept(Instant at, Intent intent) implements JournalRecord {}

  /** A permit was used that had not expired. */
  record UsedPermit(Instant at, UUID permitId, Instant expiresAt) implements JournalRecord {}

  /** The journal was compacted. */
  record Compacted(Instant at, long records, Instant forgottenUntil) implements JournalRecord {}

  /** The intent that was agreed to, if it is a record of one. */
  default Optional<Intent> agreedTo() {
    return switch (this) {
      case Sign(_, _, _, var intent) -> Optional.of(intent);
      case Kept(_, var intent) -> Optional.of(intent);
      case Freeze _,Lift _,UsedPermit _,Compacted _ -> Optional.empty();
    };
  }

  /** The permit that was used, if it is a record of one. */
  default Optional<UsedPermit> used() {
    return switch (this) {
      case Sign(var at, _, var permit, _) -> Optional.of(new UsedPermit(at, permit.permitId(), permit.expiresAt()));
      case UsedPermit permit -> Optional.of(permit);
      case Freeze _,Lift _,Kept _,Compacted _ -> Optional.empty();
    };
  }

  /** The durable record that begins at an offset of a file. */
  static JournalRecord at(JournalFile file, long offset) throws IOException {
    int length = 2 + (ByteBuffer.wrap(file.read(offset, 2)).getShort() & 0xffff);
    return read(ByteBuffer.wrap(file.read(offset, length)), offset);
  }

  /** Receives one record after the other, each with where it begins in the file. */
  interface Reader {
    void record(JournalRecord record, long at) throws IOException;
  }

  /** Takes the records out of a journal's groups. */
  static JournalFile.Reader each(Reader reader) {
    return (content, offset, _) -> {
      while (content.hasRemaining()) {
        long at = offset + content.position();
        reader.record(read(content, at), at);
      }
    };
  }

  private static ByteBuffer start(int bytes, int kind, Instant at) {
    return ByteBuffer.allocate(2 + bytes).putShort((short) bytes).put((byte) kind).putLong(at.toEpochMilli());
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  /** The bytes of the layout above. */
  default byte[] encode() {
    return switch (this) {
      case Sign(var at, var signed, _, var intent) -> {
        var bytes = intent.encode();
        var permit = signed.bytes().toByteArray();
        boolean shared = signed.isOneOfMany();
        var length = shared ? new byte[]{(byte) (permit.length >>> 8), (byte) permit.length} : new byte[0];
        yield start(9 + length.length + permit.length + SignedPermit.SIGNATURE_BYTES + bytes.length, shared ? 7 : 1, at)
            .put(length).put(permit).put(signed.signature().toByteArray()).put(bytes).array();
      }
      case Freeze(var at, var scope, var why) -> {
        var name = utf8(scope.toString());
        var reason = utf8(why);
        yield start(9 + 2 + name.length + 2 + reason.length, 2, at).putShort((short) name.length).put(name)
            .putShort((short) reason.length).put(reason).array();
      }
      case Lift(var at, var scope) -> {
        var name = utf8(scope.toString());
        yield start(9 + 2 + name.length, 3, at).putShort((short) name.length).put(name).array();
      }
      case Kept(var at, var intent) -> {
        var bytes = intent.encode();
        yield start(9 + bytes.length, 4, at).put(bytes).array();
      }
      case UsedPermit(var at, var permitId, var expiresAt) ->
        start(9 + 16 + 8, 5, at).putLong(permitId.getMostSignificantBits()).putLong(permitId.getLeastSignificantBits())
            .putLong(expiresAt.toEpochMilli()).array();
      case Compacted(var at, var records, var forgottenUntil) ->
        start(9 + 8 + 8, 6, at).putLong(records).putLong(forgottenUntil.toEpochMilli()).array();
    };
  }

  /**
   * Takes the next record out of a group's content.
   *
   * @param at where it begins in the file, for messages
   * @throws IllegalStateException if it is none that this version writes
   */
  static JournalRecord read(ByteBuffer content, long at) {
    int length = content.getShort() & 0xffff;
    if (length < 9 || length > content.remaining()) {
      throw new IllegalStateException("the journal holds a record of another version at byte " + at);
    }
    var record = new byte[length];
    content.get(record);
    var fields = ByteBuffer.wrap(record);
    int kind = fields.get();
    var time = Instant.ofEpochMilli(fields.getLong());
    return switch (kind) {
      case 1 -> {
        if (length < 9 + PERMIT_BYTES) {
          throw new IllegalStateException("the journal holds a record of another version at byte " + at);
        }
        yield sign(time, fields, Permit.ENCODED_BYTES);
      }
      case 2 -> new Freeze(time, FreezeScope.parse(text(fields)), text(fields));
      case 3 -> new Lift(time, FreezeScope.parse(text(fields)));
      case 4 -> new Kept(time, Intent.decode(Arrays.copyOfRange(record, FIELDS_AT - 2, record.length)));
      case 5 -> new UsedPermit(time, new UUID(fields.getLong(), fields.getLong()),
          Instant.ofEpochMilli(fields.getLong()));
      case 6 -> new Compacted(time, fields.getLong(), Instant.ofEpochMilli(fields.getLong()));
      case 7 -> sign(time, fields, fields.getShort() & 0xffff);
      default -> throw new IllegalStateException("the journal holds a record of the unknown kind " + kind + " at byte "
          + at);
    };
  }

  private static Sign sign(Instant at, ByteBuffer fields, int permitBytes) {
    var signed = new SignedPermit(Bytes.of(bytes(fields, permitBytes)),
        Bytes.of(bytes(fields, SignedPermit.SIGNATURE_BYTES)));
    return new Sign(at, signed, signed.permit(), Intent.decode(bytes(fields, fields.remaining())));
  }

  private static byte[] bytes(ByteBuffer fields, int length) {
    var bytes = new byte[length];
    fields.get(bytes);
    return bytes;
  }

  private static String text(ByteBuffer fields) {
    return new String(bytes(fields, fields.getShort() & 0xffff), StandardCharsets.UTF_8);
  }
}
