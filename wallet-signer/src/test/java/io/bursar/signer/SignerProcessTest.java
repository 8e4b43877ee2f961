package io.bursar.signer;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.PrivateKey;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.Map;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

import io.bursar.money.Address;
import io.bursar.permit.Bytes;
import io.bursar.permit.Digest32;
import io.bursar.permit.Permit;
import io.bursar.permit.SignerFrame;
import io.bursar.permit.SignerRefusal;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerReply.Healthy;
import io.bursar.permit.SignerReply.KeyCreated;
import io.bursar.permit.SignerReply.Refused;
import io.bursar.permit.SignerReply.Signed;
import io.bursar.permit.SignerRequest;
import io.bursar.permit.SignerRequest.CreateKey;
import io.bursar.permit.SignerRequest.Health;
import io.bursar.permit.TransferIntent;
import io.bursar.permit.TransferIntent.Transfer;

@Timeout(300)
class SignerProcessTest {
  private static final UUID KEY = new UUID(1, 1);

  @TempDir
  Path directory = Path.of(".");

  @Test
  void signsAcrossRestartsAndKeepsEverySecretToItself() throws Exception {
    try (var signer = new SignerProcess(directory)) {
      Address address;
      SignerReply first;
      try (var client = new TestClient(signer.socket())) {
        assertThat((Healthy) client.ask(new Health())).satisfies(healthy -> {
          assertThat(healthy.backend()).isEqualTo("libsecp256k1");
          assertThat(healthy.hardening()).contains("dumpable=off", "core-dumps=off", "attach=off");
        });
        address = ((KeyCreated) client.ask(new CreateKey(Fixtures.TENANT, KEY))).address();
        first = client.ask(request(signer.permitKey(), Fixtures.intent(KEY, address, 0)));
        Eip1559Test.assertDecodes(Fixtures.intent(KEY, address, 0),
            ((Signed) first).rawTransaction().toByteArray());
      }
      assertThat(signer.terminate()).as("128 + SIGTERM").isEqualTo(143);
      assertThat(Files.readString(signer.log())).contains(" stopped");
      assertThat(signer.socket()).doesNotExist();
      signer.restart("--backend", "bouncycastle");
      try (var client = new TestClient(signer.socket())) {
        assertThat(client.ask(request(signer.permitKey(), Fixtures.intent(KEY, address, 0))))
            .as("the other backend gives the same bytes").isEqualTo(first);
        assertThat(reason(client.ask(
            request(signer.permitKey(), Fixtures.intent(KEY, address, 0, BigInteger.ONE)))))
            .isEqualTo(SignerRefusal.NONCE_CONFLICT);
        client.ask(Fixtures.bytes(new Random(1), 1_000));
      }
      signer.kill();
      assertKeyIsNowhere(signer, address);
    }
  }

  /** The private key must be in no file of the home and in no log line, in no usual spelling. */
  private static void assertKeyIsNowhere(SignerProcess signer, Address address) throws Exception {
    var kek = new SignerHome(signer.home(), false).keks().open();
    var keystore = Keystore.open(signer.home().resolve("keys"), kek, new BouncyCastleSecp256k1());
    var entry = keystore.find(KEY).orElseThrow();
    assertThat(entry.address()).isEqualTo(address);
    byte[] key;
    try (var secret = keystore.unseal(entry)) {
      key = secret.copy();
    }
    var kekHex = Files.readString(signer.home().resolve("kek.key")).strip();
    try (var files = Files.walk(signer.home().getParent())) {
      for (var file : files.filter(Files::isRegularFile).toList()) {
        var bytes = Files.readAllBytes(file);
        var text = new String(bytes, StandardCharsets.ISO_8859_1);
        for (var spelling : new String[]{new String(key, StandardCharsets.ISO_8859_1), HexFormat.of().formatHex(key),
            HexFormat.of().withUpperCase().formatHex(key), Base64.getEncoder().withoutPadding().encodeToString(key),
            Base64.getUrlEncoder().withoutPadding().encodeToString(key), new BigInteger(1, key).toString()}) {
          assertThat(text.contains(spelling)).as("%s holds the private key", file).isFalse();
        }
        if (!file.endsWith("kek.key")) {
          assertThat(text.contains(kekHex)).as("%s holds the key encryption key", file).isFalse();
          assertThat(text.contains(new String(HexFormat.of().parseHex(kekHex), StandardCharsets.ISO_8859_1))).isFalse();
        }
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file))).as("%s", file)
            .startsWith(file.endsWith("signer.log") ? "rw" : "rw-------");
      }
    }
  }

  /** Clients race with rival transfers for the same nonces while the process is killed again and again. */
  @Test
  void killedAtAnyMomentItNeverSignsTwoTransfersForANonceAndForgetsNoAnswer() throws Exception {
    long seed = 101;
    var moments = new Random(seed);
    var signedTransfers = new ConcurrentHashMap<Long, Transfer>();
    var rawByIntent = new ConcurrentHashMap<Digest32, Bytes>();
    try (var signer = new SignerProcess(directory)) {
      var permitKey = signer.permitKey();
      Address address;
      try (var client = new TestClient(signer.socket())) {
        address = ((KeyCreated) client.ask(new CreateKey(Fixtures.TENANT, KEY))).address();
      }
      for (int round = 0; round < 12; round++) {
        var warm = new CountDownLatch(8);
        var clients = new ArrayList<Future<String>>();
        try (var threads = Executors.newFixedThreadPool(8)) {
          for (int i = 0; i < 8; i++) {
            var random = new Random(seed * 1_000 + round * 10L + i);
            Callable<String> task = () -> race(signer.socket(), permitKey, address, random, warm, signedTransfers,
                rawByIntent);
            clients.add(threads.submit(task));
          }
          warm.await(); // every client got a first answer
          Thread.sleep(moments.nextInt(80));
          signer.kill();
          for (var client : clients) {
            assertThat(client.get()).as("seed %d, round %d", seed, round).isEmpty();
          }
        }
        signer.restart();
      }
      assertThat(signedTransfers).as("the test signs something").hasSizeGreaterThan(20);
      try (var client = new TestClient(signer.socket())) {
        for (var entry : signedTransfers.entrySet()) {
          var same = intent(address, entry.getKey(), entry.getValue().amount());
          assertThat(((Signed) client.ask(request(permitKey, same))).rawTransaction())
              .isEqualTo(rawByIntent.get(same.hash()));
          var rival = intent(address, entry.getKey(), entry.getValue().amount().add(BigInteger.TEN));
          assertThat(reason(client.ask(request(permitKey, rival)))).isEqualTo(SignerRefusal.NONCE_CONFLICT);
        }
      }
    }
  }

  /** Asks until the connection breaks; what it got must agree with what anybody else ever got. Empty if it did. */
  private static String race(Path socket, PrivateKey permitKey, Address address, Random random,
      CountDownLatch warm, Map<Long, Transfer> signedTransfers, Map<Digest32, Bytes> rawByIntent) {
    try (var client = new TestClient(socket)) {
      while (true) {
        long nonce = random.nextInt(400);
        var intent = intent(address, nonce, BigInteger.valueOf(1 + random.nextInt(3)));
        var reply = client.ask(request(permitKey, intent));
        warm.countDown();
        switch (reply) {
          case Signed signed -> {
            var before = signedTransfers.putIfAbsent(nonce, intent.transfer());
            var raw = rawByIntent.putIfAbsent(intent.hash(), signed.rawTransaction());
            if ((before != null && !before.equals(intent.transfer()))
                || (raw != null && !raw.equals(signed.rawTransaction()))) {
              return "nonce " + nonce + " was signed for two transfers";
            }
          }
          case Refused refused -> {
            if (refused.reason() != SignerRefusal.NONCE_CONFLICT) {
              return "refused: " + refused;
            }
          }
          case SignerReply other -> throw new IllegalStateException("not asked for: " + other);
        }
      }
    } catch (IOException killed) {
      return "";
    }
  }

  @Test
  void thousandsOfHostileFramesNeitherGetASignatureNorEndTheProcess() throws Exception {
    long seed = 111;
    var random = new Random(seed);
    try (var signer = new SignerProcess(directory)) {
      Address address;
      try (var client = new TestClient(signer.socket())) {
        address = ((KeyCreated) client.ask(new CreateKey(Fixtures.TENANT, KEY))).address();
      }
      for (int round = 0; round < 3_000; round++) {
        try (var client = new TestClient(signer.socket())) {
          for (int i = 0; i < 1 + random.nextInt(4); i++) {
            hostile(client, signer.permitKey(), address, random, "seed " + seed + ", round " + round);
          }
        } catch (IOException closedByTheSigner) {
          assertThat(signer.process().isAlive()).as("seed %d, round %d", seed, round).isTrue();
        }
      }
      assertThat(signer.process().isAlive()).isTrue();
      try (var client = new TestClient(signer.socket())) {
        assertThat(client.ask(request(signer.permitKey(), Fixtures.intent(KEY, address, 0))))
            .isInstanceOf(Signed.class);
      }
      signer.terminate();
      try (var journal = Fixtures.journal(signer.home().resolve("journal"), Instant.now())) {
        assertThat(journal.records()).as("one good request").isEqualTo(1);
      }
      assertThat(Files.readString(signer.log())).doesNotContain("Exception").doesNotContain("\tat ");
    }
  }

  private static void hostile(TestClient client, PrivateKey permitKey, Address address, Random random, String where)
      throws IOException {
    switch (random.nextInt(4)) {
      case 0 -> client.send(ByteBuffer.wrap(Fixtures.bytes(random, random.nextInt(2_000)))); // a random length first
      case 1 -> assertThat(client.ask(Fixtures.bytes(random, 2 + random.nextInt(60_000)))).as(where)
          .isNotInstanceOf(Signed.class);
      case 2 -> {
        var payload = new byte[2 + random.nextInt(600)];
        random.nextBytes(payload);
        payload[0] = 1;
        payload[1] = 3;
        assertThat(client.ask(payload)).as(where).isNotInstanceOf(Signed.class);
      }
      default -> {
        var frame = SignerFrame.encode(request(permitKey, Fixtures.intent(KEY, address, random.nextInt(9))));
        int at = 4 + 2 + random.nextInt(frame.remaining() - 6);
        frame.put(at, (byte) (frame.get(at) ^ (1 + random.nextInt(255))));
        client.send(frame);
        assertThat(client.reply()).as(where).isNotInstanceOf(Signed.class);
      }
    }
  }

  @Test
  void aSecondSignerInTheSameHomeDoesNotStart() throws Exception {
    try (var signer = new SignerProcess(directory)) {
      var second = new ProcessBuilder(signer.process().info().command().orElseThrow(),
          "--enable-native-access=ALL-UNNAMED",
          "-cp", System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
          "io.bursar.signer.SignerMain", "serve", "--home", signer.home().toString(), "--socket",
          directory.resolve("run").resolve("second.sock").toString()).redirectErrorStream(true).start();
      assertThat(new String(second.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
          .contains("another signer runs");
      assertThat(second.waitFor()).isEqualTo(1);
      try (var client = new TestClient(signer.socket())) {
        assertThat(client.ask(new Health())).isInstanceOf(Healthy.class);
      }
    }
  }

  /** Needs root, to become somebody else. */
  @Test
  void anotherUserIsTurnedAwayEvenWhereTheFileModesLetHimIn() throws Exception {
    if (!Files.getOwner(directory).getName().equals("root") || !Files.exists(Path.of("/usr/bin/setpriv"))) {
      return; // only root can become somebody else
    }
    var open = Files.createTempDirectory("bursar-signer-test");
    try (var signer = new SignerProcess(open, "--allow-user", "daemon")) {
      Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwxr-xr-x"));
      Files.setPosixFilePermissions(open.resolve("run"), PosixFilePermissions.fromString("rwxr-xr-x"));
      var program = open.resolve("Connect.java");
      Files.writeString(program, """
          void main(String[] args) throws Exception {
            try (var c = java.nio.channels.SocketChannel.open(java.net.UnixDomainSocketAddress.of(args[0]))) {
              c.write(java.nio.ByteBuffer.wrap(new byte[]{0, 0, 0, 2, 1, 1}));
              IO.println(c.read(java.nio.ByteBuffer.allocate(100)) > 0 ? "answered" : "closed");
            } catch (java.io.IOException closed) {
              IO.println("closed");
            }
          }
          """);
      Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rw-r--r--"));
      assertThat(connectAs("nobody", program, signer.socket())).contains("closed");
      assertThat(connectAs("daemon", program, signer.socket())).contains("answered");
      assertThat(Files.readString(signer.log())).contains("turned away a peer of the user `nobody`");
    } finally {
      try (var files = Files.walk(open)) {
        for (var file : files.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(file);
        }
      }
    }
  }

  private static String connectAs(String user, Path program, Path socket) throws Exception {
    var process = new ProcessBuilder("/usr/bin/setpriv", "--reuid=" + user, "--clear-groups",
        Path.of(System.getProperty("java.home"), "bin", "java").toString(), program.toString(), socket.toString())
        .redirectErrorStream(true).start();
    var output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    process.waitFor();
    return output;
  }

  private static TransferIntent intent(Address address, long nonce, BigInteger amount) {
    return Fixtures.intent(KEY, address, nonce, amount);
  }

  static SignerRequest.Sign request(PrivateKey permitKey, TransferIntent intent) {
    var now = Instant.now().truncatedTo(ChronoUnit.MILLIS);
    return new SignerRequest.Sign(new Permit(UUID.randomUUID(), intent.spendId(), Digest32.sha256(), intent.hash(), now,
        now.plusSeconds(60)).sign(permitKey), Bytes.of(intent.encode()));
  }

  private static SignerRefusal reason(SignerReply reply) {
    return ((Refused) reply).reason();
  }
}
