package io.bursar.signer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;

import org.bouncycastle.crypto.threshold.ShamirSecretSplitter;
import org.bouncycastle.crypto.threshold.ShamirSplitSecret;
import org.bouncycastle.crypto.threshold.ShamirSplitSecretShare;
import org.junit.jupiter.api.Test;

import io.bursar.signer.RecoveryShares.Share;

class RecoverySharesTest {
  /** The test vector of section 9 of draft-mcgrew-tss-03, over the same field. */
  @Test
  void theFieldIsThatOfThePublishedVector() throws Exception {
    var hex = HexFormat.of();
    var shares = new ShamirSplitSecretShare[]{new ShamirSplitSecretShare(hex.parseHex("b9fa07e185"), 1),
        new ShamirSplitSecretShare(hex.parseHex("f5409b4511"), 2)};
    assertThat(ShamirSplitSecret.getInstance(ShamirSecretSplitter.Algorithm.AES, shares).getSecret())
        .isEqualTo(hex.parseHex("7465737400"));
  }

  @Test
  void interpolatesAsTheDefinitionSays() {
    long seed = 5;
    var random = new Random(seed);
    for (int round = 0; round < 50; round++) {
      int threshold = 2 + random.nextInt(5);
      var coefficients = new byte[threshold][];
      for (int i = 0; i < threshold; i++) {
        coefficients[i] = Fixtures.bytes(random, 32);
      }
      var shares = new ArrayList<Share>();
      try (var key = RecipientKey.generate()) {
        for (int x = 1; x <= threshold; x++) {
          shares.add(new Share(key.publicKey(), x, threshold, threshold, evaluate(coefficients, x)));
        }
      }
      assertThat(RecoveryShares.interpolate(shares)).as("seed %d", seed).isEqualTo(coefficients[0]);
    }
  }

  @Test
  void anyThresholdOfSharesGivesTheKeyBackAndOneFewerDoesNot() {
    long seed = 6;
    var random = new Random(seed);
    for (int[] scheme : new int[][]{{2, 2}, {2, 3}, {3, 5}, {5, 9}, {16, 32}}) {
      try (var key = RecipientKey.generate()) {
        var shares = new ArrayList<>(RecoveryShares.split(key, scheme[0], scheme[1]));
        for (int round = 0; round < 5; round++) {
          Collections.shuffle(shares, random);
          try (var again = RecoveryShares.combine(shares.subList(0, scheme[0]))) {
            assertThat(again.secret()).as("seed %d", seed).isEqualTo(key.secret());
          }
          var few = shares.subList(0, scheme[0] - 1);
          assertThatIllegalArgumentException().isThrownBy(() -> RecoveryShares.combine(few));
          assertThat(RecoveryShares.interpolate(few)).isNotEqualTo(key.secret());
        }
      }
    }
  }

  /** With one share fewer, every secret is as likely as any other: some value of the missing share leads to each byte. */
  @Test
  void oneShareFewerSaysNothing() {
    try (var key = RecipientKey.generate()) {
      var known = RecoveryShares.split(key, 2, 2).getFirst();
      var reached = new boolean[256];
      for (int missing = 0; missing < 256; missing++) {
        var value = new byte[32];
        Arrays.fill(value, (byte) missing);
        reached[RecoveryShares
            .interpolate(List.of(known, new Share(key.publicKey(), 2, 2, 2, value)))[0] & 0xff] = true;
      }
      assertThat(reached).doesNotContain(false);
    }
  }

  @Test
  void aShareThatWasAlteredOrIsAnotherKeysIsNoticed() {
    try (var key = RecipientKey.generate(); var other = RecipientKey.generate()) {
      var shares = RecoveryShares.split(key, 2, 3);
      var altered = shares.get(0).value().clone();
      altered[7] ^= 1;
      var forged = new Share(key.publicKey(), 1, 3, 2, altered);
      assertThatIllegalArgumentException()
          .isThrownBy(() -> RecoveryShares.combine(List.of(forged, shares.get(1))))
          .withMessageContaining("altered");
      assertThatIllegalArgumentException()
          .isThrownBy(
              () -> RecoveryShares.combine(List.of(shares.get(0), RecoveryShares.split(other, 2, 3).get(1))))
          .withMessageContaining("different recovery keys");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> RecoveryShares.combine(List.of(shares.get(0), shares.get(0))))
          .withMessageContaining("twice");
    }
  }

  @Test
  void aPrintedShareIsReadBackAndAMistakeInItIsNoticed() {
    try (var key = RecipientKey.generate()) {
      for (var share : RecoveryShares.split(key, 3, 5)) {
        var read = RecoveryShares.parse(share.text().replace("\n", "\r\n"));
        assertThat(read.text()).isEqualTo(share.text());
        assertThat(share).hasToString("share " + share.index() + " of 5");
        for (int at = 0; at < share.text().length() - 1; at++) {
          var mistaken = new StringBuilder(share.text());
          mistaken.setCharAt(at, mistaken.charAt(at) == 'x' ? 'y' : 'x');
          assertThatIllegalArgumentException().as("character %d", at)
              .isThrownBy(() -> RecoveryShares.parse(mistaken.toString()));
        }
      }
    }
  }

  @Test
  void thereAreTwoTo32SharesAndTwoOrMoreAreNeeded() {
    try (var key = RecipientKey.generate()) {
      for (int[] scheme : new int[][]{{1, 2}, {3, 2}, {2, 33}, {0, 0}}) {
        assertThatIllegalArgumentException().isThrownBy(() -> RecoveryShares.split(key, scheme[0], scheme[1]));
      }
    }
  }

  private static byte[] evaluate(byte[][] coefficients, int x) {
    var value = new byte[32];
    for (int i = coefficients.length - 1; i >= 0; i--) {
      for (int at = 0; at < 32; at++) {
        value[at] = (byte) (multiply(value[at] & 0xff, x) ^ coefficients[i][at]);
      }
    }
    return value;
  }

  /** Multiplication in GF(256) as FIPS 197 defines it, section 4.2. */
  private static int multiply(int a, int b) {
    int product = 0;
    for (int bit = 0; bit < 8; bit++) {
      if (((b >> bit) & 1) == 1) {
        int shifted = a << bit;
        for (int high = 15; high >= 8; high--) {
          if (((shifted >> high) & 1) == 1) {
            shifted ^= 0x11b << (high - 8);
          }
        }
        product ^= shifted;
      }
    }
    return product;
  }
}
