import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;

/**
 * A closed loop of {@code POST /v1/spends}: each connection sends its next request when it has the answer to the last one. One
 * thread drives them all, since it shares the cores with what it measures.
 *
 * <p>Usage: {@code Load PORT CONNECTIONS WARMUP_SECONDS SECONDS KEY_FILE WALLETS_FILE API_PID POSTGRES_PID [RATE]}; with a rate, no more
 * requests a second than that. The key file holds an
 * agent's key, the wallets file an identifier a line. Prints one line: requests a second, p50, p99 and the worst latency in
 * milliseconds; CPU in microseconds a request of the API, of PostgreSQL with all its processes, and of this process; the API's
 * resident memory in MiB at the end. Exit code 1 on the first answer that is not 201 or that is missing.
 */
final class Load {
  private static final int ANSWER_MAX = 64 * 1024;
  private static final long ANSWER_WITHIN_MS = 15_000;
  private static final int KEY_LENGTH = 32;
  private static final byte[] HEX = "0123456789abcdef".getBytes(StandardCharsets.US_ASCII);
  /** Ticks of /proc/PID/stat on Linux, whatever the kernel's own. */
  private static final long MICROS_PER_TICK = 10_000;

  /** Counts by microseconds: exact to 1/128 of the value. */
  private static final class Latencies {
    private final long[] counts = new long[64 * 128];
    private long total;
    private long worst;

    void add(long micros) {
      counts[index(micros)]++;
      total++;
      worst = Math.max(worst, micros);
    }

    private static int index(long micros) {
      int shift = Math.max(0, 64 - Long.numberOfLeadingZeros(micros) - 8);
      return (shift << 7) + (int) (micros >>> shift);
    }

    double millis(double quantile) {
      long left = (long) Math.ceil(total * quantile);
      for (int i = 0; i < counts.length; i++) {
        left -= counts[i];
        if (left <= 0) {
          int shift = i < 256 ? 0 : (i >> 7) - 1;
          return ((long) (i - (shift << 7)) << shift) / 1000.0;
        }
      }
      return worst / 1000.0;
    }
  }

  private static final class Connection {
    final SocketChannel channel;
    final ByteBuffer in = ByteBuffer.allocateDirect(ANSWER_MAX);
    long sentNanos;

    Connection(SocketChannel channel) {
      this.channel = channel;
    }
  }

  private final List<byte[]> requests;
  private final int keyAt;
  private final ByteBuffer out;
  private final SplittableRandom random = new SplittableRandom();
  private Latencies latencies = new Latencies();
  /** Between two requests; 0 where each connection sends as soon as it may. */
  private final long pauseNanos;
  private final ArrayDeque<Connection> idle = new ArrayDeque<>();
  private long nextNanos = System.nanoTime();

  private Load(List<byte[]> requests, int keyAt, int rate) {
    this.pauseNanos = rate == 0 ? 0 : 1_000_000_000L / rate;
    this.requests = requests;
    this.keyAt = keyAt;
    this.out = ByteBuffer.allocateDirect(requests.getFirst().length + 64);
  }

  public static void main(String[] args) throws IOException {
    int port = Integer.parseInt(args[0]);
    int connections = Integer.parseInt(args[1]);
    int warmup = Integer.parseInt(args[2]);
    int seconds = Integer.parseInt(args[3]);
    var key = Files.readString(Path.of(args[4])).strip();
    var requests = new ArrayList<byte[]>();
    var head = "POST /v1/spends HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " + key
        + "\r\nContent-Type: application/json\r\nIdempotency-Key: ";
    for (var wallet : Files.readAllLines(Path.of(args[5]))) {
      var body = "{\"walletId\":\"" + wallet + "\",\"asset\":\"USDC\",\"amount\":\"0.01\","
          + "\"to\":\"0xb1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1\"}";
      requests.add((head + "0".repeat(KEY_LENGTH) + "\r\nContent-Length: " + body.length() + "\r\n\r\n" + body)
          .getBytes(StandardCharsets.US_ASCII));
    }
    var load = new Load(requests, head.length(), args.length > 8 ? Integer.parseInt(args[8]) : 0);
    long api = Long.parseLong(args[6]);
    long postgres = Long.parseLong(args[7]);
    try (var selector = Selector.open()) {
      for (int i = 0; i < connections; i++) {
        var channel = SocketChannel.open(new InetSocketAddress("127.0.0.1", port));
        channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
        channel.configureBlocking(false);
        var connection = new Connection(channel);
        channel.register(selector, SelectionKey.OP_READ, connection);
        load.send(connection);
      }
      load.drive(selector, warmup);
      load.latencies = new Latencies();
      long self = ProcessHandle.current().pid();
      long[] before = {ticks(api), ticksOfFamily(postgres), ticks(self)};
      long began = System.nanoTime();
      load.drive(selector, seconds);
      double took = (System.nanoTime() - began) / 1e9;
      long[] after = {ticks(api), ticksOfFamily(postgres), ticks(self)};
      long done = load.latencies.total;
      System.out.printf(Locale.ROOT, "%.0f %.1f %.1f %.1f %.1f %.1f %.1f %d%n", done / took,
          load.latencies.millis(0.5), load.latencies.millis(0.99), load.latencies.worst / 1000.0,
          perRequest(before[0], after[0], done), perRequest(before[1], after[1], done),
          perRequest(before[2], after[2], done), residentMb(api));
    }
  }

  private static double perRequest(long before, long after, long requests) {
    return (double) (after - before) * MICROS_PER_TICK / Math.max(1, requests);
  }

  private void drive(Selector selector, int seconds) throws IOException {
    long end = System.nanoTime() + seconds * 1_000_000_000L;
    while (System.nanoTime() < end) {
      if (selector.select(idle.isEmpty() ? ANSWER_WITHIN_MS : 1) == 0 && idle.isEmpty()) {
        throw fail("no answer within " + ANSWER_WITHIN_MS + " ms");
      }
      for (var key : selector.selectedKeys()) {
        var connection = (Connection) key.attachment();
        if (answered(connection)) {
          latencies.add((System.nanoTime() - connection.sentNanos) / 1000);
          if (pauseNanos == 0) {
            send(connection);
          } else {
            idle.add(connection);
          }
        }
      }
      selector.selectedKeys().clear();
      while (!idle.isEmpty() && System.nanoTime() >= nextNanos) {
        nextNanos += pauseNanos;
        send(idle.remove());
      }
    }
  }

  private void send(Connection connection) throws IOException {
    var request = requests.get(requests.size() == 1 ? 0 : random.nextInt(requests.size()));
    for (int i = 0; i < KEY_LENGTH; i += 16) {
      long bits = random.nextLong();
      for (int j = 0; j < 16; j++) {
        request[keyAt + i + j] = HEX[(int) (bits >>> 4 * j) & 15];
      }
    }
    out.clear().put(request).flip();
    connection.sentNanos = System.nanoTime();
    while (out.hasRemaining()) {
      connection.channel.write(out);
    }
  }

  /** Whether the whole answer is there; it must be a 201. */
  private static boolean answered(Connection connection) throws IOException {
    var in = connection.in;
    if (connection.channel.read(in) < 0) {
      throw fail("the server closed a connection");
    }
    int bodyAt = headEnd(in);
    if (bodyAt < 0) {
      return false;
    }
    if (in.get(9) != '2' || in.get(10) != '0' || in.get(11) != '1') {
      throw fail("not a 201: " + text(in, 0, in.position()));
    }
    var head = text(in, 0, bodyAt);
    int length = head.indexOf("\r\nContent-Length: ");
    if (length < 0) {
      throw fail("no Content-Length: " + head);
    }
    int total = bodyAt + Integer.parseInt(head.substring(length + 18, head.indexOf("\r\n", length + 18)));
    if (in.position() < total) {
      return false;
    }
    in.clear();
    return true;
  }

  private static int headEnd(ByteBuffer in) {
    for (int i = 3; i < in.position(); i++) {
      if (in.get(i) == '\n' && in.get(i - 1) == '\r' && in.get(i - 2) == '\n') {
        return i + 1;
      }
    }
    return -1;
  }

  private static String text(ByteBuffer in, int from, int to) {
    var bytes = new byte[to - from];
    in.get(from, bytes);
    return new String(bytes, StandardCharsets.ISO_8859_1);
  }

  private static IOException fail(String why) {
    System.err.println("load: " + why);
    System.exit(1);
    return new IOException(why);
  }

  private static String[] stat(long pid) throws IOException {
    var line = Files.readString(Path.of("/proc/" + pid + "/stat"));
    return line.substring(line.lastIndexOf(')') + 2).split(" "); // from field 3 on
  }

  private static long ticks(long pid) throws IOException {
    var fields = stat(pid);
    return Long.parseLong(fields[11]) + Long.parseLong(fields[12]);
  }

  /** A process, its living children, and those of its children that have ended. */
  private static long ticksOfFamily(long parent) throws IOException {
    var fields = stat(parent);
    long sum = ticks(parent) + Long.parseLong(fields[13]) + Long.parseLong(fields[14]);
    for (var child : ProcessHandle.of(parent).orElseThrow().children().toList()) {
      try {
        sum += ticks(child.pid());
      } catch (IOException ended) {
        // then it is in its parent's sum by now, or a moment later
      }
    }
    return sum;
  }

  private static long residentMb(long pid) throws IOException {
    for (var line : Files.readAllLines(Path.of("/proc/" + pid + "/status"))) {
      if (line.startsWith("VmRSS:")) {
        return Long.parseLong(line.replaceAll("[^0-9]", "")) / 1024;
      }
    }
    throw new IOException("no VmRSS of " + pid);
  }
}
