package io.bursar.verify;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Optional;

import org.junit.jupiter.api.Test;

import io.bursar.policy.cel.CelConditions;

/** The verifier's own class path, which is all that an auditor has. */
class ConditionsTest {
  @Test
  void hasWhatItTakesToDecideAPolicyWithAConditionAgain() {
    assertThat(CelConditions.INSTANCE.compile("spend.asset == 'USDC' && spend.amount > decimal('5')",
        reference -> Optional.empty())).isNotNull();
  }
}
