package io.bursar.log;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;

import org.junit.jupiter.api.Test;

import io.bursar.permit.Bytes;

class SignedNoteTest {
  private static final Vectors GO = Vectors.read("signed-note.json").get("go");
  private static final Vectors C2SP = Vectors.read("signed-note.json").get("c2sp");

  private static NoteKey key(int index) {
    return NoteKey.parse(GO.get("vkeys").at(index).text());
  }

  @Test
  void verifiesTheNotesOfOthers() {
    var one = SignedNote.parse(GO.get("signedByPeter").utf8());
    assertThat(one.text()).isEqualTo(GO.text("text"));
    assertThat(one.isSignedBy(key(0))).isTrue();
    assertThat(one.isSignedBy(key(1))).isFalse();
    assertThat(SignedNote.parse(GO.get("signedByBoth").utf8()).verify(List.of(key(0), key(1)))).hasSize(2);
    assertThat(SignedNote.parse(C2SP.get("note").utf8()).isSignedBy(NoteKey.parse(C2SP.text("vkey")))).isTrue();
  }

  @Test
  void signsTheSameBytesAsOthers() {
    var signer = NoteSigner.parseSecret(GO.text("privateKeyText"));
    assertThat(signer.key()).isEqualTo(key(0));
    assertThat(signer.secretText()).isEqualTo(GO.text("privateKeyText"));
    assertThat(new SignedNote(GO.text("text"), List.of(signer.sign(GO.text("text")))).encode())
        .isEqualTo(GO.get("signedByPeter").utf8());
    assertThat(signer.toString()).contains("REDACTED").doesNotContain(GO.text("privateKeyText"));
  }

  @Test
  void refusesMalformedNotes() {
    assertThat(GO.get("malformedNotes").items()).hasSize(6).allSatisfy(
        note -> assertThatThrownBy(() -> SignedNote.parse(note.utf8())).isInstanceOf(IllegalArgumentException.class));
    var notText = new ByteArrayOutputStream();
    notText.write(0xff);
    notText.writeBytes(GO.get("signedByPeter").utf8());
    assertThatThrownBy(() -> SignedNote.parse(notText.toByteArray())).hasMessageContaining("not UTF-8");
    var line = GO.text("signedByPeter").substring(GO.text("text").length() + 1);
    assertThat(parse(GO.text("text") + "\n" + line.repeat(100)).signatures()).hasSize(100);
    assertThatThrownBy(() -> parse(GO.text("text") + "\n" + line.repeat(101))).hasMessageContaining("at most 100");
  }

  private static SignedNote parse(String note) {
    return SignedNote.parse(note.getBytes(StandardCharsets.UTF_8));
  }

  @Test
  void splitsAtTheLastEmptyLine() {
    var note = parse("first\n\nsecond\n\n" + GO.text("signedByPeter").substring(GO.text("text").length() + 1));
    assertThat(note.text()).isEqualTo("first\n\nsecond\n");
  }

  @Test
  void oneWrongSignatureOfAKnownKeySpoilsTheNoteAndOneOfAnUnknownKeyDoesNot() {
    var note = SignedNote.parse(GO.get("signedByPeter").utf8());
    var forged = new SignedNote.Signature(key(1).name(), key(1).id(), Bytes.of(new byte[64]));
    var both = note.with(List.of(forged));
    assertThat(both.isSignedBy(key(0))).isTrue();
    assertThatThrownBy(() -> both.verify(List.of(key(0), key(1)))).hasMessageContaining("`EnochRoot` is not valid");
    assertThat(both.with(List.of(forged))).isEqualTo(both);
    var sameKeyAgain = new SignedNote.Signature(key(0).name(), key(0).id(), Bytes.of(new byte[64]));
    assertThat(note.with(List.of(sameKeyAgain)).isSignedBy(key(0))).as("the first of a key counts").isTrue();
  }

  @Test
  void refusesEveryVerifierKeyButTheRightOne() {
    GO.get("rejectVkeys").items().forEach(SignedNoteTest::refuses);
    for (var vkey : GO.get("vkeys").items()) {
      var text = vkey.text();
      for (int i = 0; i < text.length(); i++) {
        refuses(text.substring(0, i));
        refuses(text.substring(i + 1));
        refuses(text.substring(0, i) + (char) (text.charAt(i) + 1) + text.substring(i + 1));
      }
      assertThat(NoteKey.parse(text).text()).isEqualTo(text);
    }
  }

  private static void refuses(Vectors vkey) {
    refuses(vkey.text());
  }

  private static void refuses(String vkey) {
    assertThatThrownBy(() -> NoteKey.parse(vkey)).as(vkey).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void neverShowsAPrivateKeyThatItRefuses() {
    var secret = GO.text("privateKeyText");
    for (var wrong : List.of(secret.replace("c74f20a3", "c74f20a4"), secret + "=", secret.substring(8))) {
      assertThatThrownBy(() -> NoteSigner.parseSecret(wrong)).hasNoCause().message().doesNotContain("AYEKFALVFG");
    }
  }

  @Test
  void readsTheCheckpointsOfOthersAndRefusesBadOnes() {
    var go = Vectors.read("go-sumdb-tlog.json");
    var tree = Checkpoint.parse(go.get("formatTree").text("text"));
    assertThat(tree.size()).isEqualTo(123456789012L);
    assertThat(tree.root()).isEqualTo(Merkle.leafHash(go.get("formatTree").get("recordUtf8").utf8()));
    assertThat(tree.text()).isEqualTo(go.get("formatTree").text("text"));
    go.get("badTrees").items().subList(1, 3).forEach(bad -> assertThatThrownBy(() -> Checkpoint.parse(bad.text()))
        .isInstanceOf(IllegalArgumentException.class));
    assertThat(Checkpoint.parse(go.get("badTrees").at(0).text()).origin()).isNotEqualTo(tree.origin());
    var example = SignedNote.parse(C2SP.get("checkpointExample").utf8());
    assertThat(Checkpoint.parse(example.text()).size()).isEqualTo(20_852_163);
    for (var size : List.of("007", "-1", "+1", "1.0", "0x1", "", "9223372036854775808", "99999999999999999999")) {
      assertThatThrownBy(() -> Checkpoint.parse(tree.text().replace("123456789012", size))).as(size)
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void readsTheCosignatureOfTheSpecification() {
    var decoded = C2SP.get("cosignatureDecoded");
    var line = C2SP.text("cosignatureExampleLine");
    var signature = SignedNote.Signature.parse(line.substring(0, line.length() - 1));
    assertThat("%08x".formatted(signature.keyId())).isEqualTo(decoded.text("keyIdHex"));
    assertThat(Cosignature.time(signature).getEpochSecond()).isEqualTo(decoded.number("timestamp"));
    var checkpoint = SignedNote.parse(C2SP.get("checkpointExample").utf8()).text();
    assertThat(Cosignature.message(decoded.number("timestamp"), checkpoint))
        .isEqualTo(decoded.get("signedMessage").utf8());
    assertThat(signature.line()).isEqualTo(line);
  }

  @Test
  void aWitnessSignsACheckpointAndATime() {
    var seed = new byte[32];
    Arrays.fill(seed, (byte) 7);
    var log = NoteSigner.of("bursar.test/tnt_1", NoteKey.Kind.ED25519, seed);
    var witness = NoteSigner.of("witness.test/w1", NoteKey.Kind.COSIGNATURE, seed);
    var text = new Checkpoint("bursar.test/tnt_1", 0, Merkle.emptyRoot()).text();
    var at = Instant.parse("2026-11-25T12:00:00Z");
    var note = new SignedNote(text, List.of(log.sign(text))).with(List.of(witness.cosign(text, at)));
    assertThat(note.verify(List.of(log.key(), witness.key()))).hasSize(2);
    assertThat(Cosignature.time(note.signatures().get(1))).isEqualTo(at);
    assertThat(NoteKey.parse(witness.key().text())).isEqualTo(witness.key());
    assertThat(NoteSigner.parseSecret(witness.secretText()).key()).isEqualTo(witness.key());
    var otherTime = witness.cosign(text, at.plusSeconds(1)).bytes().toByteArray();
    System.arraycopy(note.signatures().get(1).bytes().toByteArray(), 8, otherTime, 8, 64);
    var forged = new SignedNote.Signature(witness.key().name(), witness.key().id(), Bytes.of(otherTime));
    assertThat(new SignedNote(text, List.of(forged)).isSignedBy(witness.key())).isFalse();
    assertThatThrownBy(() -> witness.sign(text)).isInstanceOf(IllegalStateException.class);
  }
}
