package io.bursar.money;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.Random;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class AmountTest {
  private static final String MAX_SIX = "115792089237316195423570985008687907853269984665640564039457584007913129.639935";

  @ParameterizedTest
  @CsvSource({"0,6,0", "1,6,1000000", "1.25,6,1250000", "0.000001,6,1", "1.250000,6,1250000", "7,0,7",
      "0.000000000000000001,18,1"})
  void readsPlainDecimals(String text, int decimals, BigInteger units) {
    assertThat(Amount.parse(text, decimals)).isEqualTo(units);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", " ", "-1", "+1", "1e3", "1E3", "0x10", "NaN", "Infinity", "1.", ".5", "01", "00", "1,5",
      "1 ", " 1",
      "1.0000001", "1_000", "1.2.3", "١", "1.５", "1\n", "0.0000000", "--1", "null"})
  void refusesEverythingElse(String text) {
    assertThatThrownBy(() -> Amount.parse(text, 6)).isInstanceOf(IllegalArgumentException.class)
        .hasMessageMatching("(must|has|is) .*[^.]");
  }

  @Test
  void endsAtTheLastBaseUnitThatATokenCanHold() {
    assertThat(Amount.parse(MAX_SIX, 6)).isEqualTo(Amount.MAX)
        .isEqualTo(BigInteger.TWO.pow(256).subtract(BigInteger.ONE));
    assertThatThrownBy(() -> Amount.parse(MAX_SIX.replace("935", "936"), 6)).hasMessageContaining("2^256");
    assertThatThrownBy(() -> Amount.parse(BigInteger.TWO.pow(256).toString(), 0)).hasMessageContaining("2^256");
    assertThatThrownBy(() -> Amount.parse("9".repeat(100_000), 0)).isInstanceOf(IllegalArgumentException.class);
  }

  @ParameterizedTest
  @CsvSource({"0,6,0", "1,6,0.000001", "1250000,6,1.25", "1000000,6,1", "10,6,0.00001", "7,0,7",
      "1,18,0.000000000000000001",
      "123456789000000000000000000,18,123456789", "100,2,1"})
  void writesTheShortestDecimal(BigInteger units, int decimals, String text) {
    assertThat(Amount.format(units, decimals)).isEqualTo(text);
  }

  @Test
  void readsBackWhatItWrites() {
    for (long seed = 1; seed <= 5_000; seed++) {
      var random = new Random(seed);
      int decimals = random.nextInt(Asset.DECIMALS_MAX + 1);
      var units = new BigInteger(random.nextInt(257), random);
      var text = Amount.format(units, decimals);

      assertThat(Amount.parse(text, decimals)).as("seed %d", seed).isEqualTo(units);
      assertThat(new BigDecimal(text)).as("seed %d", seed).isEqualByComparingTo(new BigDecimal(units, decimals));
      assertThat(text).as("seed %d", seed).doesNotMatch(".*\\.[0-9]*0|.*\\.");
    }
  }
}
