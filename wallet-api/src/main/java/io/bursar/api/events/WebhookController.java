package io.bursar.api.events;

import java.net.URI;
import java.net.URISyntaxException;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;

import org.jspecify.annotations.Nullable;
import org.springframework.http.ResponseEntity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.web.bind.annotation.DeleteMapping;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;

import io.bursar.api.Settings;
import io.bursar.api.http.Bodies;
import io.bursar.api.http.Caller;
import io.bursar.api.http.Problem;
import io.bursar.api.http.ProblemCode;
import io.bursar.api.http.Query;
import io.bursar.json.Json;
import io.bursar.json.JsonReader;
import io.bursar.spend.Id;
import io.bursar.store.events.Event;
import io.bursar.store.events.EventFeed;
import io.bursar.store.events.EventTypes;
import io.bursar.store.events.EventTypes.Selection;
import io.bursar.store.events.Webhook;
import io.bursar.store.events.Webhooks;
import jakarta.servlet.http.HttpServletRequest;

/** {@code /v1/webhooks}: who is told of events by HTTP, and what came of it. */
@RestController
public final class WebhookController {
  private static final int URL_MAX = 2_048;
  private static final int PATTERN_MAX = 64;

  private final Webhooks webhooks;
  private final EventFeed feed;
  private final boolean allowsPrivate;

  WebhookController(Webhooks webhooks, EventFeed feed, Settings settings) {
    this.webhooks = webhooks;
    this.feed = feed;
    this.allowsPrivate = settings.webhooksToPrivate();
  }

  private record Wanted(@Nullable String url, @Nullable List<String> events, byte @Nullable [] secret) {}

  @PostMapping("/v1/webhooks")
  ResponseEntity<byte[]> create(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var wanted = Bodies.parse(Bodies.read(request), this::read);
    var secret = wanted.secret() == null ? WebhookSecret.generate() : wanted.secret();
    var made = webhooks.create(caller.tenantId(), Objects.requireNonNull(wanted.url()),
        new Selection(new HashSet<>(Objects.requireNonNull(wanted.events()))), secret, caller.actor())
        .orElseThrow(() -> Problem.of(ProblemCode.CONFLICT,
            "a tenant has at most " + Webhooks.EACH_TENANT_MAX + " webhooks; delete one that is not needed"));
    return Bodies.created(view(made).put("secret", WebhookSecret.text(secret)).build());
  }

  private Wanted read(JsonReader reader) {
    var url = reader.requiredParsed("url", URL_MAX, this::url);
    var events = reader.present("events")
        ? reader.texts("events", EventTypes.PATTERNS_MAX, PATTERN_MAX, Selection::pattern)
        : null;
    return new Wanted(url, events, reader.parsed("secret", WebhookSecret.LENGTH_MAX, WebhookSecret::parse));
  }

  /** What can be seen of a URL alone; where its host is, is looked at for each message. */
  private String url(String text) {
    try {
      var url = new URI(text);
      boolean secure = "https".equals(url.getScheme()) || (allowsPrivate && "http".equals(url.getScheme()));
      if (secure && url.getHost() != null && url.getUserInfo() == null && url.getFragment() == null
          && url.getPort() != 0 && url.getPort() <= 65_535) {
        if (!allowsPrivate && PublicAddresses.isLiteralOfAnother(url.getHost())) {
          throw new IllegalArgumentException("names an address that is not of the public Internet");
        }
        return url.toASCIIString();
      }
    } catch (URISyntaxException notOne) {
      // the same fault as all others
    }
    throw new IllegalArgumentException(
        "must be a URL such as `https://example.com/bursar`, with a host, and without user, password or fragment");
  }

  @GetMapping("/v1/webhooks")
  ResponseEntity<byte[]> list(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var query = new Query(request);
    var page = query.page();
    query.refuseFaults();
    return Bodies.ok(Query.list(webhooks.list(caller.tenantId(), page), webhook -> view(webhook).build()));
  }

  @GetMapping("/v1/webhooks/{id}")
  ResponseEntity<byte[]> get(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id) {
    return Bodies.ok(view(find(caller, id)).build());
  }

  @DeleteMapping("/v1/webhooks/{id}")
  ResponseEntity<byte[]> delete(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id) {
    if (!webhooks.delete(caller.tenantId(), find(caller, id).id(), caller.actor())) {
      throw Problem.notFound("webhook");
    }
    return Bodies.noContent();
  }

  @PostMapping("/v1/webhooks/{id}/enable")
  ResponseEntity<byte[]> enable(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id) {
    return Bodies.ok(view(webhooks.enable(caller.tenantId(), find(caller, id).id(), caller.actor())
        .orElseThrow(() -> Problem.notFound("webhook"))).build());
  }

  private record Span(@Nullable Long from, @Nullable Long to) {}

  /** Sends again what was sent before: one event, a few, or everything from one on. */
  @PostMapping("/v1/webhooks/{id}/replay")
  ResponseEntity<byte[]> replay(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id,
      HttpServletRequest request) {
    var span = Bodies.parse(Bodies.read(request), reader -> span(caller, reader));
    var webhook = find(caller, id);
    long from = Objects.requireNonNull(span.from());
    var to = Optional.ofNullable(span.to());
    webhooks.replay(caller.tenantId(), webhook.id(), from, to,
        to.map(last -> between(caller.tenantId(), from, last)).orElse(List.of()), caller.actor());
    return Bodies.ok(view(find(caller, id)).build());
  }

  private static Span span(Caller caller, JsonReader reader) {
    var from = reader.requiredParsed("from", 64, text -> EventController.seq(caller.tenantId(), text));
    var to = reader.parsed("to", 64, text -> EventController.seq(caller.tenantId(), text));
    if (from != null && from < 1) {
      reader.fault("from", "is not the identifier of an event");
    }
    if (from != null && to != null && (to < from || to - from >= Webhooks.REPLAY_MAX)) {
      reader.fault("to", "must be `from` or one of the " + (Webhooks.REPLAY_MAX - 1)
          + " events after it; leave it out to replay all that there are");
    }
    return new Span(from, to);
  }

  private List<Event> between(UUID tenantId, long from, long to) {
    var events = new java.util.ArrayList<Event>();
    for (long at = from - 1; at < to;) {
      var read = feed.after(tenantId, at, (int) Math.min(EventFeed.ENTRIES_MAX, to - at));
      if (read.isEmpty()) {
        break;
      }
      events.addAll(read);
      at = read.getLast().seq();
    }
    return events;
  }

  /** The log of what was sent, newest first. */
  @GetMapping("/v1/webhooks/{id}/deliveries")
  ResponseEntity<byte[]> deliveries(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id,
      HttpServletRequest request) {
    var query = new Query(request);
    var state = query.get("state", Webhook.Delivery.State::parse);
    var page = query.page();
    query.refuseFaults();
    return Bodies.ok(Query.list(webhooks.deliveries(caller.tenantId(), find(caller, id).id(), state, page),
        WebhookController::view));
  }

  private Webhook find(Caller caller, String id) {
    return Id.WEBHOOK.parse(id).flatMap(webhookId -> webhooks.find(caller.tenantId(), webhookId))
        .orElseThrow(() -> Problem.notFound("webhook"));
  }

  private static Json.Builder view(Webhook webhook) {
    return Json.object().put("id", Id.WEBHOOK.text(webhook.id())).put("url", webhook.url())
        .put("events", Json.strings(webhook.events().texts()))
        .put("status", webhook.disabledReason() == null ? "enabled" : "disabled")
        .put("disabledReason", text(webhook.disabledReason()))
        .put("failingSince", text(webhook.failingSince())).put("pending", webhook.pending())
        .put("createdAt", webhook.createdAt().toString());
  }

  private static Json view(Webhook.Delivery delivery) {
    var status = delivery.lastStatus();
    boolean pending = delivery.state() == Webhook.Delivery.State.PENDING;
    return Json.object().put("eventId", Id.EVENT.text(delivery.eventId())).put("type", delivery.type())
        .put("state", delivery.state().text()).put("attempts", delivery.attempts())
        .put("lastAttemptAt", text(delivery.lastAttemptAt()))
        .put("lastStatus", status == null ? Json.NULL : new Json.Num(status))
        .put("lastError", text(delivery.lastError())).put("nextAttemptAt", text(pending ? delivery.dueAt() : null))
        .build();
  }

  private static Json text(@Nullable Object value) {
    return value == null ? Json.NULL : new Json.Str(value.toString());
  }
}
