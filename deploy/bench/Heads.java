import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;
import java.util.regex.Pattern;

/**
 * How long the log takes: {@code Heads latency SECONDS} looks every few milliseconds how many entries are committed and how many are
 * under the published head, and prints how many entries a second there were and the p50, p99 and worst time in milliseconds that an
 * entry waited for its head, rounded up to a look at both ends; {@code Heads looks SECONDS} only looks as often, so that a run without
 * heads bears as much of it; {@code Heads behind} says how many entries are not under a head.
 *
 * <p>{@code Heads receipts PORT DIRECTORY N}: one client spends and asks for the receipt at once, N times, and for the receipt of one of
 * its earlier spends; prints the p50, p99 and worst milliseconds of both. {@code agent.key} and {@code wallets.1} are in the directory,
 * the admin key in {@code BURSAR_ADMIN_KEY}. The database is the one that {@code PGPORT}, {@code PGUSER} and {@code PGPASSWORD} name.
 */
final class Heads {
  private static final long LOOK_EVERY_MS = 4;
  private static final int WARMUP = 500;
  private static final Pattern AUTHORIZATION = Pattern.compile("\"(aut_[0-9a-f]+)\"");

  /** What was seen at a moment. */
  private record Look(long nanos, long committed, long published) {}

  private Heads() {}

  public static void main(String[] args) throws Exception {
    switch (args[0]) {
      case "latency" -> latency(Integer.parseInt(args[1]));
      case "looks" -> {
        try (var database = connect()) {
          System.out.println(looks(database, Integer.parseInt(args[1])).size());
        }
      }
      case "behind" -> {
        try (var database = connect()) {
          var look = look(database);
          System.out.println(look.committed - look.published);
        }
      }
      case "receipts" -> receipts("http://127.0.0.1:" + args[1], Path.of(args[2]), Integer.parseInt(args[3]));
      default -> throw new IllegalArgumentException(args[0]);
    }
  }

  private static Connection connect() throws SQLException {
    return DriverManager.getConnection("jdbc:postgresql://127.0.0.1:" + System.getenv("PGPORT") + "/bursar?prepareThreshold=1",
        System.getenv("PGUSER"), System.getenv("PGPASSWORD"));
  }

  private static Look look(Connection database) throws SQLException {
    try (var statement = database.prepareStatement("""
        SELECT l.audit_seq, coalesce(s.checkpoint_size, 0) FROM lane l LEFT JOIN log_state s USING (tenant_id)
        """); var row = statement.executeQuery()) {
      row.next();
      return new Look(System.nanoTime(), row.getLong(1), row.getLong(2));
    }
  }

  private static List<Look> looks(Connection database, int seconds) throws Exception {
    var looks = new ArrayList<Look>();
    long end = System.nanoTime() + seconds * 1_000_000_000L;
    while (System.nanoTime() < end) {
      looks.add(look(database));
      Thread.sleep(LOOK_EVERY_MS);
    }
    return looks;
  }

  private static void latency(int seconds) throws Exception {
    try (var database = connect()) {
      var looks = looks(database, seconds);
      long last = looks.getLast().committed;
      while (looks.getLast().published < last) {
        looks.add(look(database));
        Thread.sleep(LOOK_EVERY_MS);
      }
      long first = looks.getFirst().committed;
      var waits = new long[(int) (last - first)];
      int committed = 0;
      int published = 0;
      for (int i = 0; i < waits.length; i++) {
        long seq = first + i + 1;
        while (looks.get(committed + 1).committed < seq) {
          committed++;
        }
        while (looks.get(published).published < seq) {
          published++;
        }
        waits[i] = looks.get(published).nanos - looks.get(committed).nanos;
      }
      System.out.printf(Locale.ROOT, "%d %s%n", waits.length / seconds, quantiles(waits));
    }
  }

  private static void receipts(String base, Path directory, int rounds) throws IOException, InterruptedException {
    var key = Files.readString(directory.resolve("agent.key")).strip();
    var body = "{\"walletId\":\"" + Files.readAllLines(directory.resolve("wallets.1")).getFirst()
        + "\",\"asset\":\"USDC\",\"amount\":\"0.01\",\"to\":\"0xb1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1\"}";
    var client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    List<String> known = new ArrayList<>();
    var fresh = new long[rounds];
    var earlier = new long[rounds];
    for (int i = -WARMUP; i < rounds; i++) {
      var spend = client.send(HttpRequest.newBuilder(URI.create(base + "/v1/spends")).header("Authorization", "Bearer " + key)
          .header("Content-Type", "application/json").header("Idempotency-Key", UUID.randomUUID().toString())
          .POST(BodyPublishers.ofString(body)).build(), BodyHandlers.ofString());
      var authorization = AUTHORIZATION.matcher(spend.body());
      if (spend.statusCode() != 201 || !authorization.find()) {
        throw new IOException(spend.statusCode() + " " + spend.body());
      }
      known.add(authorization.group(1));
      long first = receipt(client, base, known.getLast());
      long second = receipt(client, base, known.get(ThreadLocalRandom.current().nextInt(known.size())));
      if (i >= 0) {
        fresh[i] = first;
        earlier[i] = second;
      }
    }
    System.out.println(quantiles(fresh) + " " + quantiles(earlier));
  }

  private static long receipt(HttpClient client, String base, String authorization) throws IOException, InterruptedException {
    long began = System.nanoTime();
    var answer = client.send(HttpRequest.newBuilder(URI.create(base + "/v1/authorizations/" + authorization + "/proof"))
        .header("Authorization", "Bearer " + System.getenv("BURSAR_ADMIN_KEY")).build(), BodyHandlers.ofString());
    if (answer.statusCode() != 200) {
      throw new IOException(answer.statusCode() + " " + answer.body());
    }
    return System.nanoTime() - began;
  }

  private static String quantiles(long[] nanos) {
    Arrays.sort(nanos);
    return String.format(Locale.ROOT, "%.1f %.1f %.1f", nanos[nanos.length / 2] / 1e6, nanos[nanos.length * 99 / 100] / 1e6,
        nanos[nanos.length - 1] / 1e6);
  }
}
