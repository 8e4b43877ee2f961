package io.bursar.verify;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** A log in a folder: its files under their paths, as a mirror or an evidence pack has them. */
public final class FolderLog implements LogSource {
  private final Path folder;

  public FolderLog(Path folder) {
    this.folder = folder;
  }

  @Override
  public Optional<byte[]> read(String path, int bytesMax) throws IOException {
    var file = folder.resolve(path);
    if (!Files.isRegularFile(file)) {
      return Optional.empty();
    }
    if (Files.size(file) > bytesMax) {
      throw new IOException("`" + path + "` has more than " + bytesMax + " bytes");
    }
    return Optional.of(Files.readAllBytes(file));
  }
}
