package io.bursar.store;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Queue;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;

import org.jspecify.annotations.Nullable;

import io.bursar.store.PaymentStore.Change;

/**
 * Records moves of payments. All of a tenant's moves need its lane, and a lane is held until its transaction is durable; so the
 * moves that come while one transaction is under way are recorded together by the next one.
 */
final class PaymentMoves {
  /** How many moves one transaction records at most, but for those of one wallet that came together. */
  private static final int TOGETHER_MAX = 128;

  private final Database database;
  private final MoveBatch batch;
  private final Map<UUID, Turn> turns = new ConcurrentHashMap<>();

  PaymentMoves(Database database, AuditEntries audit, Reservations reservations, PaymentStore.Settings settings) {
    this.database = database;
    batch = new MoveBatch(database, audit, reservations, settings);
  }

  /** Whether somebody is writing for a tenant, and what waits for the next turn. */
  private static final class Turn {
    private final AtomicBoolean taken = new AtomicBoolean();
    private final Queue<Wish> waiting = new ConcurrentLinkedQueue<>();
  }

  /** Changes of one wallet that a thread waits for; what came of them is written by who has the turn, before it is answered. */
  private static final class Wish {
    private final List<Change> changes;
    private final Thread thread = Thread.currentThread();
    private @Nullable List<PaymentMove> results;
    private @Nullable RuntimeException failure;
    private volatile boolean answered;

    Wish(List<Change> changes) {
      this.changes = changes;
    }

    UUID walletId() {
      return changes.getFirst().payment().wallet().walletId();
    }

    void answer(@Nullable List<PaymentMove> moves, @Nullable RuntimeException thrown) {
      results = moves;
      failure = thrown;
      answered = true;
      LockSupport.unpark(thread);
    }
  }

  List<PaymentMove> move(List<Change> changes) {
    for (var change : changes) {
      var payment = change.payment();
      var _ = PaymentTransition.after(payment.state(), change.event(), 0, payment.reading().readAt()); // or it throws
    }
    var wish = new Wish(changes);
    var tenantId = changes.getFirst().payment().tenantId();
    var turn = turns.computeIfAbsent(tenantId, tenant -> new Turn());
    turn.waiting.add(wish);
    boolean interrupted = false;
    while (!wish.answered) {
      if (turn.taken.compareAndSet(false, true)) {
        takeTurn(tenantId, turn, wish);
      } else {
        LockSupport.park(turn);
        interrupted |= Thread.interrupted();
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    if (wish.results != null) {
      return wish.results;
    }
    throw Objects.requireNonNull(wish.failure);
  }

  /**
   * Those who are answered go on at once; of those who are not, one is woken for the next turn. With a lock, who was answered would have
   * to take it once more, one after the other, before the next could write.
   */
  private void takeTurn(UUID tenantId, Turn turn, Wish own) {
    try {
      if (!own.answered) {
        recordWaiting(tenantId, turn);
      }
    } finally {
      turn.taken.set(false);
      var next = turn.waiting.peek();
      if (next != null) {
        LockSupport.unpark(next.thread);
      }
    }
  }

  private void recordWaiting(UUID tenantId, Turn turn) {
    var wishes = together(turn.waiting);
    try {
      var changes = wishes.stream().flatMap(wish -> wish.changes.stream()).toList();
      var results = database.inTransaction(() -> batch.record(tenantId, changes));
      int first = 0;
      for (var wish : wishes) {
        wish.answer(List.copyOf(results.subList(first, first += wish.changes.size())), null);
      }
    } catch (RuntimeException e) {
      wishes.forEach(wish -> wish.answer(null, e));
    } catch (Error e) {
      wishes.forEach(wish -> wish.answer(null, new IllegalStateException("a move could not be recorded", e)));
      throw e;
    }
  }

  /** The next wishes, of no wallet two: what becomes of one depends on what became of the one before. */
  private static List<Wish> together(Queue<Wish> waiting) {
    var wishes = new ArrayList<Wish>();
    var wallets = new HashSet<UUID>();
    int moves = 0;
    for (var wish = waiting.peek(); wish != null
        && (wishes.isEmpty() || moves + wish.changes.size() <= TOGETHER_MAX)
        && wallets.add(wish.walletId()); wish = waiting.peek()) {
      moves += wish.changes.size();
      wishes.add(waiting.remove());
    }
    return wishes;
  }
}
