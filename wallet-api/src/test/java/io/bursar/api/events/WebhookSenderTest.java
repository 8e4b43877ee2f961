package io.bursar.api.events;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Base64;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import io.bursar.json.Json;
import io.bursar.store.events.Event;
import io.bursar.store.events.Outbox.Attempt;

/** Receivers that fail in every way, and those that are not where they should be. */
final class WebhookSenderTest {
  private static final Instant NOW = Instant.parse("2026-11-25T12:00:00Z");
  private static final Duration WHOLE = Duration.ofMillis(700);
  private static final byte[] KEY = "k".repeat(32).getBytes(StandardCharsets.US_ASCII);
  private static final Event EVENT = new Event(new UUID(1, 2), 3, NOW, "spend.confirmed", new UUID(4, 5), null,
      Json.object().put("spendId", "spd_1").build());

  /** What a receiver does with a connection, once it has read the request. */
  private interface Behaviour {
    void answer(Socket connection, OutputStream out) throws IOException, InterruptedException;
  }

  /** A receiver that is not a server anybody would write. */
  private static final class Receiver implements AutoCloseable {
    private final ServerSocket socket = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    private final BlockingQueue<String> requests = new LinkedBlockingQueue<>();
    private final AtomicInteger connections = new AtomicInteger();

    Receiver(Behaviour behaviour) throws IOException {
      var _ = Thread.ofVirtual().start(() -> {
        while (!socket.isClosed()) {
          try (var connection = socket.accept()) {
            connections.incrementAndGet();
            requests.add(read(connection));
            behaviour.answer(connection, connection.getOutputStream());
          } catch (IOException | InterruptedException e) {
            // the sender went away, as it should
          }
        }
      });
    }

    private static String read(Socket connection) throws IOException {
      var text = new StringBuilder();
      var in = connection.getInputStream();
      var buffer = new byte[4096];
      while (!text.toString().endsWith("}}")) {
        int count = in.read(buffer);
        if (count < 0) {
          break;
        }
        text.append(new String(buffer, 0, count, StandardCharsets.UTF_8));
      }
      return text.toString();
    }

    String url() {
      return "http://127.0.0.1:" + socket.getLocalPort() + "/hook?a=b";
    }

    @Override
    public void close() throws IOException {
      socket.close();
    }
  }

  private static void write(OutputStream out, String text) throws IOException {
    out.write(text.getBytes(StandardCharsets.US_ASCII));
    out.flush();
  }

  private static WebhookSender sender(boolean allowsPrivate, PublicAddresses.Names names) {
    return new WebhookSender(new WebhookSender.Settings(allowsPrivate, Duration.ofMillis(500), WHOLE),
        Clock.fixed(NOW, ZoneOffset.UTC), names);
  }

  /** Sends to a receiver that behaves so; never longer than the time for the whole exchange, and a little. */
  private static Attempt send(Behaviour behaviour) throws IOException {
    try (var receiver = new Receiver(behaviour); var sender = sender(true, InetAddress::getAllByName)) {
      long began = System.nanoTime();
      var attempt = sender.send(receiver.url(), KEY, EVENT);
      assertThat(Duration.ofNanos(System.nanoTime() - began)).isLessThan(WHOLE.plusMillis(1500));
      return attempt;
    }
  }

  @Test
  void sendsWhatStandardWebhooksSays() throws Exception {
    try (var receiver = new Receiver((connection, out) -> write(out, "HTTP/1.1 204 No Content\r\n\r\n"));
        var sender = sender(true, InetAddress::getAllByName)) {
      assertThat(sender.send(receiver.url(), KEY, EVENT)).isEqualTo(new Attempt(204, null, false));
      var request = receiver.requests.poll(5, TimeUnit.SECONDS);
      var body = "{\"id\":\"evt_00000000000000030000000000000003\",\"type\":\"spend.confirmed\","
          + "\"timestamp\":\"2026-11-25T12:00:00Z\",\"data\":{\"spendId\":\"spd_1\"}}";
      assertThat(request).startsWith("POST /hook?a=b HTTP/1.1\r\n").endsWith("\r\n\r\n" + body)
          .contains("Content-Type: application/json\r\n")
          .contains("webhook-id: evt_00000000000000030000000000000003\r\n")
          .contains("webhook-timestamp: " + NOW.getEpochSecond() + "\r\n")
          .contains("webhook-signature: " + WebhookSecret.sign(KEY, "evt_00000000000000030000000000000003",
              NOW.getEpochSecond(), body.getBytes(StandardCharsets.UTF_8)) + "\r\n");
    }
  }

  /** The example of the Standard Webhooks specification's reference libraries. */
  @Test
  void signsAsTheReferenceLibrariesDo() {
    var key = WebhookSecret.parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    assertThat(WebhookSecret.sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330L,
        "{\"test\": 2432232314}".getBytes(StandardCharsets.US_ASCII)))
        .isEqualTo("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    assertThat(WebhookSecret.parse(WebhookSecret.text(key))).isEqualTo(key);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "whsec_", "whsec_!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ="})
  void refusesASecretThatIsNone(String text) {
    assertThatIllegalArgumentException().isThrownBy(() -> WebhookSecret.parse(text)).withMessageContaining("24 to 64");
  }

  @Test
  void takesA500ForAFailureThatIsTriedAgain() throws IOException {
    assertThat(send((connection, out) -> write(out, "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\nOops")))
        .isEqualTo(new Attempt(500, "the receiver answered with HTTP status 500", false));
  }

  @Test
  void takesA410ForAGoodbye() throws IOException {
    assertThat(send((connection, out) -> write(out, "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n")).gone()).isTrue();
  }

  @Test
  void givesUpOnAReceiverThatHangs() throws IOException {
    assertThat(send((connection, out) -> Thread.sleep(5000)).error()).isEqualTo(
        "the receiver did not answer within 700 ms");
  }

  @Test
  void givesUpOnAReceiverThatAnswersBitByBit() throws IOException {
    assertThat(send((connection, out) -> {
      write(out, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
      for (int i = 0; i < 100; i++) {
        write(out, "x");
        Thread.sleep(50);
      }
    }).error()).isEqualTo("the receiver did not answer within 700 ms");
  }

  @Test
  void survivesAResetAndAnAnswerThatBreaksOff() throws IOException {
    assertThat(send((connection, out) -> {
      connection.setSoLinger(true, 0);
      connection.close();
    }).error()).isEqualTo("the connection broke");
    assertThat(send((connection, out) -> write(out, "HTTP/1.1 2")).error()).isEqualTo("the connection broke");
    assertThat(send((connection, out) -> write(out, "nonsense\r\n\r\n")).isDelivered()).isFalse();
  }

  @Test
  void readsLittleOfAHugeAnswer() throws IOException {
    var sent = new AtomicInteger();
    var attempt = send((connection, out) -> {
      write(out, "HTTP/1.1 200 OK\r\nContent-Length: 2000000000\r\n\r\n");
      try {
        for (int i = 0; i < 2000; i++) {
          out.write(new byte[1_000_000]);
          sent.incrementAndGet();
        }
      } catch (SocketException e) {
        // it does not listen any more
      }
    });
    assertThat(attempt).isEqualTo(new Attempt(200, null, false));
    assertThat(sent.get()).isLessThan(50);
  }

  @Test
  void readsLittleOfHugeHeaders() throws IOException {
    assertThat(send((connection, out) -> write(out, "HTTP/1.1 200 OK\r\nX: " + "x".repeat(1_000_000))).isDelivered())
        .isFalse();
    assertThat(send((connection, out) -> write(out, "HTTP/1.1 200 OK\r\n" + "X: x\r\n".repeat(100_000))).isDelivered())
        .isFalse();
  }

  @Test
  void followsNoRedirect() throws Exception {
    try (var secret = new Receiver((connection, out) -> write(out, "HTTP/1.1 200 OK\r\n\r\n"));
        var receiver = new Receiver((connection, out) -> write(out,
            "HTTP/1.1 307 Elsewhere\r\nLocation: " + secret.url() + "\r\nContent-Length: 0\r\n\r\n"));
        var sender = sender(true, InetAddress::getAllByName)) {
      assertThat(sender.send(receiver.url(), KEY, EVENT).error()).contains("redirects (HTTP status 307)");
      assertThat(secret.connections).hasValue(0);
    }
  }

  /** The port is held, so that nobody else can be given it, but nobody listens there. */
  @Test
  void saysThatNobodyIsThere() throws IOException {
    try (var held = new Socket(); var sender = sender(true, InetAddress::getAllByName)) {
      held.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
      assertThat(sender.send("http://127.0.0.1:" + held.getLocalPort() + "/", KEY, EVENT).error())
          .isEqualTo("the receiver refuses the connection");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "127.1", "2130706433"})
  void connectsToNoAddressOfThisMachine(String host) throws IOException {
    try (var receiver = new Receiver((connection, out) -> write(out, "HTTP/1.1 200 OK\r\n\r\n"));
        var sender = sender(false, InetAddress::getAllByName)) {
      var attempt = sender.send("http://" + host + ":" + receiver.socket.getLocalPort() + "/", KEY, EVENT);
      assertThat(attempt.isDelivered()).isFalse();
      assertThat(receiver.connections).hasValue(0);
    }
  }

  /** A name whose address changes after it was looked at is connected to where it was looked at, or not at all. */
  @Test
  void aNameThatChangesItsAddressReachesNothingPrivate() throws IOException {
    try (var receiver = new Receiver((connection, out) -> write(out, "HTTP/1.1 200 OK\r\n\r\n"))) {
      var asked = new AtomicInteger();
      PublicAddresses.Names rebinding = host -> asked.getAndIncrement() == 0
          ? new InetAddress[]{InetAddress.ofLiteral("192.0.1.1")}
          : new InetAddress[]{InetAddress.getLoopbackAddress()};
      try (var sender = sender(false, rebinding)) {
        for (int i = 0; i < 3; i++) {
          var attempt = sender.send("http://rebinding.test:" + receiver.socket.getLocalPort() + "/", KEY, EVENT);
          assertThat(attempt.isDelivered()).isFalse();
        }
        assertThat(sender.send("http://rebinding.test/", KEY, EVENT).error()).contains("not of the public Internet");
      }
      assertThat(receiver.connections).hasValue(0);
      assertThat(asked.get()).as("each connection asks once").isEqualTo(4);
    }
  }

  @Test
  void aHostWithOnePrivateAddressAmongPublicOnesIsRefused() throws IOException {
    PublicAddresses.Names mixed = host -> new InetAddress[]{InetAddress.ofLiteral("8.8.8.8"),
        InetAddress.ofLiteral("10.0.0.1")};
    try (var sender = sender(false, mixed)) {
      assertThat(sender.send("http://mixed.test/", KEY, EVENT).error())
          .isEqualTo("`mixed.test` has the address 10.0.0.1, which is not of the public Internet");
    }
  }

  @Test
  void knowsWhichAddressesArePublic() {
    for (var address : List.of("0.1.2.3", "10.255.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.53",
        "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1",
        "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1",
        "255.255.255.255", "::", "::1", "::7f00:1", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "2001::1",
        "2001:db8::1", "2002:7f00:1::", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1",
        "ff02::1", "::ffff:10.0.0.1")) {
      assertThat(PublicAddresses.isPublic(InetAddress.ofLiteral(address))).as(address).isFalse();
    }
    for (var address : List.of("1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1",
        "192.0.1.1", "198.17.0.1", "223.255.255.255", "2606:4700::1111", "2a00:1450::1", "2001:4860::8888")) {
      assertThat(PublicAddresses.isPublic(InetAddress.ofLiteral(address))).as(address).isTrue();
    }
  }

  @Test
  void aSecretIsRandomAndLongEnough() {
    assertThat(WebhookSecret.generate()).hasSize(32).isNotEqualTo(WebhookSecret.generate());
    assertThat(Base64.getDecoder().decode(WebhookSecret.text(WebhookSecret.generate()).substring(6))).hasSize(32);
  }
}
