package io.bursar.permit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.Signature;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import java.util.stream.IntStream;

import org.junit.jupiter.api.Test;

class PermitTest {
  private static final Instant NOW = Instant.parse("2026-11-23T10:00:00.123Z");
  private static final UUID ID = UUID.fromString("0198f3a0-0000-7000-8000-000000000002");
  private static final KeyPair KEYS = PermitKeys.generate();

  @Test
  void everyFlippedBitBreaksTheSignature() {
    var signed = permit(NOW, NOW.plusSeconds(60)).sign(KEYS.getPrivate());
    for (int bit = 0; bit < 8 * signed.bytes().size(); bit++) {
      var altered = new SignedPermit(flipped(signed.bytes(), bit), signed.signature());
      assertThat(altered.isSignedBy(KEYS.getPublic())).as("bit %d of the permit", bit).isFalse();
    }
    for (int bit = 0; bit < 8 * SignedPermit.SIGNATURE_BYTES; bit++) {
      var altered = new SignedPermit(signed.bytes(), flipped(signed.signature(), bit));
      assertThat(altered.isSignedBy(KEYS.getPublic())).as("bit %d of the signature", bit).isFalse();
    }
    assertThat(signed.isSignedBy(KEYS.getPublic())).isTrue();
    assertThat(signed.isSignedBy(PermitKeys.generate().getPublic())).isFalse();
  }

  @Test
  void eachOfManySignedTogetherStandsAloneAndEveryFlippedBitBreaksIt() {
    for (int count : new int[]{2, 3, 5, 8, 15, 16}) {
      var permits = many(count);
      var signed = Permit.sign(permits, PermitSigningKey.of(KEYS.getPrivate()));
      assertThat(signed.stream().map(SignedPermit::signature).distinct()).as("signatures of %d", count).hasSize(1);
      for (int i = 0; i < count; i++) {
        var one = signed.get(i);
        assertThat(one.isOneOfMany()).isTrue();
        assertThat(one.isSignedBy(KEYS.getPublic())).as("%d of %d", i, count).isTrue();
        assertThat(one.isSignedBy(PermitKeys.generate().getPublic())).isFalse();
        assertThat(one.permit()).isEqualTo(permits.get(i));
      }
      var last = signed.getLast();
      for (int bit = 0; bit < 8 * last.bytes().size(); bit++) {
        var altered = new SignedPermit(flipped(last.bytes(), bit), last.signature());
        assertThat(altered.isSignedBy(KEYS.getPublic()) && !altered.permit().equals(last.permit()))
            .as("bit %d of the last of %d gives another permit", bit, count).isFalse();
      }
      for (int bit = 0; bit < 8 * SignedPermit.SIGNATURE_BYTES; bit++) {
        var altered = new SignedPermit(last.bytes(), flipped(last.signature(), bit));
        assertThat(altered.isSignedBy(KEYS.getPublic())).as("bit %d of the signature", bit).isFalse();
      }
    }
  }

  @Test
  void morePermitsThanATreeHoldsShareSeveralSignatures() {
    for (int count : new int[]{1, 17, 33, 200}) {
      var permits = many(count);
      var signed = Permit.sign(permits, PermitSigningKey.of(KEYS.getPrivate()));
      assertThat(signed.stream().map(SignedPermit::permit)).isEqualTo(permits);
      assertThat(signed).allMatch(one -> one.isSignedBy(KEYS.getPublic()));
      assertThat(signed.stream().map(SignedPermit::signature).distinct()).hasSize((count + 15) / 16);
    }
    assertThat(Permit.sign(List.of(), PermitSigningKey.of(KEYS.getPrivate()))).isEmpty();
  }

  @Test
  void aNodeOfATreeDoesNotPassForAPermitNorATreeForAPermitOfItsOwn() throws Exception {
    var one = Permit.sign(many(4), PermitSigningKey.of(KEYS.getPrivate())).getFirst();
    var bytes = one.bytes().toByteArray();
    // One level less, as if the node above two permits were a leaf; and one more hash than the highest tree has.
    for (int length : new int[]{bytes.length - Digest32.BYTES, bytes.length - 1, bytes.length + 1,
        bytes.length + 3 * Digest32.BYTES, Permit.ENCODED_BYTES, Permit.ENCODED_BYTES + 1}) {
      var other = new SignedPermit(Bytes.of(Arrays.copyOf(bytes, length)), one.signature());
      assertThat(other.isSignedBy(KEYS.getPublic())).as("%d bytes", length).isFalse();
    }
    var alone = permit(NOW, NOW.plusSeconds(60)).sign(KEYS.getPrivate());
    assertThat(new SignedPermit(one.bytes(), alone.signature()).isSignedBy(KEYS.getPublic())).isFalse();
    var jdk = Signature.getInstance("Ed25519");
    jdk.initSign(KEYS.getPrivate());
    jdk.update(SignedPermit.message(bytes));
    assertThat(new SignedPermit(one.bytes(), Bytes.of(jdk.sign())).isSignedBy(KEYS.getPublic())).isFalse();
  }

  private static List<Permit> many(int count) {
    return IntStream.range(0, count).mapToObj(i -> permit(NOW.plusMillis(i), NOW.plusSeconds(60))).toList();
  }

  @Test
  void aSignatureOverThePermitWithoutItsDomainDoesNotCount() throws Exception {
    var bytes = permit(NOW, NOW.plusSeconds(60)).encode();
    var bare = Signature.getInstance("Ed25519");
    bare.initSign(KEYS.getPrivate());
    bare.update(bytes);
    assertThat(new SignedPermit(Bytes.of(bytes), Bytes.of(bare.sign())).isSignedBy(KEYS.getPublic())).isFalse();
  }

  @Test
  void signsAndVerifiesAsTheJdkDoes() throws Exception {
    for (int i = 0; i < 50; i++) {
      var keys = PermitKeys.generate();
      var permit = permit(NOW.plusMillis(i), NOW.plusSeconds(60));
      var jdk = Signature.getInstance("Ed25519");
      jdk.initSign(keys.getPrivate());
      jdk.update(SignedPermit.message(permit.encode()));
      var expected = new SignedPermit(Bytes.of(permit.encode()), Bytes.of(jdk.sign()));
      assertThat(PermitKeys.publicKeyOf(keys.getPrivate())).isEqualTo(keys.getPublic());
      assertThat(permit.sign(keys.getPrivate())).isEqualTo(expected);
      assertThat(expected.isSignedBy(keys.getPublic())).isTrue();
    }
  }

  @Test
  void refusesEveryOtherLengthAndVersion() {
    var bytes = permit(NOW, NOW.plusSeconds(60)).encode();
    for (int length = 0; length < bytes.length + 40; length++) {
      if (length != bytes.length) {
        var other = Arrays.copyOf(bytes, length);
        assertThatIllegalArgumentException().as("length %d", length).isThrownBy(() -> Permit.decode(other));
      }
    }
    bytes[0] = 2;
    assertThatIllegalArgumentException().isThrownBy(() -> Permit.decode(bytes)).withMessageContaining("version 2");
  }

  @Test
  void livesAtMostFiveMinutes() {
    assertThat(permit(NOW, NOW.plus(Permit.MAX_LIFE)).expiresAt()).isEqualTo(NOW.plusSeconds(300));
    assertThatIllegalArgumentException().isThrownBy(() -> permit(NOW, NOW.plus(Permit.MAX_LIFE).plusMillis(1)));
    assertThatIllegalArgumentException().isThrownBy(() -> permit(NOW, NOW));
    assertThatIllegalArgumentException().isThrownBy(() -> permit(NOW, NOW.minusMillis(1)));
  }

  @Test
  void refusesTimesThatDoNotSurviveTheLayout() {
    assertThatIllegalArgumentException().isThrownBy(() -> permit(NOW.plusNanos(1), NOW.plusSeconds(1)));
    assertThatIllegalArgumentException().isThrownBy(() -> permit(Instant.EPOCH.minusMillis(1), Instant.EPOCH));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> permit(Instant.MAX.minus(Duration.ofSeconds(9)), Instant.MAX));
  }

  @Test
  void otherKindsOfKeysAreNotTaken() throws Exception {
    var ec = KeyPairGenerator.getInstance("EC").generateKeyPair();
    var permit = permit(NOW, NOW.plusSeconds(60));
    assertThatIllegalArgumentException().isThrownBy(() -> permit.sign(ec.getPrivate()));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> permit.sign(KEYS.getPrivate()).isSignedBy(ec.getPublic()));
  }

  @Test
  void keysSurviveTheirText() {
    assertThat(PermitKeys.parsePrivate(PermitKeys.toPem(KEYS.getPrivate()))).isEqualTo(KEYS.getPrivate());
    assertThat(PermitKeys.parsePublic(PermitKeys.toPem(KEYS.getPublic()))).isEqualTo(KEYS.getPublic());
  }

  @Test
  void messagesAboutBadKeysNeverShowThem() {
    var pem = PermitKeys.toPem(KEYS.getPrivate());
    var secret = pem.lines().toList().get(1);
    for (var damaged : new String[]{secret, pem.replace("PRIVATE", "SECRET"), pem.replace(secret, "!" + secret),
        pem.replace(secret, secret.substring(8)), pem.replace(secret, secret + "A")}) {
      assertThatIllegalArgumentException().isThrownBy(() -> PermitKeys.parsePrivate(damaged))
          .satisfies(refused -> assertThat(messages(refused)).doesNotContain(secret.substring(10, 20)));
    }
    assertThatIllegalArgumentException().isThrownBy(() -> PermitKeys.parsePublic(pem));
  }

  private static String messages(Throwable thrown) {
    var cause = thrown.getCause();
    return thrown + (cause == null ? "" : "\n" + messages(cause));
  }

  private static Permit permit(Instant issuedAt, Instant expiresAt) {
    return new Permit(ID, ID, Digest32.sha256(), TransferIntentTest.simple().hash(), issuedAt, expiresAt);
  }

  private static Bytes flipped(Bytes bytes, int bit) {
    var altered = bytes.toByteArray();
    altered[bit / 8] ^= (byte) (1 << bit % 8);
    return Bytes.of(altered);
  }
}
