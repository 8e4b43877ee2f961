package io.bursar.signer;

import static io.bursar.signer.Fixtures.refusal;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.Signature;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import io.bursar.approval.ApprovalText;
import io.bursar.approval.ApproverKey;
import io.bursar.approval.ApproverRoll;
import io.bursar.approval.ApproverRoll.Person;
import io.bursar.approval.Verdict;
import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.money.Address;
import io.bursar.permit.Bytes;
import io.bursar.permit.Digest32;
import io.bursar.permit.SignerFrame;
import io.bursar.permit.SignerRefusal;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerReply.KeyCreated;
import io.bursar.permit.SignerReply.Obeyed;
import io.bursar.permit.SignerReply.Signed;
import io.bursar.permit.SignerRequest;
import io.bursar.permit.SignerRequest.Approved;
import io.bursar.permit.SignerRequest.CreateKey;
import io.bursar.permit.SignerRequest.Obey;
import io.bursar.permit.SignerRequest.Passkey;
import io.bursar.permit.SignerRequest.Sign;
import io.bursar.permit.SignerRequest.SignedOrder;
import io.bursar.permit.SignerRequest.Word;
import io.bursar.permit.TransferIntent;
import io.bursar.policy.Policy;
import io.bursar.spend.Id;

/** What was decided to need people is signed only with their signatures over exactly that, by keys that came under a quorum. */
class SpendApprovalsTest {
  private static final UUID KEY = new UUID(1, 1);
  private static final UUID POLICY = new UUID(6, 6);
  private static final String VERSION = "sha256:" + "ab".repeat(32);
  private static final UUID ANN = new UUID(8, 1);
  private static final UUID BEN = new UUID(8, 2);
  private static final UUID CAT = new UUID(8, 3);
  private static final Map<UUID, KeyPair> KEYS = Map.of(ANN, pair("Ed25519"), BEN, pair("EC"), CAT, pair("EC"));
  private static final List<KeyPair> ROOTS = List.of(pair("Ed25519"), pair("EC"), pair("Ed25519"));
  private static final Bytes CREDENTIAL = Bytes.of(new byte[]{7, 7});

  @TempDir
  Path directory = Path.of(".");
  private @Nullable Signer signer;
  private TransferIntent intent = Fixtures.intent(KEY, Fixtures.PAYEE, 0);
  private long orders;

  @BeforeEach
  void start() throws Exception {
    Quorum.install(directory.resolve("approvers"),
        new RootSet(2, ROOTS.stream().map(pair -> ApproverKey.of(pair.getPublic())).toList()).encode());
    restart();
    Address address = ((KeyCreated) ask(new CreateKey(Fixtures.TENANT, KEY))).address();
    intent = Fixtures.intent(KEY, address, 0);
    assertThat(ask(order("approvers", roll().encode(), 0, 1))).isInstanceOf(Obeyed.class);
  }

  private void restart() throws IOException {
    var keystore = Keystore.open(directory.resolve("keys"), Fixtures.keks(), new BouncyCastleSecp256k1());
    var journal = Fixtures.journal(directory.resolve("journal-" + UUID.randomUUID()), Fixtures.NOW);
    signer = new Signer(Fixtures.permits(new Fixtures.TestClock()), keystore, Fixtures.fences(directory, journal),
        Fixtures.log(directory, true), Fixtures.HEALTHY);
  }

  private static ApproverRoll roll() {
    return new ApproverRoll(Fixtures.TENANT, Optional.of("bursar.example.com"),
        Map.of(ANN, new Person(key(ANN), Optional.empty()), BEN, new Person(key(BEN), Optional.empty()), CAT,
            new Person(key(CAT), Optional.of(CREDENTIAL))),
        Map.of("finance", Set.of(ANN, BEN, CAT), "board", Set.of(CAT)));
  }

  @Test
  void signsWithEnoughSignaturesOverExactlyThisSpendAlsoAfterRestart() throws Exception {
    assertThat(ask(request(text(), List.of(word(ANN), word(BEN))))).isInstanceOf(Signed.class);
    restart();
    assertThat(ask(request(text(), List.of(word(BEN), byPasskey(CAT, "https://app.bursar.example.com", 0x05)))))
        .isInstanceOf(Signed.class);
  }

  @Test
  void refusesTooFewApproversAndOneWhoSpeaksTwice() {
    assertRefused(SignerRefusal.APPROVALS_MISSING, request(text(), List.of(word(ANN))));
    assertRefused(SignerRefusal.APPROVALS_MISSING, request(text(), List.of()));
    assertRefused(SignerRefusal.APPROVALS_MISSING,
        TestLog.request(intent, entry("finance", 2), Fixtures.TENANT, Optional.empty()));
    assertRefused(SignerRefusal.APPROVAL_INVALID, request(text(), List.of(word(ANN), word(ANN))));
    assertRefused(SignerRefusal.APPROVALS_MISSING, TestLog.request(intent, entry("board", 1), Fixtures.TENANT,
        Optional.of(new Approved(Bytes.of(text("board").bytes()), List.of(word(ANN, text("board")))))));
    assertRefused(SignerRefusal.APPROVALS_MISSING, TestLog.request(intent, entry("board", 1), Fixtures.TENANT,
        Optional.of(new Approved(Bytes.of(text().bytes()), List.of(byPasskey(CAT, "https://bursar.example.com", 5))))));
  }

  @Test
  void refusesATextThatDiffersInAnyLineThatTheSpendHas() {
    var good = text();
    var other = UUID.randomUUID();
    var money = good.money();
    for (var wrong : List.of(good.with(Verdict.REJECT), changed(good, other, good.spendId(), good.walletId()),
        changed(good, good.tenantId(), other, good.walletId()), changed(good, good.tenantId(), good.spendId(), other),
        withMoney(good, new ApprovalText.Money("eip155:1", "USDC", money.contract(), 6, money.baseUnits())),
        withMoney(good, new ApprovalText.Money(money.chain(), "USDC", Fixtures.PAYEE, 6, money.baseUnits())),
        withMoney(good, new ApprovalText.Money(money.chain(), "USDC", money.contract(), 6, BigInteger.ONE)),
        new ApprovalText(Verdict.APPROVE, good.tenantId(), good.spendId(), good.authorizationId(), good.walletId(),
            money, Fixtures.TOKEN, null, good.policies(), good.groups(), good.expiresAt()),
        new ApprovalText(Verdict.APPROVE, good.tenantId(), good.spendId(), good.authorizationId(), good.walletId(),
            money, good.payee(), null,
            List.of(new ApprovalText.PolicyLine(Policy.Target.TENANT, POLICY, "sha256:" + "cd".repeat(32))),
            good.groups(), good.expiresAt()))) {
      assertRefused(SignerRefusal.APPROVAL_INVALID, request(wrong, List.of(word(ANN, wrong), word(BEN, wrong))));
    }
    var padded = (good + "\n").getBytes(StandardCharsets.US_ASCII);
    assertRefused(SignerRefusal.APPROVAL_INVALID, TestLog.request(intent, entry("finance", 2), Fixtures.TENANT,
        Optional.of(new Approved(Bytes.of(padded), List.of(word(ANN), word(BEN))))));
  }

  @Test
  void refusesForgedSignaturesAndKeysThatTheApiMakesUp() {
    var forger = pair("Ed25519");
    var word = word(ANN);
    var forged = new Word(ANN, List.of("finance"), ApproverKey.of(forger.getPublic()).jwk(),
        sign(forger, text().bytes()), Optional.empty());
    for (var bad : List.of(forged, new Word(UUID.randomUUID(), word.groups(), forged.key(), forged.signature(),
        Optional.empty()), new Word(BEN, word.groups(), word.key(), word.signature(), Optional.empty()),
        new Word(ANN, word.groups(), "", Bytes.of(new byte[0]), Optional.empty()),
        new Word(ANN, word.groups(), word.key(), flipped(word.signature()), Optional.empty()))) {
      assertRefused(SignerRefusal.APPROVAL_INVALID, request(text(), List.of(word(BEN), bad)));
    }
  }

  @Test
  void refusesAPasskeyOfAnotherPageWithoutItsUserOrForAnotherText() {
    var good = byPasskey(CAT, "https://bursar.example.com", 0x05);
    var passkey = good.passkey().orElseThrow();
    for (var bad : List.of(byPasskey(CAT, "https://bursar.example.com.evil.org", 0x05),
        byPasskey(CAT, "https://evil.org", 0x05), byPasskey(CAT, "https://bursar.example.com", 0x01),
        byPasskey(CAT, "https://bursar.example.com", 0x04), byPasskey(BEN, "https://bursar.example.com", 0x05),
        new Word(CAT, List.of(), "", good.signature(), Optional.empty()),
        new Word(CAT, List.of(), "", sign(CAT, text().bytes()), Optional.empty()),
        new Word(CAT, List.of(), "", good.signature(),
            Optional.of(new Passkey(Bytes.of(new byte[]{1}), passkey.authenticatorData(), passkey.clientData()))),
        new Word(CAT, List.of(), "", good.signature(),
            Optional.of(new Passkey(CREDENTIAL, flipped(passkey.authenticatorData()), passkey.clientData()))))) {
      assertRefused(SignerRefusal.APPROVAL_INVALID, request(text(), List.of(word(ANN), bad)));
    }
    var reject = text().with(Verdict.REJECT);
    assertRefused(SignerRefusal.APPROVAL_INVALID, request(text(),
        List.of(word(ANN), passkeyOver(CAT, reject, "https://bursar.example.com", 0x05))));
    assertThat(ask(request(text(), List.of(word(ANN), good)))).isInstanceOf(Signed.class);
  }

  @Test
  void anOrderTakesEnoughRootKeysIsForOneThingAndIsObeyedOnce() throws Exception {
    var fewer = new ApproverRoll(Fixtures.TENANT, Optional.empty(), Map.of(BEN, new Person(key(BEN), Optional.empty())),
        Map.of("finance", Set.of(BEN))).encode();
    assertRefused(SignerRefusal.ORDER_REFUSED, order("approvers", fewer, 0));
    assertRefused(SignerRefusal.ORDER_REFUSED, order("approvers", fewer, 0, 0));
    var good = order("approvers", fewer, 2, 1);
    long number = orders;
    assertRefused(SignerRefusal.ORDER_REFUSED, new Obey(good.order(), Bytes.of(roll().encode())));
    assertRefused(SignerRefusal.ORDER_REFUSED, order("root", fewer, 0, 1));
    assertThat(ask(good)).isEqualTo(new Obeyed(number));
    assertRefused(SignerRefusal.ORDER_REFUSED, good);
    restart();
    assertRefused(SignerRefusal.ORDER_REFUSED, good);
    assertRefused(SignerRefusal.APPROVAL_INVALID, request(text(), List.of(word(ANN), word(BEN))));
  }

  @Test
  void aRootSetIsReplacedOnlyByItsOwnHoldersAndThenTheOldOneSaysNothing() {
    var next = new RootSet(1, List.of(key(ANN))).encode();
    assertThat(ask(order("root", "all", next, List.of(ROOTS.get(0), ROOTS.get(2))))).isInstanceOf(Obeyed.class);
    assertRefused(SignerRefusal.ORDER_REFUSED, order("approvers", roll().encode(), 0, 1));
    assertThat(ask(order("approvers", Id.TENANT.text(Fixtures.TENANT), roll().encode(),
        List.of(Objects.requireNonNull(KEYS.get(ANN)))))).isInstanceOf(Obeyed.class);
  }

  @Test
  void withoutARootSetTheApiIsBelievedAboutKeysAndOfNoSignatureThatIsThere() throws Exception {
    directory = directory.resolve("development");
    restart();
    intent = Fixtures.intent(KEY, ((KeyCreated) ask(new CreateKey(Fixtures.TENANT, KEY))).address(), 0);
    var told = new Word(ANN, List.of("finance"), key(ANN).jwk(), sign(ANN, text().bytes()), Optional.empty());
    var keyless = new Word(BEN, List.of("finance"), "", Bytes.of(new byte[0]), Optional.empty());
    assertThat(ask(request(text(), List.of(told, keyless)))).isInstanceOf(Signed.class);
    assertRefused(SignerRefusal.APPROVAL_INVALID, request(text(), List.of(keyless,
        new Word(ANN, told.groups(), told.key(), flipped(told.signature()), Optional.empty()))));
    assertRefused(SignerRefusal.ORDER_REFUSED, order("approvers", roll().encode(), 0, 1));
  }

  private Sign request(ApprovalText text, List<Word> words) {
    return TestLog.request(intent, entry("finance", 2), Fixtures.TENANT,
        Optional.of(new Approved(Bytes.of(text.bytes()), words)));
  }

  private Json entry(String group, int threshold) {
    return TestLog.entry(intent).put("decision", json("""
        {"effect":"require_approval","policies":[{"id":"%s","version":"%s","attachedTo":"tenant"}],
         "approval":{"groups":[{"group":"%s","threshold":%d}]}}""".formatted(Id.POLICY.text(POLICY), VERSION, group,
        threshold))).put("approvedBy", Json.strings(List.of(group))).build();
  }

  private static Json json(String text) {
    try {
      return JsonText.parse(text.getBytes(StandardCharsets.UTF_8));
    } catch (JsonText.Malformed e) {
      throw new IllegalStateException(e);
    }
  }

  private ApprovalText text() {
    return text("finance");
  }

  private ApprovalText text(String group) {
    return new ApprovalText(Verdict.APPROVE, intent.tenantId(), intent.spendId(), new UUID(9, 9), KEY,
        new ApprovalText.Money("eip155:8453", "USDC", intent.transfer().token(), 6, intent.transfer().amount()),
        intent.transfer().payee(), null, List.of(new ApprovalText.PolicyLine(Policy.Target.TENANT, POLICY, VERSION)),
        List.of(new ApprovalText.GroupLine(group, 2, 1)), Instant.parse("2026-11-24T10:00:00Z"));
  }

  private static ApprovalText changed(ApprovalText text, UUID tenant, UUID spend, UUID wallet) {
    return new ApprovalText(text.verdict(), tenant, spend, text.authorizationId(), wallet, text.money(), text.payee(),
        text.purpose(), text.policies(), text.groups(), text.expiresAt());
  }

  private static ApprovalText withMoney(ApprovalText text, ApprovalText.Money money) {
    return new ApprovalText(text.verdict(), text.tenantId(), text.spendId(), text.authorizationId(), text.walletId(),
        money, text.payee(), text.purpose(), text.policies(), text.groups(), text.expiresAt());
  }

  private Word word(UUID approver) {
    return word(approver, text());
  }

  private static Word word(UUID approver, ApprovalText text) {
    return new Word(approver, List.of("finance", "board"), key(approver).jwk(), sign(approver, text.bytes()),
        Optional.empty());
  }

  private Word byPasskey(UUID approver, String origin, int flags) {
    return passkeyOver(approver, text(), origin, flags);
  }

  private static Word passkeyOver(UUID approver, ApprovalText text, String origin, int flags) {
    var data = Arrays.copyOf(Digest32.sha256("bursar.example.com".getBytes(StandardCharsets.UTF_8)).bytes(), 37);
    data[32] = (byte) flags;
    var client = "{\"type\":\"webauthn.get\",\"challenge\":\"%s\",\"origin\":\"%s\",\"crossOrigin\":false}"
        .formatted(ApproverKey.base64url(Bytes.of(text.hash().bytes())), origin).getBytes(StandardCharsets.UTF_8);
    var signed = Arrays.copyOf(data, 69);
    System.arraycopy(Digest32.sha256(client).bytes(), 0, signed, 37, 32);
    return new Word(approver, List.of("finance", "board"), "", sign(approver, signed),
        Optional.of(new Passkey(CREDENTIAL, Bytes.of(data), Bytes.of(client))));
  }

  private Obey order(String order, byte[] content, int... by) {
    return order(order, Id.TENANT.text(Fixtures.TENANT), content, Arrays.stream(by).mapToObj(ROOTS::get).toList());
  }

  private Obey order(String order, String subject, byte[] content, List<KeyPair> by) {
    var text = new io.bursar.approval.OrderText("bursar.test", ++orders, order, subject, Digest32.sha256(content),
        Fixtures.NOW.plusSeconds(3_600)).bytes();
    var signatures = new ArrayList<Bytes>();
    by.forEach(root -> signatures.add(sign(root, text)));
    return new Obey(new SignedOrder(Bytes.of(text), signatures), Bytes.of(content));
  }

  private static Bytes flipped(Bytes bytes) {
    var altered = bytes.toByteArray();
    altered[altered.length / 2] ^= 1;
    return Bytes.of(altered);
  }

  private static KeyPair pair(String algorithm) {
    try {
      var generator = KeyPairGenerator.getInstance(algorithm);
      if (algorithm.equals("EC")) {
        generator.initialize(256);
      }
      return generator.generateKeyPair();
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private static ApproverKey key(UUID approver) {
    return ApproverKey.of(Objects.requireNonNull(KEYS.get(approver)).getPublic());
  }

  private static Bytes sign(UUID approver, byte[] message) {
    return sign(Objects.requireNonNull(KEYS.get(approver)), message);
  }

  private static Bytes sign(KeyPair pair, byte[] message) {
    try {
      var signature = Signature.getInstance(
          pair.getPrivate().getAlgorithm().startsWith("Ed") ? "Ed25519" : "SHA256withECDSA");
      signature.initSign(pair.getPrivate());
      signature.update(message);
      return Bytes.of(signature.sign());
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private void assertRefused(SignerRefusal reason, SignerRequest request) {
    assertThat(refusal(ask(request))).contains(reason);
  }

  private SignerReply ask(SignerRequest request) {
    return Objects.requireNonNull(signer)
        .answer(Objects.requireNonNull(SignerFrame.take(SignerFrame.encode(request))));
  }
}
