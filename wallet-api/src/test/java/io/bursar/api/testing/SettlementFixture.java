package io.bursar.api.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;

import io.bursar.api.chain.Chain;
import io.bursar.api.settlement.Alarm;
import io.bursar.api.settlement.Effects;
import io.bursar.api.settlement.PaymentSteps;
import io.bursar.api.settlement.PaymentWorker;
import io.bursar.api.settlement.Reconciler;
import io.bursar.api.settlement.SettlementMetrics;
import io.bursar.api.signer.SignerHeads;
import io.bursar.money.Address;
import io.bursar.money.Asset;
import io.bursar.policy.Policy;
import io.bursar.store.Alarms;
import io.bursar.store.Directory;
import io.bursar.store.Fixture;
import io.bursar.store.Lane;
import io.bursar.store.Payment;
import io.bursar.store.PaymentState;
import io.bursar.store.PaymentStore;
import io.bursar.store.Reconciliation;
import io.bursar.store.Spend;
import io.bursar.store.log.Cosigners;
import io.bursar.store.log.Log;
import io.bursar.store.log.TileFiles;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;

/**
 * Everything that settlement needs, and nothing else: a database with a tenant whose policy permits all, a chain, a signer, and a
 * funded wallet whose key the signer made.
 */
public final class SettlementFixture implements AutoCloseable {
  public static final Duration LEASE = Duration.ofSeconds(2);

  public final Fixture store = new Fixture();
  public final AnvilProcess anvil;
  public final SignerProcess signer;
  public final Directory.RegisteredAsset usdc;
  public final SimpleMeterRegistry registry = new SimpleMeterRegistry();
  public final SettlementMetrics metrics = new SettlementMetrics(registry,
      new Alarms(store.database, store.audit));
  public final PaymentStore payments;
  public final Log log;
  private final Lane lane;
  private int keys;

  /** A database of its own on a chain and a signer that others may use as well. */
  public SettlementFixture(AnvilProcess anvil, SignerProcess signer) {
    this(anvil, signer, PaymentStore.Settings.DEFAULT.unconfirmedMax());
  }

  public SettlementFixture(AnvilProcess anvil, SignerProcess signer, int unconfirmedMax) {
    this.anvil = anvil;
    this.signer = signer;
    usdc = store.directory
        .registerAsset(store.tenant, new Asset(AnvilProcess.CHAIN, anvil.usdc(), "RUSDC", 6, "USD"), "test")
        .orElseThrow();
    store.attach(Policy.Target.TENANT, store.tenant, "{\"id\":\"any\",\"kind\":\"permit\"}");
    payments = new PaymentStore(store.database, store.audit, store.reservations,
        new PaymentStore.Settings(unconfirmedMax, LEASE));
    log = new Log(store.database, store.audit, new TileFiles(temporaryDirectory()), new SignerHeads(signer.client()),
        Cosigners.NONE,
        (tenant, why) -> {});
    lane = store.lanes.open(store.tenant);
  }

  private static Path temporaryDirectory() {
    try {
      return Files.createTempDirectory(Path.of("target").toAbsolutePath(), "log-");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A wallet with a key in the signer, gas, and so many USDC. */
  public Wallet fundedWallet(String amount) {
    var wallet = emptyWallet();
    anvil.fund(wallet.address(), Fixture.units(amount));
    return wallet;
  }

  public Wallet emptyWallet() {
    var id = UUID.randomUUID();
    var address = signer.createKey(store.tenant, id);
    store.directory.createWallet(store.tenant, id, store.agent, AnvilProcess.CHAIN, address, "w", "test");
    return new Wallet(id, address);
  }

  /** A wallet whose key the signer does not have. */
  public Wallet unknownWallet(Address address) {
    var id = UUID.randomUUID();
    store.directory.createWallet(store.tenant, id, store.agent, AnvilProcess.CHAIN, address, "w", "test");
    return new Wallet(id, address);
  }

  /** How often the alarm was raised. */
  public int alarms(Alarm alarm) {
    return (int) registry.get("bursar.settlement.alarms").tag("alarm", alarm.text()).counter().count();
  }

  public record Wallet(UUID id, Address address) {}

  /** Authorizes a spend, as the API would. */
  public Payment.Key spend(Wallet wallet, String amount, Address payee) {
    return spends(wallet, amount, payee, 1).getFirst();
  }

  /** Authorizes many alike. */
  public List<Payment.Key> spends(Wallet wallet, String amount, Address payee, int count) {
    return decide(wallet, amount, payee, count).stream().map(spend -> {
      if (!spend.status().equals("authorized")) {
        throw new IllegalStateException(spend.toString());
      }
      return new Payment.Key(store.tenant, spend.id());
    }).toList();
  }

  /** Has a spend decided, whatever comes of it. */
  public Spend ask(Wallet wallet, String amount, Address payee) {
    return decide(wallet, amount, payee, 1).getFirst();
  }

  private List<Spend> decide(Wallet wallet, String amount, Address payee, int count) {
    var requests = new ArrayList<Spend.Request>();
    for (int i = 0; i < count; i++) {
      var request = store.request(wallet.id(), "spend-" + keys++, amount, payee);
      requests.add(new Spend.Request(request.agentId(), request.walletId(), request.idempotencyKey(),
          request.fingerprint(), usdc, request.amount(), payee, null, null, request.text(), null));
    }
    try {
      return lane.decide(requests).stream().map(outcome -> switch (outcome) {
        case Lane.Outcome.Decided(var spend) -> spend;
        case Lane.Outcome other -> throw new IllegalStateException(other.toString());
      }).toList();
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Steps on the chain itself, with short patience. */
  public PaymentSteps steps(Effects effects) {
    return steps(effects, new Chain(anvil.settings(1)));
  }

  public PaymentSteps steps(Effects effects, Chain chain) {
    return steps(effects, chain, new PaymentSteps.Settings(Duration.ofSeconds(2), Duration.ofSeconds(6)));
  }

  public PaymentSteps steps(Effects effects, Chain chain, PaymentSteps.Settings patience) {
    return new PaymentSteps(payments, Map.of(chain.name(), chain), signer.transfers(log), patience, metrics, effects);
  }

  /** A worker that has been started. */
  public PaymentWorker worker(PaymentSteps steps) {
    return worker(steps, 4);
  }

  /** A worker that has been started, and works on so many wallets at once. */
  public PaymentWorker worker(PaymentSteps steps, int walletsAtOnce) {
    var worker = new PaymentWorker(payments, steps, metrics,
        new PaymentWorker.Settings(walletsAtOnce, 32, Duration.ofMillis(500)));
    worker.start();
    return worker;
  }

  /** A worker that shares nothing with the others but the database, the chain and the signer, as one of another process does. */
  public PaymentWorker workerOfAnotherProcess(Chain chain, PaymentSteps.Settings patience) {
    var others = new PaymentStore(store.database, store.audit, store.reservations,
        new PaymentStore.Settings(PaymentStore.Settings.DEFAULT.unconfirmedMax(), LEASE));
    var itsLog = new Log(store.database, store.audit, new TileFiles(temporaryDirectory()),
        new SignerHeads(signer.client()), Cosigners.NONE, (tenant, why) -> {});
    var worker = new PaymentWorker(others, new PaymentSteps(others, Map.of(chain.name(), chain),
        signer.transfers(itsLog), patience, metrics, Effects.PLAIN), metrics,
        new PaymentWorker.Settings(8, 4, Duration.ofMillis(500)));
    worker.start();
    return worker;
  }

  /** What holds the books against a chain, to be called by hand. */
  public Reconciler reconciler(Chain chain) {
    return new Reconciler(new Reconciliation(store.database, store.audit), Map.of(chain.name(), chain), metrics);
  }

  public Payment payment(Payment.Key key) {
    return payments.find(key).orElseThrow();
  }

  public PaymentState state(Payment.Key key) {
    return payment(key).state();
  }

  /** Why it does not go on, as its owner sees it; empty if all is well. */
  public String failure(Payment.Key key) {
    return String.valueOf(store.value("SELECT coalesce(failure, '') FROM payment WHERE spend_id = ?", key.spendId()));
  }

  public BigInteger paid(Address payee) {
    return anvil.balanceOf(payee);
  }

  @Override
  public void close() {
    store.close();
  }
}
