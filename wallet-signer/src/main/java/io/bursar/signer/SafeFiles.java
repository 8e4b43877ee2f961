package io.bursar.signer;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.EnumSet;
import java.util.Set;

/** Files that only their owner may touch, and that are on the disk, name and all, when a method returns. */
final class SafeFiles {
  private static final Set<PosixFilePermission> OWNER_ONLY = PosixFilePermissions.fromString("rw-------");
  private static final FileAttribute<Set<PosixFilePermission>> FILE_MODE = PosixFilePermissions
      .asFileAttribute(OWNER_ONLY);
  private static final FileAttribute<Set<PosixFilePermission>> DIRECTORY_MODE = PosixFilePermissions
      .asFileAttribute(PosixFilePermissions.fromString("rwx------"));
  private static final Set<PosixFilePermission> OTHERS_WRITE = EnumSet.of(PosixFilePermission.GROUP_WRITE,
      PosixFilePermission.OTHERS_WRITE);

  private SafeFiles() {}

  /** Makes a directory of mode 0700 and its missing parents, or checks that nobody else may write to the one there. */
  static void makeDirectory(Path directory) throws IOException {
    if (!Files.isDirectory(directory)) {
      Files.createDirectories(directory, DIRECTORY_MODE);
    }
    var mode = Files.getPosixFilePermissions(directory);
    if (mode.stream().anyMatch(OTHERS_WRITE::contains)) {
      throw new IOException("the directory `" + directory + "` has the mode " + PosixFilePermissions.toString(mode)
          + ", which lets others write to it; use a directory of its own with mode 0700");
    }
  }

  /** Opens a file for reading and writing, made with mode 0600 if it is not there. */
  static FileChannel open(Path file) throws IOException {
    return FileChannel.open(file,
        Set.of(StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.CREATE), FILE_MODE);
  }

  /** Writes a new file of mode 0600. Fails if there is one. */
  static void create(Path file, byte[] bytes) throws IOException {
    write(file, bytes);
    syncDirectory(file);
  }

  /** Puts a file of mode 0600 in the place of what was there, so that a reader sees the old one or the new one. */
  static void replace(Path file, byte[] bytes) throws IOException {
    replaceUnsynced(file, bytes);
    syncDirectory(file);
  }

  /** The same, for many files of a directory: after a power cut it is the old file or the new one, until {@link #syncDirectory}. */
  static void replaceUnsynced(Path file, byte[] bytes) throws IOException {
    var temporary = file.resolveSibling("." + file.getFileName() + ".new");
    Files.deleteIfExists(temporary);
    write(temporary, bytes);
    Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE);
  }

  /**
   * Reads a small file that only its owner may read.
   *
   * @throws IOException if there is none, it is longer than {@code most} bytes, or its mode lets others read it
   */
  static byte[] readSecret(Path file, int most) throws IOException {
    var mode = Files.getPosixFilePermissions(file);
    var foreign = EnumSet.copyOf(mode);
    foreign.removeAll(EnumSet.of(PosixFilePermission.OWNER_READ, PosixFilePermission.OWNER_WRITE));
    if (!foreign.isEmpty()) {
      throw new IOException("the file `" + file + "` has the mode " + PosixFilePermissions.toString(mode)
          + "; a secret must have mode 0600");
    }
    return read(file, most);
  }

  /** Reads a file of at most {@code most} bytes. */
  static byte[] read(Path file, int most) throws IOException {
    try (var in = Files.newInputStream(file)) {
      var bytes = in.readNBytes(most + 1);
      if (bytes.length > most) {
        throw new IOException("the file `" + file + "` has more than " + most + " bytes");
      }
      return bytes;
    }
  }

  /** Makes the names in a file's directory durable. */
  static void syncDirectory(Path file) throws IOException {
    var directory = file.toAbsolutePath().getParent();
    if (directory != null) {
      try (var channel = FileChannel.open(directory, StandardOpenOption.READ)) {
        channel.force(true);
      }
    }
  }

  private static void write(Path file, byte[] bytes) throws IOException {
    try (var out = FileChannel.open(file, Set.of(StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW),
        FILE_MODE)) {
      // The umask can only take rights away from what open(2) is given, but be exact.
      Files.setPosixFilePermissions(file, OWNER_ONLY);
      var buffer = ByteBuffer.wrap(bytes);
      while (buffer.hasRemaining()) {
        out.write(buffer);
      }
      out.force(true);
    }
  }
}
