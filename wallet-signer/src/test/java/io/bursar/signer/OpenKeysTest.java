package io.bursar.signer;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicLong;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class OpenKeysTest {
  private static final UUID TENANT = Fixtures.TENANT;
  private static final byte[] FILE = {1, 2, 3};

  private final AtomicLong nanoTime = new AtomicLong(-5);
  private final OpenKeys keys = new OpenKeys(3, Duration.ofSeconds(60), nanoTime::get);

  @AfterEach
  void eraseAll() {
    keys.close((tenantId, keyId) -> true);
  }

  @Test
  void aKeyIsFoundByTheFileItWasUnsealedFromAndNoOther() {
    keep(1);
    try (var found = keys.find(id(1), FILE.clone()).orElseThrow(); var kept = secret(1)) {
      assertThat(found.copy()).isEqualTo(kept.copy());
    }
    assertThat(keys.find(id(2), FILE)).isEmpty();
    assertThat(keys.find(id(1), new byte[]{1, 2, 4})).isEmpty();
    assertThat(keys.find(id(1), FILE)).as("what was altered once is not trusted again").isEmpty();
  }

  @Test
  void whatIsFoundIsACopyThatItsUserErasesAlone() {
    keep(1);
    keys.find(id(1), FILE).orElseThrow().close();
    try (var again = keys.find(id(1), FILE).orElseThrow()) {
      keys.close((tenantId, keyId) -> true);
      assertThat(again.copy()).as("a signature at work is finished").isNotEqualTo(new byte[32]);
    }
  }

  @Test
  void theKeyThatWasNotUsedForLongestMakesRoom() {
    keep(1);
    keep(2);
    keep(3);
    keys.find(id(1), FILE).orElseThrow().close();
    keep(4);
    assertThat(keys.size()).isEqualTo(3);
    assertThat(keys.find(id(2), FILE)).isEmpty();
    keys.find(id(1), FILE).orElseThrow().close();
  }

  @Test
  void aKeyIsErasedWhenItWasNotUsedForAMinute() {
    keep(1);
    nanoTime.addAndGet(Duration.ofSeconds(40).toNanos());
    keep(2);
    keys.find(id(1), FILE).orElseThrow().close();
    nanoTime.addAndGet(Duration.ofSeconds(59).toNanos());
    keys.closeIdle();
    assertThat(keys.size()).isEqualTo(2);
    nanoTime.addAndGet(Duration.ofSeconds(1).toNanos());
    keys.closeIdle();
    assertThat(keys.size()).isZero();
  }

  @Test
  void aClosedKeyIsErasedAndNotKeptAgainUntilItIsLetGo() {
    keep(1);
    keep(2);
    keys.close((tenantId, keyId) -> tenantId.equals(TENANT) && keyId.equals(id(1)));
    assertThat(keys.find(id(1), FILE)).isEmpty();
    keep(1);
    assertThat(keys.find(id(1), FILE)).as("unsealed by who came too late").isEmpty();
    keys.find(id(2), FILE).orElseThrow().close();
    keys.close((tenantId, keyId) -> false);
    keep(1);
    keys.find(id(1), FILE).orElseThrow().close();
  }

  private void keep(int number) {
    try (var secret = secret(number)) {
      keys.keep(TENANT, id(number), FILE, secret);
    }
  }

  private static UUID id(int number) {
    return new UUID(7, number);
  }

  private static SecretBytes secret(int number) {
    return SecretBytes.takeFrom(Fixtures.bytes(new Random(number), 32));
  }
}
