package io.bursar.signer;

import static io.bursar.signer.Fixtures.refusal;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import java.util.UUID;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.log.Checkpoint;
import io.bursar.log.Merkle;
import io.bursar.log.NoteKey;
import io.bursar.log.SignedNote;
import io.bursar.money.Address;
import io.bursar.permit.Bytes;
import io.bursar.permit.SignerFrame;
import io.bursar.permit.SignerRefusal;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerReply.HeadIs;
import io.bursar.permit.SignerReply.HeadSigned;
import io.bursar.permit.SignerReply.KeyCreated;
import io.bursar.permit.SignerReply.LogKeyIs;
import io.bursar.permit.SignerReply.Signed;
import io.bursar.permit.SignerRequest;
import io.bursar.permit.SignerRequest.CreateKey;
import io.bursar.permit.SignerRequest.Evidence;
import io.bursar.permit.SignerRequest.LogKey;
import io.bursar.permit.SignerRequest.Sign;
import io.bursar.permit.SignerRequest.SignHead;
import io.bursar.permit.TransferIntent;
import io.bursar.spend.Id;

/** Heads are signed only if the log has grown, and payments only if they were authorized in it. */
class LogSignerTest {
  private static final UUID KEY = new UUID(1, 1);

  @TempDir
  Path directory = Path.of(".");
  private @Nullable Signer signer;
  private Address address = Fixtures.PAYEE;

  @BeforeEach
  void start() throws Exception {
    signer = signer();
    address = ((KeyCreated) ask(new CreateKey(Fixtures.TENANT, KEY))).address();
  }

  private Signer signer() throws IOException {
    var keystore = Keystore.open(directory.resolve("keys"), Fixtures.keks(), new BouncyCastleSecp256k1());
    var journal = Fixtures.journal(directory.resolve("journal-" + UUID.randomUUID()), Fixtures.NOW);
    return new Signer(Fixtures.permits(new Fixtures.TestClock()), keystore, Fixtures.fences(directory, journal),
        Fixtures.log(directory, true), Fixtures.HEALTHY);
  }

  private SignerReply ask(SignerRequest request) {
    return Objects.requireNonNull(signer)
        .answer(Objects.requireNonNull(SignerFrame.take(SignerFrame.encode(request))));
  }

  @Test
  void signsALogThatGrowsAndNothingThatContradictsIt() throws Exception {
    var log = TestLog.of("a", "b", "c", "d", "e");
    var forked = TestLog.of("a", "B", "c", "d", "e", "f");
    var key = NoteKey.parse(((LogKeyIs) ask(new LogKey(Fixtures.TENANT))).vkey());
    var first = (HeadSigned) ask(log.head(Fixtures.TENANT, 3, 0));
    assertThat(Checkpoint.open(SignedNote.parse(first.checkpoint().toByteArray()), key))
        .isEqualTo(new Checkpoint("bursar.test/" + Id.TENANT.text(Fixtures.TENANT), 3,
            log.head(Fixtures.TENANT, 3, 0).root()));
    assertThat(ask(log.head(Fixtures.TENANT, 3, 0))).as("the same again").isEqualTo(first);
    signer = signer();
    assertThat(ask(log.head(Fixtures.TENANT, 5, 0))).as("after a restart")
        .isEqualTo(new HeadIs(3, log.head(Fixtures.TENANT, 3, 0).root()));
    assertThat(refusal(ask(forked.head(Fixtures.TENANT, 5, 3)))).contains(SignerRefusal.LOG_FORKED);
    assertThat(refusal(ask(forked.head(Fixtures.TENANT, 3, 3)))).contains(SignerRefusal.LOG_FORKED);
    assertThat(ask(log.head(Fixtures.TENANT, 2, 0))).as("rewound").isInstanceOf(HeadIs.class);
    assertThat(ask(log.head(Fixtures.TENANT, 5, 3))).isInstanceOf(HeadSigned.class);
    assertThat(ask(TestLog.of("x").head(Fixtures.OTHER_TENANT, 1, 0))).as("another tenant's").isInstanceOf(
        HeadSigned.class);
    assertThat(refusal(ask(new SignHead(Fixtures.OTHER_TENANT, 0, Merkle.emptyRoot(), 0, List.of()))))
        .contains(SignerRefusal.BAD_FRAME);
  }

  @Test
  void aDamagedHeadKeepsTheSignerFromStarting() throws Exception {
    ask(TestLog.of("a", "b").head(Fixtures.TENANT, 2, 0));
    var file = directory.resolve("heads").resolve(Id.TENANT.text(Fixtures.TENANT) + ".head");
    var bytes = Files.readAllBytes(file);
    for (int bit = 0; bit < 8 * bytes.length; bit += 3) {
      var flipped = bytes.clone();
      flipped[bit / 8] ^= (byte) (1 << bit % 8);
      Files.write(file, flipped);
      assertThatThrownBy(this::signer).as("bit %d", bit).isInstanceOf(IOException.class)
          .hasMessageContaining("is damaged");
    }
  }

  private static Json.Builder entry(TransferIntent intent) {
    return TestLog.entry(intent);
  }

  private static Json.Builder facts(TransferIntent intent) {
    return TestLog.facts(intent);
  }

  private static Sign request(TransferIntent intent, Json entry, UUID logOf) {
    return TestLog.request(intent, entry, logOf, Optional.empty());
  }

  @Test
  void signsWhatWasAuthorizedInTheTenantsLog() {
    var intent = Fixtures.intent(KEY, address, 0);
    assertThat(ask(request(intent, entry(intent).build(), Fixtures.TENANT))).isInstanceOf(Signed.class);
  }

  private static Json json(String text) {
    try {
      return JsonText.parse(text.getBytes(StandardCharsets.UTF_8));
    } catch (JsonText.Malformed e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void signsNothingThatIsNotInTheTenantsLog() {
    var intent = Fixtures.intent(KEY, address, 0);
    assertThat(refusal(ask(Fixtures.request(intent)))).as("no evidence").contains(SignerRefusal.NOT_LOGGED);
    assertThat(refusal(ask(request(intent, entry(intent).build(), Fixtures.OTHER_TENANT)))).as("another tenant's log")
        .contains(SignerRefusal.NOT_LOGGED);
    var good = request(intent, entry(intent).build(), Fixtures.TENANT);
    var evidence = good.evidence().orElseThrow();
    var random = new Random(5);
    for (int i = 0; i < 200; i++) {
      boolean inEntry = i % 2 == 0;
      var bytes = (inEntry ? evidence.entry() : evidence.proof()).toByteArray();
      bytes[random.nextInt(bytes.length)] ^= (byte) (1 << random.nextInt(8));
      var altered = inEntry
          ? new Evidence(Bytes.of(bytes), evidence.proof())
          : new Evidence(evidence.entry(), Bytes.of(bytes));
      assertThat(refusal(ask(new Sign(good.permit(), good.intent(), Optional.of(altered))))).as("seed 5, round %d", i)
          .contains(SignerRefusal.NOT_LOGGED);
    }
    assertThat(ask(good)).isInstanceOf(Signed.class);
  }

  @Test
  void signsNothingThatItsAuthorizationDoesNotSay() {
    var intent = Fixtures.intent(KEY, address, 0);
    var other = Fixtures.intent(new UUID(3, 3), Fixtures.PAYEE, 1, BigInteger.ONE);
    List<Json> entries = List.of(entry(other).build(), entry(intent).put("schema", 2).build(),
        entry(intent).put("kind", "payment.signed").build(),
        entry(intent).put("tenant", Id.TENANT.text(Fixtures.OTHER_TENANT)).build(),
        entry(intent).put("spend", Id.SPEND.text(new UUID(0, 1))).build(),
        entry(intent).put("facts", facts(intent).put("wallet", Id.WALLET.text(new UUID(0, 1))).build()).build(),
        entry(intent).put("facts", facts(intent).put("chain", "eip155:1").build()).build(),
        entry(intent).put("facts", facts(intent).put("contract", Fixtures.PAYEE.toString()).build()).build(),
        entry(intent).put("facts", facts(intent).put("payee", Fixtures.TOKEN.toString()).build()).build(),
        entry(intent).put("facts", facts(intent).put("amount", "12500001").build()).build(),
        entry(intent).put("decision", Json.object().put("effect", "deny").build()).build(),
        entry(intent).put("decision", Json.object().put("effect", "require_approval").build()).build(),
        entry(intent)
            .put("decision", json(
                "{\"effect\":\"require_approval\",\"approval\":{\"groups\":[{\"group\":\"a\"},{\"group\":\"b\"}]}}"))
            .put("approvedBy", Json.strings(List.of("a"))).build(),
        Json.strings(List.of()));
    for (var entry : entries) {
      assertThat(refusal(ask(request(intent, entry, Fixtures.TENANT)))).as("%s", entry)
          .contains(SignerRefusal.AUTHORIZATION_MISMATCH);
    }
    var good = request(intent, entry(intent).build(), Fixtures.TENANT);
    assertThat(refusal(ask(TestLog.with(intent, Merkle.emptyRoot(), good.evidence().orElseThrow()))))
        .as("the permit names another").contains(SignerRefusal.AUTHORIZATION_MISMATCH);
  }
}
