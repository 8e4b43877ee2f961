package io.bursar.store.log;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;

import io.bursar.log.TilePath;
import io.bursar.spend.Id;

/**
 * Tiles as files, laid out as C2SP tlog-tiles has them, in a directory for each tenant: a copy of it can be served as it is. A file
 * appears whole or not at all: written beside, synced, renamed, and the directory synced.
 */
public final class TileFiles implements TileStore {
  private static final int WRITERS = 8;
  private static final int BYTES_MAX = 256 * (2 + 0xffff);

  private final Path directory;

  public TileFiles(Path directory) {
    this.directory = directory;
  }

  @Override
  public Optional<byte[]> read(UUID tenantId, TilePath path) throws IOException {
    try (var in = Files.newInputStream(file(tenantId, path))) {
      return Optional.of(in.readNBytes(BYTES_MAX));
    } catch (NoSuchFileException absent) {
      return Optional.empty();
    }
  }

  /** Files are synced several at a time: a disk does that hardly slower than one after the other does one. */
  @Override
  public void write(UUID tenantId, List<Written> tiles) throws IOException, Conflict {
    Set<Path> changed = new LinkedHashSet<>();
    var missing = new ArrayList<Callable<Path>>();
    for (var tile : tiles) {
      var present = read(tenantId, tile.path());
      if (present.isPresent()) {
        if (!Arrays.equals(present.get(), tile.bytes())) {
          throw new Conflict(tile.path());
        }
        continue;
      }
      var file = file(tenantId, tile.path());
      makeDirectories(parent(file), changed);
      changed.add(parent(file));
      missing.add(() -> writeWhole(file, tile.bytes()));
    }
    if (!missing.isEmpty()) {
      writeAll(missing);
    }
    for (var parent : changed) {
      sync(parent);
    }
  }

  private static void writeAll(List<Callable<Path>> files) throws IOException {
    try (var writers = Executors.newFixedThreadPool(Math.min(WRITERS, files.size()))) {
      for (var written : writers.invokeAll(files)) {
        written.get();
      }
    } catch (ExecutionException e) {
      throw e.getCause() instanceof IOException failed ? failed : new IOException(e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }

  private static Path writeWhole(Path file, byte[] bytes) throws IOException {
    var beside = file.resolveSibling("." + file.getFileName() + "." + UUID.randomUUID());
    writeSynced(beside, bytes);
    return Files.move(beside, file, StandardCopyOption.ATOMIC_MOVE);
  }

  private Path file(UUID tenantId, TilePath path) {
    return directory.resolve(Id.TENANT.text(tenantId)).resolve(path.text());
  }

  private static void makeDirectories(Path wanted, Set<Path> changed) throws IOException {
    if (!Files.isDirectory(wanted)) {
      makeDirectories(parent(wanted), changed);
      try {
        Files.createDirectory(wanted);
      } catch (java.nio.file.FileAlreadyExistsException byAnother) {
        // another process that sequences the same log
      }
      changed.add(parent(wanted));
    }
  }

  private static Path parent(Path path) {
    return java.util.Objects.requireNonNull(path.toAbsolutePath().getParent());
  }

  private static void writeSynced(Path file, byte[] bytes) throws IOException {
    try (var out = FileChannel.open(file, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW)) {
      var buffer = ByteBuffer.wrap(bytes);
      while (buffer.hasRemaining()) {
        out.write(buffer);
      }
      out.force(true);
    }
  }

  private static void sync(Path directory) throws IOException {
    try (var channel = FileChannel.open(directory, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }
}
