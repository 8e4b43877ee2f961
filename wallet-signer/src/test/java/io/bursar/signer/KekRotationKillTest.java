package io.bursar.signer;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.UUID;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A rotation of the key encryption key, killed again and again wherever it stands: before the new key is there, in the middle of a
 * file, between two, and while the old key is retired. {@code -Dbursar.rotation.kills=200} does it more often.
 */
class KekRotationKillTest {
  private static final int KILLS = Integer.getInteger("bursar.rotation.kills", 8);
  private static final int KEYS = 400;
  private static final Secp256k1 CURVE = new BouncyCastleSecp256k1();

  @TempDir
  Path temporary = Path.of(".");

  @Test
  void everyKeyOpensAfterAKillAndTheRotationGoesOnWhereItStood() throws Exception {
    long seed = 67;
    var random = new Random(seed);
    home().initialize(temporary.resolve("permit.key"), Optional.empty(), Optional.empty());
    var dataKeys = makeKeys();
    int inTheMiddle = 0;
    for (int kill = 0; kill < KILLS; kill++) {
      var where = "seed " + seed + ", kill " + kill;
      kill(random);
      var versions = assertAllOpen(where, dataKeys);
      if (versions.size() > 1) {
        inTheMiddle++;
      }
      if (random.nextInt(3) == 0) { // otherwise the next one goes on, and is killed too
        assertThat(rotate()).as(where).isZero();
        assertThat(assertAllOpen(where, dataKeys)).as(where).hasSize(1);
      }
    }
    assertThat(rotate()).isZero();
    var versions = assertAllOpen("at the end", dataKeys);
    int newest = versions.keySet().iterator().next();
    assertThat(versions).isEqualTo(Map.of(newest, KEYS));
    assertThat(home().keks().versions()).as("older ones are retired").containsExactly(newest);
    assertThat(inTheMiddle).as("kills that left some keys under the old one and some under the new").isPositive();
  }

  /** One real key, and sealed keys under other ids: what is wrapped is the data key, which does not care. */
  private Map<UUID, String> makeKeys() throws Exception {
    try (var ring = home().keks().open()) {
      var store = Keystore.open(home().keys(), ring, CURVE);
      var first = new UUID(5, 0);
      assertThat(store.create(Fixtures.TENANT, first)).isInstanceOf(Keystore.Creation.Available.class);
      var bytes = Files.readAllBytes(home().keys().resolve(first + ".key"));
      for (int i = 1; i < KEYS; i++) {
        ByteBuffer.wrap(bytes).putLong(22, 5).putLong(30, i);
        Files.write(home().keys().resolve(new UUID(5, i) + ".key"), bytes);
      }
      var dataKeys = new HashMap<UUID, String>();
      for (var keyId : store.keyIds()) {
        dataKeys.put(keyId, HexFormat.of().formatHex(store.dataKey(store.find(keyId).orElseThrow())));
      }
      return dataKeys;
    }
  }

  /** Starts a rotation, or goes on with one, and kills it after any part of it. */
  private void kill(Random random) throws Exception {
    var output = temporary.resolve("output");
    var command = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp",
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
        SignerMain.class.getName(), "rotate-kek", "--home", directory().toString()).redirectErrorStream(true)
        .redirectOutput(output.toFile());
    command.environment().remove("BURSAR_MODE");
    var process = command.start();
    try {
      // A third of them at any moment after the start, the others some way into the work.
      int batches = random.nextInt(3) == 0 ? 0 : 1 + random.nextInt(KEYS / 128);
      long until = System.nanoTime() + 60_000_000_000L;
      while (process.isAlive() && System.nanoTime() < until && reports(output) < batches) {
        Thread.sleep(1);
      }
      Thread.sleep(random.nextInt(batches == 0 ? 1_500 : 60));
    } finally {
      process.destroyForcibly().onExit().join();
    }
  }

  private static long reports(Path output) throws IOException {
    return Files.readString(output).lines().filter(line -> line.contains(" of " + KEYS + " keys")).count();
  }

  /** How many keys are under each version; all of them open, and what they are sealed under is what it ever was. */
  private Map<Integer, Integer> assertAllOpen(String where, Map<UUID, String> dataKeys) throws Exception {
    var versions = new HashMap<Integer, Integer>();
    try (var ring = home().keks().open()) {
      var store = Keystore.open(home().keys(), ring, CURVE);
      assertThat(store.keyIds()).as(where).containsExactlyInAnyOrderElementsOf(dataKeys.keySet());
      for (var key : dataKeys.entrySet()) {
        var entry = store.find(key.getKey()).orElseThrow();
        assertThat(HexFormat.of().formatHex(store.dataKey(entry))).as("%s, %s", where, key.getKey())
            .isEqualTo(key.getValue());
        versions.merge(entry.dataKey().version(), 1, Integer::sum);
      }
      var real = store.find(new UUID(5, 0)).orElseThrow();
      try (var secret = store.unseal(real)) {
        assertThat(CURVE.addressOf(secret)).as(where).contains(real.address());
      }
      LogKeyFile.read(home().logKey()).unwrap(ring);
    }
    return versions;
  }

  private int rotate() {
    var nowhere = new PrintStream(OutputStream.nullOutputStream(), true, StandardCharsets.UTF_8);
    return SignerMain.run(new String[]{"rotate-kek", "--home", directory().toString()}, Map.of(), nowhere, nowhere);
  }

  private SignerHome home() {
    return new SignerHome(directory(), false);
  }

  private Path directory() {
    return temporary.resolve("home");
  }
}
