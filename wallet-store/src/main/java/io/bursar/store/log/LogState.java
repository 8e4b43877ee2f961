package io.bursar.store.log;

import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.log.CompactRange;
import io.bursar.log.SignedNote;
import io.bursar.log.TilePath;
import io.bursar.permit.Digest32;
import io.bursar.store.Database;

/**
 * How far a tenant's log is, as its row says.
 *
 * @param size how many entries are in the tree
 * @param edge of the tree
 * @param upper the hashes of the partial tiles of levels 1, 2, …
 * @param checkpoint the signed head that is published, if any
 * @param checkpointSize its size; 0 if there is none
 * @param stopped why nothing goes on, if so
 * @param published whether anybody may read the log
 */
public record LogState(long size, List<Digest32> edge, List<List<Digest32>> upper, Optional<SignedNote> checkpoint,
    long checkpointSize, Optional<String> stopped, boolean published) {
  static final LogState NONE = new LogState(0, List.of(), List.of(), Optional.empty(), 0, Optional.empty(), false);

  /** The state of a tenant's log; that of an empty one if nothing was ever sequenced. */
  static LogState read(Database database, UUID tenantId) {
    return database.sql().sql("""
        SELECT size, edge, upper_tiles, checkpoint, checkpoint_size, stopped, published FROM log_state WHERE tenant_id = :tenant
        """).param("tenant", tenantId).query((row, n) -> of(row)).optional().orElse(NONE);
  }

  static LogState of(java.sql.ResultSet row) throws java.sql.SQLException {
    long size = row.getLong("size");
    byte @Nullable [] checkpoint = row.getBytes("checkpoint");
    return new LogState(size, hashes(row.getBytes("edge")), upper(size, hashes(row.getBytes("upper_tiles"))),
        checkpoint == null ? Optional.empty() : Optional.of(SignedNote.parse(checkpoint)),
        row.getLong("checkpoint_size"), Optional.ofNullable(row.getString("stopped")), row.getBoolean("published"));
  }

  private static List<Digest32> hashes(byte[] bytes) {
    var hashes = new ArrayList<Digest32>();
    for (int i = 0; i < bytes.length; i += Digest32.BYTES) {
      hashes.add(Digest32.of(Arrays.copyOfRange(bytes, i, i + Digest32.BYTES)));
    }
    return hashes;
  }

  /** How many hashes of a level are in its partial tile follows from the size. */
  private static List<List<Digest32>> upper(long size, List<Digest32> hashes) {
    var levels = new ArrayList<List<Digest32>>();
    int from = 0;
    for (int level = 1; from < hashes.size(); level++) {
      int width = TilePath.partialWidth(level, size);
      levels.add(hashes.subList(from, from + width));
      from += width;
    }
    return levels;
  }

  static byte[] bytes(List<Digest32> hashes) {
    var out = new ByteArrayOutputStream();
    hashes.forEach(hash -> out.writeBytes(hash.bytes()));
    return out.toByteArray();
  }

  CompactRange range() {
    return new CompactRange(size, edge);
  }
}
