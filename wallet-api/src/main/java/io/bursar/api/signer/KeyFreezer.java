package io.bursar.api.signer;

import java.time.Duration;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.context.SmartLifecycle;

import io.bursar.permit.Bytes;
import io.bursar.permit.FreezeScope;
import io.bursar.permit.SignerRefusal;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerRequest;
import io.bursar.store.KeyFreezes;
import io.bursar.store.KeyFreezes.KeyFreeze;

/**
 * Has the signer freeze the keys of wallets that were frozen: at once, and where it cannot be reached again and again until it has said
 * that they are, also after a restart of this process.
 */
public final class KeyFreezer implements SmartLifecycle {
  /** How often what the signer has not confirmed is asked again. */
  private static final Duration EVERY = Duration.ofMillis(250);
  /** How long whoever freezes waits for the signer. */
  private static final Duration PATIENCE = Duration.ofMillis(900);
  private static final int AT_ONCE = 100;
  private static final String ACTOR = "signer";
  private static final Logger LOG = LoggerFactory.getLogger(KeyFreezer.class);

  private final SignerClient signer;
  private final KeyFreezes freezes;
  private final ScheduledExecutorService timer = Executors
      .newSingleThreadScheduledExecutor(Thread.ofPlatform().daemon().name("key-freezer").factory());
  private volatile boolean running;

  public KeyFreezer(SignerClient signer, KeyFreezes freezes) {
    this.signer = signer;
    this.freezes = freezes;
  }

  /**
   * Freezes a wallet and its key. Once {@code heldAt} is there, nothing is signed by the key; until then it is asked for again.
   *
   * @throws io.bursar.store.Directory.NothingThere if there is no such wallet
   */
  public KeyFreeze freeze(UUID tenantId, UUID walletId, String actor) {
    var asked = freezes.freeze(tenantId, walletId, actor);
    try {
      timer.submit(() -> ask(asked)).get(PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
    } catch (TimeoutException | ExecutionException | RejectedExecutionException later) {
      LOG.warn("the signer has not frozen the key of wallet {} yet; it is asked again", walletId, later);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return freezes.find(tenantId, walletId).orElse(asked);
  }

  /** The freeze of the signer that holds a wallet's key, whoever asked for it. */
  public Optional<FreezeScope> holding(UUID tenantId, UUID walletId) throws SignerUnreachable {
    return switch (signer.ask(new SignerRequest.IsFrozen(tenantId, walletId))) {
      case SignerReply.Frozen(var scope, var frozen) -> frozen ? Optional.of(scope) : Optional.empty();
      case SignerReply other -> throw new SignerUnreachable("the signer does not say whether a key is frozen",
          new IllegalStateException(other.toString()));
    };
  }

  /** Takes back the hold that a freeze of this wallet has put on its key, if the signer lets us: it does not where it has a root set. */
  public void release(UUID walletId) throws SignerUnreachable {
    switch (signer.ask(new SignerRequest.Lift(new FreezeScope.Hold(walletId),
        Bytes.of(new byte[SignerRequest.Lift.KEY_BYTES])))) {
      case SignerReply.Frozen _ -> {
      }
      case SignerReply.Refused(var reason, _) when reason == SignerRefusal.NOT_LIFTED -> {
      }
      case SignerReply other -> throw new SignerUnreachable("the signer does not say whether it lifts a hold",
          new IllegalStateException(other.toString()));
    }
  }

  private void ask(KeyFreeze asked) {
    try {
      switch (signer.ask(new SignerRequest.Freeze(new FreezeScope.Hold(asked.walletId()),
          "the wallet was frozen by " + asked.askedBy()))) {
        case SignerReply.Frozen _ -> freezes.held(asked, ACTOR);
        // A key that is not there signs nothing.
        case SignerReply.Refused(var reason, _) when reason == SignerRefusal.UNKNOWN_KEY -> freezes.held(asked, ACTOR);
        case SignerReply other ->
          LOG.error("the signer does not freeze the key of wallet {}: {}", asked.walletId(), other);
      }
    } catch (SignerUnreachable away) {
      LOG.debug("the signer cannot be asked to freeze", away);
    }
  }

  private void askAgain() {
    try {
      freezes.waiting(AT_ONCE).forEach(this::ask);
    } catch (RuntimeException e) {
      LOG.debug("what is to be frozen could not be looked at", e);
    }
  }

  @Override
  public void start() {
    running = true;
    var _ = timer.scheduleWithFixedDelay(this::askAgain, 0, EVERY.toMillis(), TimeUnit.MILLISECONDS);
  }

  @Override
  public void stop() {
    running = false;
    timer.shutdownNow();
  }

  @Override
  public boolean isRunning() {
    return running;
  }
}
