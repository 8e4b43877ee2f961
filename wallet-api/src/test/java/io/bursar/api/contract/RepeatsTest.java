package io.bursar.api.contract;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.Instant;

import org.junit.jupiter.api.Test;

/** A request that is sent again under its key gets its first answer, whatever has changed since. */
final class RepeatsTest {
  private static final String BODY = """
      {"walletId": "%s", "asset": "USDC", "amount": "0.01", "to": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"%s}""";

  private final Service service = Service.shared();

  private Service.Reply spend(String key, String more) {
    return service.call("POST", "/v1/spends", "agent", BODY.formatted(service.wallet, more), "Idempotency-Key", key);
  }

  @Test
  void aSpendWhoseTimeIsOverIsAnsweredAsItIsAndAnotherIsRefused() throws InterruptedException {
    var end = Instant.now().plusMillis(1_500);
    var until = ", \"expiresAt\": \"" + end + "\"";
    var first = spend("repeat-expired", until);
    assertThat(first.status()).as(first.text()).isEqualTo(201);
    Thread.sleep(Duration.between(Instant.now(), end).plusMillis(200).toMillis());

    var again = spend("repeat-expired", until);
    assertThat(again.status()).as(again.text()).isEqualTo(200);
    assertThat(again.text("/id")).isEqualTo(first.text("/id"));
    assertThat(again.headers().firstValue("Idempotent-Replayed")).contains("true");
    var item = BODY.formatted(service.wallet, until + ", \"idempotencyKey\": \"repeat-expired\"");
    var batch = service.call("POST", "/v1/spends/batch", "agent", "{\"spends\": [" + item + "]}");
    assertThat(batch.status()).as(batch.text()).isEqualTo(200);
    assertThat(batch.text("/0/id")).isEqualTo(first.text("/id"));

    assertThat(spend("repeat-expired", until + ", \"purpose\": \"other\"").text("/code"))
        .isEqualTo("IDEMPOTENCY_KEY_REUSED");
    var other = spend("repeat-another", until);
    assertThat(other.status()).isEqualTo(400);
    assertThat(other.pointers()).containsExactly("/expiresAt");
    var dry = service.call("POST", "/v1/spends/dry-run", "agent", BODY.formatted(service.wallet, until));
    assertThat(dry.pointers()).containsExactly("/expiresAt");
  }

  @Test
  void aMemberThatIsNullIsAsIfItWereNotThere() {
    var first = spend("repeat-null", "");
    var again = spend("repeat-null", ", \"reference\": null, \"expiresAt\": null");
    assertThat(again.status()).as(again.text()).isEqualTo(200);
    assertThat(again.text("/id")).isEqualTo(first.text("/id"));
    assertThat(spend("repeat-null", ", \"metadata\": {\"a\": null}").status()).isEqualTo(422);
  }

  @Test
  void twoKeysAreNone() {
    var reply = service.call("POST", "/v1/spends", "agent", BODY.formatted(service.wallet, ""), "Idempotency-Key",
        "repeat-one", "Idempotency-Key", "repeat-two");
    assertThat(reply.status()).isEqualTo(400);
    assertThat(reply.pointers()).containsExactly("#Idempotency-Key");
  }
}
