package io.bursar.store.embedded;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.Instant;
import java.util.HexFormat;
import java.util.Locale;

import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.apache.commons.compress.compressors.xz.XZCompressorInputStream;
import org.jspecify.annotations.Nullable;

/**
 * The server's programs, unpacked from the jar on the class path into a directory named for the SHA-256 of the archive, so that
 * every data directory of one user shares one copy and a new version never meets the files of an old one.
 */
final class PostgresBinaries {
  private static final Duration ABANDONED_AFTER = Duration.ofMinutes(10);
  private static final long MAX_UNPACKED_BYTES = 512L << 20;

  /** The digest of the archive on the class path, which does not change while this process runs. */
  private static volatile @Nullable String digest;

  private PostgresBinaries() {}

  /**
   * The installation directory (it holds {@code bin}), unpacked if it is not there yet.
   *
   * @param fallback used when the per-user cache cannot be: no home directory, not writable, or not ours alone
   */
  static Path unpacked(Path fallback) throws IOException {
    String archive = archiveName();
    String known = digest;
    if (known == null) {
      known = sha256(archive);
      digest = known;
    }
    String name = "pg-" + known.substring(0, 32);
    Path parent = PrivateFiles.userCache("postgres").orElse(fallback);
    PrivateFiles.createDirectories(parent);
    Path target = parent.resolve(name);
    if (!Files.isDirectory(target, LinkOption.NOFOLLOW_LINKS)) {
      removeAbandoned(parent);
      unpack(archive, parent, target);
    }
    return target;
  }

  private static String archiveName() throws IOException {
    String os = System.getProperty("os.name", "").toLowerCase(Locale.ROOT);
    String arch = System.getProperty("os.arch", "").toLowerCase(Locale.ROOT);
    if (os.equals("linux")) {
      switch (arch) {
        case "amd64", "x86_64" -> {
          return "/postgres-linux-x86_64.txz";
        }
        case "aarch64", "arm64" -> {
          return "/postgres-linux-arm_64.txz";
        }
        default -> {
          // refused below
        }
      }
    }
    throw new IOException(
        "no embedded PostgreSQL for `" + os + "/" + arch + "`, set `BURSAR_DB_URL` to use a server of your own");
  }

  private static InputStream open(String archive) throws IOException {
    InputStream in = PostgresBinaries.class.getResourceAsStream(archive);
    if (in == null) {
      throw new IOException("`" + archive + "` is not on the class path");
    }
    return in;
  }

  private static String sha256(String archive) throws IOException {
    try (var in = new DigestInputStream(open(archive), MessageDigest.getInstance("SHA-256"))) {
      byte[] buffer = new byte[1 << 16];
      while (in.read(buffer) >= 0) {
        // the stream digests as it is read
      }
      return HexFormat.of().formatHex(in.getMessageDigest().digest());
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  private static void unpack(String archive, Path parent, Path target) throws IOException {
    Path work = Files.createTempDirectory(parent, "unpacking-", PrivateFiles.DIRECTORY);
    try {
      try (var tar = new TarArchiveInputStream(
          new XZCompressorInputStream(new BufferedInputStream(open(archive), 1 << 16)))) {
        extractAll(tar, work);
      }
      Files.move(work, target, StandardCopyOption.ATOMIC_MOVE);
    } catch (FileAlreadyExistsException | DirectoryNotEmptyException e) {
      PrivateFiles.deleteTree(work); // another process was faster: same archive, same content
    } catch (AtomicMoveNotSupportedException e) {
      throw new IOException("`" + parent + "` does not support an atomic rename", e);
    } catch (IOException e) {
      PrivateFiles.deleteTree(work);
      if (!Files.isDirectory(target, LinkOption.NOFOLLOW_LINKS)) {
        throw e;
      }
    }
  }

  private static void extractAll(TarArchiveInputStream tar, Path root) throws IOException {
    long total = 0;
    for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
      Path path = inside(root, root.resolve(entry.getName()), entry.getName());
      total += entry.getSize();
      if (total > MAX_UNPACKED_BYTES) {
        throw new IOException("the archive unpacks to more than " + MAX_UNPACKED_BYTES + " bytes");
      }
      if (entry.isDirectory()) {
        PrivateFiles.createDirectories(path);
      } else if (entry.isSymbolicLink()) {
        PrivateFiles.createDirectories(parentOf(path));
        inside(root, parentOf(path).resolve(entry.getLinkName()), entry.getLinkName());
        Files.createSymbolicLink(path, Path.of(entry.getLinkName()));
      } else {
        PrivateFiles.createDirectories(parentOf(path));
        Files.copy(tar, path);
        boolean executable = (entry.getMode() & 0100) != 0;
        Files.setPosixFilePermissions(path, PosixFilePermissions.fromString(executable ? "rwx------" : "rw-------"));
      }
    }
  }

  private static Path inside(Path root, Path path, String name) throws IOException {
    Path normal = path.normalize();
    if (!normal.startsWith(root)) {
      throw new IOException("archive entry `" + name + "` points outside of its directory");
    }
    return normal;
  }

  private static Path parentOf(Path path) throws IOException {
    Path parent = path.getParent();
    if (parent == null) {
      throw new IOException("`" + path + "` has no parent directory");
    }
    return parent;
  }

  /** A process that was killed while it unpacked leaves its work behind; nobody else would ever remove it. */
  private static void removeAbandoned(Path parent) throws IOException {
    FileTime limit = FileTime.from(Instant.now().minus(ABANDONED_AFTER));
    try (var entries = Files.newDirectoryStream(parent, "unpacking-*")) {
      for (Path entry : entries) {
        if (Files.getLastModifiedTime(entry, LinkOption.NOFOLLOW_LINKS).compareTo(limit) < 0) {
          PrivateFiles.deleteTree(entry);
        }
      }
    }
  }
}
