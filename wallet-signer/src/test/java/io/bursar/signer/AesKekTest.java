package io.bursar.signer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.Random;

import javax.crypto.Cipher;
import javax.crypto.spec.SecretKeySpec;

import org.junit.jupiter.api.Test;

class AesKekTest {
  private static final AesKek.Argon2Cost CHEAP = new AesKek.Argon2Cost(8_192, 1, 1);

  @Test
  void wrapsAsTheJdkUnwraps() throws Exception {
    long seed = 81;
    var random = new Random(seed);
    for (int i = 0; i < 100; i++) {
      var key = Fixtures.bytes(random, 32);
      var dataKey = Fixtures.bytes(random, 32);
      var wrapped = AesKek.ofKey(key.clone()).wrap(dataKey);
      var jdk = Cipher.getInstance("AES/KWP/NoPadding");
      jdk.init(Cipher.UNWRAP_MODE, new SecretKeySpec(key, "AES"));
      assertThat(jdk.unwrap(wrapped, "AES", Cipher.SECRET_KEY).getEncoded()).as("seed %d", seed).isEqualTo(dataKey);
      assertThat(wrapped).hasSize(40);
      assertThat(AesKek.ofKey(key).unwrap(wrapped)).isEqualTo(dataKey);
    }
  }

  @Test
  void unwrapsNothingThatWasAlteredOrWrappedByAnotherKey() {
    var wrapped = Fixtures.kek().wrap(new byte[32]);
    for (int bit = 0; bit < 8 * wrapped.length; bit++) {
      var altered = wrapped.clone();
      altered[bit / 8] ^= (byte) (1 << bit % 8);
      assertThatThrownBy(() -> Fixtures.kek().unwrap(altered)).isInstanceOf(Kek.DoesNotOpenException.class);
    }
    assertThatThrownBy(() -> AesKek.ofKey(new byte[32]).unwrap(wrapped)).isInstanceOf(Kek.DoesNotOpenException.class);
  }

  @Test
  void aPassphraseGivesOneKeyForOneSaltAndIsErased() {
    var salt = "0123456789abcdef".getBytes(StandardCharsets.US_ASCII);
    var passphrase = "correct horse battery".getBytes(StandardCharsets.US_ASCII);
    var first = AesKek.ofPassphrase(passphrase.clone(), salt, CHEAP);
    assertThat(AesKek.ofPassphrase(passphrase.clone(), salt, CHEAP).id()).isEqualTo(first.id());
    salt[0]++;
    assertThat(AesKek.ofPassphrase(passphrase, salt, CHEAP).id()).isNotEqualTo(first.id());
    assertThat(passphrase).containsOnly(0);
  }

  @Test
  void costsAreBounded() {
    assertThatIllegalArgumentException().isThrownBy(() -> new AesKek.Argon2Cost(8_191, 1, 1));
    assertThatIllegalArgumentException().isThrownBy(() -> new AesKek.Argon2Cost(2_000_000, 1, 1));
    assertThatIllegalArgumentException().isThrownBy(() -> new AesKek.Argon2Cost(8_192, 33, 1));
    assertThatIllegalArgumentException().isThrownBy(() -> new AesKek.Argon2Cost(8_192, 1, 17));
  }

  @Test
  void neverShowsItself() {
    assertThat(Fixtures.kek()).hasToString("REDACTED");
    assertThat(Fixtures.kek().id()).matches("kek-[0-9a-f]{16}");
  }
}
