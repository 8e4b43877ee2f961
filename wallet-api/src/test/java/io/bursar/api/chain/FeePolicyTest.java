package io.bursar.api.chain;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.math.BigInteger;
import java.util.Random;

import org.junit.jupiter.api.Test;

class FeePolicyTest {
  private static final FeePolicy POLICY = new FeePolicy(wei(1000), wei(100), wei(2), 200_000);

  private static BigInteger wei(long wei) {
    return BigInteger.valueOf(wei);
  }

  @Test
  void leavesRoomForTheBaseFeeToDouble() {
    assertThat(POLICY.offer(wei(100), wei(10))).isEqualTo(new FeePolicy.Fees(wei(210), wei(10)));
  }

  @Test
  void keepsEachFeeWithinItsBounds() {
    assertThat(POLICY.offer(wei(100), wei(0)).maxPriorityFeePerGas()).isEqualTo(wei(2));
    assertThat(POLICY.offer(wei(100), wei(5000)).maxPriorityFeePerGas()).isEqualTo(wei(100));
    assertThat(POLICY.offer(wei(900), wei(100)).maxFeePerGas()).isEqualTo(wei(1000));
  }

  @Test
  void refusesBoundsThatContradictEachOther() {
    assertThatThrownBy(() -> new FeePolicy(wei(10), wei(11), wei(1), 1)).hasMessageContaining("priority cap <= cap");
  }

  @Test
  void raisesBothFeesByAtLeastAnEighthRoundedUp() {
    long seed = 7;
    var random = new Random(seed);
    for (int i = 0; i < 10_000; i++) {
      var priority = new BigInteger(random.nextInt(1, 40), random);
      var last = new FeePolicy.Fees(priority.add(new BigInteger(random.nextInt(1, 40), random)), priority).gas(21_000);
      var raised = POLICY.raise(last, POLICY.offer(wei(random.nextInt(500)), wei(random.nextInt(100))));
      var nine = BigInteger.valueOf(9);
      assertThat(raised.maxFeePerGas().shiftLeft(3)).as("seed %s, round %s", seed, i)
          .isGreaterThanOrEqualTo(last.maxFeePerGas().multiply(nine));
      assertThat(raised.maxPriorityFeePerGas().shiftLeft(3)).as("seed %s, round %s", seed, i)
          .isGreaterThanOrEqualTo(last.maxPriorityFeePerGas().multiply(nine));
      assertThat(raised.maxFeePerGas()).isGreaterThan(last.maxFeePerGas());
      assertThat(raised.maxPriorityFeePerGas()).isGreaterThan(last.maxPriorityFeePerGas())
          .isLessThanOrEqualTo(raised.maxFeePerGas());
    }
  }

  @Test
  void allowsNothingAboveTheCaps() {
    assertThat(POLICY.allows(new FeePolicy.Fees(wei(1000), wei(100)))).isTrue();
    assertThat(POLICY.allows(new FeePolicy.Fees(wei(1001), wei(100)))).isFalse();
    assertThat(POLICY.allows(new FeePolicy.Fees(wei(1000), wei(101)))).isFalse();
  }
}
