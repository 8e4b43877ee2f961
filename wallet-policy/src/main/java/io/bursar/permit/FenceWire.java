package io.bursar.permit;

import java.time.Instant;
import java.util.UUID;

/** Freezes and marks, as {@link SignerFrame} carries them. */
final class FenceWire {
  private static final int KEY = 1;
  private static final int TENANT = 2;
  private static final int ALL = 3;
  private static final int HOLD = 4;
  private static final UUID NONE = new UUID(0, 0);

  private FenceWire() {}

  static WireWriter write(WireWriter out, FreezeScope scope) {
    return switch (scope) {
      case FreezeScope.Key(var id) -> out.u8(KEY).uuid(id);
      case FreezeScope.Tenant(var id) -> out.u8(TENANT).uuid(id);
      case FreezeScope.Hold(var id) -> out.u8(HOLD).uuid(id);
      case FreezeScope.All() -> out.u8(ALL).uuid(NONE);
    };
  }

  static FreezeScope scope(WireReader in) {
    int kind = in.u8();
    var id = in.uuid();
    if (kind == ALL && id.equals(NONE)) {
      return new FreezeScope.All();
    }
    return switch (kind) {
      case KEY -> new FreezeScope.Key(id);
      case TENANT -> new FreezeScope.Tenant(id);
      case HOLD -> new FreezeScope.Hold(id);
      default -> throw new IllegalArgumentException("no freeze has the scope " + kind + " of " + id);
    };
  }

  static WireWriter write(WireWriter out, JournalMark mark) {
    return out.millis(mark.at()).i64(mark.length()).bytes(mark.checksum().toByteArray());
  }

  static JournalMark mark(WireReader in) {
    return new JournalMark(Instant.ofEpochMilli(in.i64()), in.i64(), Bytes.of(in.bytes(JournalMark.CHECKSUM_BYTES)));
  }

  static boolean flag(WireReader in) {
    int flag = in.u8();
    if (flag > 1) {
      throw new IllegalArgumentException("a flag is 0 or 1, not " + flag);
    }
    return flag == 1;
  }
}
