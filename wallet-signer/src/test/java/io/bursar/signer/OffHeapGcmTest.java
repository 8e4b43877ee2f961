package io.bursar.signer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;

import javax.crypto.AEADBadTagException;
import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;

import org.junit.jupiter.api.Test;

class OffHeapGcmTest {
  @Test
  void sealsAndOpensAsThePlatformDoes() throws Exception {
    long seed = 51;
    var random = new Random(seed);
    for (int i = 0; i < 500; i++) {
      var key = Fixtures.bytes(random, 32);
      var nonce = Fixtures.bytes(random, 12);
      var associated = Fixtures.bytes(random, random.nextInt(200));
      var text = Fixtures.bytes(random, random.nextInt(100));
      var cipher = Cipher.getInstance("AES/GCM/NoPadding");
      cipher.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(key, "AES"), new GCMParameterSpec(128, nonce));
      cipher.updateAAD(associated);
      var expected = cipher.doFinal(text);
      try (var arena = Arena.ofConfined()) {
        var plain = arena.allocate(text.length);
        MemorySegment.copy(text, 0, plain, ValueLayout.JAVA_BYTE, 0, text.length);
        assertThat(OffHeapGcm.seal(key, nonce, associated, plain)).as("seed %d, round %d", seed, i).isEqualTo(expected);
        plain.fill((byte) 0);
        OffHeapGcm.open(key, nonce, associated, expected, plain);
        assertThat(plain.toArray(ValueLayout.JAVA_BYTE)).as("seed %d, round %d", seed, i).isEqualTo(text);
      }
    }
  }

  @Test
  void writesNothingWhereAnyBitIsAnother() {
    var random = new Random(52);
    var key = Fixtures.bytes(random, 32);
    var nonce = Fixtures.bytes(random, 12);
    var associated = Fixtures.bytes(random, 40);
    try (var arena = Arena.ofConfined()) {
      var plain = arena.allocate(32);
      plain.fill((byte) 7);
      var sealed = OffHeapGcm.seal(key, nonce, associated, plain);
      plain.fill((byte) 0);
      for (var input : new byte[][]{key, nonce, associated, sealed}) {
        for (int bit = 0; bit < input.length * 8; bit++) {
          input[bit / 8] ^= (byte) (1 << bit % 8);
          assertThatThrownBy(() -> OffHeapGcm.open(key, nonce, associated, sealed, plain))
              .isInstanceOf(AEADBadTagException.class);
          input[bit / 8] ^= (byte) (1 << bit % 8);
        }
      }
      assertThat(plain.toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
    }
  }
}
