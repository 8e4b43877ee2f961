package io.bursar.store.embedded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

import io.bursar.store.embedded.EmbeddedPostgres.Options;

@Timeout(120)
class EmbeddedPostgresTest {
  private static final Options SMALL = new Options(32, 80, 160, 20);

  @TempDir
  private Path home;

  @Test
  void keepsRowsWhenThePostmasterIsKilled() throws Exception {
    try (EmbeddedPostgres server = EmbeddedPostgres.start(home, SMALL)) {
      execute(server, "CREATE TABLE t (n int)");
      try (Connection busy = connect(server)) {
        insert(busy, 1);
        kill(server.pid());
        server.awaitExit(); // the owner learns of it by itself
      }
      assertThat(server.isAlive()).isFalse();
    }
    try (EmbeddedPostgres server = EmbeddedPostgres.start(home, SMALL)) {
      assertThat(query(server, "SELECT string_agg(n::text, ',') FROM t")).isEqualTo("1");
    }
  }

  @Test
  void stopsWithItsJvmAndKeepsRowsWhenTheJvmIsKilled() throws Exception {
    Process jvm = heldServer();
    String password;
    try {
      int port = readPort(jvm);
      password = Files.readString(home.resolve("postgres/bursar_admin.password")).strip();
      try (
          Connection connection = DriverManager.getConnection("jdbc:postgresql://127.0.0.1:" + port + "/bursar",
              "bursar_admin", password);
          var statement = connection.createStatement()) {
        statement.execute("CREATE TABLE t (n int)");
        for (int n = 0; n < 100; n++) {
          insert(connection, n);
        }
        jvm.destroyForcibly(); // with a client still connected
        assertThat(jvm.waitFor(10, TimeUnit.SECONDS)).isTrue();
        awaitNoPostmaster(Duration.ofSeconds(5));
      }
    } finally {
      jvm.destroyForcibly();
    }
    try (EmbeddedPostgres server = EmbeddedPostgres.start(home, SMALL)) {
      assertThat(query(server, "SELECT count(*) || ':' || sum(n) FROM t")).isEqualTo("100:4950");
      assertThat(server.adminPassword()).isEqualTo(password);
    }
  }

  @Test
  void takesOverWhenJvmAndShellAreKilledTogether() throws Exception {
    Process jvm = heldServer();
    try {
      readPort(jvm);
      List<ProcessHandle> shells = jvm.descendants()
          .filter(p -> p.info().command().orElse("").matches(".*/(sh|dash|bash)")).toList();
      assertThat(shells).isNotEmpty();
      long orphan = Postmaster.postmaster(data()).orElseThrow();
      shells.forEach(ProcessHandle::destroyForcibly);
      jvm.destroyForcibly();
      assertThat(jvm.waitFor(10, TimeUnit.SECONDS)).isTrue();
      try (EmbeddedPostgres server = EmbeddedPostgres.start(home, SMALL)) {
        assertThat(server.pid()).isNotEqualTo(orphan);
        assertThat(runs(orphan)).isFalse();
      }
    } finally {
      jvm.destroyForcibly();
    }
  }

  @Test
  void startsAgainWithinSecondsOnTheSamePort() throws Exception {
    int port;
    try (EmbeddedPostgres server = EmbeddedPostgres.start(home, SMALL)) {
      port = server.port();
    }
    long start = System.nanoTime();
    try (EmbeddedPostgres server = EmbeddedPostgres.start(home, SMALL)) {
      Duration took = Duration.ofNanos(System.nanoTime() - start);
      assertThat(server.port()).isEqualTo(port);
      assertThat(took).isLessThan(Duration.ofSeconds(5)); // 0.2 s on an idle machine; other work shares the processors
    }
  }

  @Test
  void takesNoConnectionWithoutTheRightPasswordByScram() throws Exception {
    try (EmbeddedPostgres server = EmbeddedPostgres.start(home, SMALL)) {
      assertThat(query(server, "SELECT string_agg(DISTINCT auth_method, ',') FROM pg_hba_file_rules"))
          .isEqualTo("scram-sha-256");
      assertThat(
          query(server, "SELECT bool_and(rolpassword LIKE 'SCRAM-SHA-256$%')::text FROM pg_authid WHERE rolcanlogin"))
          .isEqualTo("true");
      assertThatThrownBy(() -> DriverManager.getConnection(server.jdbcUrl(), server.adminUser(), "wrong"))
          .isInstanceOf(SQLException.class)
          .hasMessageContaining("password authentication failed");
      assertThatThrownBy(() -> DriverManager.getConnection(server.jdbcUrl() + "?user=bursar_admin"))
          .isInstanceOf(SQLException.class);
    }
  }

  @Test
  void runsWithDurableSettingsOnLoopbackAlone() throws Exception {
    try (EmbeddedPostgres server = EmbeddedPostgres.start(home, SMALL)) {
      Map<String, String> expected = Map.of("fsync", "on", "synchronous_commit", "on", "full_page_writes", "on",
          "data_checksums", "on",
          "listen_addresses", "127.0.0.1", "unix_socket_directories", "", "shared_buffers", "32MB", "server_encoding",
          "UTF8");
      for (var setting : expected.entrySet()) {
        assertThat(query(server, "SHOW " + setting.getKey())).as(setting.getKey()).isEqualTo(setting.getValue());
      }
      assertThat(query(server, "SHOW server_version")).startsWith("18.");
    }
  }

  @Test
  void keepsEverythingFromOtherUsers() throws Exception {
    try (EmbeddedPostgres server = EmbeddedPostgres.start(home, SMALL)) {
      execute(server, "CREATE ROLE some_role NOLOGIN");
      var _ = server.createLogin("some_login", "some_role");
    }
    List<String> open = new ArrayList<>();
    try (var files = Files.walk(home)) {
      for (Path file : files.filter(f -> !f.equals(home)).toList()) {
        String mode = PosixFilePermissions.toString(Files.getPosixFilePermissions(file, LinkOption.NOFOLLOW_LINKS));
        if (!mode.endsWith("------")) {
          open.add(mode + " " + home.relativize(file));
        }
      }
    }
    assertThat(open).isEmpty();
    assertThat(home.resolve("postgres/bursar_admin.password")).exists();
    assertThat(home.resolve("postgres/some_login.password")).exists();
  }

  @Test
  void runsTwoHomesAtOnce() throws Exception {
    try (EmbeddedPostgres one = EmbeddedPostgres.start(home.resolve("one"), SMALL);
        EmbeddedPostgres two = EmbeddedPostgres.start(home.resolve("two"), SMALL)) {
      assertThat(one.port()).isNotEqualTo(two.port());
      assertThat(one.adminPassword()).isNotEqualTo(two.adminPassword());
      execute(one, "CREATE TABLE only_in_one (n int)");
      assertThatThrownBy(() -> execute(two, "SELECT * FROM only_in_one")).isInstanceOf(SQLException.class);
    }
  }

  @Test
  void refusesASecondServerOfOneHome() throws Exception {
    try (EmbeddedPostgres server = EmbeddedPostgres.start(home, SMALL)) {
      assertThatThrownBy(() -> EmbeddedPostgres.start(home, SMALL)).isInstanceOf(IOException.class)
          .hasMessageContaining("another process runs the PostgreSQL of");
      assertThat(query(server, "SELECT 'still here'")).isEqualTo("still here");
    }
  }

  @Test
  void startsAnInterruptedPreparationOver() throws Exception {
    Path half = Files.createDirectories(home.resolve("postgres/data.new"));
    Files.writeString(half.resolve("PG_VERSION"), "18\n");
    try (EmbeddedPostgres server = EmbeddedPostgres.start(home, SMALL)) {
      assertThat(query(server, "SELECT current_database()")).isEqualTo("bursar");
      assertThat(half).doesNotExist();
    }
  }

  @Test
  void choosesAnotherPortWhenItsOwnIsTaken() throws Exception {
    try (EmbeddedPostgres server = EmbeddedPostgres.start(home, SMALL)) {
      execute(server, "CREATE TABLE t (n int)");
    }
    int port = Integer.parseInt(Files.readString(home.resolve("postgres/port")).strip());
    try (var taken = new ServerSocket(port, 1, InetAddress.getByName("127.0.0.1"));
        EmbeddedPostgres server = EmbeddedPostgres.start(home, SMALL)) {
      assertThat(server.port()).isNotEqualTo(taken.getLocalPort());
      assertThat(Files.readString(home.resolve("postgres/port")).strip()).isEqualTo(Integer.toString(server.port()));
      execute(server, "SELECT * FROM t");
    }
  }

  @Test
  void startsWhenTheNumberInTheLeftPidFileNowBelongsToAnotherProgram() throws Exception {
    EmbeddedPostgres.start(home, SMALL).close();
    Process other = new ProcessBuilder("sleep", "60").start();
    try {
      Files.writeString(data().resolve("postmaster.pid"),
          other.pid() + "\n" + data() + "\n1\n1\n\n127.0.0.1\n\nready   \n");
      try (EmbeddedPostgres server = EmbeddedPostgres.start(home, SMALL)) {
        assertThat(query(server, "SELECT 1")).isEqualTo("1");
        assertThat(other.isAlive()).isTrue();
      }
    } finally {
      other.destroyForcibly();
    }
  }

  @Test
  void givesALoginTheRightsOfItsRoleAndNoMore() throws Exception {
    String password;
    try (EmbeddedPostgres server = EmbeddedPostgres.start(home, SMALL)) {
      execute(server, "CREATE ROLE some_role NOLOGIN");
      execute(server, "CREATE TABLE t (n int)");
      execute(server, "GRANT SELECT ON t TO some_role");
      EmbeddedPostgres.Login login = server.createLogin("some_login", "some_role");
      password = login.password();
      assertThat(login.toString()).contains("REDACTED").doesNotContain(password);
      assertThat(server.createLogin("some_login", "some_role")).isEqualTo(login);
    }
    try (EmbeddedPostgres server = EmbeddedPostgres.start(home, SMALL);
        Connection connection = DriverManager.getConnection(server.jdbcUrl(), "some_login", password);
        var statement = connection.createStatement()) {
      statement.execute("SELECT * FROM t");
      for (String refused : List.of("INSERT INTO t VALUES (1)", "CREATE TABLE u (n int)",
          "CREATE TEMPORARY TABLE u (n int)", "DROP TABLE t",
          "CREATE ROLE other")) {
        assertThatThrownBy(() -> statement.execute(refused)).as(refused).isInstanceOf(SQLException.class)
            .hasMessageMatching("(?is).*(permission denied|must be owner).*");
      }
    }
  }

  @Test
  void refusesNamesAndSettingsThatMakeNoSense() throws Exception {
    try (EmbeddedPostgres server = EmbeddedPostgres.start(home, SMALL)) {
      assertThatThrownBy(() -> server.createLogin("a'; DROP", "some_role"))
          .isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> server.createLogin("some_login", "no_such_role")).isInstanceOf(SQLException.class);
    }
    assertThatThrownBy(() -> Options.fromEnvironment(Map.of("BURSAR_DB_SHARED_BUFFERS_MB", "much")))
        .hasMessageContaining("`much`");
    assertThatThrownBy(() -> Options.fromEnvironment(Map.of("BURSAR_DB_MAX_CONNECTIONS", "1")))
        .hasMessageContaining("from 10 to 1000");
    assertThat(Options.fromEnvironment(Map.of("BURSAR_DB_MIN_WAL_MB", "1024")))
        .isEqualTo(new Options(256, 1024, 1024, 100));
  }

  @Test
  void logsNeitherStatementsNorTheirValues() throws Exception {
    try (EmbeddedPostgres server = EmbeddedPostgres.start(home, SMALL)) {
      execute(server, "CREATE TABLE t (n text PRIMARY KEY)");
      execute(server, "INSERT INTO t VALUES ('very-private')");
      assertThatThrownBy(() -> execute(server, "INSERT INTO t VALUES ('very-private')"))
          .isInstanceOf(SQLException.class);
    }
    assertThat(Files.readString(home.resolve("logs/postgres.log"))).contains("duplicate key")
        .doesNotContain("very-private");
  }

  private Path data() throws IOException {
    return home.toRealPath().resolve("postgres/data");
  }

  private Process heldServer() throws IOException {
    return new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-cp",
        System.getProperty("java.class.path"),
        HeldServer.class.getName(), home.toString()).redirectError(ProcessBuilder.Redirect.INHERIT).start();
  }

  private static int readPort(Process jvm) throws IOException {
    var reader = new BufferedReader(new InputStreamReader(jvm.getInputStream(), StandardCharsets.UTF_8));
    String line = reader.readLine();
    assertThat(line).isNotNull();
    return Integer.parseInt(line);
  }

  private void awaitNoPostmaster(Duration limit) throws Exception {
    long deadline = System.nanoTime() + limit.toNanos();
    while (Postmaster.postmaster(data()).isPresent()) {
      assertThat(System.nanoTime()).as("the server outlives its JVM").isLessThan(deadline);
      Thread.sleep(10);
    }
  }

  /** A process that ended but was not collected by its parent yet has no command line. */
  private static boolean runs(long pid) {
    try {
      return !Files.readString(Path.of("/proc/" + pid + "/cmdline")).isEmpty();
    } catch (IOException e) {
      return false;
    }
  }

  private static void kill(long pid) throws Exception {
    assertThat(new ProcessBuilder("kill", "-KILL", Long.toString(pid)).start().waitFor()).isZero();
  }

  private static Connection connect(EmbeddedPostgres server) throws SQLException {
    return DriverManager.getConnection(server.jdbcUrl(), server.adminUser(), server.adminPassword());
  }

  private static void insert(Connection connection, int n) throws SQLException {
    try (var statement = connection.prepareStatement("INSERT INTO t VALUES (?)")) {
      statement.setInt(1, n);
      assertThat(statement.executeUpdate()).isEqualTo(1);
    }
  }

  private static void execute(EmbeddedPostgres server, String sql) throws SQLException {
    try (Connection connection = connect(server); var statement = connection.createStatement()) {
      statement.execute(sql);
    }
  }

  private static String query(EmbeddedPostgres server, String sql) throws SQLException {
    try (Connection connection = connect(server);
        var statement = connection.createStatement();
        var rows = statement.executeQuery(sql)) {
      assertThat(rows.next()).isTrue();
      return rows.getString(1);
    }
  }
}
