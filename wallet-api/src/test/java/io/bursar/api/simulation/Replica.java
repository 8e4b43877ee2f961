package io.bursar.api.simulation;

import java.math.BigInteger;
import java.net.URI;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.AbstractExecutorService;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

import org.jspecify.annotations.Nullable;

import io.bursar.api.chain.Chain;
import io.bursar.api.chain.ChainSettings;
import io.bursar.api.chain.ChainUnavailable;
import io.bursar.api.chain.RpcReply;
import io.bursar.api.relay.AuthorizationSteps;
import io.bursar.api.relay.BatchSteps;
import io.bursar.api.relay.RelayAlarms;
import io.bursar.api.settlement.Effects;
import io.bursar.api.settlement.PaymentSteps;
import io.bursar.api.settlement.SettlementMetrics;
import io.bursar.api.signer.PermitIssuer;
import io.bursar.api.signer.SignerClient;
import io.bursar.api.signer.SignerHeads;
import io.bursar.api.signer.SignerUnreachable;
import io.bursar.api.signer.TransferSigner;
import io.bursar.permit.SignerRequest;
import io.bursar.store.Alarms;
import io.bursar.store.AuditEntries;
import io.bursar.store.Database;
import io.bursar.store.Directory;
import io.bursar.store.Lane;
import io.bursar.store.Lanes;
import io.bursar.store.Payment;
import io.bursar.store.PaymentMove;
import io.bursar.store.PaymentStore;
import io.bursar.store.Refills;
import io.bursar.store.RelayBatch;
import io.bursar.store.RelayBatches;
import io.bursar.store.RelayStore;
import io.bursar.store.Relayer;
import io.bursar.store.Relayers;
import io.bursar.store.Reservations;
import io.bursar.store.log.Cosigners;
import io.bursar.store.log.Log;
import io.bursar.store.log.LogUnavailable;
import io.bursar.store.log.TileFiles;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;

/** One process of the service: its lane, its sequencer and its settlement, which forget everything when it is killed. */
final class Replica {
  private static final Duration SIGNER_TIMEOUT = Duration.ofSeconds(60);
  private static final URI NOWHERE = URI.create("http://127.0.0.1:1");
  private static final Duration CHAIN_TIMEOUT = Duration.ofSeconds(60);
  private static final int WALLETS_AT_ONCE = 8;
  private static final Duration RELAY_LEASE = Duration.ofSeconds(30);

  private final World world;
  private final Database database;
  private final Actor actor;
  private @Nullable Running running;
  private boolean foundWork;

  /** What a process holds in memory. */
  private record Running(Lane lane, Log log, PaymentStore payments, PaymentSteps steps, Relay relay,
      SignerClient signer, Chain chain) {}

  /** What takes authorizations to the chain. */
  private record Relay(Relayers pool, AuthorizationSteps authorizations, BatchSteps batches, Refills refills,
      UUID lease) {}

  Replica(World world, Database database, Actor actor) {
    this.world = world;
    this.database = database;
    this.actor = actor;
  }

  Actor actor() {
    return actor;
  }

  boolean isRunning() {
    return running != null;
  }

  /** A new process. */
  void start() {
    var audit = new AuditEntries(database);
    var signer = new SignerClient(world.signer().socket(), 4, SIGNER_TIMEOUT);
    var log = new Log(database, audit, new TileFiles(world.tiles()), new SignerHeads(signer), Cosigners.NONE,
        (tenant, why) -> world.find("the log was stopped: " + why));
    var reservations = new Reservations(database);
    var payments = new PaymentStore(database, audit, reservations,
        new PaymentStore.Settings(world.unconfirmedMax(), PaymentStore.Settings.DEFAULT.lease()));
    var registry = new SimpleMeterRegistry();
    var record = new Alarms(database, audit);
    var metrics = new SettlementMetrics(registry, record);
    var chain = new Chain(new ChainSettings(World.CHAIN, NOWHERE, world.confirmations(), World.FEES, CHAIN_TIMEOUT),
        this::ask);
    var permits = new PermitIssuer(world.permitKey(), Clock.systemUTC());
    var transfers = new TransferSigner(signer, permits, log, Duration.ZERO);
    var steps = new PaymentSteps(payments, Map.of(World.CHAIN, chain), transfers, PaymentSteps.Settings.DEFAULT,
        metrics, effects());
    var store = new RelayStore(database, audit, reservations, RELAY_LEASE);
    var pool = new Relayers(database, RELAY_LEASE);
    var alarms = new RelayAlarms(registry, record, new Directory(database, audit));
    var authorizations = new AuthorizationSteps(store, payments, transfers, alarms,
        world.time().clock(), new AuthorizationSteps.Settings(world.validFor()));
    var transactions = new RelayBatches(database, audit, store, pool);
    var batches = new BatchSteps(transactions, authorizations, transfers, alarms, BatchSteps.Settings.DEFAULT);
    var refills = new Refills(database, audit, pool, transactions);
    running = new Running(new Lanes(database, world.time()::nanos).open(world.tenant()), log, payments, steps,
        new Relay(pool, authorizations, batches, refills, UUID.randomUUID()), signer, chain);
    world.relayers().forEach(relayer -> pool.enroll(relayer, 0));
    actor.revive();
  }

  /** What is left of a process that was killed. */
  void bury() {
    if (running != null) {
      running.signer.close();
      running.chain.close();
      running = null;
    }
  }

  private Running process() {
    return java.util.Objects.requireNonNull(running);
  }

  /** Whether anything was due when it last looked. */
  boolean foundWork() {
    return foundWork;
  }

  /** Decides wishes as one batch, as the lane's queue would. */
  void decide(List<Wish> wishes) {
    try {
      var requests = wishes.stream().map(Wish::request).toList();
      var outcomes = process().lane.decide(requests);
      for (int i = 0; i < wishes.size(); i++) {
        switch (outcomes.get(i)) {
          case Lane.Outcome.Decided(var spend) -> wishes.get(i).acknowledge(spend.id());
          case Lane.Outcome.Replayed(var id) -> wishes.get(i).acknowledge(id);
          case Lane.Outcome.KeyReused(var id) ->
            world.find("the key " + wishes.get(i).key() + " was taken for that of another request");
        }
      }
    } catch (SQLException | RuntimeException e) {
      requirePlanned(e);
    }
  }

  /** As one look of the settlement worker. */
  void settle() {
    foundWork = false;
    try {
      process().payments.distrustFuture();
      int perWallet = world.chance().percent(30) ? 1 : WALLETS_AT_ONCE;
      for (var payments : process().payments.claim(WALLETS_AT_ONCE, perWallet, List.of())) {
        foundWork = true;
        work(payments);
      }
    } catch (RuntimeException e) {
      requirePlanned(e);
    }
  }

  private void work(List<Payment> payments) {
    try {
      process().steps.advance(payments, () -> {
        if (world.chance().percent(30)) {
          process().payments.renew(payments);
        }
        return true;
      });
    } catch (RuntimeException e) {
      requirePlanned(e);
    }
  }

  private RpcReply ask(String method, Object... params) {
    return method.equals("eth_sendRawTransaction")
        ? cutOff(false, () -> world.node().call(method, params))
        : world.node().call(method, params);
  }

  /** As one round of the relay's threads, one after the other. */
  void relay() {
    foundWork = false;
    try {
      var relay = process().relay;
      var chain = process().chain;
      int done = relay.authorizations.signDue(chain, new Here())
          + relay.authorizations.signCancellations(chain, new Here());
      relay.authorizations.endOutlived(chain);
      for (var relayer : world.relayers()) {
        if (relay.pool.take(relayer, relay.lease)) {
          refill(relay, relayer, chain);
          done += relay.batches.work(chain, relayer, relay.lease);
        }
      }
      foundWork = done > 0;
    } catch (ChainUnavailable later) {
      // The next round tries again.
    } catch (RuntimeException e) {
      requirePlanned(e);
    }
  }

  /** Now and then one relayer sends another a few coins. */
  private void refill(Relay relay, Relayer by, Chain chain) throws ChainUnavailable {
    var to = world.chance().one(world.relayers());
    if (!world.chance().isCalm() && world.chance().percent(8) && !to.equals(by)) {
      relay.refills.fix(by, relay.lease, new RelayBatch.Refill(to, BigInteger.ONE), chain.quote().offer().gas(100_000),
          world.tenant());
    }
  }

  void sequence() {
    try {
      for (var tenant : process().log.behind()) {
        if (tenant.equals(world.tenant())) {
          process().log.catchUp(tenant);
        }
      }
    } catch (LogUnavailable later) {
      if (later.isStopped()) {
        world.find("the log is stopped: " + later.getMessage());
      }
    } catch (RuntimeException e) {
      requirePlanned(e);
    }
  }

  /** As a client that wants a payment canceled: as long as nothing is signed, or else at its nonce or at the token. */
  void cancel(Wish wish) {
    var spendId = java.util.Objects.requireNonNull(wish.spendId());
    try {
      var canceled = process().payments.cancel(world.tenant(), spendId, "simulation");
      if (canceled instanceof PaymentMove.Cancel.TooLate) {
        var _ = process().payments.requestCancel(world.tenant(), spendId, "simulation");
      }
    } catch (RuntimeException e) {
      requirePlanned(e);
    }
  }

  /** An exception is a finding, unless the seed wanted it. */
  private static void requirePlanned(Exception thrown) {
    for (Throwable cause = thrown; cause != null; cause = cause.getCause()) {
      if (cause instanceof InterruptedDatabase.Injected) {
        return;
      }
    }
    throw new IllegalStateException("nobody planned this", thrown);
  }

  /** What happens to the world can be cut off before it and after it, and the signer may end before it signs. */
  private <T, X extends Exception> T cutOff(boolean signs, Effects.Action<T, X> action) throws X {
    world.mayDie(actor);
    if (signs && world.chance().strikes(Fault.SIGNER_RESTARTED, world.rate())) {
      world.restartSigner();
    }
    var result = action.run();
    world.mayDie(actor);
    return result;
  }

  private Effects effects() {
    return new Effects() {
      @Override
      public <T, X extends Exception> T run(Effect effect, Payment payment, Action<T, X> action) throws X {
        boolean signs = effect == Effect.SIGN;
        return cutOff(signs, () -> {
          var result = action.run();
          if (signs && world.chance().strikes(Fault.SIGNER_ANSWER_LOST, world.rate())) {
            Replica.<RuntimeException>raise(unreachable());
          }
          return result;
        });
      }
    };
  }

  /** Signs on the thread that has the turn. */
  private final class Here extends AbstractExecutorService {
    @Override
    public Future<?> submit(Runnable task) {
      execute(task);
      return CompletableFuture.completedFuture(null);
    }

    @Override
    public void execute(Runnable task) {
      var _ = cutOff(true, () -> {
        task.run();
        return Boolean.TRUE;
      });
    }

    @Override
    public void shutdown() {}

    @Override
    public List<Runnable> shutdownNow() {
      return List.of();
    }

    @Override
    public boolean isShutdown() {
      return false;
    }

    @Override
    public boolean isTerminated() {
      return false;
    }

    @Override
    public boolean awaitTermination(long timeout, TimeUnit unit) {
      return true;
    }
  }

  /** What the client says when no answer comes. */
  private static SignerUnreachable unreachable() {
    try (var nobody = new SignerClient(Path.of("/nonexistent/signer"), 1, SIGNER_TIMEOUT)) {
      var reply = nobody.ask(new SignerRequest.Health());
      throw new IllegalStateException(reply.toString());
    } catch (SignerUnreachable expected) {
      return expected;
    }
  }

  /** Throws what a signature may throw, which the compiler cannot see here. */
  @SuppressWarnings("unchecked")
  private static <X extends Exception> void raise(Exception exception) throws X {
    throw (X) exception;
  }
}
