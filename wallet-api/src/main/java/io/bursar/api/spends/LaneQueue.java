package io.bursar.api.spends;

import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.bursar.store.DecidedSpend;
import io.bursar.store.Lane;
import io.bursar.store.LaneStop;
import io.bursar.store.Lanes;
import io.bursar.store.Spend;
import io.bursar.store.Tally;

/**
 * Where requests wait for their tenant's lane. One thread a lane takes whatever has queued up while the last batch was in the
 * database: an idle lane takes a batch of one at once, a busy one many, and nobody lingers.
 */
public final class LaneQueue implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(LaneQueue.class);
  private static final int WAITING_MAX = 4_096;
  private static final Duration IDLE = Duration.ofSeconds(30);
  private static final Duration BEGIN_WITHIN = Duration.ofSeconds(20);

  private final Lanes lanes;
  private final Tally tally;
  private final Runnable afterCommit;
  private final ConcurrentHashMap<UUID, Worker> workers = new ConcurrentHashMap<>();

  /**
   * @param afterCommit told when something may have been authorized; must return at once
   */
  public LaneQueue(Lanes lanes, Tally tally, Runnable afterCommit) {
    this.lanes = lanes;
    this.tally = tally;
    this.afterCommit = afterCommit;
  }

  /** Nothing is certain to have been done; the same request with the same key will tell. */
  public static final class Unavailable extends Exception {
    private final boolean overloaded;

    Unavailable(String message, boolean overloaded, @Nullable Throwable cause) {
      super(message, cause);
      this.overloaded = overloaded;
    }

    /** Whether it was refused for want of room, and so surely not done. */
    public boolean isOverloaded() {
      return overloaded;
    }
  }

  /** Decides requests of one tenant, which stay in their order, and answers once they are durable. */
  public List<Lane.Outcome> decide(UUID tenantId, List<Spend.Request> requests) throws Unavailable {
    var tickets = new ArrayList<Ticket>(requests.size());
    for (var request : requests) {
      tickets.add(new Ticket(request));
    }
    if (!offer(tenantId, tickets)) {
      throw new Unavailable("more than " + WAITING_MAX + " requests wait for this tenant's lane", true, null);
    }
    var outcomes = new ArrayList<Lane.Outcome>(tickets.size());
    for (var ticket : tickets) {
      outcomes.add(ticket.await());
    }
    return outcomes;
  }

  /** What would be decided now; nothing is written. */
  public DecidedSpend rehearse(UUID tenantId, Spend.Request request) throws SQLException {
    var rehearsed = lanes.rehearse(tenantId, request);
    tally.dryRun(tenantId, request.agentId(), rehearsed.decision().effect());
    return rehearsed;
  }

  private boolean offer(UUID tenantId, List<Ticket> tickets) {
    var accepted = new boolean[1];
    // Under the map's lock for this tenant, so that a worker that has just gone idle is not given work.
    workers.compute(tenantId, (id, running) -> {
      var worker = running == null ? new Worker(id) : running;
      accepted[0] = worker.queue.remainingCapacity() >= tickets.size();
      if (accepted[0]) {
        worker.queue.addAll(tickets);
      }
      return worker;
    });
    return accepted[0];
  }

  /** One request on its way, and the thread that waits for it. */
  private static final class Ticket {
    private final Spend.Request request;
    private final Thread waiter = Thread.currentThread();
    private final long offeredNanos = System.nanoTime();
    private volatile @Nullable Object answer;

    Ticket(Spend.Request request) {
      this.request = request;
    }

    boolean waitsTooLong() {
      return System.nanoTime() - offeredNanos > BEGIN_WITHIN.toNanos();
    }

    void complete(Object outcomeOrFailure) {
      answer = outcomeOrFailure;
      LockSupport.unpark(waiter);
    }

    /** Without a limit of its own, which would cost a timer a request: the lane completes every ticket, see {@link Worker#run}. */
    Lane.Outcome await() throws Unavailable {
      while (true) {
        switch (answer) {
          case Lane.Outcome outcome -> {
            return outcome;
          }
          case Unavailable failure -> throw failure;
          case null, default -> {
            if (Thread.currentThread().isInterrupted()) {
              throw new Unavailable("the service is stopping", false, null);
            }
            LockSupport.park(this);
          }
        }
      }
    }
  }

  private final class Worker implements Runnable {
    private final UUID tenantId;
    private final ArrayBlockingQueue<Ticket> queue = new ArrayBlockingQueue<>(WAITING_MAX);
    private final Lane lane;
    private final Thread thread;

    Worker(UUID tenantId) {
      this.tenantId = tenantId;
      this.lane = lanes.open(tenantId);
      this.thread = Thread.ofPlatform().name("lane-" + tenantId).daemon().start(this);
    }

    /**
     * Every ticket that was offered is completed, whatever happens: a batch takes as long as the database's time-outs let it, and
     * one that has waited too long for its turn is turned away.
     */
    @Override
    public void run() {
      var batch = new ArrayList<Ticket>(Lane.BATCH_MAX);
      try {
        while (true) {
          batch.clear();
          var first = queue.poll(IDLE.toMillis(), TimeUnit.MILLISECONDS);
          if (first == null) {
            if (workers.computeIfPresent(tenantId, (id, worker) -> queue.isEmpty() ? null : worker) == null) {
              return;
            }
            continue;
          }
          batch.add(first);
          queue.drainTo(batch, Lane.BATCH_MAX - 1);
          batch.removeIf(Worker::turnedAway);
          if (!batch.isEmpty()) {
            decide(batch);
          }
        }
      } catch (InterruptedException stopped) {
        Thread.currentThread().interrupt();
      } finally {
        workers.remove(tenantId, this);
        queue.drainTo(batch);
        batch.forEach(ticket -> ticket.complete(new Unavailable("the lane has ended", false, null)));
      }
    }

    private static boolean turnedAway(Ticket ticket) {
      boolean away = ticket.waitsTooLong();
      if (away) {
        ticket.complete(new Unavailable("the lane was busy for too long", true, null));
      }
      return away;
    }

    private void decide(List<Ticket> batch) {
      try {
        var outcomes = lane.decide(batch.stream().map(ticket -> ticket.request).toList());
        for (int i = 0; i < batch.size(); i++) {
          batch.get(i).complete(outcomes.get(i));
        }
        afterCommit.run();
      } catch (SQLException | RuntimeException failure) {
        if (batch.size() > 1 && (isAboutOneRequest(failure) || failure instanceof LaneStop.LaneStopped)) {
          batch.forEach(ticket -> decide(List.of(ticket)));
          return;
        }
        if (!(failure instanceof LaneStop.LaneStopped)) {
          LOG.error("a batch of {} could not be decided", batch.size(), failure);
        }
        batch.forEach(ticket -> ticket.complete(new Unavailable("the lane could not decide", false, failure)));
      }
    }

    /** Whether the database refused a value, so that the others of the batch may well be decided. */
    private static boolean isAboutOneRequest(Exception failure) {
      return failure instanceof SQLException refused && refused.getSQLState() != null
          && (refused.getSQLState().startsWith("22") || refused.getSQLState().startsWith("23"));
    }
  }

  @Override
  public void close() {
    workers.values().forEach(worker -> worker.thread.interrupt());
  }
}
