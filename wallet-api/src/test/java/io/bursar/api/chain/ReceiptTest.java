package io.bursar.api.chain;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigInteger;

import org.junit.jupiter.api.Test;

import io.bursar.money.Address;
import io.bursar.permit.Digest32;
import tools.jackson.databind.json.JsonMapper;

class ReceiptTest {
  private static final Address TOKEN = Address.parse("0x1111111111111111111111111111111111111111");
  private static final Address FROM = Address.parse("0x2222222222222222222222222222222222222222");
  private static final Address PAYEE = Address.parse("0x3333333333333333333333333333333333333333");
  private static final BigInteger AMOUNT = BigInteger.valueOf(255);
  private static final String TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef";
  private static final String LOG = """
      [{"address":"0x1111111111111111111111111111111111111111",
        "topics":["%s","0x0000000000000000000000002222222222222222222222222222222222222222",
                  "0x0000000000000000000000003333333333333333333333333333333333333333"],
        "data":"0x00000000000000000000000000000000000000000000000000000000000000ff"}]""".formatted(TRANSFER);

  private static boolean saysSo(String logs) {
    var hash = Digest32.of(new byte[32]);
    return new Receipt(hash, 1, hash, true, 50_000, JsonMapper.shared().readTree(logs)).hasTransfer(TOKEN, FROM, PAYEE,
        AMOUNT);
  }

  @Test
  void believesOnlyTheTokensOwnEventOfExactlyThisTransfer() {
    assertThat(saysSo(LOG)).isTrue();
    assertThat(saysSo("[]")).isFalse();
    assertThat(saysSo(LOG.replace("1111", "1112"))).as("another token").isFalse();
    assertThat(
        saysSo(LOG.replace("2222222222222222222222222222222222222222", "2222222222222222222222222222222222222221")))
        .as("from another wallet").isFalse();
    assertThat(
        saysSo(LOG.replace("3333333333333333333333333333333333333333", "3333333333333333333333333333333333333334")))
        .as("to another payee").isFalse();
    assertThat(saysSo(LOG.replace("00ff\"", "00fe\""))).as("another amount").isFalse();
    assertThat(saysSo(LOG.replace(TRANSFER, "0x" + "ab".repeat(32)))).as("another event").isFalse();
  }
}
