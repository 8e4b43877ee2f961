package io.bursar.signer;

import static io.bursar.signer.Fixtures.refusal;
import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.web3j.crypto.SignedRawTransaction;
import org.web3j.crypto.TransactionDecoder;
import org.web3j.utils.Numeric;

import io.bursar.money.Address;
import io.bursar.permit.Authorization;
import io.bursar.permit.AuthorizationIntent;
import io.bursar.permit.Digest32;
import io.bursar.permit.Intent;
import io.bursar.permit.RefillIntent;
import io.bursar.permit.RelayIntent;
import io.bursar.permit.SignerFrame;
import io.bursar.permit.SignerRefusal;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerReply.AuthorizationSigned;
import io.bursar.permit.SignerReply.KeyCreated;
import io.bursar.permit.SignerReply.Signed;
import io.bursar.permit.SignerRequest;
import io.bursar.permit.SignerRequest.CreateKey;
import io.bursar.permit.TransferIntent;
import io.bursar.permit.TransferIntent.NonceSlot;
import io.bursar.permit.TransferIntent.Transfer;

/** Authorizations by a wallet's key, and batches of them by a relayer's. */
class RelaySigningTest {
  private static final UUID KEY = new UUID(1, 1);
  private static final UUID RELAYER = new UUID(7, 7);
  private static final UUID OTHER_RELAYER = new UUID(8, 8);
  private static final long CHAIN = 8453;
  private static final long SOON = Fixtures.NOW.getEpochSecond() + 3600;

  @TempDir
  Path directory = Path.of(".");
  private final Secp256k1 curve = new BouncyCastleSecp256k1();
  private Signers signers = new Signers(List.of());
  private Address payer = Fixtures.PAYEE;
  private Address relayer = Fixtures.PAYEE;

  /** The signer under test: at most one, started again in place. */
  private record Signers(List<Signer> running) {}

  @BeforeEach
  void start() throws Exception {
    signers = new Signers(List.of(open()));
    payer = create(Fixtures.TENANT, KEY);
    relayer = create(RelayIntent.TENANT, RELAYER);
  }

  private Signer open() throws Exception {
    return new Signer(Fixtures.permits(() -> Fixtures.NOW),
        Keystore.open(directory.resolve("keys"), Fixtures.keks(), curve),
        Fixtures.fences(directory, Fixtures.journal(directory.resolve("journal"), Fixtures.NOW)),
        Fixtures.log(directory, false), Fixtures.HEALTHY);
  }

  @Test
  void signsAnAuthorizationThatRecoversToThePayer() {
    var intent = intent(1, 5, SOON);
    var signed = sign(intent);
    assertThat(Eip3009.isSigned(new RelayIntent.Payment(KEY,
        new Authorization.Signed(intent.authorization(), signed.signature())), curve)).isTrue();
    assertThat(signed.digest()).isEqualTo(Digest32.of(Eip3009.digest(intent.authorization())));
    assertThat(sign(intent)).as("asked again, as after an answer that was lost").isEqualTo(signed);
  }

  @Test
  void neverSignsASecondAuthorizationOrATransferForASpendAlsoAfterRestart() throws Exception {
    var first = intent(1, 5, SOON);
    sign(first);
    var transfer = Fixtures.intent(KEY, payer, 3);
    assertThat(refusal(ask(Fixtures.request(transfer)))).isEmpty();
    for (int start = 0; start < 2; start++) {
      assertRefused(SignerRefusal.SPEND_CONFLICT, intent(1, 6, SOON));
      assertRefused(SignerRefusal.SPEND_CONFLICT, intent(1, 5, SOON + 1));
      assertRefused(SignerRefusal.SPEND_CONFLICT, new TransferIntent(Fixtures.TENANT, first.spendId(),
          new NonceSlot(CHAIN, KEY, 9), payer, first.transfer(), Fixtures.gas(90_000, 100, 1)));
      assertRefused(SignerRefusal.SPEND_CONFLICT,
          new AuthorizationIntent(Fixtures.TENANT, transfer.spendId(), KEY, first.authorization()));
      sign(first);
      signers = new Signers(List.of(open()));
    }
  }

  @Test
  void refusesAnAuthorizationThatOutlivesADayOrIsAnothersKey() {
    assertRefused(SignerRefusal.BAD_INTENT, intent(1, 5, Fixtures.NOW.getEpochSecond() + 25 * 3600 + 1));
    var intent = intent(2, 5, SOON);
    assertRefused(SignerRefusal.WRONG_TENANT, new AuthorizationIntent(Fixtures.OTHER_TENANT, intent.spendId(), KEY,
        intent.authorization()));
    assertRefused(SignerRefusal.UNKNOWN_KEY, new AuthorizationIntent(Fixtures.TENANT, intent.spendId(),
        new UUID(9, 9), intent.authorization()));
  }

  @Test
  void relaysOnlyWhatItsOwnKeysHaveSigned() {
    var items = List.of(item(1, 5), item(2, 6));
    assertThat(ask(Fixtures.request(batch(0, items)))).isInstanceOf(Signed.class);
    var one = items.getFirst();
    var forged = new RelayIntent.Payment(KEY, new Authorization.Signed(items.get(1).authorization(),
        one.signed().signature()));
    assertRefused(SignerRefusal.BAD_INTENT, batch(1, List.of(one, forged)));
    assertRefused(SignerRefusal.BAD_INTENT, batch(1, List.of(new RelayIntent.Payment(new UUID(9, 9), one.signed()))));
    assertRefused(SignerRefusal.BAD_INTENT, batch(1, List.of(new RelayIntent.Payment(RELAYER, one.signed()))));
  }

  @Test
  void neverSignsAnotherBatchForARelayersNonceAndNoBatchWithAWalletsKey() {
    var items = List.<RelayIntent.Item>of(item(1, 5));
    var first = batch(0, items);
    assertThat(ask(Fixtures.request(first))).isInstanceOf(Signed.class);
    var dearer = new RelayIntent(first.batchId(), first.slot(), relayer, items, Fixtures.gas(200_000, 9_000, 900));
    assertThat(ask(Fixtures.request(dearer))).isInstanceOf(Signed.class);
    assertRefused(SignerRefusal.FEE_OUT_OF_BOUNDS,
        new RelayIntent(first.batchId(), first.slot(), relayer, items, Fixtures.gas(200_000, 10_001, 900)));
    assertRefused(SignerRefusal.NONCE_CONFLICT, batch(0, List.of(item(2, 6))));
    assertRefused(SignerRefusal.WRONG_TENANT, new RelayIntent(UUID.randomUUID(), new NonceSlot(CHAIN, KEY, 0), payer,
        items, first.gas()));
  }

  @Test
  void refillsOnlyRelayersOfItsOwnAndNeverDifferentlyAtOneNonce() throws Exception {
    var other = new RefillIntent.Receiver(OTHER_RELAYER, create(RelayIntent.TENANT, OTHER_RELAYER));
    var first = refill(0, other, 5);
    var signed = (Signed) ask(Fixtures.request(first));
    var transaction = (SignedRawTransaction) TransactionDecoder.decode(
        Numeric.toHexString(signed.rawTransaction().toByteArray()));
    assertThat(transaction.getFrom()).isEqualToIgnoringCase(relayer.toString());
    assertThat(transaction.getTo()).isEqualToIgnoringCase(other.address().toString());
    assertThat(transaction.getValue()).isEqualTo(5);
    assertThat(transaction.getData()).isIn("", "0x");
    for (int start = 0; start < 2; start++) {
      for (var stranger : List.of(new RefillIntent.Receiver(KEY, payer),
          new RefillIntent.Receiver(OTHER_RELAYER, Fixtures.PAYEE), new RefillIntent.Receiver(OTHER_RELAYER, payer),
          new RefillIntent.Receiver(new UUID(9, 9), other.address()))) {
        assertRefused(SignerRefusal.BAD_INTENT, refill(1, stranger, 5));
      }
      assertRefused(SignerRefusal.NONCE_CONFLICT, refill(0, other, 6));
      assertRefused(SignerRefusal.NONCE_CONFLICT, batch(0, List.of(item(1, 5))));
      assertRefused(SignerRefusal.WRONG_TENANT, new RefillIntent(new UUID(2, 4), new NonceSlot(CHAIN, KEY, 0), payer,
          other, BigInteger.ONE, first.gas()));
      assertThat(ask(Fixtures.request(new RefillIntent(first.refillId(), first.slot(), relayer, other, first.wei(),
          Fixtures.gas(200_000, 9_000, 900))))).isInstanceOf(Signed.class);
      signers = new Signers(List.of(open()));
    }
    assertThat(ask(Fixtures.request(batch(1, List.of(item(1, 5)))))).isInstanceOf(Signed.class);
    assertRefused(SignerRefusal.NONCE_CONFLICT, refill(1, other, 5));
  }

  private RefillIntent refill(long nonce, RefillIntent.Receiver to, long wei) {
    return new RefillIntent(new UUID(nonce, 4), new NonceSlot(CHAIN, RELAYER, nonce), relayer, to,
        BigInteger.valueOf(wei), Fixtures.gas(200_000, 1_000, 100));
  }

  private Address create(UUID tenant, UUID key) {
    return ((KeyCreated) ask(new CreateKey(tenant, key))).address();
  }

  private AuthorizationSigned sign(AuthorizationIntent intent) {
    return (AuthorizationSigned) ask(Fixtures.request(intent));
  }

  private RelayIntent.Payment item(long spend, long nonce) {
    var intent = intent(spend, nonce, SOON);
    return new RelayIntent.Payment(KEY, new Authorization.Signed(intent.authorization(), sign(intent).signature()));
  }

  private RelayIntent batch(long nonce, List<? extends RelayIntent.Item> items) {
    return new RelayIntent(new UUID(nonce, 4), new NonceSlot(CHAIN, RELAYER, nonce), relayer, new ArrayList<>(items),
        Fixtures.gas(200_000, 1_000, 100));
  }

  private AuthorizationIntent intent(long spend, long nonce, long validBefore) {
    return new AuthorizationIntent(Fixtures.TENANT, new UUID(spend, 77), KEY,
        new Authorization(new Authorization.Domain(CHAIN, "USD Coin", "2"), payer,
            new Transfer(Fixtures.TOKEN, Fixtures.PAYEE, BigInteger.TEN), validBefore,
            Digest32.sha256(new byte[]{(byte) nonce})));
  }

  private void assertRefused(SignerRefusal reason, Intent intent) {
    assertThat(refusal(ask(Fixtures.request(intent)))).contains(reason);
  }

  private SignerReply ask(SignerRequest request) {
    return signers.running().getFirst().answer(payload(SignerFrame.encode(request)));
  }

  private static byte[] payload(ByteBuffer frame) {
    var payload = new byte[frame.remaining() - SignerFrame.HEADER_BYTES];
    frame.get(SignerFrame.HEADER_BYTES, payload);
    return payload;
  }
}
