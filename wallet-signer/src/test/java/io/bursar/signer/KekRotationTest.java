package io.bursar.signer;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import io.bursar.money.Address;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerRequest;
import io.bursar.signer.KekRotation.State;

class KekRotationTest {
  private static final Secp256k1 CURVE = new BouncyCastleSecp256k1();

  @TempDir
  Path temporary = Path.of(".");
  private Path directory = Path.of(".");
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  @BeforeEach
  void makeHome() throws IOException {
    directory = temporary.resolve("home");
    home().initialize(temporary.resolve("permit.key"), Optional.empty(), Optional.empty());
  }

  @Test
  void everythingComesUnderTheNewKeyAndTheOldOneIsNotNeededAnyMore() throws Exception {
    var addresses = makeKeys(10);
    var before = files();
    assertThat(command("rotate-kek")).isZero();
    assertThat(said()).contains("made version 2").contains("done: all 10 keys are under version 2");
    Files.delete(directory.resolve("kek.key"));
    assertThat(directory.resolve("kek.conf")).doesNotExist();
    assertThat(directory.resolve("kek-1.retired")).exists();
    assertOpens(addresses);
    LogKeyFile.read(home().logKey()).unwrap(home().keks().open());
    // The private key's own ciphertext, the last 60 bytes, is as it was: nothing opened it.
    files().forEach((file, bytes) -> assertThat(tail(bytes)).isEqualTo(tail(before.getOrDefault(file, new byte[0]))));
    makeKeys(1);
    assertThat(command("rotate-kek")).as("a second time").isZero();
    assertThat(said()).contains("done: all 11 keys are under version 3");
    assertOpens(addresses);
  }

  @Test
  void noPrivateKeyIsOpenedSoOneThatDoesNotOpenIsRewrappedToo() throws Exception {
    var keyId = makeKeys(1).keySet().iterator().next();
    var file = home().keys().resolve(keyId + ".key");
    var damaged = Files.readAllBytes(file);
    damaged[damaged.length - 1] ^= 1;
    Files.write(file, damaged);
    assertThat(command("rotate-kek")).isZero();
    assertThat(store().find(keyId).orElseThrow().dataKey().version()).isEqualTo(2);
  }

  @Test
  void filesOfHomesThatHadOneKeyOnlyOpenAndAreBroughtOver() throws Exception {
    var addresses = makeKeys(3);
    for (var keyId : addresses.keySet()) {
      var file = home().keys().resolve(keyId + ".key");
      Files.write(file, asVersionOne(store().find(keyId).orElseThrow()));
    }
    assertOpens(addresses);
    assertThat(command("rotate-kek")).isZero();
    assertOpens(addresses);
  }

  @Test
  void aDataKeyThatDoesNotOpenIsNamedAndKeepsTheOldKeyInUse() throws Exception {
    var addresses = makeKeys(5);
    var bad = addresses.keySet().iterator().next();
    var file = home().keys().resolve(bad + ".key");
    var whole = Files.readAllBytes(file);
    var damaged = whole.clone();
    damaged[damaged.length - 61] ^= 1; // the last byte of the wrapped data key
    Files.write(file, damaged);
    assertThat(command("rotate-kek")).isEqualTo(1);
    assertThat(said()).contains("failed: 4 of 5 keys").contains("stays in use");
    assertThat(directory.resolve("kek.conf")).exists();
    Files.write(file, whole);
    assertOpens(addresses);
    assertThat(command("rotate-kek")).isZero();
    assertThat(said()).contains("going on with the rotation to version 2");
    assertThat(directory.resolve("kek.conf")).doesNotExist();
    assertOpens(addresses);
  }

  @Test
  void aRotationThatIsKilledLosesNothingAndGoesOnWhereItStood() throws Exception {
    var addresses = makeKeys(20);
    copy(addresses.keySet().iterator().next(), 480);
    var command = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-cp",
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
        "io.bursar.signer.SignerMain", "rotate-kek", "--home", directory.toString()).redirectErrorStream(true);
    command.environment().remove("BURSAR_MODE");
    var killed = command.start();
    try (var lines = killed.inputReader()) {
      for (var line = lines.readLine(); line != null; line = lines.readLine()) {
        if (line.contains(" of 500 keys")) {
          break;
        }
      }
      killed.destroyForcibly().onExit().join();
    }
    var versions = new HashMap<Integer, Integer>();
    for (var keyId : store().keyIds()) {
      versions.merge(store().find(keyId).orElseThrow().dataKey().version(), 1, Integer::sum);
    }
    assertThat(versions.get(1)).as("it was killed in the middle: %s", versions).isPositive();
    assertThat(versions.get(2)).isGreaterThanOrEqualTo(100);
    assertThat(directory.resolve("kek.conf")).exists();
    assertOpens(addresses);
    assertThat(command("rotate-kek")).isZero();
    assertThat(said()).contains("done: all 500 keys are under version 2");
    assertOpens(addresses);
  }

  @Test
  void aRunningSignerMovesIntoTheTokenAndSignsAllTheWhile() throws Exception {
    var token = SoftHsm.token();
    Files.createDirectory(temporary.resolve("process"));
    try (var signer = new SignerProcess(temporary.resolve("process"))) {
      directory = signer.home();
      var ids = new ArrayList<UUID>();
      try (var client = new TestClient(signer.socket())) {
        for (int i = 0; i < 12; i++) {
          ids.add(new UUID(7, i));
          assertThat(client.ask(new SignerRequest.CreateKey(Fixtures.TENANT, ids.get(i))))
              .isInstanceOf(SignerReply.KeyCreated.class);
        }
        var rotation = Thread.ofPlatform().start(() -> assertThat(command("rotate-kek", "--pkcs11-library",
            token.library().toString(), "--pkcs11-slot", Long.toString(token.slot()), "--pkcs11-pin-file",
            token.pinFile().toString())).isZero());
        long made = 1000;
        while (rotation.isAlive()) {
          assertThat(client.ask(new SignerRequest.CreateKey(Fixtures.TENANT, new UUID(7, made++))))
              .isInstanceOf(SignerReply.KeyCreated.class);
        }
        rotation.join();
        assertThat(said()).contains("keys are under version 2");
      }
      signer.kill();
      Files.delete(directory.resolve("kek.key")); // nothing needs it, also what was made meanwhile
      signer.restart();
    }
    var store = store();
    assertThat(store.keyIds()).hasSizeGreaterThan(12);
    for (var keyId : store.keyIds()) {
      var entry = store.find(keyId).orElseThrow();
      try (var secret = store.unseal(entry)) {
        assertThat(CURVE.addressOf(secret)).contains(entry.address());
      }
    }
    assertThat(command("kek-status")).isZero();
    assertThat(said()).contains("newest key encryption key: version 2, pkcs11").doesNotContain("still in use");
  }

  @Test
  void aRotationInsideTheProcessReportsHowFarItIs() throws Exception {
    makeKeys(3);
    home().keks().add(home().defaultKeyFile(2));
    var reports = new ArrayList<KekRotation.Progress>();
    try (var ring = home().keks().open();
        var rotation = new KekRotation(home(), ring, Keystore.open(home().keys(), ring, CURVE), reports::add)) {
      assertThat(rotation.run()).contains(new KekRotation.Progress(State.DONE, 2, 3, 3));
      assertThat(rotation.run()).isEmpty();
    }
    assertThat(reports).isEqualTo(List.of(new KekRotation.Progress(State.RUNNING, 2, 3, 3),
        new KekRotation.Progress(State.DONE, 2, 3, 3)));
    assertThat(KekRotation.read(home().rotationProgress())).contains(reports.getLast());
  }

  private SignerHome home() {
    return new SignerHome(directory, false);
  }

  private Keystore store() throws IOException {
    return Keystore.open(home().keys(), home().keks().open(), CURVE);
  }

  private Map<UUID, Address> makeKeys(int count) throws Exception {
    var store = store();
    var addresses = new HashMap<UUID, Address>();
    for (int i = 0; i < count; i++) {
      var keyId = UUID.randomUUID();
      var made = (Keystore.Creation.Available) store.create(Fixtures.TENANT, keyId);
      addresses.put(keyId, made.entry().address());
    }
    return addresses;
  }

  /** Sealed keys under other ids: what is wrapped is the data key, which does not care. */
  private void copy(UUID keyId, int count) throws IOException {
    var bytes = Files.readAllBytes(home().keys().resolve(keyId + ".key"));
    for (int i = 0; i < count; i++) {
      ByteBuffer.wrap(bytes).putLong(22, 5).putLong(30, i);
      Files.write(home().keys().resolve(new UUID(5, i) + ".key"), bytes);
    }
  }

  private void assertOpens(Map<UUID, Address> addresses) throws Exception {
    var store = store();
    int checked = 0;
    for (var key : addresses.entrySet()) {
      var entry = store.find(key.getKey()).orElseThrow();
      assertThat(entry.address()).isEqualTo(key.getValue());
      try (var secret = store.unseal(entry)) {
        if (checked++ < 20) {
          assertThat(CURVE.addressOf(secret)).contains(key.getValue());
        }
      }
    }
  }

  private Map<String, byte[]> files() throws IOException {
    var all = new HashMap<String, byte[]>();
    try (var files = Files.list(home().keys())) {
      for (var file : files.toList()) {
        all.put(String.valueOf(file.getFileName()), Files.readAllBytes(file));
      }
    }
    return all;
  }

  private static byte[] tail(byte[] file) {
    return Arrays.copyOfRange(file, file.length - 60, file.length);
  }

  /** As this store wrote its files before there were several key encryption keys. */
  private static byte[] asVersionOne(Keystore.Entry entry) {
    var ring = entry.dataKey().ring().getBytes(StandardCharsets.US_ASCII);
    return ByteBuffer.allocate(58 + 1 + ring.length + 40 + 12 + 48).putInt(0x424b4559).put((byte) 1).put((byte) 1)
        .putLong(entry.tenantId().getMostSignificantBits()).putLong(entry.tenantId().getLeastSignificantBits())
        .putLong(entry.keyId().getMostSignificantBits()).putLong(entry.keyId().getLeastSignificantBits())
        .put(entry.address().bytes()).put((byte) ring.length).put(ring).put(entry.dataKey().bytes()).put(entry.nonce())
        .put(entry.sealed()).array();
  }

  private int command(String command, String... more) {
    out.reset();
    var arguments = new ArrayList<>(List.of(command, "--home", directory.toString()));
    arguments.addAll(List.of(more));
    var stream = new PrintStream(out, true, StandardCharsets.UTF_8);
    return SignerMain.run(arguments.toArray(String[]::new), Map.of(), stream, stream);
  }

  private String said() {
    return out.toString(StandardCharsets.UTF_8);
  }
}
