package io.bursar.signer;

import static io.bursar.signer.Fixtures.refusal;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.math.BigInteger;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.web3j.crypto.SignedRawTransaction;
import org.web3j.crypto.TransactionDecoder;

import io.bursar.json.Json;
import io.bursar.money.Address;
import io.bursar.permit.CancelIntent;
import io.bursar.permit.Intent;
import io.bursar.permit.SignerFrame;
import io.bursar.permit.SignerRefusal;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerReply.KeyCreated;
import io.bursar.permit.SignerReply.Signed;
import io.bursar.permit.SignerRequest;
import io.bursar.permit.SignerRequest.CreateKey;
import io.bursar.permit.TransferIntent;
import io.bursar.permit.TransferIntent.Gas;
import io.bursar.permit.TransferIntent.NonceSlot;
import io.bursar.spend.Id;

/** What may be signed to cancel a transfer, and what is not signed any more after that. */
class CancelSigningTest {
  private static final UUID KEY = new UUID(1, 1);
  private static final Gas HIGHER = Fixtures.gas(90_000, 1_700_000_000L, 2_000_000);

  @TempDir
  Path directory = Path.of(".");
  private final Fixtures.TestClock clock = new Fixtures.TestClock();
  private @Nullable Journal journal;
  private @Nullable Signer signer;
  private TransferIntent transfer = Fixtures.intent(KEY, Fixtures.PAYEE, 0);

  @BeforeEach
  void start() throws Exception {
    journal = Fixtures.journal(directory.resolve("journal"), clock.instant());
    var keystore = Keystore.open(directory.resolve("keys"), Fixtures.keks(), new BouncyCastleSecp256k1());
    signer = new Signer(Fixtures.permits(clock), keystore, Fixtures.fences(directory, journal),
        Fixtures.log(directory, true), Fixtures.HEALTHY);
    transfer = Fixtures.intent(KEY, ((KeyCreated) ask(new CreateKey(Fixtures.TENANT, KEY))).address(), 0);
  }

  @AfterEach
  void stop() throws Exception {
    Objects.requireNonNull(journal).close();
  }

  private SignerReply ask(SignerRequest request) {
    return Objects.requireNonNull(signer).answer(Objects.requireNonNull(SignerFrame.take(SignerFrame.encode(request))));
  }

  private SignerReply pay(TransferIntent intent) {
    return ask(TestLog.request(intent, TestLog.entry(intent).build(), Fixtures.TENANT, Optional.empty()));
  }

  private SignerReply cancel(CancelIntent intent) {
    return cancel(intent, entry(intent).build());
  }

  private SignerReply cancel(CancelIntent intent, Json entry) {
    return ask(TestLog.request(intent, entry, Fixtures.TENANT, Optional.empty()));
  }

  private static Json.Builder entry(CancelIntent intent) {
    return Json.object().put("schema", 1).put("kind", "payment.cancel_requested")
        .put("tenant", Id.TENANT.text(intent.tenantId())).put("spend", Id.SPEND.text(intent.spendId()))
        .put("wallet", Id.WALLET.text(intent.keyId())).put("chain", "eip155:" + intent.chainId())
        .put("nonce", intent.slot().nonce());
  }

  private CancelIntent cancellation(Gas gas) {
    return new CancelIntent(transfer.tenantId(), transfer.spendId(), transfer.slot(), transfer.from(), gas);
  }

  private TransferIntent raised(Gas gas) {
    return new TransferIntent(transfer.tenantId(), transfer.spendId(), transfer.slot(), transfer.from(),
        transfer.transfer(), gas);
  }

  @Test
  void aCancellationMovesNothingFromTheAccountToItself() throws Exception {
    assertThat(pay(transfer)).isInstanceOf(Signed.class);
    var raw = ((Signed) cancel(cancellation(HIGHER))).rawTransaction();
    var decoded = (SignedRawTransaction) TransactionDecoder.decode("0x" + raw);
    assertThat(decoded.getFrom()).isEqualToIgnoringCase(transfer.from().toString());
    assertThat(decoded.getTo()).isEqualToIgnoringCase(transfer.from().toString());
    assertThat(decoded.getValue()).isEqualTo(BigInteger.ZERO);
    assertThat(decoded.getData()).isIn("", "0x");
    assertThat(decoded.getNonce()).isEqualTo(BigInteger.valueOf(transfer.slot().nonce()));
    assertThat(cancel(cancellation(Fixtures.gas(90_000, 2_000_000_000L, 3_000_000)))).isInstanceOf(Signed.class);
    assertThat(refusal(cancel(cancellation(Fixtures.gas(90_000, 15_000_000_001L, 3_000_000)))))
        .contains(SignerRefusal.FEE_OUT_OF_BOUNDS);
  }

  @Test
  void itsFormHasNoPlaceForAnotherReceiverOrAValue() {
    var bytes = cancellation(HIGHER).encode();
    assertThat(Intent.decode(bytes)).isEqualTo(cancellation(HIGHER));
    assertThatThrownBy(() -> Intent.decode(Arrays.copyOf(bytes, bytes.length + 20)))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void afterACancellationTheTransferIsNotSignedAgainAlsoAfterRestart() throws Exception {
    pay(transfer);
    cancel(cancellation(HIGHER));
    for (int starts = 0; starts < 2; starts++) {
      assertThat(refusal(pay(raised(Fixtures.gas(90_000, 2_000_000_000L, 3_000_000)))))
          .contains(SignerRefusal.NONCE_CONFLICT);
      assertThat(refusal(pay(transfer))).contains(SignerRefusal.NONCE_CONFLICT);
      assertThat(cancel(cancellation(HIGHER))).isInstanceOf(Signed.class);
      stop();
      start();
    }
  }

  @Test
  void nothingIsCanceledThatNobodyAskedToBeCanceledOnTheRecord() {
    pay(transfer);
    var wanted = cancellation(HIGHER);
    assertThat(refusal(ask(Fixtures.request(wanted)))).contains(SignerRefusal.NOT_LOGGED);
    assertThat(refusal(ask(TestLog.request(wanted, entry(wanted).build(), Fixtures.OTHER_TENANT, Optional.empty()))))
        .contains(SignerRefusal.NOT_LOGGED);
    for (var other : List.of(TestLog.entry(transfer).build(),
        entry(wanted).put("kind", "payment.canceled").build(),
        entry(wanted).put("tenant", Id.TENANT.text(Fixtures.OTHER_TENANT)).build(),
        entry(wanted).put("spend", Id.SPEND.text(UUID.randomUUID())).build(),
        entry(wanted).put("wallet", Id.WALLET.text(UUID.randomUUID())).build(),
        entry(wanted).put("chain", "eip155:1").build(), entry(wanted).put("nonce", 1).build(),
        entry(wanted).put("schema", 2).build())) {
      assertThat(refusal(cancel(wanted, other))).as("%s", other).contains(SignerRefusal.AUTHORIZATION_MISMATCH);
    }
    assertThat(pay(raised(HIGHER))).isInstanceOf(Signed.class);
  }

  @Test
  void nothingIsCanceledButATransferOfThatVerySpend() {
    assertThat(refusal(cancel(cancellation(HIGHER)))).contains(SignerRefusal.NONCE_CONFLICT);
    assertThat(pay(transfer)).isInstanceOf(Signed.class);
    var others = new CancelIntent(transfer.tenantId(), UUID.randomUUID(), transfer.slot(), transfer.from(), HIGHER);
    assertThat(refusal(cancel(others))).contains(SignerRefusal.NONCE_CONFLICT);
    var slot = new NonceSlot(transfer.slot().chainId(), KEY, 1);
    assertThat(refusal(cancel(
        new CancelIntent(transfer.tenantId(), transfer.spendId(), slot, transfer.from(), HIGHER))))
        .contains(SignerRefusal.NONCE_CONFLICT);
    assertThat(refusal(cancel(new CancelIntent(transfer.tenantId(), transfer.spendId(), transfer.slot(),
        Address.parse("0x00000000000000000000000000000000000000ee"), HIGHER))))
        .contains(SignerRefusal.WRONG_FROM_ADDRESS);
    assertThat(refusal(cancel(cancellation(Fixtures.gas(90_000, 1_499_999_999L, 2_000)))))
        .contains(SignerRefusal.FEE_OUT_OF_BOUNDS);
    assertThat(cancel(cancellation(HIGHER))).isInstanceOf(Signed.class);
  }
}
