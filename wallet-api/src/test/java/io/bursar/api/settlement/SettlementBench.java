package io.bursar.api.settlement;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

import io.bursar.api.testing.AnvilProcess;
import io.bursar.api.testing.ApiProcess;
import io.bursar.api.testing.SettlementFixture;
import io.bursar.api.testing.SettlementFixture.Wallet;
import io.bursar.api.testing.SignerProcess;
import io.bursar.money.Address;
import io.bursar.store.Fixture;

/**
 * How fast payments are settled one by one, each by a transaction of its own wallet: {@code deploy/bench/settlement} runs it, on a
 * PostgreSQL, a signer and a development chain of its own. It ends with an error if a transfer is missing or there twice.
 */
final class SettlementBench {
  private static final Duration PATIENCE = Duration.ofMinutes(5);
  private static final int TOGETHER = 50;

  private final AnvilProcess anvil = AnvilProcess.startMiningAtOnce();
  private final SignerProcess signer = SignerProcess.start();
  private final SettlementFixture fixture = new SettlementFixture(anvil, signer);

  private SettlementBench() {}

  /** Arguments: how many spends, over how many wallets, how many left unsettled, and what to measure. */
  public static void main(String[] args) {
    int spends = Integer.parseInt(args[0]);
    int wallets = Integer.parseInt(args[1]);
    int unsettled = Integer.parseInt(args[2]);
    var what = Arrays.asList(args).subList(3, args.length);
    var bench = new SettlementBench();
    try {
      bench.run(spends, wallets, unsettled, what);
    } finally {
      bench.fixture.close();
      bench.signer.close();
      bench.anvil.close();
    }
    System.exit(0);
  }

  private void run(int spends, int wallets, int unsettled, List<String> what) {
    var funded = new ArrayList<Wallet>();
    for (int i = 0; i < wallets; i++) {
      funded.add(fixture.fundedWallet("100000"));
    }
    anvil.rpc("evm_setAutomine", false);
    anvil.rpc("evm_setIntervalMining", 1);
    if (what.contains("latency")) {
      latency(funded.getFirst());
    }
    if (what.contains("settle")) {
      settle(funded, spends);
    }
    if (what.contains("recovery")) {
      recovery(funded, unsettled);
    }
  }

  private PaymentWorker worker() {
    var worker = new PaymentWorker(fixture.payments, fixture.steps(fixture.metrics.timed(),
        new io.bursar.api.chain.Chain(anvil.settings(1)), PaymentSteps.Settings.DEFAULT), fixture.metrics,
        PaymentWorker.Settings.DEFAULT);
    worker.start();
    return worker;
  }

  /** From the decision to the moment at which it is on record that a node has the transaction, one spend at a time. */
  private void latency(Wallet wallet) {
    var payee = Fixture.address(0x7001);
    try (var worker = worker()) {
      for (int i = 0; i < 60; i++) {
        var spend = fixture.spend(wallet, "1", payee);
        worker.wake();
        await(() -> count("state IN ('broadcast', 'confirmed') AND spend_id = '" + spend.spendId() + "'") == 1, 2);
      }
      await(() -> count("state = 'confirmed'") == 60, 100);
    }
    var millis = fixture.store.database.sql().sql("""
        SELECT extract(epoch FROM (a.first_sent_at - s.decided_at)) * 1000 AS millis
        FROM spend s JOIN payment_attempt a USING (tenant_id, spend_id) WHERE a.attempt = 1 ORDER BY s.spend_id OFFSET 10
        """).query((row, n) -> row.getDouble("millis")).list().stream().sorted().toList();
    System.out.printf(Locale.ROOT, "spend to broadcast, one client: p50 %.0f ms, p90 %.0f ms, worst %.0f ms of %d%n",
        millis.get(millis.size() / 2),
        millis.get(millis.size() * 9 / 10), millis.getLast(), millis.size());
  }

  private void settle(List<Wallet> wallets, int spends) {
    var payee = Fixture.address(0x7002);
    long settledBefore = count("state = 'confirmed'");
    try (var worker = worker()) {
      long started = System.nanoTime();
      authorize(wallets, spends, payee);
      long authorized = System.nanoTime();
      worker.wake();
      await(() -> count("state = 'confirmed'") - settledBefore == spends, 20);
      long done = System.nanoTime();
      System.out.printf(Locale.ROOT,
          "%d spends over %d wallets: authorized in %.2f s, all settled after %.2f s: %.0f/s%n", spends, wallets.size(),
          (authorized - started) / 1e9, (done - started) / 1e9, spends / ((done - started) / 1e9));
    }
    require(fixture.paid(payee).equals(Fixture.units(Integer.toString(spends))), "the payee has another sum");
    require(fixture.store.counters.differences(fixture.store.tenant).isEmpty(), "the books do not balance");
    for (var effect : Effects.Effect.values()) {
      var timer = fixture.registry.get("bursar.settlement.effect").tag("effect", effect.name().toLowerCase(Locale.ROOT))
          .timer();
      System.out.printf(Locale.ROOT, "  %s: %d, %.1f ms each%n", effect, timer.count(),
          timer.mean(java.util.concurrent.TimeUnit.MILLISECONDS));
    }
  }

  private void authorize(List<Wallet> wallets, int spends, Address payee) {
    for (int i = 0; i < spends; i += TOGETHER) {
      int each = Math.min(TOGETHER, spends - i);
      for (int w = 0; w < each; w += 5) {
        fixture.spends(wallets.get((i + w) / 5 % wallets.size()), "1", payee, Math.min(5, each - w));
      }
    }
  }

  /** The whole service is killed while it settles, and started again: when does the first payment move? */
  private void recovery(List<Wallet> wallets, int unsettled) {
    var payee = Fixture.address(0x7003);
    authorize(wallets, unsettled, payee);
    try (var api = ApiProcess.on(fixture.store.test.settings()).with(signer, anvil).asLaunched().start()) {
      long before = moves();
      await(() -> moves() > before + 200, 20);
      api.kill();
      long killed = System.nanoTime();
      long stood = moves();
      require(count("state NOT IN ('confirmed')") > unsettled / 2, "too few are left unsettled");
      api.launch();
      await(() -> moves() > stood, 20);
      long moved = System.nanoTime();
      System.out.printf(Locale.ROOT,
          "killed with %d unsettled: the first payment moved %.1f s after the kill, start of the JVM included%n",
          count("state NOT IN ('confirmed')"), (moved - killed) / 1e9);
      await(() -> count("state NOT IN ('confirmed')") == 0, 200);
      System.out.printf(Locale.ROOT, "all settled %.1f s after the kill%n", (System.nanoTime() - killed) / 1e9);
    }
    require(fixture.paid(payee).equals(Fixture.units(Integer.toString(unsettled))), "the payee has another sum");
  }

  private long moves() {
    return number("SELECT count(*) FROM audit_entry WHERE kind LIKE 'payment.%'");
  }

  private long count(String condition) {
    return number("SELECT count(*) FROM payment WHERE " + condition);
  }

  private long number(String sql) {
    return (Long) java.util.Objects.requireNonNull(fixture.store.value(sql));
  }

  private static void await(java.util.function.BooleanSupplier done, int everyMillis) {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    while (!done.getAsBoolean()) {
      require(System.nanoTime() < deadline, "it takes too long");
      java.util.concurrent.locks.LockSupport.parkNanos(Duration.ofMillis(everyMillis).toNanos());
    }
  }

  private static void require(boolean holds, String otherwise) {
    if (!holds) {
      throw new IllegalStateException(otherwise);
    }
  }
}
