package io.bursar.store.log;

import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.stream.IntStream;

import io.bursar.log.EntryBundle;
import io.bursar.log.Proofs;
import io.bursar.log.Tile;
import io.bursar.log.TileHashes;
import io.bursar.log.TilePath;
import io.bursar.permit.Digest32;
import io.bursar.store.Database;

/**
 * Every tile and bundle of a tenant's log as of one state: full ones from their files, partial ones of level 0 from the entries, and
 * those above from the state. A partial tile is so never stored, and never missing.
 */
final class LogTiles {
  private final Database database;
  private final TileStore files;
  private final UUID tenantId;
  private final LogState state;

  LogTiles(Database database, TileStore files, UUID tenantId, LogState state) {
    this.database = database;
    this.files = files;
    this.tenantId = tenantId;
    this.state = state;
  }

  /** Makes proofs for a size up to that of the state. */
  Proofs proofs(long size) {
    return new Proofs(new TileHashes(size, this::present));
  }

  /** A tile or bundle that the log has. */
  byte[] present(TilePath path) {
    return read(path).orElseThrow(() -> new IllegalStateException("`" + path.text() + "` is missing"));
  }

  /** A tile or bundle, or nothing if the log is not that long. */
  Optional<byte[]> read(TilePath path) {
    long full = TilePath.fullTiles(path.level(), state.size());
    if (path.index() < full) {
      return Optional.of(cut(readFull(new TilePath(path.level(), path.index(), TilePath.FULL)), path));
    }
    if (path.index() > full || path.width() > TilePath.partialWidth(path.level(), state.size())) {
      return Optional.empty();
    }
    return Optional.of(path.level() > 0
        ? Tile.of(state.upper().get(path.level() - 1).subList(0, path.width())).bytes()
        : derive(path));
  }

  /** From its file; if that was lost, or written on another machine, made again. */
  private byte[] readFull(TilePath path) {
    try {
      var present = files.read(tenantId, path);
      if (present.isPresent()) {
        return present.get();
      }
      var again = derive(path);
      files.write(tenantId, List.of(new TileStore.Written(path, again)));
      return again;
    } catch (IOException | TileStore.Conflict e) {
      throw new IllegalStateException("`" + path.text() + "` can neither be read nor made again", e);
    }
  }

  private byte[] derive(TilePath path) {
    return switch (path.level()) {
      case TilePath.ENTRIES -> EntryBundle.encode(rows("payload", path));
      case 0 -> Tile.of(rows("leaf_hash", path).stream().map(Digest32::of).toList()).bytes();
      default -> Tile.of(IntStream.range(0, TilePath.FULL).mapToObj(i -> {
        var below = new TilePath(path.level() - 1, path.index() * TilePath.FULL + i, TilePath.FULL);
        return Tile.of(readFull(below), TilePath.FULL).root(TilePath.HEIGHT, 0);
      }).toList()).bytes();
    };
  }

  private static byte[] cut(byte[] full, TilePath path) {
    if (path.isFull()) {
      return full;
    }
    return path.isEntries()
        ? EntryBundle.encode(EntryBundle.decode(full, TilePath.FULL).subList(0, path.width()))
        : Arrays.copyOf(full, path.width() * Digest32.BYTES);
  }

  private List<byte[]> rows(String column, TilePath path) {
    long first = path.index() * TilePath.FULL;
    var rows = database.sql().sql("SELECT " + column + """
         FROM audit_entry WHERE tenant_id = :tenant AND seq > :first AND seq <= :last ORDER BY seq
        """).param("tenant", tenantId).param("first", first).param("last", first + path.width())
        .query((row, n) -> row.getBytes(1)).list();
    if (rows.size() != path.width()) {
      throw new IllegalStateException("entries from " + first + " on are missing");
    }
    return rows;
  }
}
