package io.bursar.verify;

import java.io.IOException;
import java.util.Optional;

/**
 * Where the files of a log are read from, by their C2SP tlog-tiles paths. Nothing that it answers is believed. It is asked by
 * several threads at once.
 */
@FunctionalInterface
public interface LogSource {
  /**
   * One file.
   *
   * @param path such as {@code checkpoint} or {@code tile/0/x001/234}
   * @param bytesMax a longer file is an error
   * @return empty if there is no such file
   * @throws IOException if it cannot be read, which says nothing about the log
   */
  Optional<byte[]> read(String path, int bytesMax) throws IOException;
}
