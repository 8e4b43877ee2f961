package io.bursar.api.settlement;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import io.bursar.api.signer.KeyFreezer;
import io.bursar.api.signer.SignerUnreachable;
import io.bursar.api.testing.SettlementFixture.Wallet;
import io.bursar.permit.FreezeScope;
import io.bursar.store.KeyFreezes;
import io.bursar.store.KeyFreezes.KeyFreeze;
import io.bursar.store.Payment;

/** A wallet that is frozen, and its key in the signer's process. */
final class KeyFreezeTest extends ChainAndSigner {
  private KeyFreezes freezes;
  private KeyFreezer freezer;

  @BeforeEach
  void openFreezer() {
    freezes = new KeyFreezes(fixture.store.database, fixture.store.audit, fixture.store.directory);
    freezer = new KeyFreezer(signer.client(), freezes);
  }

  @AfterEach
  void closeFreezer() {
    freezer.stop();
  }

  private KeyFreeze freeze(Wallet wallet) {
    return freezer.freeze(fixture.store.tenant, wallet.id(), "test");
  }

  private Optional<FreezeScope> holding(Wallet wallet) {
    try {
      return freezer.holding(fixture.store.tenant, wallet.id());
    } catch (SignerUnreachable e) {
      throw new AssertionError(e);
    }
  }

  /** What is known once the signer has confirmed it, on a machine that may be slow. */
  private KeyFreeze held(KeyFreeze asked) {
    freezer.start();
    return await().atMost(Duration.ofSeconds(20)).until(
        () -> freezes.find(asked.tenantId(), asked.walletId()).orElseThrow(), known -> known.heldAt() != null);
  }

  private @Nullable Object entries(Wallet wallet) {
    return fixture.store.value("SELECT count(*) FROM audit_entry WHERE kind = 'wallet.key_frozen' AND subject = ?",
        wallet.id());
  }

  /** The freeze comes when the worker has looked whether there is one, and is about to ask for the signature. */
  @Test
  void nothingIsSignedAfterTheAnswerWhateverWasOnItsWay() {
    var wallet = fixture.fundedWallet("5");
    var spend = fixture.spend(wallet, "1", payee);
    var answer = new AtomicReference<KeyFreeze>();
    var steps = fixture.steps(new Effects() {
      @Override
      public <T, X extends Exception> T run(Effect effect, Payment payment, Action<T, X> action) throws X {
        if (effect == Effect.SIGN && answer.get() == null) {
          answer.set(held(freeze(wallet)));
          // So that nothing but the signer stands in the way from now on.
          fixture.store.test.asAdministrator("UPDATE wallet SET status = 'active'");
        }
        return action.run();
      }
    });
    try (var _ = fixture.worker(steps)) {
      await().atMost(Duration.ofSeconds(20)).untilAsserted(
          () -> assertThat(fixture.failure(spend)).as(fixture.state(spend).text()).contains("KEY_FROZEN"));
    }
    assertThat(answer.get().heldAt()).isNotNull();
    assertThat(fixture.state(spend).text()).isEqualTo("prepared");
    assertThat(anvil.transactionCount(wallet.address())).isZero();
    assertThat(holding(wallet)).contains(new FreezeScope.Hold(wallet.id()));
    assertThat(holding(fixture.emptyWallet())).as("another key").isEmpty();
    assertThat(entries(wallet)).isEqualTo(1L);
  }

  @Test
  void aSignerThatIsAwayIsAskedAgainUntilItHasFrozenTheKeyEvenByAnotherProcess() {
    var wallet = fixture.emptyWallet();
    signer.kill();
    long before = System.nanoTime();
    assertThat(freeze(wallet).heldAt()).as("nobody is there to hold it").isNull();
    assertThat(Duration.ofNanos(System.nanoTime() - before)).isLessThan(Duration.ofSeconds(2));
    assertThat(fixture.store.directory.wallet(fixture.store.tenant, wallet.id()).orElseThrow().frozen()).isTrue();
    freezer.stop();
    freezer = new KeyFreezer(signer.client(), freezes);
    freezer.start();
    signer.restart();
    await().atMost(Duration.ofSeconds(5)).pollInterval(Duration.ofMillis(20)).until(
        () -> freezes.find(fixture.store.tenant, wallet.id()).orElseThrow().heldAt() != null);
    assertThat(holding(wallet)).isPresent();
    signer.restart();
    assertThat(holding(wallet)).as("after a restart").isPresent();
    assertThat(entries(wallet)).isEqualTo(1L);
  }

  @Test
  void anUnfreezeThatMetAnotherFreezeChangesNothing() {
    var wallet = fixture.emptyWallet();
    var tenant = fixture.store.tenant;
    var seen = freeze(wallet);
    var again = freeze(wallet);
    assertThat(freezes.unfreeze(tenant, wallet.id(), Optional.of(seen), "test")).isFalse();
    assertThat(fixture.store.directory.wallet(tenant, wallet.id()).orElseThrow().frozen()).isTrue();
    assertThat(freezes.unfreeze(tenant, wallet.id(), Optional.of(again), "test")).isTrue();
    assertThat(fixture.store.directory.wallet(tenant, wallet.id()).orElseThrow().frozen()).isFalse();
    freezes.held(again, "test");
    assertThat(freezes.find(tenant, wallet.id())).as("an answer that came too late brings nothing back").isEmpty();
  }
}
