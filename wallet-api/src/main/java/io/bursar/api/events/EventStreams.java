package io.bursar.api.events;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.Collectors;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.context.SmartLifecycle;

import io.bursar.api.http.Authentication;
import io.bursar.api.http.Caller;
import io.bursar.api.http.Problem;
import io.bursar.api.http.ProblemCode;
import io.bursar.json.JsonText;
import io.bursar.spend.Id;
import io.bursar.store.events.Event;
import io.bursar.store.events.EventFeed;
import io.bursar.store.events.EventTypes.Selection;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;

/**
 * Streams of events to whoever keeps a connection open. Nothing is buffered for a listener: it has a place in the record, reads on from
 * there at its own pace, and is cut off if it does not read. One look at the lanes serves all listeners of a process.
 *
 * @see <a href="https://html.spec.whatwg.org/multipage/server-sent-events.html">Server-sent events</a>
 */
public final class EventStreams implements SmartLifecycle {
  /** How often a listener hears at least something, and its key is looked at again. */
  static final Duration HEARTBEAT = Duration.ofSeconds(15);

  private static final Logger LOG = LoggerFactory.getLogger(EventStreams.class);
  private static final Duration LOOK_EVERY = Duration.ofMillis(100);
  private static final Duration AFTER_FAILURE = Duration.ofSeconds(1);
  private static final int LISTENERS_MAX = 500;
  private static final int LISTENERS_OF_A_KEY_MAX = 10;
  private static final int RETRY_SECONDS = 10;

  /** Where a listener stands. */
  private record Listener(Caller caller, Selection wanted, HttpServletRequest request) {}

  private final EventFeed feed;
  private final Authentication authentication;
  private final Set<Listener> listeners = ConcurrentHashMap.newKeySet();
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition grown = lock.newCondition();
  private Map<UUID, Long> newest = Map.of();
  private volatile boolean running;

  public EventStreams(EventFeed feed, Authentication authentication) {
    this.feed = feed;
    this.authentication = authentication;
  }

  /**
   * Writes events until the listener goes away, its key is revoked, or the service stops.
   *
   * @param after the number after which to begin
   */
  void stream(Caller caller, Selection wanted, long after, HttpServletRequest request, HttpServletResponse response)
      throws IOException {
    var listener = new Listener(caller, wanted, request);
    admit(listener);
    try {
      response.setStatus(HttpServletResponse.SC_OK);
      response.setContentType("text/event-stream");
      response.setHeader("X-Accel-Buffering", "no"); // or a proxy may hold events back
      write(listener, after, response.getOutputStream());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt(); // the service ends
    } finally {
      listeners.remove(listener);
    }
  }

  private void admit(Listener listener) {
    listeners.add(listener);
    long ofKey = listeners.stream().filter(other -> other.caller.actor().equals(listener.caller.actor())
        && other.caller.tenantId().equals(listener.caller.tenantId())).count();
    if (ofKey > LISTENERS_OF_A_KEY_MAX || listeners.size() > LISTENERS_MAX || !running) {
      listeners.remove(listener);
      throw Problem.retryAfter(ProblemCode.OVERLOADED, ofKey > LISTENERS_OF_A_KEY_MAX
          ? "a key may keep " + LISTENERS_OF_A_KEY_MAX + " streams of events open at once; close one"
          : "too many streams of events are open; read pages of `/v1/events`, or try again", RETRY_SECONDS);
    }
  }

  private void write(Listener listener, long after, OutputStream out)
      throws IOException, InterruptedException {
    long at = after;
    comment(out, "retry: 1000\n: welcome");
    long heardAt = System.nanoTime();
    while (running) {
      var events = feed.after(listener.caller.tenantId(), at, EventFeed.ENTRIES_MAX);
      boolean told = false;
      for (var event : events) {
        at = event.seq();
        if (listener.wanted.includes(event.type()) && EventScope.shows(listener.caller, event)) {
          write(out, event);
          told = true;
        }
      }
      if (told) {
        out.flush();
      }
      if (System.nanoTime() - heardAt >= HEARTBEAT.toNanos()) {
        if (!authentication.believes(listener.request)) {
          return;
        }
        comment(out, ": heartbeat");
        heardAt = System.nanoTime();
      }
      if (events.size() < EventFeed.ENTRIES_MAX) {
        await(listener.caller.tenantId(), at, HEARTBEAT.toNanos() - (System.nanoTime() - heardAt));
      }
    }
  }

  private static void comment(OutputStream out, String text) throws IOException {
    out.write((text + "\n\n").getBytes(StandardCharsets.UTF_8));
    out.flush();
  }

  private static void write(OutputStream out, Event event) throws IOException {
    out.write(("id: " + Id.EVENT.text(event.id()) + "\nevent: " + event.type() + "\ndata: ")
        .getBytes(StandardCharsets.UTF_8));
    out.write(JsonText.inOrder(event.toJson())); // which has no line breaks in it
    out.write("\n\n".getBytes(StandardCharsets.UTF_8));
  }

  /** Until the tenant has entries beyond a number, or the time is over. */
  private void await(UUID tenantId, long seq, long nanos) throws InterruptedException {
    lock.lock();
    try {
      long left = nanos;
      while (running && left > 0 && newest.getOrDefault(tenantId, 0L) <= seq) {
        left = grown.awaitNanos(left);
      }
    } finally {
      lock.unlock();
    }
  }

  private void loop() {
    while (running) {
      try {
        Thread.sleep(LOOK_EVERY);
        look();
      } catch (InterruptedException e) {
        return;
      } catch (RuntimeException e) {
        LOG.warn("events cannot be looked for, and it is tried again: {}", e.toString());
        rest();
      }
    }
  }

  private void look() {
    var tenants = listeners.stream().map(listener -> listener.caller.tenantId()).collect(Collectors.toSet());
    if (tenants.isEmpty()) {
      return;
    }
    var found = feed.newest(tenants);
    lock.lock();
    try {
      if (!found.equals(newest)) {
        newest = found;
        grown.signalAll();
      }
    } finally {
      lock.unlock();
    }
  }

  private static void rest() {
    try {
      Thread.sleep(AFTER_FAILURE);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void start() {
    running = true;
    var _ = Thread.ofPlatform().daemon().name("events").start(this::loop);
  }

  /** Ends all streams, before the server waits for its requests to end. */
  @Override
  public void stop() {
    running = false;
    lock.lock();
    try {
      grown.signalAll();
    } finally {
      lock.unlock();
    }
  }

  @Override
  public boolean isRunning() {
    return running;
  }
}
