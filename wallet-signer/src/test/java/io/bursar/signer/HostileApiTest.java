package io.bursar.signer;

import static io.bursar.signer.Fixtures.refusal;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.EOFException;
import java.io.IOException;
import java.math.BigInteger;
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
import java.util.Random;
import java.util.Set;
import java.util.UUID;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import io.bursar.approval.ApproverKey;
import io.bursar.json.JsonText;
import io.bursar.log.LogProof;
import io.bursar.log.Merkle;
import io.bursar.log.Proofs;
import io.bursar.log.SignedNote;
import io.bursar.money.Address;
import io.bursar.permit.Bytes;
import io.bursar.permit.Digest32;
import io.bursar.permit.Intent;
import io.bursar.permit.Permit;
import io.bursar.permit.PermitKeys;
import io.bursar.permit.SignerFrame;
import io.bursar.permit.SignerRefusal;
import io.bursar.permit.SignerReply.HeadSigned;
import io.bursar.permit.SignerReply.KeyCreated;
import io.bursar.permit.SignerReply.Signed;
import io.bursar.permit.SignerRequest.Approved;
import io.bursar.permit.SignerRequest.CreateKey;
import io.bursar.permit.SignerRequest.Evidence;
import io.bursar.permit.SignerRequest.Sign;
import io.bursar.permit.SignerRequest.Word;
import io.bursar.permit.TransferIntent;
import io.bursar.permit.TransferIntent.NonceSlot;
import io.bursar.permit.TransferIntent.Transfer;

/**
 * Somebody owns the API's process: the permit key, the socket, and the log, in which any authorization can be written. Everything is
 * tried, over the socket; and whatever is signed stays below the ceilings, once for each nonce and spend.
 */
class HostileApiTest {
  private static final UUID KEY = new UUID(1, 1);
  private static final UUID SECOND = new UUID(2, 2);
  private static final UUID FOREIGN = new UUID(3, 3);
  private static final int PLANNED = 120;
  private static final long MOST_WITHOUT_PEOPLE = 20_000_000;
  private static final long MOST_IN_AN_HOUR = 200_000_000;
  /** Of a token with 6 decimals: 50 at once, 200 in an hour, and above 20 somebody must have signed. */
  private static final String CEILINGS = """
      {"assets": [{"chain": "eip155:8453", "contract": "%s", "symbol": "USDC", "decimals": 6, "currency": "USD"}],
       "key": {"name": "key", "rules": [{"id": "any", "kind": "permit"},
         {"id": "one", "kind": "limit", "match": {"currency": "USD"}, "max": "50", "window": "spend"},
         {"id": "people", "kind": "approval", "match": {"currency": "USD", "amount": {"above": "20"}},
          "groups": [{"group": "finance", "threshold": 1}], "expiresAfter": "PT4H"}]},
       "tenant": {"name": "tenant", "rules": [{"id": "any", "kind": "permit"},
         {"id": "hour", "kind": "limit", "match": {"currency": "USD"}, "max": "200", "window": {"rolling": "PT1H"}}]}}"""
      .formatted(Fixtures.TOKEN);

  @TempDir
  Path directory = Path.of(".");
  private final List<AutoCloseable> running = new ArrayList<>();
  private final Map<UUID, Address> addresses = new HashMap<>();
  private final Map<UUID, SignedLog> logs = new HashMap<>();

  /** A tenant's log under a head that the signer has signed. */
  private record SignedLog(TestLog log, Bytes checkpoint) {
    Evidence evidence(int index) {
      var proof = new LogProof(Optional.empty(), index, new Proofs(log).inclusion(index, log.entries().size()),
          SignedNote.parse(checkpoint.toByteArray()));
      return new Evidence(Bytes.of(log.entries().get(index)), Bytes.of(proof.encode()));
    }
  }

  private record Attack(String name, Sign request, Set<SignerRefusal> allowed) {}

  private Path socket() {
    return directory.resolve("run").resolve("s");
  }

  @BeforeEach
  void start() throws Exception {
    Quorum.install(directory.resolve("approvers"),
        new RootSet(1, List.of(ApproverKey.of(PermitKeys.generate().getPublic()))).encode());
    var journal = Journal.open(directory.resolve("journal"), Optional.empty(),
        Ceilings.parse(CEILINGS.getBytes(StandardCharsets.UTF_8)), Fixtures.NOW);
    var signer = new Signer(Fixtures.permits(new Fixtures.TestClock()),
        Keystore.open(directory.resolve("keys"), Fixtures.keks(), new BouncyCastleSecp256k1()),
        Fixtures.fences(directory, journal), Fixtures.log(directory, true), Fixtures.HEALTHY);
    var server = SignerServer.bind(signer, socket(), Files.getOwner(directory).getName(), Optional.empty(),
        SignerServer.Limits.DEFAULT);
    running.add(server);
    running.add(journal);
    Thread.ofPlatform().daemon().start(server::run);
    try (var client = new TestClient(socket())) {
      for (var key : List.of(KEY, SECOND)) {
        addresses.put(key, ((KeyCreated) client.ask(new CreateKey(Fixtures.TENANT, key))).address());
      }
      addresses.put(FOREIGN, ((KeyCreated) client.ask(new CreateKey(Fixtures.OTHER_TENANT, FOREIGN))).address());
      for (var tenant : List.of(Fixtures.TENANT, Fixtures.OTHER_TENANT)) {
        var entries = new ArrayList<byte[]>();
        for (int i = 0; i < PLANNED; i++) {
          entries.add(JsonText.canonical(TestLog.entry(planned(tenant, i)).build()));
        }
        var log = new TestLog(entries);
        logs.put(tenant,
            new SignedLog(log, ((HeadSigned) client.ask(log.head(tenant, PLANNED, 0))).checkpoint()));
      }
    }
  }

  @AfterEach
  void stop() throws Exception {
    for (var each : running) {
      each.close();
    }
  }

  /** What the hostile API has authorized for itself on the record: amounts up to 60 units, to whom it likes. */
  private TransferIntent planned(UUID tenant, int index) {
    var key = tenant.equals(Fixtures.TENANT) ? index % 2 == 0 ? KEY : SECOND : FOREIGN;
    return new TransferIntent(tenant, new UUID(index, 7), new NonceSlot(8453, key, index), address(key),
        new Transfer(Fixtures.TOKEN, Fixtures.PAYEE, BigInteger.valueOf(500_000L * (1 + index))),
        Fixtures.gas(90_000, 1_500_000_000L, 1_000_000));
  }

  private Address address(UUID key) {
    return addresses.getOrDefault(key, Fixtures.PAYEE);
  }

  private static Sign request(TransferIntent intent, byte[] bytes, Evidence evidence, UUID permitId) {
    var permit = new Permit(permitId, intent.spendId(), Merkle.leafHash(evidence.entry().toByteArray()),
        Intent.hashOf(bytes), Fixtures.NOW, Fixtures.NOW.plusSeconds(60));
    return new Sign(permit.sign(Fixtures.PERMIT_KEYS.getPrivate()), Bytes.of(bytes), Optional.of(evidence));
  }

  private Evidence evidence(int index) {
    return java.util.Objects.requireNonNull(logs.get(Fixtures.TENANT)).evidence(index);
  }

  private static TransferIntent with(TransferIntent intent, NonceSlot slot, Transfer transfer) {
    return new TransferIntent(intent.tenantId(), intent.spendId(), slot, intent.from(), transfer, intent.gas());
  }

  private Attack attack(Random random, int index) {
    var good = planned(Fixtures.TENANT, index);
    var evidence = evidence(index);
    var t = good.transfer();
    var mismatch = Set.of(SignerRefusal.AUTHORIZATION_MISMATCH);
    return switch (random.nextInt(15)) {
      case 0 -> of("payee", with(good, good.slot(), new Transfer(t.token(), address(SECOND), t.amount())), evidence,
          mismatch);
      case 1 -> of("amount", with(good, good.slot(), new Transfer(t.token(), t.payee(), t.amount().add(
          BigInteger.ONE))), evidence, mismatch);
      case 2 -> of("asset", with(good, good.slot(), new Transfer(address(FOREIGN), t.payee(), t.amount())), evidence,
          mismatch);
      case 3 -> of("chain", with(good, new NonceSlot(1, good.slot().keyId(), index), t), evidence, mismatch);
      case 4 -> of("wallet", new TransferIntent(good.tenantId(), good.spendId(),
          new NonceSlot(8453, good.slot().keyId().equals(KEY) ? SECOND : KEY, index),
          address(good.slot().keyId().equals(KEY) ? SECOND : KEY), t, good.gas()), evidence, mismatch);
      case 5 -> of("tenant", new TransferIntent(Fixtures.OTHER_TENANT, good.spendId(),
          new NonceSlot(8453, FOREIGN, index), address(FOREIGN), t, good.gas()), evidence,
          Set.of(SignerRefusal.NOT_LOGGED));
      case 6 -> of("another tenant's proof", good,
          java.util.Objects.requireNonNull(logs.get(Fixtures.OTHER_TENANT)).evidence(index),
          Set.of(SignerRefusal.NOT_LOGGED));
      case 7 -> of("another entry's proof", good,
          new Evidence(evidence.entry(), evidence((index + 1) % PLANNED).proof()), Set.of(SignerRefusal.NOT_LOGGED));
      case 8 -> of("a head of its own making", good, forged(good, index), Set.of(SignerRefusal.NOT_LOGGED));
      case 9 -> new Attack("trailing bytes", request(good, Arrays.copyOf(good.encode(), 190 + 1 + random.nextInt(60)),
          evidence, UUID.randomUUID()), Set.of(SignerRefusal.BAD_INTENT));
      case 10 -> of("nonce", with(good, new NonceSlot(8453, good.slot().keyId(), random.nextInt(PLANNED)), t), evidence,
          Set.of(SignerRefusal.NONCE_CONFLICT, SignerRefusal.SPEND_CONFLICT, SignerRefusal.OVER_CEILING,
              SignerRefusal.APPROVALS_MISSING));
      case 11 -> new Attack("no evidence", new Sign(request(good, good.encode(), evidence, UUID.randomUUID()).permit(),
          Bytes.of(good.encode())), Set.of(SignerRefusal.NOT_LOGGED));
      case 12 -> new Attack("the same permit", request(good, good.encode(), evidence, new UUID(index, 66)),
          Set.of(SignerRefusal.PERMIT_REUSED, SignerRefusal.OVER_CEILING, SignerRefusal.APPROVALS_MISSING,
              SignerRefusal.NONCE_CONFLICT, SignerRefusal.SPEND_CONFLICT));
      case 13 -> of("approvers of its own making", good, new Evidence(evidence.entry(), evidence.proof(),
          Optional.of(new Approved(Bytes.of("bursar spend approval v1\n".getBytes(StandardCharsets.US_ASCII)),
              List.of(new Word(UUID.randomUUID(), List.of("finance"), "", Bytes.of(new byte[0]), Optional.empty()))))),
          Set.of(SignerRefusal.APPROVAL_INVALID));
      default -> of("what it has authorized itself", good, evidence, Set.of(SignerRefusal.OVER_CEILING,
          SignerRefusal.APPROVALS_MISSING, SignerRefusal.NONCE_CONFLICT, SignerRefusal.SPEND_CONFLICT));
    };
  }

  private static Attack of(String name, TransferIntent intent, Evidence evidence, Set<SignerRefusal> allowed) {
    return new Attack(name, request(intent, intent.encode(), evidence, UUID.randomUUID()), allowed);
  }

  /** A proof under a head that is signed by another key, under the right name. */
  private Evidence forged(TransferIntent intent, int index) {
    try {
      var entries = List.of(JsonText.canonical(TestLog.entry(intent).build()), new byte[]{(byte) index});
      var log = new TestLog(entries);
      var seed = new byte[32];
      seed[0] = 1;
      var other = LogSigner.open("bursar.test", seed, Files.createTempDirectory(directory, "other"), true);
      return new SignedLog(log, ((HeadSigned) other.sign(log.head(intent.tenantId(), 2, 0))).checkpoint()).evidence(0);
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void whateverIsTriedNothingIsSignedBeyondTheCeilingsOrTwice() throws Exception {
    long seed = 31;
    var random = new Random(seed);
    Map<NonceSlot, Transfer> signed = new HashMap<>();
    Map<UUID, NonceSlot> spends = new HashMap<>();
    var names = new HashMap<String, Integer>();
    try (var client = new TestClient(socket())) {
      for (int i = 0; i < 1_500; i++) {
        var attack = attack(random, random.nextInt(PLANNED));
        var reply = client.ask(attack.request);
        var where = "seed " + seed + ", round " + i + ": " + attack.name + ": " + reply;
        if (reply instanceof Signed) {
          assertThat(attack.name).as(where).isIn("what it has authorized itself", "the same permit", "nonce");
          var intent = (TransferIntent) Intent.decode(attack.request.intent().toByteArray());
          assertThat(signed.putIfAbsent(intent.slot(), intent.transfer())).as(where)
              .isIn(null, intent.transfer());
          assertThat(spends.putIfAbsent(intent.spendId(), intent.slot())).as(where).isIn(null, intent.slot());
          assertThat(intent.transfer().amount()).as(where).isLessThanOrEqualTo(BigInteger.valueOf(MOST_WITHOUT_PEOPLE));
        } else {
          assertThat(refusal(reply).orElseThrow()).as(where).isIn(attack.allowed);
        }
        names.merge(attack.name, 1, Integer::sum);
      }
    }
    assertThat(names).as("all was tried").hasSize(15);
    assertThat(signed.values().stream().map(Transfer::amount).reduce(BigInteger.ZERO, BigInteger::add))
        .isBetween(BigInteger.valueOf(MOST_IN_AN_HOUR - MOST_WITHOUT_PEOPLE), BigInteger.valueOf(MOST_IN_AN_HOUR));
  }

  @Test
  void aPermitOfAnotherKeyOpensNothing() throws Exception {
    var good = planned(Fixtures.TENANT, 1);
    var permit = new Permit(UUID.randomUUID(), good.spendId(), Digest32.sha256(), good.hash(), Fixtures.NOW,
        Fixtures.NOW.plusSeconds(60));
    try (var client = new TestClient(socket())) {
      assertThat(refusal(client.ask(new Sign(permit.sign(PermitKeys.generate().getPrivate()), Bytes.of(good.encode()),
          Optional.of(evidence(1)))))).contains(SignerRefusal.BAD_PERMIT_SIGNATURE);
    }
  }

  @Test
  void framesOfEverySizeAreAnsweredOrEndTheirConnectionAndNeverTheSigner() throws Exception {
    var random = new Random(41);
    for (int size = 0; size <= SignerFrame.MAX_PAYLOAD_BYTES + 4; size += size < 300 ? 1 : 1 + random.nextInt(4_000)) {
      try (var client = new TestClient(socket())) {
        var payload = Fixtures.bytes(random, size);
        if (size > 1 && random.nextBoolean()) {
          payload[0] = 1;
          payload[1] = (byte) new int[]{3, 4, 5, 16, 17, 19}[random.nextInt(6)];
        }
        client.send(ByteBuffer.allocate(4 + size).putInt(size).put(payload).flip());
        assertThat(client.reply()).as("size %d", size).isNotInstanceOf(Signed.class);
      } catch (EOFException ended) {
        assertThat(size < 2 || size > SignerFrame.MAX_PAYLOAD_BYTES).as("size %d", size).isTrue();
      } catch (IOException ended) {
        assertThat(size).as("a frame that is too long is not read to its end").isGreaterThan(
            SignerFrame.MAX_PAYLOAD_BYTES);
      }
    }
    var good = planned(Fixtures.TENANT, 3);
    try (var client = new TestClient(socket())) {
      assertThat(client.ask(request(good, good.encode(), evidence(3), UUID.randomUUID()))).isInstanceOf(Signed.class);
    }
  }
}
