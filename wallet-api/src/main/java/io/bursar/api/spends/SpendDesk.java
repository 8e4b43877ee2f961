package io.bursar.api.spends;

import java.util.List;
import java.util.UUID;

import org.springframework.stereotype.Component;

import io.bursar.api.http.Problem;
import io.bursar.api.http.ProblemCode;
import io.bursar.store.Lane.Outcome;
import io.bursar.store.LaneStop;
import io.bursar.store.Spend;
import io.bursar.store.log.Log;

/** Where requests to spend are handed in, and what a client is told if they cannot be decided now. */
@Component
public final class SpendDesk {
  private final LaneQueue queue;
  private final Log log;

  SpendDesk(LaneQueue queue, Log log) {
    this.queue = queue;
    this.log = log;
  }

  /**
   * Decides requests of one tenant in their order.
   *
   * @throws Problem if the tenant's spending is stopped, or nothing is certain to have been done
   */
  public List<Outcome> decide(UUID tenantId, List<Spend.Request> requests) {
    if (log.isStopped(tenantId)) {
      throw Problem.retryAfter(ProblemCode.LOG_STOPPED,
          "nothing may be spent until an administrator has put the log right and resumed it", 60);
    }
    try {
      return queue.decide(tenantId, requests);
    } catch (LaneQueue.Unavailable e) {
      if (e.getCause() instanceof LaneStop.LaneStopped stopped) {
        throw stopped;
      }
      throw e.isOverloaded()
          ? Problem.retryAfter(ProblemCode.OVERLOADED, "nothing was done; send the same request again later", 1)
          : Problem.retryAfter(ProblemCode.DATABASE_UNAVAILABLE,
              "nothing is certain to have been done; send the same request again with the same key", 1);
    }
  }
}
