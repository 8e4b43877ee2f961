package io.bursar.api.settlement;

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
}
