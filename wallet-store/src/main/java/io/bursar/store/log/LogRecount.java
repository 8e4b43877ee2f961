package io.bursar.store.log;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;

import io.bursar.log.Checkpoint;
import io.bursar.log.TilePath;
import io.bursar.permit.Digest32;
import io.bursar.store.Database;

/**
 * Makes a tenant's log again from its entries, as far as its signed head goes, and holds what comes out against the tiles and
 * bundles that are kept, and against the root that was signed. It holds up nobody. Tiles that were lost are no difference:
 * they are made again when somebody asks for them.
 */
final class LogRecount {
  /** More differences than this are not listed. */
  private static final int DIFFERENCES_MAX = 100;

  private static final int PAGE = 8 * TilePath.FULL;

  private final Database database;
  private final TileStore files;

  LogRecount(Database database, TileStore files) {
    this.database = database;
    this.files = files;
  }

  /** One line for each difference; there should be none. */
  List<String> differences(UUID tenantId) {
    var head = LogState.read(database, tenantId);
    var differences = new ArrayList<String>();
    if (head.checkpoint().isEmpty()) {
      return differences;
    }
    var made = LogState.NONE;
    while (made.size() < head.checkpointSize()) {
      int wanted = (int) Math.min(PAGE, head.checkpointSize() - made.size());
      var entries = entries(tenantId, made.size(), wanted);
      if (entries.size() < wanted) {
        differences.add("a head of " + head.checkpointSize() + " entries was signed, and after the first "
            + (made.size() + entries.size()) + " they are missing");
        return differences;
      }
      var grown = grown(made, entries);
      for (var tile : grown.completed()) {
        compare(tenantId, tile, differences);
      }
      made = grown.state();
    }
    if (!made.range().root().equals(Checkpoint.parse(head.checkpoint().get().text()).root())) {
      differences.add("the entries do not lead to the root that was signed for " + head.checkpointSize() + " entries");
    }
    return differences;
  }

  private static Growth grown(LogState made, List<byte[]> entries) {
    var growth = new Growth(made, List.of()); // every page begins where a tile does
    try {
      for (var entry : entries) {
        growth.append(entry);
      }
      return growth;
    } catch (Growth.Rewritten e) {
      throw new IllegalStateException("a tree that was just made contradicts itself", e);
    }
  }

  private List<byte[]> entries(UUID tenantId, long after, int most) {
    return database.reading().sql("""
        SELECT payload FROM audit_entry WHERE tenant_id = :tenant AND seq > :after AND seq <= :last ORDER BY seq
        """).param("tenant", tenantId).param("after", after).param("last", after + most)
        .query((row, n) -> row.getBytes("payload")).list();
  }

  private void compare(UUID tenantId, TileStore.Written made, List<String> differences) {
    try {
      var kept = files.read(tenantId, made.path());
      int at = kept.isEmpty() ? -1 : Arrays.mismatch(kept.get(), made.bytes());
      if (at >= 0 && differences.size() < DIFFERENCES_MAX) {
        differences.add(made.path().level() == 0
            ? "entry " + (made.path().index() * TilePath.FULL + at / Digest32.BYTES + 1)
                + " of the record is not what `" + made.path().text() + "` of the log says"
            : "`" + made.path().text() + "` of the log is not what the record leads to");
      }
    } catch (IOException e) {
      throw new IllegalStateException("`" + made.path().text() + "` of the log cannot be read", e);
    }
  }
}
