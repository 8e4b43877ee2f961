package io.bursar.api.relay;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.bursar.api.chain.Chain;
import io.bursar.api.chain.ChainUnavailable;
import io.bursar.api.chain.Eip3009;
import io.bursar.api.signer.SignerClient;
import io.bursar.api.signer.SignerUnreachable;
import io.bursar.permit.RelayIntent;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerRequest;
import io.bursar.store.Relayer;
import io.bursar.store.Relayers;

/**
 * Relays a chain's authorizations at its own pace: two threads have them signed, and one for each relayer takes them to the chain. It keeps
 * nothing that a restart would miss, and any number of them can share a database.
 */
public final class RelayWorker implements AutoCloseable {
  /** Sees to native coin: that of the relayer, or that of others by it. */
  public interface TopUp {
    /** Nobody does: an alarm says that a relayer is low. */
    TopUp NONE = (relayer, lease) -> {};

    /**
     * Looks whether there is enough, every {@link BatchSteps#WATCH_EVERY}.
     *
     * @param lease under which the relayer is held
     */
    void see(Relayer relayer, UUID lease) throws ChainUnavailable;
  }

  private static final Logger LOG = LoggerFactory.getLogger(RelayWorker.class);
  private static final Duration LOOK_EVERY = Duration.ofMillis(250);
  private static final Duration OUTLIVED_EVERY = Duration.ofSeconds(5);
  private static final Duration AFTER_FAILURE = Duration.ofSeconds(1);
  private static final Duration STOP_PATIENCE = Duration.ofSeconds(15);
  /** Two, so that one asks the database and the node while the other waits for the signer. */
  private static final int AUTHORIZING_THREADS = 2;
  private static final int SIGNING_THREADS = 8;

  private final Chain chain;
  private final int relayers;
  private final SignerClient signer;
  private final Relayers pool;
  private final AuthorizationSteps authorizations;
  private final BatchSteps batches;
  private final UUID lease = UUID.randomUUID();
  private final ExecutorService signing;
  private final List<Thread> threads = new ArrayList<>();
  private final List<Semaphore> wakeUps = new ArrayList<>();
  private volatile TopUp topUp = TopUp.NONE;
  private volatile boolean stopping;

  /**
   * A worker.
   *
   * @param relayers how many accounts take turns
   */
  public RelayWorker(Chain chain, int relayers, SignerClient signer, Relayers pool,
      AuthorizationSteps authorizations,
      BatchSteps batches) {
    this.chain = chain;
    this.relayers = relayers;
    this.signer = signer;
    this.pool = pool;
    this.authorizations = authorizations;
    this.batches = batches;
    this.signing = Executors.newFixedThreadPool(SIGNING_THREADS,
        Thread.ofPlatform().name("authorize-", 1).daemon().factory());
  }

  /** The name of the chain that it relays to. */
  public String chain() {
    return chain.name();
  }

  /** Has somebody see to the relayers' native coin. Before {@link #start}. */
  public void topUpBy(TopUp by) {
    topUp = by;
  }

  /** Begins to work; call it once. */
  public void start() {
    for (int i = 0; i < AUTHORIZING_THREADS; i++) {
      run("authorizations-" + i, new Authorizing());
    }
    for (int i = 0; i < relayers; i++) {
      run("relayer-" + i, new Relaying(i));
    }
    threads.forEach(Thread::start);
  }

  /** Says that there may be work now. Cheap, and harmless if there is none. */
  public void wake() {
    for (var wakeUp : wakeUps) {
      if (wakeUp.availablePermits() == 0) {
        wakeUp.release();
      }
    }
  }

  /** One round of a thread's work. */
  private interface Round {
    /** Whether there may be more to do at once. */
    boolean work() throws ChainUnavailable, SignerUnreachable;

    /** The last thing to do. */
    default void end() {}
  }

  private void run(String name, Round round) {
    var wakeUp = new Semaphore(0);
    wakeUps.add(wakeUp);
    threads.add(Thread.ofPlatform().daemon().name(name).unstarted(() -> {
      while (!stopping) {
        try {
          if (!round.work()) {
            pause(wakeUp, LOOK_EVERY);
          }
        } catch (ChainUnavailable | SignerUnreachable e) {
          LOG.warn("{} waits: {}", name, e.getMessage());
          pause(wakeUp, AFTER_FAILURE);
        } catch (RuntimeException e) {
          LOG.error("{} failed, and tries again", name, e);
          pause(wakeUp, AFTER_FAILURE);
        }
      }
      round.end();
    }));
  }

  private void pause(Semaphore wakeUp, Duration most) {
    try {
      var _ = wakeUp.tryAcquire(most.toMillis(), TimeUnit.MILLISECONDS);
      var _ = wakeUp.drainPermits();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      stopping = true;
    }
  }

  /** Has authorizations and cancellations signed, and ends those that are over. */
  private final class Authorizing implements Round {
    private long looked = System.nanoTime() - OUTLIVED_EVERY.toNanos();

    @Override
    public boolean work() throws ChainUnavailable {
      int done = authorizations.signDue(chain, signing);
      if (done + authorizations.signCancellations(chain, signing) > 0) {
        wake();
      }
      if (System.nanoTime() - looked >= OUTLIVED_EVERY.toNanos()) {
        looked = System.nanoTime();
        authorizations.endOutlived(chain);
      }
      return done == AuthorizationSteps.AT_ONCE;
    }
  }

  /** Takes one relayer's transactions to the chain, while no other process does. */
  private final class Relaying implements Round {
    private final int number;
    private java.util.Optional<Relayer> relayer = java.util.Optional.empty();
    private long looked = System.nanoTime() - BatchSteps.WATCH_EVERY.toNanos();

    Relaying(int number) {
      this.number = number;
    }

    @Override
    public boolean work() throws ChainUnavailable, SignerUnreachable {
      if (relayer.isEmpty()) {
        relayer = java.util.Optional.of(enroll(number));
      }
      var mine = relayer.get();
      if (!pool.take(mine, lease)) {
        return false; // another process works on it, and lets it go when it stops
      }
      if (System.nanoTime() - looked >= BatchSteps.WATCH_EVERY.toNanos()) {
        looked = System.nanoTime();
        topUp.see(mine, lease);
        batches.watch(chain, mine);
      }
      return batches.work(chain, mine, lease) > 0;
    }

    @Override
    public void end() {
      relayer.ifPresent(mine -> pool.release(mine, lease));
    }
  }

  /** The account of a number. */
  private Relayer enroll(int number) throws ChainUnavailable, SignerUnreachable {
    if (!Eip3009.isContract(chain, RelayIntent.MULTICALL)) {
      throw new ChainUnavailable("there is no Multicall3 at `" + RelayIntent.MULTICALL + "` on `" + chain.name()
          + "`: deploy it, or settle directly");
    }
    var keyId = Relayer.keyId(chain.name(), number);
    var relayer = switch (signer.ask(new SignerRequest.CreateKey(RelayIntent.TENANT, keyId))) {
      case SignerReply.KeyCreated(var id, var address) -> new Relayer(chain.name(), id, address);
      case SignerReply other -> throw new IllegalStateException("the signer made no key for a relayer: " + other);
    };
    pool.enroll(relayer, chain.transactionCount(relayer.address()));
    return relayer;
  }

  @Override
  public void close() {
    stopping = true;
    wake();
    try {
      for (var thread : threads) {
        thread.join(STOP_PATIENCE);
      }
      signing.shutdown();
      if (!signing.awaitTermination(STOP_PATIENCE.toMillis(), TimeUnit.MILLISECONDS)) {
        signing.shutdownNow();
      }
    } catch (InterruptedException e) {
      signing.shutdownNow();
      Thread.currentThread().interrupt();
    }
  }
}
