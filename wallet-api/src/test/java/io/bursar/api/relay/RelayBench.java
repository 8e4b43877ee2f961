package io.bursar.api.relay;

import java.math.BigInteger;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Supplier;
import java.util.stream.Stream;

import io.bursar.api.chain.Chain;
import io.bursar.api.chain.Eip3009;
import io.bursar.api.dev.DevChain;
import io.bursar.api.settlement.Effects;
import io.bursar.api.settlement.PaymentSteps;
import io.bursar.api.settlement.PaymentWorker;
import io.bursar.api.testing.AnvilProcess;
import io.bursar.api.testing.SettlementFixture;
import io.bursar.api.testing.SettlementFixture.Wallet;
import io.bursar.api.testing.SignerProcess;
import io.bursar.money.Address;
import io.bursar.permit.Digest32;
import io.bursar.store.Alarms;
import io.bursar.store.Fixture;
import io.bursar.store.RelayBatches;
import io.bursar.store.RelayStore;
import io.bursar.store.RelayedPayment;
import io.bursar.store.Relayers;
import io.bursar.store.SettlementModes;

/**
 * How many authorized spends a second are settled in either mode, and what each takes in gas, on a chain with a block each second, with real
 * USDC, PostgreSQL and a signer in a process of its own. Every payee has been paid before, as most are.
 */
public final class RelayBench {
  private static final Address PAYEE = Fixture.address(0x7777);
  private static final Duration LEASE = Duration.ofSeconds(4);
  private static final Duration TOO_LONG = Duration.ofMinutes(10);

  private final AnvilProcess anvil;
  private final SignerProcess signer;
  private final SettlementFixture fixture;
  private final SettlementModes modes;
  private final int rounds;

  private RelayBench(AnvilProcess anvil, SignerProcess signer, SettlementFixture fixture, int rounds) {
    this.anvil = anvil;
    this.signer = signer;
    this.fixture = fixture;
    this.modes = new SettlementModes(fixture.store.database, fixture.store.audit);
    this.rounds = rounds;
  }

  /** Arguments: how many spends a round, over how many wallets, by how many relayers, how many rounds of either mode, and the modes. */
  public static void main(String[] args) throws Exception {
    int spends = Integer.parseInt(args[0]);
    int wallets = Integer.parseInt(args[1]);
    int relayers = Integer.parseInt(args[2]);
    var modes = List.of(args).subList(4, args.length);
    try (var anvil = AnvilProcess.startMiningAtOnce();
        var signer = SignerProcess.startAsDeployed();
        var fixture = new SettlementFixture(anvil, signer)) {
      new RelayBench(anvil, signer, fixture, Integer.parseInt(args[3])).run(spends, wallets, relayers, modes);
    }
  }

  private void run(int spends, int wallets, int relayers, List<String> which) throws Exception {
    DevChain.of(anvil.chain()).ensureMulticall();
    var domain = Eip3009.domain(anvil.chain(), anvil.usdc()).orElseThrow();
    modes.relay(fixture.store.tenant, fixture.usdc.id(), new RelayedPayment.Token(domain.name(), domain.version()),
        "bench");
    anvil.fund(PAYEE, BigInteger.ONE);
    var all = new ArrayList<Wallet>();
    for (int i = 0; i < wallets; i++) {
      all.add(fixture.fundedWallet("10000"));
    }
    anvil.rpc("evm_setAutomine", false);
    anvil.rpc("evm_setIntervalMining", 1);
    say(String.format(Locale.ROOT, "%d spends over %d wallets, a block each second", spends, wallets));
    if (which.contains("relayed")) {
      relayed(all, spends, relayers);
    }
    if (which.contains("direct")) {
      direct(all, spends);
    }
  }

  private void relayed(List<Wallet> wallets, int spends, int relayers) throws Exception {
    var store = new RelayStore(fixture.store.database, fixture.store.audit, fixture.store.reservations, LEASE);
    var pool = new Relayers(fixture.store.database, LEASE);
    var batches = new RelayBatches(fixture.store.database, fixture.store.audit, store, pool);
    var alarms = new RelayAlarms(fixture.registry, new Alarms(fixture.store.database, fixture.store.audit),
        fixture.store.directory);
    var transfers = signer.transfers(fixture.log);
    var authorizations = new AuthorizationSteps(store, fixture.payments, transfers, alarms, Clock.systemUTC(),
        new AuthorizationSteps.Settings(Duration.ofHours(1)));
    var steps = new BatchSteps(batches, authorizations, transfers, alarms, BatchSteps.Settings.DEFAULT);
    try (var chain = new Chain(anvil.settings(1))) {
      for (int round = 1; round <= rounds; round++) {
        settle("relayed, round " + round, wallets, spends, () -> {
          var worker = new RelayWorker(chain, relayers, signer.client(), pool, authorizations, steps);
          worker.topUpBy((relayer, _) -> anvil.rpc("anvil_setBalance", relayer.address().toString(),
              "0x" + BigInteger.TEN.pow(22).toString(16)));
          worker.start();
          return worker;
        });
      }
    }
    var gas = (Number) fixture.store
        .value("SELECT round(avg(gas_used / n)) FROM (SELECT b.gas_used, count(*) AS n FROM relay_batch b"
            + " JOIN relay_item i USING (batch_id) WHERE b.state = 'settled' GROUP BY b.batch_id HAVING count(*) = 100) full_ones");
    say(String.format(Locale.ROOT, "relayed: %s gas a payment in batches of 100; %s transactions", gas,
        fixture.store.value("SELECT count(*) FROM relay_batch")));
  }

  private void direct(List<Wallet> wallets, int spends) throws Exception {
    for (var wallet : wallets) {
      modes.setWallet(fixture.store.tenant, wallet.id(), Optional.of(SettlementModes.Mode.DIRECT), "bench");
      anvil.rpc("anvil_setBalance", wallet.address().toString(), "0x" + BigInteger.TEN.pow(19).toString(16));
    }
    var steps = fixture.steps(Effects.PLAIN, anvil.chain(), PaymentSteps.Settings.DEFAULT);
    for (int round = 1; round <= rounds; round++) {
      settle("direct, round " + round, wallets, spends, () -> {
        var worker = new PaymentWorker(fixture.payments, steps, fixture.metrics, PaymentWorker.Settings.DEFAULT);
        worker.start();
        return worker;
      });
    }
    var hash = (byte[]) fixture.store.value(
        "SELECT transaction_hash FROM payment WHERE mode = 'direct' AND state = 'confirmed' ORDER BY spend_id DESC LIMIT 1");
    say(String.format(Locale.ROOT, "direct: %d gas a payment (a transfer of a wallet that has paid before)",
        anvil.chain().receipt(Digest32.of(Objects.requireNonNull(hash))).orElseThrow().gasUsed()));
  }

  /** Decides the spends while nobody settles, and then settles them. */
  private void settle(String name, List<Wallet> wallets, int spends, Supplier<AutoCloseable> startWorker)
      throws Exception {
    for (int i = 0; i < wallets.size(); i++) {
      int count = spends / wallets.size() + (i < spends % wallets.size() ? 1 : 0);
      if (count > 0) {
        fixture.spends(wallets.get(i), "0.01", PAYEE, count);
      }
    }
    var spentBefore = processorTime();
    long start = System.nanoTime();
    double seconds;
    Map<String, Duration> spent;
    try (var _ = startWorker.get()) {
      while (isUnderWay()) {
        if (System.nanoTime() - start > TOO_LONG.toNanos()) {
          throw new IllegalStateException(name + ": not all of " + spends + " are settled after " + TOO_LONG);
        }
        Thread.sleep(20);
      }
      seconds = (System.nanoTime() - start) / 1e9;
      spent = processorTime();
    }
    var each = new StringBuilder();
    spent.forEach((process, time) -> each.append(String.format(Locale.ROOT, " %s %.2f", process,
        time.minus(spentBefore.getOrDefault(process, Duration.ZERO)).toNanos() / 1e6 / spends)));
    say(String.format(Locale.ROOT, "%s: %d confirmed in %.2f s, %.0f/s; ms of processor time a payment:%s", name,
        spends,
        seconds, spends / seconds, each));
  }

  /** What this process and those that it started have taken of the processors, by what they are. */
  private static Map<String, Duration> processorTime() {
    var times = new TreeMap<String, Duration>();
    Stream.concat(Stream.of(ProcessHandle.current()), ProcessHandle.current().descendants()).forEach(process -> {
      var name = process.pid() == ProcessHandle.current().pid()
          ? "service"
          : switch (Path.of(process.info().command().orElse("ended")).getFileName().toString()) {
            case "java" -> "signer";
            case String other -> other;
          };
      times.merge(name, process.info().totalCpuDuration().orElse(Duration.ZERO), Duration::plus);
    });
    return times;
  }

  private boolean isUnderWay() {
    return Boolean.TRUE.equals(fixture.store.value(
        "SELECT EXISTS (SELECT FROM payment WHERE state IN ('authorized', 'prepared', 'signed', 'broadcast'))"));
  }

  private static void say(String line) {
    System.out.println(line);
  }
}
