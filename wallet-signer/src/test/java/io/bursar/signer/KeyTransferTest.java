package io.bursar.signer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import io.bursar.money.Address;
import io.bursar.signer.SealedFile.UnreadableException;
import io.bursar.spend.Id;

/** Keys on their way into a signer, out of one, and from one that is lost into another. */
class KeyTransferTest {
  private static final Secp256k1 CURVE = new BouncyCastleSecp256k1();
  private static final String TENANT = Id.TENANT.text(Fixtures.TENANT);

  @TempDir
  Path temporary = Path.of(".");
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  @Test
  void aCeremonyMakesKeysThatOnlyTheSignerOpensAndTakesIn() throws Exception {
    var home = home("signer");
    run("import-key", "--home", temporary.resolve("signer").toString());
    var publicKey = said().lines().findFirst().orElseThrow();
    assertThat(run("keygen", "--for", publicKey, "--tenant", TENANT, "--count", "3", "--out",
        temporary.resolve("bundle").toString())).as(said()).isZero();
    assertThat(said().lines().filter(line -> line.matches("key [0-9a-f-]{36} address 0x[0-9a-fA-F]{40}"))).hasSize(3);
    var file = Files.readAllBytes(temporary.resolve("bundle"));
    try (var ring = home.keks().open();
        var key = ImportKeyFile.read(home.importKey()).open(ring);
        var bundle = KeyBundle.open(file, key, CURVE)) {
      var store = Keystore.open(home.keys(), ring, CURVE);
      var known = store.addresses();
      for (var one : bundle.keys()) {
        assertThat(said()).contains("key " + one.keyId() + " address " + one.address());
        assertThat(store.put(one, known)).isInstanceOf(Keystore.Import.Done.class);
        try (var secret = store.unseal(store.find(one.keyId()).orElseThrow())) {
          assertThat(CURVE.addressOf(secret)).contains(one.address());
        }
      }
      assertThat(store.size()).isEqualTo(3);
      for (var one : bundle.keys()) {
        assertThat(store.put(one, known)).as("the same again").isInstanceOf(Keystore.Import.Done.class);
        var underOtherId = new KeyBundle.Key(one.tenantId(), UUID.randomUUID(), one.address(), one.secret());
        assertThat(refusal(store.put(underOtherId, known))).as("its nonces would be counted twice")
            .contains("is there already");
        var ofOther = new KeyBundle.Key(Fixtures.OTHER_TENANT, one.keyId(), one.address(), one.secret());
        assertThat(refusal(store.put(ofOther, known))).contains("another tenant");
      }
      assertThat(store.size()).isEqualTo(3);
    }
    try (var stranger = RecipientKey.generate()) {
      assertThatThrownBy(() -> KeyBundle.open(file, stranger, CURVE)).isInstanceOf(UnreadableException.class)
          .hasMessageContaining("is sealed to");
    }
  }

  @Test
  void noByteOfASealedFileCanBeChangedAndItsKindIsPartOfIt() throws Exception {
    try (var key = RecipientKey.generate()) {
      var file = SealedFile.seal(SealedFile.Kind.KEYS, key.publicKey(), "secret".getBytes(StandardCharsets.US_ASCII));
      assertThat(SealedFile.open(SealedFile.Kind.KEYS, key, file)).asString().isEqualTo("secret");
      assertThatThrownBy(() -> SealedFile.open(SealedFile.Kind.BACKUP, key, file))
          .isInstanceOf(UnreadableException.class).hasMessageContaining("a backup");
      for (int at = 0; at < file.length; at++) {
        var altered = file.clone();
        altered[at] ^= (byte) (1 << at % 8);
        assertThatThrownBy(() -> SealedFile.open(SealedFile.Kind.KEYS, key, altered)).as("byte %d", at)
            .isInstanceOf(UnreadableException.class);
        var cut = Arrays.copyOf(file, at);
        assertThatThrownBy(() -> SealedFile.open(SealedFile.Kind.KEYS, key, cut)).as("cut at %d", at)
            .isInstanceOf(UnreadableException.class);
      }
    }
  }

  @Test
  void aKeyUnderTheAddressOfAnotherIsNotTaken() throws Exception {
    try (var key = RecipientKey.generate(); var secret = SecretBytes.random()) {
      var wrong = new KeyBundle.Key(Fixtures.TENANT, new UUID(1, 1), Fixtures.PAYEE, secret);
      var file = new KeyBundle(List.of(wrong)).seal(key.publicKey());
      assertThatThrownBy(() -> KeyBundle.open(file, key, CURVE)).isInstanceOf(UnreadableException.class)
          .hasMessageContaining("is not the one of its address");
      try (var ring = home("signer").keks().open()) {
        var store = Keystore.open(home("signer").keys(), ring, CURVE);
        assertThat(refusal(store.put(wrong, new HashMap<>()))).contains("is not that of the address");
        assertThat(store.size()).isZero();
      }
      var countOfTwo = ByteBuffer.allocate(4 + 84).putInt(2).array();
      assertThatThrownBy(() -> KeyBundle.open(SealedFile.seal(SealedFile.Kind.KEYS, key.publicKey(), countOfTwo), key,
          CURVE)).isInstanceOf(UnreadableException.class);
    }
  }

  @Test
  void keystoresAndRawKeysOfOtherWalletsAreSealedAndOpenedAgainWithTheSameAddress() throws Exception {
    secretFile("raw", "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d");
    secretFile("password", "correct horse\n");
    assertThat(run("recipient-key", "--secret", path("secret"))).as(said()).isZero();
    var publicKey = said().lines().findFirst().orElseThrow();
    assertThat(run("seal-key", "--for", publicKey, "--tenant", TENANT, "--raw-key-file", path("raw"), "--out",
        path("bundle"))).as(said()).isZero();
    assertThat(said().toLowerCase(Locale.ROOT)).contains("address 0x008aeeda4d805471df9b2a5b0f38a0c3bcba786b");
    assertThat(run("open-keys", "--bundle", path("bundle"), "--secret", path("secret"), "--password-file",
        path("password"), "--out", path("opened"))).as(said()).isZero();
    Path keystore;
    try (var files = Files.list(temporary.resolve("opened"))) {
      keystore = files.findFirst().orElseThrow();
    }
    assertThat(run("seal-key", "--for", publicKey, "--tenant", TENANT, "--keystore", keystore.toString(),
        "--password-file", path("password"), "--out", path("bundle-2"))).as(said()).isZero();
    assertThat(said().toLowerCase(Locale.ROOT)).contains("address 0x008aeeda4d805471df9b2a5b0f38a0c3bcba786b");
    secretFile("seed", "000102030405060708090a0b0c0d0e0f");
    assertThat(run("seal-key", "--for", publicKey, "--tenant", TENANT, "--hd-file", path("seed"), "--hd-path",
        "m/44'/60'/0'/0/0", "--out", path("bundle-hd"))).as(said()).isZero();
    assertThat(run("seal-key", "--for", publicKey, "--tenant", TENANT, "--hd-file", path("seed"), "--hd-path", "44",
        "--out", path("bundle-hd-2"))).isEqualTo(1);
    assertThat(run("seal-key", "--for", publicKey, "--tenant", TENANT, "--raw-key-file", path("password"), "--out",
        path("bundle-3"))).isEqualTo(1);
    assertThat(said()).contains("64 hexadecimal digits").doesNotContain("horse");
    for (var file : List.of("secret", "bundle", "bundle-2")) {
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(temporary.resolve(file)))).as(file)
          .isEqualTo("rw-------");
    }
    for (var misuse : new String[][]{{"seal-key", "--for", publicKey, "--tenant", TENANT, "--out", "x"},
        {"keygen", "--for", "x", "--tenant", TENANT},
        {"keygen", "--for", publicKey, "--tenant", "ten_1", "--count", "1"},
        {"keygen", "--for", publicKey, "--tenant", TENANT, "--count", "501", "--out", "x"},
        {"recovery-key", "--threshold", "3", "--shares", "2", "--out", "x"}}) {
      assertThat(run(misuse)).as(String.join(" ", misuse)).isIn(1, 2);
      assertThat(said().lines()).hasSize(1);
    }
  }

  @Test
  void aBackupIsRestoredIntoAnotherHomeWithEnoughSharesAndOpensForNobodyElse() throws Exception {
    var old = home("old");
    var addresses = new HashMap<UUID, Address>();
    byte[] backup;
    assertThat(run("recovery-key", "--threshold", "2", "--shares", "3", "--out", path("shares"))).as(said()).isZero();
    var recovery = RecipientKey
        .parse(said().lines().filter(line -> line.startsWith("bursar-recipient")).findFirst().orElseThrow());
    try (var ring = old.keks().open()) {
      var store = Keystore.open(old.keys(), ring, CURVE);
      for (int i = 0; i < 5; i++) {
        addresses.put(new UUID(3, i), ((Keystore.Creation.Available) store.create(Fixtures.TENANT, new UUID(3, i)))
            .entry().address());
      }
      var logKey = LogKeyFile.read(old.logKey());
      backup = Backup.make(store, new Backup.LogKey(logKey.origin(), logKey.publicKey(), logKey.unwrap(ring)), recovery,
          Fixtures.NOW);
    }
    assertThatThrownBy(() -> CeremonyCommands.recoveryKey(List.of(temporary.resolve("shares/share-1.txt"))))
        .isInstanceOf(IOException.class).hasMessageContaining("it takes 2");
    var fresh = home("fresh");
    try (var key = CeremonyCommands.recoveryKey(
        List.of(temporary.resolve("shares/share-3.txt"), temporary.resolve("shares/share-1.txt")));
        var opened = Backup.open(backup, key);
        var ring = fresh.keks().open()) {
      assertThat(opened.madeAt()).isEqualTo(Fixtures.NOW);
      var store = Keystore.open(fresh.keys(), ring, CURVE);
      assertThat(opened.restoreInto(store)).containsExactlyInAnyOrderElementsOf(addresses.values());
      for (var key1 : addresses.entrySet()) {
        try (var secret = store.unseal(store.find(key1.getKey()).orElseThrow())) {
          assertThat(CURVE.addressOf(secret)).contains(key1.getValue());
        }
      }
      assertThat(opened.logKey().publicKey()).isEqualTo(LogKeyFile.read(old.logKey()).publicKey());
    }
    try (var stranger = RecipientKey.generate()) {
      assertThatThrownBy(() -> Backup.open(backup, stranger)).isInstanceOf(UnreadableException.class);
    }
  }

  private SignerHome home(String name) throws IOException {
    var home = new SignerHome(temporary.resolve(name), false);
    home.initialize(temporary.resolve(name + "-permit.key"), Optional.empty(), Optional.empty());
    return home;
  }

  private static String refusal(Keystore.Import outcome) {
    return outcome instanceof Keystore.Import.Refused(var reason) ? reason : "it was taken";
  }

  private void secretFile(String name, String text) throws IOException {
    SafeFiles.create(temporary.resolve(name), text.getBytes(StandardCharsets.US_ASCII));
  }

  private String path(String name) {
    return temporary.resolve(name).toString();
  }

  private int run(String... arguments) {
    out.reset();
    var stream = new PrintStream(out, true, StandardCharsets.UTF_8);
    return SignerMain.run(arguments, Map.of(), stream, stream);
  }

  private String said() {
    return out.toString(StandardCharsets.UTF_8);
  }
}
