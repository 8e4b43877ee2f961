package io.bursar.money;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HexFormat;
import java.util.Locale;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AddressTest {
  @ParameterizedTest
  @ValueSource(strings = { // the test cases of EIP-55
      "0x52908400098527886E0F7030069857D2E4169EE7", "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
      "0xde709f2102306220921060314715629080e2fb77", "0x27b1fdb04752bbc536007a920d24acb045561c26",
      "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
      "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb"})
  void writesTheChecksumOfEip55AndReadsEachForm(String text) {
    assertThat(Address.parse(text)).hasToString(text);
    assertThat(Address.parse(text.toLowerCase(Locale.ROOT))).hasToString(text);
    assertThat(Address.parse("0x" + text.substring(2).toUpperCase(Locale.ROOT))).hasToString(text);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "0x", "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
      "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe",
      "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed0", "0X5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
      "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeg", " x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
      "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeA١d"})
  void refusesWrongLengthsDigitsAndChecksums(String text) {
    assertThatThrownBy(() -> Address.parse(text)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void namesTheRightFormForAWrongChecksum() {
    assertThatThrownBy(() -> Address.parse("0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"))
        .hasMessageContaining("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed");
  }

  @Test
  void isTheHashOfThePublicKey() {
    // The public key of the private key 1: the generator of secp256k1.
    var generator = HexFormat.of().parseHex("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
        + "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8");

    assertThat(Address.ofPublicKey(generator)).hasToString("0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf");
    assertThatThrownBy(() -> Address.ofPublicKey(new byte[65])).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void isAValueOfTwentyBytes() {
    var bytes = new byte[20];
    var zero = Address.of(bytes);
    bytes[0] = 1;
    var one = Address.of(bytes);

    assertThat(zero.isZero()).isTrue();
    assertThat(one.isZero()).isFalse();
    assertThat(one).isEqualTo(Address.of(bytes)).hasSameHashCodeAs(Address.of(bytes)).isNotEqualTo(zero)
        .isGreaterThan(zero);
    one.bytes()[0] = 9;
    assertThat(one).isEqualTo(Address.of(bytes));
    assertThatThrownBy(() -> Address.of(new byte[19])).isInstanceOf(IllegalArgumentException.class);
  }
}
