package io.bursar.signer;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.Signature;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.stream.Stream;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import io.bursar.approval.ApproverKey;
import io.bursar.approval.OrderText;
import io.bursar.permit.Bytes;
import io.bursar.permit.Digest32;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerReply.Obeyed;
import io.bursar.permit.SignerReply.Refused;
import io.bursar.permit.SignerRequest.Obey;
import io.bursar.permit.SignerRequest.SignedOrder;
import io.bursar.spend.Id;

/** Keys come in, go out and come back from a backup only by an order that enough holders of root keys have signed. */
class KeyOrdersTest {
  private static final Secp256k1 CURVE = new BouncyCastleSecp256k1();
  private static final List<KeyPair> ROOTS = List.of(pair(), pair(), pair());
  private static final String ORIGIN = "bursar.test/log";

  @TempDir
  Path temporary = Path.of(".");
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private long number;

  @Test
  void keysOfABundleAreTakenInByOrderAndNotOtherwise() throws Exception {
    var home = home("signer");
    var bundle = bundle(home, 2);
    try (var ring = home.keks().open()) {
      var store = Keystore.open(home.keys(), ring, CURVE);
      assertThat(refusal(obey(home, ring, store, order("import", "all", bundle, 0)))).contains("it takes 2");
      assertThat(refusal(obey(home, ring, store, order("export", "all", bundle, 0, 1)))).isNotEmpty();
      var other = bundle(home, 1);
      var swapped = new Obey(order("import", "all", bundle, 0, 1).order(), Bytes.of(other));
      assertThat(refusal(obey(home, ring, store, swapped))).contains("not for this");
      assertThat(store.size()).isZero();
      var good = order("import", "all", bundle, 0, 2);
      assertThat(obey(home, ring, store, good)).isInstanceOf(Obeyed.class);
      assertThat(store.size()).isEqualTo(2);
      assertThat(refusal(obey(home, ring, store, good))).as("each order once").contains("was obeyed");
      for (var keyId : store.keyIds()) {
        try (var secret = store.unseal(store.find(keyId).orElseThrow())) {
          assertThat(CURVE.addressOf(secret)).contains(store.find(keyId).orElseThrow().address());
        }
      }
    }
  }

  @Test
  void aBundleThatCannotBeTakenInWholeUsesNoOrderUpAndLeavesNothing() throws Exception {
    var home = home("signer");
    try (var ring = home.keks().open()) {
      var store = Keystore.open(home.keys(), ring, CURVE);
      store.create(Fixtures.TENANT, new UUID(1, 1));
      var address = store.find(new UUID(1, 1)).orElseThrow().address();
      byte[] twice;
      try (var fresh = SecretBytes.random(); var secret = store.unseal(store.find(new UUID(1, 1)).orElseThrow())) {
        twice = new KeyBundle(List.of(
            new KeyBundle.Key(Fixtures.TENANT, new UUID(2, 1), CURVE.addressOf(fresh).orElseThrow(), fresh),
            new KeyBundle.Key(Fixtures.TENANT, new UUID(2, 2), address, secret)))
            .seal(ImportKeyFile.read(home.importKey()).publicKey());
      }
      assertThat(refusal(obey(home, ring, store, order("import", "all", twice, 0, 1)))).contains("is there already");
      assertThat(store.size()).isEqualTo(1);
      assertThat(Quorum.open(home.approvers(), ORIGIN).number()).isZero();
    }
  }

  @Test
  void aKeyIsGivenOutToWhomTheOrderNamesAndToNobodyElse() throws Exception {
    var home = home("signer");
    try (var ring = home.keks().open();
        var recipient = RecipientKey.generate();
        var stranger = RecipientKey.generate()) {
      var store = Keystore.open(home.keys(), ring, CURVE);
      var keyId = new UUID(1, 1);
      store.create(Fixtures.TENANT, keyId);
      var content = RecipientKey.text(recipient.publicKey()).getBytes(StandardCharsets.US_ASCII);
      assertThat(refusal(obey(home, ring, store, order("export", keyId.toString(), content, 1))))
          .contains("it takes 2");
      assertThat(refusal(obey(home, ring, store, order("export", new UUID(9, 9).toString(), content, 0, 1))))
          .contains("there is no key");
      var redirected = new Obey(order("export", keyId.toString(), content, 0, 1).order(),
          Bytes.of(RecipientKey.text(stranger.publicKey()).getBytes(StandardCharsets.US_ASCII)));
      assertThat(refusal(obey(home, ring, store, redirected))).contains("not for this");
      assertThat(home.exports()).doesNotExist();
      assertThat(obey(home, ring, store, order("export", keyId.toString(), content, 0, 1)))
          .isInstanceOf(Obeyed.class);
      Path file;
      try (Stream<Path> files = Files.list(home.exports())) {
        file = files.findFirst().orElseThrow();
      }
      try (var bundle = KeyBundle.open(Files.readAllBytes(file), recipient, CURVE)) {
        assertThat(bundle.keys().getFirst().address()).isEqualTo(store.find(keyId).orElseThrow().address());
      }
    }
  }

  @Test
  void aBackupGoesIntoANewHomeWithEnoughSharesAndAnOrderThatNamesIt() throws Exception {
    var old = home("old");
    assertThat(run("backup", "--home", path("old"), "--out", path("backup"))).isEqualTo(1);
    assertThat(said()).contains("no recovery key");
    assertThat(run("recovery-key", "--threshold", "2", "--shares", "3", "--out", path("shares"))).isZero();
    var recovery = said().lines().filter(line -> line.startsWith("bursar-recipient")).findFirst().orElseThrow();
    try (var ring = old.keks().open()) {
      var store = Keystore.open(old.keys(), ring, CURVE);
      for (int i = 0; i < 3; i++) {
        store.create(Fixtures.TENANT, new UUID(1, i));
      }
      assertThat(obey(old, ring, store, order("recovery", "all", recovery.getBytes(StandardCharsets.US_ASCII), 0, 1)))
          .isInstanceOf(Obeyed.class);
    }
    assertThat(run("backup", "--home", path("old"), "--out", path("backup"))).as(said()).isZero();
    assertThat(said()).contains("has 3 keys");

    number = 0;
    var fresh = home("fresh");
    var backup = Files.readAllBytes(temporary.resolve("backup"));
    assertThat(restore("shares/share-1.txt", order("restore", "all-without-journal", backup, 0, 1))).isEqualTo(1);
    assertThat(said()).contains("it takes 2");
    var enough = path("shares/share-1.txt") + "," + path("shares/share-3.txt");
    assertThat(restore(enough, order("restore", "all-without-journal", backup, 0))).isEqualTo(1);
    assertThat(said()).contains("it takes 2");
    assertThat(restore(enough, order("restore", "all", backup, 0, 1))).isEqualTo(1);
    assertThat(said()).contains("the journal is missing");
    assertThat(restore(enough, order("restore", "all-without-journal", new byte[1], 0, 1))).isEqualTo(1);
    assertThat(said()).contains("not for this");
    assertThat(fresh.journal()).doesNotExist();
    assertThat(restore(enough, order("restore", "all-without-journal", backup, 1, 2))).as(said()).isZero();
    assertThat(said()).contains("restored 3 keys");
    assertThat(fresh.journal()).exists();
    assertThat(LogKeyFile.read(fresh.logKey()).publicKey()).isEqualTo(LogKeyFile.read(old.logKey()).publicKey());
    try (var ring = fresh.keks().open(); var oldRing = old.keks().open()) {
      LogKeyFile.read(fresh.logKey()).unwrap(ring);
      var store = Keystore.open(fresh.keys(), ring, CURVE);
      var before = Keystore.open(old.keys(), oldRing, CURVE);
      for (int i = 0; i < 3; i++) {
        var entry = store.find(new UUID(1, i)).orElseThrow();
        assertThat(entry.address()).isEqualTo(before.find(new UUID(1, i)).orElseThrow().address());
        store.unseal(entry).close();
      }
    }
  }

  private byte[] bundle(SignerHome home, int count) throws IOException {
    var key = RecipientKey.text(ImportKeyFile.read(home.importKey()).publicKey());
    var file = path("bundle-" + UUID.randomUUID());
    assertThat(run("keygen", "--for", key, "--tenant", Id.TENANT.text(Fixtures.TENANT), "--count",
        Integer.toString(count), "--out", file)).as(said()).isZero();
    return Files.readAllBytes(Path.of(file));
  }

  private int restore(String shares, Obey order) throws IOException {
    Files.write(temporary.resolve("text"), order.order().text().toByteArray());
    Files.write(temporary.resolve("signatures"), order.order().signatures().stream()
        .map(signature -> Base64.getUrlEncoder().withoutPadding().encodeToString(signature.toByteArray())).toList());
    return run("restore", "--home", path("fresh"), "--backup", path("backup"), "--shares",
        shares.startsWith("/") ? shares : path(shares), "--text", path("text"), "--signatures", path("signatures"));
  }

  private static SignerReply obey(SignerHome home, KekRing ring, Keystore store, Obey order) throws IOException {
    try (var fences = Fences.open(home, ORIGIN, home.anchor(), RateAlarm.Bounds.DEFAULT, false)) {
      fences.alsoObey(quorum -> new KeyOrders(home, ring, store, quorum).deeds());
      return fences.obey(order, Instant.now());
    }
  }

  private Obey order(String order, String subject, byte[] content, int... by) {
    var text = new OrderText(ORIGIN, ++number, order, subject, Digest32.sha256(content),
        Instant.now().truncatedTo(ChronoUnit.SECONDS).plusSeconds(3_600)).bytes();
    var signatures = new ArrayList<Bytes>();
    for (int root : by) {
      signatures.add(sign(ROOTS.get(root), text));
    }
    return new Obey(new SignedOrder(Bytes.of(text), signatures), Bytes.of(content));
  }

  private SignerHome home(String name) throws IOException {
    var home = new SignerHome(temporary.resolve(name), false);
    home.initialize(temporary.resolve(name + "-permit.key"), Optional.empty(), Optional.of(ORIGIN));
    Quorum.install(home.approvers(),
        new RootSet(2, ROOTS.stream().map(pair -> ApproverKey.of(pair.getPublic())).toList()).encode());
    return home;
  }

  private static String refusal(SignerReply reply) {
    return reply instanceof Refused refused ? refused.message() : "it was obeyed";
  }

  private static KeyPair pair() {
    try {
      return KeyPairGenerator.getInstance("Ed25519").generateKeyPair();
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private static Bytes sign(KeyPair pair, byte[] message) {
    try {
      var signature = Signature.getInstance("Ed25519");
      signature.initSign(pair.getPrivate());
      signature.update(message);
      return Bytes.of(signature.sign());
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
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
