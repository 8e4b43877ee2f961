package io.bursar.api.settlement;

import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.TestInstance;

import io.bursar.api.testing.AnvilProcess;
import io.bursar.api.testing.SettlementFixture;
import io.bursar.api.testing.SignerProcess;
import io.bursar.money.Address;
import io.bursar.store.Fixture;
import io.bursar.store.Payment;

/** What a test of settlement stands on: a chain and a signer for all of the class, and for each test a database and a payee. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class ChainAndSigner {
  private static final AtomicInteger PAYEES = new AtomicInteger(0x1000);

  private final Supplier<AnvilProcess> chain;
  AnvilProcess anvil;
  SignerProcess signer;
  SettlementFixture fixture;
  Address payee;

  ChainAndSigner() {
    this(AnvilProcess::startMiningAtOnce);
  }

  ChainAndSigner(Supplier<AnvilProcess> chain) {
    this.chain = chain;
  }

  /** An address that nobody has been paid at. */
  static Address newPayee() {
    return Fixture.address(PAYEES.incrementAndGet());
  }

  @BeforeAll
  void startProcesses() {
    anvil = chain.get();
    signer = SignerProcess.start();
  }

  @AfterAll
  void stopProcesses() {
    signer.close();
    anvil.close();
  }

  @BeforeEach
  void openFixture() {
    fixture = new SettlementFixture(anvil, signer);
    payee = newPayee();
  }

  @AfterEach
  void closeFixture() {
    fixture.close();
  }

  /** What kill -9 does to a step, as far as the world outside the process can tell. */
  private static final class Killed extends RuntimeException {
    private static final long serialVersionUID = 1;
  }

  /** Dies at one of the cuts: before and after every effect. */
  static Effects dyingAt(int cut, AtomicInteger cuts) {
    return new Effects() {
      @Override
      public <T, X extends Exception> T run(Effect effect, Payment payment, Action<T, X> action) throws X {
        die();
        var result = action.run();
        die();
        return result;
      }

      private void die() {
        if (cuts.getAndIncrement() == cut) {
          throw new Killed();
        }
      }
    };
  }

  /** Works on what is due as a process that has just been started would; true if it died. */
  boolean run(Effects effects) {
    fixture.store.test.asAdministrator("UPDATE payment SET lease_until = '-infinity', due_at = now()");
    var steps = fixture.steps(effects);
    try {
      for (var wallet : fixture.payments.claim(1, 16, List.of())) {
        steps.advance(wallet, () -> true);
      }
      return false;
    } catch (Killed killed) {
      return true;
    }
  }
}
