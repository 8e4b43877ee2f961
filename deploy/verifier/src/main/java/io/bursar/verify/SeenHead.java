package io.bursar.verify;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Objects;
import java.util.Optional;

import io.bursar.log.SignedNote;

/** A file with the last head that was checked: the signed note itself, so that it can be shown to anyone. */
record SeenHead(Path file) {
  private static final long BYTES_MAX = 64 * 1024;

  /** Empty before the first check. */
  Optional<SignedNote> read() throws IOException {
    if (!Files.exists(file)) {
      return Optional.empty();
    }
    if (Files.size(file) > BYTES_MAX) {
      throw new IOException("`" + file + "` is no checkpoint, name another file for the state");
    }
    try {
      return Optional.of(SignedNote.parse(Files.readAllBytes(file)));
    } catch (IllegalArgumentException e) {
      throw new IOException("`" + file + "` is no checkpoint: " + e.getMessage() + "; name another file for the state");
    }
  }

  /** Whole or not at all, and durable. */
  void write(SignedNote note) throws IOException {
    var fresh = file.resolveSibling(file.getFileName() + ".new");
    try (var channel = FileChannel.open(fresh, StandardOpenOption.CREATE, StandardOpenOption.WRITE,
        StandardOpenOption.TRUNCATE_EXISTING)) {
      var bytes = java.nio.ByteBuffer.wrap(note.encode());
      while (bytes.hasRemaining()) {
        channel.write(bytes);
      }
      channel.force(true);
    }
    Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    // A rename is durable once its directory is.
    try (var directory = FileChannel.open(Objects.requireNonNull(file.toAbsolutePath().getParent()),
        StandardOpenOption.READ)) {
      directory.force(true);
    }
  }
}
