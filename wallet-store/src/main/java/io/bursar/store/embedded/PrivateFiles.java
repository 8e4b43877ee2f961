package io.bursar.store.embedded;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.util.Base64;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

import org.jspecify.annotations.Nullable;

/** Files and directories that only their owner may read: 0600 and 0700, checked as well as set. */
final class PrivateFiles {
  static final FileAttribute<Set<PosixFilePermission>> DIRECTORY = PosixFilePermissions.asFileAttribute(
      PosixFilePermissions.fromString("rwx------"));
  static final FileAttribute<Set<PosixFilePermission>> FILE = PosixFilePermissions.asFileAttribute(
      PosixFilePermissions.fromString("rw-------"));
  private static final int MAX_SMALL_FILE = 4096;

  private PrivateFiles() {}

  /** Creates what is missing with mode 0700; refuses a directory that belongs to somebody else, and narrows one that others may enter. */
  static void createDirectories(Path directory) throws IOException {
    Files.createDirectories(directory, DIRECTORY);
    requireOwned(directory);
    Set<PosixFilePermission> owner = PosixFilePermissions.fromString("rwx------");
    if (!Files.getPosixFilePermissions(directory).equals(owner)) {
      Files.setPosixFilePermissions(directory, owner);
    }
  }

  /** A directory for what all installations of this user share and any of them can make again; empty if there can be none. */
  static Optional<Path> userCache(String name) {
    String configured = System.getenv("XDG_CACHE_HOME");
    Path base = configured != null && configured.startsWith("/")
        ? Path.of(configured)
        : Path.of(System.getProperty("user.home", "?")).resolve(".cache");
    if (!base.isAbsolute()) {
      return Optional.empty();
    }
    try {
      Path directory = base.resolve("bursar").resolve(name);
      Files.createDirectories(base);
      createDirectories(base.resolve("bursar"));
      createDirectories(directory);
      return Files.isWritable(directory) ? Optional.of(directory) : Optional.empty();
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  private static void requireOwned(Path directory) throws IOException {
    Object owner = Files.getAttribute(directory, "unix:uid", LinkOption.NOFOLLOW_LINKS);
    if (!owner.equals(processUser()) || !Files.isDirectory(directory, LinkOption.NOFOLLOW_LINKS)) {
      throw new IOException("`" + directory + "` must be a directory of the user who runs this, and is not");
    }
  }

  /** The user id of this process: the owner of its own entry under /proc. */
  static Object processUser() throws IOException {
    return Files.getAttribute(Path.of("/proc/self").toRealPath(), "unix:uid");
  }

  /** The random text kept in a file, made the first time: 32 bytes in URL-safe Base64, so it needs no quoting anywhere. */
  static String secret(Path file) throws IOException {
    Optional<String> kept = read(file);
    if (kept.isPresent() && !kept.get().isEmpty()) {
      return kept.get();
    }
    byte[] bytes = new byte[32];
    new SecureRandom().nextBytes(bytes);
    String secret = Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    write(file, secret);
    return secret;
  }

  /** The first line of a small file, or empty if there is no such file. */
  static Optional<String> read(Path file) throws IOException {
    try (var in = Files.newInputStream(file, LinkOption.NOFOLLOW_LINKS)) {
      return Optional
          .of(new String(in.readNBytes(MAX_SMALL_FILE), StandardCharsets.UTF_8).lines().findFirst().orElse("").strip());
    } catch (NoSuchFileException e) {
      return Optional.empty();
    }
  }

  /** Replaces a file with one line, mode 0600: a reader sees the old content or the new, also after a crash. */
  static void write(Path file, String line) throws IOException {
    Path work = file.resolveSibling(file.getFileName() + ".new");
    Files.deleteIfExists(work);
    try (var out = FileChannel.open(work, Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE), FILE)) {
      ByteBuffer bytes = StandardCharsets.UTF_8.encode(line + "\n");
      while (bytes.hasRemaining()) {
        out.write(bytes);
      }
      out.force(true);
    }
    Files.move(work, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    syncDirectory(Objects.requireNonNull(file.toAbsolutePath().getParent()));
  }

  /** Makes a rename inside a directory survive a power cut. */
  static void syncDirectory(Path directory) throws IOException {
    try (var channel = FileChannel.open(directory, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }

  /** Removes a directory and everything below it, following no link; nothing there is fine. */
  static void deleteTree(Path root) throws IOException {
    if (!Files.exists(root, LinkOption.NOFOLLOW_LINKS)) {
      return;
    }
    Files.walkFileTree(root, new SimpleFileVisitor<>() {
      @Override
      public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
        Files.deleteIfExists(file);
        return FileVisitResult.CONTINUE;
      }

      @Override
      public FileVisitResult postVisitDirectory(Path directory, @Nullable IOException failure)
          throws IOException {
        if (failure != null) {
          throw failure;
        }
        Files.deleteIfExists(directory);
        return FileVisitResult.CONTINUE;
      }
    });
  }
}
