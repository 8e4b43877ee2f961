package io.bursar.signer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;

import org.junit.jupiter.api.Test;

class Pkcs11KekTest {
  @Test
  void theTokenWrapsAndUnwrapsAlsoAfterItIsOpenedAgain() throws Exception {
    long seed = 11;
    var random = new Random(seed);
    try (var made = Pkcs11Kek.generate(SoftHsm.token()); var opened = Pkcs11Kek.open(SoftHsm.token(), made.id())) {
      assertThat(made.id()).matches("kek-[0-9a-f]{16}");
      for (int i = 0; i < 20; i++) {
        var dataKey = Fixtures.bytes(random, Kek.DATA_KEY_BYTES);
        var wrapped = made.wrap(dataKey.clone());
        assertThat(opened.unwrap(wrapped)).as("seed %d", seed).isEqualTo(dataKey);
        assertThat(wrapped).isNotEqualTo(opened.wrap(dataKey)).hasSizeLessThanOrEqualTo(Kek.MOST_WRAPPED_BYTES);
      }
      assertThat(opened).hasToString("REDACTED");
    }
  }

  @Test
  void leavesOneKeyInTheTokenSoThatItCanBeDestroyed() throws Exception {
    var before = objects();
    try (var kek = Pkcs11Kek.generate(SoftHsm.token())) {
      assertThat(kek.id()).startsWith("kek-");
    }
    assertThat(objects()).isEqualTo(before + 1);
  }

  private static long objects() throws IOException {
    try (var files = Files.walk(SoftHsm.token().pinFile().getParent())) {
      return files.filter(file -> file.toString().endsWith(".object")).count();
    }
  }

  @Test
  void unwrapsNothingThatWasAlteredOrWrappedByAnotherKey() throws Exception {
    try (var kek = Pkcs11Kek.generate(SoftHsm.token()); var stranger = Pkcs11Kek.generate(SoftHsm.token())) {
      var wrapped = kek.wrap(new byte[32]);
      for (int at = 0; at < wrapped.length; at++) {
        var altered = wrapped.clone();
        altered[at] ^= (byte) (1 << at % 8);
        assertThatThrownBy(() -> kek.unwrap(altered)).as("byte %d", at).isInstanceOf(Kek.DoesNotOpenException.class);
      }
      assertThatThrownBy(() -> kek.unwrap(new byte[59])).isInstanceOf(Kek.DoesNotOpenException.class);
      assertThatThrownBy(() -> stranger.unwrap(wrapped)).isInstanceOf(Kek.DoesNotOpenException.class);
    }
  }

  @Test
  void whatIsMissingIsNamed() {
    var token = SoftHsm.token();
    assertThatThrownBy(() -> Pkcs11Kek.open(token, "kek-0000000000000000")).isInstanceOf(IOException.class)
        .hasMessageContaining("has no key `kek-0000000000000000`");
    assertThatThrownBy(() -> Pkcs11Kek.generate(new KekSource.Token(Path.of("/nowhere.so"), 0, token.pinFile())))
        .isInstanceOf(IOException.class).hasMessageContaining("no PKCS#11 library `/nowhere.so`");
    assertThatThrownBy(() -> Pkcs11Kek.generate(new KekSource.Token(token.library(), 4_000_000_000L, token.pinFile())))
        .isInstanceOf(IOException.class).hasMessageContaining("slot 4000000000");
  }
}
