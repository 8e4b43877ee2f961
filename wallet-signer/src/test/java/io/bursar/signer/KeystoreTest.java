package io.bursar.signer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.HashSet;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.stream.IntStream;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import io.bursar.money.Address;
import io.bursar.signer.Keystore.Creation;
import io.bursar.signer.Keystore.Entry;
import io.bursar.signer.Keystore.UnreadableKeyException;

class KeystoreTest {
  private static final UUID KEY = new UUID(1, 1);
  private static final UUID OTHER_KEY = new UUID(2, 2);

  @TempDir
  Path temporary = Path.of(".");
  private Path directory = Path.of(".");
  private final Secp256k1 curve = new BouncyCastleSecp256k1();

  @BeforeEach
  void name() {
    directory = temporary.resolve("keys");
  }

  @Test
  void opensWhatItMadeAndTheAddressIsTheKeys() throws Exception {
    var address = create(store(), Fixtures.TENANT, KEY).address();
    var entry = store().find(KEY).orElseThrow();
    assertThat(entry.address()).isEqualTo(address);
    assertThat(entry.tenantId()).isEqualTo(Fixtures.TENANT);
    try (var secret = store().unseal(entry)) {
      assertThat(curve.addressOf(secret)).contains(address);
    }
  }

  @Test
  void theSameIdAgainIsTheSameKeyAndForAnotherTenantTaken() throws Exception {
    var first = create(store(), Fixtures.TENANT, KEY);
    var file = Files.readAllBytes(directory.resolve(KEY + ".key"));
    assertThat(create(store(), Fixtures.TENANT, KEY).address()).isEqualTo(first.address());
    assertThat(store().create(Fixtures.OTHER_TENANT, KEY)).isInstanceOf(Creation.TakenByOtherTenant.class);
    assertThat(Files.readAllBytes(directory.resolve(KEY + ".key"))).isEqualTo(file);
  }

  @Test
  void manyThreadsThatAskForOneKeyGetOneKey() throws Exception {
    var store = store();
    try (var threads = Executors.newFixedThreadPool(8)) {
      var addresses = new HashSet<Address>();
      Callable<Address> ask = () -> create(store, Fixtures.TENANT, KEY).address();
      for (var address : threads.invokeAll(IntStream.range(0, 64).mapToObj(i -> ask).toList())) {
        addresses.add(address.get());
      }
      assertThat(addresses).hasSize(1);
      assertThat(store.size()).isEqualTo(1);
    }
  }

  @Test
  void aFileCopiedToAnotherKeyDoesNotOpen() throws Exception {
    create(store(), Fixtures.TENANT, KEY);
    create(store(), Fixtures.TENANT, OTHER_KEY);
    Files.write(directory.resolve(OTHER_KEY + ".key"), Files.readAllBytes(directory.resolve(KEY + ".key")));
    assertThatThrownBy(() -> store().find(OTHER_KEY)).isInstanceOf(UnreadableKeyException.class);
  }

  @Test
  void sealedBytesUnderTheNameTenantOrAddressOfAnotherKeyDoNotOpen() throws Exception {
    var one = create(store(), Fixtures.TENANT, KEY);
    var two = create(store(), Fixtures.OTHER_TENANT, OTHER_KEY);
    for (var swapped : new Entry[]{
        new Entry(two.tenantId(), one.keyId(), one.address(), one.dataKey(), one.nonce(), one.sealed()),
        new Entry(one.tenantId(), two.keyId(), one.address(), one.dataKey(), one.nonce(), one.sealed()),
        new Entry(one.tenantId(), one.keyId(), two.address(), one.dataKey(), one.nonce(), one.sealed()),
        new Entry(two.tenantId(), two.keyId(), two.address(), one.dataKey(), one.nonce(), one.sealed()),
        new Entry(one.tenantId(), one.keyId(), one.address(), two.dataKey(), one.nonce(), one.sealed()),
        new Entry(one.tenantId(), one.keyId(), one.address(), one.dataKey(), two.nonce(), one.sealed())}) {
      assertDoesNotOpen(swapped);
    }
    store().unseal(one).close();
  }

  @Test
  void noByteOfAFileCanBeChangedCutOffOrAdded() throws Exception {
    create(store(), Fixtures.TENANT, KEY);
    var file = directory.resolve(KEY + ".key");
    var whole = Files.readAllBytes(file);
    for (int at = 0; at < whole.length; at++) {
      var altered = whole.clone();
      altered[at] ^= (byte) (1 << at % 8);
      Files.write(file, altered);
      assertThatThrownBy(() -> store().unseal(store().find(KEY).orElseThrow())).as("byte %d", at)
          .isInstanceOf(UnreadableKeyException.class);
      Files.write(file, Arrays.copyOf(whole, at));
      assertThatThrownBy(() -> store().unseal(store().find(KEY).orElseThrow())).as("cut at %d", at)
          .isInstanceOf(UnreadableKeyException.class);
    }
    Files.write(file, Arrays.copyOf(whole, whole.length + 1));
    assertThatThrownBy(() -> store().find(KEY)).isInstanceOf(UnreadableKeyException.class);
  }

  @Test
  void anotherKekOpensNothingAndIsNamed() throws Exception {
    var entry = create(store(), Fixtures.TENANT, KEY);
    var stranger = KekRing.of(AesKek.ofKey(new byte[32]));
    assertThatThrownBy(() -> Keystore.open(directory, stranger, curve).unseal(entry))
        .isInstanceOf(UnreadableKeyException.class).hasMessageContaining(stranger.id())
        .hasMessageContaining(Fixtures.keks().id());
  }

  @Test
  void filesAndDirectoryAreTheirOwnersOnly() throws Exception {
    create(store(), Fixtures.TENANT, KEY);
    assertThat(mode(directory)).isEqualTo("rwx------");
    assertThat(mode(directory.resolve(KEY + ".key"))).isEqualTo("rw-------");
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxrwx---"));
    assertThatThrownBy(this::store).isInstanceOf(IOException.class).hasMessageContaining("rwxrwx---");
  }

  @Test
  void anInterruptedWriteIsClearedAwayAndCountsForNothing() throws Exception {
    create(store(), Fixtures.TENANT, KEY);
    Files.write(directory.resolve("." + OTHER_KEY + ".key.new"), new byte[10]);
    assertThat(store().size()).isEqualTo(1);
    assertThat(store().find(OTHER_KEY)).isEmpty();
    try (var files = Files.list(directory)) {
      assertThat(files).hasSize(1);
    }
  }

  @Test
  void takesNoMoreKeysThanItMay() throws Exception {
    var small = new Keystore(directory, Fixtures.keks(), curve, 2);
    create(small, Fixtures.TENANT, KEY);
    create(small, Fixtures.TENANT, OTHER_KEY);
    assertThat(small.create(Fixtures.TENANT, new UUID(3, 3))).isInstanceOf(Creation.LimitReached.class);
    assertThat(small.create(Fixtures.TENANT, KEY)).isInstanceOf(Creation.Available.class);
  }

  private void assertDoesNotOpen(Entry entry) {
    assertThatThrownBy(() -> store().unseal(entry)).isInstanceOf(UnreadableKeyException.class)
        .hasMessageContaining(entry.keyId().toString());
  }

  private Keystore store() throws IOException {
    return Keystore.open(directory, Fixtures.keks(), curve);
  }

  private static Entry create(Keystore store, UUID tenantId, UUID keyId) throws Exception {
    return ((Creation.Available) store.create(tenantId, keyId)).entry();
  }

  private static String mode(Path path) throws IOException {
    return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
  }
}
