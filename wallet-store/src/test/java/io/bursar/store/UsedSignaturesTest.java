package io.bursar.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Clock;
import java.time.Instant;
import java.time.InstantSource;
import java.time.ZoneOffset;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

import io.bursar.permit.Digest32;

/** Which signed requests were let through already. */
class UsedSignaturesTest {
  private final Fixture fixture = new Fixture();
  private Instant now = Instant.parse("2026-11-25T12:00:00Z");
  private final Clock clock = ((InstantSource) () -> now).withZone(ZoneOffset.UTC);
  private final ApiKeys.ApiKey key = new ApiKeys(fixture.database, fixture.audit)
      .issue(fixture.tenant, ApiKeys.Role.ADMIN, "signs", null, null, "test").key();

  @AfterEach
  void close() {
    fixture.close();
  }

  private UsedSignatures process() {
    return new UsedSignatures(fixture.database, clock);
  }

  private static Digest32 request(int number) {
    return Digest32.sha256(new byte[]{(byte) number});
  }

  private long kept() {
    return fixture.database.sql().sql("SELECT count(*) FROM used_signature").query(Long.class).single();
  }

  @Test
  void letsARequestThroughOnceInHoweverManyProcesses() throws Exception {
    var processes = List.of(process(), process());
    try (var threads = Executors.newFixedThreadPool(8)) {
      var answers = threads.invokeAll(IntStream.range(0, 32)
          .<Callable<Boolean>>mapToObj(i -> () -> processes.get(i % 2).use(key.tenantId(), key.id(), request(1)))
          .toList());
      assertThat(answers.stream().filter(Future::resultNow)).hasSize(1);
    }
    assertThat(process().use(key.tenantId(), key.id(), request(2))).isTrue();
    assertThat(process().use(key.tenantId(), key.id(), request(1))).isFalse();
  }

  @Test
  void forgetsThemLongAfterTheyAreTooOldToBeBelieved() {
    var process = process();
    process.use(key.tenantId(), key.id(), request(1));
    now = now.plus(UsedSignatures.KEPT).minusSeconds(1);
    assertThat(process.use(key.tenantId(), key.id(), request(1))).isFalse();
    assertThat(kept()).isEqualTo(1);
    now = now.plusSeconds(120);
    process.use(key.tenantId(), key.id(), request(2));
    assertThat(kept()).isEqualTo(1);
  }
}
