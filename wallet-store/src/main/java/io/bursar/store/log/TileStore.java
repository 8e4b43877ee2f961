package io.bursar.store.log;

import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

import io.bursar.log.TilePath;

/** Keeps full tiles and full bundles, which are written once and never change. */
public interface TileStore {
  /** A tile and where it goes. */
  record Written(TilePath path, byte[] bytes) {}

  /** The bytes of a full tile, if it was written. */
  Optional<byte[]> read(UUID tenantId, TilePath path) throws IOException;

  /**
   * Writes full tiles; they are durable when this returns. Writing the same again does nothing.
   *
   * @throws Conflict if one is there already with other bytes
   */
  void write(UUID tenantId, List<Written> tiles) throws IOException, Conflict;

  /** A tile that should be written is there already, and says something else: there are two histories. */
  final class Conflict extends Exception {
    private static final long serialVersionUID = 1;

    Conflict(TilePath path) {
      super("`" + path.text() + "` was written before with other bytes");
    }
  }
}
