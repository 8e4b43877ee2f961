package io.bursar.signer;

import static io.bursar.signer.Fixtures.refusal;
import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigInteger;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import io.bursar.json.Json;
import io.bursar.money.Address;
import io.bursar.permit.Authorization;
import io.bursar.permit.AuthorizationCancellation;
import io.bursar.permit.AuthorizationIntent;
import io.bursar.permit.CancelAuthorizationIntent;
import io.bursar.permit.Digest32;
import io.bursar.permit.Intent;
import io.bursar.permit.RelayIntent;
import io.bursar.permit.SignerFrame;
import io.bursar.permit.SignerRefusal;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerReply.AuthorizationSigned;
import io.bursar.permit.SignerReply.KeyCreated;
import io.bursar.permit.SignerReply.Signed;
import io.bursar.permit.SignerRequest;
import io.bursar.permit.SignerRequest.CreateKey;
import io.bursar.permit.TransferIntent.NonceSlot;
import io.bursar.permit.TransferIntent.Transfer;
import io.bursar.spend.Id;

/** What may be signed to cancel an authorization, and what is not signed any more after that. */
class CancelAuthorizationSigningTest {
  private static final UUID KEY = new UUID(1, 1);
  private static final UUID RELAYER = new UUID(7, 7);
  private static final long CHAIN = 8453;

  @TempDir
  Path directory = Path.of(".");
  private final Secp256k1 curve = new BouncyCastleSecp256k1();
  private final Fixtures.TestClock clock = new Fixtures.TestClock();
  private @Nullable Journal journal;
  private @Nullable Signer signer;
  private Address payer = Fixtures.PAYEE;
  private Address relayer = Fixtures.PAYEE;

  @BeforeEach
  void start() throws Exception {
    journal = Fixtures.journal(directory.resolve("journal"), clock.instant());
    signer = new Signer(Fixtures.permits(clock), Keystore.open(directory.resolve("keys"), Fixtures.keks(), curve),
        Fixtures.fences(directory, journal), Fixtures.log(directory, true), Fixtures.HEALTHY);
    payer = ((KeyCreated) ask(new CreateKey(Fixtures.TENANT, KEY))).address();
    relayer = ((KeyCreated) ask(new CreateKey(RelayIntent.TENANT, RELAYER))).address();
  }

  @AfterEach
  void stop() throws Exception {
    Objects.requireNonNull(journal).close();
  }

  private SignerReply ask(SignerRequest request) {
    return Objects.requireNonNull(signer).answer(Objects.requireNonNull(SignerFrame.take(SignerFrame.encode(request))));
  }

  private AuthorizationIntent payment(int nonce) {
    return new AuthorizationIntent(Fixtures.TENANT, new UUID(nonce, 77), KEY,
        new Authorization(new Authorization.Domain(CHAIN, "USD Coin", "2"), payer,
            new Transfer(Fixtures.TOKEN, Fixtures.PAYEE, BigInteger.TEN), Fixtures.NOW.getEpochSecond() + 3600,
            Digest32.sha256(new byte[]{(byte) nonce})));
  }

  private static CancelAuthorizationIntent cancellation(AuthorizationIntent of) {
    return new CancelAuthorizationIntent(of.tenantId(), of.spendId(), of.keyId(),
        AuthorizationCancellation.of(of.authorization()));
  }

  private SignerReply pay(AuthorizationIntent intent) {
    return ask(TestLog.request(intent, TestLog.entry(intent).build(), Fixtures.TENANT, Optional.empty()));
  }

  private SignerReply cancel(CancelAuthorizationIntent intent) {
    return cancel(intent, entry(intent).build());
  }

  private SignerReply cancel(CancelAuthorizationIntent intent, Json entry) {
    return ask(TestLog.request(intent, entry, Fixtures.TENANT, Optional.empty()));
  }

  private static Json.Builder entry(CancelAuthorizationIntent intent) {
    return Json.object().put("schema", 1).put("kind", "payment.cancel_requested")
        .put("tenant", Id.TENANT.text(intent.tenantId())).put("spend", Id.SPEND.text(intent.spendId()))
        .put("wallet", Id.WALLET.text(intent.keyId())).put("chain", "eip155:" + intent.chainId())
        .put("authorizationNonce", "0x" + intent.cancellation().nonce());
  }

  private RelayIntent batch(long nonce, RelayIntent.Item... items) {
    return new RelayIntent(new UUID(nonce, 4), new NonceSlot(CHAIN, RELAYER, nonce), relayer, List.of(items),
        Fixtures.gas(200_000, 1_000, 100));
  }

  private SignerReply relay(RelayIntent batch) {
    return ask(Fixtures.request((Intent) batch));
  }

  @Test
  void theSignatureIsThePayersAndARelayerTakesItToTheToken() {
    var first = payment(1);
    var payment = new RelayIntent.Payment(KEY,
        new Authorization.Signed(first.authorization(), ((AuthorizationSigned) pay(first)).signature()));
    var signed = (AuthorizationSigned) cancel(cancellation(first));
    assertThat(cancel(cancellation(first))).as("asked again, as after an answer that was lost").isEqualTo(signed);
    var item = new RelayIntent.Cancellation(KEY,
        new AuthorizationCancellation.Signed(cancellation(first).cancellation(), signed.signature()));
    assertThat(Eip3009.isSigned(item, curve)).isTrue();
    assertThat(relay(batch(0, payment, item))).isInstanceOf(Signed.class);
    var forged = new RelayIntent.Cancellation(KEY,
        new AuthorizationCancellation.Signed(cancellation(payment(2)).cancellation(), signed.signature()));
    assertThat(refusal(relay(batch(1, forged)))).contains(SignerRefusal.BAD_INTENT);
    assertThat(refusal(relay(batch(0, item)))).as("one batch for a nonce").contains(SignerRefusal.NONCE_CONFLICT);
  }

  @Test
  void nothingIsCanceledThatNobodyAskedToBeCanceledOnTheRecord() {
    var payment = payment(1);
    pay(payment);
    var wanted = cancellation(payment);
    assertThat(refusal(ask(Fixtures.request((Intent) wanted)))).contains(SignerRefusal.NOT_LOGGED);
    assertThat(refusal(ask(TestLog.request(wanted, entry(wanted).build(), Fixtures.OTHER_TENANT, Optional.empty()))))
        .contains(SignerRefusal.NOT_LOGGED);
    for (var other : List.of(TestLog.entry(payment).build(),
        entry(wanted).put("kind", "payment.canceled").build(),
        entry(wanted).put("tenant", Id.TENANT.text(Fixtures.OTHER_TENANT)).build(),
        entry(wanted).put("spend", Id.SPEND.text(UUID.randomUUID())).build(),
        entry(wanted).put("wallet", Id.WALLET.text(UUID.randomUUID())).build(),
        entry(wanted).put("chain", "eip155:1").build(),
        entry(wanted).put("authorizationNonce", "0x" + payment(2).authorization().nonce()).build(),
        entry(wanted).put("schema", 2).build())) {
      assertThat(refusal(cancel(wanted, other))).as("%s", other).contains(SignerRefusal.AUTHORIZATION_MISMATCH);
    }
    assertThat(pay(payment)).as("still wanted").isInstanceOf(AuthorizationSigned.class);
  }

  @Test
  void nothingIsCanceledButTheAuthorizationOfThatVerySpend() {
    assertThat(refusal(cancel(cancellation(payment(1))))).contains(SignerRefusal.NONCE_CONFLICT);
    pay(payment(1));
    pay(payment(2));
    var of = cancellation(payment(1));
    var others = new CancelAuthorizationIntent(of.tenantId(), of.spendId(), of.keyId(),
        cancellation(payment(2)).cancellation());
    assertThat(refusal(cancel(others))).contains(SignerRefusal.NONCE_CONFLICT);
    var elsewhere = new CancelAuthorizationIntent(of.tenantId(), of.spendId(), of.keyId(),
        new AuthorizationCancellation(of.cancellation().domain(), relayer, payer, of.cancellation().nonce()));
    assertThat(refusal(cancel(elsewhere))).as("at another token").contains(SignerRefusal.NONCE_CONFLICT);
    assertThat(cancel(of)).isInstanceOf(AuthorizationSigned.class);
  }

  @Test
  void afterACancellationTheAuthorizationIsNotSignedAgainAlsoAfterRestart() throws Exception {
    pay(payment(1));
    pay(payment(2));
    cancel(cancellation(payment(1)));
    for (int starts = 0; starts < 2; starts++) {
      assertThat(refusal(pay(payment(1)))).contains(SignerRefusal.NONCE_CONFLICT);
      assertThat(pay(payment(2))).isInstanceOf(AuthorizationSigned.class);
      assertThat(cancel(cancellation(payment(1)))).isInstanceOf(AuthorizationSigned.class);
      stop();
      start();
    }
  }
}
