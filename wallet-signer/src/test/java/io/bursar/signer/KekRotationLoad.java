package io.bursar.signer;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.UUID;

/**
 * How long a rotation of many keys takes: makes a home in a directory that must not exist, fills it with copies of sealed
 * keys, and rotates. Arguments: directory, number of keys.
 */
final class KekRotationLoad {
  private KekRotationLoad() {}

  public static void main(String[] arguments) throws Exception {
    var directory = Path.of(arguments[0]);
    int count = Integer.parseInt(arguments[1]);
    Files.createDirectory(directory);
    var home = new SignerHome(directory.resolve("home"), false);
    home.initialize(directory.resolve("permit.key"), Optional.empty(), Optional.empty());
    try (var ring = home.keks().open()) {
      var store = Keystore.open(home.keys(), ring, new BouncyCastleSecp256k1());
      fill(home, store, count);
      home.keks().add(home.defaultKeyFile(2));
      long began = System.nanoTime();
      try (var rotation = new KekRotation(home, ring, store, progress -> {})) {
        var end = rotation.run().orElseThrow();
        System.out.printf("%s: %d keys in %.1f s%n", end.state(), end.done(), (System.nanoTime() - began) / 1e9);
      }
    }
  }

  /** Copies of one file under other ids: what is rewrapped is the data key, which does not care. */
  private static void fill(SignerHome home, Keystore store, int count) throws Exception {
    var first = new UUID(5, 0);
    store.create(Fixtures.TENANT, first);
    var file = home.keys().resolve(first + ".key");
    var bytes = Files.readAllBytes(file);
    for (int i = 1; i < count; i++) {
      ByteBuffer.wrap(bytes).putLong(22, 5).putLong(30, i);
      write(home.keys().resolve(new UUID(5, i) + ".key"), bytes);
    }
  }

  private static void write(Path file, byte[] bytes) throws IOException {
    Files.write(file, bytes);
  }
}
