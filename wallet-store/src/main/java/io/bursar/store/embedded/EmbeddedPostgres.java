package io.bursar.store.embedded;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.SecureRandom;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.regex.Pattern;

import org.jspecify.annotations.Nullable;

import io.bursar.store.Migrations;

/**
 * A PostgreSQL 18 server that belongs to one data directory and to the JVM that started it.
 *
 * <p>It is durable ({@code fsync} and {@code synchronous_commit} on, data checksums), takes connections on the loopback address
 * alone, and only with a password by SCRAM-SHA-256. Below {@code home} it keeps {@code postgres/data}, {@code postgres/port},
 * {@code postgres/*.password} (mode 0600 in directories of mode 0700) and {@code logs/postgres.log}. It stops when
 * {@link #close()} is called and when this JVM ends in any other way, {@code kill -9} included.
 */
public final class EmbeddedPostgres implements AutoCloseable {
  /** The one database of an installation. */
  public static final String DATABASE = "bursar";
  private static final String ADMIN = "bursar_admin";
  private static final String API_LOGIN = "bursar_api";
  private static final String API_ROLE = "bursar_app";
  private static final Pattern ROLE_NAME = Pattern.compile("[a-z_][a-z0-9_]{0,62}");
  private static final Duration START_LIMIT = Duration.ofMinutes(5);
  private static final Duration QUICK_END = Duration.ofSeconds(10);
  private static final int PORT_ATTEMPTS = 20;
  /** Below the range that Linux gives to outgoing connections, or one of those could take the port while the server restarts. */
  private static final int FIRST_PORT = 15432;
  private static final int LAST_PORT = 31999;

  private final Postmaster postmaster;
  private final FileChannel lock;
  private final Path directory;
  private final int port;
  private final String adminPassword;
  private final AtomicBoolean closing = new AtomicBoolean();

  private EmbeddedPostgres(Postmaster postmaster, FileChannel lock, Path directory, int port, String adminPassword) {
    this.postmaster = postmaster;
    this.lock = lock;
    this.directory = directory;
    this.port = port;
    this.adminPassword = adminPassword;
  }

  /**
   * What an operator may want to change. Everything else is fixed.
   *
   * @param sharedBuffersMb PostgreSQL's page cache in MiB, 16 to 65536
   * @param minWalMb write-ahead log kept for reuse in MiB, 80 to {@code maxWalMb}; set to {@code maxWalMb}, segments are never
   *          zero-filled under load
   * @param maxWalMb write-ahead log in MiB after which a checkpoint is due, up to 65536
   * @param maxConnections 10 to 1000
   */
  public record Options(int sharedBuffersMb, int minWalMb, int maxWalMb, int maxConnections) {
    /** For a development machine: 256 MiB of cache, 256 MiB to 1 GiB of log, 100 connections. */
    public static final Options DEFAULT = new Options(256, 256, 1024, 100);

    public Options {
      requireRange("BURSAR_DB_SHARED_BUFFERS_MB", sharedBuffersMb, 16, 65536);
      requireRange("BURSAR_DB_MAX_WAL_MB", maxWalMb, 80, 65536);
      requireRange("BURSAR_DB_MIN_WAL_MB", minWalMb, 80, maxWalMb);
      requireRange("BURSAR_DB_MAX_CONNECTIONS", maxConnections, 10, 1000);
    }

    /** The defaults, changed by {@code BURSAR_DB_SHARED_BUFFERS_MB}, {@code _MIN_WAL_MB}, {@code _MAX_WAL_MB}, {@code _MAX_CONNECTIONS}. */
    public static Options fromEnvironment(Map<String, String> env) {
      return new Options(number(env, "BURSAR_DB_SHARED_BUFFERS_MB", DEFAULT.sharedBuffersMb),
          number(env, "BURSAR_DB_MIN_WAL_MB", DEFAULT.minWalMb),
          number(env, "BURSAR_DB_MAX_WAL_MB", DEFAULT.maxWalMb),
          number(env, "BURSAR_DB_MAX_CONNECTIONS", DEFAULT.maxConnections));
    }

    private static int number(Map<String, String> env, String name, int otherwise) {
      String text = env.get(name);
      if (text == null || text.isEmpty()) {
        return otherwise;
      }
      try {
        return Integer.parseInt(text);
      } catch (NumberFormatException e) {
        throw new IllegalArgumentException("`" + name + "` is `" + text + "`, give a whole number", e);
      }
    }

    private static void requireRange(String name, int value, int least, int most) {
      if (value < least || value > most) {
        throw new IllegalArgumentException(
            "`" + name + "` is " + value + ", give a number from " + least + " to " + most);
      }
    }
  }

  /** A role that may log in. Its text form hides the password. */
  public record Login(String user, String password) {
    @Override
    public String toString() {
      return "Login[user=" + user + ", password=REDACTED]";
    }
  }

  /**
   * Prepares the directory if it is new and starts the server; returns when it takes connections. An unfinished first preparation
   * is started over, and a server left by a killed process is stopped first.
   *
   * @param home the installation's data directory, made if missing
   * @throws IOException if the server cannot be started, or another process runs the server of this directory
   */
  public static EmbeddedPostgres start(Path home, Options options) throws IOException {
    Files.createDirectories(home, PrivateFiles.DIRECTORY);
    Path root = home.toRealPath();
    Path directory = root.resolve("postgres");
    PrivateFiles.createDirectories(directory);
    PrivateFiles.createDirectories(root.resolve("logs"));
    FileChannel lock = lock(directory);
    try {
      Path log = root.resolve("logs").resolve("postgres.log");
      if (!Files.exists(log, LinkOption.NOFOLLOW_LINKS)) {
        Files.createFile(log, PrivateFiles.FILE);
      }
      Path binaries = PostgresBinaries.unpacked(directory.resolve("server"));
      String adminPassword = PrivateFiles.secret(directory.resolve(ADMIN + ".password"));
      prepare(binaries, directory, log);
      Postmaster.stopLeftover(directory.resolve("data"));
      for (int attempt = 0; attempt < PORT_ATTEMPTS; attempt++) {
        int port = choosePort(directory.resolve("port"));
        Postmaster postmaster = Postmaster.hold(serverCommand(binaries, directory, port, options),
            directory.resolve("data"), log);
        if (ready(postmaster)) {
          return new EmbeddedPostgres(postmaster, lock, directory, port, adminPassword);
        }
        if (isFree(port)) { // not a matter of the port, so another one would not help
          throw new IOException("PostgreSQL did not start, see `" + log + "`: " + Postmaster.tail(log));
        }
      }
      throw new IOException("no free port from " + FIRST_PORT + " to " + LAST_PORT);
    } catch (IOException | RuntimeException e) {
      lock.close();
      throw e;
    }
  }

  private static boolean ready(Postmaster postmaster) throws IOException {
    try {
      return postmaster.awaitReady(START_LIMIT);
    } catch (IOException e) {
      postmaster.stop();
      throw e;
    }
  }

  private static FileChannel lock(Path directory) throws IOException {
    FileChannel channel = FileChannel.open(directory.resolve("lock"),
        Set.of(StandardOpenOption.CREATE, StandardOpenOption.WRITE), PrivateFiles.FILE);
    try {
      if (channel.tryLock() != null) {
        return channel;
      }
    } catch (OverlappingFileLockException e) {
      // held by this very JVM: the same answer
    }
    channel.close();
    throw new IOException("another process runs the PostgreSQL of `" + directory + "`, stop it first");
  }

  /** Makes {@code data} under another name and renames it when it is whole: what was interrupted is found and thrown away. */
  private static void prepare(Path binaries, Path directory, Path log) throws IOException {
    Path data = directory.resolve("data");
    if (Files.isDirectory(data, LinkOption.NOFOLLOW_LINKS)) {
      return;
    }
    Path work = directory.resolve("data.new");
    PrivateFiles.deleteTree(work);
    String failure = "cannot prepare PostgreSQL in `" + directory + "`";
    Postmaster
        .run(List.of(binaries + "/bin/initdb", "-D", work.toString(), "-U", ADMIN, "-A", "scram-sha-256", "--pwfile="
            + directory.resolve(ADMIN + ".password"), "-E", "UTF8", "--no-locale", "--data-checksums"), log, failure);
    // Single-user mode takes one statement a line. Temporary tables are DDL too, and not for the application.
    Path statements = directory.resolve("create.sql");
    PrivateFiles.write(statements, """
                                   CREATE DATABASE %1$s
                                   REVOKE TEMPORARY ON DATABASE %1$s FROM PUBLIC""".formatted(DATABASE));
    Postmaster.run(List.of("sh", "-c", "exec \"$0\" --single -c exit_on_error=true -D \"$1\" postgres <\"$2\"",
        binaries + "/bin/postgres", work.toString(), statements.toString()), log, failure);
    Files.delete(statements);
    Files.move(work, data, StandardCopyOption.ATOMIC_MOVE);
    PrivateFiles.syncDirectory(directory);
  }

  private static List<String> serverCommand(Path binaries, Path directory, int port, Options options) {
    return List.of(binaries + "/bin/postgres", "-D", directory.resolve("data").toString(), "-p", Integer.toString(port),
        "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
        "-c", "fsync=on", "-c", "full_page_writes=on", "-c", "synchronous_commit=on", "-c", "wal_level=replica",
        // After a crash one syncfs instead of an fsync for each of a thousand files: 0.3 s instead of up to 2.4 s.
        "-c", "recovery_init_sync_method=syncfs",
        "-c", "shared_buffers=" + options.sharedBuffersMb() + "MB",
        "-c", "min_wal_size=" + options.minWalMb() + "MB",
        "-c", "max_wal_size=" + options.maxWalMb() + "MB",
        "-c", "max_connections=" + options.maxConnections(),
        "-c", "password_encryption=scram-sha-256",
        "-c", "timezone=UTC", "-c", "log_timezone=UTC", "-c", "log_line_prefix=%m [%p] ",
        // A replayed key is a unique violation and no news: neither statements nor the values in them belong in the log.
        "-c", "log_statement=none", "-c", "log_min_error_statement=panic", "-c", "log_error_verbosity=terse");
  }

  /** The port of the last start, or another one (kept from then on) if that one is taken now. */
  private static int choosePort(Path file) throws IOException {
    String kept = PrivateFiles.read(file).orElse("");
    if (kept.matches("[0-9]{4,5}") && isFree(Integer.parseInt(kept))) {
      return Integer.parseInt(kept);
    }
    SecureRandom random = new SecureRandom();
    for (int attempt = 0; attempt < PORT_ATTEMPTS; attempt++) {
      int port = random.nextInt(FIRST_PORT, LAST_PORT + 1);
      if (isFree(port)) {
        PrivateFiles.write(file, Integer.toString(port));
        return port;
      }
    }
    throw new IOException("no free port from " + FIRST_PORT + " to " + LAST_PORT);
  }

  private static boolean isFree(int port) {
    try (var socket = new ServerSocket()) {
      socket.setReuseAddress(true); // as PostgreSQL does: connections that are just closing do not count
      socket.bind(new InetSocketAddress(InetAddress.getByAddress(new byte[]{127, 0, 0, 1}), port));
      return true;
    } catch (IOException e) {
      return false;
    }
  }

  /** The database {@value #DATABASE} on this server, without user and password. */
  public String jdbcUrl() {
    return "jdbc:postgresql://127.0.0.1:" + port + "/" + DATABASE;
  }

  /** The port on 127.0.0.1. */
  public int port() {
    return port;
  }

  /** The superuser: for migrations and for making logins, never for the API. */
  public String adminUser() {
    return ADMIN;
  }

  /** The superuser's password, as kept in {@code postgres/bursar_admin.password}. */
  public String adminPassword() {
    return adminPassword;
  }

  /** The process id of the server. */
  public long pid() throws IOException {
    return Postmaster.postmaster(directory.resolve("data"))
        .orElseThrow(() -> new IOException("PostgreSQL does not run"));
  }

  public boolean isAlive() {
    return postmaster.isAlive();
  }

  /**
   * Makes a role that may log in and has exactly the rights of another one. Its random password is made once and kept in
   * {@code postgres/<name>.password}; asking again for the same name gives the same login.
   *
   * @param name lower-case letters, digits and underscores
   * @param memberOf an existing role
   */
  public Login createLogin(String name, String memberOf) throws SQLException, IOException {
    requireRoleName(name);
    requireRoleName(memberOf);
    String password = PrivateFiles.secret(directory.resolve(name + ".password"));
    try (Connection connection = DriverManager.getConnection(jdbcUrl(), ADMIN, adminPassword);
        var statement = connection.createStatement()) {
      boolean exists;
      try (var rows = statement.executeQuery("SELECT FROM pg_roles WHERE rolname = '" + name + "'")) {
        exists = rows.next();
      }
      if (!exists) {
        statement
            .execute("CREATE ROLE " + name + " NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS LOGIN");
      }
      // URL-safe Base64 needs no quoting, and the server logs no statement, not even one that fails.
      statement.execute("ALTER ROLE " + name + " PASSWORD '" + password + "'");
      statement.execute("GRANT " + memberOf + " TO " + name);
    }
    return new Login(name, password);
  }

  private static void requireRoleName(String name) {
    if (!ROLE_NAME.matcher(name).matches()) {
      throw new IllegalArgumentException("role name `" + name + "` must match " + ROLE_NAME);
    }
  }

  /** Waits until the server ends, by {@link #close()} or by itself. */
  public void awaitExit() throws InterruptedException {
    var _ = postmaster.awaitExit();
  }

  /** Stops the server: open transactions are rolled back. Nothing happens the second time. */
  @Override
  public void close() throws IOException {
    if (closing.compareAndSet(false, true)) {
      try (lock) {
        postmaster.stop();
      }
    }
  }

  /**
   * Runs the server of {@code --home DIR} as a service: prepares, starts, migrates, makes the API's login, prints {@code ready} and
   * waits. A server that ends by itself is started again at once. Exit code 1 if it could not be started, 3 if it ended within
   * seconds of its start, so that a supervisor can try again more slowly.
   */
  public static void main(String[] args) {
    if (args.length != 2 || !args[0].equals("--home") || args[1].isEmpty()) {
      System.err.println("usage: EmbeddedPostgres --home DIR");
      System.exit(2);
    }
    System.exit(serve(Path.of(args[1])));
  }

  private static int serve(Path home) {
    var current = new AtomicReference<@Nullable EmbeddedPostgres>();
    Runtime.getRuntime().addShutdownHook(new Thread(() -> stopQuietly(current.get()), "stop-postgres"));
    try {
      Options options = Options.fromEnvironment(System.getenv());
      while (true) {
        long began = System.nanoTime();
        try (EmbeddedPostgres server = start(home, options)) {
          if (current.getAndSet(server) == null) {
            Migrations.migrate(server.jdbcUrl(), server.adminUser(), server.adminPassword());
            var _ = server.createLogin(API_LOGIN, API_ROLE);
            System.out.println("ready");
          }
          server.awaitExit();
          if (server.closing.get()) {
            return 0;
          }
        }
        System.err.println("PostgreSQL ended by itself, see the lines above");
        if (System.nanoTime() - began < QUICK_END.toNanos()) {
          return 3;
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return 1;
    } catch (IOException | SQLException | RuntimeException e) {
      System.err.println("cannot run PostgreSQL: " + message(e));
      return 1;
    }
  }

  private static String message(Exception e) {
    @Nullable
    String message = e.getMessage();
    return message == null ? e.getClass().getSimpleName() : message;
  }

  private static void stopQuietly(@Nullable EmbeddedPostgres server) {
    try {
      if (server != null) {
        server.close();
      }
    } catch (IOException e) {
      System.err.println("cannot stop PostgreSQL: " + message(e));
    }
  }
}
