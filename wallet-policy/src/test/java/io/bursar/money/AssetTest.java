package io.bursar.money;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AssetTest {
  @Test
  void knowsItsChainId() {
    assertThat(asset("eip155:8453", "USDC", 6, "USD").chainId()).isEqualTo(8453);
    assertThat(Asset.chainId("eip155:9999999999999999")).isEqualTo(9_999_999_999_999_999L);
  }

  @ParameterizedTest
  @CsvSource({"eip155:0,USDC,6,USD", "eip155:01,USDC,6,USD", "8453,USDC,6,USD", "solana:1,USDC,6,USD",
      "eip155:1,'',6,USD",
      "eip155:1,US DC,6,USD", "eip155:1,ABCDEFGHIJKLMNOPQ,6,USD", "eip155:1,USDC,-1,USD", "eip155:1,USDC,19,USD",
      "eip155:1,USDC,6,usd", "eip155:1,USDC,6,US", "eip155:1,USDC,6,ABCDEFGHI", "eip155:12345678901234567,USDC,6,USD"})
  void refusesWhatIsOutOfBounds(String chain, String symbol, int decimals, @Nullable String currency) {
    assertThatThrownBy(() -> asset(chain, symbol, decimals, currency)).isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("must be");
  }

  private static Asset asset(String chain, String symbol, int decimals, @Nullable String currency) {
    return new Asset(chain, Address.of(new byte[20]), symbol, decimals, currency);
  }
}
