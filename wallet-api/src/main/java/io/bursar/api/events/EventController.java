package io.bursar.api.events;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

import org.jspecify.annotations.Nullable;
import org.springframework.http.ResponseEntity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

import io.bursar.api.http.Bodies;
import io.bursar.api.http.Caller;
import io.bursar.api.http.Query;
import io.bursar.json.Json;
import io.bursar.json.JsonReader;
import io.bursar.spend.Id;
import io.bursar.store.events.Event;
import io.bursar.store.events.EventFeed;
import io.bursar.store.events.EventTypes.Selection;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;

/** {@code /v1/events}: what happens, as a stream for those who accept {@code text/event-stream}, and page by page for all others. */
@RestController
public final class EventController {
  private static final String STREAM = "text/event-stream";
  /** How many entries of the record a page looks at, so that a rare kind of event does not make it read for ever. */
  private static final int LOOKED_AT_MAX = 2_000;

  private final EventFeed feed;
  private final EventStreams streams;

  EventController(EventFeed feed, EventStreams streams) {
    this.feed = feed;
    this.streams = streams;
  }

  @Nullable
  @GetMapping("/v1/events")
  ResponseEntity<byte[]> events(@AuthenticationPrincipal Caller caller, HttpServletRequest request,
      HttpServletResponse response) throws IOException {
    var query = new Query(request);
    var wanted = query.get("types", Selection::parse).orElse(Selection.ALL);
    var page = query.page();
    query.refuseFaults();
    var lastSeen = lastSeen(caller, request);
    if (!streams(request)) {
      long after = page.after().map(EventController::position).or(() -> lastSeen).orElse(0L);
      return page(caller, wanted, after, page.limit());
    }
    streams.stream(caller, wanted, lastSeen.orElseGet(() -> feed.newest(caller.tenantId())), request, response);
    return null;
  }

  /** A cursor is a number in the lower half of an identifier; one that was made up may lie beyond all entries. */
  private static long position(UUID cursor) {
    long seq = cursor.getLeastSignificantBits();
    return seq < 0 ? Long.MAX_VALUE : seq;
  }

  private static boolean streams(HttpServletRequest request) {
    var accept = request.getHeader("Accept");
    return accept != null && accept.toLowerCase(java.util.Locale.ROOT).contains(STREAM);
  }

  private static Optional<Long> lastSeen(Caller caller, HttpServletRequest request) {
    var header = request.getHeader("Last-Event-ID");
    if (header == null || header.isEmpty()) {
      return Optional.empty();
    }
    try {
      return Optional.of(seq(caller.tenantId(), header));
    } catch (IllegalArgumentException e) {
      Bodies.refuse(List.of(new JsonReader.Fault("#Last-Event-ID", String.valueOf(e.getMessage()))));
      throw e;
    }
  }

  /** The number of the event that an identifier names. */
  static long seq(UUID tenantId, String text) {
    return Id.EVENT.parse(text).map(id -> Event.seq(tenantId, id)).filter(java.util.OptionalLong::isPresent)
        .orElseThrow(() -> new IllegalArgumentException("is not the identifier of an event")).getAsLong();
  }

  private ResponseEntity<byte[]> page(Caller caller, Selection wanted, long after, int limit) {
    List<Json> data = new ArrayList<>();
    long at = after;
    boolean more = true;
    for (int read = 0; more && data.size() < limit && read < LOOKED_AT_MAX; read += EventFeed.ENTRIES_MAX) {
      var events = feed.after(caller.tenantId(), at, EventFeed.ENTRIES_MAX);
      more = events.size() == EventFeed.ENTRIES_MAX;
      for (var event : events) {
        if (data.size() == limit) {
          more = true;
          break;
        }
        at = event.seq();
        if (wanted.includes(event.type()) && EventScope.shows(caller, event)) {
          data.add(event.toJson());
        }
      }
    }
    var next = more ? Id.CURSOR.text(new UUID(0, at)) : null;
    return Bodies.ok(Json.object().put("data", new Json.Arr(data))
        .put("nextCursor", next == null ? Json.NULL : new Json.Str(next)).build());
  }
}
