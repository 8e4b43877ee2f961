package io.bursar.api.simulation;

import java.util.Optional;
import java.util.concurrent.Semaphore;

import org.jspecify.annotations.Nullable;

/**
 * A thread that runs only while it has the turn, and gives it back at every point where the world could interrupt it. So however
 * many there are, only one of them or the scheduler runs, and the order is the scheduler's choice.
 */
final class Actor implements AutoCloseable {
  /** The process of this actor is dead: nothing of it may do anything any more. */
  static final class Killed extends Error {
    private static final long serialVersionUID = 1;

    Killed() {
      super("killed", null, false, false);
    }
  }

  private static final ThreadLocal<@Nullable Actor> CURRENT = new ThreadLocal<>();

  private final Semaphore turn = new Semaphore(0);
  private final Semaphore back = new Semaphore(0);
  private final Thread thread;
  private @Nullable Runnable task;
  private @Nullable Throwable failure;
  private boolean killed;
  private boolean closed;

  Actor(String name) {
    thread = Thread.ofPlatform().name(name).daemon().start(this::run);
  }

  /** The one whose thread this is; nothing on any other thread. */
  static Optional<Actor> current() {
    return Optional.ofNullable(CURRENT.get());
  }

  boolean isIdle() {
    return task == null;
  }

  boolean isKilled() {
    return killed;
  }

  /** Begins something, as far as its first interruption. */
  void begin(Runnable next) {
    task = next;
    resume();
  }

  /** Goes on with what was begun, as far as the next interruption. */
  void resume() {
    turn.release();
    back.acquireUninterruptibly();
    if (failure != null) {
      var thrown = failure;
      failure = null;
      throw new IllegalStateException("a step failed in a way that nobody planned", thrown);
    }
  }

  /** Its process dies here and now; whatever it is in the middle of ends at its next contact with the world. */
  void kill() {
    killed = true;
    while (!isIdle()) {
      resume();
    }
  }

  /** As {@link #kill}, from its own thread. */
  Killed die() {
    killed = true;
    return new Killed();
  }

  /** Another process takes its place. */
  void revive() {
    killed = false;
  }

  /** Called on its own thread: lets the world go on until the scheduler gives the turn back. */
  void interruption() {
    requireAlive();
    back.release();
    turn.acquireUninterruptibly();
    requireAlive();
  }

  void requireAlive() {
    if (killed) {
      throw new Killed();
    }
  }

  private void run() {
    CURRENT.set(this);
    while (true) {
      turn.acquireUninterruptibly();
      if (closed) {
        return;
      }
      try {
        java.util.Objects.requireNonNull(task).run();
      } catch (Killed end) {
        // The next one begins from what is recorded.
      } catch (Throwable unplanned) {
        failure = unplanned;
      }
      task = null;
      back.release();
    }
  }

  @Override
  public void close() {
    kill();
    closed = true;
    turn.release();
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
