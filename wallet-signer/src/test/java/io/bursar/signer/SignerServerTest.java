package io.bursar.signer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Optional;
import java.util.UUID;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

import io.bursar.permit.SignerFrame;
import io.bursar.permit.SignerRefusal;
import io.bursar.permit.SignerReply.Healthy;
import io.bursar.permit.SignerReply.KeyCreated;
import io.bursar.permit.SignerReply.Refused;
import io.bursar.permit.SignerReply.Signed;
import io.bursar.permit.SignerRequest.CreateKey;
import io.bursar.permit.SignerRequest.Health;

@Timeout(60)
class SignerServerTest {
  private static final UUID KEY = new UUID(1, 1);
  private static final Duration FRAME_TIME = Duration.ofMillis(400);

  @TempDir
  Path directory = Path.of(".");
  private Path socket = Path.of(".");
  private final Secp256k1 curve = new BouncyCastleSecp256k1();
  private final ArrayList<AutoCloseable> running = new ArrayList<>();

  @BeforeEach
  void name() {
    socket = directory.resolve("socket").resolve("signer.sock");
  }

  @AfterEach
  void stop() throws Exception {
    for (var each : running.reversed()) {
      each.close();
    }
    running.clear();
  }

  @Test
  void answersOneReplyForEachFrameInOrderHoweverTheyArrive() throws Exception {
    start(8);
    var two = ByteBuffer.allocate(100).put(SignerFrame.encode(new CreateKey(Fixtures.TENANT, KEY)))
        .put(SignerFrame.encode(new Health())).flip();
    try (var client = new TestClient(socket)) {
      while (two.hasRemaining()) {
        client.send(ByteBuffer.wrap(new byte[]{two.get()}));
      }
      assertThat(client.reply()).isInstanceOf(KeyCreated.class);
      assertThat(client.reply()).isInstanceOf(Healthy.class);
    }
  }

  @Test
  void anIdleConnectionStaysAndAHalfSentFrameDoesNot() throws Exception {
    start(8);
    try (var idle = new TestClient(socket); var slow = new TestClient(socket)) {
      assertThat(idle.ask(new Health())).isInstanceOf(Healthy.class);
      slow.send(ByteBuffer.wrap(new byte[]{0, 0, 1}));
      long begun = System.nanoTime();
      assertThatThrownBy(slow::reply).isInstanceOf(EOFException.class);
      assertThat(Duration.ofNanos(System.nanoTime() - begun)).isBetween(FRAME_TIME.dividedBy(2),
          FRAME_TIME.multipliedBy(20));
      assertThat(idle.ask(new Health())).as("idle for longer than a frame may take").isInstanceOf(Healthy.class);
    }
  }

  @Test
  void bytesThatTrickleInDoNotBuyTime() throws Exception {
    start(8);
    try (var slow = new TestClient(socket)) {
      slow.send(ByteBuffer.allocate(4).putInt(SignerFrame.MAX_PAYLOAD_BYTES).flip());
      assertThatThrownBy(() -> {
        while (true) {
          slow.send(ByteBuffer.wrap(new byte[1]));
          Thread.sleep(20);
        }
      }).isInstanceOf(IOException.class);
    }
  }

  @Test
  void aPeerThatTakesNoRepliesIsCutOff() throws Exception {
    start(8);
    try (var deaf = new TestClient(socket)) {
      var requests = ByteBuffer.allocate(60_000);
      while (requests.remaining() > 100) {
        requests.put(SignerFrame.encode(new CreateKey(Fixtures.TENANT, KEY)));
      }
      requests.flip();
      assertThatThrownBy(() -> {
        while (true) {
          deaf.send(requests.duplicate());
        }
      }).isInstanceOf(IOException.class);
    }
    try (var other = new TestClient(socket)) {
      assertThat(other.ask(new Health())).isInstanceOf(Healthy.class);
    }
  }

  @Test
  void lengthsThatNoFrameHasEndTheConnectionAndNothingElse() throws Exception {
    start(8);
    for (int length : new int[]{0, 1, SignerFrame.MAX_PAYLOAD_BYTES + 1, Integer.MAX_VALUE, -1}) {
      try (var client = new TestClient(socket)) {
        client.send(ByteBuffer.allocate(4).putInt(length).flip());
        assertThat(client.reply()).isInstanceOfSatisfying(Refused.class,
            refused -> assertThat(refused.reason()).isEqualTo(SignerRefusal.BAD_FRAME));
        assertThatThrownBy(client::reply).isInstanceOf(EOFException.class);
      }
    }
  }

  @Test
  void aBadFrameOfAGoodLengthIsAnsweredAndTheConnectionGoesOn() throws Exception {
    start(8);
    try (var client = new TestClient(socket)) {
      for (int length : new int[]{2, 100, SignerFrame.MAX_PAYLOAD_BYTES}) {
        assertThat(client.ask(new byte[length])).isInstanceOf(Refused.class);
      }
      assertThat(client.ask(new Health())).isInstanceOf(Healthy.class);
    }
  }

  @Test
  void oneConnectionTooManyIsToldSoAndTheOthersGoOn() throws Exception {
    start(3);
    var clients = new ArrayList<TestClient>();
    for (int i = 0; i < 3; i++) {
      clients.add(new TestClient(socket));
      assertThat(clients.getLast().ask(new Health())).isInstanceOf(Healthy.class);
    }
    try (var fourth = new TestClient(socket)) {
      assertThat(fourth.reply()).isInstanceOfSatisfying(Refused.class,
          refused -> assertThat(refused.reason()).isEqualTo(SignerRefusal.BUSY));
    }
    for (var client : clients) {
      assertThat(client.ask(new Health())).isInstanceOf(Healthy.class);
      client.close();
    }
    try (var fifth = connectWhenFree()) {
      assertThat(fifth.ask(new Health())).isInstanceOf(Healthy.class);
    }
  }

  @Test
  void aStaleSocketIsReplacedAndALiveOneOrAnotherFileIsNot() throws Exception {
    start(8);
    assertThatThrownBy(() -> start(8)).isInstanceOf(IOException.class).hasMessageContaining("another process listens");
    var stale = directory.resolve("socket").resolve("stale");
    Files.move(socket, stale);
    stop();
    Files.move(stale, socket);
    start(8);
    try (var client = new TestClient(socket)) {
      assertThat(client.ask(new Health())).isInstanceOf(Healthy.class);
    }
    socket = directory.resolve("socket").resolve("file");
    Files.writeString(socket, "precious");
    assertThatThrownBy(() -> start(8)).isInstanceOf(IOException.class).hasMessageContaining("no socket");
    assertThat(socket).hasContent("precious");
  }

  @Test
  void socketAndDirectoryAreTheirOwnersOnlyUnlessAnotherUserIsAllowed() throws Exception {
    start(8);
    stop();
    start(8);
    assertThat(mode(socket)).isEqualTo("rw-------");
    assertThat(mode(socket.resolveSibling("."))).isEqualTo("rwx------");
    Files.setPosixFilePermissions(socket.resolveSibling("."), PosixFilePermissions.fromString("rwxrwx---"));
    socket = socket.resolveSibling("other.sock");
    assertThatThrownBy(() -> start(8)).isInstanceOf(IOException.class).hasMessageContaining("rwxrwx---");
  }

  @Test
  void onlyRootItsOwnUserAndOneMoreMayStayConnected() throws Exception {
    var closed = start(8);
    assertThat(closed.allows("root")).isTrue();
    assertThat(closed.allows("signer")).isTrue();
    assertThat(closed.allows("bursar")).isFalse();
    assertThat(closed.allows("")).isFalse();
    socket = socket.resolveSibling("open.sock");
    var open = SignerServer.bind(signer(), socket, "signer", Optional.of("bursar"), SignerServer.Limits.DEFAULT);
    running.add(open);
    assertThat(open.allows("bursar")).isTrue();
    assertThat(open.allows("nobody")).isFalse();
  }

  @Test
  void closingAnswersWhatHasArrivedAndRemovesTheSocket() throws Exception {
    var server = start(8);
    try (var client = new TestClient(socket)) {
      var address = ((KeyCreated) client.ask(new CreateKey(Fixtures.TENANT, KEY))).address();
      assertThat(client.ask(Fixtures.request(Fixtures.intent(KEY, address, 0)))).isInstanceOf(Signed.class);
      server.close();
      assertThatThrownBy(() -> client.ask(new Health())).isInstanceOf(IOException.class);
    }
    assertThat(socket).doesNotExist();
    assertThatThrownBy(() -> new TestClient(socket)).isInstanceOf(IOException.class);
  }

  private TestClient connectWhenFree() throws Exception {
    while (true) {
      var client = new TestClient(socket);
      try {
        if (client.ask(new Health()) instanceof Healthy) {
          return client;
        }
      } catch (IOException closed) {
        Thread.sleep(5);
      }
      client.close();
    }
  }

  private SignerServer start(int connections) throws Exception {
    // Whoever runs the tests is `signer` here, or they could not connect.
    Files.createDirectories(directory);
    var user = Files.getOwner(directory).getName();
    var server = SignerServer.bind(signer(), socket, "signer", Optional.of(user).filter(name -> !name.equals("root")),
        new SignerServer.Limits(connections, FRAME_TIME));
    running.add(server);
    var thread = Thread.ofPlatform().daemon().start(server::run);
    running.add(() -> {
      server.close();
      thread.join();
    });
    return server;
  }

  private Signer signer() throws Exception {
    var home = Files.createTempDirectory(directory, "home");
    var keystore = Keystore.open(home.resolve("keys"), Fixtures.keks(), curve);
    var journal = Fixtures.journal(home.resolve("journal"), Fixtures.NOW);
    running.add(journal);
    return new Signer(Fixtures.permits(new Fixtures.TestClock()), keystore, Fixtures.fences(home, journal),
        Fixtures.log(home, false), Fixtures.HEALTHY);
  }

  private static String mode(Path path) throws IOException {
    return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
  }
}
