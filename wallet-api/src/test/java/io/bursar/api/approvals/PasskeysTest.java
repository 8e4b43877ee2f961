package io.bursar.api.approvals;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;

import org.junit.jupiter.api.Test;

import io.bursar.api.testing.Authenticator;
import io.bursar.api.testing.SampleText;
import io.bursar.approval.ApprovalText;
import io.bursar.approval.Proof;
import io.bursar.approval.Proof.Worth;
import io.bursar.approval.Verdict;
import io.bursar.permit.Bytes;

/** An assertion counts for one text, by the registered passkey, on our page, from a user who was verified. */
class PasskeysTest {
  private static final String DOMAIN = "bursar.example.com";
  private static final String PAGE = "https://bursar.example.com";
  private static final ApprovalText TEXT = SampleText.approving(24_000_000, null);

  private final Passkeys passkeys = new Passkeys(Optional.of(new Passkeys.Settings(DOMAIN, Set.of(PAGE))));
  private final Authenticator authenticator = new Authenticator(DOMAIN, PAGE);

  private Proof proof(Authenticator.Assertion assertion) {
    return passkeys.proof(assertion.credentialId(), assertion.authenticatorData(), assertion.clientDataJson(),
        assertion.signature());
  }

  private Proof.Registered registered(long signCount) {
    return new Proof.Registered(authenticator.publicKey(), new Proof.Passkey(authenticator.credentialId, signCount));
  }

  private Worth worth(Proof proof) {
    return proof.worth(TEXT, registered(0));
  }

  private Worth answered(Consumer<Authenticator> change) {
    change.accept(authenticator);
    return worth(proof(authenticator.answer(TEXT.hash().bytes())));
  }

  @Test
  void believesAnAssertionOverExactlyTheText() {
    var proof = proof(authenticator.answer(TEXT.hash().bytes()));
    assertThat(worth(proof)).isEqualTo(Worth.PROVEN);
    assertThat(proof.worth(TEXT.with(Verdict.REJECT), registered(0))).isEqualTo(Worth.NOTHING);
    assertThat(worth(proof(authenticator.answer(TEXT.bytes())))).isEqualTo(Worth.NOTHING);
    assertThat(answered(it -> it.synced = true)).isEqualTo(Worth.PROVEN);
  }

  @Test
  void refusesAnotherDomainPageOrKindOfCeremonyAndAnUnverifiedUser() {
    assertThat(answered(it -> it.userVerified = false)).isEqualTo(Worth.NOTHING);
    assertThat(answered(it -> {
      it.userVerified = true;
      it.origin = "https://bursar.example.com.evil.test";
    })).isEqualTo(Worth.NOTHING);
    assertThat(answered(it -> {
      it.origin = PAGE;
      it.relyingParty = "evil.test";
    })).isEqualTo(Worth.NOTHING);
    assertThat(answered(it -> {
      it.relyingParty = DOMAIN;
      it.type = "webauthn.create";
    })).isEqualTo(Worth.NOTHING);
    assertThat(answered(it -> it.type = "webauthn.get")).isEqualTo(Worth.PROVEN);
  }

  @Test
  void refusesAPasskeyWhoseCounterDoesNotGoOn() {
    authenticator.counter = 5;
    var proof = proof(authenticator.answer(TEXT.hash().bytes()));
    assertThat(proof.signCount()).isEqualTo(5);
    assertThat(proof.worth(TEXT, registered(4))).isEqualTo(Worth.PROVEN);
    assertThat(proof.worth(TEXT, registered(5))).isEqualTo(Worth.COUNTER_BEHIND);
    assertThat(proof.worth(TEXT, registered(6))).isEqualTo(Worth.COUNTER_BEHIND);
  }

  @Test
  void refusesAnotherPasskeyAndAnyChangedByte() {
    var other = new Authenticator(DOMAIN, PAGE);
    assertThat(worth(proof(other.answer(TEXT.hash().bytes())))).isEqualTo(Worth.NOTHING);
    var good = authenticator.answer(TEXT.hash().bytes());
    assertThat(passkeys.proof(Bytes.of(new byte[]{9}), good.authenticatorData(), good.clientDataJson(),
        good.signature()).worth(TEXT, registered(0))).isEqualTo(Worth.NOTHING);
    for (int i = 0; i < good.authenticatorData().size(); i++) {
      var changed = good.authenticatorData().toByteArray();
      changed[i] ^= 1;
      assertThat(worth(passkeys.proof(good.credentialId(), Bytes.of(changed), good.clientDataJson(),
          good.signature()))).as("byte %d", i).isEqualTo(Worth.NOTHING);
    }
    for (var broken : new Bytes[]{Bytes.of(new byte[0]), Bytes.of(new byte[36]), Bytes.of("{}".getBytes(
        java.nio.charset.StandardCharsets.UTF_8))}) {
      assertThat(worth(passkeys.proof(good.credentialId(), broken, good.clientDataJson(), good.signature())))
          .isEqualTo(Worth.NOTHING);
      assertThat(worth(passkeys.proof(good.credentialId(), good.authenticatorData(), broken, good.signature())))
          .isEqualTo(Worth.NOTHING);
      assertThat(worth(passkeys.proof(good.credentialId(), good.authenticatorData(), good.clientDataJson(), broken)))
          .isEqualTo(Worth.NOTHING);
    }
  }

  @Test
  void aPasskeyDoesNotSignLikeAKeyNorAKeyLikeAPasskey() {
    var good = authenticator.answer(TEXT.hash().bytes());
    assertThat(new Proof.OverText(good.signature()).worth(TEXT, registered(0))).isEqualTo(Worth.NOTHING);
    assertThat(proof(good).worth(TEXT, new Proof.Registered(authenticator.publicKey(), null)))
        .isEqualTo(Worth.NOTHING);
  }

  @Test
  void readsAKeyAsAuthenticatorsWriteIt() {
    assertThat(passkeys.readCose(authenticator.coseKey().toByteArray())).isEqualTo(authenticator.publicKey());
    var truncated = java.util.Arrays.copyOf(authenticator.coseKey().toByteArray(), 70);
    for (var wrong : new byte[][]{new byte[0], {1}, truncated}) {
      assertThatThrownBy(() -> passkeys.readCose(wrong)).isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void believesNoneWhereTheyAreNotSetUp() {
    var good = authenticator.answer(TEXT.hash().bytes());
    var none = new Passkeys(Optional.empty());
    assertThat(none.areBelieved()).isFalse();
    assertThat(none.proof(good.credentialId(), good.authenticatorData(), good.clientDataJson(), good.signature())
        .worth(TEXT, registered(0))).isEqualTo(Worth.NOTHING);
  }
}
