package io.bursar.signer;

import static io.bursar.signer.Fixtures.refusal;
import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.PrivateKey;
import java.util.Arrays;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import java.util.UUID;
import java.util.stream.IntStream;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import io.bursar.money.Address;
import io.bursar.permit.Bytes;
import io.bursar.permit.Digest32;
import io.bursar.permit.Intent;
import io.bursar.permit.Permit;
import io.bursar.permit.PermitKeys;
import io.bursar.permit.PermitSigningKey;
import io.bursar.permit.SignedPermit;
import io.bursar.permit.SignerFrame;
import io.bursar.permit.SignerRefusal;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerReply.Healthy;
import io.bursar.permit.SignerReply.KeyCreated;
import io.bursar.permit.SignerReply.Signed;
import io.bursar.permit.SignerRequest;
import io.bursar.permit.SignerRequest.CreateKey;
import io.bursar.permit.SignerRequest.Health;
import io.bursar.permit.SignerRequest.Sign;
import io.bursar.permit.TransferIntent;
import io.bursar.permit.TransferIntent.NonceSlot;

class SignerTest {
  private static final UUID KEY = new UUID(1, 1);
  private static final UUID OTHER_KEY = new UUID(2, 2);
  private static final PrivateKey PERMIT_KEY = Fixtures.PERMIT_KEYS.getPrivate();

  @TempDir
  Path directory = Path.of(".");
  private final Fixtures.TestClock clock = new Fixtures.TestClock();
  private final Secp256k1 curve = new BouncyCastleSecp256k1();
  private Setup running = new Setup(null, null);
  private Address address = Fixtures.PAYEE;

  /** The signer under test and its journal; both are set before each test. */
  private record Setup(@Nullable Signer signer,
      @Nullable Journal journal) {}

  @BeforeEach
  void start() throws Exception {
    var keystore = Keystore.open(directory.resolve("keys"), Fixtures.keks(), curve);
    var journal = Fixtures.journal(directory.resolve("journal"), clock.instant());
    running = new Setup(
        new Signer(Fixtures.permits(clock), keystore, Fixtures.fences(directory, journal),
            Fixtures.log(directory, false), Fixtures.HEALTHY),
        journal);
    address = ((KeyCreated) ask(new CreateKey(Fixtures.TENANT, KEY))).address();
  }

  @AfterEach
  void stop() throws Exception {
    journal().close();
  }

  @Test
  void signsWhatAPermitAllowsAndWeb3jRecoversTheSender() throws Exception {
    var intent = Fixtures.intent(KEY, address, 0);
    var signed = (Signed) ask(Fixtures.request(intent));
    Eip1559Test.assertDecodes(intent, signed.rawTransaction().toByteArray());
    assertThat(signed.transactionHash())
        .isEqualTo(Digest32.of(Address.keccak256(signed.rawTransaction().toByteArray())));
  }

  @Test
  void theSameIntentUnderANewPermitGivesTheSameBytesAlsoAfterRestart() throws Exception {
    var intent = Fixtures.intent(KEY, address, 0);
    var first = ask(Fixtures.request(intent));
    assertThat(ask(Fixtures.request(intent))).isEqualTo(first);
    stop();
    start();
    assertThat(ask(Fixtures.request(intent))).isEqualTo(first);
  }

  @Test
  void aReplacementAtAHigherFeeIsAnotherTransactionOfTheSameTransfer() throws Exception {
    var intent = Fixtures.intent(KEY, address, 0);
    var first = (Signed) ask(Fixtures.request(intent));
    var bumped = new TransferIntent(intent.tenantId(), intent.spendId(), intent.slot(), intent.from(),
        intent.transfer(), Fixtures.gas(90_000, 3_000_000_000L, 2_000_000));
    var second = (Signed) ask(Fixtures.request(bumped));
    assertThat(second.transactionHash()).isNotEqualTo(first.transactionHash());
    Eip1559Test.assertDecodes(bumped, second.rawTransaction().toByteArray());
    var greedy = new TransferIntent(intent.tenantId(), intent.spendId(), intent.slot(), intent.from(),
        intent.transfer(), Fixtures.gas(90_000, 15_000_000_001L, 2_000_000));
    assertRefused(Fixtures.request(greedy), SignerRefusal.FEE_OUT_OF_BOUNDS);
  }

  @Test
  void refusesAPermitOfAnotherKeyOrWithoutASignature() {
    var intent = Fixtures.intent(KEY, address, 0);
    var permit = Fixtures.permit(intent, Fixtures.NOW);
    var bytes = Bytes.of(intent.encode());
    assertRefused(new Sign(permit.sign(PermitKeys.generate().getPrivate()), bytes),
        SignerRefusal.BAD_PERMIT_SIGNATURE);
    assertRefused(new Sign(new SignedPermit(Bytes.of(permit.encode()), Bytes.of(new byte[64])), bytes),
        SignerRefusal.BAD_PERMIT_SIGNATURE);
    assertRefused(new Sign(new SignedPermit(Bytes.of(new byte[0]), Bytes.of(new byte[64])), bytes),
        SignerRefusal.BAD_PERMIT_SIGNATURE);
  }

  @Test
  void refusesEveryAlteredBitOfPermitSignatureAndIntent() {
    var request = Fixtures.request(Fixtures.intent(KEY, address, 0));
    var permit = request.permit();
    for (int bit = 0; bit < 8 * permit.bytes().size(); bit++) {
      assertRefused(new Sign(new SignedPermit(flip(permit.bytes(), bit), permit.signature()), request.intent()),
          SignerRefusal.BAD_PERMIT_SIGNATURE);
    }
    for (int bit = 0; bit < 8 * SignedPermit.SIGNATURE_BYTES; bit++) {
      assertRefused(new Sign(new SignedPermit(permit.bytes(), flip(permit.signature(), bit)), request.intent()),
          SignerRefusal.BAD_PERMIT_SIGNATURE);
    }
    for (int bit = 0; bit < 8 * request.intent().size(); bit++) {
      assertRefused(new Sign(permit, flip(request.intent(), bit)), SignerRefusal.INTENT_MISMATCH);
    }
    assertThat(ask(request)).as("the unaltered request").isInstanceOf(Signed.class);
  }

  @Test
  void permitsSignedTogetherAreEachGoodForTheirOwnIntentOnceAndAlteredForNone() {
    var intents = IntStream.range(0, 5).mapToObj(nonce -> Fixtures.intent(KEY, address, nonce)).toList();
    var permits = Permit.sign(intents.stream().map(intent -> Fixtures.permit(intent, Fixtures.NOW)).toList(),
        PermitSigningKey.of(PERMIT_KEY));
    for (int i = 0; i < intents.size(); i++) {
      var bytes = Bytes.of(intents.get(i).encode());
      assertRefused(new Sign(permits.get((i + 1) % 5), bytes), SignerRefusal.INTENT_MISMATCH);
      var permit = permits.get(i);
      for (int bit = 0; bit < 8 * Permit.ENCODED_BYTES; bit++) { // the signature of the first is known by now
        assertRefused(new Sign(new SignedPermit(flip(permit.bytes(), bit), permit.signature()), bytes),
            SignerRefusal.BAD_PERMIT_SIGNATURE);
      }
      assertThat(ask(new Sign(permit, bytes))).isInstanceOf(Signed.class);
      assertRefused(new Sign(permit, bytes), SignerRefusal.PERMIT_REUSED);
    }
    var stranger = Permit.sign(intents.stream().map(intent -> Fixtures.permit(intent, Fixtures.NOW)).toList(),
        PermitSigningKey.of(PermitKeys.generate().getPrivate()));
    assertRefused(new Sign(stranger.getFirst(), Bytes.of(intents.getFirst().encode())),
        SignerRefusal.BAD_PERMIT_SIGNATURE);
  }

  @Test
  void refusesIntentsWithBytesTooFewOrTooMany() {
    var request = Fixtures.request(Fixtures.intent(KEY, address, 0));
    var intent = request.intent().toByteArray();
    for (int length = 0; length < intent.length + 40; length++) {
      if (length != intent.length) {
        var other = Arrays.copyOf(intent, length);
        assertRefused(new Sign(request.permit(), Bytes.of(other)), SignerRefusal.INTENT_MISMATCH);
        // Even where the API signs a permit for such bytes.
        assertRefused(new Sign(permitFor(Intent.hashOf(other), UUID.randomUUID()), Bytes.of(other)),
            SignerRefusal.BAD_INTENT);
      }
    }
  }

  @Test
  void refusesSignedBytesThatAreNoPermit() throws Exception {
    var intent = Fixtures.intent(KEY, address, 0);
    var whole = Fixtures.permit(intent, Fixtures.NOW).encode();
    for (int length = 0; length < whole.length + 20; length++) {
      if (length != whole.length) {
        var other = Arrays.copyOf(whole, length);
        assertRefused(new Sign(signRaw(other), Bytes.of(intent.encode())), SignerRefusal.BAD_PERMIT);
      }
    }
    var sixMinutes = ByteBuffer.wrap(whole.clone());
    sixMinutes.putLong(whole.length - 8, Fixtures.NOW.plusSeconds(360).toEpochMilli());
    assertRefused(new Sign(signRaw(sixMinutes.array()), Bytes.of(intent.encode())), SignerRefusal.BAD_PERMIT);
  }

  @Test
  void refusesBeforeAndAfterThePermitsTimeToTheMillisecond() {
    var intent = Fixtures.intent(KEY, address, 0);
    var request = Fixtures.request(intent);
    clock.set(Fixtures.NOW.minusMillis(1));
    assertRefused(request, SignerRefusal.PERMIT_NOT_YET_VALID);
    clock.set(Fixtures.NOW.plusSeconds(60));
    assertRefused(request, SignerRefusal.PERMIT_EXPIRED);
    clock.set(Fixtures.NOW.plusSeconds(60).minusNanos(1));
    assertThat(ask(request)).isInstanceOf(Signed.class);
  }

  @Test
  void refusesAPermitThatWasUsedAlsoAfterRestart() throws Exception {
    var request = Fixtures.request(Fixtures.intent(KEY, address, 0));
    assertThat(ask(request)).isInstanceOf(Signed.class);
    assertRefused(request, SignerRefusal.PERMIT_REUSED);
    stop();
    start();
    assertRefused(request, SignerRefusal.PERMIT_REUSED);
  }

  @Test
  void refusesAPermitOfAnotherSpend() {
    var intent = Fixtures.intent(KEY, address, 0);
    assertRefused(new Sign(permitFor(intent.hash(), UUID.randomUUID()), Bytes.of(intent.encode())),
        SignerRefusal.INTENT_MISMATCH);
  }

  @Test
  void refusesUnknownKeysOtherTenantsAndOtherSenders() {
    ask(new CreateKey(Fixtures.TENANT, OTHER_KEY));
    var intent = Fixtures.intent(KEY, address, 0);
    assertRefused(Fixtures.request(Fixtures.intent(new UUID(9, 9), address, 0)), SignerRefusal.UNKNOWN_KEY);
    assertRefused(Fixtures.request(new TransferIntent(Fixtures.OTHER_TENANT, intent.spendId(), intent.slot(), address,
        intent.transfer(), intent.gas())), SignerRefusal.WRONG_TENANT);
    assertRefused(Fixtures.request(Fixtures.intent(OTHER_KEY, address, 0)), SignerRefusal.WRONG_FROM_ADDRESS);
    assertRefused(Fixtures.request(Fixtures.intent(KEY, Fixtures.PAYEE, 0)), SignerRefusal.WRONG_FROM_ADDRESS);
  }

  @Test
  void refusesAnotherTransferForANonceAndTheFirstStillStands() throws Exception {
    var intent = Fixtures.intent(KEY, address, 0);
    var first = ask(Fixtures.request(intent));
    for (int round = 0; round < 2; round++) {
      assertRefused(Fixtures.request(Fixtures.intent(KEY, address, 0, BigInteger.ONE)), SignerRefusal.NONCE_CONFLICT);
      assertRefused(Fixtures.request(new TransferIntent(intent.tenantId(), UUID.randomUUID(), intent.slot(), address,
          intent.transfer(), intent.gas())), SignerRefusal.NONCE_CONFLICT);
      assertThat(ask(Fixtures.request(intent))).isEqualTo(first);
      stop();
      start();
    }
    var otherChain = new TransferIntent(intent.tenantId(), new UUID(1, 98), new NonceSlot(1, KEY, 0), address,
        intent.transfer(), intent.gas());
    assertThat(ask(Fixtures.request(otherChain))).isInstanceOf(Signed.class);
  }

  @Test
  void refusesASpendThatWasSignedForAnotherNonceAlsoAfterRestart() throws Exception {
    var intent = Fixtures.intent(KEY, address, 0);
    assertThat(ask(Fixtures.request(intent))).isInstanceOf(Signed.class);
    for (int round = 0; round < 2; round++) {
      for (var slot : new NonceSlot[]{new NonceSlot(8453, KEY, 1), new NonceSlot(1, KEY, 0)}) {
        assertRefused(Fixtures.request(new TransferIntent(intent.tenantId(), intent.spendId(), slot, address,
            intent.transfer(), intent.gas())), SignerRefusal.SPEND_CONFLICT);
      }
      stop();
      start();
    }
  }

  @Test
  void aKeyFileThatWasSwappedSignsNothing() throws Exception {
    ask(new CreateKey(Fixtures.OTHER_TENANT, OTHER_KEY));
    Files.copy(directory.resolve("keys").resolve(OTHER_KEY + ".key"), directory.resolve("keys").resolve(KEY + ".key"),
        StandardCopyOption.REPLACE_EXISTING);
    assertRefused(Fixtures.request(Fixtures.intent(KEY, address, 0)), SignerRefusal.KEY_UNREADABLE);
  }

  @Test
  void aFullDiskSignsNothingAndHealsByItself() throws Exception {
    journal().close();
    var channel = new FaultyChannel(SafeFiles.open(directory.resolve("journal")));
    var keystore = Keystore.open(directory.resolve("keys"), Fixtures.keks(), curve);
    var journal = Fixtures.journal(directory.resolve("journal"), channel, clock.instant());
    running = new Setup(
        new Signer(Fixtures.permits(clock), keystore, Fixtures.fences(directory, journal),
            Fixtures.log(directory, false), Fixtures.HEALTHY),
        journal);
    var intent = Fixtures.intent(KEY, address, 0);
    for (var fault : FaultyChannel.Fault.values()) {
      channel.fail(fault);
      var reply = ask(Fixtures.request(intent));
      assertThat(refusal(reply)).contains(SignerRefusal.UNAVAILABLE);
      assertThat(reply.toString()).doesNotContain("space", directory.toString());
    }
    channel.heal();
    var other = Fixtures.intent(KEY, address, 0, BigInteger.ONE);
    assertThat(ask(Fixtures.request(other))).as("nothing was signed for the nonce").isInstanceOf(Signed.class);
  }

  @Test
  void aFaultySignatureNeverLeaves() throws Exception {
    var faulty = new Secp256k1() {
      @Override
      public String name() {
        return "faulty";
      }

      @Override
      public boolean keepsKeysOffHeap() {
        return true;
      }

      @Override
      public Optional<Address> addressOf(SecretBytes key) {
        return curve.addressOf(key);
      }

      @Override
      public Signature sign(byte[] digest, SecretBytes key) {
        var good = curve.sign(digest, key);
        return new Signature(good.r(), good.s().xor(BigInteger.ONE), good.recoveryId());
      }

      @Override
      public Optional<Address> recover(byte[] digest, Signature signature) {
        return curve.recover(digest, signature);
      }

      @Override
      public void close() {
        // holds nothing
      }
    };
    var keystore = Keystore.open(directory.resolve("keys"), Fixtures.keks(), faulty);
    var signer = new Signer(Fixtures.permits(clock), keystore, Fixtures.fences(directory, journal()),
        Fixtures.log(directory, false), Fixtures.HEALTHY);
    var reply = signer.answer(payload(Fixtures.request(Fixtures.intent(KEY, address, 0))));
    assertThat(refusal(reply)).contains(SignerRefusal.UNAVAILABLE);
  }

  @Test
  void keysAreMadeOnceAndBelongToOneTenant() {
    assertThat(ask(new CreateKey(Fixtures.TENANT, KEY))).isEqualTo(new KeyCreated(KEY, address));
    assertThat(refusal(ask(new CreateKey(Fixtures.OTHER_TENANT, KEY)))).contains(SignerRefusal.KEY_EXISTS);
    assertThat(ask(new Health())).isInstanceOf(Healthy.class);
  }

  /** Half of the frames are random, half are good ones that were damaged; {@code -Dbursar.fuzz.frames=1000000} tries more. */
  @Test
  void randomAndDamagedFramesAreNeverSignedAndNeverThrow() throws Exception {
    long seed = 91;
    var random = new Random(seed);
    long before = journal().records();
    int keys = keyFiles();
    int frames = Integer.getInteger("bursar.fuzz.frames", 20_000);
    for (int i = 0; i < frames; i++) {
      var frame = hostile(random, i);
      if (frame.length > 1 && frame[0] == 1 && (frame[1] == 2 || frame[1] == 18 || frame[1] == 20)) {
        continue; // a well-formed request for a key, for a freeze or about the journal is no attack
      }
      var reply = Objects.requireNonNull(running.signer()).answer(frame);
      assertThat(reply).as("seed %d, round %d", seed, i).isNotInstanceOf(Signed.class);
      if (reply instanceof SignerReply.Refused refused) {
        assertThat(refused.reason()).as("seed %d, round %d: %s", seed, i, refused.message())
            .isNotEqualTo(SignerRefusal.UNAVAILABLE).isNotEqualTo(SignerRefusal.JOURNAL_REWOUND);
        assertThat(refused.message()).doesNotContain("java.", "Exception", directory.toString());
      }
    }
    assertThat(journal().records()).isEqualTo(before);
    assertThat(keyFiles()).isEqualTo(keys);
    assertThat(ask(Fixtures.request(Fixtures.intent(KEY, address, 0)))).isInstanceOf(Signed.class);
  }

  private byte[] hostile(Random random, int round) {
    if (round % 2 == 0) {
      var bytes = Fixtures.bytes(random, random.nextInt(round % 100 == 0 ? SignerFrame.MAX_PAYLOAD_BYTES : 500));
      if (bytes.length > 1 && random.nextBoolean()) {
        bytes[0] = 1;
        bytes[1] = (byte) new int[]{3, 3, 3, 4, 5, 16, 17, 19}[random.nextInt(8)];
      }
      return bytes;
    }
    // Checking a signature costs most of a request, making one as much again: so one frame in ten is whole, and one in a
    // hundred carries a genuine permit. The others are cut off or too long somewhere.
    var intent = Fixtures.intent(KEY, address, random.nextInt(5));
    var bytes = round % 100 == 1 ? payload(Fixtures.request(intent)) : payload(unsigned(intent));
    for (int i = 1 + random.nextInt(4); i > 0; i--) {
      int at = random.nextInt(bytes.length);
      bytes[at] ^= (byte) (1 + random.nextInt(255));
    }
    if (round % 10 == 1) {
      return bytes;
    }
    int length = random.nextInt(bytes.length + 50);
    return Arrays.copyOf(bytes, length == bytes.length ? length + 1 : length);
  }

  private static Sign unsigned(TransferIntent intent) {
    return new Sign(new SignedPermit(Bytes.of(Fixtures.permit(intent, Fixtures.NOW).encode()), Bytes.of(new byte[64])),
        Bytes.of(intent.encode()));
  }

  private int keyFiles() throws Exception {
    try (var files = Files.list(directory.resolve("keys"))) {
      return (int) files.count();
    }
  }

  private void assertRefused(Sign request, SignerRefusal reason) {
    long before = journal().records();
    assertThat(refusal(ask(request))).contains(reason);
    assertThat(journal().records()).as("records").isEqualTo(before);
  }

  private SignerReply ask(SignerRequest request) {
    return Objects.requireNonNull(running.signer()).answer(payload(request));
  }

  private Journal journal() {
    return Objects.requireNonNull(running.journal());
  }

  private static byte[] payload(SignerRequest request) {
    return Objects.requireNonNull(SignerFrame.take(SignerFrame.encode(request)));
  }

  private static SignedPermit permitFor(Digest32 intentHash, UUID spendId) {
    return new Permit(UUID.randomUUID(), spendId, Digest32.sha256(), intentHash, Fixtures.NOW,
        Fixtures.NOW.plusSeconds(60)).sign(PERMIT_KEY);
  }

  /** The permit key's signature over bytes that are no permit. */
  private static SignedPermit signRaw(byte[] bytes) throws Exception {
    var ed25519 = java.security.Signature.getInstance("Ed25519");
    ed25519.initSign(PERMIT_KEY);
    ed25519.update("bursar permit v1\n".getBytes(StandardCharsets.US_ASCII));
    ed25519.update(bytes);
    return new SignedPermit(Bytes.of(bytes), Bytes.of(ed25519.sign()));
  }

  private static Bytes flip(Bytes bytes, int bit) {
    var altered = bytes.toByteArray();
    altered[bit / 8] ^= (byte) (1 << bit % 8);
    return Bytes.of(altered);
  }
}
